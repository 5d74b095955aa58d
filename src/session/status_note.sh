# shellcheck shell=sh
# Puts a short text at the right of the status line of one session, before what the person has there, or takes it away
# again. Only options of that session are touched; one that has a right side of its own is left alone.
# $1 id   $2 the text, empty to take it away   (a text is not a format: the caller doubles each `#`)
id=$1; text=$2;
echo "sinc-begin 1";
tmux has-session -t "=$id" 2>/dev/null || { echo "note none"; exit 0; };
own=$(tmux show-options -qv -t "=$id:" @sinc-note 2>/dev/null);
if [ -z "$text" ]; then
if [ -n "$own" ]; then
for option in status-right status-right-length @sinc-note; do tmux set-option -qu -t "=$id:" "$option"; done;
fi;
echo "note gone"; exit 0;
fi;
if [ -z "$own" ] && [ -n "$(tmux show-options -qv -t "=$id:" status-right 2>/dev/null)" ]; then echo "note left"; exit 0; fi;
tmux set-option -q -t "=$id:" status-right "#[reverse] $text #[default] $(tmux show-options -gqv status-right)";
tmux set-option -q -t "=$id:" status-right-length 120;
tmux set-option -q -t "=$id:" @sinc-note "$text";
echo "note set";
exit 0
