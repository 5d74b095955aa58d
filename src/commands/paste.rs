//! What sinc does by itself, as commands to paste: a dry run shows them.

use std::path::Path;

use crate::process::Cmd;
use crate::remote::shim;

/// Writes a file, with the directories that it needs.
pub(super) fn write_file(why: &str, path: &Path, text: &str) -> Cmd {
    let script = "umask 077; mkdir -p \"${1%/*}\" && printf %s \"$2\" >\"$1\"";
    Cmd::new("sh", why).args(["-c", script, "sh"]).arg(path).arg(text)
}

/// Makes the directory in which `ssh` and `scp` are sinc.
pub(super) fn install_shim(dir: &Path, this_program: &Path) -> Cmd {
    let names = shim::PROGRAMS.map(|name| format!("&& ln -sf \"$1\" \"$2/{name}\"")).join(" ");
    let script = format!("umask 077; mkdir -p \"$2\" {names}");
    Cmd::new("sh", "be the ssh that Mutagen calls").args(["-c", &script, "sh"]).arg(this_program).arg(dir)
}
