//! What is a person's own on the host, and is not sinc's to change: packages in the way, settings that are kept elsewhere.

use super::kinds::{Vendor, install};
use super::safe::{Host, NO_VENDOR, VENDOR, WITH_VENDOR};

const MINE: [&str; 6] = ["install", "--yes", "--tier", "custom", "--with", "mine"];

#[test]
fn a_package_that_would_have_to_go_stays_and_is_named() {
    let host = Host::new(NO_VENDOR);
    let _vendor = Vendor::open(&host.lab, &host.lab.sandbox.project("vendor"));
    host.own("vendor", VENDOR);
    let package = "mkdir -p /tmp/own/DEBIAN; cd /tmp/own/DEBIAN; \
        printf 'Package: of-its-own\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nConflicts: sinc-along\\nDescription: x\\n' >control; \
        dpkg-deb -b /tmp/own >/dev/null; dpkg -i /tmp/own.deb >/dev/null; rm -rf /tmp/own*";
    host.root(package);
    let run = install(&host.lab, &WITH_VENDOR);
    let there = "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' of-its-own 'sinc-*' | grep ' installed' || true";
    let left = host.root(there);
    host.root("dpkg -P of-its-own");
    assert_eq!(left, "of-its-own installed\n", "{run}");
    let why = "vendor failed: apt-get would remove of-its-own to install sinc-stand-in: if that may go, \
               `sudo apt-get remove of-its-own` on the host first";
    assert!(run.exits(1).stderr.contains(why));
    // Nothing is noted of what did not come.
    assert_eq!(host.root("cat /var/lib/sinc/installed/* | grep -c ^apt || true"), "0\n");
    install(&host.lab, &WITH_VENDOR).success();
    install(&host.lab, &["uninstall", "--yes"]).success();
    assert_eq!(host.root(there), "");
}

const EDITS: &str = r#"
[[step]]
edit = { path = "{home}/one.json", format = "json", set = { "server.port" = 4096 } }
[[step]]
edit = { path = "{home}/.two/two.toml", format = "toml", set = { "model" = "x" } }
"#;

#[test]
fn settings_that_a_person_keeps_elsewhere_stay_there_behind_their_links() {
    let host = Host::new("rm -rf /home/dev/dotfiles /home/dev/one.json* /home/dev/.two /etc/of-root.json");
    host.own("mine", EDITS);
    let (one, two) = ("{\n  \"one\": 1\n}\n", "# mine\nmodel = \"y\"\n");
    host.lab.on_host(&format!(
        "mkdir -p ~/dotfiles ~/.two; printf '%s' '{one}' >~/dotfiles/one.json; printf '%s' '{two}' >~/dotfiles/two.toml; \
         chmod 640 ~/dotfiles/one.json; ln -s dotfiles/one.json ~/one.json; ln -s ~/dotfiles/two.toml ~/.two/two.toml"
    ));
    let links = "readlink /home/dev/one.json /home/dev/.two/two.toml; \
                 stat -c '%a %U %n' /home/dev/dotfiles/*; ls -A /home/dev/dotfiles /home/dev/.two | wc -l";
    let before = host.root(links);
    assert!(before.starts_with("dotfiles/one.json\n/home/dev/dotfiles/two.toml\n640 dev "), "{before}");
    let run = install(&host.lab, &MINE).success();
    assert_eq!(host.root(links), before, "{run}");
    let now = host.root("cat /home/dev/dotfiles/*");
    assert!(now.contains("4096") && now.contains("model = \"x\"") && now.contains("# mine"), "{now}");
    install(&host.lab, &[&MINE[..], &["--check"]].concat()).success();
    // One of them is gone on with.
    host.lab.on_host("sed -i 's/\"one\": 1/\"one\": 11/' --follow-symlinks ~/one.json");
    let back = install(&host.lab, &["uninstall", "--yes"]).success();
    let after = host.root("cat /home/dev/dotfiles/*");
    assert_eq!(after, format!("{}{two}", one.replace('1', "11")), "{back}");
    assert!(host.root("cat /home/dev/one.json.before-uninstall").contains("4096"), "{back}");
    assert_eq!(host.root(links), before);
}

#[test]
fn a_link_of_the_user_leads_root_to_nothing_else() {
    let host = Host::new("rm -rf /home/dev/one.json* /home/dev/.two /etc/of-root.*");
    host.own("mine", EDITS);
    host.root("umask 077; echo '{ \"secret\": 1 }' >/etc/of-root.json; (umask 022; echo 'model = \"y\"' >/etc/of-root.toml)");
    host.lab.on_host(
        "mkdir -p ~/.two; ln -s /etc/of-root.json ~/one.json; ln -s /etc/of-root.toml ~/.two/two.toml",
    );
    let theirs = "cat /etc/of-root.json /etc/of-root.toml; stat -c '%a %U' /etc/of-root.*; ls /etc/of-root.*";
    let before = host.root(theirs);
    let run = install(&host.lab, &[&MINE[..], &["-vv"]].concat()).exits(1);
    let why = "/home/dev/one.json is a link to no file that dev may read";
    assert!(run.stderr.contains(why), "{run}");
    assert!(!run.stderr.contains(&hex("secret")), "{run}");
    // What it may read, and not write.
    host.root("rm /home/dev/one.json");
    let run = install(&host.lab, &MINE).exits(1);
    let why =
        "mine failed: /home/dev/.two/two.toml is a link, and dev cannot write the file that it leads to";
    assert!(run.stderr.contains(why), "{run}");
    assert_eq!(host.root(theirs), before, "{run}");
    install(&host.lab, &["uninstall", "--yes"]).success();
    assert_eq!(host.root(theirs), before);
    assert_eq!(host.root("readlink /home/dev/.two/two.toml"), "/etc/of-root.toml\n");
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_keys_of_a_user_come_behind_its_link_and_show_it_nothing_of_roots() {
    let host =
        Host::new("loginctl terminate-user ann; userdel -rf ann; rm -rf /etc/sudoers.d/sinc-ann /home/ann");
    host.root(
        "useradd -m -s /bin/bash -p '*' ann; install -d -m 700 -o ann -g ann /home/ann/.ssh; \
         ln -s /etc/shadow /home/ann/.ssh/authorized_keys",
    );
    let args =
        ["install", "--host", "root@vps", "--user", "ann", "--yes", "--tier", "custom", "--with", "user"];
    let shadow = host.root("sha256sum /etc/shadow; stat -c '%a %U' /etc/shadow");
    let run = install(&host.lab, &args).exits(1);
    assert!(
        run.stderr.contains("/home/ann/.ssh/authorized_keys is a link to no file that ann may read"),
        "{run}"
    );
    assert_eq!(host.root("sha256sum /etc/shadow; stat -c '%a %U' /etc/shadow"), shadow);
    // One that it may read, and not write: no key came in, and none is in the way of taking it back.
    host.root("ln -sf /etc/passwd /home/ann/.ssh/authorized_keys");
    let run = install(&host.lab, &args).exits(1);
    assert!(run.stderr.contains("is a link, and ann cannot write the file that it leads to"), "{run}");
    install(&host.lab, &["uninstall", "--host", "root@vps", "--yes"]).success();
    assert_eq!(host.root("ls /var/lib/sinc/installed 2>/dev/null || true"), "");
    // One of its own.
    host.root(
        "cd /home/ann; mkdir keys; echo 'ssh-ed25519 AAAA of-ann' >keys/own; chmod 600 keys/own; chown -R ann: keys; \
         ln -sf ../keys/own .ssh/authorized_keys",
    );
    install(&host.lab, &args).success();
    let keys = "readlink /home/ann/.ssh/authorized_keys; stat -c '%a %U' /home/ann/keys/own; grep -c . /home/ann/keys/own";
    assert_eq!(host.root(keys), "../keys/own\n600 ann\n2\n");
    install(&host.lab, &["uninstall", "--host", "root@vps", "--yes"]).success();
    assert_eq!(host.root(keys), "../keys/own\n600 ann\n1\n");
    assert_eq!(host.root("cat /home/ann/keys/own"), "ssh-ed25519 AAAA of-ann\n");
}

#[test]
fn a_step_that_is_killed_fails_alone_and_says_so() {
    let host = Host::new("rm -f /etc/of-run");
    host.own(
        "mine",
        "[[step]]\nshell = { says = \"it fits\", check = \"false\", apply = \"kill -KILL $$\" }\n",
    );
    host.own(
        "other",
        "[[step]]\nshell = { says = \"it is told\", check = \"test -e /etc/of-run\", \
         apply = \"echo $NEEDRESTART_SUSPEND $NEEDRESTART_MODE $(systemctl show -p OOMPolicy --value sinc-apply) >/etc/of-run\" }\n",
    );
    let run = install(&host.lab, &[&MINE[..], &["--with", "other"]].concat()).exits(1);
    let why = "mine failed: its command was killed, as the kernel does when no memory is left";
    assert!(run.stderr.contains(why), "{run}");
    // needrestart would restart the unit that runs apt.
    assert_eq!(host.root("cat /etc/of-run"), "1 l continue\n", "{run}");
}
