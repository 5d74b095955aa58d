# shellcheck shell=sh disable=SC2154,SC2317,SC2329
# Files on the host that were saved there while git on the other side wrote over them (env.sh comes before it). $1 the directory, $2:
#   look "OID PATH"...   says `missing OID` for each that no name here leads to in that place
#   keep PATH...         puts what is in these files into git's store, where it is not yet, and says `kept OID PATH` for each that
#                        no name leads to: an object alone, or what is only staged, may go any day
#   check "OID PATH"...  of those, the ones whose file holds another thing now are made reachable: `lost PATH`
echo "sinc-begin 1";
cd "$1" 2>/dev/null || exit 0;
[ -d .git/objects ] || { put end yes; exit 0; };
what=$2; shift 2;
no_programs;
t=.git/sinc/k.$$; mkdir -p .git/sinc;
finish() { rm -f "$t" "$t.lock" "$t.f" "$t.o" "$t.k" "$t.n"; };
trap finish EXIT;
# As they are: no filter is run.
blob() { git hash-object --no-filters "$@" 2>/dev/null; };
# What the names of late have in the places that $t.f tells: ids, with a blank before and behind each.
led() {
git for-each-ref --sort=-creatordate --count=50 --format="%(objectname)" refs/heads refs/tags refs/stash refs/remotes >"$t.n";
git log -g -n 50 --format=%H refs/sinc/keep -- >>"$t.n" 2>/dev/null;
echo HEAD >>"$t.n";
while IFS= read -r f <&3; do while IFS= read -r r; do printf "%s$nl" "$r:${f#./}"; done <"$t.n"; done 3<"$t.f" |
git cat-file --batch-check="%(objectname)" | grep -v " " | sort -u | { printf " "; while IFS= read -r o; do printf "%s " "$o"; done; };
};
case $what in
look)
for w in "$@"; do printf "%s$nl" "${w#* }"; done >"$t.f";
l=$(led);
for w in "$@"; do o=${w%% *}; case $l in *" $o "*) ;; *) put missing "$o";; esac; done;;
keep)
n=0; for w in "$@"; do n=$((n + 1)); shift; set -- "$@" "./$w"; done;
# Larger ones are not kept, as on the other side.
if [ "$n" -gt 0 ]; then find "$@" -maxdepth 0 -type f -size -16385 2>/dev/null; fi >"$t.f";
# It stops at one that has gone meanwhile: then one after the other, and a line for each.
blob --stdin-paths <"$t.f" >"$t.o" || while IFS= read -r f; do blob "$f" || echo none; done <"$t.f" >"$t.o";
git cat-file --batch-check <"$t.o" >"$t.k";
l=$(led);
while IFS= read -r f <&3 && IFS= read -r k <&4; do
o=${k%% *};
case $k in
*" missing") o=$(blob -w "$f") && put kept "$o ${f#./}";;
*) case $l in *" $o "*) ;; *) put kept "$o ${f#./}";; esac;;
esac;
done 3<"$t.f" 4<"$t.k";;
check)
for w in "$@"; do
o=${w%% *}; f=${w#* };
if [ -f "./$f" ] && [ "$(blob "./$f")" = "$o" ]; then continue; fi;
rm -f "$t";
GIT_INDEX_FILE=$t git update-index --add --cacheinfo "100644,$o,$f" && tree=$(GIT_INDEX_FILE=$t git write-tree) &&
c=$(GIT_AUTHOR_NAME=sinc GIT_AUTHOR_EMAIL=sinc GIT_COMMITTER_NAME=sinc GIT_COMMITTER_EMAIL=sinc git commit-tree "$tree" -m index) &&
git update-ref --create-reflog -m "a save that git wrote over: $f" refs/sinc/keep "$c" && put lost "$f";
git update-ref -m "-" refs/sinc/keep HEAD 2>/dev/null;
done;;
esac;
put end yes;
exit 0
