# shellcheck shell=sh disable=SC2154,SC2317,SC2329
# Takes in what the host has given (env.sh and pack.sh come before it). $1 the directory   $2 what it leads to   $3 the pack
# As what is fetched, it is checked apart, before any of it is in the store.
echo "sinc-begin 1";
cd "$1" 2>/dev/null || exit 0;
t=.git/sinc/s.$$;
mkdir -p .git/sinc && mkdir "$t" || exit 0;
finish() { rm -rf "$t"; };
trap finish EXIT;
apart() { printf "%s" "$1" | base64 -d | GIT_OBJECT_DIRECTORY=$t GIT_ALTERNATE_OBJECT_DIRECTORIES=.git/objects git index-pack --stdin --fix-thin --strict; };
# Its own name is all that it says; besides that, what it could not check because it is not in it.
apart "$3" >"$t/said" 2>/dev/null && [ "$(wc -l <"$t/said")" -eq 1 ] || exit 0;
# Strict: nothing is there before what it leads to.
cat "$t"/pack/*.pack | git unpack-objects -q --strict >/dev/null 2>&1 && whole "$2" && put whole yes;
put end yes;
exit 0
