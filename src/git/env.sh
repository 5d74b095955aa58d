# shellcheck shell=sh disable=SC2034,SC2329
# Begins every script here, on either side; $1 is the directory. Nothing that the environment says points elsewhere, and git
# runs no hook, no file system monitor and no clean-up of its own.
differ() { case $1 in "$2") return 1;; esac; };
put() { printf "%s " "$1"; printf "%s" "$2"; echo; };
nl=$(echo x; echo x); nl=${nl#x}; nl=${nl%x};
unset GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE GIT_CONFIG_PARAMETERS GIT_PREFIX GIT_REPLACE_REF_BASE GIT_SHALLOW_FILE GIT_GRAFT_FILE;
GIT_DIR=.git; GIT_WORK_TREE=.; export GIT_DIR GIT_WORK_TREE;
GIT_CONFIG_COUNT=4; export GIT_CONFIG_COUNT;
GIT_CONFIG_KEY_0=core.hooksPath; GIT_CONFIG_VALUE_0=/dev/null; export GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0;
GIT_CONFIG_KEY_1=core.fsmonitor; GIT_CONFIG_VALUE_1=false; export GIT_CONFIG_KEY_1 GIT_CONFIG_VALUE_1;
GIT_CONFIG_KEY_2=gc.auto; GIT_CONFIG_VALUE_2=0; export GIT_CONFIG_KEY_2 GIT_CONFIG_VALUE_2;
GIT_CONFIG_KEY_3=maintenance.auto; GIT_CONFIG_VALUE_3=false; export GIT_CONFIG_KEY_3 GIT_CONFIG_VALUE_3;
GIT_OPTIONAL_LOCKS=0; GIT_NO_REPLACE_OBJECTS=1; GIT_TERMINAL_PROMPT=0; GIT_NO_LAZY_FETCH=1; LC_ALL=C;
export GIT_OPTIONAL_LOCKS GIT_NO_REPLACE_OBJECTS GIT_TERMINAL_PROMPT GIT_NO_LAZY_FETCH LC_ALL;
# Hooks may be set up in the settings, too (git 2.54); and also to write an index git may read files that were changed a moment ago,
# through a filter that the project chooses: none of these is run. Their names may have blanks and stars in them.
no_programs() {
n=4; i=$IFS; IFS=$nl; set -f;
for k in $(git config --name-only --get-regexp "^(filter[.].*[.](clean|smudge|process|required)|hook[.].*[.](command|event))$" 2>/dev/null); do
v=; case $k in *.required) v=false;; hook.*) k=${k%.*}.enabled; v=false;; esac;
export "GIT_CONFIG_KEY_$n=$k" "GIT_CONFIG_VALUE_$n=$v"; n=$((n + 1));
done;
IFS=$i; set +f;
GIT_CONFIG_COUNT=$n;
};
# Is what is checked out in part told so by sinc? The first line says it; an earlier version wrote none.
own_sparse() {
l=; if [ -f .git/info/sparse-checkout ]; then IFS= read -r l <.git/info/sparse-checkout; fi;
case $l in
"# sinc: "*) return 0;;
"/*") [ -e .git/sinc/set-up ] && [ "$(git config --file .git/config --type=bool core.sparseCheckout)" = true ];;
*) return 1;;
esac;
};
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null); boot=${boot:-unknown};
# A lock of ours whose process is gone is taken away: git would be kept out for ever. So is what a git of its was killed with.
is_dead() { if [ "$2" = "$boot" ] && kill -0 "$1" 2>/dev/null; then return 1; fi; };
unlock_dead() {
for f in .git/sinc/a.*.moves; do
[ -f "$f" ] || continue;
pid=; start=;
read -r who pid start <"$f";
if is_dead "$pid" "$start" && mv -f "$f" ".git/sinc/dead.$$" 2>/dev/null; then :; else continue; fi;
while read -r a b c; do
case $b in *..*) ;; refs/* | HEAD) rm -f ".git/$b.lock";; esac;
case $b in refs/stash) rm -f .git/logs/refs/stash.lock;; esac;
case $a in delete) rm -f .git/packed-refs.lock;; esac;
done <".git/sinc/dead.$$";
rm -f ".git/sinc/dead.$$";
done;
[ -f .git/index.lock ] || return 0;
who=; pid=; start=;
read -r who pid start <.git/index.lock;
[ "$who" = sinc-lock ] || return 0;
if is_dead "$pid" "$start"; then mkdir -p .git/sinc; mv -f .git/index.lock ".git/sinc/dead.$$" && rm -f ".git/sinc/dead.$$"; fi;
};
