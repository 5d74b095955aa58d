//! `sinc link install` with a real systemd: the host plays the laptop here, and another user of it the host.

use super::lab::Lab;
use super::support::sandbox::Sandbox;
use super::support::{PATIENCE, wait_until};

/// A sinc on the bed's Debian, of user `dev`, with a session on the same machine, of user `there`.
struct Inside(Lab);

impl Inside {
    fn new() -> Self {
        let lab = Lab::new();
        let inside = Self(lab);
        inside.clean();
        inside.root("useradd -m -s /bin/bash -p '*' there");
        let lab = &inside.0;
        lab.on_host("mkdir -p ~/bin ~/app ~/.config/sinc");
        let mutagen = which::which("mutagen").unwrap().canonicalize().unwrap();
        let files =
            [Sandbox::binary().to_owned(), mutagen.clone(), mutagen.with_file_name("mutagen-agents.tar.gz")];
        for file in &files {
            lab.sandbox
                .run("scp", &["-q", "-o", "ControlPath=none", file.to_str().unwrap(), "vps:bin/"])
                .success();
        }
        lab.on_host("ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519");
        inside.root(
            "install -d -m 700 -o there -g there /home/there/.ssh && \
             install -m 600 -o there -g there /home/dev/.ssh/id_ed25519.pub /home/there/.ssh/authorized_keys",
        );
        lab.on_host("ssh -o StrictHostKeyChecking=accept-new there@127.0.0.1 true");
        lab.on_host(
            "printf '%s\\n' 'default-host = \"near\"' 'default-agent = \"test\"' '[host.near]' \
             'destination = \"there@127.0.0.1\"' '[agent.test]' 'command = \"cat\"' >~/.config/sinc/config.toml",
        );
        lab.on_host("echo one >~/app/file && cd ~/app && PATH=~/bin:$PATH sinc --no-attach");
        inside
    }

    /// Runs a line as the host's root, with no login.
    #[track_caller]
    fn root(&self, line: &str) -> String {
        self.0.bed(&["vps", "sh", "-c", line])
    }

    /// Is what dev's directory gets in the other user's a moment later? Nobody logs in for it.
    #[track_caller]
    fn syncs(&self, name: &str) {
        self.root(&format!("runuser -u dev -- sh -c 'echo {name} >/home/dev/app/{name}'"));
        wait_until(&format!("{name} has arrived"), PATIENCE, || {
            self.root(&format!("cat /home/there/workspace/app/{name} 2>/dev/null || true")).contains(name)
        });
    }

    /// The processes of the link.
    fn links(&self) -> String {
        self.root("pgrep -u dev -af '[s]inc link run' || true")
    }

    fn clean(&self) {
        self.root(
            "loginctl disable-linger dev 2>/dev/null; pkill -u dev -f 'sinc link'; pkill -u dev mutagen; \
             pkill -KILL -u there 2>/dev/null; userdel -rf there 2>/dev/null; \
             rm -rf /home/dev/bin /home/dev/app /home/dev/.config /home/dev/.local /home/dev/.ssh/id_ed25519* \
             /home/dev/.ssh/known_hosts; true",
        );
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.clean();
        }
    }
}

#[test]
fn links_are_started_at_login_and_at_boot_until_that_is_removed() {
    let inside = Inside::new();
    let lab = &inside.0;
    inside.syncs("before");
    let said = lab.on_host("PATH=~/bin:$PATH sinc link install 2>&1");
    assert!(said.contains("/home/dev/.config/systemd/user/sinc-link.service"), "{said}");
    assert_eq!(lab.on_host("systemctl --user is-enabled sinc-link.service").trim(), "enabled");
    // The service starts one that does not run.
    lab.on_host("~/bin/sinc link stop && systemctl --user restart sinc-link.service");
    wait_until("the service has started the link", PATIENCE, || inside.links().contains("near"));
    inside.syncs("started");
    // Without lingering the user's services start with the first login.
    lab.bed(&["reboot"]);
    assert_eq!(inside.links(), "", "nobody has logged in");
    lab.on_host("true");
    wait_until("the login has started the link", PATIENCE, || inside.links().contains("near"));
    inside.syncs("login");
    // With it, at boot.
    lab.on_host("sudo loginctl enable-linger dev");
    lab.bed(&["reboot"]);
    wait_until("the boot has started the link", PATIENCE, || inside.links().contains("near"));
    inside.syncs("booted");
    let state = lab.on_host("systemctl --user show -p ActiveState -p Result sinc-link.service");
    assert!(state.contains("ActiveState=active") && state.contains("Result=success"), "{state}");

    let said = lab.on_host("~/bin/sinc link install --remove 2>&1");
    assert!(said.contains("not started at login any more"), "{said}");
    let left = lab
        .on_host("find ~/.config/systemd -name '*sinc*'; systemctl --user list-units '*sinc*' --no-legend");
    assert_eq!(left.trim(), "", "the unit and what enabled it are gone");
    assert!(inside.links().contains("near"), "what runs goes on");
    inside.syncs("removed");
    lab.bed(&["reboot"]);
    wait_until("the user's services are up", PATIENCE, || {
        inside.root("systemctl is-active user@1000.service || true").trim() == "active"
    });
    lab.on_host("systemctl --user is-system-running --wait || true");
    assert_eq!(inside.links(), "");
    let said = lab.on_host("~/bin/sinc link install --remove 2>&1");
    assert!(said.contains("it is not installed"), "{said}");
}
