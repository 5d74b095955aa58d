#!/bin/sh
# A tool that only records: writes its command line and input to the transcript and gives the answer of the last
# rule whose pattern fits.
here=$(dirname "$0")/../fakes
name=$(basename "$0")

line=$name entry="\$ $name"
for word in "$@"; do
    line="$line $word"
    case $word in
    '' | *[!A-Za-z0-9_@%+=:,./-]*) word="'$(printf '%s' "$word" | sed "s/'/'\\\\''/g")'" ;;
    esac
    entry="$entry $word"
done

input=
[ -t 0 ] || input=$(cat)
[ -z "$input" ] || entry="$entry
$(printf '%s\n' "$input" | sed 's/^/  < /')"

# shellcheck disable=SC2045 # the names are numbers
for rule in $(ls -r "$here/rules" 2>/dev/null); do
    rule=$here/rules/$rule
    pattern=$(cat "$rule/pattern")
    # shellcheck disable=SC2254 # a pattern is what it is
    case $line in
    $pattern)
        # Taken by renaming it, so that of two calls at once only one gets an answer that is given once.
        [ ! -e "$rule/once" ] || mv "$rule" "$here/used.$$" 2>/dev/null || continue
        [ -d "$rule" ] || rule=$here/used.$$
        printf '%s\n' "$entry" >>"$here/transcript"
        [ ! -e "$rule/script" ] || printf '%s\n' "$input" | sh "$rule/script" "$@" || exit
        cat "$rule/stdout"
        cat "$rule/stderr" >&2
        exit "$(cat "$rule/code")"
        ;;
    esac
done

printf '%s\n' "$entry" '  ! no answer for this' >>"$here/transcript"
echo "fake $name: no answer for: $line" >&2
exit 97
