#!/bin/sh
# Looks after a throw-away host: sh warden.sh VERB DIRECTORY [keep]
#   guard   waits until the owner is gone (the pipe DIRECTORY/guard closes, however the owner ends), then ends
#           everything that runs in DIRECTORY and, without `keep`, removes it
#   cut     ends the connections; the server goes on
#   down    ends the server and the connections; what runs on the host (tmux) goes on
#   off     ends what runs on the host too
verb=$1 dir=$2 keep=$3

# Only a directory that a throw-away host was made in.
[ -f "$dir/.loopback" ] || { echo "no throw-away host in $dir" >&2; exit 1; }

# One line a process: id, parent, name.
processes() {
    if [ -r /proc/self/status ]; then
        grep -sE '^(Name|PPid):' /proc/[0-9]*/status |
            awk -F '[/:\t]+' '$5 == "Name" { name = $6 } $5 == "PPid" { print $3, $6, name }'
    else
        ps -A -o pid= -o ppid= -o comm=
    fi
}

# The server, if it runs. Its id is checked by name, because ids are used again.
server() {
    pid=$(cat "$dir/sshd.pid" 2>/dev/null) || return 0
    processes | awk -v pid="$pid" '$1 == pid && $3 ~ /sshd/ { print $1 }'
}

# Each connection's processes: the server's descendants that are sshd too, but not the programs they started.
connections() {
    processes | awk -v server="$1" '
        { parent[$1] = $2; name[$1] = $3 }
        END {
            found[server] = 1
            do {
                more = 0
                for (p in parent) if (!(p in found) && parent[p] in found && name[p] ~ /sshd/) more = found[p] = 1
            } while (more)
            for (p in found) if (p != server) print p
        }'
}

# Everything that was started with a home directory in DIRECTORY ($1: below it, or exactly that one), and ssh's
# shared connections, which write their title over their environment.
members() {
    if [ -r /proc/self/environ ]; then
        if [ "$1" = "$dir/" ]; then
            grep -lszF "HOME=$dir/" /proc/[0-9]*/environ
            grep -ls "^ssh[:] $dir/" /proc/[0-9]*/cmdline
        else
            grep -lszxF "HOME=$1" /proc/[0-9]*/environ
        fi | sed 's,^/proc/\([0-9]*\)/.*,\1,'
    else
        # shellcheck disable=SC2009 # pgrep does not look into environments
        ps -A -E -ww -o pid= -o command= | grep -F -e "HOME=$1" -e "ssh: $dir/" | awk '!/grep -F/ { print $1 }'
    fi
}

end_members() {
    rounds=0
    while found=$(members "$1"); [ -n "$found" ] && [ "$rounds" -lt 100 ]; do
        # shellcheck disable=SC2086 # one word a process
        kill -KILL $found 2>/dev/null
        rounds=$((rounds + 1))
        sleep 0.02
    done
}

end_connections() {
    found=$(connections "$1")
    # shellcheck disable=SC2086 # one word a process
    [ -z "$found" ] || kill -KILL $found 2>/dev/null
}

down() {
    pid=$(server)
    [ -n "$pid" ] || return 0
    # Stopped, it can start no connection between the look and the end.
    kill -STOP "$pid"
    end_connections "$pid"
    kill -KILL "$pid"
    rm -f "$dir/sshd.pid"
}

case $verb in
guard)
    # Ctrl-C in the owner's terminal comes here too, and there is work to do after it.
    trap '' HUP INT QUIT TERM
    cd /
    read -r _ <"$dir/guard"
    down
    end_members "$dir/"
    if [ -z "$keep" ]; then
        rm -rf "$dir" 2>/dev/null || { chmod -R u+rwX "$dir"; rm -rf "$dir"; }
    fi
    ;;
cut)
    pid=$(server)
    [ -n "$pid" ] || exit 0
    kill -STOP "$pid"
    end_connections "$pid"
    kill -CONT "$pid"
    ;;
down) down ;;
off)
    down
    end_members "$dir/remote"
    ;;
*)
    echo "unknown verb $verb" >&2
    exit 2
    ;;
esac
exit 0
