# shellcheck shell=sh disable=SC2154,SC2034
# The state of a repository on either side, without a lock (env.sh and pack.sh come before it). $1 its directory, then
# what the other side has.
# Answers are lines `key value`, the last one `end yes`. `busy` names what keeps others from moving anything, `old` which lock
# of that has been there for minutes, `locked` a name that git works on, or did when it was killed; `fresh` says that sinc has never
# been in this repository, `plain` that it has not set it up, `id` which one it is; `pack` is what the other side lacks, where that is little.
echo "sinc-begin 1";
cd "$1" 2>/dev/null || { put repo nowhere; put end yes; exit 0; };
shift;
command -v git >/dev/null 2>&1 || { put repo no-git; put end yes; exit 0; };
put version "$(git version)";
if [ -L .git ] || [ -f .git ]; then put repo elsewhere; put end yes; exit 0; fi;
c=$(git config --name-only --get-regexp "^(core[.]sparsecheckout|remote[.].*[.](url|fetch|promisor|partialclonefilter)|filter[.].*[.](clean|process))$" 2>/dev/null);
if [ -n "$c" ]; then printf "%s" "$c$nl" | while IFS= read -r l; do put config "$l set"; done; fi;
if [ -d .git/objects ] && [ -d .git/refs ] && [ -f .git/HEAD ]; then put repo here; else put repo none; put end yes; exit 0; fi;
# An older git understands nothing of a repository with what it does not know.
x=$(git config --file .git/config --get-regexp "^extensions[.](objectformat|refstorage)$" 2>/dev/null);
if [ -n "$x" ]; then printf "%s" "$x$nl" | while IFS= read -r l; do put config "$l"; done; fi;
case "$x$nl" in *" sha256$nl"* | *" reftable"*) put end yes; exit 0;; esac;
unlock_dead;
no_programs;
# The empty tree is never sent, so it is made on each side.
if [ -d .git/sinc ]; then :; else put fresh yes; mkdir .git/sinc && git hash-object -w -t tree /dev/null >/dev/null; fi;
if [ -e .git/sinc/set-up ]; then :; else put plain yes; fi;
# Which repository it is. One that a full disk or a power cut left empty is none.
if [ -s .git/sinc/id ]; then :; else
if [ -e .git/sinc/id ]; then rm -f .git/sinc/id; fi;
{ cat /proc/sys/kernel/random/uuid || od -A n -N 16 -t x1 /dev/urandom | tr -d " "; } 2>/dev/null >".git/sinc/s.$$.id" && ln ".git/sinc/s.$$.id" .git/sinc/id 2>/dev/null;
rm -f ".git/sinc/s.$$.id";
fi;
if [ -s .git/sinc/id ]; then i=; IFS= read -r i <.git/sinc/id; put id "$i"; fi;
if [ -f .git/shallow ]; then put limit shallow; fi;
if [ -f .gitmodules ]; then put limit submodules; fi;
case $c in *core.sparsecheckout*) if [ "$(git config --type=bool core.sparseCheckout 2>/dev/null)" = true ]; then own_sparse || put limit sparse; fi;; esac;
# Which filters the files go through, where there are any. In subdirectories that is read of what is tracked; what a person has set for
# all repositories counts where a file here has such a name.
case $c in *filter.*)
f="filter=[A-Za-z0-9._-]*";
g=$(git config --type=path core.attributesFile 2>/dev/null) || g=${XDG_CONFIG_HOME:-${HOME:-}/.config}/git/attributes;
{ for l in .gitattributes .git/info/attributes; do if [ -f "$l" ]; then grep -a -o "$f" "$l"; fi; done;
git grep --cached -a -h -o -G --no-line-number --no-column --no-color --no-recurse-submodules -e "$f" -- "*/.gitattributes" 2>/dev/null;
if [ -f "$g" ]; then while read -r p w; do
case $p in "#"*) continue;; /*) p=${p#/};; */*) ;; *) p="**/$p";; esac;
case $w in *filter=*) if [ -n "$(git ls-files -- ":(glob)$p" 2>/dev/null | head -n 1)" ]; then printf "%s" "$w$nl" | grep -a -o "$f"; fi;; esac;
done <"$g"; fi; } | sort -u | while IFS= read -r l; do put uses "${l#filter=}"; done;;
esac;
for f in MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD rebase-merge rebase-apply sequencer index.lock HEAD.lock; do
if [ -e ".git/$f" ]; then put busy "$f"; fi;
case $f in *.lock) if [ -n "$(find ".git/$f" -mmin +5 2>/dev/null)" ]; then put old "$f"; fi;; esac;
done;
find .git/packed-refs.lock .git/logs/refs/stash.lock .git/refs -name "*.lock" 2>/dev/null | while IFS= read -r l; do l=${l#.git/}; put locked "${l%.lock}"; done;
t=.git/sinc/s.$$; at=; of=;
# Without room to write, what is staged and which names are damaged cannot be told, and what is not told counts as not there.
full() { rm -f "$t" "$t.said"; put full yes; exit 0; };
{ echo x >"$t.said"; } 2>/dev/null || full;
refs() { git for-each-ref --format="%(if)%(symref)%(then)sym%(else)ref%(end) %(objectname) %(refname)" refs/heads refs/tags refs/stash refs/remotes/origin refs/remotes/host refs/remotes/laptop refs/sinc/in 2>"$t.said"; };
h=; IFS= read -r h <.git/HEAD; put head "$h";
# What git cannot list was not deleted. It always writes a first line into this file.
unlisted() { rm -f "$t" "$t.said"; put unlisted "$1"; exit 0; };
if [ -e .git/packed-refs ]; then [ -s .git/packed-refs ] || unlisted "packed-refs is empty"; fi;
all=$(refs) || unlisted "$(grep -a "^fatal: " "$t.said" | head -n 1)";
# A name that git cannot read any more is not one that was deleted.
while IFS= read -r l; do
case $l in
"warning: ignoring broken ref "*) put damaged "${l#warning: ignoring broken ref }";;
"error: refs/"*" does not point to a valid object"*) l=${l#error: }; put damaged "${l%% *}";;
esac;
done <"$t.said";
if two=$(git rev-parse -q "HEAD^{commit}" "HEAD^{tree}" 2>/dev/null); then at=${two%%"$nl"*}; of=${two#*"$nl"}; put at "$at"; put tree "$of"; fi;
i=none;
# With its time, by which git knows which files it may not trust.
if [ -f .git/index ]; then cp -p .git/index "$t" 2>/dev/null || full; i=$(GIT_INDEX_FILE=$t git write-tree 2>/dev/null) || i=unmerged; fi;
put index "$i";
# As a commit, on top of the one that is there, it is sent as what differs. The same on both sides: nothing in it but that.
case $i in none | unmerged | "$of") ;; *)
GIT_AUTHOR_NAME=sinc; GIT_AUTHOR_EMAIL=sinc; GIT_AUTHOR_DATE="@0 +0000"; GIT_COMMITTER_NAME=sinc; GIT_COMMITTER_EMAIL=sinc; GIT_COMMITTER_DATE="@0 +0000";
export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE;
if [ -n "$at" ]; then w=$(git commit-tree "$i" -p "$at" -m index); else w=$(git commit-tree "$i" -m index) && git update-ref refs/sinc/wrap "$w"; fi;
put wrap "$w";;
esac;
tips="$at ${w:-}";
if [ -n "$all" ]; then printf "%s" "$all"; echo; fi;
# A log that a power cut left empty says nothing of what was dropped. (Git writes it a moment before the name, or after it.)
whole_log() { s=; if [ -s .git/logs/refs/stash ]; then while read -r a b c; do s=$b; done <.git/logs/refs/stash; fi; case $all in *" $s refs/stash"*) ;; *) return 1;; esac; };
case $all in *"refs/stash"*)
if whole_log; then :; else sleep 1; whole_log || put damaged logs/refs/stash; fi;
if [ -f .git/logs/refs/stash ]; then while read -r a b c; do put stash "$b"; tips="$tips $b"; done <.git/logs/refs/stash; fi;;
esac;
# A branch that is in use in a linked worktree; one that is rebased there is not its HEAD.
for f in .git/worktrees/*/HEAD .git/worktrees/*/rebase-*/head-name; do
if [ -f "$f" ]; then IFS= read -r l <"$f"; case $l in refs/*) l="ref: $l";; esac; put elsewhere "$l"; fi;
done;
# Has anything changed while we looked? (That the index has, the one who applies something finds out.)
k=; IFS= read -r k <.git/HEAD;
now=$(refs);
if differ "$h" "$k" || differ "$all" "$now"; then put busy changing; fi;
news() {
h=" $* "; n=;
while read -r a b c; do case $a$c in refrefs/heads/* | refrefs/tags/*) tips="$tips $b";; esac; done <"$t.said";
for o in $tips; do case "$h$n" in *" $o "*) ;; *) n="$n $o ";; esac; done;
if [ -n "$n" ]; then give "$n" "$@"; fi;
};
if [ $# -eq 0 ] || [ -f .git/shallow ]; then :; else printf "%s" "$all$nl" >"$t.said"; news "$@"; fi;
rm -f "$t" "$t.said" "$t.tips" "$t.pack";
put end yes;
exit 0
