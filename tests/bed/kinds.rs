//! Every kind of step on a real host: a signed repository of a vendor, a secret, an edited file, a unit of the user.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use super::lab::Lab;
use super::onlooker::Onlooker;
use super::support::PATIENCE;
use super::support::sandbox::Run;
use super::support::wait_until;

pub(crate) const SECRET: &str = "s3cret of a test";

pub(crate) const COMPONENT: &str = r#"
summary = "a program of a vendor"
source = "a test"
pinned = "2026-11-26"

[[secret]]
name = "key"
variable = "VENDOR_KEY"
prompt = "the vendor's key"

[[step]]
[step.apt]
packages = ["sinc-stand-in"]
[step.apt.repository]
name = "vendor"
[step.apt.repository.debian]
url = "http://10.77.0.1:8099/"
suite = "SUITE"
components = "main"
key = "http://10.77.0.1:8099/key.asc"

[[step]]
file = { path = "{home}/.config/stand-in/key", secret = "key", mode = "0600" }

[[step]]
edit = { path = "{home}/.config/stand-in.json", format = "json", set = { "server.port" = 4096 }, add = { plugin = ["it's@1"] } }

[[step]]
[step.file]
path = "{home}/.config/systemd/user/stand-in.service"
content = """
[Service]
ExecStart=/usr/bin/stand-in
[Install]
WantedBy=default.target
"""

[[step]]
service = { unit = "stand-in.service", scope = "user" }

[[step]]
[step.shell]
says = "it has been told"
as-user = true
check = "test -e $SINC_HOME/.told"
apply = "touch $SINC_HOME/.told; sleep 0.5"
undo = "rm -f $SINC_HOME/.told"
"#;

/// A web server on the laptop's side with a repository: signed in the suite `good`, not in `bad`.
pub(crate) struct Vendor(Child);

impl Drop for Vendor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Vendor {
    pub(crate) fn open(lab: &Lab, dir: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bed/vendor.sh");
        lab.sandbox.run("bash", &[script.to_str().unwrap(), dir.to_str().unwrap()]).success();
        let web = dir.join("web");
        let server =
            lab.sandbox.program("python3", &web).args(["-m", "http.server", "-b", "10.77.0.1", "8099"]);
        let server = server.start();
        wait_until("the vendor's server answers", PATIENCE, || {
            lab.sandbox.run("bash", &["-c", "exec 3<>/dev/tcp/10.77.0.1/8099"]).code == 0
        });
        Self(server)
    }
}

pub(crate) fn install(lab: &Lab, args: &[&str]) -> Run {
    let sandbox = &lab.sandbox;
    let program = sandbox.program(super::support::sandbox::Sandbox::binary(), &sandbox.home());
    sandbox.finish(&program.args(args).patience(Duration::from_secs(120)))
}

/// Makes it a component of one's own.
pub(crate) fn own(lab: &Lab, text: &str, suite: &str) {
    lab.sandbox.write(".config/sinc/components/vendor.toml", text.replace("SUITE", suite));
}

#[test]
fn every_kind_is_put_there_and_taken_back() {
    let mut lab = Lab::new();
    let dir: PathBuf = lab.sandbox.project("vendor");
    let _vendor = Vendor::open(&lab, &dir);
    lab.bed(&["vps", "rm", "-rf", "/var/lib/sinc"]);
    lab.on_host(
        "mkdir -p ~/.config; printf '{\\n  // mine\\n  \"theme\": \"dark\"\\n}\\n' >~/.config/stand-in.json",
    );
    let args = ["install", "--yes", "--tier", "custom", "--with", "vendor"];

    // A secret that nobody gave, and a repository that nobody signed.
    own(&lab, COMPONENT, "bad");
    let nobody = install(&lab, &args).exits(1);
    assert!(nobody.stderr.contains("hint: give it in the variable VENDOR_KEY"), "{nobody}");
    lab.sandbox.set("VENDOR_KEY", SECRET);
    let bad = install(&lab, &args).exits(1);
    let why =
        "vendor failed: the repository cannot be used, and was taken out again: http://10.77.0.1:8099/ bad";
    assert!(bad.stderr.contains(why), "{bad}");
    let left =
        lab.bed(&["vps", "sh", "-c", "ls /etc/apt/sources.list.d /etc/apt/keyrings | grep -c sinc || true"]);
    assert_eq!(left.trim(), "0");

    own(&lab, COMPONENT, "good");
    let onlooker = Onlooker::on(&lab);
    let run = install(&lab, &args).success();
    assert!(run.stderr.contains("1 component changed"), "{run}");
    assert_eq!(
        lab.on_host("cat ~/.config/stand-in/key; stat -c ' %a %U' ~/.config/stand-in/key").trim(),
        format!("{SECRET} 600 dev")
    );
    let edited = lab.on_host("cat ~/.config/stand-in.json");
    assert!(edited.contains("// mine\n  \"theme\": \"dark\"") && edited.contains("\"it's@1\""), "{edited}");
    assert_eq!(
        lab.on_host(
            "systemctl --user is-active stand-in.service; systemctl --user is-enabled stand-in.service"
        ),
        "active\nenabled\n"
    );
    onlooker.saw_no(SECRET);

    let check = [&args[..], &["--check"]].concat();
    let again = install(&lab, &check).success();
    assert!(again.stderr.contains("everything is as it should be"), "{again}");

    // A unit of another text is written anew, and its service restarted.
    let pid = lab.on_host("systemctl --user show -p MainPID --value stand-in.service");
    own(&lab, &COMPONENT.replace("[Service]", "[Service]\nNice=5"), "good");
    let run = install(&lab, &args).success();
    assert!(run.stderr.contains("Done vendor: restart stand-in.service"), "{run}");
    assert_ne!(lab.on_host("systemctl --user show -p MainPID --value stand-in.service"), pid);

    let back = install(&lab, &["uninstall", "--yes"]).success();
    assert!(back.stderr.contains("1 of 1 taken back"), "{back}");
    let left = "ls ~/.config/stand-in/key ~/.told /usr/bin/stand-in ~/.config/systemd/user/stand-in.service 2>/dev/null; cat ~/.config/stand-in.json; systemctl --user is-active stand-in.service";
    let left = lab.on_host(&format!("{left}; true"));
    assert_eq!(left, "{\n  // mine\n  \"theme\": \"dark\"\n}\ninactive\n");
    let apt = lab.bed(&["vps", "sh", "-c", "ls /etc/apt/sources.list.d /etc/apt/keyrings /var/lib/systemd/linger | grep -c 'sinc\\|dev' || true; dpkg -l sinc-stand-in 2>/dev/null | grep -c ^ii || true"]);
    assert_eq!(apt, "0\n0\n");
    lab.on_host("rm -rf ~/.config/stand-in ~/.config/stand-in.json ~/.config/systemd");
    lab.bed(&["vps", "rm", "-rf", "/var/lib/sinc"]);
}
