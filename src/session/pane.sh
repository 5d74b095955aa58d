# shellcheck shell=sh
# What runs in the pane: the agent in the person's own login shell, interactive so that its PATH is the one the
# person knows, and then a shell in its place. $1 is the command line, in the language of that shell.
# Job control gives the terminal to the first shell, so to the agent, and takes it back however they end: an agent
# that Ctrl-C ends takes bash, fish and tcsh with it, and nothing that stood behind it in their line would run; dash
# would begin to ask for commands itself, so it gets a trap. What is trapped is as ever for the agent.
s=${SHELL:-/bin/sh};
# csh knows no -l beside other flags.
case $s in *csh) f=-ic; t=;; *fish) f=-lic; t=;; *) f=-lic; t="trap : INT; ";; esac;
trap : INT; set -m;
"$s" $f "$t$1";
set +m; trap - INT;
# Where it never ran, because it is missing, that stays noted.
tmux set-option -poq @sinc-ended yes;
exec "$s" -l
