//! The terminal that a person sits in, and what ssh asks in it.

use std::time::Duration;

use crate::steps;
use crate::support::e2e::Bed;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};

/// An agent that shows what a terminal can do.
const COLOURFUL: &str = "#!/bin/sh\necho \"agent ready $COLORTERM\"\n\
    printf '\\033[38;2;1;2;3mtruly\\033[0m colourful: \\303\\251 \\346\\227\\245\\346\\234\\254 \\342\\234\\223\\n'\nexec cat\n";

#[test]
fn unicode_and_every_colour_arrive_whatever_the_terminal_is_called() {
    for term in ["xterm-256color", "xterm-ghostty", "xterm-kitty", "no-such-terminal"] {
        let Some(mut bed) = Bed::new() else { return };
        bed.host.add_program("opencode", COLOURFUL).unwrap();
        bed.sandbox.set("TERM", term);
        // Nor does the locale have to be there.
        bed.sandbox.set("LANG", "C");
        let project = bed.project("app", &[("a", "1")]);
        let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
        terminal.wait_for("truly colourful: é 日本 ✓", PATIENCE);
        terminal.wait_for("agent ready truecolor", PATIENCE);
        let colours = terminal.screen_with_colours();
        assert!(colours.contains("\u{1b}[38;2;1;2;3mtruly"), "{term}: {colours:?}");
        terminal.type_text("ü→日");
        terminal.wait_for("ü→日", PATIENCE);
        let size = steps::tmux_there(&bed, &["list-clients", "-F", "#{client_width} #{client_height}"]);
        assert_eq!(size.stdout, "100 30\n");
        terminal.resize(80, 20);
        wait_until("the size follows", PATIENCE, || {
            steps::tmux_there(&bed, &["list-clients", "-F", "#{client_width} #{client_height}"]).stdout
                == "80 20\n"
        });
        steps::detach(terminal);
    }
}

#[test]
fn inside_a_local_tmux_is_said_once() {
    let Some(mut bed) = Bed::new() else { return };
    bed.sandbox.set("TMUX", "/tmp/nowhere,1,0");
    let project = bed.project("app", &[("a", "1")]);
    let hint = "you are inside a tmux here";
    let run = steps::connect(&bed.sandbox, &project);
    assert!(!run.stderr.contains(hint), "nothing is attached: {run}");
    let words = ["sh", "-c", "\"$0\" 2>err.$$; mv err.$$ said", env!("CARGO_BIN_EXE_sinc")];
    for (time, told) in [(1, true), (2, false)] {
        let terminal = Terminal::open(&bed.sandbox, &project, &words);
        terminal.wait_for("agent ready", PATIENCE);
        steps::detach(terminal);
        let said = steps::read(&project.join("said"));
        assert_eq!(said.contains(hint), told, "time {time}: {said}");
    }
}

#[test]
fn the_persons_own_tmux_is_left_as_it_was() {
    let Some(bed) = Bed::new() else { return };
    let config = "set -g status-left MINE\nset -g base-index 5\nset -g pane-base-index 3\nset -g destroy-unattached on\n\
                  set -g remain-on-exit on\nset -g default-terminal screen-256color\nset -g prefix C-a\nset -s escape-time 77\n\
                  set -g default-command 'cat'\nset -g mouse on\nbind X kill-server\n";
    steps::write(&bed.host.remote_home().join(".tmux.conf"), config);
    bed.sandbox
        .run(
            "ssh",
            &[
                "demo",
                "tmux new-session -d -s mine 'sleep 1000' \\; set-option -t mine destroy-unattached off",
            ],
        )
        .success();
    let all = |bed: &Bed| -> String {
        [
            &["show-options", "-g"][..],
            &["show-options", "-s"],
            &["show-options", "-gw"],
            &["list-keys"],
            &["show-hooks", "-g"],
            &["show-options", "-t", "=mine:"],
            &["show-environment", "-g"],
        ]
        .iter()
        .map(|words| steps::tmux_there(bed, words).success().stdout)
        .collect()
    };
    let before = all(&bed);
    assert!(before.contains("MINE"), "{before}");
    let project = bed.project("app", &[("a", "1")]);
    let terminal = steps::attach(&bed.sandbox, &project);
    assert_eq!(all(&bed), before);
    // It is one of the person's sessions, with their own keys.
    let id = steps::session_id(&bed.sandbox);
    assert_eq!(steps::sessions_there(&bed), ["mine".to_owned(), id.clone()]);
    terminal.type_keys(&["C-a", "d"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
    assert_eq!(steps::sessions_there(&bed), ["mine".to_owned(), id], "the agent outlives the terminal");
    assert_eq!(all(&bed), before);
}

#[test]
fn the_status_line_shows_the_whole_name_of_the_session() {
    let Some(bed) = Bed::new() else { return };
    let name = "a-long-name-of-a-project";
    let project = bed.project(name, &[("a", "1")]);
    let terminal = steps::attach(&bed.sandbox, &project);
    let id = steps::session_id(&bed.sandbox);
    assert!(id.len() > 30, "{id}");
    terminal.wait_for(&format!("[{id}]"), PATIENCE);
    steps::detach(terminal);
    // The person's own sessions keep the length that they had, and who wants more has more.
    let length = |session: &str| {
        let words = ["show-options", "-A", "-v", "-t", session, "status-left-length"];
        steps::tmux_there(&bed, &words).success().stdout
    };
    assert_eq!(length(&format!("={id}:")), "60\n");
    steps::tmux_there(&bed, &["new-session", "-d", "-s", "mine", "sleep 1000"]).success();
    assert_eq!(length("=mine:"), "10\n");
    steps::tmux_there(&bed, &["set-option", "-g", "status-left-length", "123"]).success();
    let other = bed.project("other", &[("a", "1")]);
    steps::connect(&bed.sandbox, &other);
    let id = steps::sessions_there(&bed).into_iter().find(|id| id.starts_with("sinc-other-"));
    assert_eq!(length(&format!("={}:", id.expect("it is there"))), "123\n");
}

#[test]
fn a_session_is_attached_to_from_anywhere() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let id = steps::session_id(&bed.sandbox);
    let elsewhere = bed.sandbox.project("else/where");
    let terminal = Terminal::sinc(&bed.sandbox, &elsewhere, &["attach", &id]);
    terminal.wait_for("agent ready", PATIENCE);
    steps::detach(terminal);
    // Without an id: this directory's.
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["attach"]);
    terminal.wait_for("agent ready", PATIENCE);
    // Its sync is not touched.
    steps::mutagen(&bed.sandbox, &["sync", "pause", "--all"]).success();
    steps::detach(terminal);
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["attach"]);
    terminal.wait_for("agent ready", PATIENCE);
    assert_eq!(steps::syncs(&bed.sandbox)[0]["paused"], true);
    steps::detach(terminal);

    let unknown = Terminal::sinc(&bed.sandbox, &elsewhere, &["attach"]);
    assert_eq!(unknown.wait_exit(PATIENCE), 1);
    assert!(unknown.history().contains("this directory has no session"), "{}", unknown.history());
    // A prefix is not an id.
    let prefix = Terminal::sinc(&bed.sandbox, &elsewhere, &["attach", &id[..id.len() - 2]]);
    assert_eq!(prefix.wait_exit(PATIENCE), 95, "{}", prefix.history());
    let missing = Terminal::sinc(&bed.sandbox, &elsewhere, &["attach", "sinc-gone-123456"]);
    assert_eq!(missing.wait_exit(PATIENCE), 95, "{}", missing.history());
    assert!(
        missing.history().contains("there is no session sinc-gone-123456 on this host"),
        "{}",
        missing.history()
    );
    let run = bed.sandbox.sinc_in(&project, &["attach"]).exits(1);
    assert!(run.stderr.contains("there is no terminal to attach"), "{run}");
}

#[test]
fn ctrl_c_leaves_a_terminal_in_order() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    let stopped = bed.host.dir().join("stopped");
    steps::before_each(
        &bed,
        "ssh",
        &format!("[ -e {0} ] || {{ touch {0}; exec sleep 600; }}", stopped.display()),
    );
    let words = [
        "sh",
        "-c",
        "trap : INT; stty -a >before; \"$0\"; echo code $?; stty -a >after; echo end; cat",
        env!("CARGO_BIN_EXE_sinc"),
    ];
    let terminal = Terminal::open(&bed.sandbox, &project, &words);
    wait_until("ssh connects", PATIENCE, || stopped.exists());
    terminal.type_keys(&["C-c"]);
    terminal.wait_for("code 130", PATIENCE);
    terminal.wait_for("\nend\n", PATIENCE);
    assert_eq!(steps::read(&project.join("after")), steps::read(&project.join("before")));
    assert!(!terminal.history().contains("error:"), "{}", terminal.history());
    assert_eq!(terminal.cursor(), "1", "the cursor is to be seen");
    // In the first cycle, under its live line.
    steps::write(&project.join("big"), &"0123456789abcdef".repeat(6 << 16));
    let wrapper = format!(
        "#!/bin/sh\ncase $* in *monitor*) exec sleep 600;; esac\nexec {} \"$@\"\n",
        steps::real_mutagen()
    );
    steps::write(&bed.host.bin().join("mutagen"), &wrapper);
    steps::set_mode(&bed.host.bin().join("mutagen"), 0o755);
    let terminal = Terminal::open(&bed.sandbox, &project, &words);
    terminal.wait_for("Syncing", PATIENCE);
    wait_until("the sync is made", PATIENCE, || !steps::syncs(&bed.sandbox).is_empty());
    terminal.type_keys(&["C-c"]);
    terminal.wait_for("code 130", PATIENCE);
    terminal.wait_for("\nend\n", PATIENCE);
    assert_eq!(steps::read(&project.join("after")), steps::read(&project.join("before")));
    assert_eq!(terminal.cursor(), "1", "the cursor is to be seen");
    std::fs::remove_file(bed.host.bin().join("mutagen")).unwrap();
    drop(terminal);
    steps::attach(&bed.sandbox, &project);
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
}

#[test]
fn an_unknown_host_key_is_asked_about_once() {
    let Some(bed) = Bed::new() else { return };
    let known = steps::read(&bed.host.known_hosts());
    std::fs::write(bed.host.known_hosts(), "").unwrap();
    let project = bed.project("app", &[("a", "1")]);
    // With nobody to ask it is refused.
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(76);
    assert!(run.stderr.contains("the key of host `box` is not known"), "{run}");
    assert!(run.stderr.contains("hint: run `sinc` on a terminal"), "{run}");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    terminal.wait_for("Are you sure you want to continue connecting", PATIENCE);
    terminal.type_line("yes");
    terminal.wait_for("agent ready", PATIENCE);
    let key = known.split(' ').nth(2).unwrap().trim();
    assert!(steps::read(&bed.host.known_hosts()).contains(key));
    steps::write(&project.join("a"), "2");
    steps::wait_text(&steps::there(&bed, "app").join("a"), "2");
    // And "no" is an answer too.
    steps::end_shared_connection(&bed);
    std::fs::write(bed.host.known_hosts(), "").unwrap();
    let other = bed.project("other", &[("a", "1")]);
    let terminal = Terminal::sinc(&bed.sandbox, &other, &[]);
    terminal.wait_for("Are you sure you want to continue connecting", PATIENCE);
    terminal.type_line("no");
    assert_eq!(terminal.wait_exit(PATIENCE), 76, "{}", terminal.history());
}

#[test]
fn a_key_with_a_passphrase_is_asked_for_once_and_the_sync_shares_the_connection() {
    let Some(bed) = Bed::new() else { return };
    let key = bed.host.dir().join("keys/client");
    bed.sandbox
        .run("ssh-keygen", &["-q", "-p", "-P", "", "-N", "open sesame", "-f", key.to_str().unwrap()])
        .success();
    let project = bed.project("app", &[("a", "1")]);
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(76);
    assert!(run.stderr.contains("refuses the login"), "{run}");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    terminal.wait_for("Enter passphrase for key", PATIENCE);
    terminal.type_line("open sesame");
    terminal.wait_for("agent ready", PATIENCE);
    steps::write(&project.join("a"), "2");
    steps::wait_text(&steps::there(&bed, "app").join("a"), "2");
    // tmux gives the screen back as it was.
    terminal.type_keys(&["C-b", "d"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
    let history = terminal.history();
    assert_eq!(history.matches("Enter passphrase").count(), 1, "{history}");
    assert!(history.contains("the sync shares this connection"), "{history}");
    drop(terminal);
    // Again, over the connection that is still there: nothing is asked.
    let terminal = steps::attach(&bed.sandbox, &project);
    assert!(!terminal.history().contains("passphrase"), "{}", terminal.history());
    steps::detach(terminal);
    // After a cut it is asked once more, and the sync goes on.
    steps::end_shared_connection(&bed);
    bed.host.break_connections().unwrap();
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    terminal.wait_for("Enter passphrase for key", PATIENCE);
    terminal.type_line("open sesame");
    terminal.wait_for("agent ready", PATIENCE);
    steps::write(&project.join("a"), "3");
    steps::wait_text_within(&steps::there(&bed, "app").join("a"), "3", Duration::from_secs(40));
}
