#!/usr/bin/env bash
# The lives in which defects were found: all promises are kept in them now.
#
#   regressions.sh RINGSIM SEEDS
set -u
[ $# -eq 2 ] || { echo "usage: regressions.sh RINGSIM SEEDS" >&2; exit 2; }
bad=0
count=0
while read -r seed masters mutant what; do
    [[ $seed =~ ^[0-9]+$ ]] || continue
    count=$((count + 1))
    word=$("$1" --seed "$seed" --masters "$masters") ||
        { bad=$((bad + 1)); printf 'seed %s (%s; %s): %s\n' "$seed" "$mutant" "$what" "$word"; }
done <"$2"
[ $count -gt 0 ] || { echo "regressions: $2 names no seed" >&2; exit 1; }
[ $bad -eq 0 ] || { echo "regressions: $bad of $count lives have a violation" >&2; exit 1; }
echo "regressions: $count lives, all promises kept"
