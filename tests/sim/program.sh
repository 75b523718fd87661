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
refused 'runs' --runs 0
refused 'jobs' --runs 1 --jobs 1000
refused 'masters' --runs 1 --masters 4
refused 'events is for one master' --seed 1 --masters 3 --events "$scratch/events"
"$ringsim" --help | grep -q 'ringsim --runs 10000' || fail "--help shows no example"
exit $bad
