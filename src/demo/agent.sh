# shellcheck shell=sh disable=SC2154
# Stands in for an AI agent in `sinc demo`: says where it is and what to try, then gives a shell. The lines before
# this one set $mine (the project on the person's own side) and $detach (the keys that detach).
bold=$(printf '\033[1m') blue=$(printf '\033[36m') off=$(printf '\033[0m')
case $PWD in
"$HOME"/*) here="~${PWD#"$HOME"}" ;;
*) here=$PWD ;;
esac
cat <<END

  ${bold}Hello from the host.${off} This shell stands in for your AI agent.

    the host, here    $here
    your own side     $mine

  Three things to try:
    1  Edit a file on your own side, in another terminal or your editor:
         ${blue}$mine/notes.md${off}
       A moment later it is here:   ${blue}cat notes.md${off}
    2  Make a file here. A moment later it is on your own side:
         ${blue}echo hello >from-the-host.md${off}
    3  Detach with ${bold}$detach${off}: the agent would go on. (The demo ends then.)

END
if [ "${SHELL##*/}" = bash ]; then
    printf '%s\n' "PS1='\\[$blue\\]host:\\w\\[$off\\] \\$ '" >"$HOME/.agentrc"
    bash --noprofile --rcfile "$HOME/.agentrc" -i
else
    PS1='host $ ' "${SHELL:-sh}" -i
fi
printf '\n%s\n\n' "  The agent has ended; sinc leaves you a shell. $detach ends the demo."
