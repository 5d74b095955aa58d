//! The other programs that sinc drives on this computer: how their commands are built, what their answers mean.

pub mod mutagen;
pub mod tmux;
