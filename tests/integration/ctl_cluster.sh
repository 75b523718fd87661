# For the tests of ringctl beside real processes, to be sourced with $bin set: a master on free ports in a folder of its
# own, workers, and conditions that are waited for.
box=$(mktemp -d) || exit 1
bad=0
pids=()

clean_up () {
    local pid
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$box"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

complain () { # SENTENCE [FILE]
    echo "$1"
    [ $# -lt 2 ] || sed 's/^/    /' "$2"
    bad=1
}

die () { # SENTENCE
    complain "$1"
    tail -n 5 "$box"/*.log
    exit 1
}

until_true () { # SECONDS WHAT CONDITION
    local end=$((SECONDS + $1))
    until eval "$3"; do
        [ $SECONDS -lt $end ] || die "not within $1 s: $2"
        sleep 0.05
    done
}

ctl () { # ARGUMENTS…
    timeout 60 "$bin/ringctl" "$@"
}

# Starts a master, the same one again if there was one. Its ports are below those that a kernel gives to whoever connects:
# while a master is away, one who tries to reach it may be given its very port there. Those that are in use are gone over.
port=$((21000 + $$ * 8 % 9000))
start_cluster () {
    local try
    for try in {1..20}; do
        : >"$box/ready"
        "$bin/ringmaster" --data "$box/data" --port "$port" >"$box/ready" 2>>"$box/master.log" &
        master=$!
        pids+=("$master")
        until_true 60 'the master is ready' 'grep -q "^ready" "$box/ready" || ! kill -0 $master 2>/dev/null'
        grep -q '^ready' "$box/ready" && break
        [ "$try" -lt 20 ] || die "no master starts"
        [ -n "${RINGMASTER-}" ] || port=$((21000 + (port - 21000 + 808) % 9000))
    done
    export RINGMASTER=tcp://127.0.0.1:$port
}
unset RINGMASTER

worker () { # NAME ARGUMENTS…
    local name=$1
    shift
    "$bin/ringworker" --name "$name" "$@" >"$box/$name.ready" 2>>"$box/$name.log" &
    pids+=("$!")
    until_true 60 "$name is ready" 'grep -q "^ready" "$box/$name.ready"'
}

end () { # SENTENCE
    [ $bad -eq 0 ] && echo "$1"
    exit $bad
}
