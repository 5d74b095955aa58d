# shellcheck shell=sh disable=SC2154
# Makes the host's repository (env.sh comes before it), where there is none. $1 the directory   $2 the branch it begins on,
# then pairs of words: a setting's name and its value; `exclude` and a pattern. It is there whole, or not at all.
echo "sinc-begin 1";
cd "$1" 2>/dev/null || { put refused "no directory"; exit 0; };
b=$2; shift 2;
if [ -e .git ] || [ -L .git ]; then put made no; put end yes; exit 0; fi;
# The sync leaves it out under this name too.
n=.git.sinc-$$;
unset GIT_DIR GIT_WORK_TREE;
GIT_DEFAULT_HASH=sha1; GIT_DEFAULT_REF_FORMAT=files; export GIT_DEFAULT_HASH GIT_DEFAULT_REF_FORMAT;
rm -rf .git.sinc-*;
g=$n/.git;
failed() { rm -rf "$n"; put refused "$1"; exit 0; };
# No template: no hooks.
git init -q --template= "$n" >/dev/null 2>&1 || failed "git init";
git --git-dir="$g" symbolic-ref HEAD "refs/heads/$b" || failed "git symbolic-ref";
git --git-dir="$g" hash-object -w -t tree /dev/null >/dev/null || failed "git hash-object";
mkdir "$g/sinc" "$g/info" "$g/hooks" || failed mkdir;
while [ $# -gt 1 ]; do
case $1 in
exclude) printf "%s" "$2$nl" >>"$g/info/exclude";;
*) git --git-dir="$g" config "$1" "$2" || failed "git config";;
esac;
shift 2;
done;
mv "$g" .git || failed mv;
rmdir "$n";
put made yes;
put end yes;
exit 0
