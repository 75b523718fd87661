# For scripts to source: ports that nobody listens on just now, below those that the system gives to clients.

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
