//! The login shells that an account on a host may have, and what its rc files do.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use sinc::config::Destination;
use sinc::demo::Options;
use sinc::project::SessionId;
use sinc::session::terminal::et_cmd;

use crate::steps;
use crate::support::PATIENCE;
use crate::support::e2e::Bed;
use crate::support::terminal::Terminal;
use crate::support::wait_until;

/// One test for each login shell.
macro_rules! login_shells {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            super::runs_the_agent_and_then_a_shell(stringify!($name));
        })*
    };
}

mod login_shell {
    login_shells! { bash dash zsh fish tcsh }
}

/// What sinc notes about the session's pane.
fn pane(bed: &Bed, format: &str) -> String {
    steps::tmux_there(bed, &["list-panes", "-a", "-F", format]).stdout.trim_end().to_owned()
}

/// With an rc file that prints, an agent that only the login shell's PATH has, a name that needs quotes, and an
/// agent that ends.
fn runs_the_agent_and_then_a_shell(shell: &str) {
    let options = Options { rc: Some("echo noise from the rc file\n".to_owned()), ..Options::default() };
    let Some(bed) = Bed::with_shell(shell, options) else { return };
    let agent = "#!/bin/sh\npwd >~/where\necho 'agent ready'\nread -r line\n\
         echo \"bye $line\"; exit 3\n";
    bed.host.add_program("opencode", agent).unwrap();
    let name = "it's $(touch pwn) !x";
    let project = bed.project(name, &[("file", "1")]);
    let terminal = steps::attach(&bed.sandbox, &project);
    let there = steps::there(&bed, name);
    assert_eq!(steps::read(&there.join("file")), "1");
    steps::wait_text(&bed.host.remote_home().join("where"), &format!("{}\n", there.display()));
    assert_eq!(pane(&bed, "#{@sinc-agent}|#{@sinc-ended}"), "opencode|");
    terminal.type_line("now");
    terminal.wait_for("bye now", PATIENCE);
    wait_until("its end is noted", PATIENCE, || {
        pane(&bed, "#{@sinc-agent}|#{@sinc-ended}") == "opencode|yes"
    });
    // A shell of the same kind is in its place, in the same directory, and it can run the agent again.
    terminal.type_line("pwd >~/shell-where");
    steps::wait_text(&bed.host.remote_home().join("shell-where"), &format!("{}\n", there.display()));
    wait_until("a shell is in its place", PATIENCE, || {
        pane(&bed, "#{pane_current_command}").trim_start_matches('-') == shell
    });
    std::fs::remove_file(bed.host.remote_home().join("where")).unwrap();
    terminal.type_line("opencode");
    // fish throws away what is typed too soon.
    steps::wait_text(&bed.host.remote_home().join("where"), &format!("{}\n", there.display()));
    terminal.type_line("again");
    terminal.wait_for("bye again", PATIENCE);
    terminal.type_line("exit");
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
    assert_eq!(steps::sessions_there(&bed), Vec::<String>::new());
    assert!(!there.join("pwn").exists() && !bed.host.remote_home().join("pwn").exists());
    // The next one makes it again, with one ssh.
    let terminal = steps::attach(&bed.sandbox, &project);
    // A shell with job control: Ctrl-C ends the agent, and the shell is there.
    terminal.type_keys(&["C-c"]);
    let noted = crate::support::poll(PATIENCE, || pane(&bed, "#{@sinc-ended}") == "yes");
    assert!(noted, "{}", terminal.history());
    terminal.type_line("pwd >~/after");
    steps::wait_text(&bed.host.remote_home().join("after"), &format!("{}\n", there.display()));
    // And a program in it is ended by Ctrl-C, not the shell.
    terminal.type_line("touch ~/sleeps; sleep 100");
    wait_until("it sleeps", PATIENCE, || pane(&bed, "#{pane_current_command}") == "sleep");
    terminal.type_keys(&["C-c"]);
    terminal.type_line("touch ~/woken");
    wait_until("it is awake", PATIENCE, || bed.host.remote_home().join("woken").exists());
}

#[test]
fn an_agent_that_only_an_interactive_shell_finds() {
    // At the end of ~/.bashrc, where installers put it, behind the line that sends other shells away.
    let rc = "case $- in *i*) ;; *) return;; esac\nPATH=\"$HOME/hidden/bin:$PATH\"\n".to_owned();
    let Some(bed) = Bed::with_shell("bash", Options { rc: Some(rc), ..Options::default() }) else { return };
    let home = bed.host.remote_home();
    let profile = home.join(".profile");
    let text = steps::read(&profile);
    steps::write(&profile, &format!("{text}if [ -n \"$BASH_VERSION\" ]; then . \"$HOME/.bashrc\"; fi\n"));
    let found = home.join(".local/bin/opencode");
    std::fs::create_dir_all(home.join("hidden/bin")).unwrap();
    std::fs::rename(found, home.join("hidden/bin/opencode")).unwrap();
    let missing = bed.sandbox.run("ssh", &["demo", "command -v opencode"]);
    assert_ne!(missing.code, 0, "{missing}");
    let project = bed.project("app", &[("a", "1")]);
    steps::attach(&bed.sandbox, &project);
}

#[test]
fn an_agent_that_is_missing_leaves_its_install_command_and_a_shell() {
    for shell in ["bash", "zsh", "fish", "tcsh", "dash"] {
        let Some(bed) = Bed::with_shell(shell, Options::default()) else { return };
        std::fs::remove_file(bed.host.remote_home().join(".local/bin/opencode")).unwrap();
        let project = bed.project("app", &[("a", "1")]);
        let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
        terminal.wait_for("sinc: opencode is not installed on this host", PATIENCE);
        assert!(
            terminal.screen().contains("    npm install -g --allow-scripts=opencode-ai opencode-ai@1\n"),
            "{}",
            terminal.screen()
        );
        terminal.type_line("pwd >~/shell-where");
        let there = steps::there(&bed, "app");
        steps::wait_text(&bed.host.remote_home().join("shell-where"), &format!("{}\n", there.display()));
        wait_until("a shell is in its place", PATIENCE, || {
            pane(&bed, "#{pane_current_command}").trim_start_matches('-') == shell
        });
        let status = bed.sandbox.sinc_in(&project, &["status"]).success();
        assert!(status.stdout.contains("opencode was not installed when its terminal began"), "{status}");
    }
}

#[test]
fn an_agent_of_ones_own_may_be_an_alias() {
    let rc = "alias mine='echo agent ready; cat'\n".to_owned();
    let Some(bed) = Bed::with_shell("zsh", Options::default()) else { return };
    steps::write(&bed.host.remote_home().join(".zshrc"), &rc);
    bed.sandbox.configure_also("agent = \"m\"\n[agent.m]\ncommand = \"mine\"\n");
    let project = bed.project("app", &[("a", "1")]);
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.type_line("echo");
    terminal.wait_for("echo", PATIENCE);
    assert_eq!(pane(&bed, "#{@sinc-agent}"), "m");
}

#[test]
fn the_agent_of_the_command_line_counts_for_a_new_session() {
    let Some(bed) = Bed::new() else { return };
    bed.host.add_program("claude", "#!/bin/sh\necho claude here\nexec cat\n").unwrap();
    let project = bed.project("app", &[("a", "1")]);
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["--agent", "claude"]);
    terminal.wait_for("claude here", PATIENCE);
    assert_eq!(pane(&bed, "#{@sinc-agent}"), "claude");
}

/// A login shell on the host, into which what `et` is given is typed, as `et` does it.
fn typed_by_et<'a>(bed: &'a Bed, id: &str) -> Terminal<'a> {
    let cmd = et_cmd(&SessionId::parse(id).unwrap(), &Destination::parse(bed.host.alias()).unwrap(), "dev");
    let words: Vec<_> = cmd.arguments().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let at = words.iter().position(|word| word == "-c").unwrap();
    let terminal = Terminal::open(&bed.sandbox, &bed.sandbox.home(), &["ssh", bed.host.alias()]);
    terminal.wait("a prompt", PATIENCE, |screen| !screen.trim().is_empty());
    terminal.type_line(&format!("{}; exit", words[at + 1]));
    terminal
}

#[test]
fn what_eternal_terminal_types_attaches_in_every_login_shell() {
    for shell in ["bash", "dash", "zsh", "fish", "tcsh"] {
        let Some(bed) = Bed::with_shell(shell, Options::default()) else { return };
        steps::connect(&bed.sandbox, &bed.project("app", &[("a", "1")]));
        let id = steps::session_id(&bed.sandbox);
        let terminal = typed_by_et(&bed, &id);
        terminal.wait_for("agent ready", PATIENCE);
        // Another session whose name begins like this one's is never meant.
        let longer = format!("{id}-2");
        drop(steps::tmux_there(&bed, &["new-session", "-d", "-s", &longer, "sleep 60"]).success());
        drop(steps::tmux_there(&bed, &["kill-session", "-t", &format!("={id}")]).success());
        assert_eq!(terminal.wait_exit(PATIENCE), 0, "{shell}");
        let terminal = typed_by_et(&bed, &id);
        assert_ne!(terminal.wait_exit(PATIENCE), 0, "{shell}");
        assert!(terminal.history().contains("can't find session"), "{shell}: {}", terminal.history());
    }
}
