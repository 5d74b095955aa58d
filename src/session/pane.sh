# shellcheck shell=sh
# What runs in the pane: the agent in the person's own login shell, interactive so that its PATH is the one the
# person knows, and then a shell in its place. $1 is the command line, in the language of that shell.
# csh knows no -l beside other flags.
s=${SHELL:-/bin/sh};
case $s in *csh) f=-ic;; *) f=-lic;; esac;
exec "$s" $f "$1; exec $s -l"
