#!/usr/bin/env bash
# The plan is a function of the seed: printed twice it is the same, with another seed another one. In an hour of it every
# kind of fault comes up.
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
quiet=$("$chaos" --plan --seed 1 --minutes 60 --no-namespaces)
! grep -E ' (loss|cut|cut_to|cut_from|reset|delay|stall|break|tear|kill_proxy)[ ,]' <<<"$quiet" ||
    { echo "a plan without a network harms one"; exit 1; }
echo "$(wc -l <<<"$one") faults in an hour"
