#!/usr/bin/env bash
# The examples that are RPC servers and clients, as their READMEs use them: retry, monitor, bank.
#
#   examples_rpc.sh BIN
set -u
bin=$1
. "$(dirname "$0")/box.sh"
die () { echo "examples_rpc: $*" >&2; tail -n 20 ./*.out ./*.err >&2 2>/dev/null; exit 1; }

start () { # NAME COMMAND…: a server; `endpoint` is where it listens, `server` its process
    local name=$1
    shift
    "$bin/$@" >"$name.out" 2>"$name.err" &
    server=$!
    wait_for 20 grep -q '^ready ' "$name.out"
    endpoint=$(sed -n 's/^ready //p' "$name.out")
}
stop () {
    kill "$server" && wait "$server" || die "a server did not end well"
}
says () { # FILE PATTERN
    grep -qE "$2" "$1" || die "$1 does not say $2"
}

retry () {
    # Two failures in a row, then success: the waits grow; the client sees the success only.
    start works retry_server --delay 100 --fails 50 --seed 5
    for _ in 1 2 3 4 5 6; do
        "$bin/retry_client" "$endpoint" 'it works!' >client.out || die "the client failed"
        says client.out '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}$'
        says client.out '^Success: it works!$'
    done
    stop
    says works.out '^connected on [0-9]{4}-'
    says works.out '^Success: it works!$'
    says works.out '^Fail, Retrying in 0\.1 seconds\.\.\.$'
    # A server that breaks: three waits, each twice the one before, then the client hears of it.
    start breaks retry_server --delay 100 --fails 100
    "$bin/retry_client" "$endpoint" 'it works!' >client.out 2>client.err && die "the client did not notice"
    says client.err '^test_random: Fail'
    grep Retrying breaks.out >waits
    printf 'Fail, Retrying in %s seconds...\n' 0.1 0.2 0.4 | cmp - waits || die "the waits are $(cat waits)"
    stop
    # Policies that are none.
    for wrong in '--backoff 1' '--tries -1' '--delay 0'; do
        # shellcheck disable=SC2086
        timeout 10 "$bin/retry_server" $wrong >wrong.out 2>wrong.err && die "$wrong was taken"
        [ "$(wc -l <wrong.err)" = 1 ] || die "$wrong: not one sentence"
    done
}

monitor () {
    start monitor monitor_server
    "$bin/monitor_client" "$endpoint" ann 1 2 6 || die "the client failed"
    "$bin/monitor_client" "$endpoint" bob x 2>wrong.err && die "x was taken for a number"
    says wrong.err 'x is no number'
    wait_for 20 grep -q '^ann disconnected on' monitor.out
    says monitor.out '^ann connected on [0-9]{4}-'
    says monitor.out '^the average of 3 numbers is 3$'
    stop
}

# The server does the call, is killed before it answers, and is started again; the client has sent its call again.
bank () { # EXPECTED-BALANCE OPTION…
    local expected=$1 client
    shift
    rm -f journal calls.db*
    start first bank_server journal --die-after 1 "$@"
    "$bin/bank_client" "$endpoint" deduct bob 10 >client.out 2>client.err &
    client=$!
    wait "$server" 2>/dev/null
    start second bank_server journal --endpoint "$endpoint" "$@"
    wait $client
    [ "$("$bin/bank_client" "$endpoint" get bob)" = "$expected" ] || die "$*: bob has not $expected"
    [ "$("$bin/bank_client" "$endpoint" put k 20)" = 20 ] || die "put does not answer"
    [ "$("$bin/bank_client" "$endpoint" get k)" = 20 ] || die "get does not answer"
    "$bin/bank_client" "$endpoint" put 'two words' 1 >/dev/null 2>wrong.err && die "its journal takes two words for a name"
    "$bin/bank_client" "$endpoint" deduct bob ten 2>wrong.err
    [ $? = 2 ] || die "ten is taken for a number"
    stop
}

refused () { # COMMAND…: wrong usage
    "$bin/$@" >refused.out 2>&1
    [ $? = 2 ] || die "$* is not refused as wrong usage"
}

refused retry_server --endpoint nonsense
refused retry_server --fails 101
refused monitor_server nonsense
refused bank_server journal --semantics never
retry
monitor
bank 80
bank 80 --semantics at-most-once
bank 90 --semantics at-most-once --table calls.db
says client.err 'may have been done or not, and is not run again'
echo "examples_rpc: ok"
