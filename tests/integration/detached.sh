#!/usr/bin/env bash
# Detached handlers through real processes: one thread has many jobs under way, finishes them from another thread after the
# master was killed, and what a killed worker had detached is run by the next one. One outcome each.
#   detached.sh BIN-DIR
set -u
bin=$1
# shellcheck source=tests/integration/ctl_cluster.sh
. "$(dirname "$0")/ctl_cluster.sh"
PATH=$bin:$PATH
export LC_ALL=C
cd "$box" || exit 1

start () { # NAME
    detacher "$RINGMASTER" 10 >"$1.out" 2>"$1.log" &
    last=$!
    pids+=("$last")
}

submit_five () { # FIRST
    local i
    for i in {0..4}; do
        ringctl submit later "$(($1 + i))" >/dev/null || die "a job is not accepted"
    done
}
five_are_done () { # FIRST
    local i got
    for i in {0..4}; do
        got=$(timeout 60 ringctl wait $(($1 + i))) || die "job $(($1 + i)) has no result"
        [ "$got" = "later: $(($1 + i))" ] || die "job $(($1 + i)): $got"
    done
}

start_cluster
start first
first=$last
submit_five 1 2>/dev/null
until_true 60 'five jobs of one thread are detached' '[ "$(grep -c detached first.out)" = 5 ]'
[ "$(ringctl jobs --state running | grep -c later)" = 5 ] || die "they do not run: $(ringctl jobs)"

# The worker dies with all it had: the next one runs them, one after the other since they were in a crash.
kill -9 "$first"
wait "$first" 2>/dev/null
start second
until_true 60 'the next worker has the first of them' 'grep -q detached second.out'
touch go
five_are_done 1

# The master dies, and they are finished while it is away.
rm go
submit_five 6
until_true 60 'five more are detached' '[ "$(grep -c detached second.out)" = 10 ]'
kill -9 "$master"
wait "$master" 2>/dev/null
touch go
start_cluster
five_are_done 6
[ "$(grep -c detached second.out)" = 10 ] || die "some ran again after the master was killed"

# SIGTERM waits for what is detached.
rm go
ringctl submit later 11 >/dev/null
until_true 60 'another one is detached' 'grep -q "detached 11" second.out'
kill "$last"
until_true 60 'the worker is told to leave' 'grep -q -e leaving -e stopping second.log || ringctl workers | grep -q leaving'
kill -0 "$last" 2>/dev/null || die "the worker left a detached job behind"
touch go
[ "$(timeout 60 ringctl wait 11)" = 'later: 11' ] || die "the last job has no result"
wait "$last" || die "the worker did not end well"
end "detached: ok"
