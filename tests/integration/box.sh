# For scripts to source: a folder of its own to be in, which goes away at the end with everything that was started; ports, and
# conditions that are waited for. Whoever waits has a function `die`.
box=$(mktemp -d) || exit 1
clean_up () {
    trap - EXIT INT TERM
    for pid in $(jobs -p); do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$box"
}
trap clean_up EXIT INT TERM
cd "$box" || exit 1

wait_for () { # SECONDS COMMAND…
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || die "not in time: $*"
        sleep 0.1
    done
}
lines () { [ "$(wc -l <"$1")" -ge "$2" ]; } # FILE AT-LEAST

# Ports that nobody listens on just now, below those that the system gives to clients.

free_ports () { # COUNT: prints the first of so many in a row
    local base port
    while :; do
        base=$((20000 + (RANDOM << 15 | RANDOM) % 12000))
        for ((port = base; port < base + $1; port++)); do
            grep -qE "^ *[0-9]+: [0-9A-F]{8}:$(printf %04X $port) " /proc/net/tcp && continue 2
        done
        echo $base
        return
    done
}
