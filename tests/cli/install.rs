//! `sinc install` and `sinc uninstall` as a person sees them: a stand-in of ssh gives the answers of hosts.

use crate::support::fakes::{Answer, Fakes};
use crate::support::sandbox::Sandbox;

/// The answer that a host gives to a look, from the golden files of the plans.
pub(crate) fn facts(case: &str) -> String {
    let file =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/plans/{case}.facts"));
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

/// A host that says `before` to every look until the work is done, and `after` from then on; `events` are the work's.
pub(crate) fn host(before: &str, events: &str, after: &str) -> (Sandbox, Fakes) {
    let sandbox = Sandbox::new();
    sandbox.configure("[host.box]\ndestination = \"dev@203.0.113.7\"\n");
    let fakes = Fakes::install(&sandbox, &["ssh"]);
    // A run is `r-1` here for short.
    let events = &events.replace("r-1", "20261126T120000Z-1");
    for (name, text) in [("before", before), ("events", events), ("after", after)] {
        sandbox.write(format!("answers/{name}"), text);
    }
    let script = r#"
        cd "$HOME/answers"; program=$(cat); echo "sinc-begin 1"
        case $program in
        *"
show_log "*) echo "apt says something" ;;
        *"
start_run '"*) touch done; cat events ;;
        *"
watch_run "*) touch done; cat events ;;
        *"
guard_confirm "*) echo "guard $(cat guard 2>/dev/null || echo confirmed)" ;;
        *) if [ -e done ]; then cat after; else cat before; fi ;;
        esac
    "#;
    fakes.on("ssh *", Answer { script: Some(script.to_owned()), ..Answer::default() });
    (sandbox, fakes)
}

const WORKED: &str = "run 20261126T120000Z-1\nlog /var/lib/sinc/runs/20261126T120000Z-1/log\nstart base 0\n\
    wait base the package manager is busy: unattended-upgr (process 812)\nok base 0 4100\nstart base 1\nok base 1 12\n\
    start node 0\nok node 0 21700\nstart node 1\nok node 1 4400\nstart node 2\nok node 2 2200\nstart opencode 0\n\
    ok opencode 0 7200\nstart ufw 0\nok ufw 0 2000\nstart ufw 1\nok ufw 1 500\nstart ufw 2\nok ufw 2 600\nguard armed 17 firewall\nend\n";

/// A host on which all is as it should be, but for what these lines of facts say.
fn all_done(login: &str, instead: &[(&str, &str)]) -> String {
    let mut text = facts("debian-12-done").replace("login root\nrights root", login);
    for (line, new) in instead {
        assert!(text.contains(line), "{line}");
        text = text.replace(line, new);
    }
    text
}

const SUDO: &str = "login dev\nrights sudo";

#[test]
fn what_would_change_is_shown_and_nothing_is_done() {
    let (sandbox, fakes) = host(
        &facts("debian-12-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0"),
        "",
        "",
    );
    insta::assert_snapshot!(
        "install-check",
        sandbox.sinc(&["install", "--tier", "minimal", "--check"]).exits(1).snapshot()
    );
    let dry = sandbox.sinc(&["install", "--tier", "minimal", "--dry-run"]).success();
    assert!(dry.stdout.contains("+ install nodejs and npm"), "{dry}");
    // The script itself, with its words.
    let verbose = sandbox.sinc(&["install", "--tier", "minimal", "--check", "-v"]).exits(1);
    assert!(verbose.stdout.contains("apt_install nodejs npm\n"), "{verbose}");
    // What it calls, once, with what that calls.
    for name in ["apt_install", "packages_note", "packages_new", "record_lines"] {
        assert_eq!(verbose.stdout.matches(&format!("| {name}() {{")).count(), 1, "{name}: {verbose}");
    }
    let json =
        sandbox.sinc(&["install", "--tier", "minimal", "--check", "--json", "--without", "et"]).exits(1);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let components = json["data"]["components"].as_array().unwrap();
    let names: Vec<&str> = components.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["base", "node", "opencode", "ufw"]);
    assert_eq!(components[3]["state"], "would-change");
    assert_eq!(components[3]["steps"][2]["does"], "ufw_enable 22");
    assert!(!fakes.transcript().contains("start_run '"), "something was done");
}

#[test]
fn all_is_asked_in_one_round_trip() {
    let user =
        |case: &str| facts(case).replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0");
    for (tier, before, of_the_last) in [
        ("minimal", user("debian-12-fresh"), "probe ufw 2 "),
        ("full", user("full-fresh"), "probe lunaroute 6 "),
    ] {
        let (sandbox, fakes) = host(&before, "", "");
        for (nth, look) in ["--dry-run", "--check"].into_iter().enumerate() {
            let run = sandbox.sinc(&["install", "--tier", tier, look, "--without", "et"]);
            assert!(run.stdout.contains("  + "), "{run}");
            let transcript = fakes.transcript();
            let calls: Vec<&str> = transcript.lines().filter(|line| line.starts_with("$ ")).collect();
            assert_eq!(calls.len(), nth + 1, "{tier}: {calls:#?}");
            for probe in ["probe base 0 ", of_the_last] {
                let asked = transcript.lines().filter(|line| line.contains(&format!("< {probe}"))).count();
                assert_eq!(asked, nth + 1, "{tier}: {probe}");
            }
        }
    }
}

#[test]
fn an_older_agent_moves_with_upgrade_and_not_without() {
    let (sandbox, _fakes) = host(&facts("older-agents"), "", "");
    let args = ["install", "--tier", "custom", "--with", "claude", "--check"];
    let stays = sandbox.sinc(&args).success();
    assert!(stays.stderr.contains("everything is as it should be"), "{stays}");
    let moves = sandbox.sinc(&[&args[..], &["--upgrade"]].concat()).exits(1);
    assert!(moves.stdout.contains("2.1.197 → 2.1.330"), "{moves}");
}

#[test]
fn what_stands_in_a_persons_own_file_is_shown_nowhere() {
    const TOKEN: &str = "sk-of-a-person";
    let hex: String =
        format!("{{\"token\": \"{TOKEN}\"}}").bytes().map(|byte| format!("{byte:02x}")).collect();
    let before = facts("debian-12-fresh") + &format!("fact mine 0 - edit ={hex} 0600 dev\n");
    let (sandbox, _fakes) = host(&before, "", "");
    sandbox.write(
        ".config/sinc/components/mine.toml",
        "summary = \"mine\"\nsource = \"a test\"\npinned = \"2026-11-27\"\n[[step]]\n\
         edit = { path = \"{home}/.claude.json\", format = \"json\", set = { \"server.port\" = 4096 } }\n",
    );
    let args = ["install", "--tier", "custom", "--with", "mine", "--check"];
    for more in [&["-v"][..], &["-vv"], &["--json"], &["-vv", "--json"]] {
        let run = sandbox.sinc(&[&args[..], more].concat()).exits(1);
        assert!(run.stdout.contains("file_edit /home/dev/.claude.json 0600 dev "), "{run}");
        assert!(run.stdout.contains("server.port"), "{run}");
        let all = format!("{}{}", run.stdout, run.stderr);
        assert!(!all.contains(TOKEN) && !all.contains(&hex), "{more:?}: {run}");
        assert_eq!(run.stderr.contains("fact mine 0 - edit =*** 0600 dev"), more[0] == "-vv", "{run}");
    }
}

#[test]
fn what_is_done_is_told_step_by_step_and_looked_at_again() {
    let before =
        facts("debian-12-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0");
    let after = all_done(SUDO, &[]) + "logged-in opencode no\n";
    let (sandbox, _fakes) = host(&before, WORKED, &after);
    let run = sandbox.sinc(&["install", "--tier", "minimal", "--yes", "--without", "et"]).success();
    insta::assert_snapshot!(
        "install",
        run.snapshot().replace(&sandbox.home().display().to_string(), "$HOME")
    );
    // The host's log is here too.
    let logs = sandbox.home().join(".local/state/sinc/logs");
    let kept = std::fs::read_dir(logs).unwrap().map(|file| file.unwrap().path());
    let kept = kept.filter(|file| file.to_string_lossy().ends_with("20261126T120000Z-1.log"));
    assert_eq!(
        kept.map(|file| std::fs::read_to_string(file).unwrap()).collect::<Vec<_>>(),
        ["apt says something\n"]
    );
    insta::assert_snapshot!(
        "install-again",
        sandbox.sinc(&["install", "--tier", "minimal", "--yes", "--without", "et"]).success().snapshot()
    );
    let events = sandbox
        .sinc(&["install", "--tier", "minimal", "--check", "--json-events", "--without", "et"])
        .success();
    assert_eq!(events.stdout.lines().count(), 5, "{events}");
}

#[test]
fn every_event_is_one_object_of_json() {
    let before =
        facts("debian-12-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0");
    let (sandbox, _fakes) = host(&before, WORKED, &all_done(SUDO, &[]));
    let objects = |text: &str| -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    };
    let kinds = |of: &[serde_json::Value]| -> Vec<String> {
        of.iter().map(|it| it["event"].as_str().unwrap_or("none").to_owned()).collect()
    };
    let args = ["install", "--tier", "minimal", "--yes", "--json", "--without", "et"];
    let run = sandbox.sinc(&[&args[..], &["--json-events"]].concat()).success();
    let (stream, events) = (objects(&run.stdout), objects(&run.stderr));
    let done = events.iter().filter(|event| event["event"] == "step-done").count();
    assert_eq!(done, 9, "{run}");
    assert!(events.iter().any(|event| event["event"] == "waiting"), "{run}");

    // The same on standard output, with the plan before the work; the last line is the answer of any command.
    let plan = stream.iter().position(|it| it["event"] == "plan").unwrap_or_else(|| panic!("{run}"));
    assert_eq!(stream[plan]["data"]["components"][0]["state"], "would-change", "{run}");
    let work = stream.iter().position(|it| it["event"] == "run").unwrap_or_else(|| panic!("{run}"));
    assert!(plan < work, "{run}");
    let (answer, told) = stream.split_last().unwrap();
    assert_eq!(answer["data"]["components"][0]["state"], "changed", "{run}");
    assert_eq!((&answer["command"], &answer["ok"]), (&"install".into(), &true.into()), "{run}");
    let without_plan: Vec<String> = kinds(told).into_iter().filter(|kind| kind != "plan").collect();
    assert_eq!(without_plan, kinds(&events), "{run}");

    // With nothing to be done, too. Whoever only looks gets one object, and so it is of a failure's last line.
    let again = sandbox.sinc(&args).success();
    assert!(again.stderr.is_empty(), "{again}");
    assert_eq!(kinds(&objects(&again.stdout)), ["status", "plan", "none"], "{again}");
    for look in ["--check", "--dry-run"] {
        let run = sandbox.sinc(&[&args[..], &[look]].concat()).success();
        assert_eq!(kinds(&objects(&run.stdout)), ["none"], "{run}");
    }
}

#[test]
fn a_stream_that_cannot_go_on_ends_with_the_failure() {
    let (sandbox, _fakes) = host(&facts("debian-12-fresh"), "", "");
    let run = sandbox.sinc(&["install", "--tier", "custom", "--with", "ufw", "--json"]);
    let run = run.exits(1);
    let last: serde_json::Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["ok"], false, "{run}");
    assert!(run.stdout.lines().any(|line| line.contains(r#""event":"plan""#)), "{run}");
}

#[test]
fn without_a_terminal_and_a_key_the_tailnet_is_left_out_with_a_sentence() {
    let (mut sandbox, _fakes) = host(&facts("full-fresh"), "", "");
    let args = ["install", "--check", "--tier", "custom", "--with", "tailscale"];
    let left_out = sandbox.sinc(&args).exits(1);
    assert!(left_out.stdout.contains("+ install tailscale from"), "{left_out}");
    assert!(!left_out.stdout.contains("join the tailnet"), "{left_out}");
    insta::assert_snapshot!("install-no-tailnet", left_out.stderr);
    sandbox.set("TS_AUTHKEY", "tskey-of-a-test");
    let with_key = sandbox.sinc(&args).exits(1);
    assert!(with_key.stdout.contains("+ join the tailnet"), "{with_key}");
    let secret = "    (secret: auth key of your tailnet, from the variable TS_AUTHKEY)\n";
    assert!(with_key.stdout.contains(secret), "{with_key}");
    let json = sandbox.sinc(&[&args[..], &["--json"]].concat()).exits(1);
    assert!(!format!("{with_key}{json}").contains("tskey-of-a-test"), "{json}");
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let tailscale =
        json["data"]["components"].as_array().unwrap().iter().find(|it| it["name"] == "tailscale");
    assert_eq!(
        tailscale.unwrap()["secrets"],
        serde_json::json!([{ "what": "auth key of your tailnet", "variable": "TS_AUTHKEY", "optional": true,
            "from": "variable", "there": true }])
    );
    assert!(!with_key.stderr.contains("no tailnet yet"), "{with_key}");
}

#[test]
fn the_plan_names_the_secrets_that_are_wanted() {
    let (mut sandbox, _fakes) = host(&(facts("debian-12-done") + "fact mine 0 - file -\n"), "", "");
    let component = |optional: bool| {
        format!(
            "summary = \"mine\"\nsource = \"a test\"\npinned = \"2026-11-27\"\n[[secret]]\nname = \"key\"\n\
             variable = \"MINE_KEY\"\nprompt = \"key of mine\"\noptional = {optional}\n[[step]]\n\
             file = {{ path = \"/etc/mine\", secret = \"key\", mode = \"0600\" }}\n"
        )
    };
    let args = ["install", "--check", "--tier", "custom", "--with", "mine"];
    let tells = |sandbox: &Sandbox, what: &str| {
        let run = sandbox.sinc(&args).exits(1);
        assert!(run.stdout.contains(&format!("    (secret: key of mine, {what})\n")), "{what}: {run}");
        assert!(!run.stdout.contains("its-value"), "{run}");
    };
    sandbox.write(".config/sinc/components/mine.toml", component(false));
    tells(&sandbox, "not given: MINE_KEY, or MINE_KEY_FILE with a file's name");
    sandbox.write(".config/sinc/components/mine.toml", component(true));
    tells(&sandbox, "not given: MINE_KEY, or MINE_KEY_FILE with a file's name; it may be left out");
    let file = sandbox.home().join("key").display().to_string();
    sandbox.set("MINE_KEY_FILE", file);
    tells(&sandbox, "the file that MINE_KEY_FILE names is not there; it may be left out");
    sandbox.write("key", "its-value\n");
    tells(&sandbox, "from the file that MINE_KEY_FILE names");
    sandbox.set("MINE_KEY", "its-value");
    tells(&sandbox, "from the variable MINE_KEY");
}

#[test]
fn without_a_tier_it_is_the_standard_one() {
    let before =
        facts("full-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0");
    let (sandbox, _fakes) = host(&before, "", "");
    let check = sandbox.sinc(&["install", "--check", "--json", "--without", "et"]).exits(1);
    let json: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
    let components = json["data"]["components"].as_array().unwrap();
    let has = |name: &str| components.iter().any(|it| it["name"] == name);
    assert!(has("tailscale") && has("agent-os") && has("ufw") && !has("kimaki"), "{check}");
    // What Tailscale's own rules let in.
    let tailscale = components.iter().find(|it| it["name"] == "tailscale").unwrap();
    assert!(tailscale["opens"].to_string().contains("41641/udp to everybody"), "{check}");
}

#[test]
fn a_component_that_fails_stops_those_that_need_it_and_no_others() {
    let before =
        facts("debian-12-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0");
    let events = "run r-1\nlog /var/lib/sinc/runs/r-1/log\nstart base 0\nok base 0 4100\nstart base 1\nok base 1 12\n\
        start et 0\nfail et 0 3100 1\nwhy et the key of the repository could not be fetched: https://example.com/et.gpg\n\
        said et curl: (6) Could not resolve host: \u{1b}[2Jexample.com\nstart node 0\nfail node 0 900 1\n\
        skip opencode node\nstart ufw 0\nok ufw 0 100\nstart ufw 1\nok ufw 1 500\nstart ufw 2\nok ufw 2 600\nguard armed\nend\n";
    let after = all_done(
        SUDO,
        &[
            ("fact et 0 - apt  et=7.0.0-1", "fact et 0 - apt  et="),
            ("fact node 0 22.23.3 apt  nodejs=18.20.4 npm=9.2.0", "fact node 0 - apt  nodejs= npm="),
            ("fact opencode 0 - npm 1.18.33 1.18.33", "fact opencode 0 - npm - -"),
        ],
    );
    let (sandbox, _fakes) = host(&before, events, &after);
    insta::assert_snapshot!(
        "install-failed",
        sandbox.sinc(&["install", "--tier", "minimal", "--yes"]).exits(1).snapshot()
    );
}

#[test]
fn what_root_is_refused_is_said() {
    let as_root = facts("debian-12-as-root").replace("user dev", "user root").replace("/home/dev", "/root");
    let (sandbox, _fakes) = host(&as_root, "", "");
    let args = ["install", "--check", "--tier", "minimal", "--agent", "claude", "--as-root"];
    let note = " Claude Code refuses root `--dangerously-skip-permissions`\n";
    let run = sandbox.sinc(&args).exits(1);
    assert!(run.stderr.contains(note), "{run}");
    // A user of its own is not refused it.
    let (sandbox, _fakes) = host(&facts("debian-12-as-root"), "", "");
    let run = sandbox.sinc(&args[..args.len() - 1]).exits(1);
    assert!(!run.stderr.contains("refuses root"), "{run}");
}

#[test]
fn a_command_that_ended_well_and_did_nothing_is_a_failure() {
    let before =
        facts("debian-12-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0");
    let events = "run r-1\nlog /l\nstart base 0\nok base 0 1\nstart base 1\nok base 1 1\nend\n";
    let (sandbox, _fakes) = host(&before, events, &before);
    let run = sandbox.sinc(&["install", "--yes", "--tier", "custom", "--with", "base"]).exits(1);
    let why = "warning: base failed: its commands ended well, and this is still to be done: install ripgrep";
    assert!(run.stderr.contains(why), "{run}");
}

#[test]
fn what_goes_back_with_another_component_is_not_blamed() {
    let hardening: String = facts("hardening")
        .lines()
        .filter(|line| line.starts_with("fact "))
        .fold(String::new(), |text, line| text + line + "\n");
    let off = ("fact ufw 2 - ufw active", "fact ufw 2 - ufw inactive");
    let host_is = all_done(SUDO, &[off]) + &hardening;
    // sshd's settings fail before a login could confirm the firewall.
    let events = "run r-1\nlog /l\nstart ufw 2\nok ufw 2 600\nguard armed 17 firewall\nstart hardening 6\n\
        fail hardening 6 9 1\nwhy hardening sshd could not be told\nguard taken-back\nend\n";
    let (sandbox, _fakes) = host(&host_is, events, &host_is);
    sandbox.write("answers/guard", "changed");
    let args = ["install", "--yes", "--tier", "custom", "--with", "ufw", "--with", "hardening"];
    let run = sandbox.sinc(&args).exits(1);
    for why in [
        "warning: hardening failed: sshd could not be told",
        "warning: ufw failed: it was done, and went back when hardening failed, before a login had confirmed it",
    ] {
        assert!(run.stderr.contains(why), "{why}: {run}");
    }
}

#[test]
fn a_host_that_sinc_does_not_know_is_refused_with_all_that_is_wrong() {
    let unknown = facts("debian-12-fresh")
        .replace("os debian 12 bookworm", "os alpine 3.20.3 ?")
        .replace("Debian GNU/Linux 12 (bookworm)", "Alpine Linux v3.20")
        .replace("arch x86_64", "arch riscv64\nlacks apt-get\nlacks dpkg-query");
    let (sandbox, _fakes) = host(&unknown, "", "");
    let args = ["install", "--yes", "--tier", "custom", "--with", "base"];
    insta::assert_snapshot!("install-unknown-host", sandbox.sinc(&args).exits(1).snapshot());
    let (sandbox, _fakes) = host(&all_done(SUDO, &[("init systemd", "init other")]), "", "");
    let run = sandbox.sinc(&args).exits(1);
    assert!(
        run.stderr.contains("nothing can be put on host `box`: it was not started by systemd\n"),
        "{run}"
    );
}

#[test]
fn without_rights_what_needs_them_is_left_out_with_what_an_administrator_would_run() {
    let none = facts("no-rights").replace("fact base 0", "fact user 0 - user 1000 no no yes\nfact base 0");
    let (sandbox, _fakes) = host(&none, "", "");
    insta::assert_snapshot!(
        "install-no-rights",
        sandbox.sinc(&["install", "--tier", "minimal", "--yes"]).exits(77).snapshot()
    );
    let (sandbox, _fakes) = host(&none.replace("rights none", "rights none\nmay-sudo"), "", "");
    let run = sandbox.sinc(&["install", "--tier", "minimal", "--yes"]).exits(77);
    assert!(
        run.stderr.contains("hint: run it on a terminal: the password that sudo wants is asked there"),
        "{run}"
    );
}

#[test]
fn rights_are_not_asked_for_where_they_would_not_help() {
    let ufw = facts("debian-12-fresh")
        .lines()
        .filter(|line| line.starts_with("fact ufw "))
        .fold(String::new(), |text, line| text + line + "\n");
    let none = facts("no-rights-but-node") + &ufw;
    // Its own home directory is full.
    let full = none.replace("disk 20000", "disk 100 /home");
    assert_ne!(full, none);
    let (sandbox, _fakes) = host(&full, "", "");
    let args = ["install", "--yes", "--tier", "custom", "--with"];
    let run = sandbox.sinc(&[&args[..], &["codex"]].concat()).exits(1);
    assert!(run.stderr.contains("100 MB left") && !run.stderr.contains("NOPASSWD"), "{run}");
    // Where they would help with something else, that is said all the same.
    let run = sandbox.sinc(&[&args[..], &["codex", "--with", "ufw"]].concat()).exits(1);
    assert!(run.stderr.contains("ufw was left out: it needs") && run.stderr.contains("NOPASSWD"), "{run}");
}

#[test]
fn a_run_that_is_going_on_is_watched() {
    let before = all_done(SUDO, &[]) + "running 20261126T115900Z-7\nguard armed 17 firewall\n";
    let events = "start base 0\nok base 0 4100\nguard armed 17 firewall\nend\n";
    let (sandbox, _fakes) = host(&before, events, &all_done(SUDO, &[]));
    insta::assert_snapshot!(
        "install-watches",
        sandbox.sinc(&["install", "--tier", "minimal", "--yes", "--without", "et"]).success().snapshot()
    );
}

#[test]
fn a_wrong_word_says_what_there_is() {
    let (sandbox, _fakes) = host(&facts("debian-12-done"), "", "");
    let mut text = String::new();
    for args in [
        &["install", "--with", "emacs"][..],
        &["install", "--without", "node"],
        &["install", "--user", "Root!"],
        &["install", "--tier", "huge"],
        &["install", "--agent", "cursor"],
        &["install", "--tier", "custom", "--yes"],
        &["uninstall", "--yes", "base"],
    ] {
        let run = sandbox.sinc(args);
        assert_ne!(run.code, 0, "{run}");
        text.push_str(&format!("$ sinc {}\n{}\n", args.join(" "), run.snapshot()));
    }
    insta::assert_snapshot!("install-wrong-words", text);
}

#[test]
fn an_answer_that_is_not_understood_stops_it() {
    let (sandbox, _fakes) = host("os debian 12 bookworm\nnonsense\n", "", "");
    let run = sandbox.sinc(&["install", "--tier", "minimal", "--check"]).exits(1);
    assert!(run.stderr.contains("the host's answer is not understood: nonsense"), "{run}");
}

#[test]
fn the_host_does_not_say_where_the_log_is_written_here() {
    let before =
        facts("debian-12-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0");
    let args = ["install", "--tier", "minimal", "--yes", "--without", "et"];
    for word in ["run", "busy"] {
        let events =
            WORKED.replace("run 20261126T120000Z-1", &format!("{word} x/../../../../../project/app"));
        let (sandbox, _fakes) = host(&before, &events, &all_done(SUDO, &[]));
        let app = sandbox.write("project/app.log", "mine\n");
        let run = sandbox.sinc(&args).exits(1);
        let why = format!("the host's answer is not understood: {word} x/../../");
        assert!(run.stderr.contains(&why), "{run}");
        assert_eq!(std::fs::read_to_string(app).unwrap(), "mine\n");
    }
    let (sandbox, _fakes) = host(&(all_done(SUDO, &[]) + "running ../x\n"), "", "");
    let run = sandbox.sinc(&args).exits(1);
    assert!(run.stderr.contains("the host's answer is not understood: running ../x"), "{run}");
}

#[test]
fn nothing_that_the_host_says_commands_a_terminal() {
    let escape = "\u{1b}]0;mine\u{7}";
    let name = |text: &str| text.replace("os-name Debian", &format!("os-name {escape}Debian"));
    let before = name(&facts("debian-12-fresh"))
        .replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0")
        .replace("disk 20000", &format!("disk 20000 /{escape}"));
    let events = WORKED
        .replace("log /var", &format!("log /{escape}var"))
        .replace("start node", &format!("fail {escape} 0 1 1\nstart node"));
    let (sandbox, _fakes) = host(&before, &events, &name(&all_done(SUDO, &[])));
    let run = sandbox.sinc(&["install", "--tier", "minimal", "--yes", "--without", "et"]);
    assert!(!format!("{run}").contains('\u{1b}') && run.stderr.contains("?]0;mine?Debian"), "{run}");
    assert!(run.stderr.contains("on the host: /?]0;mine?var"), "{run}");
    let (sandbox, _fakes) = host(&(name(&head()) + TOOLS), "", "");
    let run = sandbox.sinc(&["doctor"]);
    assert!(run.stdout.contains("reached; ?]0;mine?Debian") && !run.stdout.contains('\u{1b}'), "{run}");
    let record =
        format!("record base apt\tripgrep\nrecord base file\t/{escape}\t\nrecord {escape} apt\ttmux\n");
    let (sandbox, _fakes) = host(&(head() + &record), "", "");
    let run = sandbox.sinc(&["uninstall", "--dry-run"]);
    assert!(run.stderr.contains("not understood: base file?"), "{run}");
    assert!(!format!("{run}").contains('\u{1b}'), "{run}");
}

#[test]
fn a_run_that_could_not_be_started_says_why() {
    let before =
        facts("debian-12-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0");
    let (sandbox, fakes) = host(&before, "", "");
    let script = r#"
        program=$(cat); echo "sinc-begin 1"
        case $program in
        *"
start_run '"*) echo "not-started Failed to start: x"; exit 92 ;;
        *) cat "$HOME/answers/before" ;;
        esac
    "#;
    fakes.on("ssh *", Answer { script: Some(script.to_owned()), ..Answer::default() });
    let run = sandbox.sinc(&["install", "--tier", "minimal", "--yes", "--without", "et"]).exits(1);
    assert!(run.stderr.contains("the run on the host could not be started: Failed to start: x"), "{run}");
}

#[test]
fn what_was_put_there_is_shown_and_taken_back() {
    let records = "record base apt\tripgrep\nrecord base shell\tno\t74727565\tthe host's language is one with UTF-8\n\
        record node apt\tgit\nrecord node apt\tnodejs\nrecord node npm\tnode\nrecord ufw ufw\tallow\t22/tcp\nrecord ufw ufw-on\n";
    let head: String = facts("debian-12-fresh")
        .lines()
        .filter(|line| !line.starts_with("fact"))
        .map(|line| format!("{line}\n"))
        .collect();
    let events = "run r-1\nlog /l\nstart ufw 0\nok ufw 0 900\nstart ufw 1\nok ufw 1 100\nstart ufw 2\nok ufw 2 1\n\
        start node 0\nok node 0 900\nstart node 1\nok node 1 100\nstart node 2\nok node 2 9\nstart node 3\nok node 3 1\nend\n";
    let left: String =
        records.lines().filter(|line| line.contains("record base")).map(|line| format!("{line}\n")).collect();
    let (sandbox, _fakes) = host(&format!("{head}{records}"), events, &format!("{head}{left}"));
    let dry = sandbox.sinc(&["uninstall", "--dry-run"]).success();
    insta::assert_snapshot!("uninstall-dry-run", dry.snapshot());
    let needed = sandbox.sinc(&["uninstall", "--yes", "base"]).exits(1);
    assert!(needed.stderr.contains("ufw on this host needs `base`"), "{needed}");
    let nobody = sandbox.sinc(&["uninstall", "ufw", "node"]).exits(1);
    assert!(nobody.stderr.contains("Take this back on box?"), "{nobody}");
    insta::assert_snapshot!(
        "uninstall",
        sandbox.sinc(&["uninstall", "--yes", "ufw", "node"]).success().snapshot()
    );
}

/// What the host says of itself, without its steps.
fn head() -> String {
    let lines = facts("debian-12-fresh");
    lines.lines().filter(|line| !line.starts_with("fact")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_firewall_that_nothing_changed_is_not_confirmed() {
    let before = all_done(SUDO, &[]) + "running 20261126T115900Z-7\n";
    let (sandbox, _fakes) = host(&before, "start base 0\nok base 0 4100\nend\n", &all_done(SUDO, &[]));
    let run = sandbox.sinc(&["install", "--tier", "minimal", "--yes", "--without", "et"]).success();
    assert!(run.stderr.contains("Watching a run") && !run.stderr.contains("Confirmed"), "{run}");
}

#[test]
fn what_no_second_login_confirms_is_reported_with_all_the_rest_and_the_log_is_kept() {
    let before =
        facts("debian-12-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0");
    let args = ["install", "--tier", "minimal", "--yes", "--without", "et"];
    let log = |sandbox: &Sandbox| sandbox.home().join(".local/state/sinc/logs").exists();
    let (sandbox, _fakes) = host(&before, WORKED, &all_done(SUDO, &[]));
    sandbox.write("answers/guard", "nonsense");
    let run = sandbox.sinc(&args).exits(1);
    let failed =
        "a second login to host `box` failed: within two minutes it takes the firewall back as it was";
    let of_ufw = "ufw failed: it was done, and goes back: no second login has confirmed it";
    assert!(run.stderr.contains(failed) && run.stderr.contains(of_ufw), "{run}");
    assert!(run.stderr.contains("Finished box: 3 components changed, 1 component failed"), "{run}");
    assert!(run.stderr.contains("all output: ") && log(&sandbox), "{run}");
    // With its states also for programs.
    let (sandbox, _fakes) = host(&before, WORKED, &all_done(SUDO, &[]));
    sandbox.write("answers/guard", "nonsense");
    let run = sandbox.sinc(&[&args[..], &["--json"]].concat()).exits(1);
    let last: serde_json::Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["ok"], false, "{run}");
    let components = last["data"]["components"].as_array().unwrap_or_else(|| panic!("{run}"));
    let states: Vec<&str> = components.iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["changed", "changed", "changed", "failed"], "{run}");
    // Where the host is not seen any more either.
    let (sandbox, _fakes) = host(&before, WORKED, "nonsense\n");
    let run = sandbox.sinc(&args).exits(1);
    let unseen = "opencode failed: the host could not be looked at after the work: run it again";
    assert!(run.stderr.contains(unseen) && run.stderr.contains("not understood: nonsense"), "{run}");
    assert!(log(&sandbox), "{run}");

    // So it is with ssh in public, and with what is taken back.
    let tailnet = in_tailnet("tailnet-only-own-rules", true);
    let (sandbox, _fakes) = host(&tailnet, CLOSED, &in_tailnet("tailnet-only-done", true));
    sandbox.write("answers/guard", "elsewhere");
    let run = sandbox.sinc(&["install", "--tailnet-only", "--yes"]).exits(1);
    assert!(run.stderr.contains("tailnet-only failed: ssh does not stay closed: ") && log(&sandbox), "{run}");
    let records = "record ufw file\t/home/ann/x\t\nrecord ufw ufw\tallow\t22/tcp\n";
    let events = "run r-1\nlog /l\nstart ufw 0\nok ufw 0 9\nguard armed 17 firewall\nend\n";
    let (sandbox, fakes) = host(&format!("{}{records}", head()), events, &head());
    sandbox.write("answers/guard", "nonsense");
    let run = sandbox.sinc(&["uninstall", "--yes"]).exits(1);
    assert!(run.stderr.contains(failed) && run.stderr.contains("all output: "), "{run}");
    assert!(!fakes.transcript().contains("forget no"), "{run}");
}

#[test]
fn a_firewall_that_went_back_meanwhile_is_a_failure() {
    let before =
        facts("debian-12-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0");
    let (sandbox, _fakes) = host(&before, WORKED, &before);
    sandbox.write("answers/guard", "taken-back");
    let run = sandbox.sinc(&["install", "--tier", "minimal", "--yes", "--without", "et"]).exits(1);
    let why = "the host has taken the firewall back as it was, before a second login came";
    assert!(run.stderr.contains(why), "{run}");
}

#[test]
fn a_firewall_that_lets_everything_in_is_told_before_and_after() {
    let done = all_done(SUDO, &[]).lines().map(open_by_default).collect::<String>();
    let (sandbox, _fakes) = host(&done, "", "");
    for args in [
        &["install", "--tier", "minimal", "--check", "--without", "et"][..],
        &["install", "--tier", "minimal", "--yes", "--without", "et"],
    ] {
        let run = sandbox.sinc(args).success();
        assert!(run.stderr.contains("`sudo ufw default deny incoming` there shuts the rest"), "{run}");
    }
}

fn open_by_default(line: &str) -> String {
    if line.contains(" - ufw ") { format!("{line} ACCEPT\n") } else { format!("{line}\n") }
}

#[test]
fn what_only_root_sees_is_not_taken_for_nothing() {
    let none = head().replace("rights sudo", "rights none") + "hidden\n";
    let (sandbox, _fakes) = host(&none, "", "");
    let run = sandbox.sinc(&["uninstall", "--yes"]).exits(77);
    assert!(run.stderr.contains("with root's rights is only seen with them"), "{run}");
    assert!(run.stderr.contains("echo 'dev ALL=(ALL) NOPASSWD: ALL' | sudo tee"), "{run}");
    // What is one's own is taken back, and the rest is told.
    let own = format!("{none}record mine file\t/home/dev/x\t\n");
    let (sandbox, _fakes) = host(&own, "run r-1\nlog /l\nstart mine 0\nok mine 0 9\nend\n", &none);
    let run = sandbox.sinc(&["uninstall", "--yes"]).exits(77);
    assert!(run.stderr.contains("1 of 1 taken back") && run.stderr.contains("is still there"), "{run}");
    let (sandbox, _fakes) = host(&head(), "", "");
    sandbox.sinc(&["uninstall", "--yes"]).success();
}

#[test]
fn what_was_put_there_before_the_login_had_rights_is_told_and_taken_back_without_them() {
    let without = head().replace("rights sudo", "rights none");
    let of_own = |sandbox: &Sandbox, fakes: &Fakes| {
        sandbox.write("answers/own-before", format!("{without}record mine file\t/home/dev/x\t\n"));
        sandbox.write("answers/own-after", without.as_str());
        sandbox
            .write("answers/own-events", "run 20261126T120000Z-2\nlog /l\nstart mine 0\nok mine 0 9\nend\n");
        let script = r#"
            cd "$HOME/answers"; program=$(cat); echo "sinc-begin 1"
            case $program in
            *"
show_log "*) ;;
            *"
start_run '"*) touch own-done; cat own-events ;;
            *) if [ -e own-done ]; then cat own-after; else cat own-before; fi ;;
            esac
        "#;
        fakes.on("ssh *'own'*", Answer { script: Some(script.to_owned()), ..Answer::default() });
    };
    let apart = head() + "noted-apart\n";
    // Nothing of it is root's: it is taken back as the login.
    let (sandbox, fakes) = host(&apart, "", "");
    of_own(&sandbox, &fakes);
    let run = sandbox.sinc(&["uninstall", "--dry-run"]).success();
    assert!(run.stdout.contains("  mine\n    - remove /home/dev/x\n"), "{run}");
    let run = sandbox.sinc(&["uninstall", "--yes"]).success();
    assert!(run.stderr.contains("1 of 1 taken back"), "{run}");
    let undone = fakes.transcript();
    let (root, own) = undone.split_once("'own'").unwrap();
    assert!(!root.contains("undo_path /home/dev/x") && own.contains("undo_path /home/dev/x"), "{run}");

    // Root's goes first, and what is left is told, which is no success.
    let records = "record base apt\tripgrep\n";
    let events = "run r-1\nlog /l\nstart base 0\nok base 0 9\nend\n";
    let (sandbox, fakes) = host(&format!("{apart}{records}"), events, &apart);
    of_own(&sandbox, &fakes);
    let run = sandbox.sinc(&["uninstall", "--yes"]).exits(1);
    let told = "what sinc put there for dev without root's rights is noted apart";
    assert!(run.stderr.contains(told) && run.stderr.contains("1 of 1 taken back"), "{run}");
    assert!(!fakes.transcript().contains("'own'"), "{run}");
    // The next one takes it back. So does one that names it, and no more is told then.
    sandbox.sinc(&["uninstall", "--yes"]).success();
    assert!(fakes.transcript().contains("'own'"), "{run}");
    let (sandbox, fakes) = host(&format!("{apart}{records}"), events, &apart);
    of_own(&sandbox, &fakes);
    sandbox.sinc(&["uninstall", "--yes", "mine"]).success();
    sandbox.sinc(&["uninstall", "--yes", "base"]).success();

    // A login as root is none of that user's.
    let root = apart.replace("login dev\nrights sudo", "login root\nrights root");
    let (sandbox, _fakes) = host(&root, "", "");
    let run = sandbox.sinc(&["uninstall", "--yes"]).exits(1);
    assert!(run.stderr.contains(told) && run.stderr.contains("`sinc uninstall --host dev@ADDRESS`"), "{run}");
    let (sandbox, _fakes) = host(&(all_done(SUDO, &[]) + "noted-apart\n"), "", "");
    let run = sandbox.sinc(&["install", "--tier", "minimal", "--check", "--without", "et"]).success();
    assert!(run.stderr.contains(told), "{run}");
    let (sandbox, _fakes) = host(&(apart + TOOLS), "", "");
    let run = sandbox.sinc(&["doctor"]);
    assert!(run.stdout.contains(&format!("warning  components: {told}\n")), "{run}");
}

#[test]
fn a_note_that_is_not_understood_stops_nothing() {
    let records = "record ufw nonsense\tx\nrecord ufw as\tann\nrecord ufw apt\tufw\n";
    let before = format!("{}{records}", head());
    let (sandbox, _fakes) = host(&before, "run r-1\nlog /l\nstart ufw 0\nok ufw 0 9\nend\n", &head());
    let run = sandbox.sinc(&["uninstall", "--yes"]).success();
    let warning = "warning: a note of what was put on the host is not understood: ufw nonsense";
    assert!(run.stderr.contains(warning) && run.stderr.contains("1 of 1 taken back"), "{run}");
    let done = all_done(SUDO, &[]) + records;
    let (sandbox, _fakes) = host(&done, "", "");
    let run = sandbox.sinc(&["install", "--tier", "minimal", "--check", "--without", "et"]).success();
    assert!(run.stderr.contains(warning), "{run}");
}

#[test]
fn a_login_does_not_take_back_the_key_that_it_may_have_come_by() {
    let of = |home: &str| format!("{home}/.ssh/authorized_keys");
    let records = |home: &str| {
        format!(
            "record base apt\tripgrep\nrecord user keys\t{}\t/var/lib/sinc/kept/user/keys\n\
             record user file\t/etc/sudoers.d/sinc-dev\t\n",
            of(home)
        )
    };
    let (sandbox, fakes) = host(&format!("{}{}", head(), records("/home/dev")), "end\n", &head());
    for named in [&[][..], &["user"]] {
        let run = sandbox.sinc(&[&["uninstall", "--yes"], named].concat()).exits(1);
        let why = format!("may have come by a key that sinc put into {}", of("/home/dev"));
        assert!(run.stderr.contains(&why) && run.stderr.contains("log in as root for that"), "{run}");
    }
    assert!(!fakes.transcript().contains("start_run '"), "something was done");
    sandbox.sinc(&["uninstall", "--dry-run", "base"]).success();
    // Another user's, and root's login, which that user's home directory is told of.
    let as_root = head().replace("login dev\nrights sudo", "login root\nrights root");
    for (head, home) in [(head(), "/home/dev2"), (as_root, "/home/dev")] {
        let (sandbox, _fakes) = host(&format!("{head}{}", records(home)), "end\n", &head);
        sandbox.sinc(&["uninstall", "--dry-run"]).success();
    }
}

#[test]
fn the_firewall_goes_back_first_and_for_the_user_that_was_noted() {
    let records = "record ufw as\tann\nrecord ufw file\t/home/ann/x\t\nrecord ufw ufw\tallow\t22/tcp\n";
    let events = "run r-1\nlog /l\nstart ufw 0\nok ufw 0 9\nguard armed 17 firewall\nend\n";
    let (sandbox, fakes) = host(&format!("{}{records}", head()), events, &head());
    let run = sandbox.sinc(&["uninstall", "--yes"]).success();
    assert!(run.stderr.contains("Confirmed the firewall, by a second login"), "{run}");
    let sent = fakes.transcript();
    let (first, second) = sent.split_once("guard_confirm ").unwrap();
    let calls = |text: &str, call: &str| text.contains(&format!("\n  < {call}"));
    assert!(calls(first, "step 0 undo_ufw allow 22/tcp\n") && !calls(first, "step 2 forget"), "{first}");
    assert!(calls(second, "belongs_to ann\n") && calls(second, "step 1 undo_path /home/ann/x "), "{second}");
    assert!(!calls(second, "step 0 undo_ufw") && calls(second, "step 2 forget no\n"), "{second}");

    // Without that login nothing else is taken back, and nothing is forgotten.
    let failed = "run r-1\nlog /l\nstart ufw 0\nfail ufw 0 9 1\nguard taken-back\nend\n";
    let (sandbox, fakes) = host(&format!("{}{records}", head()), failed, &head());
    let run = sandbox.sinc(&["uninstall", "--yes"]).exits(1);
    assert!(run.stderr.contains("could not be taken back, so nothing else was"), "{run}");
    assert!(!fakes.transcript().contains("forget no"), "{run}");

    // Each by its name: it may be sshd alone that failed.
    let records = "record hardening as\tann\nrecord hardening sshd\n";
    let failed = failed.replace(" ufw ", " hardening ");
    let (sandbox, _fakes) = host(&format!("{}{records}", head()), &failed, &head());
    let run = sandbox.sinc(&["uninstall", "--yes"]).exits(1);
    assert!(run.stderr.contains("error: sshd's settings on box could not be taken back"), "{run}");
}

/// What the doctor's first look adds to a host's answer.
const TOOLS: &str = "tool tmux 3.3a\ntool git 2.33.0\ntool inotifywait \n";

#[test]
fn the_doctor_names_what_is_wrong_and_what_mends_it() {
    let installed = "record base apt\tripgrep\nrecord opencode npm\topencode-ai\nrecord ufw ufw-on\n";
    let after = all_done(SUDO, &[("fact ufw 2 - ufw active", "fact ufw 2 - ufw inactive")])
        + TOOLS
        + installed
        + "logged-in opencode no\nwarns opencode everybody\x1b[2J may command it\n";
    let (sandbox, _fakes) = host(&after, "", &after);
    let run = sandbox.sinc(&["doctor"]).exits(1);
    insta::assert_snapshot!("doctor", run.snapshot());
    let json = sandbox.sinc(&["doctor", "--json"]).exits(1);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let findings = json["data"]["findings"].as_array().unwrap();
    let of = |name: &str| findings.iter().find(|it| it["check"] == name).unwrap();
    assert_eq!(of("component base")["state"], "ok");
    assert_eq!(of("component ufw")["fix"], "`sinc install --with ufw`");

    // What says no version by itself has the one that its file pins; so has an agent under another's command.
    let told =
        r#"{"mcp":{"ai-sessions":{"type":"local","command":["/home/dev/.aisessions/bin/aisessions"]}}}"#;
    let told: String = told.bytes().map(|byte| format!("{byte:02x}")).collect();
    let lines = format!(
        "fact opencode-2 0 - npm 2.0.33 2.0.33\nfact ai-sessions 0 - apt unzip=6.0\n\
        fact ai-sessions 1 - download 00aa\nfact ai-sessions 2 - shell yes\n\
        fact ai-sessions 3 - edit -\nfact ai-sessions 4 - edit -\nfact ai-sessions 5 - edit -\n\
        fact ai-sessions 6 2.0.33 edit ={told} 0644 dev\n\
        record opencode-2 npm\t@opencode/cli\nrecord ai-sessions apt\tunzip\n"
    );
    let (sandbox, _fakes) =
        host(&(all_done(SUDO, &[]) + TOOLS + &lines + "logged-in opencode-2 no\n"), "", "");
    let run = sandbox.sinc(&["doctor"]);
    for line in [
        "ok       component ai-sessions: 1.3.1",
        "warning  component opencode-2: 2.0.33; nobody is logged in to it",
        "         mend it: on the host: `opencode auth login`",
    ] {
        assert!(run.stdout.lines().any(|it| it == line), "{line}: {run}");
    }

    // One is named too that no file is about any more.
    let lines = "record mine file\t/home/dev/x\t\n";
    let (sandbox, _fakes) = host(&(all_done(SUDO, &[]) + TOOLS + lines), "", "");
    let run = sandbox.sinc(&["doctor"]);
    for line in [
        "warning  component mine: sinc put it there, and there is no file of it any more",
        "         mend it: bring back its file, or `sinc uninstall mine`",
    ] {
        assert!(run.stdout.lines().any(|it| it == line), "{line}: {run}");
    }

    // A host that is not reached is a finding too.
    let sandbox = Sandbox::new();
    sandbox.configure("[host.box]\ndestination = \"dev@203.0.113.7\"\n");
    let fakes = Fakes::install(&sandbox, &["ssh"]);
    let refused = "ssh: connect to host 203.0.113.7 port 22: Connection refused\n";
    fakes.on("ssh *", Answer { code: 255, stderr: refused.to_owned(), ..Answer::default() });
    insta::assert_snapshot!("doctor-refused", sandbox.sinc(&["doctor"]).exits(1).snapshot());
}

#[test]
fn a_secret_comes_from_a_variable_or_a_file_and_is_never_shown() {
    let component = "summary = \"x\"\nsource = \"x\"\npinned = \"x\"\n\
        [[secret]]\nname = \"k\"\nvariable = \"BOX_KEY\"\nprompt = \"the key of the box\"\n\
        [[step]]\nfile = { path = \"{home}/.key\", content = \"KEY=\", secret = \"k\", mode = \"0600\" }\n";
    let fact = |said: &str| {
        let head: String = facts("debian-12-fresh")
            .lines()
            .filter(|line| !line.starts_with("fact"))
            .map(|line| format!("{line}\n"))
            .collect();
        format!("{head}fact key 0 - file {said}\n")
    };
    let sum = "0".repeat(64);
    let (mut sandbox, fakes) = host(
        &fact("-"),
        "run r-1\nlog /l\nstart key 0\nok key 0 1\nend\n",
        &fact(&format!("{sum} 0600 dev")),
    );
    sandbox.write(".config/sinc/components/key.toml", component);
    let args = ["install", "--yes", "--with", "key"];
    let nobody = sandbox.sinc(&args).exits(1);
    assert!(
        nobody.stderr.contains("give it in the variable BOX_KEY, or in a file that BOX_KEY_FILE names"),
        "{nobody}"
    );
    sandbox.set("BOX_KEY", "two\nlines");
    let two = sandbox.sinc(&args).exits(1);
    assert!(two.stderr.contains("the key of the box is more than one line"), "{two}");
    sandbox.unset("BOX_KEY");
    let file = sandbox.write("secret", "s3cret\n");
    sandbox.set("BOX_KEY_FILE", file);
    let run = sandbox.sinc(&[&args[..], &["-vv"]].concat()).success();
    assert!(!run.stderr.contains("s3cret") && !run.stdout.contains("s3cret"), "{run}");
    let sent = fakes.transcript();
    assert!(!sent.lines().any(|line| line.starts_with("ssh ") && line.contains("s3cret")), "{sent}");
    sandbox.set("BOX_KEY_FILE", "/nonexistent");
    let _ = std::fs::remove_file(sandbox.home().join("answers/done"));
    let missing = sandbox.sinc(&args).exits(1);
    assert!(missing.stderr.contains("cannot read the file that BOX_KEY_FILE names"), "{missing}");
}

#[test]
fn mirrors_stand_in_the_place_of_addresses() {
    let (sandbox, fakes) = host(
        &facts("debian-12-fresh").replace("fact base 0", "fact user 0 - user 1000 yes no yes\nfact base 0"),
        "run r-1\nlog /l\nend\n",
        "",
    );
    let config = sandbox.read(".config/sinc/config.toml");
    sandbox.configure(format!(
        "{config}[install]\nnpm-registry = \"https://npm.example.com/\"\n[mirror.et]\nfrom = \"https://mistertea.github.io/\"\nto = \"https://mirror.example.com/et/\"\n"
    ));
    let run = sandbox.sinc(&["install", "--tier", "minimal", "--check"]).exits(1);
    assert!(
        run.stdout.contains("install et from https://mirror.example.com/et/debian-et/debian-source/"),
        "{run}"
    );
    let _ = sandbox.sinc(&["install", "--tier", "minimal", "--yes"]);
    let sent = fakes.transcript();
    assert!(sent.contains("use_mirrors"), "{sent}");
    sandbox.configure(format!("{config}[mirror.et]\nfrom = \"https://a/\"\n"));
    let half = sandbox.sinc(&["install", "--tier", "minimal", "--check"]).exits(78);
    assert!(half.stderr.contains("the mirror `et` wants both `from` and `to`"), "{half}");
    // A token would stand in plans, command lines and files of the host.
    let with_token = "https://me:its-token@npm.example.com/";
    for (key, text) in [
        ("install.npm-registry", format!("[install]\nnpm-registry = \"{with_token}\"\n")),
        ("mirror.et.to", format!("[mirror.et]\nfrom = \"https://a/\"\nto = \"{with_token}\"\n")),
        ("mirror.et.from", format!("[mirror.et]\nfrom = \"{with_token}\"\nto = \"https://a/\"\n")),
    ] {
        sandbox.configure(format!("{config}{text}"));
        let refused = sandbox.sinc(&["install", "--tier", "minimal", "--check", "-v"]).exits(78);
        let why = format!("`{key}` holds a user name or a password");
        assert!(
            refused.stderr.contains(&why) && refused.stderr.contains("/etc/apt/auth.conf.d"),
            "{refused}"
        );
        assert!(!format!("{refused}").contains("its-token"), "{refused}");
    }
}

/// A host that is in a tailnet, with ssh open to everybody, as this login sees it.
fn in_tailnet(case: &str, by_tailnet: bool) -> String {
    let text = facts(case).replace("by-tailnet\n", "");
    if by_tailnet { format!("by-tailnet\n{text}") } else { text }
}

const CLOSED: &str =
    "run r-1\nlog /l\nstart tailnet-only 0\nok tailnet-only 0 900\nguard armed 17 tailnet\nend\n";

#[test]
fn ssh_is_closed_to_all_but_the_tailnet_by_a_login_through_it() {
    let after = in_tailnet("tailnet-only-done", true);
    let (sandbox, fakes) = host(&in_tailnet("tailnet-only-own-rules", true), CLOSED, &after);
    let check = sandbox.sinc(&["install", "--tailnet-only", "--check", "--json"]).exits(1);
    let check: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
    let component = &check["data"]["components"][3];
    assert_eq!((&component["name"], &component["state"]), (&"tailnet-only".into(), &"would-change".into()));
    assert_eq!(component["steps"][0]["does"], "ufw_tailnet_only 22");
    // `--yes` alone does not close it.
    let yes = ["install", "--yes", "--tier", "custom", "--with", "ufw", "--with", "tailscale"];
    sandbox.sinc(&yes).success();
    assert!(!fakes.transcript().contains("step 0 ufw_tailnet_only"), "it was not asked for");
    let run = sandbox.sinc(&["install", "--tailnet-only", "--yes"]).success();
    insta::assert_snapshot!(
        "install-tailnet-only",
        run.snapshot().replace(&sandbox.home().display().to_string(), "$HOME")
    );
    assert!(fakes.transcript().contains("step 0 ufw_tailnet_only 22\n"), "{run}");
}

#[test]
fn ssh_stays_open_where_the_tailnet_is_not_proved() {
    // This computer is in no tailnet.
    let before = in_tailnet("tailnet-only-own-rules", false);
    let (sandbox, fakes) = host(&before, CLOSED, &before);
    let run = sandbox.sinc(&["install", "--tailnet-only", "--yes"]).exits(1);
    let why = "tailnet-only failed: ssh stays open to everybody: this computer has no Tailscale";
    assert!(run.stderr.contains(why), "{run}");
    // The name is right, and the login comes otherwise.
    sandbox.configure("[host.box]\ndestination = \"dev@box.tail-test.ts.net\"\n");
    let run = sandbox.sinc(&["install", "--tailnet-only", "--yes"]).exits(1);
    let why = "the login as dev@box.tail-test.ts.net does not come through the tailnet";
    assert!(run.stderr.contains(why), "{run}");
    // There is neither a firewall nor a tailnet, and neither is selected.
    let (sandbox, other) = host(&in_tailnet("tailnet-only-fresh", false), "", "");
    let run = sandbox.sinc(&["install", "--tailnet-only", "--yes"]).exits(1);
    insta::assert_snapshot!("install-tailnet-only-refused", run.snapshot());
    let check = ["install", "--tailnet-only", "--with", "ufw", "--with", "tailscale", "--check"];
    let check = sandbox.sinc(&check).exits(1);
    assert!(check.stdout.contains("tailnet, once a login through it has worked"), "{check}");
    for sent in [fakes.transcript(), other.transcript()] {
        assert!(!sent.contains("step 0 ufw_tailnet_only"), "{sent}");
    }
}

#[test]
fn a_login_that_is_not_of_the_tailnet_confirms_nothing_of_it() {
    let before = in_tailnet("tailnet-only-own-rules", true);
    let (sandbox, _fakes) = host(&before, CLOSED, &before);
    sandbox.write("answers/guard", "elsewhere");
    let run = sandbox.sinc(&["install", "--tailnet-only", "--yes"]).exits(1);
    assert!(run.stderr.contains("host `box` waits for a login through the tailnet"), "{run}");
}

#[test]
fn what_programs_have_recorded_stays_and_that_is_said_before_the_question_and_at_the_end() {
    let all =
        facts("debian-12-done").replace("login root", "login dev").replace("rights root", "rights sudo");
    let head: String =
        all.lines().filter(|line| !line.starts_with("fact")).map(|line| format!("{line}\n")).collect();
    let there = head.clone() + "record kimaki as\tdev\nrecord kimaki npm\tkimaki\nrecord base apt\ttmux\n";
    let (sandbox, _fakes) = host(&there, "run r-1\nlog /l\nend\n", &head);
    let says = "what was recorded stays; on the host `rm -rf /home/dev/.kimaki` removes it";
    let asked = sandbox.sinc(&["uninstall"]);
    let (before, _) = asked.stderr.split_once("Take this back on box?").unwrap_or_else(|| panic!("{asked}"));
    assert!(before.contains(&format!("  kimaki\n    - remove kimaki of npm\n    ({says})\n")), "{asked}");
    let json = sandbox.sinc(&["uninstall", "--dry-run", "--json"]).success();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let data = |name: &str| {
        let all = json["data"]["components"].as_array().unwrap();
        all.iter().find(|it| it["name"] == name).unwrap()["data"].clone()
    };
    assert_eq!(
        (data("kimaki"), data("base")),
        (serde_json::json!(["/home/dev/.kimaki"]), serde_json::json!([]))
    );
    let done = sandbox.sinc(&["uninstall", "--yes", "kimaki"]).success();
    assert!(done.stderr.contains(&format!(" {says}\n")), "{done}");
}
