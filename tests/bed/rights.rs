//! Root's rights: by sudo with a password, and not at all.

use std::time::Duration;

use super::lab::Lab;
use super::onlooker::Onlooker;
use super::support::PATIENCE;
use super::support::terminal::Terminal;

const PASSWORD: &str = "correct horse $x";

/// Two more users of the host: `pat` may use sudo with a password, `nob` may not at all.
struct People<'a>(&'a Lab);

impl<'a> People<'a> {
    fn on(lab: &'a Lab) -> Self {
        let make = format!(
            "for user in pat nob; do useradd -m -s /bin/bash -p '*' $user; \
             install -d -m 700 -o $user /home/$user/.ssh; \
             install -m 600 -o $user /root/.ssh/authorized_keys /home/$user/.ssh/; done; \
             usermod -aG sudo pat; echo 'pat:{PASSWORD}' | chpasswd"
        );
        lab.bed(&["vps", "sh", "-c", &make]);
        let own = "summary = \"a file\"\nsource = \"a test\"\npinned = \"2026-11-26\"\n[[step]]\nfile = { path = \"PATH\", content = \"x\" }\n";
        for (name, path) in [("of-root", "/etc/of-root"), ("of-user", "{home}/of-user")] {
            lab.sandbox.write(format!(".config/sinc/components/{name}.toml"), own.replace("PATH", path));
        }
        Self(lab)
    }
}

impl Drop for People<'_> {
    fn drop(&mut self) {
        let line = "for user in pat nob; do loginctl terminate-user $user; pkill -9 -u $user; userdel -rf $user; done; \
                    rm -rf /var/lib/sinc /etc/of-root; true";
        self.0.bed(&["vps", "sh", "-c", line]);
    }
}

#[test]
fn the_password_that_sudo_wants_is_asked_once_and_is_nowhere() {
    let lab = Lab::new();
    let _people = People::on(&lab);
    let args = ["install", "--host", "pat@vps", "--tier", "custom", "--with", "of-root", "--with", "of-user"];
    let nobody = lab.sandbox.sinc(&[&args[..], &["--yes"]].concat()).exits(77);
    assert!(nobody.stderr.contains("hint: run it on a terminal"), "{nobody}");
    let onlooker = Onlooker::on(&lab);
    let terminal = Terminal::sinc(&lab.sandbox, &lab.sandbox.home(), &args);
    terminal.wait_for("Password of pat on pat@vps, for sudo", PATIENCE);
    terminal.type_line("wrong");
    terminal.wait_for("sudo does not take that password", PATIENCE);
    terminal.type_line(PASSWORD);
    terminal.wait_for("Do this on pat@vps?", PATIENCE);
    terminal.type_line("y");
    assert_eq!(terminal.wait_exit(Duration::from_secs(60)), 0, "{}", terminal.history());
    let said = terminal.history();
    assert_eq!(said.matches("Password of pat").count(), 2, "{said}");
    assert!(said.contains("1 component changed"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    assert_eq!(lab.bed(&["vps", "stat", "-c", "%U", "/etc/of-root"]), "root\n");
    onlooker.saw_no(PASSWORD);
}

#[test]
fn without_rights_what_needs_none_is_done_and_the_rest_is_left_out() {
    let lab = Lab::new();
    let _people = People::on(&lab);
    let args = [
        "install", "--host", "nob@vps", "--yes", "--tier", "custom", "--with", "of-root", "--with", "of-user",
    ];
    let run = lab.sandbox.sinc(&args).exits(77);
    assert!(run.stderr.contains("of-root was left out: it needs root's rights"), "{run}");
    assert!(run.stderr.contains("echo 'nob ALL=(ALL) NOPASSWD: ALL' | sudo tee"), "{run}");
    assert_eq!(lab.bed(&["vps", "stat", "-c", "%U", "/home/nob/of-user"]), "nob\n");
    lab.sandbox.sinc(&[&args[..4], &["--tier", "custom", "--with", "of-user", "--check"]].concat()).success();
    // What root put there is seen by root alone: it is not taken for nothing.
    let root =
        ["install", "--host", "root@vps", "--yes", "--as-root", "--tier", "custom", "--with", "of-root"];
    lab.sandbox.sinc(&root).success();
    let hidden = lab.sandbox.sinc(&["uninstall", "--host", "nob@vps", "--yes"]).exits(77);
    assert!(
        hidden.stderr.contains("1 of 1 taken back") && hidden.stderr.contains("is still there"),
        "{hidden}"
    );
    let hidden = lab.sandbox.sinc(&["uninstall", "--host", "nob@vps", "--yes"]).exits(77);
    assert!(hidden.stderr.contains("an administrator of the host can run"), "{hidden}");
    lab.sandbox.sinc(&["uninstall", "--host", "root@vps", "--yes"]).success();
    lab.sandbox.sinc(&["uninstall", "--host", "nob@vps", "--yes"]).success();
    assert_eq!(lab.bed(&["vps", "sh", "-c", "ls /home/nob /etc/of-root 2>/dev/null | wc -l"]).trim(), "1");
}

#[test]
fn a_service_of_roots_own_runs_under_roots_own_systemd() {
    let lab = Lab::new();
    let own = "summary = \"a service\"\nsource = \"a test\"\npinned = \"2026-11-29\"\n\
        [[step]]\nfile = { path = \"{home}/.config/systemd/user/of-root.service\", content = \"\"\"\n\
        [Unit]\nStartLimitIntervalSec=600\nStartLimitBurst=1\n[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=default.target\n\"\"\" }\n\
        [[step]]\nservice = { unit = \"of-root.service\", scope = \"user\" }\n";
    lab.sandbox.write(".config/sinc/components/of-service.toml", own);
    let args =
        ["install", "--host", "root@vps", "--as-root", "--tier", "custom", "--with", "of-service", "--yes"];
    lab.sandbox.sinc(&args).success();
    let check = lab.sandbox.sinc(&[&args[..], &["--check"]].concat()).success();
    assert!(check.stderr.contains("everything is as it should be"), "{check}");
    let asked = "XDG_RUNTIME_DIR=/run/user/0 systemctl --user is-active of-root.service; ls /var/lib/systemd/linger/root";
    assert_eq!(lab.bed(&["vps", "sh", "-c", asked]), "active\n/var/lib/systemd/linger/root\n");
    // One that was started too often in a short time is started all the same.
    lab.bed(&[
        "vps",
        "sh",
        "-c",
        "XDG_RUNTIME_DIR=/run/user/0 systemctl --user restart of-root.service 2>&1 || true",
    ]);
    lab.sandbox.sinc(&[&args[..], &["--check"]].concat()).exits(1);
    lab.sandbox.sinc(&args).success();
    assert_eq!(lab.bed(&["vps", "sh", "-c", asked]), "active\n/var/lib/systemd/linger/root\n");
    lab.sandbox.sinc(&["uninstall", "--host", "root@vps", "--yes"]).success();
    let left = "ls /var/lib/systemd/linger/root /root/.config/systemd/user/of-root.service 2>/dev/null; true";
    assert_eq!(lab.bed(&["vps", "sh", "-c", left]), "");
}
