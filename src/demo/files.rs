//! The files of a throw-away host, as text.

use std::path::Path;

use super::Options;

/// What the server's configuration depends on.
pub(super) struct Server<'a> {
    pub(super) dir: &'a Path,
    pub(super) port: u16,
    pub(super) sftp_server: &'a Path,
    pub(super) options: &'a Options,
    /// The system keeps the user's password entry locked, which sshd takes for a closed account unless PAM is
    /// asked instead.
    pub(super) locked_account: bool,
    /// From OpenSSH 9.8 on a server shuts out an address after failed logins: here that is everybody.
    pub(super) penalties: bool,
}

/// The server's configuration. The first value of a keyword counts, so the caller's own lines come first.
pub(super) fn sshd_config(server: &Server<'_>) -> String {
    let dir = server.dir.display();
    let mut text = String::new();
    for line in &server.options.sshd_config {
        text.push_str(line);
        text.push('\n');
    }
    let pam = if server.locked_account { "yes" } else { "no" };
    // The login shell that starts our script reads its rc files from HOME: an empty one, not the person's own.
    text.push_str(&format!(
        "\
Port {port}
ListenAddress 127.0.0.1
HostKey {dir}/keys/host
PidFile {dir}/sshd.pid
AuthorizedKeysFile {dir}/keys/authorized_keys
StrictModes no
UsePAM {pam}
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PermitUserRC no
X11Forwarding no
PrintMotd no
PrintLastLog no
UseDNS no
MaxStartups 100
AcceptEnv LANG LC_*
SetEnv HOME={dir}/empty
ForceCommand exec {dir}/login
Subsystem sftp {sftp}
",
        port = server.port,
        sftp = server.sftp_server.display(),
    ));
    if server.penalties {
        text.push_str("PerSourcePenalties no\n");
    }
    text
}

/// What the server runs for every login: what a login on a host of its own would be.
pub(super) fn login_script(dir: &Path, shell: &Path, path: &str) -> String {
    format!(
        "\
#!/bin/sh
HOME={dir}/remote SHELL={shell} PATH={path} TMUX_TMPDIR={dir}/run
export HOME SHELL PATH TMUX_TMPDIR
unset SHLVL OLDPWD MAIL # bash reads .bashrc under ssh only when it is the first shell
cd || exit
if [ \"${{SSH_ORIGINAL_COMMAND+set}}\" ]; then
    command=$SSH_ORIGINAL_COMMAND
    unset SSH_ORIGINAL_COMMAND
    exec \"$SHELL\" -c \"$command\"
fi
exec \"$SHELL\" -l
",
        dir = dir.display(),
        shell = shell.display(),
    )
}

/// The configuration of this side's ssh; the caller's own lines come first, because the first value counts.
pub(super) fn ssh_config(dir: &Path, port: u16, user: &str, options: &Options) -> String {
    format!(
        "\
{own}
Host {aliases}
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {dir}/keys/client

Host *
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {dir}/known_hosts
    GlobalKnownHostsFile /dev/null
    UpdateHostKeys no
    SendEnv LANG LC_*
",
        own = options.ssh_config,
        aliases = options.aliases.join(" "),
        dir = dir.display(),
    )
}

/// A program in the way of the real one: ssh asks the system for its home directory and ignores `$HOME`, so it
/// has to be told its configuration.
pub(super) fn wrapper(program: &Path, dir: &Path) -> String {
    format!("#!/bin/sh\nexec {} -F {}/ssh_config \"$@\"\n", program.display(), dir.display())
}

/// The files of a fresh home directory: each shell's way to `~/.local/bin` for a login, and the caller's own
/// lines where the login shell reads them even for a single command.
pub(super) fn dotfiles(shell: &Path, rc: Option<&str>) -> Vec<(&'static str, String)> {
    let posix = "PATH=\"$HOME/.local/bin:$PATH\"\n";
    let mut files = vec![
        (".profile", posix.to_owned()),
        (".zprofile", posix.to_owned()),
        (".tcshrc", "set path = (~/.local/bin $path)\n".to_owned()),
        (".config/fish/config.fish", "set -gx PATH ~/.local/bin $PATH\n".to_owned()),
    ];
    if let Some(rc) = rc {
        let name = match shell.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
            "bash" => ".bashrc",
            "zsh" => ".zshenv",
            "fish" => ".config/fish/config.fish",
            "tcsh" | "csh" => ".tcshrc",
            _ => ".profile",
        };
        match files.iter_mut().find(|(file, _)| *file == name) {
            Some((_, text)) => text.push_str(rc),
            None => files.push((name, rc.to_owned())),
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_lines_come_first_in_both_configurations() {
        let options = Options {
            sshd_config: vec!["MaxSessions 1".to_owned()],
            ssh_config: "Host gone\n    Port 1\n".to_owned(),
            aliases: vec!["one".to_owned(), "two".to_owned()],
            ..Options::default()
        };
        let dir = Path::new("/tmp/x");
        let server = Server {
            dir,
            port: 7,
            sftp_server: Path::new("/usr/lib/sftp-server"),
            options: &options,
            locked_account: false,
            penalties: true,
        };
        let text = sshd_config(&server);
        assert!(text.starts_with("MaxSessions 1\nPort 7\n"), "{text}");
        assert!(text.ends_with("PerSourcePenalties no\n"), "{text}");
        let text = ssh_config(dir, 7, "me", &options);
        assert!(text.starts_with("Host gone\n    Port 1\n"), "{text}");
        assert!(text.contains("Host one two\n"), "{text}");
    }

    #[test]
    fn rc_lines_go_where_the_shell_reads_them_for_a_single_command() {
        let file = |shell: &str| {
            let files = dotfiles(Path::new(shell), Some("echo hi\n"));
            files.into_iter().find(|(_, text)| text.ends_with("echo hi\n")).unwrap().0
        };
        assert_eq!(file("/bin/bash"), ".bashrc");
        assert_eq!(file("/usr/bin/zsh"), ".zshenv");
        assert_eq!(file("/usr/bin/fish"), ".config/fish/config.fish");
        assert_eq!(file("/bin/tcsh"), ".tcshrc");
        assert_eq!(file("/bin/dash"), ".profile");
    }
}
