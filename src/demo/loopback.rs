//! A host to try things on: a real sshd on 127.0.0.1, run by whoever asks, with keys, a home directory and a
//! tmux server of its own. It ends with its owner and leaves nothing behind.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::guard::{self, Guard};
use super::place::{free_port, is_plain, make_dir, write_program};
use super::programs::{Missing, Programs};
use super::{files, place, sshd};
use crate::process::{Cmd, Runner};

/// How the host is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// The login shell on the host; bash, or else sh, when not given.
    pub login_shell: Option<PathBuf>,
    /// The names that ssh knows the host by; the first one is [`LoopbackHost::alias`].
    pub aliases: Vec<String>,
    /// More lines for the server's configuration; they win over its own.
    pub sshd_config: Vec<String>,
    /// More text for this side's ssh configuration; it wins over the rest.
    pub ssh_config: String,
    /// More lines for the file that the login shell reads even for a single command.
    pub rc: Option<String>,
    /// PATH on the host before any rc file; the system's directories when not given.
    pub remote_path: Option<String>,
    /// Leave the directory behind (processes end all the same).
    pub keep: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            login_shell: None,
            aliases: vec!["demo".to_owned()],
            sshd_config: Vec::new(),
            ssh_config: String::new(),
            rc: None,
            remote_path: None,
            keep: false,
        }
    }
}

/// A running throw-away host. Dropped, it is gone: server, connections, what ran on it and on its local side,
/// files.
#[derive(Debug)]
pub struct LoopbackHost {
    // First, so that it ends first.
    _guard: Guard,
    runner: Runner,
    dir: PathBuf,
    programs: Programs,
    options: Options,
    login_shell: PathBuf,
    path: OsString,
    user: String,
    port: u16,
}

impl LoopbackHost {
    /// Makes a private directory that is short enough for a host, in `/tmp`: what `start` wants.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn private_dir() -> std::io::Result<PathBuf> {
        place::private_dir()
    }

    /// Starts a host in `dir`: a short path to an empty, private directory that belongs to the host from then
    /// on and goes with it.
    ///
    /// # Errors
    /// A program is missing ([`Missing`]), the directory will not do, or the server does not start.
    pub fn start(runner: &Runner, dir: &Path, options: Options) -> anyhow::Result<Self> {
        place::check(dir)?;
        let path = inherited("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
        let programs = Programs::find(&path)?;
        let login_shell = match &options.login_shell {
            Some(shell) => shell.clone(),
            None => ["bash", "sh"]
                .iter()
                .find_map(|name| which::which_in(name, Some(&path), "/").ok())
                .ok_or_else(|| Missing(vec!["sh".to_owned()]))?,
        };
        ensure!(is_plain(&login_shell), "the path of the login shell `{}` is unusual", login_shell.display());
        let guard = Guard::start(runner, dir, options.keep)?;
        let user = runner.read(&Cmd::new("id", "ask for the user's name").arg("-un"))?.trim().to_owned();
        let mut host = Self {
            _guard: guard,
            runner: runner.clone(),
            dir: dir.to_owned(),
            programs,
            options,
            login_shell,
            path,
            user,
            port: 0,
        };
        host.make_files()?;
        host.listen_somewhere()?;
        Ok(host)
    }

    /// The directory that everything is in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The name that ssh knows the host by.
    #[must_use]
    pub fn alias(&self) -> &str {
        self.options.aliases.first().map_or("127.0.0.1", String::as_str)
    }

    /// The port of 127.0.0.1 that it listens on, the same for its whole life.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The home directory on the host.
    #[must_use]
    pub fn remote_home(&self) -> PathBuf {
        self.dir.join("remote")
    }

    /// The home directory on this side.
    #[must_use]
    pub fn local_home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// The directory of `ssh` and `scp` that know the host; it is the first one of PATH in [`Self::env`].
    #[must_use]
    pub fn bin(&self) -> PathBuf {
        self.dir.join("bin")
    }

    /// The configuration that this side's ssh uses.
    #[must_use]
    pub fn ssh_config(&self) -> PathBuf {
        self.dir.join("ssh_config")
    }

    /// The host keys that this side's ssh knows.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// The keys that may log in, on the host's side.
    #[must_use]
    pub fn authorized_keys(&self) -> PathBuf {
        self.dir.join("keys/authorized_keys")
    }

    /// The directory of the host's tmux sockets (its `TMUX_TMPDIR`).
    #[must_use]
    pub fn tmux_dir(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// What the server wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("sshd.log")).unwrap_or_default()
    }

    /// What to change in the environment of a program that is to live on the local side of this host: the name,
    /// and the value or none for "not set". Nothing of the person's own sessions or settings is left.
    #[must_use]
    pub fn env(&self) -> Vec<(OsString, Option<OsString>)> {
        const GONE: [&str; 6] = ["XDG_", "MUTAGEN_", "SINC_", "SSH_", "TMUX", "GIT_"];
        let mut changes: Vec<_> = std::env::vars_os()
            .filter(|(name, _)| GONE.iter().any(|gone| name.to_string_lossy().starts_with(gone)))
            .map(|(name, _)| (name, None))
            .collect();
        let mut path = self.bin().into_os_string();
        path.push(":");
        path.push(&self.path);
        let mut set = |name: &str, value: OsString| changes.push((name.into(), Some(value)));
        set("HOME", self.local_home().into());
        set("TMPDIR", self.dir.join("tmp").into());
        set("PATH", path);
        set("SHELL", self.login_shell.clone().into());
        set("TERM", inherited("TERM").unwrap_or_else(|| "xterm-256color".into()));
        changes
    }

    /// Puts a program into `~/.local/bin` on the host, where a login finds it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add_program(&self, name: &str, text: &str) -> std::io::Result<PathBuf> {
        let file = self.remote_home().join(".local/bin").join(name);
        write_program(&file, text)?;
        Ok(file)
    }

    /// Takes the server down with its connections; what runs on the host goes on.
    ///
    /// # Errors
    /// The warden could not be run.
    pub fn stop_sshd(&self) -> anyhow::Result<()> {
        self.warden("down")?;
        sshd::wait_until_down(self.address())
    }

    /// Starts the server again, on the same port and disk.
    ///
    /// # Errors
    /// It does not start; the log's end says why.
    pub fn start_sshd(&self) -> anyhow::Result<()> {
        if self.listen()? { Ok(()) } else { bail!("port {} was taken meanwhile", self.port) }
    }

    /// Ends every connection as a lost line would; the server goes on.
    ///
    /// # Errors
    /// The warden could not be run.
    pub fn break_connections(&self) -> anyhow::Result<()> {
        self.warden("cut")
    }

    /// Turns the host off and on: nothing that ran on it is left, its disk is.
    ///
    /// # Errors
    /// The server does not start again.
    pub fn reboot(&self) -> anyhow::Result<()> {
        self.turn_off()?;
        self.start_sshd()
    }

    /// Turns the host off: the server, the connections and everything that ran on it. `start_sshd` is on.
    ///
    /// # Errors
    /// The warden could not be run.
    pub fn turn_off(&self) -> anyhow::Result<()> {
        self.warden("off")
    }

    /// Gives the host another key, as a new machine at the same address has; this side still knows the old one.
    ///
    /// # Errors
    /// The key cannot be made, or the server does not start with it.
    pub fn replace_host_key(&self) -> anyhow::Result<()> {
        self.stop_sshd()?;
        for file in ["keys/host", "keys/host.pub"] {
            std::fs::remove_file(self.dir.join(file))?;
        }
        self.make_key("host")?;
        self.start_sshd()
    }

    /// Writes down the key that the host has now, and no other, as known on this side.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn trust_host_key(&self) -> anyhow::Result<()> {
        let key = std::fs::read_to_string(self.dir.join("keys/host.pub"))?;
        std::fs::write(self.known_hosts(), format!("[127.0.0.1]:{} {key}", self.port))?;
        Ok(())
    }

    /// Gives the host an empty disk: what ran on it is ended, its home directory is as on the first day.
    ///
    /// # Errors
    /// Something cannot be removed, or the server does not start again.
    pub fn wipe_disk(&self) -> anyhow::Result<()> {
        self.turn_off()?;
        std::fs::remove_dir_all(self.remote_home())?;
        self.make_remote_home()?;
        self.start_sshd()
    }

    fn warden(&self, verb: &str) -> anyhow::Result<()> {
        self.runner.answer(&guard::verb(&self.dir, verb))?;
        Ok(())
    }

    fn make_files(&self) -> anyhow::Result<()> {
        for name in ["home", "tmp", "keys", "empty", "bin", "run"] {
            make_dir(&self.dir.join(name))?;
        }
        self.make_key("host")?;
        self.make_key("client")?;
        std::fs::copy(self.dir.join("keys/client.pub"), self.authorized_keys())?;
        for program in [&self.programs.ssh, &self.programs.scp] {
            let name = program.file_name().context("a program without a name")?;
            write_program(&self.bin().join(name), &files::wrapper(program, &self.dir))?;
        }
        let path = self.options.remote_path.clone().unwrap_or_else(|| self.system_path());
        let login = files::login_script(&self.dir, &self.login_shell, &path);
        write_program(&self.dir.join("login"), &login)?;
        self.make_remote_home()
    }

    fn make_remote_home(&self) -> anyhow::Result<()> {
        let home = self.remote_home();
        make_dir(&home)?;
        for (name, text) in files::dotfiles(&self.login_shell, self.options.rc.as_deref()) {
            let file = home.join(name);
            std::fs::create_dir_all(file.parent().unwrap_or(&home))?;
            std::fs::write(file, text)?;
        }
        Ok(())
    }

    /// The system's directories, and that of tmux where it is elsewhere (Homebrew).
    fn system_path(&self) -> String {
        let mut path = "/usr/local/bin:/usr/bin:/bin:/usr/games".to_owned();
        let tmux = which::which_in("tmux", Some(&self.path), "/").ok();
        if let Some(dir) = tmux.as_deref().and_then(Path::parent).filter(|dir| is_plain(dir)) {
            let dir = dir.to_string_lossy();
            if !path.split(':').any(|known| known == dir) {
                path.push(':');
                path.push_str(&dir);
            }
        }
        path
    }

    fn make_key(&self, name: &str) -> anyhow::Result<()> {
        let cmd = Cmd::new(&self.programs.keygen, format!("make the {name} key"))
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "throw-away", "-f"])
            .arg(self.dir.join("keys").join(name));
        self.runner.answer(&cmd)?;
        Ok(())
    }

    /// Finds a port that nobody has. Another program may take it before sshd does: then the next one.
    fn listen_somewhere(&mut self) -> anyhow::Result<()> {
        for _ in 0..10 {
            self.port = free_port()?;
            self.trust_host_key()?;
            let text = files::ssh_config(&self.dir, self.port, &self.user, &self.options);
            std::fs::write(self.ssh_config(), text)?;
            let server = files::Server {
                dir: &self.dir,
                port: self.port,
                sftp_server: &self.programs.sftp_server,
                options: &self.options,
                locked_account: sshd::is_locked(&self.user),
                penalties: true,
            };
            sshd::configure(&self.runner, &self.programs.sshd, server)?;
            if self.listen()? {
                return Ok(());
            }
        }
        bail!("no free port on 127.0.0.1")
    }

    fn listen(&self) -> anyhow::Result<bool> {
        sshd::listen(&self.runner, &self.programs.sshd, &self.dir, self.address())
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// A variable of our own environment.
fn inherited(name: &str) -> Option<OsString> {
    std::env::vars_os().find(|(known, _)| known == name).map(|(_, value)| value)
}
