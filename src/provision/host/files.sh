# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# Files, written whole; and notes of what was put where, so that it can be taken back and nothing of a person's goes.

# put_whole FILE MODE OWNER: what comes on standard input, as the old file or as the new one at any time
put_whole() {
  # Below a home directory its user may have put a link there.
  rm -f "$1.sinc-new"
  (umask 077 && set -C && cat >"$1.sinc-new") || { rm -f "$1.sinc-new" && because "$1 cannot be written: is the disk full?"; }
  chmod "$2" "$1.sinc-new"
  [ "$me" != 0 ] || chown -h "$3:" "$1.sinc-new"
  sync "$1.sinc-new"
  mv -fT "$1.sinc-new" "$1"
  sync "$(dirname "$1")"
}

# FILE MODE OWNER: as `put_whole`, for a file of a person's. What is a link stays one: where it leads to, its user's own
# rights write it, and it keeps its mode.
put_own() {
  if [ ! -L "$1" ]; then
    put_whole "$@"
    return
  fi
  # shellcheck disable=SC2016 # for the other shell
  by_its_user "$1" sh -euc '
    file=$(readlink -f -- "$1")
    test -f "$file"
    trap "rm -f \"\$file.sinc-new\"" EXIT
    rm -f "$file.sinc-new"
    (umask 077 && set -C && cat >"$file.sinc-new")
    chown --reference="$file" "$file.sinc-new"
    chmod --reference="$file" "$file.sinc-new"
    sync "$file.sinc-new"
    mv -fT "$file.sinc-new" "$file"
  ' sh "$1" || because "$1 is a link, and $user cannot write the file that it leads to"
}
# FILE: as `rm`; behind a link what it leads to goes too
remove_own() {
  # shellcheck disable=SC2016 # for the other shell
  [ ! -L "$1" ] || by_its_user "$1" sh -euc 'rm -f "$(readlink -f -- "$1")"' sh "$1" || true
  rm -f "$1"
}

# record KIND FIELDS...: what this component puts there, one line of the fields
record() {
  line=$1
  shift
  for field in "$@"; do line="$line$tab$field"; done
  case $line in *"
"*) because "a note of it would be two lines: $1" ;; esac
  printf '%s\n' "$line" >"$run/line"
  record_lines "$run/line"
}

# is_noted KIND FIELD: by this component
is_noted() { cut -f1,2 "$state/installed/$component" 2>/dev/null | grep -qxF -- "$1$tab$2"; }

# record_lines FILE: those that are not noted yet, all at once. The first line says for whom it is put there.
record_lines() {
  private_dir "$state/installed"
  noted=$state/installed/$component
  {
    if [ -s "$noted" ]; then cat "$noted"; else printf 'as\t%s\n' "$user"; fi
    cat "$1"
  } | awk '!seen[$0]++' >"$state/installed/.$component.new"
  if cmp -s "$state/installed/.$component.new" "$noted" 2>/dev/null; then
    rm -f "$state/installed/.$component.new"
    return 0
  fi
  sync "$state/installed/.$component.new"
  mv "$state/installed/.$component.new" "$noted"
  sync "$state/installed"
}

# sum_of PATH: what it is; of a directory all that is in it
sum_of() {
  if [ -L "$1" ]; then
    printf 'link %s' "$(readlink "$1")" | sha256sum | cut -d' ' -f1
  elif [ -d "$1" ]; then
    (cd "$1" && find . \( -type f -exec sha256sum {} + \) -o \( -type l -printf '%p %l\n' \) | LC_ALL=C sort | sha256sum | cut -d' ' -f1)
  elif [ -e "$1" ]; then
    sha256sum <"$1" | cut -d' ' -f1
  else
    echo -
  fi
}

# record_before KIND PATH: what is there is the person's, unless we put it there; it is kept for the way back
record_before() {
  ! is_noted "$1" "$2" || return 0
  kept=
  if [ -e "$2" ] || [ -L "$2" ]; then
    kept=$state/kept/$component/$(kept_name "$2")
    private_dir "$(dirname "$kept")"
    rm -rf "$kept.new"
    cp -a "$2" "$kept.new"
    sync_below "$kept.new"
    rm -rf "$kept"
    mv -T "$kept.new" "$kept"
  fi
  record "$1" "$2" "$kept"
}
kept_name() { printf '%s' "$1" | tr / %; }

# record_wrote PATH FILE: PATH is about to become what FILE is. Its sum tells later whether a person has changed it; what
# took the place of a person's file and is open to all is kept itself, so that our part can be taken out again.
record_wrote() {
  record wrote "$1" "$(sum_of "$2")"
  before=$state/kept/$component/$(kept_name "$1")
  if [ -f "$before" ] && [ -f "$2" ] && case $(stat -c %a "$2") in *[4567]) true ;; *) false ;; esac; then
    cp "$2" "$before.wrote.new"
    mv "$before.wrote.new" "$before.wrote"
  fi
}

# PATH KEPT SUMS...: what was there before comes back. What a person has changed since is never lost: our part is taken
# out where that is clear, else it stays as it is.
undo_path() {
  path=$1 before=$2
  shift 2
  is=$(sum_of "$path")
  ours=
  # One that was noted by an older sinc has no sum.
  [ $# -gt 0 ] || ours=yes
  for sum in - "$@"; do [ "$is" != "$sum" ] || ours=yes; done
  if [ -n "$before" ] && [ ! -e "$before" ] && [ ! -L "$before" ]; then
    because "what was there before is not there any more: $before"
  fi
  if [ -n "$ours" ]; then
    path_back "$path" "$before"
  elif [ -n "$before" ] && [ "$is" = "$(sum_of "$before")" ]; then
    echo "$path is as it was before already"
  elif [ -f "$path" ] && [ -f "$before.wrote" ] && diff3 -m "$path" "$before.wrote" "$before" >"$run/merged"; then
    whole=$(free_name "$path.before-uninstall")
    cp -a "$path" "$whole"
    put_whole "$path" "$(stat -c %a "$path")" "$(stat -c %U "$path")" <"$run/merged"
    emit "note $component $path was changed since: only what sinc had put into it is gone; the whole of it: $whole"
  elif [ -n "$before" ]; then
    aside=$(free_name "$path.before-sinc")
    path_back "$aside" "$before"
    emit "note $component $path was changed since, and stays; what was there before sinc: $aside"
  else
    emit "note $component $path was changed since sinc made it, and stays"
  fi
}

# free_name PATH: one that nothing has yet
free_name() {
  free=$1 n=1
  while [ -e "$free" ] || [ -L "$free" ]; do n=$((n + 1)) && free=$1-$n; done
  printf '%s' "$free"
}

# path_back PATH KEPT: whole, or nothing where there was nothing
path_back() {
  rm -rf "$1.sinc-new"
  if [ -n "$2" ]; then
    cp -a "$2" "$1.sinc-new"
    sync "$1.sinc-new"
    [ ! -d "$1" ] || [ -L "$1" ] || rm -rf "$1"
    mv -fT "$1.sinc-new" "$1"
  else
    rm -rf "$1"
  fi
  sync "$(dirname "$1")"
}

# record_keys FILE: the keys in $run/keys-added come into it; they alone go again
record_keys() {
  kept=$state/kept/$component/keys-$(kept_name "$1")
  private_dir "$state/kept/$component"
  { cat "$kept" 2>/dev/null || true; cat "$run/keys-added"; } >"$kept.new"
  sync "$kept.new"
  mv "$kept.new" "$kept"
  record keys "$1" "$kept"
}

# FILE KEPT
undo_keys() {
  [ -e "$1" ] && [ -e "$2" ] || return 0
  ! leads_nowhere "$1" || because "$1 is a link to no file that $user may read"
  show_own "$1" >"$run/all-keys"
  # None of them ever came in: then it need not be one that can be written.
  grep -qxFf "$2" "$run/all-keys" || return 0
  grep -vxFf "$2" "$run/all-keys" >"$run/keys" || true
  if [ -s "$run/keys" ]; then
    put_own "$1" "$(stat -c %a "$1")" "$(stat -c %U "$1")" <"$run/keys"
  else
    remove_own "$1"
  fi
}
