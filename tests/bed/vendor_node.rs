//! A vendor's Node that is too old, with an npm of its own, as NodeSource has it; and no network. Real Node, npm and
//! registry, in a package that was made here.

use super::install::Host;

/// Makes that package and puts it there. Who works on the host is told of a registry as sinc is (`/etc/environment`).
const PUT: &str = r#"set -e
set -a; [ ! -e /etc/environment ] || . /etc/environment; set +a
registry=${npm_config_registry:-https://registry.npmjs.org}
dir=/tmp/vendor-node cpu=x64
[ "$(uname -m)" != aarch64 ] || cpu=arm64
rm -rf $dir
mkdir -p $dir/DEBIAN $dir/usr/bin $dir/usr/lib/node_modules/npm
curl -fsSL "${registry%/}/node-linux-$cpu/-/node-linux-$cpu-20.19.5.tgz" | tar -xz -C $dir/usr --strip-components=1 package/bin/node
curl -fsSL "${registry%/}/npm/-/npm-10.8.2.tgz" | tar -xz -C $dir/usr/lib/node_modules/npm --strip-components=1
ln -s ../lib/node_modules/npm/bin/npm-cli.js $dir/usr/bin/npm
chmod 755 $dir/usr/lib/node_modules/npm/bin/npm-cli.js
for field in Conflicts Provides Replaces; do echo "$field: nodejs-dev, nodejs-legacy, npm"; done >$dir/DEBIAN/control
printf '%s\n' 'Package: nodejs' 'Version: 20.19.5-1nodesource1' 'Architecture: all' 'Maintainer: a test <test@example.com>' \
  'Description: a Node of a vendor' >>$dir/DEBIAN/control
dpkg-deb -Znone -b $dir /tmp/vendor-node.deb >/dev/null
dpkg -i /tmp/vendor-node.deb >/dev/null
rm -rf $dir /tmp/vendor-node.deb"#;

/// The vendor's Node, and the way out is open again.
struct VendorNode<'a>(&'a Host);

impl<'a> VendorNode<'a> {
    fn put(host: &'a Host) -> Self {
        let node = Self(host);
        host.root(PUT);
        node
    }
}

impl Drop for VendorNode<'_> {
    fn drop(&mut self) {
        self.0.root("dpkg -P nodejs >/dev/null 2>&1; sed -i '/^npm_config_fetch/d' /etc/environment; true");
    }
}

#[test]
fn a_vendors_node_and_npm_stay_as_they_are_beside_the_new_node() {
    let host = Host::new();
    let before = host.snapshot();
    let vendor = VendorNode::put(&host);
    let files = "find /usr/bin/node /usr/bin/npm /usr/lib/node_modules -type f | sort | xargs sha256sum";
    let (theirs, packages) = (host.root(files), host.root("dpkg-query -W"));
    let args = ["install", "--yes", "--tier", "custom", "--with", "node"];
    let run = host.sinc(&args).success();
    assert!(run.stderr.contains("Done node: install node 22.23.3 with npm"), "{run}");
    assert_eq!(
        host.0.on_host("node --version; npm --version; /usr/bin/node --version"),
        "v22.23.3\n10.8.2\nv20.19.5\n"
    );
    assert_eq!((host.root(files), host.root("dpkg-query -W")), (theirs.clone(), packages.clone()));
    host.sinc(&[&args[..], &["--check"]].concat()).success();

    // Nobody can be reached: npm says so soon, when it does not try again and again.
    host.root("echo npm_config_fetch_retries=0 >>/etc/environment");
    host.0.bed(&["net", "off"]);
    let agent = host.sinc(&["install", "--yes", "--tier", "custom", "--agent", "codex"]).exits(1);
    let why = "codex failed: npm could not install @openai/codex@0.169.0: its registry does not answer (E";
    assert!(agent.stderr.contains(why) && agent.stderr.contains("): does this host reach http"), "{agent}");

    host.sinc(&["uninstall", "--yes"]).success();
    assert_eq!(host.0.on_host("node --version; npm --version"), "v20.19.5\n10.8.2\n");
    assert_eq!((host.root(files), host.root("dpkg-query -W")), (theirs, packages));
    drop(vendor);
    super::install::similar(&before, &host.snapshot());
}

#[test]
fn without_a_network_a_package_fails_with_that_reason_and_apt_works_as_before() {
    let host = Host::new();
    let own = "summary = \"a small package\"\nsource = \"Debian\"\npinned = \"2026-11-28\"\n[[step]]\napt.packages = [\"tree\"]\n";
    host.0.sandbox.write(".config/sinc/components/small.toml", own);
    let update = "apt-get -q update >/tmp/said 2>&1; echo $?; grep '^[WE]:' /tmp/said || true";
    let good = host.root(update);
    host.0.bed(&["net", "off"]);
    let args = ["install", "--yes", "--tier", "custom", "--with", "small"];
    // The lists of before are there, and name a file that cannot be had.
    let stale = host.sinc(&args).exits(1);
    let why = "small failed: apt-get could not install tree, nor fetch the package lists before: does this host reach its mirror? http";
    assert!(stale.stderr.contains(why), "{stale}");
    // A fresh host has none.
    host.root("rm -rf /var/lib/apt/lists/*");
    let none = host.sinc(&args).exits(1);
    let why = "small failed: the package lists cannot be fetched: does this host reach its mirror? http";
    assert!(none.stderr.contains(why), "{none}");
    host.0.bed(&["net", "on"]);
    assert_eq!(host.root(update), good);
    host.sinc(&args).success();
    host.sinc(&["uninstall", "--yes"]).success();
}
