# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# The firewall. A person's own rules stay: ours are those whose comment begins with `sinc:`.

# Where its file says that it is on and it is not, it takes no rule: it would change tables that nobody has loaded. It
# counts as off, as it was in effect, also when sinc goes: without sinc's rule it would shut ssh out at the next start.
ufw_ready() {
  case $(ufw status) in "Status: active"*) return 0 ;; esac
  grep -q '^ENABLED=yes' /etc/ufw/ufw.conf || return 0
  ufw --force disable
}

# PORTS: each is opened before all other rules; what lets it through already stays
ufw_ssh() {
  guard_begin firewall
  ufw_ready
  for port in "$@"; do let_in prepend sinc:ssh "$port/tcp"; done
  guard_end
}

# PORT/PROTOCOL INTERFACE
ufw_allow() {
  guard_begin firewall
  ufw_ready
  if [ "$1" = any ]; then
    let_in '' "sinc:$component" in on "$2"
  elif [ -n "$2" ]; then
    let_in '' "sinc:$component" in on "$2" to any port "${1%/*}" proto "${1#*/}"
  else
    let_in '' "sinc:$component" "$1"
  fi
  guard_end
}

# HOW COMMENT RULE...: ufw puts a rule in the place of one that differs in its verb or comment alone. So one that lets it
# through already stays as it is; one that shuts the very same makes room, and comes back to its place when ours goes. So
# does one that would let it in behind one that shuts it, while the firewall is off: the first one counts.
let_in() {
  how=$1 comment=$2
  shift 2
  rule="$*" place=0 shut='' first=
  ufw show added >"$run/rules"
  if [ "$how" = prepend ] && ! firewall_is_on; then first=$(first_that_shuts "${rule%/tcp}" <"$run/rules"); fi
  while IFS= read -r line; do
    case $line in 'ufw '*) place=$((place + 1)) ;; esac
    if [ "$place" -gt "${first:-$place}" ]; then
      case $line in "ufw allow $rule" | "ufw allow $rule comment "* | "ufw limit $rule" | "ufw limit $rule comment "*) shut=$line shut_place=$place ;; esac
      continue
    fi
    case $line in
    "ufw allow $rule" | "ufw allow $rule comment "* | "ufw limit $rule" | "ufw limit $rule comment "*) return 0 ;;
    # Without a protocol it is both, for ssh's ports.
    "ufw allow ${rule%/tcp}" | "ufw allow ${rule%/tcp} comment "* | "ufw limit ${rule%/tcp}" | "ufw limit ${rule%/tcp} comment "*) return 0 ;;
    "ufw deny $rule" | "ufw deny $rule comment "* | "ufw reject $rule" | "ufw reject $rule comment "*) shut=$line shut_place=$place ;;
    esac
  done <"$run/rules"
  if [ -n "$shut" ]; then
    verb=${shut#ufw } said=
    verb=${verb%% *}
    case $shut in *" comment '"*) said=${shut#*" comment '"} said=${said%\'} ;; esac
    record ufw-was insert "$shut_place" "$verb" "$@" ${said:+comment "$said"}
    ufw --force delete "$verb" "$@"
  fi
  record ufw allow "$@"
  # Before all others, where there are others.
  if [ -z "$how" ] || ! ufw "$how" allow "$@" comment "$comment"; then ufw allow "$@" comment "$comment"; fi
}

# PORT: the place of the first rule on standard input that may shut it, for everybody or for some; none is about ports of udp,
# or about what comes by the tailnet or from the host itself
first_that_shuts() {
  awk -v port="$1" '
    function is_about(what, parts, range, n, i) {
      if (!sub("/tcp$", "", what) && what ~ "/") return 0
      n = split(what, parts, ",")
      for (i = 1; i <= n; i++) {
        if (split(parts[i], range, ":") == 1) range[2] = range[1]
        if (range[1] + 0 <= port + 0 && port + 0 <= range[2] + 0) return 1
      }
      return what == "OpenSSH" && port == 22
    }
    $1 != "ufw" { next }
    { place++ }
    $2 != "deny" && $2 != "reject" || $3 == "out" { next }
    {
      sub(" comment \047.*", "")
      sub(" log(-all)? ", " ")
      about = NF == 3 ? $3 : ""
      for (i = 3; i <= NF; i++) {
        if ($i == "on" && ($(i + 1) == "tailscale0" || $(i + 1) == "lo")) next
        if ($i == "proto" && $(i + 1) != "tcp") next
        if ($i == "to" && ($(i + 2) == "port" || $(i + 2) == "app")) about = $(i + 3)
      }
      if (about == "" && $3 !~ /^\047/ || about != "" && is_about(about)) { print place; exit }
    }'
}

# PORTS: sshd's ports are open before it is on
ufw_enable() {
  guard_begin firewall
  ufw_ready
  for port in "$@"; do let_in prepend sinc:ssh "$port/tcp"; done
  case $(ufw status) in "Status: active"*) ;; *) record ufw-on ;; esac
  ufw --force enable || because "the firewall does not start"
  case $(ufw status) in "Status: active"*) ;; *) because "the firewall says that it is not active" ;; esac
  guard_end
}

# PORTS: ssh through the tailnet alone, for a login that came through it. What lets everybody in to one of them makes room,
# and comes back to its place when ours goes.
ufw_tailnet_only() {
  by_tailnet || because "this login did not come through the tailnet, so ssh stays open as it is"
  case $(ufw status) in "Status: active"*) ;; *) because "the firewall is off, so it can close nothing" ;; esac
  guard_begin tailnet
  for port in "$@"; do let_in prepend "sinc:$component" in on tailscale0 to any port "$port" proto tcp; done
  for port in "$@"; do
    lets_all_in "$port"
    while [ -n "$open" ]; do
      verb=${open#ufw } said='' last=$open
      rule=${verb#* } verb=${verb%% *}
      case $rule in *" comment '"*) said=${rule#*" comment '"} said=${said%\'} rule=${rule%%" comment '"*} ;; esac
      record ufw-was insert "$place" "$verb" "$rule" ${said:+comment "$said"}
      ufw --force delete "$verb" "$rule"
      lets_all_in "$port"
      [ "$open" != "$last" ] || because "a rule of the firewall cannot be taken away: $open"
    done
  done
  guard_end
}

# PORT: the first rule that is about nothing else; sets $open and $place
lets_all_in() {
  open='' place=0
  ufw show added >"$run/rules"
  while IFS= read -r line; do
    case $line in 'ufw '*) place=$((place + 1)) ;; esac
    case ${line%%" comment '"*} in
    "ufw allow $1" | "ufw limit $1" | "ufw allow $1/tcp" | "ufw limit $1/tcp") ;;
    "ufw allow OpenSSH" | "ufw limit OpenSSH") [ "$1" = 22 ] || continue ;;
    *) continue ;;
    esac
    open=$line
    return
  done <"$run/rules"
}

# RULE...: ours, and none of a person's that says the same
undo_ufw() {
  command -v ufw >/dev/null || return 0
  comment=$(ufw show added | while IFS= read -r line; do
    case $line in "ufw $* comment 'sinc:"*) printf '%s' "${line##*" comment "}" && break ;; esac
  done | tr -d "'")
  [ -n "$comment" ] || { echo "there is no rule of ours any more: $*" && return 0; }
  guard_begin firewall
  ufw --force delete "$@" comment "$comment"
  guard_end
}

# insert PLACE RULE..., or RULE...: one of a person's that was there before
undo_ufw_was() {
  command -v ufw >/dev/null || return 0
  guard_begin firewall
  if [ "$1" != insert ]; then
    ufw "$@"
  else
    place=$2
    shift 2
    # Behind the last one ufw would take the place for one among the rules of IPv6.
    rules=$(ufw show added | grep -c '^ufw ' || true)
    if [ "$place" -gt "$rules" ] || ! ufw insert "$place" "$@"; then ufw "$@"; fi
  fi
  guard_end
}

undo_ufw_on() {
  command -v ufw >/dev/null || return 0
  case $(ufw status) in "Status: active"*) ;; *) return 0 ;; esac
  guard_begin firewall
  behind_stop || because "what would be open to everybody without the firewall does not stop, so that stays on: run it again"
  ufw disable
  guard_end
}
