#!/usr/bin/env bash
# ringsim as its users see it: a seed does the same thing to the byte, and what is wrong on the command line is said.
set -u
ringsim=$1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
bad=0

fail () { printf 'sim/program: %s\n' "$*" >&2; bad=1; }

for seed in 1 17 99 4242; do
    "$ringsim" --seed $seed --trace >"$scratch/one" || fail "seed $seed does not end well"
    "$ringsim" --seed $seed --trace >"$scratch/other"
    cmp "$scratch/one" "$scratch/other" || fail "seed $seed is not the same twice"
    [ "$(wc -l <"$scratch/one")" -gt 100 ] || fail "the story of seed $seed is short"
done
for seed in 1 17; do
    "$ringsim" --seed $seed --masters 3 --trace >"$scratch/one" || fail "seed $seed with three masters does not end well"
    "$ringsim" --seed $seed --masters 3 --trace >"$scratch/other"
    cmp "$scratch/one" "$scratch/other" || fail "seed $seed with three masters is not the same twice"
    grep -q ' m3 ' "$scratch/one" || fail "nothing is told of the third master"
done
"$ringsim" --seed 4242 --trace >"$scratch/one"
cmp -s "$scratch/one" <("$ringsim" --seed 4243 --trace) && fail "two seeds tell one story"

"$ringsim" --seed 17 --only-faults none --only-jobs 0,1 >"$scratch/small" || fail "a smaller life does not end well"
grep -q '^seed 17: 2 jobs' "$scratch/small" || fail "not two jobs: $(cat "$scratch/small")"
"$ringsim" --enumerate --process 1 --point 20 --trace | grep -q 'w1 .*is killed' || fail "nobody was killed at point 20"

refused () { # WORDS EXPECTED…: exit 2 and a sentence with the words
    local words=$1 status
    shift
    "$ringsim" "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    [ $status -eq 2 ] || fail "$* exits $status, not 2"
    grep -q -- "$words" "$scratch/err" || fail "$* does not say '$words' but: $(cat "$scratch/err")"
}

refused 'one of --seed, --runs and --enumerate'
refused 'one of --seed, --runs and --enumerate' --seed 1 --runs 2
refused "only-faults takes numbers" --seed 1 --only-faults 1,x
refused "only-jobs takes numbers" --seed 1 --only-jobs ,
refused 'this life has [0-9]*, from 0 on' --seed 1 --only-jobs 64
refused "from 0 on" --seed 1 --only-faults 4294967296
refused 'seed is said more than once' --seed 1 --seed=2
refused 'jobs is said more than once' --runs 1 -j2 --jobs 2
refused 'until-failure goes with --runs' --seed 1 --until-failure
refused 'until-failure goes with --runs' --enumerate --until-failure
refused 'trace goes with' --runs 1 --trace
refused 'trace goes with' --enumerate --trace
refused 'events goes with' --runs 1 --events "$scratch/events"
refused 'only-jobs goes with --seed' --runs 1 --only-jobs none
refused 'only-faults goes with --seed' --enumerate --only-faults none
refused 'from goes with --runs' --seed 1 --from 2
refused 'jobs goes with --runs' --seed 1 --jobs 2
refused 'jobs goes with --runs' --enumerate --process 1 --point 2 --jobs 2
refused 'process goes with --enumerate' --seed 1 --process 1
refused 'point goes with' --seed 1 --point 1
refused 'point goes with --enumerate with --process' --enumerate --point 1
refused 'process is from 0 to 4: there is no process 99' --enumerate --process 99
refused 'w1 comes by [0-9]* points, not by number 99999' --enumerate --process 1 --point 99999
refused 'go beyond the last seed' --runs 3 --from 9223372036854775807
refused 'go beyond the last seed' --runs 9223372036854775807 --from 2
refused 'runs' --runs 0
refused 'jobs' --runs 1 --jobs 1000
refused 'masters' --runs 1 --masters 4
refused 'events is for one master' --seed 1 --masters 3 --events "$scratch/events"
"$ringsim" --help | grep -q 'ringsim --runs 10000' || fail "--help shows no example"

lost () { # WORDS COMMAND…: exit 3, neither a broken promise nor none, and a sentence with the words
    local words=$1 status
    shift
    "$@" 2>"$scratch/err"
    status=$?
    [ $status -eq 3 ] || fail "$* exits $status, not 3"
    grep -q -- "$words" "$scratch/err" || fail "$* does not say '$words' but: $(cat "$scratch/err")"
}

lost '/dev/full cannot be written: No space left' "$ringsim" --seed 1 --events /dev/full >"$scratch/out"
lost "$scratch/not/there cannot be written" "$ringsim" --seed 1 --events "$scratch/not/there" >"$scratch/out"
lost 'the output cannot be written' "$ringsim" --seed 1 --trace >/dev/full
lost 'the output cannot be written' "$ringsim" --seed 1 >/dev/full
lost 'the output cannot be written' "$ringsim" --runs 2 >/dev/full

# One of its processes is killed while it lives its lives, of which there is no end.
"$ringsim" --runs 1000000000 --from 5000 --jobs 1 >"$scratch/out" 2>"$scratch/err" &
parent=$!
child=''
for ((i = 0; i < 600; i++)); do
    read -r child _ 2>/dev/null </proc/$parent/task/$parent/children
    [ -z "$child" ] || break
    sleep 0.1
done
kill -9 "$child" || fail "no process was started"
wait $parent
status=$?
[ $status -eq 3 ] || fail "it exits $status, not 3, when a process of it is killed"
grep -q 'was killed by signal 9 (Killed) at seed [5-9][0-9]*, or just before' "$scratch/err" ||
    fail "it is not said that a process was killed, but: $(cat "$scratch/err")"
grep -q violation "$scratch/out" && fail "a process that is killed is a violation"
exit $bad
