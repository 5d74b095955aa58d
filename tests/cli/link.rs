//! `sinc link` without a link: what it says, and what it gives systemd.

#[cfg(target_os = "linux")]
use crate::support::{
    fakes::{Answer, Fakes},
    sandbox::Sandbox,
};
use crate::world::World;

#[test]
fn without_a_session_there_is_nothing_to_watch() {
    let world = World::new();
    assert_eq!(world.sandbox.sinc(&["link", "status"]).success().stdout, "");
    let run = world.sandbox.sinc(&["link", "stop"]).success();
    assert!(run.stderr.contains("no link was running"), "{run}");
    let run = world.sandbox.sinc(&["link", "start"]).success();
    assert!(run.stderr.contains("nothing to watch"), "{run}");
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_gets_a_unit_and_loses_it_again() {
    let sandbox = Sandbox::new();
    let fakes = Fakes::install(&sandbox, &["systemctl"]);
    fakes.on("systemctl *", Answer::stdout(""));
    let run = sandbox.sinc(&["link", "install"]).success();
    let unit = sandbox.read(".config/systemd/user/sinc-link.service");
    let start = format!("ExecStart=\"{}\" link start\n", Sandbox::binary().display());
    assert!(unit.contains(&start), "{run}\n{unit}");
    // Mutagen may be where only a login's PATH leads.
    let path = unit.lines().find_map(|line| line.strip_prefix("Environment=\"PATH=")).unwrap_or_default();
    assert!(path.ends_with('"') && path.contains(":/"), "{unit}");
    sandbox.sinc(&["link", "install", "--remove"]).success();
    assert!(!sandbox.home().join(".config/systemd/user/sinc-link.service").exists());
    assert_eq!(
        fakes.transcript(),
        "$ systemctl --user daemon-reload\n$ systemctl --user enable sinc-link.service\n\
         $ systemctl --user disable --now sinc-link.service\n$ systemctl --user daemon-reload\n"
    );
    // Without systemd it is said what is left, and what works all the same.
    fakes.on("systemctl *", Answer::fails(1, "Failed to connect to bus\n"));
    let run = sandbox.sinc(&["link", "install"]).exits(1);
    assert!(
        run.stderr.contains("Failed to connect to bus")
            && run.stderr.contains("every `sinc` starts the link"),
        "{run}"
    );
}
