# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# What the larger tiers need besides: mirrors, secrets in files, sums that a project publishes, a tailnet.

# NPM-REGISTRY [FROM TO]...: for npm and git, and all that is started from here
use_mirrors() {
  [ -z "$1" ] || export "npm_config_registry=$1"
  shift
  git_rules=0
  while [ $# -gt 1 ]; do
    export "GIT_CONFIG_KEY_$git_rules=url.$2.insteadOf" "GIT_CONFIG_VALUE_$git_rules=$1"
    git_rules=$((git_rules + 1))
    shift 2
  done
  [ $git_rules = 0 ] || export "GIT_CONFIG_COUNT=$git_rules"
}

# PATH MODE OWNER BEFORE HEAD SECRET: a line that begins with HEAD
secret_put() { file_put "$1" "$2" "$3" "$4" "$5$6
"; }

# PATH MODE OWNER BEFORE CONTENT EDIT: what is put into a file is noted apart from the file, which others write to
file_edit() {
  kept=
  if [ -e "$1" ]; then
    kept=$state/kept/$component/$(kept_name "$1")-$(printf '%s' "$6" | sha256sum | cut -c 1-12)
    # What is not noted was cut off, and may be old.
    if ! cut -f1,3 "$state/installed/$component" 2>/dev/null | grep -qxF -- "edit$tab$kept"; then
      private_dir "$(dirname "$kept")"
      (umask 077 && show_own "$1" >"$kept.new")
      sync "$kept.new"
      mv -fT "$kept.new" "$kept"
    fi
  fi
  record edit "$1" "$kept" "$6"
  file_put "$1" "$2" "$3" "$4" "$5" edited
}

# PATH MODE OWNER BEFORE CONTENT WHOLE [KEPT CONTENT]...: the file as it is without what was put there; without content it
# goes. WHOLE is yes when somebody else has written to it since: then the whole of it is kept too, once in a run. What
# other components keep of it is without that from now on, too.
undo_edit() {
  [ -f "$1" ] || return 0
  [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$4" ] || because "$1 was changed meanwhile: run it again"
  if [ -n "$5" ] && [ "$(printf '%s' "$5" | sha256sum | cut -d' ' -f1)" = "$4" ]; then
    echo "nothing of it is in $1 any more"
  else
    if [ "$6" = yes ] && [ ! -e "$run/whole-$(kept_name "$1")" ]; then
      whole=$(free_name "$1.before-uninstall")
      if [ -L "$1" ]; then by_its_user "$1" cp -aL -- "$1" "$whole"; else cp -a "$1" "$whole"; fi
      : >"$run/whole-$(kept_name "$1")"
      emit "note $component $1 was changed since: only what was put into it is gone; the whole of it: $whole"
    fi
    if [ -n "$5" ]; then printf '%s' "$5" | put_own "$1" "$2" "$3"; else remove_own "$1"; fi
  fi
  shift 6
  while [ $# -gt 1 ]; do
    if [ -f "$1" ]; then printf '%s' "$2" | put_whole "$1" 600 "$(id -un)"; fi
    shift 2
  done
}

# URL SUMS DESTINATION UNPACK MODE: as `download`, by the list of sums that its project publishes
download_listed() {
  fetch "$2" "$run/sums" 120 || because "could not fetch the list of sums: $2"
  sum=$(listed_sum "$run/sums" "${1##*/}")
  rm -f "$run/sums"
  [ -n "$sum" ] || because "$2 has no SHA-256 of ${1##*/}"
  download "$1" "$sum" "$3" "$4" "$5"
}

# LIST NAME: its SHA-256 in a list of sha256sum's, or in what GitHub says of a release
listed_sum() {
  tr ',{}' '\n' <"$1" | awk -v name="$2" '
    $2 == name || $2 == "*" name { print $1; exit }
    /^ *"name" *:/ { split($0, part, "\""); here = part[4] == name }
    here && /^ *"digest" *:/ { split($0, part, "\""); sub("sha256:", "", part[4]); print part[4]; exit }
  ' | grep -xE '[0-9a-f]{64}'
}

# SERVER KEY: joins the tailnet with the key, or shows the address at which a person lets it in
tailnet_join() {
  # Waits for the service itself, which systemd may just have started.
  deadline=$(($(date +%s) + 60))
  while state_of_it=$(tailnet_state) && case $state_of_it in '' | NoState) true ;; *) false ;; esac; do
    [ "$(date +%s)" -lt "$deadline" ] || because "tailscaled does not say whether it is logged in"
    sleep 0.2
  done
  # It was logged in already, by a person or by a run that was cut off.
  case $state_of_it in
  Running) return ;;
  Starting | Stopped)
    tailnet_up
    return
    ;;
  esac
  record tailnet
  if [ -n "$2" ]; then
    code=0
    # By a pipe: it is on no disk, and in no command line.
    printf '%s\n' "$2" | timeout 90 tailscale up ${1:+"--login-server=$1"} --auth-key=file:/dev/stdin --timeout=60s || code=$?
    [ $code = 0 ] || not_approved || because "the tailnet does not take this key: $(tailnet_says)"
    return
  fi
  timeout 930 tailscale up ${1:+"--login-server=$1"} --timeout=900s &
  waiting=$! told=
  while kill -0 $waiting 2>/dev/null; do
    says=$(timeout 10 tailscale status --json 2>/dev/null) || says=
    address=$(printf '%s\n' "$says" | sed -n 's/^ *"AuthURL": *"\([^"]*\)".*/\1/p')
    case $says in *'"BackendState": "NeedsMachineAuth"'*) address=approval ;; esac
    if [ -n "$address" ] && [ "$told" != "$address" ]; then
      told=$address
      if [ "$address" = approval ]; then
        emit "wait $component whoever administers the tailnet has to approve this host (Machines, in Tailscale's admin console)"
      else
        emit "wait $component open $address in a browser, to let this host into your tailnet"
      fi
    fi
    sleep 0.2
  done
  wait $waiting || not_approved || because "nobody let this host into the tailnet: $(tailnet_says)"
}

# It was let in, in a tailnet that approves its devices as well: then it fails with that, and comes up by itself later.
not_approved() {
  [ "$(tailnet_state)" = NeedsMachineAuth ] || return 1
  because "whoever administers the tailnet has to approve this host first (Machines, in Tailscale's admin console); then run this again"
}

# A host that was logged in, and is down. It stays in its tailnet when what sinc put there goes, so nothing is noted; and
# without a flag all settings stay that it has.
tailnet_up() { timeout 90 tailscale up || because "Tailscale is logged in, and does not come up: $(tailnet_says)"; }

# What Tailscale says of itself; nothing where it does not answer.
tailnet_state() { timeout 10 tailscale status --json --peers=false 2>/dev/null | sed -n 's/^ *"BackendState": *"\([^"]*\)".*/\1/p' | head -n 1; }
# What Tailscale itself complains of.
tailnet_says() { timeout 10 tailscale status --json 2>/dev/null | tr -d '\n' | sed -n 's/.*"Health": *\[ *"\([^"]*\)".*/\1/p'; }

undo_tailnet() { ! command -v tailscale >/dev/null || timeout 60 tailscale logout || true; }
