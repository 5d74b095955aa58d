//! A host with tmux 3.0: nothing that came later is used there.

use std::path::Path;

use sinc::demo::Options;

use crate::steps;
use crate::support::e2e::Bed;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};

/// A stand-in that says that it is 3.0, refuses as that does what came with 3.1 and 3.2 (`new-session -e`, `-T`,
/// `display-message -d`), and hands everything else to the real one.
const TMUX_30: &str = "#!/bin/sh
case \" $* \" in
*' -V '*) echo 'tmux 3.0a'; exit ;;
*' -T '*) echo 'usage: tmux [-2CluvV] [-c shell-command] [-f file] [-L socket-name]' >&2; exit 1 ;;
*' new-session '*' -e '*) echo 'usage: new-session [-AdDEPX] [-c start-directory] [-F format]' >&2; exit 1 ;;
*' display-message -d '*) echo 'usage: display-message [-aIpv] [-c target-client] [-F format]' >&2; exit 1 ;;
esac
echo \"$*\" >>\"$HOME/old/calls\"
exec REAL \"$@\"
";

/// The part of the calls that went through the stand-in.
#[track_caller]
fn through(home: &Path) -> String {
    std::fs::read_to_string(home.join("old/calls")).unwrap_or_default()
}

#[test]
fn a_session_on_it_is_made_attached_to_and_ended() {
    let rc = "PATH=\"$HOME/old:$PATH\"\n";
    let options = Options { rc: Some(rc.to_owned()), ..Options::default() };
    let Some(bed) = Bed::with_shell("bash", options) else { return };
    let home = bed.host.remote_home();
    let real = which::which("tmux").expect("the bed has one");
    steps::write(&home.join("old/tmux"), &TMUX_30.replace("REAL", &real.display().to_string()));
    steps::set_mode(&home.join("old/tmux"), 0o755);
    let says = bed.sandbox.run("ssh", &["demo", "tmux -V"]).success();
    assert_eq!(says.stdout, "tmux 3.0a\n");
    bed.host.add_program("opencode", "#!/bin/sh\necho \"agent ready <$COLORTERM>\"\nexec cat\n").unwrap();
    let project = bed.project("app", &[("a", "1")]);
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    terminal.wait_for("agent ready <truecolor>", PATIENCE);
    assert!(through(&home).contains("new-session -d"), "{}", through(&home));
    assert!(through(&home).contains("attach-session"), "{}", through(&home));
    steps::detach(terminal);
    let status = bed.sandbox.sinc_in(&project, &["status", "--json"]).success();
    assert!(status.stdout.contains("\"running\""), "{status}");
    // A message inside the session, shown without the option that 3.0 does not know.
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("sinc: the sync was paused; it goes on", PATIENCE);
    // The agent ends, a shell takes its place, and that is known.
    terminal.type_keys(&["C-d"]);
    wait_until("the agent has ended", PATIENCE, || {
        bed.sandbox.sinc_in(&project, &["status", "--cached"]).stdout.contains("opencode ended")
    });
    steps::detach(terminal);
    steps::wait_until_nobody_looks_after(&bed);
    bed.sandbox.sinc_in(&project, &["kill"]).success();
    assert_eq!(steps::sessions_there(&bed), Vec::<String>::new());
    assert!(through(&home).contains("kill-session"), "{}", through(&home));
}

/// A computer whose host has lost its tmux, or never had one.
#[track_caller]
fn without_tmux(rc: &str) -> Option<Bed> {
    let options = Options { rc: Some(rc.to_owned()), ..Options::default() };
    Bed::with_shell("bash", options)
}

#[test]
fn a_host_without_tmux_is_told_what_to_install() {
    // The directory comes first on PATH, and is the whole of it once the file is there.
    let rc = "if [ -e \"$HOME/no-tmux\" ]; then PATH=\"$HOME/bare\"; fi\n";
    let Some(bed) = without_tmux(rc) else { return };
    let home = bed.host.remote_home();
    std::fs::create_dir(home.join("bare")).unwrap();
    let bin = std::collections::BTreeMap::from(
        [
            "sh", "bash", "find", "grep", "sed", "df", "tail", "head", "mkdir", "mv", "rm", "ln", "sync",
            "date", "cat",
        ]
        .map(|name| (name, which::which(name).expect("the test's own machine has it"))),
    );
    for (name, program) in &bin {
        std::os::unix::fs::symlink(program, home.join("bare").join(name)).unwrap();
    }
    steps::write(&home.join("no-tmux"), "");
    let project = bed.project("app", &[("a", "1")]);
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]);
    assert_ne!(run.code, 0, "{run}");
    assert!(run.stderr.contains("tmux is not installed on") && run.stderr.contains("install tmux"), "{run}");
    // One that had it, and a session: the attach itself says so.
    std::fs::remove_file(home.join("no-tmux")).unwrap();
    steps::connect(&bed.sandbox, &project);
    steps::write(&home.join("no-tmux"), "");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    assert_eq!(terminal.wait_exit(PATIENCE), 92, "{}", terminal.screen());
    assert!(terminal.screen().contains("tmux is not installed on this host"), "{}", terminal.screen());
}
