# shellcheck shell=sh
# Shows a text in the status line of a session's terminals for ten seconds. $1 id   $2 text
# A text is not a format: tmux takes `#` for the beginning of one, so the caller doubles it.
tmux display-message -d 10000 -t "=$1:" -- "$2" 2>/dev/null || tmux display-message -t "=$1:" -- "$2" 2>/dev/null;
echo "sinc-begin 1";
exit 0
