//! Far away, over IPv4, IPv6 and a jump host.

use super::lab::Lab;
use super::support::PATIENCE;
use super::support::terminal::Terminal;

#[test]
fn at_200_ms_a_new_project_is_there_and_the_agent_runs_in_it() {
    let lab = Lab::new();
    lab.bed(&["latency", "200", "10"]);
    let root = lab.project("app", 500);
    let terminal = Terminal::sinc(&lab.sandbox, &root, &[]);
    terminal.wait_for("agent ready", PATIENCE * 2);
    assert_eq!(lab.on_host("ls ~/workspace/app/src/*/* | wc -l").trim(), "500");
    terminal.type_keys(&["C-b", "d"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);

    // And back, with one ssh.
    let again = Terminal::sinc(&lab.sandbox, &root, &[]);
    again.wait_for("agent ready", PATIENCE);
    std::fs::write(root.join("note"), "from here").unwrap();
    lab.wait_for_remote("~/workspace/app/note", "from here");
    lab.on_host("echo from there > ~/workspace/app/answer");
    lab.wait_for_local(&root.join("answer"), "from there");
}

#[test]
fn an_ipv6_address_and_a_jump_host_work_for_ssh_and_for_mutagen() {
    let lab = Lab::new();
    for host in ["six", "jump"] {
        let root = lab.project(&format!("by-{host}"), 3);
        lab.sandbox.sinc_in(&root, &["--host", host, "--no-attach"]).success();
        lab.on_host(&format!("echo there > ~/workspace/by-{host}/answer"));
        lab.wait_for_local(&root.join("answer"), "there");
    }
}

#[test]
fn a_workspace_that_the_login_may_not_write_in_is_named_with_its_own_exit_code() {
    let lab = Lab::new();
    let root = lab.project("app", 1);
    let file = lab.sandbox.home().join(".config/sinc/config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("[host.vps]\n", "[host.vps]\nworkspace = \"/root/work\"\n");
    std::fs::write(&file, text).unwrap();
    let run = lab.sandbox.sinc_in(&root, &["--no-attach"]).exits(77);
    assert!(run.stderr.contains("cannot make /root/work"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: choose a directory that the login may write in"), "{}", run.stderr);
}
