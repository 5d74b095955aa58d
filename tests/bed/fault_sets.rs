//! What is installed while something happens in the middle: sets of components that have every kind of step between them.

use std::time::Duration;

use super::hardening;
use super::kinds::{COMPONENT, SECRET, install, own};
use super::lab::Lab;
use super::support::sandbox::Sandbox;
use super::support::wait_until;

/// Packages come from far away.
const LONG: Duration = Duration::from_secs(300);

/// Components that are installed together.
pub(super) struct Set {
    pub(super) args: &'static [&'static str],
    /// What root is told on a host that has them, by this line.
    pub(super) look: &'static str,
    pub(super) is: &'static str,
    /// Node must be there.
    pub(super) node: bool,
}

const VENDOR: Set = Set {
    args: &["install", "--yes", "--tier", "custom", "--with", "vendor", "--with", "ufw"],
    look: "ufw status | head -n 1; cat /home/dev/.config/stand-in/key; echo; runuser -u dev -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user is-active stand-in.service",
    is: "Status: active\ns3cret of a test\nactive\n",
    node: false,
};
const MORE: Set = Set {
    args: &["install", "--yes", "--tier", "custom", "--with", "more", "--with", "strict"],
    look: "id -Gn worker; runuser -u worker -- sudo -n id -un; stand-in-tool; /opt/stand-in/bin/stand-in-npm; systemctl is-active stand-in-system; cat /home/dev/.config/stand-in.toml; sshd -T | grep -E '^(passwordauthentication|x11forwarding)'",
    is: "worker\nroot\nstand-in-tool 1.0.0\nstand-in-tool 1.0.0\nactive\n# mine\ntheme = \"dark\"\nport = 4096\npasswordauthentication no\nx11forwarding no\n",
    node: false,
};
const NPM: Set = Set {
    args: &["install", "--yes", "--tier", "custom", "--with", "packages"],
    look: "stand-in-npm",
    is: "stand-in-tool 1.0.0\n",
    node: true,
};

/// The steps in whose middle it happens.
pub(super) const STEPS: [(&Set, &str, usize); 16] = [
    (&VENDOR, "vendor", 0),
    (&VENDOR, "vendor", 1),
    (&VENDOR, "vendor", 2),
    (&VENDOR, "vendor", 3),
    (&VENDOR, "vendor", 4),
    (&VENDOR, "vendor", 5),
    (&VENDOR, "ufw", 1),
    (&VENDOR, "ufw", 2),
    (&MORE, "more", 0),
    (&MORE, "more", 1),
    (&MORE, "more", 2),
    (&MORE, "more", 3),
    (&MORE, "more", 4),
    (&MORE, "more", 5),
    (&MORE, "strict", 0),
    (&NPM, "packages", 0),
];

const MORE_STEPS: &str = r#"
[[step]]
user = { name = "worker", sudo = true, keys = true, linger = true }

[[step]]
[step.download]
url = { x86-64 = "https://tools.example.com/stand-in-tool", arm64 = "https://tools.example.com/stand-in-tool" }
sha256 = { x86-64 = "SUM-TOOL", arm64 = "SUM-TOOL" }
destination = "/usr/local/bin/stand-in-tool"

[[step]]
[step.download]
url = { x86-64 = "https://tools.example.com/stand-in-tool.tar.gz", arm64 = "https://tools.example.com/stand-in-tool.tar.gz" }
sha256 = { x86-64 = "SUM-ARCHIVE", arm64 = "SUM-ARCHIVE" }
destination = "/opt/stand-in"
unpack = 1

[[step]]
[step.file]
path = "/etc/systemd/system/stand-in-system.service"
content = """
[Service]
ExecStart=/usr/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""

[[step]]
service = { unit = "stand-in-system.service" }

[[step]]
edit = { path = "{home}/.config/stand-in.toml", format = "toml", set = { port = 4096 } }
"#;
const NPM_STEPS: &str =
    "[[step]]\n[step.npm]\npackage = \"stand-in-npm\"\nversion = \"1.0.0\"\ncommand = \"stand-in-npm\"\n";

/// The laptop has them all, from a vendor that serves `web`; a file of the person's is on the host.
pub(super) fn write(lab: &mut Lab, web: &std::path::Path) {
    let head = "summary = \"of a test\"\nsource = \"a test\"\npinned = \"2026-11-26\"\n";
    let sum = |file: &str| {
        let file = web.join(file);
        let said = lab.sandbox.run("sha256sum", &[file.to_str().unwrap()]).success().stdout;
        said.split(' ').next().unwrap().to_owned()
    };
    let steps = MORE_STEPS.replace("SUM-TOOL", &sum("stand-in-tool"));
    let steps = steps.replace("SUM-ARCHIVE", &sum("stand-in-tool.tar.gz"));
    own(lab, COMPONENT, "good");
    for (name, text) in [
        ("base", format!("{head}step = []\n")),
        ("more", format!("{head}{steps}")),
        ("packages", format!("{head}{NPM_STEPS}")),
        ("strict", hardening::SSHD.to_owned()),
    ] {
        lab.sandbox.write(format!(".config/sinc/components/{name}.toml"), text);
    }
    lab.sandbox.set("VENDOR_KEY", SECRET);
    let mirror = "[mirror.tools]\nfrom = \"https://tools.example.com/\"\nto = \"http://10.77.0.1:8099/\"\n";
    lab.sandbox.configure_also(mirror);
    lab.on_host("mkdir -p ~/.config; printf '# mine\\ntheme = \"dark\"\\n' >~/.config/stand-in.toml");
}

/// Node and npm on the host, as sinc puts them there, put there when the first run wants them; they go with it.
pub(super) struct Node<'a>(&'a Lab);

impl<'a> Node<'a> {
    pub(super) fn on(lab: &'a Lab) -> Self {
        let this = Self(lab);
        lab.bed(&["net", "off"]);
        lab.bed(&["net", "on"]);
        let mirror = "url=$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/debian.sources | head -n 1); \
            curl -sfI -m 5 $url/dists/stable/Release >/dev/null && echo yes || echo no";
        wait_until("the way to Debian's mirror is open", LONG, || this.root(mirror) == "yes\n");
        this.root("rm -rf /var/lib/sinc");
        let program = lab.sandbox.program(Sandbox::binary(), &lab.sandbox.home());
        let args = ["install", "--yes", "--tier", "custom", "--with", "node"];
        lab.sandbox.finish(&program.args(args).patience(LONG)).success();
        // What is noted of it is away from what the runs note.
        this.root("mv /var/lib/sinc /var/lib/sinc-of-node");
        lab.bed(&["net", "off"]);
        lab.sandbox.configure_also("[install]\nnpm-registry = \"http://10.77.0.1:8099/npm/\"\n");
        this
    }

    fn root(&self, line: &str) -> String {
        self.0.bed(&["vps", "sh", "-c", line])
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        self.root("rm -rf /var/lib/sinc; mv /var/lib/sinc-of-node /var/lib/sinc");
        let back = install(self.0, &["uninstall", "--yes"]);
        self.root("rm -rf /var/lib/sinc");
        self.0.bed(&["net", "off"]);
        assert!(back.code == 0 || std::thread::panicking(), "{back}");
    }
}
