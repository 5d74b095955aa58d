# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# What changes something. Each function notes first what it is about to put there, so that it can be taken back also
# when the run ends in the middle; what was there before is kept.

# because TEXT: ends the step; this is why, for the report
because() {
  printf '%s\n' "$*" | tee "$run/because"
  exit 1
}

# ended CODE: what a command did that ended so
ended() {
  if [ "$1" = 137 ]; then
    echo "was killed, as the kernel does when no memory is left: \`sudo dmesg\` on the host says so, and swap would help"
  else
    echo "ended with $1"
  fi
}

# --- packages ---

wait_for_packages() {
  deadline=$(($(date +%s) + 900)) told=
  while holder=$(package_lock_holder) && [ -n "$holder" ]; do
    who=$(cat "/proc/$holder/comm" 2>/dev/null) || continue
    [ "$told" = "$who" ] || emit "wait $component the package manager is busy: $who (process $holder)"
    told=$who
    [ "$(date +%s)" -lt "$deadline" ] || because "the package manager is busy since 15 minutes: $who (process $holder)"
    sleep 1
  done
  [ -e "$run/mended" ] || mend_now
  : >"$run/mended"
}
apt() {
  ${apart:+beside} timeout 3000 apt-get -y -q -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confdef \
    -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 -o Acquire::Retries=2 -o Acquire::http::Timeout=30 \
    -o Acquire::https::Timeout=30 "$@"
}
update_lists() {
  [ ! -e "$run/updated" ] || return 0
  : >"$run/updated"
  apt -o APT::Update::Error-Mode=any update >"$run/said" 2>&1 || lists_missing >"$run/updated"
  cat "$run/said"
}
# What apt says of the first list that it could not fetch.
lists_missing() {
  first=$(sed -n 's/^[EW]: Failed to fetch \([^ ]*\) */\1: /p' "$run/said" | head -n 1)
  printf '%s\n' "${first:-$(sed -n 's/^E: //p' "$run/said" | head -n 1)}"
}
apt_install() {
  wait_for_packages
  # Of a package that was fetched before, a stale list may name a file that is gone.
  update_lists
  packages_note "$@"
  code=0
  apt install --no-install-recommends --no-remove "$@" || code=$?
  [ "$code" != 0 ] || return 0
  rm -f "$run/mended"
  for package in "$@"; do
    ! apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || continue
    [ ! -s "$run/updated" ] || because "the package lists cannot be fetched: does this host reach its mirror? $(cat "$run/updated")"
    because "the package lists of this host have no $package"
  done
  [ ! -s "$run/updated" ] ||
    because "apt-get could not install $*, nor fetch the package lists before: does this host reach its mirror? $(cat "$run/updated")"
  because "apt-get could not install $*"
}
# The lists of one repository alone; apt works as before, whatever comes of it.
lists_of() {
  apt -o "Dir::Etc::sourcelist=$1" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 \
    -o APT::Update::Error-Mode=any update
}
# NAME URL SUITE COMPONENTS KEY PACKAGES...
apt_install_from() {
  name=$1 url=$2 suite=$3 parts=$4 key=$5
  shift 5
  list=/etc/apt/sources.list.d/sinc-$name.sources new=$run/sinc-$name.sources
  # One of ours that contradicts another keeps apt from everything; else what was cut off may need it.
  [ ! -e "$list" ] || apt-get indextargets >/dev/null || rm -f "$list"
  wait_for_packages
  command -v curl >/dev/null || apt_install curl ca-certificates
  fetch "$key" "$run/key" 120 || because "the key of the repository could not be fetched: $key"
  [ -s "$run/key" ] || because "what came as the key of the repository is empty: $key"
  kind=gpg other=asc
  ! head -c 64 "$run/key" | grep -q 'BEGIN PGP' || kind=asc other=gpg
  record repository "$name"
  mkdir -p /etc/apt/keyrings
  # Whole, and as they should be, whatever a power loss has left of them.
  put_whole "/etc/apt/keyrings/sinc-$name.$kind" 644 root <"$run/key"
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: /etc/apt/keyrings/sinc-%s.%s\n' \
    "$url" "$suite" "$parts" "$name" "$kind" >"$new"
  rm -f "/etc/apt/keyrings/sinc-$name.$other"
  # It is among the others only once it has proven itself: wherever this is cut off, apt works as before.
  if ! lists_of "$new"; then
    rm -f "$list" "/etc/apt/keyrings/sinc-$name".*
    because "the repository cannot be used, and was taken out again: $url $suite"
  elif contradicts "$new"; then
    echo "the same place is among the person's own repositories, with another key: the packages come from there"
    rm -f "$list" "/etc/apt/keyrings/sinc-$name".*
  else
    put_whole "$list" 644 root <"$new"
  fi
  apt_install "$@"
}
# LIST: does it name a place of another one with another key? That would break apt for all of them.
contradicts() {
  rm -rf "$run/sources.list.d"
  mkdir "$run/sources.list.d"
  cp -rL /etc/apt/sources.list.d/. "$run/sources.list.d" || true
  cp "$1" "$run/sources.list.d"
  ! apt-get -o "Dir::Etc::sourceparts=$run/sources.list.d" indextargets >/dev/null
}
# PPA PACKAGES...
apt_install_ppa() {
  ppa=$1
  shift
  # As add-apt-repository names it.
  lists=/etc/apt/sources.list.d/${ppa%/*}-ubuntu-${ppa#*/}-
  # As in apt_install_from.
  ! is_noted ppa "$ppa" || apt-get indextargets >/dev/null || rm -f "$lists"*
  wait_for_packages
  command -v add-apt-repository >/dev/null || apt_install software-properties-common
  if ! is_noted ppa "$ppa" && grep -qs "$ppa" "$lists"*; then
    echo "the PPA is there already, and not ours"
  else
    record ppa "$ppa"
    ppa_try
    if beside apt-get indextargets >/dev/null; then
      # The keys first: a list without its key is one that cannot be used.
      for part in trusted.gpg.d keyrings sources.list.d; do
        sed -n "\,^$part/,p" "$run/added" | while IFS= read -r added; do ppa_put "$added"; done
      done
    else
      echo "the same place is among the person's own repositories, with another key: the packages come from there"
    fi
    rm -rf "$run/apt"
  fi
  apt_install "$@"
}
# What the program of the distribution writes goes to a copy of apt's settings, and is tried there.
ppa_try() {
  rm -rf "$run/apt"
  cp -a /etc/apt "$run/apt"
  tried=$run/apt/${lists#/etc/apt/}
  # What is there of ours may be half of it.
  rm -f "$tried"*
  beside true || because "the PPA cannot be tried beside apt's own settings: no mount namespace on this host"
  beside timeout 300 add-apt-repository -y -n "ppa:$ppa" || ppa_away "cannot be used"
  (cd "$run/apt" && find sources.list.d trusted.gpg.d keyrings -type f 2>/dev/null) |
    while IFS= read -r file; do cmp -s "$run/apt/$file" "/etc/apt/$file" || printf '%s\n' "$file"; done >"$run/added"
  grep -qs "$ppa" "$tried"* || ppa_away "wrote no file with its address"
  for list in "$tried"*; do
    (apart=yes && lists_of "/etc/apt/${list#"$run/apt/"}") || ppa_away "has nothing for this host"
  done
}
# CMD...: with the copy in the place of apt's settings, for this command alone
beside() {
  # shellcheck disable=SC2016 # for the other shell
  unshare --mount sh -c 'mount --bind "$0" /etc/apt && exec "$@"' "$run/apt" "$@"
}
# FILE of the copy: it has proven itself
ppa_put() {
  record_before path "/etc/apt/$1"
  record_wrote "/etc/apt/$1" "$run/apt/$1"
  mkdir -p "/etc/apt/${1%/*}"
  put_whole "/etc/apt/$1" 644 root <"$run/apt/$1"
}
# WHY: nothing of it stays, so that apt works as before
ppa_away() {
  rm -rf "$run/apt"
  # Only what is noted is ours.
  for list in "$lists"*; do ! is_noted path "$list" || rm -f "$list"; done
  because "the PPA $1, and was taken out again: $ppa"
}

# URL FILE SECONDS
fetch() { curl -fsSL --netrc-optional --proto '=https,http' --retry 2 --connect-timeout 20 --max-time "$3" -o "$2" -- "$1"; }

# PACKAGE VERSION SCRIPTS COMMAND
npm_install() {
  command -v npm >/dev/null || because "there is no npm on this host"
  where=$(npm_prefix "$1") code=0
  npm_is_there "$1" || record npm "$1"
  allow=
  [ "$3" = no ] || allow=--allow-scripts=$1
  # A proxy's registry, or a mirror, is in npm's own configuration.
  timeout 1800 npm install -g --cache="$run/npm" ${where:+"--prefix=$where"} ${allow:+"$allow"} --no-fund --no-audit --no-update-notifier \
    --loglevel=warn "$1@$2" >"$run/said" 2>&1 || code=$?
  cat "$run/said"
  [ $code = 0 ] || npm_failed "$1@$2"
  # npm 12 ends well also when it left the program out.
  version=$(version_of "$4")
  [ -n "$version" ] || because "npm ended well, but \`$4 --version\` says no version"
  # shellcheck disable=SC2016 # for the other shell
  file=$(as_user sh -c 'command -v "$1"' sh "$4")
  [ "$version" = "$2" ] || [ "$(readlink -f "$file")" = "$(readlink -f "${where:-$(npm prefix -g)}/bin/$4")" ] ||
    because "$file, which is $version, is found first: remove it, or update it"
  echo "$4 $version $(stamp "$4")" >>"$state/versions"
}
# PACKAGE: npm ended badly, and what it said is in $run/said
npm_failed() {
  what=$(sed -n 's/^npm [a-zA-Z!]* code \(E[A-Z0-9_]*\)$/\1/p' "$run/said" | head -n 1)
  case $what in
  EAI_AGAIN | ENOTFOUND | ECONN* | ETIMEDOUT | ENETUNREACH | EHOSTUNREACH | ERR_SOCKET_TIMEOUT | E5[0-9][0-9])
    registry=$(npm config get registry | sed 's,//[^/@]*@,//,')
    because "npm could not install $1: its registry does not answer ($what): does this host reach $registry?"
    ;;
  esac
  because "npm could not install $1"
}

# URL SHA256 DESTINATION UNPACK MODE
download() {
  dir=$(dirname "$3")
  case $dir in "$home"/*) as_user mkdir -p "$dir" ;; *) mkdir -p "$dir" ;; esac
  fetch "$1" "$run/download" 1800 || because "could not fetch $1"
  sum=$(sha256sum <"$run/download" | cut -d' ' -f1)
  [ "$sum" = "$2" ] || because "what came from $1 is not what was pinned: its SHA-256 is $sum"
  record_before path "$3"
  rm -rf "$3.sinc-new"
  if [ -n "$4" ]; then
    mkdir "$3.sinc-new"
    case $1 in
    *.zip) unzip -q "$run/download" -d "$3.sinc-new" ;;
    *) tar -xf "$run/download" -C "$3.sinc-new" --strip-components="$4" --no-same-owner ;;
    esac
    echo "$2" >"$3.sinc-new/.sinc-sha256"
  else
    install -m "$5" "$run/download" "$3.sinc-new"
  fi
  # Whose it is, and on the disk: once it is in its place nobody looks at it again.
  case $3 in "$home"/*) [ "$me" != 0 ] || chown -hR "$user:" "$3.sinc-new" ;; esac
  sync_below "$3.sinc-new"
  record_wrote "$3" "$3.sinc-new"
  rm -rf "$3.sinc-old"
  # A file takes the place of a file at once, and nothing else does.
  if [ -d "$3" ] || { [ -n "$4" ] && { [ -e "$3" ] || [ -L "$3" ]; }; }; then mv -T "$3" "$3.sinc-old"; fi
  mv -fT "$3.sinc-new" "$3"
  sync "$dir"
  rm -rf "$3.sinc-old" "$run/download"
}
# What a run that was cut off has left of a download beside it.
downloads_tidy() {
  cat "$state"/installed/* 2>/dev/null | sed -n "s/^path$tab\([^$tab]*\).*/\1/p" | while IFS= read -r path; do
    [ -e "$path" ] || [ -L "$path" ] || [ ! -e "$path.sinc-old" ] || mv -T "$path.sinc-old" "$path"
    rm -rf "$path.sinc-old"
  done
}

# --- files ---

# PATH MODE OWNER BEFORE CONTENT [EDITED]: BEFORE is the sum of what the plan saw, or "-" for nothing. What is EDITED is a
# person's file.
file_put() {
  seen=-
  [ ! -f "$1" ] || seen=$(sha256sum <"$1" | cut -d' ' -f1)
  [ "$seen" = "$4" ] || because "$1 was changed meanwhile: run it again"
  if [ -n "${6:-}" ] && [ -L "$1" ]; then
    printf '%s' "$5" | put_own "$1" "$2" "$3"
    return
  fi
  dir=$(dirname "$1")
  if [ ! -d "$dir" ]; then
    mkdir -p "$dir"
    # Below the home directory all of them are the user's.
    while [ "$me" = 0 ] && case $dir in "$home"/*) true ;; *) false ;; esac; do
      chown -h "$3:" "$dir"
      dir=$(dirname "$dir")
    done
  fi
  [ -n "${6:-}" ] || record_before file "$1"
  rm -f "$1.sinc-new"
  (umask 077 && set -C && printf '%s' "$5" >"$1.sinc-new")
  chmod "$2" "$1.sinc-new"
  [ "$me" != 0 ] || chown -h "$3:" "$1.sinc-new"
  # An edit is noted by itself.
  [ -n "${6:-}" ] || record_wrote "$1" "$1.sinc-new"
  sync "$1.sinc-new"
  mv -T "$1.sinc-new" "$1"
}

# --- services, users, anything else ---

# SCOPE UNIT ENABLED RUNNING
service_up() {
  if [ "$1" = user ] && [ "$me" = 0 ]; then
    let_linger "$user"
    uid=$(id -u "$user") tries=0
    # Its systemd is started by logind.
    until [ -S "/run/user/$uid/systemd/private" ]; do
      tries=$((tries + 1))
      [ $tries -lt 100 ] || because "the user's own systemd does not start"
      sleep 0.1
    done
  fi
  if [ "$1" = user ] && [ "$me" != 0 ]; then linger_if_allowed; fi
  service_ctl "$1" daemon-reload
  # As it was before the first time.
  cut -f1-3 "$state/installed/$component" 2>/dev/null | grep -qxF -- "service$tab$1$tab$2" ||
    record service "$1" "$2" "$(service_ctl "$1" is-enabled "$2" 2>/dev/null)" "$(service_ctl "$1" is-active "$2" 2>/dev/null)"
  [ "$3" = no ] || service_ctl "$1" enable "$2"
  [ "$4" = no ] || service_ctl "$1" restart "$2"
}

# Without root's rights it is for the host's policy to say whether one's services may outlive the last logout.
linger_if_allowed() {
  if [ -e "$lingering/$user" ]; then
    if lingers_for_us "$user"; then record linger "$user"; fi
  elif timeout 30 loginctl --no-ask-password enable-linger; then
    record linger "$user"
  elif [ ! -e "$run/ends-at-logout" ]; then
    : >"$run/ends-at-logout"
    emit "note $component what runs as $user ends at its last logout, and comes back at its next login; an administrator of the host changes that: \`sudo loginctl enable-linger $user\`"
  fi
}

# NAME SUDO LINGER KEYS
user_make() {
  if ! id "$1" >/dev/null 2>&1; then
    uid=$(uid_of_home "$1") || because "$uid"
    record user "$1"
    useradd -m -s /bin/bash ${uid:+-u "$uid"} "$1"
    # No password, and yet not locked: sshd refuses a locked account without PAM.
    usermod -p '*' "$1"
  fi
  home=$(getent passwd "$1" | cut -d: -f6)
  if [ "$4" = yes ] && [ -s "$login_home/.ssh/authorized_keys" ]; then
    install -d -m 700 -o "$1" -g "$(id -gn "$1")" "$home/.ssh"
    own=$home/.ssh/authorized_keys
    ! (user=$1 && leads_nowhere "$own") || because "$own is a link to no file that $1 may read"
    { [ ! -e "$own" ] || (user=$1 && show_own "$own") | awk 1; } >"$run/keys"
    : >"$run/keys-added"
    while IFS= read -r key || [ -n "$key" ]; do
      case $key in '' | '#'*) continue ;; esac
      grep -qxF -- "$key" "$run/keys" "$run/keys-added" || printf '%s\n' "$key" >>"$run/keys-added"
    done <"$login_home/.ssh/authorized_keys"
    if [ -s "$run/keys-added" ]; then
      record_keys "$own"
      cat "$run/keys" "$run/keys-added" | (user=$1 && put_own "$own" 600 "$1")
    fi
  fi
  if [ "$2" = yes ] && [ "$1" != root ] && ! runuser -u "$1" -- sudo -n true 2>/dev/null; then
    command -v sudo >/dev/null || apt_install sudo
    printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$1" >"$run/sudoers"
    visudo -q -c -f "$run/sudoers" || because "sudo does not take its new file"
    record_before file "/etc/sudoers.d/sinc-$1"
    record_wrote "/etc/sudoers.d/sinc-$1" "$run/sudoers"
    put_whole "/etc/sudoers.d/sinc-$1" 440 root <"$run/sudoers"
  fi
  [ "$3" = no ] || let_linger "$1"
}

# USER: it does not without us
lingers_for_us() { [ ! -e "$lingering/$1" ] || cut -f1,2 "$state"/installed/* 2>/dev/null | grep -qxF -- "linger$tab$1"; }

# USER: its services run without a login; each component that needs it notes it, unless it is a person's own
let_linger() {
  if lingers_for_us "$1"; then record linger "$1"; fi
  loginctl enable-linger "$1"
}

# NAME: whose its home directory is, where one was kept that sshd would let nobody else use; else why it cannot be its own
homes=/home
uid_of_home() {
  [ -e "$homes/$1" ] || return 0
  owner=$(stat -L -c %u "$homes/$1")
  if its=$(getent passwd "$owner"); then
    echo "$homes/$1 is there already, and is ${its%%:*}'s: move it away, or choose another name (--user)"
    return 1
  fi
  echo "$owner"
}

# AS_USER APPLY CHECK UNDO SAYS
shell_step() {
  [ -z "$4" ] || record shell "$1" "$(printf '%s' "$4" | hex)" "$5"
  run_shell "$1" "$2" || because "its command $(ended "$?")"
  run_shell "$1" "$3" || because "its command ended well, but its check does not hold"
}
