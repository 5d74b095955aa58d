//! A host that wants a key and then asks a question (PAM's, as for a one-time code): a person answers it once, and
//! the sync shares the connection that they opened.

use super::lab::Lab;
use super::support::terminal::Terminal;
use super::support::{PATIENCE, wait_until};

const CODE: &str = "correct horse";

/// A second sshd of the host, on a port of its own, with PAM asking for the second factor.
struct SecondFactor<'a>(&'a Lab);

impl<'a> SecondFactor<'a> {
    fn on(lab: &'a Lab) -> Self {
        let config = "default-agent = \"test\"\n[host.strict]\ndestination = \"ssh://vps:2222\"\n\
                      [agent.test]\ncommand = \"echo agent ready; cat\"\n";
        lab.sandbox.configure(config);
        lab.bed(&["vps", "sh", "-c", &format!("echo 'dev:{CODE}' | chpasswd")]);
        let this = Self(lab);
        this.start();
        this
    }

    fn start(&self) {
        let options = "-o Port=2222 -o PidFile=/run/second-factor.pid -o UsePAM=yes -o KbdInteractiveAuthentication=yes \
                       -o PasswordAuthentication=no -o AuthenticationMethods=publickey,keyboard-interactive";
        // OpenSSH from 9.8 on would shut this address out after the wrong answers of a test.
        let start = format!(
            "if /usr/sbin/sshd -t -o PerSourcePenalties=no 2>/dev/null; then more='-o PerSourcePenalties=no'; fi; \
             /usr/sbin/sshd $more {options}"
        );
        self.0.bed(&["vps", "sh", "-c", &start]);
    }

    /// The line is lost: the connections of this server, and no other, are gone at once.
    fn break_connections(&self) {
        // Each has a process of root's and below it one of the user's, which has the line.
        let script = "for p in $(pgrep -P \"$(cat /run/second-factor.pid)\"); do pkill -9 -P $p; kill -9 $p; done; true";
        self.0.bed(&["vps", "sh", "-c", script]);
    }

    /// How often somebody has logged in by it.
    fn logins(&self) -> usize {
        let log =
            self.0.bed(&["vps", "journalctl", "-q", "-b", "-o", "cat", "-t", "sshd", "-t", "sshd-session"]);
        log.lines().filter(|line| line.starts_with("Accepted keyboard-interactive/pam for dev")).count()
    }
}

impl Drop for SecondFactor<'_> {
    fn drop(&mut self) {
        let script =
            "pid=$(cat /run/second-factor.pid); pkill -9 -P \"$pid\"; kill \"$pid\"; usermod -p '*' dev";
        self.0.bed(&["vps", "sh", "-c", script]);
    }
}

#[test]
fn is_asked_once_and_the_sync_shares_the_connection() {
    let lab = Lab::new();
    let factor = SecondFactor::on(&lab);
    let root = lab.project("app", 5);
    // With nobody to ask it is refused, with the next step.
    let run = lab.sandbox.sinc_in(&root, &["--no-attach"]).exits(76);
    assert!(run.stderr.contains("host `strict` refuses the login"), "{run}");
    assert!(run.stderr.contains("Permission denied (keyboard-interactive)"), "{run}");
    assert!(run.stderr.contains("hint: try `ssh ssh://vps:2222`"), "{run}");

    let before = factor.logins();
    let terminal = Terminal::sinc(&lab.sandbox, &root, &[]);
    terminal.wait_for("Password:", PATIENCE);
    terminal.type_line(CODE);
    terminal.wait_for("agent ready", PATIENCE);
    assert_eq!(lab.on_host("ls ~/workspace/app/src/*/* | wc -l").trim(), "5");
    std::fs::write(root.join("note"), "from here").unwrap();
    lab.wait_for_remote("~/workspace/app/note", "from here");
    lab.on_host("echo from there > ~/workspace/app/answer");
    lab.wait_for_local(&root.join("answer"), "from there");
    terminal.type_keys(&["C-b", "d"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
    let said = terminal.history();
    assert_eq!(said.matches("Password:").count(), 1, "{said}");
    let shares = "warning: this host asks a person at each login: the sync shares this connection, and stops when it is cut";
    assert!(said.contains(shares), "{said}");
    assert!(!said.contains(CODE), "{said}");
    assert_eq!(factor.logins() - before, 1, "one login for the scripts, the terminal and the sync");
    drop(terminal);

    // Over the connection that is there nothing is asked, also where nobody could answer.
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    assert_eq!(factor.logins() - before, 1);

    // The line is cut: the sync stops.
    factor.break_connections();
    wait_until("the sync has noticed", PATIENCE, || !lab.sync_status().contains("atching"));
    std::fs::write(root.join("note"), "written meanwhile").unwrap();
    let run = lab.sandbox.sinc_in(&root, &["status"]);
    assert!(!run.stdout.contains("sync      synced"), "{run}");
    // Asked once more, and all goes on.
    let terminal = Terminal::sinc(&lab.sandbox, &root, &[]);
    terminal.wait_for("Password:", PATIENCE);
    terminal.type_line(CODE);
    terminal.wait_for("agent ready", PATIENCE);
    // Mutagen tries again every 15 s by itself.
    lab.wait_for_remote("~/workspace/app/note", "written meanwhile");
    assert_eq!(factor.logins() - before, 2);
    terminal.type_keys(&["C-b", "d"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
}

#[test]
fn a_wrong_answer_is_refused_by_the_host_and_nothing_is_made() {
    let lab = Lab::new();
    let _factor = SecondFactor::on(&lab);
    let root = lab.project("app", 1);
    let terminal = Terminal::sinc(&lab.sandbox, &root, &["--no-attach"]);
    for time in 1..=3 {
        terminal.wait(&format!("asked for the {time}. time"), PATIENCE, |screen| {
            screen.matches("Password:").count() == time
        });
        terminal.type_line("wrong");
    }
    assert_eq!(terminal.wait_exit(PATIENCE), 76, "{}", terminal.history());
    assert!(terminal.history().contains("host `strict` refuses the login"), "{}", terminal.history());
    assert_eq!(lab.on_host("ls ~/workspace 2>/dev/null | wc -l").trim(), "0");
}
