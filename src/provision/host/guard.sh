# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# Nobody is locked out: before the first change of the firewall or of sshd a timer is armed that takes all of it back,
# also after a reboot. Only a second, fresh login takes the timer away. One lock is for all that changes any of it.

guard=/var/lib/sinc/guard
guard_lock=/var/lib/sinc/guard.lock
guard_sshd=/etc/ssh/sshd_config.d/00-sinc.conf
# Its files were changed, and it has not been told yet.
guard_untold=/var/lib/sinc/sshd-untold
sshd_tell() { systemctl try-reload-or-restart ssh && rm -f "$guard_untold"; }

# A step that changes the firewall or sshd stands between these two. Its shell's end gives the lock back.
# guard_begin WHAT: `firewall`, `sshd`, or `tailnet` for what only a login through the tailnet confirms
guard_begin() {
  what=$1
  private_dir "$state/installed"
  exec 7>"$guard_lock"
  flock -w 180 7 || because "the firewall is being changed by something else since 3 minutes ($guard_lock)"
  guard_arm
}
# When its time has run out meanwhile, all that was changed goes back: the step fails.
guard_end() {
  guard_holds || because "the two minutes after which the host takes it back ran out meanwhile"
}

# Does the timer still wait?
guard_holds() {
  [ -e "$guard/armed" ] && [ "$(systemctl show -p SubState --value sinc-guard.timer)" = waiting ] &&
    [ "$(systemctl show -p ActiveState --value sinc-guard.service)" != activating ]
}

# The timer begins anew with each change, and the change has a name of its own: a login that began before it proves
# nothing about it.
guard_arm() {
  first=
  if [ ! -e "$guard/armed" ]; then
    first=yes
    guard_keep
  fi
  # All that waits for the same login.
  was=$(cut -d' ' -f2- "$guard/armed" 2>/dev/null || true)
  case " $was " in *" $what "*) what=$was ;; *) what="${was:+$was }$what" ;; esac
  echo "$(cat /proc/sys/kernel/random/uuid) $what" >"$guard/armed.new"
  # On the disk is what takes it back, and no more: a sync of everything would wait for all the packages that just came.
  sync_below "$guard"
  sync_below /etc/systemd/system/sinc-guard.service /etc/systemd/system/sinc-guard.timer
  mv "$guard/armed.new" "$guard/armed"
  sync "$guard"
  # Not `--now`: one that has run out is still active for systemd, and would not begin again.
  if ! { systemctl daemon-reload && systemctl enable sinc-guard.timer && systemctl restart sinc-guard.timer && guard_holds; }; then
    # Nothing was changed yet, so nothing goes back.
    [ -z "$first" ] || guard_off
    because "the timer that would take it back does not run"
  fi
  sync_below /etc/systemd/system/timers.target.wants
  sync /etc/systemd/system
}

# What there is now, for the way back.
guard_keep() {
  rm -rf "$guard"
  private_dir "$guard/before/records"
  if command -v ufw >/dev/null; then
    : >"$guard/before/firewall"
    for file in ufw.conf user.rules user6.rules; do
      [ ! -e "/etc/ufw/$file" ] || cp -a "/etc/ufw/$file" "$guard/before/$file"
    done
    cp -a /etc/default/ufw "$guard/before/defaults"
    # Whether it is on now; what its file says may never have been loaded.
    if ufw status | grep -q '^Status: active'; then : >"$guard/before/active"; fi
  fi
  [ ! -e "$guard_sshd" ] || cp -a "$guard_sshd" "$guard/before/sshd"
  for file in "$state/installed"/*; do
    if [ -f "$file" ]; then grep -E '^(ufw|sshd)' "$file" >"$guard/before/records/${file##*/}" || true; fi
  done
  printf '%s\n' "$guard_script" >"$guard/take-back.sh"
  cat >/etc/systemd/system/sinc-guard.service <<'END'
[Unit]
Description=sinc: takes the change of the firewall or of sshd back, because no login confirmed it
[Service]
Type=oneshot
ExecStart=/bin/sh /var/lib/sinc/guard/take-back.sh
END
  cat >/etc/systemd/system/sinc-guard.timer <<'END'
[Unit]
Description=sinc: takes the change of the firewall or of sshd back unless a login confirms it
[Timer]
OnActiveSec=120
AccuracySec=1
[Install]
WantedBy=timers.target
END
}

# Stops what only the firewall keeps closed (`behind.sh`), also for the next start; it stands alone, and ends well when all
# of it has stopped.
# shellcheck disable=SC2016 # it is for another shell
shut_script='shut() {
  left=
  for file in /var/lib/sinc/behind/*; do
    [ -f "$file" ] || continue
    while read -r scope user unit; do
      set -- timeout 30 systemctl
      if [ "$scope" = user ]; then
        set -- runuser -u "$user" -- env "XDG_RUNTIME_DIR=/run/user/$(id -u "$user")" timeout 30 systemctl --user
      fi
      "$@" stop "$unit" </dev/null
      "$@" disable "$unit" </dev/null
      case $("$@" is-active "$unit" </dev/null) in active | activating | deactivating | reloading) left=yes ;; esac
    done <"$file"
  done
  [ -z "$left" ]
}
'

# What the timer runs; it stands alone. When ufw itself fails, the kernel's own tables are opened; when what was there
# before cannot be written, the firewall stays off.
# shellcheck disable=SC2016 # it is for another shell
guard_script=$shut_script'set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
guard=/var/lib/sinc/guard before=/var/lib/sinc/guard/before
# To read: this also works on a disk that is full.
if [ -e /var/lib/sinc/guard.lock ]; then
  exec 7</var/lib/sinc/guard.lock
  flock -w 60 7 || :
fi
[ -e "$guard/armed" ] || exit 0
back() { cp -a "$1" "$2.sinc-new" && sync "$2.sinc-new" && mv -f "$2.sinc-new" "$2" || { rm -f "$2.sinc-new"; return 1; }; }
# Only what is of ufw, and all of that: it takes chains that are there for a firewall that stands.
open() {
  for tables in iptables ip6tables; do
    "$tables" -S 2>/dev/null | grep -q "^-N ufw" || continue
    for chain in INPUT OUTPUT FORWARD; do "$tables" -P $chain ACCEPT; done
    "$tables" -S | sed -n "s/^-A \([A-Z]*\) -j \(ufw[^ ]*\)\$/\1 \2/p" | while read -r from to; do "$tables" -D "$from" -j "$to"; done
    "$tables" -S | sed -n "s/^-N \(ufw.*\)/\1/p" | while read -r chain; do "$tables" -F "$chain"; done
    "$tables" -S | sed -n "s/^-N \(ufw.*\)/\1/p" | while read -r chain; do "$tables" -X "$chain"; done
  done
}
if [ -e "$before/firewall" ]; then
  whole=yes
  # Before there is none.
  case "$(cat "$guard/armed") " in *" firewall "*) [ -e "$before/active" ] || shut ;; esac
  if command -v ufw >/dev/null; then ufw --force disable || open; else open; fi
  for file in ufw.conf user.rules user6.rules; do
    if [ -e "$before/$file" ]; then back "$before/$file" "/etc/ufw/$file" || whole=no; fi
  done
  back "$before/defaults" /etc/default/ufw || whole=no
  if [ -e "$before/active" ]; then { [ $whole = yes ] && ufw --force enable; } || shut; fi
fi
sshd=/etc/ssh/sshd_config.d/00-sinc.conf
# One that did not start is not running, so it would not be told.
tell() {
  systemctl try-reload-or-restart ssh
  if systemctl is-failed -q ssh; then systemctl reset-failed ssh; systemctl restart ssh; fi
}
if [ -e "$before/sshd" ]; then
  cmp -s "$before/sshd" "$sshd" || { back "$before/sshd" "$sshd" && tell; }
elif [ -e "$sshd" ]; then
  rm -f "$sshd" && tell
fi
rm -f /var/lib/sinc/sshd-untold
# What was noted of it is what was noted before.
for file in /var/lib/sinc/installed/*; do
  [ -f "$file" ] || continue
  name=${file##*/} new=/var/lib/sinc/.note.new
  grep -vE "^(ufw|sshd)" "$file" >"$new"
  if [ $? -gt 1 ]; then continue; fi
  if [ -e "$before/records/$name" ]; then cat "$before/records/$name" >>"$new" || continue; fi
  cmp -s "$file" "$new" || mv "$new" "$file"
  rm -f "$new"
  grep -qvE "^(as|wrote)" "$file" || rm -f "$file"
done
rm -f "$guard/armed"
date -u +%Y-%m-%dT%H:%M:%SZ >"$guard/taken-back"
sync
systemctl disable --now sinc-guard.timer
rm -f /etc/systemd/system/sinc-guard.timer /etc/systemd/system/sinc-guard.service
systemctl daemon-reload
'
guard_take_back() { sh "$guard/take-back.sh"; }

guard_off() {
  rm -f "$guard/armed"
  sync "$guard" || true
  systemctl disable --now sinc-guard.timer 2>/dev/null || true
  rm -f /etc/systemd/system/sinc-guard.timer /etc/systemd/system/sinc-guard.service
  systemctl daemon-reload || true
}

# CHANGE: a fresh login has come through, after this change
guard_confirm() {
  exec 7>"$guard_lock"
  flock -w 60 7 || { echo "guard busy" && return 0; }
  if [ ! -e "$guard/armed" ]; then
    if [ -e "$guard/taken-back" ]; then echo "guard taken-back"; else echo "guard none"; fi
  elif [ "$(cat "$guard/armed")" != "$1" ]; then
    echo "guard changed"
  elif [ -e "$guard_untold" ]; then
    # Cut off before sshd was told: this login went by what it was before, and proves nothing.
    if ask_sshd -t && sshd_tell; then
      echo "guard again"
    else
      exec 7>&-
      guard_take_back >&2
      echo "guard taken-back"
    fi
  elif case "$1 " in *" tailnet "*) ! by_tailnet ;; *) false ;; esac; then
    echo "guard elsewhere"
  else
    guard_off
    rm -rf "$guard"
    echo "guard confirmed"
  fi
}
