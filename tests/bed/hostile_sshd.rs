//! The hosts that are not as one expects, for sshd's settings: files that disagree, every way to log in, full disks; and
//! what happens in the middle of each step of the firewall and of sshd, there and back.

use super::hostile_starts::{
    At, BOTH, FIREWALL, NO_SSHD, SSHD, Start, Strike, What, by, cannot, of_sshd, of_the_firewall, read_only,
    says, sshd, start, with,
};

/// All there are.
pub(crate) fn all() -> Vec<Start> {
    let both = of_sshd().into_iter().filter(|start| !start.name.contains("shuts its drop-ins out"));
    let both =
        both.map(|start| Start { name: format!("{}, and gets settings", start.name), with: BOTH, ..start });
    let mut all = of_the_firewall();
    all.extend(of_sshd());
    all.extend(both);
    all.extend(settings());
    all.extend(logins());
    all.extend(full());
    all.extend(strikes());
    all
}

/// sshd's settings cannot be made there, and are not.
fn not_set(why: &'static str, name: &str, prepare: &'static str, mend: &'static str) -> Start {
    says(why, with(SSHD, cannot(start(name, prepare, mend))))
}

fn settings() -> Vec<Start> {
    vec![
        by(
            "other-port",
            with(BOTH, start("settings for an sshd on another port", sshd!("Port 2200\\n"), NO_SSHD)),
        ),
        by(
            "other-port",
            with(BOTH, start("settings for an sshd on two ports", sshd!("Port 22\\nPort 2200\\n"), NO_SSHD)),
        ),
        with(
            BOTH,
            start(
                "sshd's files contradict each other",
                "printf 'PasswordAuthentication yes\\n' >/etc/ssh/sshd_config.d/10-x.conf; \
                 printf 'PasswordAuthentication no\\nX11Forwarding yes\\n' >/etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
                "rm -f /etc/ssh/sshd_config.d/10-x.conf /etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
            ),
        ),
        with(
            BOTH,
            start(
                "only one user from one address may log in",
                sshd!("AllowUsers dev@10.77.0.1\\nDenyUsers root\\n"),
                NO_SSHD,
            ),
        ),
        with(
            BOTH,
            start(
                "ssh comes by a socket of systemd",
                "systemctl stop ssh; systemctl start ssh.socket",
                "systemctl stop ssh.socket; systemctl start ssh",
            ),
        ),
        // Nobody else knows of its second port.
        says(
            "ssh (port 22 and 2200) through the firewall",
            start(
                "ssh comes by a socket of systemd on two ports",
                "mkdir -p /run/systemd/system/ssh.socket.d; printf '[Socket]\\nListenStream=2200\\n' >/run/systemd/system/ssh.socket.d/x.conf; \
                 printf '#!/bin/sh\\nexit 1\\n' >/usr/local/sbin/ss; chmod 755 /usr/local/sbin/ss; systemctl daemon-reload; \
                 systemctl stop ssh; systemctl start ssh.socket",
                "rm -rf /run/systemd/system/ssh.socket.d /usr/local/sbin/ss; systemctl daemon-reload; systemctl stop ssh.socket; systemctl restart ssh",
            ),
        ),
        by(
            "other-port",
            start(
                "ssh comes by a socket of systemd on another port alone",
                "mkdir -p /run/systemd/system/ssh.socket.d; printf '[Socket]\\nListenStream=\\nListenStream=2200\\n' >/run/systemd/system/ssh.socket.d/x.conf; \
                 systemctl daemon-reload; systemctl stop ssh; systemctl start ssh.socket",
                "rm -rf /run/systemd/system/ssh.socket.d; systemctl daemon-reload; systemctl stop ssh.socket; systemctl restart ssh",
            ),
        ),
        not_set(
            "sshd does not go by it: X11Forwarding is still yes",
            "a file of sshd's is read before sinc's",
            "printf 'X11Forwarding yes\\n' >/etc/ssh/sshd_config.d/00-a.conf; systemctl restart ssh",
            "rm -f /etc/ssh/sshd_config.d/00-a.conf; systemctl restart ssh",
        ),
        not_set(
            "sshd does not go by it: PasswordAuthentication is still yes",
            "sshd_config says otherwise before all its files",
            "cp -a /etc/ssh/sshd_config /root/sshd_config; sed -i '1i PasswordAuthentication yes' /etc/ssh/sshd_config; systemctl restart ssh",
            "cp -a /root/sshd_config /etc/ssh/sshd_config; systemctl restart ssh",
        ),
        not_set(
            "its sshd_config has no Include",
            "sshd's own file shuts the settings out",
            "cp -a /etc/ssh/sshd_config /root/sshd_config; sed -i '/^Include/d' /etc/ssh/sshd_config; systemctl restart ssh",
            "cp -a /root/sshd_config /etc/ssh/sshd_config; systemctl restart ssh",
        ),
        not_set(
            "sshd does not take its new configuration",
            "a file that sshd does not take, and was not told of yet",
            "echo Nonsense >/etc/ssh/sshd_config.d/x.conf",
            "rm /etc/ssh/sshd_config.d/x.conf",
        ),
        not_set(
            "sshd could not be told",
            "sshd cannot be told",
            "printf '#!/bin/sh\\ncase \"$*\" in *reload*ssh*) exit 1 ;; esac\\nexec /usr/bin/systemctl \"$@\"\\n' >/usr/local/sbin/systemctl; chmod 755 /usr/local/sbin/systemctl",
            "rm /usr/local/sbin/systemctl",
        ),
        not_set(
            "warning: strict failed:",
            "no file of sshd's can be written",
            read_only!("/etc/ssh"),
            "umount /etc/ssh",
        ),
        not_set(
            "warning: strict failed:",
            "no timer can be armed for sshd",
            "systemctl mask sinc-guard.timer",
            "systemctl unmask sinc-guard.timer",
        ),
    ]
}

/// A user with a password, and how sshd takes it.
macro_rules! pat {
    ($sshd:literal) => {
        concat!(
            "useradd -m -s /bin/bash pat; echo 'pat:correct horse' | chpasswd; cp -r /home/dev/.ssh /home/pat; chown -R pat: /home/pat; \
             echo 'pat ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/pat; chmod 440 /etc/sudoers.d/pat; ",
            sshd!($sshd)
        )
    };
}
const NO_PAT: &str = "rm -f /etc/ssh/sshd_config.d/x.conf /etc/sudoers.d/pat; systemctl restart ssh; \
    loginctl terminate-user pat; pkill -9 -u pat; userdel -rf pat; true";

/// Each has another way to log in, without which nobody gets in.
fn logins() -> Vec<Start> {
    let pat = |name, prepare| by("pat", with(BOTH, start(name, prepare, NO_PAT)));
    vec![
        pat("only a password is taken", pat!("PubkeyAuthentication no\\nPasswordAuthentication yes\\n")),
        pat(
            "only answers to questions are taken",
            pat!("PubkeyAuthentication no\\nPasswordAuthentication no\\nKbdInteractiveAuthentication yes\\n"),
        ),
        pat(
            "a key and a password are wanted",
            pat!("AuthenticationMethods publickey,password\\nPasswordAuthentication yes\\n"),
        ),
        pat(
            "only this user may log in by a password",
            pat!(
                "PasswordAuthentication no\\nMatch User pat\\n  PubkeyAuthentication no\\n  PasswordAuthentication yes\\n"
            ),
        ),
        by(
            "root-by-password",
            with(
                BOTH,
                start(
                    "only root may log in, by a password alone",
                    concat!(
                        "cp -a /etc/shadow /root/shadow; echo 'root:correct horse' | chpasswd; ",
                        sshd!("AllowUsers root\\nPermitRootLogin yes\\nPubkeyAuthentication no\\n")
                    ),
                    concat!(
                        "cp -a /root/shadow /etc/shadow; ",
                        "rm -f /etc/ssh/sshd_config.d/x.conf; systemctl restart ssh"
                    ),
                ),
            ),
        ),
    ]
}

/// /etc, /var/lib and /tmp on a small disk of their own, and what fills it. (Of /var itself the plan would see that it is small.)
macro_rules! small_disk {
    ($fill:literal) => {
        concat!(
            "mkdir -p /run/full; mount -t tmpfs -o size=32m,nr_inodes=3000,mode=755 tmpfs /run/full; for d in etc var/lib tmp; do \
             mkdir -p /run/full/$d/upper /run/full/$d/work; chmod --reference=/$d /run/full/$d/upper; \
             mount -t overlay overlay -o lowerdir=/$d,upperdir=/run/full/$d/upper,workdir=/run/full/$d/work /$d || exit 1; done; ",
            $fill
        )
    };
}
const BACK: &str = "umount -l /tmp /var/lib /etc /run/full; systemctl daemon-reload";

fn full() -> Vec<Start> {
    let of = |components, name, prepare| {
        says("is its disk full?", with(components, cannot(start(name, prepare, BACK))))
    };
    vec![
        of(FIREWALL, "all of the disk is full", small_disk!("cat /dev/zero >/run/full/fill 2>/dev/null")),
        of(
            SSHD,
            "the disk is full, for sshd's settings",
            small_disk!("cat /dev/zero >/run/full/fill 2>/dev/null"),
        ),
        of(
            FIREWALL,
            "the disk takes no new files",
            small_disk!("touch $(seq -f /run/full/%g 3000) 2>/dev/null"),
        ),
    ]
}

const fn at(says: &'static str, program: &'static str, words: &'static str, done: bool) -> At {
    At { says, program, words, done }
}

/// A rule as for what the tailnet alone may reach.
const RULE: &[&str] = &["ufw", "rule"];
const TELL: &str = "'try-reload-or-restart ssh'";

/// The moments of an installation.
const THERE: [(&[&str], At); 8] = [
    (FIREWALL, at("ssh's port is opened", "ufw", "*allow*22/tcp*", false)),
    (FIREWALL, at("the firewall is turned on", "ufw", "*enable*", false)),
    (FIREWALL, at("the firewall has been turned on", "ufw", "*enable*", true)),
    (RULE, at("the tailnet is let in", "ufw", "*'allow in on tailscale0'*", false)),
    (SSHD, at("sshd is asked for its settings", "sshd", "'-t -f '*", false)),
    (SSHD, at("sshd's file stands", "sshd", "-t", false)),
    (SSHD, at("sshd is told", "systemctl", TELL, false)),
    (SSHD, at("sshd has been told", "systemctl", TELL, true)),
];

/// The moments of the way back.
const BACK_AGAIN: [(&[&str], At); 6] = [
    (FIREWALL, at("ssh's port is given back", "ufw", "*delete*22/tcp*", false)),
    (FIREWALL, at("the firewall is turned off", "ufw", "*disable*", false)),
    (RULE, at("the tailnet's rule goes", "ufw", "*delete*tailscale0*", false)),
    (SSHD, at("sshd's file has gone", "sshd", "-t", false)),
    (SSHD, at("sshd is told that it is as it was", "systemctl", TELL, false)),
    (SSHD, at("sshd has been told that it is as it was", "systemctl", TELL, true)),
];

fn strikes() -> Vec<Start> {
    let whats = [
        ("the line is cut", What::Cut),
        ("sinc is killed", What::Kill),
        ("the work is killed", What::KillWork),
        ("a restart", What::Reboot),
        ("a power loss", What::Crash),
    ];
    let moments = THERE.iter().map(|it| (it, false)).chain(BACK_AGAIN.iter().map(|it| (it, true)));
    let mut all = Vec::new();
    for ((components, at), uninstall) in moments {
        let struck = |name: &str, what, prepare, mend| Start {
            strikes: Some(Strike { what, at: *at, uninstall, shuts: false }),
            ..with(components, start(&format!("{name} while {}", at.says), prepare, mend))
        };
        all.extend(whats.map(|(name, what)| struck(name, what, "true", "true")));
        all.push(struck("the disk is full", What::Full, small_disk!("true"), BACK));
    }
    // A rule of the person's that shuts the port makes room, and comes back.
    for (at, uninstall) in [
        (at("a rule that shuts ssh makes room", "ufw", "*'delete deny 22/tcp'*", true), false),
        (at("a rule that shut ssh comes back", "ufw", "*'deny 22/tcp'", false), true),
    ] {
        all.extend(whats.map(|(name, what)| Start {
            strikes: Some(Strike { what, at, uninstall, shuts: false }),
            ..with(
                FIREWALL,
                start(
                    &format!("{name} while {}", at.says),
                    "ufw deny 22/tcp",
                    "ufw --force delete deny 22/tcp",
                ),
            )
        }));
    }
    // A firewall that lets nobody in, whatever sinc has told it: here it counts that it goes back by itself.
    let (components, at) = THERE[2];
    all.extend(whats.map(|(name, what)| Start {
        strikes: Some(Strike { what, at, uninstall: false, shuts: true }),
        ..with(components, start(&format!("{name} once ssh is shut"), SHUT, NOT_SHUT))
    }));
    all
}

/// The firewall's own files shut ssh to whoever is not connected yet.
const SHUT: &str = "cp -a /etc/ufw/before.rules /root/before.rules; \
    sed -i '/^# End required lines/a -A ufw-before-input -p tcp --dport 22 -m conntrack --ctstate NEW -j DROP' /etc/ufw/before.rules";
const NOT_SHUT: &str = "[ ! -e /root/before.rules ] || mv /root/before.rules /etc/ufw/before.rules";
