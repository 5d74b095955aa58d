#!/usr/bin/env bash
# install.sh: builds sinc and installs it for this user, with shell completions and manual pages.
#
#   install/install.sh               into ~/.local, or $PREFIX
#   install/install.sh --uninstall   removes exactly those files
#
# Needs Rust. The tools that sinc drives are not installed: sinc names what is missing when it needs it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/install/rust.sh"

prefix=${PREFIX:-$HOME/.local}
bin=$prefix/bin/sinc
man=$prefix/share/man/man1
bash=$prefix/share/bash-completion/completions/sinc
zsh=$prefix/share/zsh/site-functions/_sinc
fish=$prefix/share/fish/vendor_completions.d/sinc.fish

# put FILE CMD...: CMD's output becomes FILE, whole or not at all
put() {
  local file=$1
  shift
  mkdir -p "$(dirname "$file")"
  "$@" >"$file.new"
  mv "$file.new" "$file"
}
files=("$bin" "$bash" "$zsh" "$fish")

case ${1:-} in
'') ;;
--uninstall)
  gone=$(rm -fv "${files[@]}" "${files[@]/%/.new}" "$man"/sinc.1 "$man"/sinc-*.1)
  echo "${gone:-nothing of sinc is in $prefix}"
  exit
  ;;
-h | --help)
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"
  exit 0
  ;;
*)
  echo "install.sh: what is '$1'? See --help" >&2
  exit 2
  ;;
esac

need_rust "$root"
"$root/install/get-tools.sh" build
build_sinc "$root"
trap 'rm -f "${files[@]/%/.new}"' EXIT
mkdir -p "$prefix/bin"
cp "$sinc" "$bin.new"
mv "$bin.new" "$bin" # also while an older one runs
mkdir -p "$man"
"$bin" man --dir "$man"
put "$bash" "$bin" completions bash
put "$zsh" "$bin" completions zsh
put "$fish" "$bin" completions fish

echo "sinc is in $bin, its manual pages and completions below $prefix/share"
case ":$PATH:" in
*":$prefix/bin:"*) ;;
*) echo "$prefix/bin is not on PATH yet: add it in your shell's startup file" ;;
esac
case ${SHELL:-} in
*/zsh) echo "zsh: in ~/.zshrc, before compinit: fpath+=(${zsh%/*})" ;;
esac
echo "Next, in a project of yours: sinc --host user@address"
