# shellcheck shell=sh
# Is the agent there? If not, says how to get it, and notes it for `sinc status`. $1 the program, $2 the command that installs it.
command -v "$1" >/dev/null 2>&1 && exit 0;
tmux set-option -p @sinc-ended missing 2>/dev/null;
echo;
printf "%s" "sinc: $1 is not installed on this host (or not on the PATH of this shell). To install it:"; echo;
echo;
printf "    %s" "$2"; echo;
echo;
exit 1
