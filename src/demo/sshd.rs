//! Checks sshd's configuration, starts it and waits for it.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use super::files::{self, Server};
use super::guard::wait;
use crate::process::{Cmd, Runner, interrupted};

/// How long sshd gets to listen, and not to.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes the configuration, as this version of sshd understands it, and what this system needs beside it.
pub(super) fn configure(runner: &Runner, sshd: &Path, mut server: Server<'_>) -> anyhow::Result<()> {
    let config = server.dir.join("sshd_config");
    loop {
        std::fs::write(&config, files::sshd_config(&server))?;
        let check = Cmd::new(sshd, "check the configuration of sshd").arg("-t").arg("-f").arg(&config);
        let Err(error) = runner.answer(&check) else { return Ok(()) };
        let missing_dir = error.stderr().trim().strip_prefix("Missing privilege separation directory: ");
        if let Some(dir) = missing_dir.filter(|dir| !Path::new(dir).exists()) {
            // Debian makes /run/sshd only when its own sshd starts.
            std::fs::create_dir_all(dir).with_context(|| format!("could not make `{dir}` for sshd"))?;
        } else if server.penalties && error.stderr().contains("PerSourcePenalties") {
            server.penalties = false;
        } else {
            return Err(error.into());
        }
    }
}

/// Starts the server; `false` when somebody else has its port.
pub(super) fn listen(runner: &Runner, sshd: &Path, dir: &Path, address: SocketAddr) -> anyhow::Result<bool> {
    let (pidfile, log) = (dir.join("sshd.pid"), dir.join("sshd.log"));
    let read_log = || std::fs::read_to_string(&log).unwrap_or_default();
    let before = read_log().len();
    // It goes into the background by itself, away from the terminal and its Ctrl-C: the guard ends it.
    let start = Cmd::new(sshd, "start sshd").arg("-f").arg(dir.join("sshd_config")).arg("-E").arg(&log);
    runner.answer(&start)?;
    let ready = wait(PATIENCE, || {
        if let Err(signal) = interrupted() {
            return Some(Err(signal.into()));
        }
        let log = read_log();
        if log.get(before..).is_some_and(|log| log.contains("Cannot bind any address")) {
            return Some(Ok(false));
        }
        // The file appears when the port is its own; the banner when it serves.
        (pidfile.exists() && greets(address)).then_some(Ok(true))
    });
    match ready {
        Some(ready) => ready,
        None => bail!("sshd did not listen on {address} within {} s:\n{}", PATIENCE.as_secs(), read_log()),
    }
}

/// Waits until nobody takes a connection any more.
pub(super) fn wait_until_down(address: SocketAddr) -> anyhow::Result<()> {
    wait(PATIENCE, || TcpStream::connect(address).is_err().then_some(()))
        .with_context(|| format!("sshd still listens on {address}"))
}

fn greets(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, PATIENCE) else { return false };
    let mut banner = [0; 4];
    stream.set_read_timeout(Some(PATIENCE)).is_ok()
        && stream.read_exact(&mut banner).is_ok()
        && &banner == b"SSH-"
}

/// Is the user's password entry locked? sshd run by root asks for that itself when PAM is off.
pub(super) fn is_locked(user: &str) -> bool {
    let shadow = std::fs::read_to_string("/etc/shadow").unwrap_or_default();
    shadow.lines().filter_map(|line| line.strip_prefix(user)).any(|rest| rest.starts_with(":!"))
}
