//! The hosts that are not as one expects: what each is made to be, what sinc says to it, how it is made ordinary again.

/// What a host is made to be.
pub(crate) struct Start {
    pub(crate) name: String,
    /// What is put there.
    pub(crate) with: &'static [&'static str],
    /// How it is reached, by a name in `hostile.rs`.
    pub(crate) host: &'static str,
    pub(crate) prepare: &'static str,
    pub(crate) mend: &'static str,
    /// What sinc ends with, and what it says.
    pub(crate) code: i32,
    pub(crate) says: &'static str,
    /// Something that happens in the middle.
    pub(crate) strikes: Option<Strike>,
}

/// What happens, and at which moment.
pub(crate) struct Strike {
    pub(crate) what: What,
    pub(crate) at: At,
    /// While it is taken back, not while it is put there.
    pub(crate) uninstall: bool,
    /// What is done then shuts ssh: nothing but the timer lets it in again.
    pub(crate) shuts: bool,
}

/// A moment: this program is called with words like these, and waits for what happens.
#[derive(Clone, Copy)]
pub(crate) struct At {
    pub(crate) says: &'static str,
    pub(crate) program: &'static str,
    pub(crate) words: &'static str,
    /// It waits when it has done what it was called for, not before.
    pub(crate) done: bool,
}

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// The line is cut, and comes back.
    Cut,
    /// sinc is killed.
    Kill,
    /// The host is started anew.
    Reboot,
    /// The host loses its power.
    Crash,
    /// The work on the host is killed.
    KillWork,
    /// The disk is full from then on, and sinc is killed.
    Full,
}

/// The firewall.
pub(crate) const FIREWALL: &[&str] = &["ufw"];
/// sshd's settings, those of the component `hardening`.
pub(crate) const SSHD: &[&str] = &["strict"];
/// Both.
pub(crate) const BOTH: &[&str] = &["ufw", "strict"];

pub(crate) fn start(name: &str, prepare: &'static str, mend: &'static str) -> Start {
    let (name, says) = (name.to_owned(), "by a second login");
    Start { name, with: FIREWALL, host: "vps", prepare, mend, code: 0, says, strikes: None }
}

pub(crate) fn by(host: &'static str, start: Start) -> Start {
    Start { host, ..start }
}

pub(crate) fn with(with: &'static [&'static str], start: Start) -> Start {
    Start { with, ..start }
}

/// It cannot be done there, and is not.
pub(crate) fn cannot(start: Start) -> Start {
    Start { code: 1, says: "warning: ufw failed:", ..start }
}

pub(crate) fn says(says: &'static str, start: Start) -> Start {
    Start { says, ..start }
}

/// A file of sshd's settings.
macro_rules! sshd {
    ($text:literal) => {
        concat!("printf '", $text, "' >/etc/ssh/sshd_config.d/x.conf; systemctl restart ssh")
    };
}
pub(crate) const NO_SSHD: &str = "rm -f /etc/ssh/sshd_config.d/x.conf; systemctl restart ssh";

macro_rules! read_only {
    ($dir:literal) => {
        concat!("mount --bind ", $dir, " ", $dir, "; mount -o remount,ro,bind ", $dir)
    };
}
pub(crate) use {read_only, sshd};

/// About the firewall. The first ones are the ones most worth knowing.
pub(crate) fn of_the_firewall() -> Vec<Start> {
    vec![
        // Rules of the person's own.
        start(
            "a rule of the person's shuts everything",
            "ufw deny from any",
            "ufw --force delete deny from any",
        ),
        by("by-ipv6", start("the login comes by IPv6", "true", "true")),
        by("other-port", start("ssh is on another port alone", sshd!("Port 2200\\n"), NO_SSHD)),
        start(
            "the firewall is on and lets only this address in",
            "ufw allow from 10.77.0.1; ufw --force enable",
            "ufw --force disable; ufw --force delete allow from 10.77.0.1",
        ),
        by("other-port", start("ssh is on two ports", sshd!("Port 22\\nPort 2200\\n"), NO_SSHD)),
        start("ssh's port is denied", "ufw deny 22/tcp", "ufw --force delete deny 22/tcp"),
        start(
            "ssh's port is rejected, with a word on why",
            "ufw reject ssh/tcp comment 'not now'",
            "ufw --force delete reject 22/tcp",
        ),
        start("ssh's port is denied to both protocols", "ufw deny 22", "ufw --force delete deny 22"),
        start(
            "ssh's port is let in behind a rule that shuts it",
            "ufw allow 80/tcp; ufw deny 22; ufw allow 22/tcp comment mine; ufw deny 443",
            "ufw --force delete allow 80/tcp; ufw --force delete deny 22; ufw --force delete allow 22/tcp; ufw --force delete deny 443",
        ),
        start(
            "ssh's port is let in for both protocols, and this address is denied before",
            "ufw deny from 10.77.0.0/24; ufw allow 22",
            "ufw --force delete deny from 10.77.0.0/24; ufw --force delete allow 22",
        ),
        start("ssh is limited by the person", "ufw limit ssh", "ufw --force delete limit ssh"),
        start("ssh is let in by name", "ufw allow OpenSSH", "ufw --force delete allow OpenSSH"),
        start("ssh is let in for both protocols", "ufw allow 22", "ufw --force delete allow 22"),
        says(
            "everything is as it should be",
            start(
                "the firewall is on, with ssh limited",
                "ufw limit 22/tcp comment mine; ufw --force enable",
                "ufw --force disable; ufw --force delete limit 22/tcp",
            ),
        ),
        start(
            "rules, and none of ssh",
            "ufw allow 80/tcp; ufw deny 443; ufw allow from 192.0.2.0/24 to any port 5432 proto tcp",
            "ufw --force delete allow 80/tcp; ufw --force delete deny 443; ufw --force delete allow from 192.0.2.0/24 to any port 5432 proto tcp",
        ),
        start(
            "forty rules",
            "for n in $(seq 6001 6040); do ufw allow $n/tcp; done",
            "for n in $(seq 6001 6040); do ufw --force delete allow $n/tcp; done",
        ),
        start(
            "a rule on an interface that is not there",
            "ufw deny in on eth9 to any port 22 proto tcp",
            "ufw --force delete deny in on eth9 to any port 22 proto tcp",
        ),
        start(
            "this address is denied",
            "ufw deny from 10.77.0.1 to any port 22 proto tcp",
            "ufw --force delete deny from 10.77.0.1 to any port 22 proto tcp",
        ),
        // Its defaults and files.
        says(
            "shuts the rest",
            start(
                "the firewall lets everything in by default",
                "ufw default allow incoming",
                "ufw default deny incoming",
            ),
        ),
        start("the firewall rejects by default", "ufw default reject incoming", "ufw default deny incoming"),
        start("the firewall lets nothing out", "ufw default deny outgoing", "ufw default allow outgoing"),
        start("the firewall logs everything", "ufw logging full", "ufw logging off"),
        says(
            "does not say IPV6=yes",
            cannot(start(
                "without IPv6 in the firewall",
                "sed -i 's/^IPV6=yes/IPV6=no/' /etc/default/ufw",
                "sed -i 's/^IPV6=no/IPV6=yes/' /etc/default/ufw",
            )),
        ),
        start(
            "without IPv6",
            "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1; sed -i 's/^IPV6=yes/IPV6=no/' /etc/default/ufw",
            "sysctl -q -w net.ipv6.conf.all.disable_ipv6=0; ip addr add fd77::2/64 dev eth0 nodad; sed -i 's/^IPV6=no/IPV6=yes/' /etc/default/ufw",
        ),
        start(
            "its file says that it is on, and it is not",
            "sed -i 's/^ENABLED=no/ENABLED=yes/' /etc/ufw/ufw.conf",
            "ufw --force disable",
        ),
        cannot(start("the firewall's rules cannot be written", read_only!("/etc/ufw"), "umount /etc/ufw")),
        cannot(start(
            "the firewall's defaults are missing",
            "mv /etc/default/ufw /etc/default/ufw.away",
            "mv /etc/default/ufw.away /etc/default/ufw",
        )),
        cannot(start(
            "the firewall's own rules are broken",
            "cp -a /etc/ufw/before.rules /root/before.rules; sed -i '/^COMMIT/i -A nonsense' /etc/ufw/before.rules",
            "cp -a /root/before.rules /etc/ufw/before.rules; rm /root/before.rules",
        )),
        // Programs that are missing, or do something else.
        cannot(start(
            "the firewall's own tools are missing",
            "mv /usr/sbin/iptables /usr/sbin/iptables.away",
            "mv /usr/sbin/iptables.away /usr/sbin/iptables",
        )),
        cannot(start(
            "tables are loaded by a program that fails",
            "mv /usr/sbin/iptables-restore /usr/sbin/iptables-restore.away; printf '#!/bin/sh\\nexit 1\\n' >/usr/sbin/iptables-restore; chmod 755 /usr/sbin/iptables-restore",
            "mv /usr/sbin/iptables-restore.away /usr/sbin/iptables-restore",
        )),
        cannot(start(
            "the firewall does not run at all",
            "mv /usr/sbin/ufw /usr/sbin/ufw.away; printf '#!/bin/sh\\nexit 1\\n' >/usr/sbin/ufw; chmod 755 /usr/sbin/ufw",
            "mv /usr/sbin/ufw.away /usr/sbin/ufw",
        )),
        start(
            "the firewall says that it is on, and fails",
            "printf '#!/bin/sh\\n/usr/sbin/ufw \"$@\"\\n' >/usr/local/sbin/ufw; chmod 755 /usr/local/sbin/ufw",
            "rm /usr/local/sbin/ufw",
        ),
        cannot(start(
            "the firewall is turned on and says that it failed",
            "printf '#!/bin/sh\\n/usr/sbin/ufw \"$@\"\\ncase \"$*\" in *enable*) exit 1 ;; esac\\n' >/usr/local/sbin/ufw; chmod 755 /usr/local/sbin/ufw",
            "rm /usr/local/sbin/ufw",
        )),
        cannot(start(
            "no timer can be armed",
            "systemctl mask sinc-guard.timer",
            "systemctl unmask sinc-guard.timer",
        )),
        cannot(start(
            "no unit can be written",
            read_only!("/etc/systemd/system"),
            "umount /etc/systemd/system",
        )),
        start(
            "a clock of 1970, as its programs tell",
            "printf '#!/bin/sh\\nexec /usr/bin/date -d @7 \"$@\"\\n' >/usr/local/bin/date; chmod 755 /usr/local/bin/date",
            "rm /usr/local/bin/date",
        ),
        start(
            "a clock that jumps back and forth",
            "printf '#!/bin/sh\\ns=$(/usr/bin/date +%%N | tail -c 2)\\nexec /usr/bin/date -d @${s}000000000 \"$@\"\\n' >/usr/local/bin/date; chmod 755 /usr/local/bin/date",
            "rm /usr/local/bin/date",
        ),
        // Disks.
        says(
            "is its disk full?",
            cannot(start(
                "the disk of sinc's own notes is full",
                "mkdir -p /var/lib/sinc; mount -t tmpfs -o size=16k,mode=700 tmpfs /var/lib/sinc; cat /dev/zero >/var/lib/sinc/full 2>/dev/null",
                "umount /var/lib/sinc",
            )),
        ),
        start(
            "no room for temporary files",
            "mount -t tmpfs -o size=4k tmpfs /tmp; cat /dev/zero >/tmp/full 2>/dev/null",
            "umount /tmp",
        ),
        start("/etc/ssh cannot be written", read_only!("/etc/ssh"), "umount /etc/ssh"),
        start("the home directory cannot be written", read_only!("/home/dev"), "umount /home/dev"),
        // Tables of the person's own.
        start(
            "tables of the person's own",
            "nft add table inet mine; nft add chain inet mine input '{ type filter hook input priority 0; policy accept; }'; nft add rule inet mine input tcp dport 9 drop",
            "nft delete table inet mine",
        ),
        start(
            "tables of the person's own, that let in ssh alone",
            "nft -f - <<'END'\ntable inet mine { chain input { type filter hook input priority 10; policy drop; ct state established,related accept; iif lo accept; tcp dport 22 accept; }; }\nEND",
            "nft delete table inet mine",
        ),
        start(
            "a rule of the person's own beside the firewall's",
            "iptables -A INPUT -p tcp --dport 9 -j DROP",
            "iptables -D INPUT -p tcp --dport 9 -j DROP",
        ),
        says(
            "a firewall of your own is there",
            cannot(start(
                "a firewall of the person's own in the same tables",
                "iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables -A INPUT -p tcp --dport 22 -j ACCEPT; iptables -P INPUT DROP",
                "iptables -P INPUT ACCEPT; iptables -D INPUT -i lo -j ACCEPT; iptables -D INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; iptables -D INPUT -p tcp --dport 22 -j ACCEPT",
            )),
        ),
        // What an earlier run left.
        start(
            "a guard of an earlier run without its timer",
            "mkdir -p /var/lib/sinc/guard/before; echo 'exit 1' >/var/lib/sinc/guard/take-back.sh; : >/var/lib/sinc/guard/armed",
            "true",
        ),
        start(
            "a timer of an earlier run without its guard",
            "printf '[Timer]\\nOnActiveSec=1\\n' >/etc/systemd/system/sinc-guard.timer; printf '[Service]\\nExecStart=/bin/false\\n' >/etc/systemd/system/sinc-guard.service; systemctl daemon-reload; systemctl start sinc-guard.timer",
            "true",
        ),
    ]
}

/// About sshd's settings, and logins: `hostile_sshd.rs` has more of them.
pub(crate) fn of_sshd() -> Vec<Start> {
    vec![
        // sshd's settings, and logins.
        start(
            "sshd's files disagree",
            sshd!("ListenAddress 0.0.0.0:22\\nListenAddress 0.0.0.0:2201\\nAddressFamily inet\\n"),
            NO_SSHD,
        ),
        by(
            "other-port",
            start(
                "sshd listens on two addresses",
                sshd!("ListenAddress 127.0.0.1:22\\nListenAddress 10.77.0.2:2200\\n"),
                NO_SSHD,
            ),
        ),
        start(
            "sshd's own file shuts its drop-ins out",
            "cp /etc/ssh/sshd_config /root/sshd_config; sed -i '/^Include/d' /etc/ssh/sshd_config; echo 'Port 2299' >/etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
            "cp /root/sshd_config /etc/ssh/sshd_config; rm -f /etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
        ),
        start(
            "sshd's files have a port that is none",
            "printf '# Port abc\\nMatch User nobody\\n  X11Forwarding no\\n' >/etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
            NO_SSHD,
        ),
        start("only one user may log in", sshd!("AllowUsers dev\\n"), NO_SSHD),
        by(
            "as-root",
            start(
                "only root may log in",
                sshd!("AllowUsers root\\nPermitRootLogin prohibit-password\\n"),
                NO_SSHD,
            ),
        ),
        start("root may not log in", sshd!("PermitRootLogin no\\n"), NO_SSHD),
        start("only a group may log in", sshd!("AllowGroups dev\\n"), NO_SSHD),
        start(
            "only keys are taken",
            sshd!("AuthenticationMethods publickey\\nPasswordAuthentication no\\n"),
            NO_SSHD,
        ),
        start("one try to log in", sshd!("MaxAuthTries 1\\nMaxStartups 1\\nLoginGraceTime 10\\n"), NO_SSHD),
        start(
            "a banner, and a word at each login",
            "echo hello >/etc/motd; printf 'Banner /etc/issue\\n' >/etc/ssh/sshd_config.d/x.conf; echo 'echo hello' >>/home/dev/.bashrc; systemctl restart ssh",
            "rm -f /etc/motd /etc/ssh/sshd_config.d/x.conf; sed -i '/^echo hello$/d' /home/dev/.bashrc; systemctl restart ssh",
        ),
        start("another shell", "chsh -s /usr/bin/tcsh dev", "chsh -s /bin/bash dev"),
    ]
}
