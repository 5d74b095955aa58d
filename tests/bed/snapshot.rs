//! What a host has, for a comparison: what `sinc install` put there must be gone after `sinc uninstall`.

use super::lab::Lab;

/// Packages, users, listeners, the firewall with its rules, units of the system and of users, who may work without a login,
/// and the files below /etc, /usr/local and /opt.
pub(super) fn of(lab: &Lab) -> String {
    // The settings of packages that were removed, which apt leaves, what npm itself has, its empty directories, the firewall's rules in the form that is counted above, and what useradd and userdel leave of the
    // lists before, are nobody's.
    root(
        lab,
        "dpkg-query -W -f '${db:Status-Status} ${Package}\\n' | grep '^installed'; cut -d: -f1 /etc/passwd; \
         ss -Hltn | awk '{ print $4 }' | sort; ss -Hlun | awk '{ print \"udp\", $4 }' | sort; ufw status; ufw show added; ls /var/lib/systemd/linger; \
         systemctl list-unit-files --state=enabled --no-legend | sort; find /etc/systemd -type l | sort; \
         find /home/*/.config/systemd -path '/home/ann/*' -prune -o ! -type d -print 2>/dev/null | sort; \
         dpkg-query -W -f '#${db:Status-Status}\\n${Conffiles}\\n' | \
           awk '/^#/ { gone = $1 == \"#config-files\" } gone && /^ / { print $1 }' >/run/conffiles; \
         find /etc -type f ! -name '*cache*' ! -path '*/ufw/user*.rules' ! -path '/etc/*-' | sort | grep -vxFf /run/conffiles | xargs sha256sum; \
         find /usr/local /opt -path '*/node_modules/n[op][dm]*' -prune -o -path '*/lib/node_modules*' -type d -o -print | sort; \
         find /usr/local /opt -path '*/node_modules/n[op][dm]*' -prune -o -type f -print | sort | xargs -r sha256sum",
    )
}

/// The files of the host's user too, but for caches.
pub(super) fn with_home(lab: &Lab) -> String {
    let home = "find /home/dev -type f ! -name '*cache*' ! -name .sudo_as_admin_successful ! -path '*/.cache/*' ! -path '*/.npm/*' \
                | sort | xargs sha256sum";
    of(lab) + &root(lab, home)
}

fn root(lab: &Lab, line: &str) -> String {
    lab.bed(&["vps", "sh", "-c", line])
}
