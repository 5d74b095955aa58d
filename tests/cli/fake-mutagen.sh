# shellcheck shell=sh
# A Mutagen that syncs nothing and only remembers: a file a session with what the real one would say of it, and a
# field that the real one does not have (yet). Its daemon is a socket that a test listens on.
pretended=$HOME/../fakes
socket=$MUTAGEN_DATA_DIRECTORY/daemon/daemon.sock
syncs=$MUTAGEN_DATA_DIRECTORY/sessions

one() {
    [ -f "$syncs/$1" ] || {
        echo "Error: unable to locate requested sessions: specification \"$1\" did not match any sessions" >&2
        exit 1
    }
}
change() {
    one "$last"
    sed "$1" "$syncs/$last" >"$pretended/changing" && mv "$pretended/changing" "$syncs/$last"
}

json() { printf '%s' "$1" | sed 's/[\\"]/\\&/g'; }

command=$1\ $2
for last; do :; done
case $command in
"version ") echo 0.18.1 ;;
"daemon start")
    mkdir -p "$MUTAGEN_DATA_DIRECTORY/daemon"
    ln -f "$pretended/daemon.sock" "$socket"
    ;;
"daemon stop") rm -f "$socket" ;;
"sync create")
    mkdir -p "$syncs"
    number=1
    while [ -e "$syncs/sync_$number" ]; do number=$((number + 1)); done
    id=sync_$number
    labels='' before='' alpha='' beta=''
    for word; do
        case $before in
        --label) labels=$labels${labels:+,}\"${word%%=*}\":\"${word#*=}\" ;;
        esac
        before=$word alpha=$beta beta=$word
    done
    counts='"connected":true,"scanned":true,"directories":1,"files":3,"totalFileSize":1234'
    printf '%s' "{\"identifier\":\"$id\",\"labels\":{$labels},\"paused\":false,\"status\":\"watching\"," \
        "\"successfulCycles\":2,\"mood\":{\"of\":[\"a later version\"]}," \
        "\"alpha\":{\"protocol\":\"local\",\"path\":\"$(json "$alpha")\",$counts}," \
        "\"beta\":{\"protocol\":\"ssh\",\"host\":\"${beta%%:*}\",\"path\":\"$(json "${beta#*:}")\",$counts}}" >"$syncs/$id"
    echo "Created session $id"
    ;;
"sync list" | "sync monitor")
    found=''
    for sync in "$syncs"/*; do
        case $last in
        sync_*) [ "${sync##*/}" = "$last" ] || continue ;;
        *=*)
            for label in $(echo "$last" | tr , ' '); do
                grep -qF "\"${label%%=*}\":\"${label#*=}\"" "$sync" || continue 2
            done
            ;;
        esac
        [ -f "$sync" ] || continue
        found=$found${found:+,}$(cat "$sync")
    done
    case $last,$found in sync_*,) one "$last" ;; esac
    printf '%s\n' "[$found]"
    ;;
"sync flush") case $last in sync_*) one "$last" ;; esac ;;
"sync pause") change 's/"paused":false/"paused":true/' ;;
"sync reset") one "$last" ;;
"sync resume") change 's/"paused":true/"paused":false/' ;;
"sync terminate") one "$last" && rm "$syncs/$last" ;;
*)
    echo "fake mutagen: what is '$*'?" >&2
    exit 97
    ;;
esac
