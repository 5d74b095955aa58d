# shellcheck shell=sh disable=SC2154
# Makes the host's repository (env.sh comes before it), where there is none: it is there whole, or not at all. One that somebody
# else has made there is set up, once, and what is set already stays. $1 the directory   $2 the branch that a new one begins on,
# then pairs of words: a setting's name and its value; `exclude` and a pattern.
echo "sinc-begin 1";
cd "$1" 2>/dev/null || { put refused "no directory"; exit 0; };
b=$2; shift 2;
made=yes; other=no; p=;
if [ -e .git ] || [ -L .git ]; then
made=no; g=.git; n=;
if [ -L .git ] || [ -e .git/sinc/set-up ]; then put made no; put end yes; exit 0; fi;
[ -d .git/objects ] || { put made no; put end yes; exit 0; };
else
# The sync leaves it out under this name too.
n=.git.sinc-$$; g=$n/.git;
unset GIT_DIR GIT_WORK_TREE;
GIT_DEFAULT_HASH=sha1; GIT_DEFAULT_REF_FORMAT=files; export GIT_DEFAULT_HASH GIT_DEFAULT_REF_FORMAT;
rm -rf .git.sinc-*;
fi;
failed() { if [ -n "$n" ]; then rm -rf "$n"; fi; put refused "$1"; exit 0; };
if [ "$made" = yes ]; then
# No template: no hooks.
git init -q --template= "$n" >/dev/null 2>&1 || failed "git init";
git --git-dir="$g" symbolic-ref HEAD "refs/heads/$b" || failed "git symbolic-ref";
git --git-dir="$g" hash-object -w -t tree /dev/null >/dev/null || failed "git hash-object";
mkdir "$g/sinc" "$g/info" "$g/hooks" || failed mkdir;
else
mkdir -p .git/sinc .git/info || failed mkdir;
fi;
# Is it set, in whatever file? Where origin is another one, all of it is somebody else's.
stays() {
[ "$made" = no ] || return 1;
case $other$1 in yesremote.origin.*) return 0;; esac;
o=$(git --git-dir="$g" config --get "$1" 2>/dev/null) || { [ $? -ne 1 ]; return; };
case $1 in remote.origin.url) if differ "$o" "$2"; then other=yes; fi;; esac;
};
excluded() { grep -F -x -q -e /.sinc-session "$g/info/exclude" 2>/dev/null; };
# An earlier version has made it, and noted that nowhere.
case $(git --git-dir="$g" config --get remote.laptop.pushurl 2>/dev/null) in "./sinc: "*) if excluded; then shift $#; fi;; esac;
while [ $# -gt 1 ]; do
case $1 in
exclude) p=$p$2$nl;;
*) stays "$1" "$2" || git --git-dir="$g" config "$1" "$2" 2>/dev/null || failed "git config (is there a .git/config.lock?)";;
esac;
shift 2;
done;
if [ -n "$p" ] && excluded; then p=; fi;
# A last line without an end stays one of its own.
if [ -n "$(tail -c 1 "$g/info/exclude" 2>/dev/null)" ]; then p=$nl$p; fi;
printf "%s" "$p" >>"$g/info/exclude" || failed "info/exclude";
# Last.
true >"$g/sinc/set-up" || failed "sinc/set-up";
if [ "$made" = yes ]; then
mv "$g" .git || failed mv;
rmdir "$n";
fi;
put made "$made";
put end yes;
exit 0
