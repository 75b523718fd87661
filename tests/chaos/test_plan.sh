#!/usr/bin/env bash
# The plan is a function of the seed: printed twice it is the same, with another seed another one. In an hour of it every
# kind of fault comes up. Nothing is no history to judge.
#
#   test_plan.sh CHAOS
set -eu
chaos=$1
one=$("$chaos" --plan --seed 1 --minutes 60)
[ "$one" = "$("$chaos" --plan --seed 1 --minutes 60)" ] || { echo "two plans of one seed differ"; exit 1; }
[ "$one" != "$("$chaos" --plan --seed 2 --minutes 60)" ] || { echo "another seed makes the same plan"; exit 1; }
for kind in kill kill_at_point stop stop_kill leave drain join kill_both loss cut_to cut_from cut reset delay stall break \
    tear kill_proxy; do
    grep -q "^[0-9.]* ${kind}[ ,]" <<<"$one" || { echo "$kind never comes up"; exit 1; }
done
three=$("$chaos" --plan --seed 1 --minutes 60 --masters 3)
for kind in split split_to split_from faint kill stop kill_both cut; do
    grep -q "^[0-9.]* ${kind}[ ,]" <<<"$three" || { echo "$kind never comes up with three masters"; exit 1; }
done
for master in m1 m2 m3; do
    grep -q "^[0-9.]* kill $master," <<<"$three" || { echo "$master is never killed"; exit 1; }
done
! grep -E ' (delay|stall|break|tear|kill_proxy)[ ,]' <<<"$three" || { echo "three masters have no proxy"; exit 1; }
! grep -E ' (split|split_to|split_from|faint)[ ,]' <<<"$one" || { echo "one master cannot be split"; exit 1; }
quiet=$("$chaos" --plan --seed 1 --minutes 60 --no-namespaces)
! grep -E ' (loss|cut|cut_to|cut_from|reset|delay|stall|break|tear|kill_proxy)[ ,]' <<<"$quiet" ||
    { echo "a plan without a network harms one"; exit 1; }
status=0
"$chaos" --judge /dev/null || status=$?
[ $status -eq 2 ] || { echo "an empty history is judged: exit code $status"; exit 1; }
echo "$(wc -l <<<"$one") faults in an hour"
