# shellcheck shell=sh disable=SC2154,SC2329,SC2317
# Little history as text (env.sh comes before it): it goes with what is asked anyway, where a fetch or a push would be four times
# there and back.
# give TIPS HAVE...: says `pack BASE64`, which has what these lead to and the others do not; nothing where that is much.
give() {
n=$1; shift;
{ for o in $n; do echo "$o"; done; for o in "$@"; do echo "^$o"; done; } >"$t.tips";
n=$(git rev-list --objects --disk-usage --stdin <"$t.tips" 2>/dev/null) && [ "$n" -le 400000 ] || return 0;
git pack-objects -q --revs --thin --stdout <"$t.tips" >"$t.pack" 2>/dev/null || return 0;
if [ "$(wc -c <"$t.pack")" -le 40000 ]; then put pack "$(base64 <"$t.pack" 2>/dev/null | tr -d "$nl")"; fi;
};
# whole TIPS: is all there that these lead to?
whole() { for o in $1; do echo "$o"; done | git rev-list --objects --quiet --stdin --not --all >/dev/null 2>&1; };
