# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# Looks, and changes nothing. One line for each fact.

os_release=/etc/os-release
host_facts() {
  (
    # shellcheck source=/dev/null
    . "$os_release"
    echo "os ${ID:-?} ${VERSION_ID:-?} ${VERSION_CODENAME:-?}"
    echo "os-name ${PRETTY_NAME:-?}"
  ) 2>/dev/null || echo "os ? ? ?"
  echo "arch $(uname -m)"
  echo "login $login"
  echo "rights $rights"
  # A person in a group that usually may use sudo: then it is a password that is missing.
  if [ "$rights" = none ] && command -v sudo >/dev/null && id -nG | grep -qwE 'sudo|admin|wheel'; then echo "may-sudo"; fi
  echo "user $user"
  echo "home $home"
  if [ -d /run/systemd/system ]; then echo "init systemd"; else echo "init other"; fi
  echo "disk $(least_free)"
  free_memory
  for tool in apt-get dpkg-query flock; do command -v "$tool" >/dev/null || echo "lacks $tool"; done
  if packages_are_broken; then echo "dpkg broken"; fi
  for port in $(ssh_ports | grep -xE '[1-9][0-9]{0,4}' | sort -un); do echo "ssh-port $port"; done
  if by_tailnet; then echo "by-tailnet"; fi
  [ -z "${connection%% *}" ] || echo "from ${connection%% *}"
  own_vpn
  key_expires
  docker_ports
  if [ "$(dpkg-query -W -f '${db:Status-Status}' netfilter-persistent 2>/dev/null)" = installed ]; then echo "netfilter-persistent"; fi
  if [ -n "$(ls /sys/class/iscsi_session 2>/dev/null)" ]; then echo "iscsi"; fi
  own_policy
  drops_ipv6
  if is_running; then echo "running $(basename "$(readlink "$state/current")")"; fi
  if [ -e "$state/guard/armed" ]; then echo "guard armed $(cat "$state/guard/armed")"; fi
  # What root put there only root may read.
  if [ "$me" != 0 ] && [ -d /var/lib/sinc ] && { [ ! -x /var/lib/sinc ] || [ -d /var/lib/sinc/installed ]; }; then echo "hidden"; fi
  if noted_apart; then echo "noted-apart"; fi
  for record in "$state/installed"/*; do
    [ -f "$record" ] || continue
    while IFS= read -r line || [ -n "$line" ]; do printf 'record %s %s\n' "${record##*/}" "$line"; done <"$record"
  done
}

# Was an installation cut off? While one is at work it looks the same; it may begin, too, while this looks.
packages_are_broken() {
  [ -z "$(package_lock_holder)" ] || return 1
  [ -n "$(ls /var/lib/dpkg/updates 2>/dev/null)" ] || [ -n "$(dpkg --audit 2>/dev/null)" ] || return 1
  [ -z "$(package_lock_holder)" ]
}

# Is there something that was put there without root's rights? Its user may write anything into those notes: root reads
# none of them.
noted_apart() { [ "$me" = 0 ] && [ "$user" != root ] && [ -n "$(ls -A "$home/.local/state/sinc/installed" 2>/dev/null)" ]; }

# Of the disks on which something goes, the one with the least free space: MB, and where it is. A home directory that is
# not there yet comes to be on one of the others.
least_free() {
  if [ "$me" = 0 ]; then set -- / /var /usr/local /home "$home"; else set -- "$home"; fi
  [ "$me" = 0 ] || [ -d "$home" ] || set -- /
  df -Pk "$@" 2>/dev/null |
    awk 'NR > 1 { free = int($4 / 1024); if (NR == 2 || free < least) { least = free; at = $6 } } END { print least, at }'
}

memory=/proc/meminfo
# What programs can have without one that is killed for it: MB, with what is free of the swap.
free_memory() {
  [ -r "$memory" ] || return 0
  awk '
    $1 == "MemAvailable:" { known = 1 }
    $1 == "MemAvailable:" || $1 == "SwapFree:" { free += $2 }
    END { if (known) print "memory", int(free / 1024) }' "$memory"
}

# Every port that a login may come by: this connection's, sshd's, those of the socket that starts sshd.
ssh_ports() {
  # shellcheck disable=SC2086 # the four words of SSH_CONNECTION
  set -- $connection
  echo "${4:-}"
  ask_sshd -T 2>/dev/null | awk '$1 == "port" { print $2 } $1 == "listenaddress" { n = split($2, part, ":"); print part[n] }'
  cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf 2>/dev/null | awk 'tolower($1) == "port" { print $2 }'
  # On the loopback alone it is what somebody forwards.
  ss -Hltnp 2>/dev/null | awk '/"sshd"/ && $4 !~ /^(127\.|\[::1\])/ { n = split($4, part, ":"); print part[n] }'
  systemctl show -p Listen ssh.socket 2>/dev/null | sed -n 's/.*:\([0-9]*\) (Stream).*/\1/p'
}

devices=/sys/class/net
# The tunnel of the host's own that this login comes through, if it does, and the port of that where it is known.
own_vpn() {
  # shellcheck disable=SC2086 # the four words of SSH_CONNECTION
  set -- $connection
  [ $# = 4 ] || return 0
  device=$(ip route get "$1" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
  [ -n "$device" ] && [ "$device" != tailscale0 ] || return 0
  if is_tunnel "$devices/$device"; then
    echo "own-vpn $device $(tunnel_port "$device")"
  elif is_ppp "$devices/$device" && [ -z "$(ip route show default dev "$device" 2>/dev/null)" ]; then
    # Of PPTP, L2TP or SSTP. What the host's own way out goes through is its line.
    echo "own-vpn $device "
  elif ip xfrm policy 2>/dev/null | is_of_ipsec "$1"; then
    echo "own-vpn IPsec "
  fi
}
# DIRECTORY of a device: of WireGuard, or a tun (bit 1 of its flags; a tap has bit 2), as OpenVPN has it
is_tunnel() {
  ! grep -qx DEVTYPE=wireguard "$1/uevent" 2>/dev/null || return 0
  flags=$(cat "$1/tun_flags" 2>/dev/null) && [ $((${flags:-0} & 1)) = 1 ]
}
is_ppp() { [ "$(cat "$1/type" 2>/dev/null)" = 512 ]; }
# ADDRESS: do the kernel's policies, on standard input, have what comes from there come encrypted? An address of IPv6 is among
# all of IPv6. Policies of a device of their own (a mark, an if_id) are not about what comes by another.
is_of_ipsec() {
  awk -v from="$1" '
    function number(address, part) { split(address, part, "."); return ((part[1] * 256 + part[2]) * 256 + part[3]) * 256 + part[4] }
    function is_among(net, part, size, bits) {
      if (from ~ ":" || net ~ ":") return from ~ ":" && net ~ ":"
      if (split(net, part, "/") == 1) part[2] = 32
      size = 1
      for (bits = part[2]; bits < 32; bits++) size *= 2
      return int(number(part[1]) / size) == int(number(from) / size)
    }
    function look() { if (about && comes_in && encrypted && !apart) found = 1 }
    $1 == "src" { look(); about = is_among($2) && (!/ proto / || / proto tcp/); comes_in = encrypted = apart = 0 }
    $1 == "dir" && $2 == "in" { comes_in = 1 }
    $1 == "tmpl" { encrypted = 1 }
    $1 == "mark" || $1 == "if_id" { apart = 1 }
    END { look(); exit !found }'
}
tunnel_port() {
  port=$(wg show "$1" listen-port 2>/dev/null)
  [ -n "$port" ] || port=$(ss -Hlunp 2>/dev/null | awk '/"openvpn"/ { n = split($4, part, ":"); print part[n]; exit }')
  echo "${port:+$port/udp}"
}

# The tables that ufw works with shut what no rule lets in. Where ufw is off that is somebody else's, and ufw opens them when
# it goes off again. Before its first time they may be there without the program.
own_policy() {
  [ "$me" = 0 ] || return 0
  for family in ip ip6; do
    shuts=$({ "${family}tables" -w 5 -S INPUT || nft list chain "$family" filter INPUT; } 2>/dev/null | grep -E '^-P INPUT [^A]|policy drop')
    [ -z "$shuts" ] || { echo "own-policy" && return; }
  done
}

defaults=/etc/default/ufw addresses=/proc/net/if_inet6
# Turned on, ufw would drop all of IPv6, which this host has. Its package says yes, which a word of the person's changes.
drops_ipv6() {
  [ -e "$defaults" ] && [ -n "$(cat "$addresses" 2>/dev/null)" ] || return 0
  case $(sed -n "s/^IPV6=[\"']\{0,1\}\([A-Za-z]*\).*/\1/p" "$defaults" | tail -n 1) in yes | YES) ;; *) echo "drops-ipv6" ;; esac
}

# The day on which this host's key in the tailnet expires, if it does.
key_expires() {
  command -v tailscale >/dev/null || return 0
  timeout 10 tailscale status --json --peers=false 2>/dev/null |
    sed -n 's/^ *"KeyExpiry": *"\([2-9][0-9-]*\)T.*/key-expires \1/p' | head -n 1
}

# What Docker lets in to its containers goes around the firewall; what it lets in on the loopback alone is nobody else's.
docker_ports() {
  if [ "$me" = 0 ] && [ -n "$(ls -d "$devices"/docker0 "$devices"/br-* 2>/dev/null)" ]; then
    iptables -w 5 -t nat -S DOCKER 2>/dev/null | awk '
      $1 == "-A" && / -j DNAT / && !/ -d 127\./ {
        port = ""
        for (i = 1; i < NF; i++) { if ($i == "-p") protocol = $(i + 1); if ($i == "--dport") port = $(i + 1) }
        if (port != "" && !seen[port protocol]++) print "docker-port " port "/" protocol
      }'
  fi
}

# For the doctor: what sessions need, whoever put it there.
tell_tools() {
  echo "tool tmux $(as_user tmux -V 2>/dev/null | grep -oE '[0-9]+\.[0-9]+[a-z]?' | head -n 1)"
  echo "tool git $(as_user git version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1)"
  echo "tool inotifywait $(as_user sh -c 'command -v inotifywait' 2>/dev/null)"
}

# A directory for what is asked at the same time; none where nothing can be written.
answers=
ask_beside() { answers=$(mktemp -d) && trap 'rm -rf "$answers"' EXIT; }

# COMMANDS...: asks all for their versions at once, because some take a second
ask_versions() {
  [ -n "$answers" ] || return 0
  versions=$answers/versions
  mkdir "$versions"
  for command in "$@"; do ask_version "$command" >"$versions/$command" & done
  wait
}

# COMMAND...: its answer is among those that `tell_asked` tells; it may take a second
ask() {
  if [ -z "$answers" ]; then
    "$@"
    return
  fi
  asked=$((${asked:-0} + 1))
  "$@" >"$answers/$asked" &
}
tell_asked() {
  wait
  [ -z "${asked:-}" ] || (cd "$answers" && cat [0-9]*)
}

# probe COMPONENT N ENOUGH KIND WORDS...: `fact COMPONENT N VERSION KIND …`
probe() {
  head="fact $1 $2" enough=- kind=$4
  if [ -n "$3" ]; then
    enough=$(version_of "$3")
    enough=${enough:--}
  fi
  shift 4
  # Its program takes long, and says the same to each.
  [ "$kind" != ufw ] || firewall=${firewall:-$(firewall_state)}
  said=$("probe_$kind" "$@") || said="failed"
  echo "$head $enough $kind $said"
}

# {user} and the like in a word, as the plan names them; sets $it.
expand() {
  it=$1
  case $it in
  *'{codename}'* | *'{arch}'*)
    # shellcheck source=/dev/null
    codename=$(. "$os_release" 2>/dev/null && echo "${VERSION_CODENAME:-?}") || codename='?'
    case $(uname -m) in x86_64) arch=x86-64 ;; aarch64) arch=arm64 ;; *) arch='?' ;; esac
    ;;
  esac
  while :; do
    case $it in
    *'{user}'*) it="${it%%'{user}'*}$user${it#*'{user}'}" ;;
    *'{home}'*) it="${it%%'{home}'*}$home${it#*'{home}'}" ;;
    *'{codename}'*) it="${it%%'{codename}'*}$codename${it#*'{codename}'}" ;;
    *'{arch}'*) it="${it%%'{arch}'*}$arch${it#*'{arch}'}" ;;
    *) break ;;
    esac
  done
}

probe_apt() {
  line=
  for package in "$@"; do
    found=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$package" 2>/dev/null)
    case $found in
    "installed "*) line="$line $package=${found#* }" ;;
    *) line="$line $package=" ;;
    esac
  done
  echo "$line"
}

probe_npm() {
  installed=$(npm_version "$1")
  runs=$(version_of "$2")
  echo "${installed:--} ${runs:--}"
}

# The sum of a file; of a directory the one that it was made from. A power cut may have emptied the file that has it.
probe_download() {
  expand "$1"
  if [ -d "$it" ]; then
    made_from=$(grep -m 1 -xE '[0-9a-fA-F]{64}' "$it/.sinc-sha256" 2>/dev/null)
    echo "${made_from:--}"
  elif [ -f "$it" ]; then
    sha256sum <"$it" | cut -d' ' -f1
  else
    echo -
  fi
}

probe_file() {
  expand "$1"
  if [ -f "$it" ]; then
    echo "$(sha256sum <"$it" | cut -d' ' -f1) $(stat -c '%04a %U' "$it")"
  elif [ -e "$it" ] || [ -L "$it" ]; then
    echo other
  else
    echo -
  fi
}

probe_edit() {
  expand "$1"
  if leads_nowhere "$it"; then
    echo link
  elif [ -f "$it" ]; then
    echo "=$(show_own "$it" | hex) $(stat -L -c '%04a %U' "$it")"
  elif [ -e "$it" ] || [ -L "$it" ]; then
    echo other
  else
    echo -
  fi
}

probe_service() {
  enabled=$(service_ctl "$1" is-enabled "$2" 2>/dev/null)
  active=$(service_ctl "$1" is-active "$2" 2>/dev/null)
  echo "${enabled:-none} ${active:-none}$(ends_with_login "$1")"
}
# SCOPE: would it end with its user's login? For root to mend.
ends_with_login() { [ "$me $1" != "0 user" ] || [ -e "$lingering/$user" ] || echo " ends"; }

probe_user() {
  expand "$1"
  uid=$(id -u "$it" 2>/dev/null) || { echo "-" && return; }
  sudo=no linger=no keys=yes
  if [ "$it" = root ] || [ -e "/etc/sudoers.d/sinc-$it" ] || runuser -u "$it" -- sudo -n true 2>/dev/null; then sudo=yes; fi
  if [ -e "$lingering/$it" ]; then linger=yes; fi
  own=$(getent passwd "$it" | cut -d: -f6)/.ssh/authorized_keys
  if [ -s "$login_home/.ssh/authorized_keys" ]; then
    while IFS= read -r key; do
      case $key in '' | '#'*) continue ;; esac
      grep -qxF -- "$key" "$own" 2>/dev/null || keys=no
    done <"$login_home/.ssh/authorized_keys"
  fi
  echo "$uid $sudo $linger $keys"
}

probe_ufw() { echo "$firewall"; }
# The firewall's state and its rules, as `ufw show added` writes them.
firewall_state() {
  if ! command -v ufw >/dev/null; then
    echo "absent ="
  else
    on=inactive
    # The file anybody may read; the program tells root alone.
    if grep -q '^ENABLED=yes' /etc/ufw/ufw.conf 2>/dev/null; then on=active; fi
    if [ "$me" = 0 ]; then
      case $(ufw status 2>/dev/null) in "Status: active"*) on=active ;; *) on=inactive ;; esac
    fi
    policy=$(sed -n 's/^DEFAULT_INPUT_POLICY="\{0,1\}\([A-Za-z]*\).*/\1/p' /etc/default/ufw 2>/dev/null | tail -n 1)
    echo "$on =$(ufw show added 2>/dev/null | grep '^ufw ' | hex) ${policy:--}"
  fi
}

# KEYS...: what sshd goes by, and how this connection's login was accepted, as far as it is known
probe_sshd() {
  line=$(login_method)
  line=${line:--}
  for key in "$@"; do
    value=$(sshd_value "$key")
    line="$line $key=${value:--}"
  done
  echo "$line"
}
login_method() {
  # shellcheck disable=SC2086 # the four words of SSH_CONNECTION
  set -- $connection
  [ -n "${2:-}" ] || return 0
  {
    journalctl -q --no-pager -o cat -t sshd -t sshd-session -g "from $1 port $2 " 2>/dev/null
    grep -hF "from $1 port $2 " /var/log/auth.log 2>/dev/null
  } | sed -n "s/.*Accepted \([a-z/-]*\) for $login from .*/\1/p" | tail -n 1
}

# What Tailscale says of itself, and this host's name in the tailnet.
probe_tailnet() {
  said=$(timeout 10 tailscale status --json --peers=false 2>/dev/null)
  backend=$(printf '%s\n' "$said" | sed -n 's/^ *"BackendState": *"\([^"]*\)".*/\1/p' | head -n 1)
  name=$(printf '%s\n' "$said" | sed -n 's/^ *"DNSName": *"\([^"]*\)".*/\1/p' | head -n 1)
  name=${name%.}
  echo "${backend:--} ${name:--}"
}

# AS_USER CHECK
probe_shell() {
  if run_shell "$1" "$2" >/dev/null 2>&1 </dev/null; then echo yes; else echo no; fi
}

# COMPONENT N CHECK: whether that holds without which a step makes no sense
probe_if() { echo "if $1 $2 $(probe_shell yes "$3")"; }

# NAME CHECK: whether the person has logged it in
probe_login() {
  if as_user timeout 30 sh -c "$2" >/dev/null 2>&1 </dev/null; then echo "logged-in $1 yes"; else echo "logged-in $1 no"; fi
}

# NAME TEXT: each line that it says is something that a person should know
probe_warns() {
  as_user timeout 30 sh -c "$2" 2>/dev/null </dev/null | head -n 9 | cut -c1-300 | while IFS= read -r line; do
    printf 'warns %s %s\n' "$1" "$line"
  done
}
