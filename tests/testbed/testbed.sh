#!/usr/bin/env bash
# testbed.sh: a throw-away "laptop" and "VPS" on one Linux machine. Needs root; no network while in use.
#
#   build                   make the VPS's Debian once (a minute; seconds from the kept tar)
#   up | down               boot a fresh VPS and wait until it can be used | stop it, delete all of it
#   ssh [ARG...]            ssh from the laptop to the VPS as user dev (who has sudo)
#   laptop [CMD...]         run CMD on the laptop's side: host names vps, vps6; no way to anywhere else
#   vps [CMD...]            run CMD inside the VPS as root, without ssh
#   cut | restore           silently drop everything | carry it again
#   latency RTT_MS [JITTER_MS [LOSS_FRACTION [KBIT]]]
#   link [JSON]             print the link's state, or change any of its settings (see wan.py)
#   reboot | crash | boot   clean reboot, waited for | power loss | boot again on the same disk
#   net on|off              give the VPS this machine's own way out (DNS, http, https)
#   config                  print the path of the laptop's ssh_config (aliases vps, vps6, jump)
#
# Environment: TB_ID, a name for one pair of the two (several can be up at once; "tb" unless given);
# TB_SUITE, for build and up: the VPS's Debian, bookworm (12) or trixie (13);
# TB_DIR, where they live (/var/lib/sinc-testbed); TB_CACHE, where the tar is kept (/var/cache/sinc-testbed).
# Commands that run under `laptop` see SINC_TESTBED, the path of this script, and SINC_TESTBED_SSH_CONFIG;
# they may call all verbs but build, up and down. README.md beside this file tells how it is made.
set -euo pipefail

self=$(realpath "${BASH_SOURCE[0]}")
here=$(dirname "$self")
export TB_ID=${TB_ID:-tb} TB_DIR=${TB_DIR:-/var/lib/sinc-testbed}
cache=${TB_CACHE:-/var/cache/sinc-testbed}
suite=${TB_SUITE:-bookworm}
rootfs=$TB_DIR/$suite
inst=$TB_DIR/inst/$TB_ID
lap=sinc-$TB_ID-laptop
vps=sinc-$TB_ID-vps
python=/usr/bin/python3
[ -x $python ] || python=python3

packages=systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,tmux,sudo,ufw,iptables,nftables,curl,git
packages=$packages,ca-certificates,iproute2,iputils-ping,procps,less,rsync,inotify-tools,ncurses-bin,zsh,fish,tcsh

say() { echo "testbed: $*" >&2; }
die() {
  say "$*"
  exit 1
}
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$self"; }

# wait_for SECONDS WHAT CMD...: until CMD succeeds
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $deadline ] || die "waited in vain for $what"
    sleep 0.05
  done
}

# A pid file holds the process and its start time, so that no other one is ever taken for it.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
record() { echo "$1 $(start_time "$1")" >"$2"; }
pid_in() {
  local pid start
  [ -s "$1" ] && read -r pid start <"$1" && [ "$(start_time "$pid")" = "$start" ] && echo "$pid"
}
gone() { ! pid_in "$1" >/dev/null; }

# --- the VPS's file system, shared by all pairs ---

make_rootfs() {
  local to=$1
  mmdebstrap -q --variant=minbase --include="$packages" "$suite" "$to" >/dev/null
  # this machine's own package sources and apt settings
  if sed "s/bookworm/$suite/" /etc/apt/sources.list.d/debian.sources >"$to/etc/apt/sources.list.d/debian.sources" 2>/dev/null; then
    rm -f "$to/etc/apt/sources.list"
  fi
  cp /etc/apt/apt.conf.d/99* "$to/etc/apt/apt.conf.d/" 2>/dev/null || true
  echo vps >"$to/etc/hostname"
  printf '%s\n' '127.0.0.1 localhost' '::1 localhost' '127.0.1.1 vps' '10.77.0.1 laptop' 'fd77::1 laptop6' >"$to/etc/hosts"
  chroot "$to" useradd -m -s /bin/bash -p '*' -G sudo dev # '*': no password, yet not locked
  echo 'dev ALL=(ALL) NOPASSWD:ALL' >"$to/etc/sudoers.d/dev"
  chmod 440 "$to/etc/sudoers.d/dev"
  chroot "$to" systemctl -q mask systemd-networkd-wait-online.service e2scrub_reap.service 2>/dev/null
}
recipe() { { echo "$suite $packages"; declare -f make_rootfs; } | sha256sum | cut -c1-12; }
rootfs_ok() { [ "$(cat "$rootfs/etc/testbed" 2>/dev/null)" = "$(recipe)" ]; }

build() {
  local tar new
  mkdir -p "$TB_DIR" "$cache"
  exec 9>"$TB_DIR/lock"
  flock -w 600 9 || die "another build has held $TB_DIR/lock for 10 minutes"
  if rootfs_ok; then return; fi
  if [ -e "$rootfs" ] && grep -q " $rootfs/\? \|lowerdir=$rootfs," /proc/mounts; then
    die "the rootfs is out of date, but in use: take the pairs down first (in $TB_DIR/inst)"
  fi
  new=$rootfs.new
  tar=$cache/$suite-$(dpkg --print-architecture)-$(recipe).tar.zst
  rm -rf "$new"
  mkdir "$new"
  if [ -s "$tar" ] && tar --zstd --xattrs --xattrs-include='*' --numeric-owner -xpf "$tar" -C "$new"; then
    say "rootfs unpacked from $tar"
  else
    say "making the rootfs with mmdebstrap (about a minute)"
    rm -rf "$new"
    make_rootfs "$new"
    recipe >"$new/etc/testbed"
    (umask 077 && tar --zstd --xattrs --xattrs-include='*' --numeric-owner -cpf "$tar.new" -C "$new" .)
    mv "$tar.new" "$tar"
  fi
  rm -rf "$rootfs"
  mv "$new" "$rootfs"
}

# --- both sides and the link ---

wan() { "$python" -IS "$here/wan.py" ask "$inst/wan.sock" "$1"; }

write_configs() {
  printf '%s\n' '127.0.0.1 localhost laptop' '::1 localhost' '10.77.0.2 vps' 'fd77::2 vps6' >"$inst/hosts"
  cat >"$inst/ssh_config" <<END
Host vps
  HostName 10.77.0.2
Host vps6
  HostName fd77::2
Host jump
  HostName 127.0.0.1
  ProxyJump vps
Host vps vps6 jump
  User dev
  HostKeyAlias vps
  IdentityFile $inst/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile $inst/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking accept-new
  LogLevel ERROR
END
}

# The laptop's side: its network, and its own /etc/hosts, and otherwise this machine as it is.
laptop() {
  [ -e "/run/netns/$lap" ] || die "$TB_ID is not up"
  [ $# -gt 0 ] || set -- "${SHELL:-bash}"
  # shellcheck disable=SC2016  # expanded by the inner shell
  SINC_TESTBED=$self SINC_TESTBED_SSH_CONFIG=$inst/ssh_config exec unshare -m --propagation slave -- \
    sh -c 'mount --bind "$1" /etc/hosts && ns=$2 && shift 2 && exec nsenter --net="$ns" -- "$@"' \
    sh "$inst/hosts" "/run/netns/$lap" "$@"
}
inside_laptop() { [ -e "/run/netns/$lap" ] && [ /proc/self/ns/net -ef "/run/netns/$lap" ]; }

leader() { local c; c=$(pid_in "$inst/container.pid") && pgrep -o -P "$c"; }
# What runs inside is the child of a shell outside (-F): systemd stops all processes before it kills them at a shutdown, and
# nsenter, were it the parent, would stop with its child and never take note of its end, for which the VPS's init then waits.
in_vps() {
  local pid
  pid=$(leader) || die "the VPS does not run"
  # shellcheck disable=SC2016  # expanded by the inner shell
  nsenter -F -t "$pid" -m -u -i -n -p -C -- \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" LANG=C.UTF-8 \
    sh -c '"$@"; exit $?' sh "$@"
}

# running [LEADER]: it has finished booting, and LEADER is not its init any more
running() {
  local state now
  now=$(leader) || {
    gone "$inst/supervisor.pid" || return 1
    tail -5 "$inst/vps.log" >&2
    die "the VPS ended"
  }
  [ "$now" != "${1:-}" ] || return 1
  state=$(in_vps timeout 5 systemctl is-system-running 2>/dev/null) || true
  [ "$state" = running ] || [ "$state" = degraded ]
}

# The cgroup trees: v2 alone, or beside v1. Each container needs a group of its own in each of them,
# because two that are started in one group share what systemd-nspawn makes below it.
cgroups() {
  local d
  for d in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    if [ -e $d/cgroup.procs ]; then echo "$d/$vps"; fi
  done
}

# Runs as a process of its own, for as long as the VPS has power.
supervise() {
  local d c rc
  for d in $(cgroups); do
    mkdir -p "$d"
    echo $$ >"$d/cgroup.procs"
  done
  trap 'kill -TERM $c 2>/dev/null' TERM
  export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
  rc=133
  while [ $rc = 133 ]; do # the container asked for a reboot
    systemd-nspawn -q -b -D "$inst/root" -M "$vps" --hostname=vps --register=no --keep-unit --console=pipe \
      --network-namespace-path="/run/netns/$vps" --capability=CAP_NET_ADMIN,CAP_NET_RAW \
      --resolv-conf=off --timezone=off --link-journal=no &
    c=$!
    record $c "$inst/container.pid"
    while :; do # a signal ends a wait early
      rc=0
      wait $c || rc=$?
      kill -0 $c 2>/dev/null || break
    done
  done
}

boot() {
  [ -e "$inst" ] || die "$TB_ID is not up"
  gone "$inst/supervisor.pid" || die "it is booted already"
  ip -n "$vps" link set eth0 up
  ip -n "$vps" addr replace fd77::2/64 dev eth0 nodad # the kernel drops it when the interface goes down
  setsid "$self" _supervise </dev/null >>"$inst/vps.log" 2>&1 9>&- &
  record $! "$inst/supervisor.pid"
  wait_for 60 "the VPS to boot (its console: $inst/vps.log)" running
}

up() {
  local h
  rootfs_ok || die "no rootfs of $suite, or one of another version: run build first"
  case $TB_ID in *[!a-z0-9]* | ???????????*) die "TB_ID is at most 10 of a-z and 0-9" ;; esac
  mkdir -p "$TB_DIR/inst"
  mkdir "$inst" 2>/dev/null || die "$TB_ID is up, or was left behind: run down first"
  trap 'say "up failed"; down 0' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  mkdir "$inst"/{upper,work,root}
  ssh-keygen -q -t ed25519 -N '' -C testbed -f "$inst/id_ed25519"
  write_configs
  ip netns add "$lap"
  ip netns add "$vps"
  setsid "$python" -IS "$here/wan.py" serve "$lap" wan0 "$vps" eth0 "$inst/wan.sock" </dev/null >"$inst/wan.log" 2>&1 &
  record $! "$inst/wan.pid"
  wait_for 10 "the link (its messages: $inst/wan.log)" test -S "$inst/wan.sock"
  ip -n "$lap" link set lo up
  ip -n "$lap" addr add 10.77.0.1/24 dev wan0
  ip -n "$lap" addr add fd77::1/64 dev wan0 nodad
  ip -n "$lap" link set wan0 up
  ip -n "$vps" link set lo up
  ip -n "$vps" addr add 10.77.0.2/24 dev eth0
  # volatile, where the kernel has it: no disk is made to wait for files that are thrown away
  h=lowerdir=$rootfs,upperdir=$inst/upper,workdir=$inst/work
  mount -t overlay overlay -o "$h,volatile" "$inst/root" 2>/dev/null || mount -t overlay overlay -o "$h" "$inst/root"
  chmod 755 "$inst/upper"
  for h in root home/dev; do
    install -d -m 700 "$inst/root/$h/.ssh"
    install -m 600 "$inst/id_ed25519.pub" "$inst/root/$h/.ssh/authorized_keys"
  done
  chown -R 1000:1000 "$inst/root/home/dev/.ssh"
  # Projects lie on a file system as a VPS has it: on an overlay it takes half as long again to look at a file.
  cp -a "$inst/root/home" "$inst/home"
  mount --bind "$inst/home" "$inst/root/home"
  # What does not end by itself is ended sooner than after 90 s, or tests would wait for it at each reboot.
  install -d "$inst/root/etc/systemd/system.conf.d" "$inst/root/etc/systemd/user.conf.d" "$inst/root/etc/systemd/system/user@.service.d"
  echo '[Manager]
DefaultTimeoutStopSec=20s' | tee "$inst/root/etc/systemd/system.conf.d/stop.conf" >"$inst/root/etc/systemd/user.conf.d/stop.conf"
  echo '[Service]
TimeoutStopSec=25s' >"$inst/root/etc/systemd/system/user@.service.d/stop.conf"
  # for `net on`: this machine's way to names, and the certificates that it trusts today
  cp -L /etc/resolv.conf "$inst/root/etc/resolv.conf"
  cp -L /etc/ssl/certs/ca-certificates.crt "$inst/root/etc/ssl/certs/ca-certificates.crt"
  for h in NODE_EXTRA_CA_CERTS SSL_CERT_FILE PIP_CERT; do
    echo "$h=/etc/ssl/certs/ca-certificates.crt"
  done >>"$inst/root/etc/environment"
  boot
  # one login by each address: it works, and the host key is known from now on
  for h in vps vps6; do
    (laptop ssh -F "$inst/ssh_config" -o ConnectTimeout=5 -o BatchMode=yes "$h" true) || die "no ssh login to $h"
  done
  trap - EXIT
}

# power_off SECONDS: a clean shutdown that may take so long; 0 is a power loss
power_off() {
  local d p
  if p=$(pid_in "$inst/supervisor.pid") && [ "$1" != 0 ]; then
    kill -TERM "$p" 2>/dev/null || true
    (wait_for "$1" "a clean shutdown" gone "$inst/supervisor.pid") || true
  fi
  for d in $(cgroups); do
    [ -d "$d" ] || continue
    if [ -e "$d/cgroup.kill" ]; then echo 1 >"$d/cgroup.kill"; fi # all of this VPS and nothing else
    wait_for 10 "the end of the VPS's processes (in $d)" remove_cgroup "$d"
  done
  rm -f "$inst/supervisor.pid" "$inst/container.pid"
}
remove_cgroup() {
  find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
  [ ! -d "$1" ]
}
remove_mount() {
  umount -R "$inst/root" 2>/dev/null || true
  ! mountpoint -q "$inst/root"
}
in_netns() { { ip netns pids "$lap"; ip netns pids "$vps"; } 2>/dev/null; }
none_in_netns() { [ -z "$(in_netns)" ]; }

down() {
  local p n
  [ -e "$inst" ] || return 0
  net off
  power_off "${1:-10}"
  # what tests left running on the laptop's side
  for p in $(in_netns); do kill -TERM "$p" 2>/dev/null || true; done
  if ! (wait_for 3 "the laptop's processes to end on SIGTERM" none_in_netns); then
    for p in $(in_netns); do kill -KILL "$p" 2>/dev/null || true; done
    wait_for 5 "the laptop's processes to end on SIGKILL" none_in_netns
  fi
  if p=$(pid_in "$inst/wan.pid"); then kill "$p"; fi
  wait_for 5 "the link to end" gone "$inst/wan.pid"
  wait_for 10 "$inst/root to be unmounted" remove_mount
  for n in "$lap" "$vps"; do
    if [ -e "/run/netns/$n" ]; then ip netns del "$n"; fi
  done
  rm -rf "$inst"
}

# An up-link of its own, which cut and latency do not touch, for the ports of package managers.
net() {
  local if=up$TB_ID table=${vps//-/_} k a b out
  k=$(($(cksum <<<"$TB_ID" | cut -d' ' -f1) % 62))
  a=10.78.0.$((k * 4 + 1))
  b=10.78.0.$((k * 4 + 2))
  out=$(ip route show default | awk '{print $5; exit}')
  case ${1:-} in
  on)
    [ -n "$out" ] || die "this machine has no default route"
    ip link add "$if" type veth peer name eth1 netns "$vps"
    ip addr add "$a/30" dev "$if"
    ip link set "$if" mtu 1400 up
    ip -n "$vps" addr add "$b/30" dev eth1
    ip -n "$vps" link set eth1 mtu 1400 up
    nft -f - <<END
table ip $table {
  chain post { type nat hook postrouting priority 100; ip saddr $b oifname "$out" masquerade; }
  chain forw { type filter hook forward priority 0; ct state established,related accept
    iifname "$if" oifname "$out" tcp dport { 53, 80, 443 } accept
    iifname "$if" oifname "$out" udp dport 53 accept
    iifname "$if" drop; }
}
END
    # the machine's own setting comes back with the last one's `net off`
    [ -e "$TB_DIR/forwarding" ] || echo "net.ipv4.conf.$out.forwarding=$(sysctl -n "net.ipv4.conf.$out.forwarding")" >"$TB_DIR/forwarding"
    sysctl -q -w "net.ipv4.conf.$if.forwarding=1" "net.ipv4.conf.$out.forwarding=1"
    ip -n "$vps" route add default via "$a"
    ;;
  off)
    ip link show "$if" >/dev/null 2>&1 || return 0
    ip link del "$if"
    nft delete table ip "$table" 2>/dev/null || true
    if [ -e "$TB_DIR/forwarding" ] && ! nft list tables | grep -q 'ip sinc_.*_vps'; then
      sysctl -q -w "$(cat "$TB_DIR/forwarding")"
      rm "$TB_DIR/forwarding"
    fi
    ;;
  *) die "net on, or net off" ;;
  esac
}

verb=${1:-help}
shift || true
case $verb in help | -h | --help) usage && exit 0 ;; esac
[ "$(id -u)" = 0 ] || die "needs root"

# Called from the laptop's side (by a test): what follows is for the machine around it.
if inside_laptop && [ "$verb" != laptop ] && [ "$verb" != ssh ]; then
  case $verb in build | up | down) die "$verb is not for the laptop's side" ;; esac
  outside=$(pid_in "$inst/wan.pid") || die "$TB_ID has lost its link"
  exec nsenter -t "$outside" -m -n -- env -C "$PWD" "$self" "$verb" "$@"
fi

case $verb in
build | up | boot) "$verb" ;;
down) down "$@" ;;
ssh) laptop ssh -F "$inst/ssh_config" vps "$@" ;;
laptop) laptop "$@" ;;
vps)
  [ $# -gt 0 ] || set -- bash -l
  in_vps "$@"
  ;;
cut) wan '{"cut":true}' ;;
restore) wan '{"cut":false}' ;;
latency)
  [ $# -gt 0 ] || die "latency RTT_MS [JITTER_MS [LOSS_FRACTION [KBIT]]]"
  wan "{\"delay_ms\":$(awk -v rtt="$1" 'BEGIN { print rtt / 2 }'),\"jitter_ms\":${2:-0},\"loss\":${3:-0},\"rate_kbit\":${4:-0}}"
  ;;
link) wan "${1:-{\}}" ;;
reboot)
  was=$(leader) || die "the VPS does not run"
  (in_vps timeout 15 systemctl reboot) || true # it waits for systemd's answer
  if ! (wait_for 60 "the reboot" running "$was"); then
    say "the VPS does not end by itself: its power is cut"
    (in_vps timeout 5 systemctl --no-pager list-jobs >&2) || true
    power_off 0
    boot
  fi
  ;;
crash)
  ip -n "$vps" link set eth0 down # the laptop sees nothing but silence
  power_off 0
  ;;
net) net "$@" ;;
config) echo "$inst/ssh_config" ;;
_supervise) supervise ;;
*)
  say "what is '$verb'?"
  usage >&2
  exit 2
  ;;
esac
