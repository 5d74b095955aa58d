//! The questions to the host: how everything is that these components want, in one round trip.

use super::component::{Component, Kind, Step};
use super::program::Program;
use super::target::Target;

/// The program that asks; with `logins` also whether what wants a login has one, and what else a person should know, which takes a second or two.
#[must_use]
pub fn probe(target: &Target, components: &[&Component], logins: bool) -> String {
    let mut program = Program::probing(target);
    let mut commands: Vec<&str> = components.iter().flat_map(|it| &it.steps).flat_map(commands_of).collect();
    commands.sort_unstable();
    commands.dedup();
    program.call(&["ask_beside"]);
    if !commands.is_empty() {
        program.call(&[&["ask_versions"], commands.as_slice()].concat());
    }
    for component in components {
        for (number, step) in component.steps.iter().enumerate() {
            let enough = step.decided_by().unwrap_or_default();
            let number = number.to_string();
            let mut words = vec!["probe", &component.name, &number, enough, step.kind.name()];
            if let Kind::Shell(_) = &step.kind {
                words.insert(0, "ask");
            }
            match &step.kind {
                Kind::Apt(apt) => words.extend(apt.packages.iter().map(String::as_str)),
                Kind::Npm(npm) => words.extend([npm.package.as_str(), &npm.command]),
                Kind::Download(download) => words.push(&download.destination),
                Kind::File(file) => words.push(&file.path),
                Kind::Edit(edit) => words.push(&edit.path),
                Kind::Service(service) => words.extend([service.scope.name(), &service.unit]),
                Kind::User(user) => words.push(&user.name),
                Kind::Ufw(_) | Kind::Tailnet(_) => {}
                Kind::Sshd(sshd) => {
                    words.extend(sshd.set.keys().map(String::as_str).chain(["AuthenticationMethods"]));
                }
                Kind::Shell(shell) => {
                    words.extend([if shell.as_user { "yes" } else { "no" }, &shell.check]);
                }
            }
            program.call(&words);
            if let Some(only) = &step.only_if {
                program.call(&["ask", "probe_if", &component.name, &number, &only.check]);
            }
        }
        if let Some(login) = component.about.login.as_ref().filter(|_| logins) {
            program.call(&["ask", "probe_login", &component.name, &login.check]);
        }
        if let Some(warns) = component.about.warns.as_ref().filter(|_| logins) {
            program.call(&["ask", "probe_warns", &component.name, warns]);
        }
    }
    program.call(&["tell_asked"]);
    program.finish()
}

/// The programs whose versions a step asks for.
fn commands_of(step: &Step) -> Vec<&str> {
    let npm = match &step.kind {
        Kind::Npm(npm) => Some(npm.command.as_str()),
        _ => None,
    };
    step.decided_by().into_iter().chain(npm).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::process::{Cmd, Runner};
    use crate::provision::facts::HostFacts;

    /// What `least_free` says where `df` says this; `me` is 0 for root.
    fn least_free(me: &str, home: &str, free: &[(&str, u64)]) -> String {
        let probe = include_str!("host/probe.sh");
        let from = probe.find("least_free() {").unwrap();
        let function = &probe[from..from + probe[from..].find("\n}\n").unwrap() + 3];
        let mut df = "df() {\necho head\nfor it in \"$@\"; do case $it in\n".to_owned();
        for (place, mb) in free {
            df.push_str(&format!("{place}) echo \"/dev/x 9 9 {} 9% {place}\" ;;\n", mb * 1024));
        }
        df.push_str("esac; done\n}\n");
        let text = format!("{df}{function}me={me} home={home}; least_free\n");
        let cmd = Cmd::new("sh", "ask").args(["-s"]).stdin(text);
        String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap()
    }

    #[test]
    fn the_disk_with_the_least_free_space_counts() {
        let disks = [("/", 900), ("/var", 300), ("/usr/local", 900), ("/home", 400), ("/tmp", 50)];
        assert_eq!(least_free("0", "/home", &disks), "300 /var\n");
        assert_eq!(least_free("0", "/tmp", &disks), "50 /tmp\n");
        assert_eq!(least_free("0", "/tmp", &[("/", 70)]), "70 /\n");
        // Without root's rights nothing goes but into the home directory.
        assert_eq!(least_free("1000", "/tmp", &disks), "50 /tmp\n");
        assert_eq!(least_free("1000", "/none", &disks), "900 /\n");
    }

    /// What the function of this name says, after these lines.
    fn said(name: &str, before: &str) -> String {
        let probe = include_str!("host/probe.sh");
        let text = format!("{}\n{before}\n{name}\n", &probe[..probe.find("\nanswers=").unwrap()]);
        let cmd = Cmd::new("sh", "ask").args(["-s"]).stdin(text);
        String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap()
    }

    /// What a program that looks says, after these lines.
    fn answer(lines: &str) -> String {
        let (lib, probe) = (include_str!("host/lib.sh"), include_str!("host/probe.sh"));
        let text = format!("set -- '' dev / none\n{lib}{probe}\n{lines}\n");
        let cmd = Cmd::new("sh", "ask").args(["-s"]).stdin(text);
        String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap()
    }

    #[test]
    fn a_service_that_would_end_with_the_login_is_seen_by_root() {
        let dir = tempfile::tempdir().unwrap();
        let probe = |me: &str, scope: &str| {
            let at = dir.path().display();
            let stands_in =
                "service_ctl() { case $2 in is-enabled) echo enabled ;; *) echo active ;; esac; }";
            answer(&format!("{stands_in}\nme={me} user=dev lingering={at}\nprobe_service {scope} x.service"))
        };
        assert_eq!(probe("0", "user"), "enabled active ends\n");
        assert_eq!(probe("0", "system"), "enabled active\n");
        assert_eq!(probe("1000", "user"), "enabled active\n");
        std::fs::write(dir.path().join("dev"), "").unwrap();
        assert_eq!(probe("0", "user"), "enabled active\n");
    }

    #[test]
    fn packages_are_not_broken_while_a_package_manager_is_at_work() {
        let probe = |holders: &str| {
            // Each of the words is one answer; `-` is nobody.
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("holders"), holders.replace(' ', "\n") + "\n").unwrap();
            answer(&format!(
                "cd {}\npackage_lock_holder() {{ sed -n 1p holders | tr -d -; sed -i 1d holders; }}\n\
                 dpkg() {{ echo 'half installed'; }}\nif packages_are_broken; then echo broken; fi",
                dir.path().display()
            ))
        };
        assert_eq!(probe("- -"), "broken\n");
        assert_eq!(probe("812"), "");
        assert_eq!(probe("- 812"), "");
    }

    #[test]
    fn an_unpacked_download_without_a_whole_sum_is_as_if_it_were_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(".sinc-sha256");
        let probe = || answer(&format!("probe_download '{}'", dir.path().display()));
        assert_eq!(probe(), "-\n");
        for text in ["", "\0\0\0\0", "\n", "0f0f\n"] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(probe(), "-\n", "{text:?}");
        }
        let sum = "0f".repeat(32) + "\n";
        std::fs::write(&file, &sum).unwrap();
        assert_eq!(probe(), sum);
    }

    #[test]
    fn the_names_in_a_path_are_the_same_as_those_of_the_plan() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        std::fs::write(dir.path().join("os"), "ID=debian\nVERSION_ID=12\nVERSION_CODENAME=bookworm\n")
            .unwrap();
        let path = "{home}/{user}-{codename}-{arch}/{arch}";
        let host = |arch: &str, codename: &str| HostFacts {
            arch: arch.to_owned(),
            codename: codename.to_owned(),
            user: "dev".to_owned(),
            home: home.to_owned(),
            ..HostFacts::default()
        };
        let probe = |arch: &str, os: &str, call: &str| {
            answer(&format!(
                "uname() {{ echo {arch}; }}\nhome={home} user=dev os_release={home}/{os}\n{call}"
            ))
        };
        for (arch, os, codename) in
            [("x86_64", "os", "bookworm"), ("aarch64", "os", "bookworm"), ("riscv64", "none", "?")]
        {
            let expanded = host(arch, codename).expand(path);
            assert_eq!(probe(arch, os, &format!("expand '{path}'; echo \"$it\"")), format!("{expanded}\n"));
            // So it is there for the next look too.
            std::fs::create_dir_all(Path::new(&expanded).parent().unwrap()).unwrap();
            std::fs::write(&expanded, "").unwrap();
            for kind in ["file", "download", "edit"] {
                let said = probe(arch, os, &format!("probe_{kind} '{path}'"));
                assert!(!said.starts_with('-'), "{kind}: {said}");
            }
        }
    }

    #[test]
    fn that_there_are_notes_of_a_user_is_seen_and_none_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().display();
        let is_there = |before: &str| {
            said("noted_apart && echo yes || echo no", &format!("me=0 user=dev home={home}\n{before}"))
                == "yes\n"
        };
        assert!(!is_there(""));
        std::fs::create_dir_all(dir.path().join(".local/state/sinc/installed")).unwrap();
        assert!(!is_there(""));
        std::fs::write(dir.path().join(".local/state/sinc/installed/mine"), "file\t/etc/shadow\t\n").unwrap();
        assert!(is_there("") && !is_there("me=1000") && !is_there("user=root"));
    }

    #[test]
    fn the_memory_that_is_free_is_read_with_the_swap() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let probe = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            said("free_memory", &format!("memory={}", file.path().display()))
        };
        let lines = "MemTotal: 1009876 kB\nMemFree: 90000 kB\nMemAvailable: 720000 kB\n";
        assert_eq!(probe(&format!("{lines}SwapTotal: 0 kB\nSwapFree: 0 kB\n")), "memory 703\n");
        assert_eq!(probe(&format!("{lines}SwapFree: 1048576 kB\n")), "memory 1727\n");
        assert_eq!(probe("MemTotal: 1009876 kB\n"), "");
        assert_eq!(said("free_memory", "memory=/nothing"), "");
    }

    #[test]
    fn a_program_is_seen_where_its_own_installer_puts_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        let functions = crate::provision::program::functions(["version_of"]).join("\n");
        let probe = || {
            let text =
                format!("{functions}\nme=1000 user=dev home={home} state={home}\nversion_of opencode\n");
            let cmd = Cmd::new("sh", "ask").args(["-s"]).stdin(text);
            String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap()
        };
        let put = |place: &str, version: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            let file = dir.path().join(place).join("opencode");
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, format!("#!/bin/sh\necho {version}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        put(".local/bin", "1.18.33");
        assert_eq!(probe(), "1.18.33\n");
        // In a terminal of the person's it is this one that runs then.
        put(".opencode/bin", "1.19.0");
        assert_eq!(probe(), "1.19.0\n");
    }

    #[test]
    fn every_port_that_a_login_may_come_by_is_known() {
        let ports = |before: &str| {
            let nothing = "ask_sshd() { :; }\ncat() { :; }\nss() { :; }\nsystemctl() { :; }\n";
            let said = said("ssh_ports", &format!("{nothing}connection=''\n{before}\n"));
            said.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        let socket = "echo 'Listen=[::]:2200 (Stream)'; echo 'Listen=/run/x (Stream)'; echo 'Listen=0.0.0.0:2201 (Stream)'";
        for (before, wanted) in [
            ("", ""),
            ("connection='192.0.2.1 50000 203.0.113.7 2222'", "2222"),
            ("ask_sshd() { printf 'port 22\\nlistenaddress [::]:2203\\nusedns no\\n'; }", "22 2203"),
            ("cat() { printf 'Port 2204\\n#Port 1\\n'; }", "2204"),
            (
                "ss() { echo 'LISTEN 0 128 [::]:2205 [::]:* users:((\"sshd\",pid=7,fd=4))'; \
                 echo 'LISTEN 0 128 127.0.0.1:6010 0.0.0.0:* users:((\"sshd\",pid=8,fd=9))'; }",
                "2205",
            ),
            (
                &format!("systemctl() {{ [ \"$*\" = 'show -p Listen ssh.socket' ] && {{ {socket}; }}; }}"),
                "2200 2201",
            ),
        ] {
            assert_eq!(ports(before), wanted, "{before}");
        }
    }

    #[test]
    fn a_tunnel_of_the_hosts_own_is_known_by_its_device() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().to_str().unwrap();
        for (device, file, text) in [
            ("wg0", "uevent", "DEVTYPE=wireguard\nINTERFACE=wg0\n"),
            ("tun0", "tun_flags", "0x1001\n"),
            ("tap0", "tun_flags", "0x1002\n"),
            ("tailscale0", "tun_flags", "0x1001\n"),
            ("ppp0", "type", "512\n"),
            ("ppp1", "type", "512\n"),
            ("eth0", "type", "1\n"),
        ] {
            std::fs::create_dir(dir.path().join(device)).unwrap();
            std::fs::write(dir.path().join(device).join(file), text).unwrap();
        }
        let probe = |device: &str| {
            let before = format!(
                "connection='10.8.0.2 50000 10.8.0.1 22'\n\
                 ip() {{ case \"$*\" in\n\
                 'route get 10.8.0.2') echo \"10.8.0.2 dev {device} src 10.8.0.1 uid 0\" ;;\n\
                 'route show default dev ppp1') echo 'default scope link' ;;\n\
                 esac; }}\n\
                 wg() {{ [ \"$2\" = wg0 ] && echo 51820; }}\n\
                 ss() {{ echo 'UNCONN 0 0 0.0.0.0:1194 0.0.0.0:* users:((\"openvpn\",pid=7,fd=6))'; }}\n\
                 devices={at}\n"
            );
            said("own_vpn", &before)
        };
        assert_eq!(probe("wg0"), "own-vpn wg0 51820/udp\n");
        assert_eq!(probe("tun0"), "own-vpn tun0 1194/udp\n");
        assert_eq!(probe("ppp0"), "own-vpn ppp0 \n", "its port is not known");
        // The last one is the host's own way out.
        for device in ["tap0", "tailscale0", "eth0", "ppp1"] {
            assert_eq!(probe(device), "", "{device}");
        }
    }

    #[test]
    fn a_login_that_comes_by_ipsec_is_known_by_the_kernels_policies() {
        let policy = |from: &str, lines: &str| format!("src {from} dst 203.0.113.7/32 {lines}\n");
        let to = "\n\tdir in priority 375423 ptype main \n\ttmpl src 198.51.100.1 dst 203.0.113.7\n\t\tproto esp reqid 1 mode tunnel";
        let probe = |from: &str, policies: &str| {
            let before = format!(
                "devices=/nothing connection='{from} 50000 203.0.113.7 22'\nip() {{ case $1 in xfrm) cat <<'END'\n{policies}END\n\
                 ;; route) [ \"$2\" != get ] || echo \"$3 dev eth0\" ;; esac; }}\n"
            );
            said("own_vpn", &before)
        };
        let outwards = policy("10.8.0.0/24", &to.replace("dir in", "dir out"));
        for (from, policies, is) in [
            ("10.8.0.2", policy("10.8.0.0/24", to), true),
            ("10.8.0.2", outwards.clone() + &policy("0.0.0.0/0", to), true),
            ("10.8.0.2", policy("10.8.0.2/32", &format!("proto tcp dport 22 {to}")), true),
            ("fd00::2", policy("fd00::/64", to), true),
            ("10.8.1.2", policy("10.8.0.0/24", to), false),
            ("10.8.0.2", policy("fd00::/64", to), false),
            ("10.8.0.2", policy("0.0.0.0/0", &format!("proto udp dport 1701 {to}")), false),
            ("10.8.0.2", policy("0.0.0.0/0", &format!("{to}\n\tif_id 0x2a")), false),
            ("10.8.0.2", policy("0.0.0.0/0", "\n\tdir in priority 0 ptype main"), false),
            ("10.8.0.2", outwards, false),
            ("10.8.0.2", String::new(), false),
        ] {
            assert_eq!(
                probe(from, &policies),
                if is { "own-vpn IPsec \n" } else { "" },
                "{from}: {policies}"
            );
        }
    }

    #[test]
    fn the_address_that_a_login_comes_from_is_told() {
        let says = |connection: &str| {
            let quiet = "by_tailnet() { return 1; }\nls() { :; }\nis_running() { return 1; }\n\
                me=1000 state=/nothing home=/ user=dev login=dev rights=none\n";
            let said = said("host_facts", &format!("{quiet}connection='{connection}'"));
            said.lines().filter(|line| line.starts_with("from")).collect::<String>()
        };
        assert_eq!(says("100.90.1.2 50000 10.8.0.1 22"), "from 100.90.1.2");
        assert_eq!(says(""), "");
    }

    #[test]
    fn the_day_on_which_the_key_of_the_tailnet_expires_is_read() {
        let probe = |line: &str| {
            let json = format!("{{\n  \"Self\": {{\n    \"HostName\": \"x\"{line}\n  }}\n}}");
            said("key_expires", &format!("timeout() {{ echo '{json}'; }}\ntailscale() {{ :; }}\n"))
        };
        assert_eq!(probe(",\n    \"KeyExpiry\": \"2027-05-01T10:11:12Z\""), "key-expires 2027-05-01\n");
        assert_eq!(probe(",\n    \"KeyExpiry\": \"0001-01-01T00:00:00Z\""), "");
        assert_eq!(probe(""), "");
    }

    #[test]
    fn what_docker_lets_in_is_read_from_its_own_chain() {
        let rules = "-N DOCKER\n-A DOCKER -i docker0 -j RETURN\n\
            -A DOCKER ! -i docker0 -p tcp -m tcp --dport 5432 -j DNAT --to-destination 172.17.0.2:5432\n\
            -A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 6379 -j DNAT --to-destination 172.17.0.3:6379\n\
            -A DOCKER ! -i br-1 -p udp -m udp --dport 53 -j DNAT --to-destination 172.18.0.2:53\n\
            -A DOCKER ! -i br-1 -p tcp -m tcp --dport 5432 -j DNAT --to-destination 172.18.0.3:5432";
        let probe = |me: &str, bridge: &str| {
            let before =
                format!("me={me}\nls() {{ echo {bridge}; }}\niptables() {{ cat <<'END'\n{rules}\nEND\n}}\n");
            said("docker_ports", &before)
        };
        assert_eq!(probe("0", "docker0"), "docker-port 5432/tcp\ndocker-port 53/udp\n");
        assert_eq!(probe("0", "''"), "");
        assert_eq!(probe("1000", "docker0"), "");
        // Without the program, and without the chain, there is nothing to tell.
        assert_eq!(
            said(
                "docker_ports",
                "me=0 PATH=/nothing; ls() { echo x; }; iptables() { return 1; }; awk() { :; }"
            ),
            ""
        );
    }

    #[test]
    fn a_policy_that_shuts_what_no_rule_lets_in_is_told_and_rules_alone_are_not() {
        let rules = "-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n-A INPUT -j DROP\n-N DOCKER-USER";
        let probe = |me: &str, four: &str, six: &str| {
            let says = |text: &str| match text {
                "" => "return 1".to_owned(),
                text => format!("printf '%s\\n' '{text}' '{rules}'"),
            };
            said(
                "own_policy",
                &format!(
                    "me={me}\niptables() {{ {}; }}\nip6tables() {{ {}; }}\n\
                     nft() {{ [ \"$*\" = 'list chain ip filter INPUT' ] && echo \"${{nft:-}}\"; }}\n",
                    says(four),
                    says(six)
                ),
            )
        };
        let (open, shut) = ("-P INPUT ACCEPT", "-P INPUT DROP");
        assert_eq!(probe("0", open, open), "");
        assert_eq!(probe("0", shut, open), "own-policy\n");
        assert_eq!(probe("0", open, shut), "own-policy\n");
        assert_eq!(probe("0", shut, shut), "own-policy\n");
        assert_eq!(probe("1000", shut, shut), "");
        // Neither program is there.
        assert_eq!(probe("0", "", ""), "");
        let hook =
            |policy: &str| format!("0\nnft=' type filter hook input priority filter; policy {policy};'");
        assert_eq!(probe(&hook("drop"), "", ""), "own-policy\n");
        assert_eq!(probe(&hook("accept"), "", ""), "");
    }

    #[test]
    fn that_all_of_ipv6_would_be_dropped_is_read_from_ufws_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let probe = |defaults: Option<&str>, addresses: &str| {
            let file = dir.path().join("defaults");
            let _ = std::fs::remove_file(&file);
            defaults.iter().for_each(|text| std::fs::write(&file, text).unwrap());
            std::fs::write(dir.path().join("addresses"), addresses).unwrap();
            said("drops_ipv6", &format!("defaults={at}/defaults addresses={at}/addresses"))
        };
        let lo = "00000000000000000000000000000001 01 80 10 80       lo\n";
        for says in ["IPV6=no\n", "IPV6=\"no\"\n", "#IPV6=yes\n", "IPV6=yes\nIPV6='no' # not now\n"] {
            assert_eq!(probe(Some(says), lo), "drops-ipv6\n", "{says}");
            assert_eq!(probe(Some(says), ""), "", "{says}");
        }
        for says in ["IPV6=yes\n", "IPV6=\"yes\"\n", "IPV6=YES\n", "IPV6=no\nIPV6=yes\n"] {
            assert_eq!(probe(Some(says), lo), "", "{says}");
        }
        assert_eq!(probe(None, lo), "", "its package says yes");
    }

    /// What is asked of these, where a directory can be made in `tmp`.
    fn asked(tmp: &str, calls: &str) -> String {
        let probe = include_str!("host/probe.sh");
        let functions = &probe[probe.find("\nanswers=").unwrap()..probe.find("\n# probe COMPONENT").unwrap()];
        let text = format!("{functions}\nask_beside 2>/dev/null\n{calls}\ntell_asked\n");
        let cmd = Cmd::new("sh", "ask").args(["-s"]).env("TMPDIR", tmp).stdin(text);
        String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap()
    }

    #[test]
    fn what_is_asked_at_the_same_time_is_told_whole_and_nothing_stays() {
        let dir = tempfile::tempdir().unwrap();
        let tmp = dir.path().to_str().unwrap();
        // Each waits for what another one makes.
        let calls = format!(
            "wait_for() {{ until [ -e {tmp}/$1 ]; do sleep 0.01; done; seq 9999; echo \"$1\"; }}\n\
             ask wait_for one\nask wait_for two\ntouch {tmp}/two {tmp}/one"
        );
        let said = asked(tmp, &calls);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!((lines.len(), lines[9999], lines[19_999]), (20_000, "one", "two"));
        let left: Vec<_> = std::fs::read_dir(tmp).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert_eq!(asked(tmp, ":"), "");
        // Nothing can be written: one after the other.
        assert_eq!(asked("/nothing", "ask echo one; ask echo two"), "one\ntwo\n");
    }
}
