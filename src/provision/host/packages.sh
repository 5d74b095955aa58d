# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# Packages: what an installation that was cut off left behind, what one would bring along, what may go again.

# Its own step: what may be at work is waited for, as in all that is done with packages.
packages_mend() { wait_for_packages; }
# What dpkg was cut off in is finished; what is not there of what a package needs comes too, and nothing goes for it.
mend_now() {
  if [ -z "$(ls /var/lib/dpkg/updates)" ] && [ -z "$(dpkg --audit)" ] && apt-get -q check >/dev/null 2>&1; then return 0; fi
  echo "an installation of packages was cut off before: dpkg --configure -a, apt-get -f install"
  timeout 1800 dpkg --configure -a --force-confdef --force-confold || true
  apt -f install --no-remove || because "packages on this host are broken, and apt-get cannot mend them without removing some: sudo apt-get -f install"
  [ -z "$(dpkg --audit)" ] || because "packages on this host are broken: sudo dpkg --audit says which"
}

# PACKAGES...: what it would bring that is not there at all, so that only that is ever ours
packages_new() {
  apt -s install --no-install-recommends "$@" >"$run/simulated" || return 1
  # With a version in brackets it is there already, and moves to a newer one.
  awk '$1 == "Inst" && $3 !~ /^\[/ { sub(/:.*/, "", $2); print $2 }' "$run/simulated"
}

# Notes them before the first one comes: those that were asked for, and those that come along. A person's package does not
# go for them.
packages_note() {
  packages_new "$@" >"$run/new" || return 0
  gone=$(awk '$1 == "Remv" || $1 == "Purg" { sub(/:.*/, "", $2); printf "%s%s", (n++ ? " " : ""), $2 }' "$run/simulated")
  [ -z "$gone" ] || because "apt-get would remove $gone to install $*: if that may go, \`sudo apt-get remove $gone\` on the host first"
  while IFS= read -r package; do
    kind=apt-with
    for asked in "$@"; do [ "$asked" != "$package" ] || kind=apt; done
    printf '%s\t%s\n' "$kind" "$package"
  done <"$run/new" >"$run/noted"
  record_lines "$run/noted"
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# ASKED... -- ALONG...: what a component brought, those that are there still; what a person asked for since stays, and
# what anything else needs stays too
undo_apt() {
  wait_for_packages
  apt-mark showmanual | sort >"$run/manual"
  here='' along=
  for package in "$@"; do
    if [ "$package" = -- ]; then
      along=yes
    elif is_installed "$package"; then
      if [ -n "$along" ] && grep -qxF -- "$package" "$run/manual"; then
        emit "note $component $package stays: somebody has asked for it since"
      else
        here="$here $package"
      fi
    fi
  done
  [ -n "$here" ] || return 0
  others=$(removed_besides "$here")
  if [ -n "$others" ]; then
    # shellcheck disable=SC2086 # names of packages
    kept=$(needed_of "$here" $others)
    emit "note $component $(printf '%s' "$kept" | cut -c1-200) stays: needed by$others"
    left=
    for package in $here; do
      case " $kept " in *" $package "*) ;; *) left="$left $package" ;; esac
    done
    here=$left
    [ -n "$here" ] || return 0
    others=$(removed_besides "$here")
    [ -z "$others" ] || because "other packages need what would be removed:$others"
  fi
  # shellcheck disable=SC2086 # names of packages
  apt remove $here
}

# PACKAGES: what would go with them, and is not theirs
removed_besides() {
  # shellcheck disable=SC2086 # names of packages
  apt -s remove $1 >"$run/simulated" || because "apt-get cannot say what would go with them"
  awk '$1 == "Purg" || $1 == "Remv" { print $2 }' "$run/simulated" | while read -r package; do
    case " $1 " in *" ${package%:*} "*) ;; *) printf ' %s' "${package%:*}" ;; esac
  done
}

# PACKAGES OTHERS...: which of them the others need, also by way of others; rather too many than too few
needed_of() {
  mine=$1
  shift
  dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Provides}\t${Pre-Depends}, ${Depends}\n' | awk -F '\t' -v mine="$mine" -v others="$*" '
    function names(text, into, n, i) {
      gsub(/\([^)]*\)/, "", text); gsub(/:[a-z0-9]+/, "", text); gsub(/[|,]/, " ", text)
      return split(text, into, " ")
    }
    $1 == "installed" {
      needs[$2] = $4; by[$2] = by[$2] " " $2
      n = names($3, given); for (i = 1; i <= n; i++) by[given[i]] = by[given[i]] " " $2
    }
    END {
      n = split(others, queue, " ")
      for (i = 1; i <= n; i++) seen[queue[i]] = 1
      for (at = 1; at <= n; at++) {
        m = names(needs[queue[at]], wanted)
        for (i = 1; i <= m; i++) {
          k = split(by[wanted[i]], who, " ")
          for (j = 1; j <= k; j++) if (!(who[j] in seen)) { seen[who[j]] = 1; queue[++n] = who[j] }
        }
      }
      k = split(mine, own, " "); for (i = 1; i <= k; i++) if (own[i] in seen) printf "%s%s", (c++ ? " " : ""), own[i]
    }'
}
