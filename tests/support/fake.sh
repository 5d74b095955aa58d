#!/bin/sh
# A tool that only records: writes its command line and input to the transcript and gives the answer of the last
# rule whose pattern fits. Tests call it a thousand times, so it starts as few programs as it can.
here=${0%/*}/../fakes
name=${0##*/}

line=$name entry="\$ $name"
for word in "$@"; do
    line="$line $word"
    case $word in
    *\'*) word="'$(printf '%s' "$word" | sed "s/'/'\\\\''/g")'" ;;
    '' | *[!A-Za-z0-9_@%+=:,./-]*) word="'$word'" ;;
    esac
    entry="$entry $word"
done

input=
[ -t 0 ] || input=$(cat)
[ -z "$input" ] || entry="$entry
$(printf '%s\n' "$input" | sed 's/^/  < /')"

# The last one first.
rules=
for rule in "$here"/rules/*; do rules="$rule $rules"; done
for rule in $rules; do
    # A rule has no line break at its end, so this ends with 1; one that is gone by now was given once.
    IFS= read -r pattern 2>/dev/null <"$rule/pattern" || [ -n "$pattern" ] || continue
    # shellcheck disable=SC2254 # a pattern is what it is
    case $line in
    $pattern)
        # Taken by renaming it, so that of two calls at once only one gets an answer that is given once.
        [ ! -e "$rule/once" ] || mv "$rule" "$here/used.$$" 2>/dev/null || continue
        [ -d "$rule" ] || rule=$here/used.$$
        printf '%s\n' "$entry" >>"$here/transcript"
        [ ! -e "$rule/script" ] || printf '%s\n' "$input" | sh "$rule/script" "$@" || exit
        [ ! -s "$rule/stdout" ] || cat "$rule/stdout"
        [ ! -s "$rule/stderr" ] || cat "$rule/stderr" >&2
        read -r code <"$rule/code"
        exit "$code"
        ;;
    esac
done

printf '%s\n' "$entry" '  ! no answer for this' >>"$here/transcript"
echo "fake $name: no answer for: $line" >&2
exit 97
