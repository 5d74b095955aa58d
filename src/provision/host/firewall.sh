# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# The firewall, so that nobody is locked out: before the first change a timer is armed that takes all of it back, also
# after a reboot. Only a second, fresh login takes the timer away.

guard=/var/lib/sinc/guard

guard_arm() {
  [ ! -e "$guard/armed" ] || return 0
  rm -rf "$guard"
  private_dir "$guard/before"
  for file in ufw.conf user.rules user6.rules; do
    [ ! -e "/etc/ufw/$file" ] || cp -a "/etc/ufw/$file" "$guard/before/$file"
  done
  cp -a /etc/default/ufw "$guard/before/defaults"
  # Whether it is on now; what its file says may never have been loaded.
  if ufw status | grep -q '^Status: active'; then : >"$guard/before/active"; fi
  printf '%s\n' "$guard_script" >"$guard/take-back.sh"
  cat >/etc/systemd/system/sinc-guard.service <<'END'
[Unit]
Description=sinc: takes the change of the firewall back, because no login confirmed it
[Service]
Type=oneshot
ExecStart=/bin/sh /var/lib/sinc/guard/take-back.sh
END
  cat >/etc/systemd/system/sinc-guard.timer <<'END'
[Unit]
Description=sinc: takes the change of the firewall back unless a login confirms it
[Timer]
OnActiveSec=120
AccuracySec=1
[Install]
WantedBy=timers.target
END
  : >"$guard/armed"
  sync
  systemctl daemon-reload
  systemctl enable sinc-guard.timer
  # Not `--now`: one that has run out is still active for systemd, and would not begin again.
  systemctl restart sinc-guard.timer
  [ "$(systemctl show -p SubState --value sinc-guard.timer)" = waiting ] || because "the timer that would take the firewall back does not run"
}

# What the timer runs; it stands alone. When ufw itself fails, the kernel's own tables are opened.
# shellcheck disable=SC2016 # it is for another shell
guard_script='set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
guard=/var/lib/sinc/guard
[ -e "$guard/armed" ] || exit 0
on=no
if [ -e "$guard/before/active" ]; then on=yes; fi
ufw --force disable || for tables in iptables ip6tables; do "$tables" -P INPUT ACCEPT && "$tables" -F INPUT; done
for file in ufw.conf user.rules user6.rules; do
  [ ! -e "$guard/before/$file" ] || cp -a "$guard/before/$file" "/etc/ufw/$file"
done
cp -a "$guard/before/defaults" /etc/default/ufw
[ $on = no ] || ufw --force enable
rm -f "$guard/armed"
date -u +%Y-%m-%dT%H:%M:%SZ >"$guard/taken-back"
systemctl disable sinc-guard.timer
rm -f /etc/systemd/system/sinc-guard.timer /etc/systemd/system/sinc-guard.service
systemctl daemon-reload
'

# A fresh login has come through.
guard_confirm() {
  [ -e "$guard/armed" ] || { echo "guard none" && return 0; }
  rm -f "$guard/armed"
  sync
  systemctl disable --now sinc-guard.timer 2>/dev/null
  rm -f /etc/systemd/system/sinc-guard.timer /etc/systemd/system/sinc-guard.service
  systemctl daemon-reload
  rm -rf "$guard"
  echo "guard confirmed"
}

guard_take_back() { sh "$guard/take-back.sh"; }

# PORTS: each is opened before all other rules; what lets it through already stays. A rule that shuts this very port
# makes room, and comes back when the port's rule goes.
ufw_ssh() {
  guard_arm
  for port in "$@"; do
    ufw show added | grep -qE "^ufw (allow|limit) $port(/tcp)?( comment .*)?\$" && continue
    shut=$(ufw show added | sed -nE "s,^ufw (deny|reject) $port/tcp( comment .*)?\$,\1,p" | head -n 1)
    if [ -n "$shut" ]; then
      record ufw-was "$shut" "$port/tcp"
      ufw --force delete "$shut" "$port/tcp"
    fi
    record ufw allow "$port/tcp"
    ufw prepend allow "$port/tcp" comment 'sinc:ssh' || ufw allow "$port/tcp" comment 'sinc:ssh'
  done
}

# PORT/PROTOCOL INTERFACE
ufw_allow() {
  guard_arm
  if [ "$1" = any ]; then
    record ufw allow in on "$2"
    ufw allow in on "$2" comment "sinc:$component"
  elif [ -n "$2" ]; then
    record ufw allow in on "$2" to any port "${1%/*}" proto "${1#*/}"
    ufw allow in on "$2" to any port "${1%/*}" proto "${1#*/}" comment "sinc:$component"
  else
    record ufw allow "$1"
    ufw allow "$1" comment "sinc:$component"
  fi
}

# PORTS: sshd's ports are open before it is on
ufw_enable() {
  ufw_ssh "$@"
  record ufw-on
  ufw --force enable || because "the firewall does not start"
  case $(ufw status) in "Status: active"*) ;; *) because "the firewall says that it is not active" ;; esac
}
