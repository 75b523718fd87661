#!/usr/bin/env bash
# A rolling upgrade: three masters that know the format before last run, and are replaced one by one, while jobs come in and are
# done. The newest format is refused until the last of them is replaced, and afterwards an old one does not start. A new
# cluster has the newest format at once.
#   upgrade.sh BIN-DIR
set -u
export PATH=$1:$PATH
. "$(dirname "$0")/box.sh"
base=$(free_ports 15)
at=([1]=127.0.0.1:$base [2]=127.0.0.1:$((base + 5)) [3]=127.0.0.1:$((base + 10)))
export RINGMASTER=${at[1]},${at[2]},${at[3]}
peers=1=127.0.0.1:$((base + 4)),2=127.0.0.1:$((base + 9)),3=127.0.0.1:$((base + 14)) # their raft ports
newest=3
bad=0
complain () { echo "upgrade: $*"; bad=1; }
die () {
    complain "$*"
    tail -n 8 -- *.log err
    exit 1
}
old () { RM_TEST_FORMAT_MAX=$((newest - 1)) exec "$@"; } # a program of the version before
start () { # NUMBER [old]
    ${2-exec} ringmaster --data "m$1" --id "$1" --peers $peers >>"m$1.log" 2>&1 &
    masters[$1]=$!
}
stop () {
    kill "${masters[$1]}"
    wait "${masters[$1]}" || complain "master $1 did not end in good order"
}
format () { ringctl masters --json | grep -o '"format":[0-9]*' | cut -d: -f2; }
is_of () { [ "$(format)" = "$1" ]; }
leader () { ringctl masters --json | grep -o '"leader":[0-9]*' | head -1 | cut -d: -f2; }
leads () { [ "$(leader)" = "$1" ]; }
hears_all () { # of all three not long ago, by the leader, and none of them is behind
    [ "$(ringctl masters --json | grep -o '"heard_ms":[0-9]\{1,3\},"behind":0' | wc -l)" -eq 3 ]
}

for id in 1 2 3; do start $id old; done
wait_for 60 ringctl masters
ringworker --queue echo='exec:cat' --name w1 >w1.log 2>&1 &
flow () {
    local i=0 answer
    while [ ! -e enough ]; do
        i=$((i + 1))
        answer=$(ringctl submit echo $i --key "k$((i % 5))" --wait 2>>flow.err) && [ "$answer" = $i ] && echo $i || echo "wrong $i $answer"
    done
}
flow >done &
flow=$!
wait_for 60 lines done 20
is_of $((newest - 1)) || complain "old masters have format $(format)"

# The followers first, then the one that leads.
lead=$(leader)
replaced=0
for id in 1 2 3; do
    [ $id -eq "$lead" ] && continue
    ringctl master upgrade $newest >out 2>err
    [ $? -eq 4 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q "cannot read that format" err ||
        complain "with $replaced replaced the newest format is not refused: $(cat out err)"
    stop $id
    start $id
    count=$(wc -l <done)
    wait_for 60 hears_all
    wait_for 60 lines done $((count + 10))
    replaced=$((replaced + 1))
done
transfers () { ringctl master transfer >out; }
wait_for 60 transfers
next=$(sed -n 's/^master \([123]\) leads$/\1/p' out) # by name, so that a lost answer's repetition does not move it on
[ -n "$next" ] && [ "$next" != "$lead" ] && leads "$next" || complain "transfer without a number: $(cat out)"
ringctl master upgrade $newest >out 2>err
[ $? -eq 4 ] && grep -q "one of the masters cannot read that format" err || complain "with one old master: $(cat out err)"
stop "$lead"
start "$lead"
count=$(wc -l <done)
wait_for 60 hears_all
wait_for 60 lines done $((count + 10))
is_of $((newest - 1)) || complain "the format changed by itself to $(format)"
ringctl master upgrade $newest >out 2>err
[ $? -eq 0 ] && grep -qx "the ledger's format is $newest" out || complain "it is refused when all are new: $(cat out err)"
is_of $newest || complain "the format is $(format)"
ringctl master upgrade $newest >out 2>err || complain "what is so already is not done: $(cat out err)"

# There is no way back: an old one does not serve, and says why; the others go on.
lead=$(leader)
old=$((lead % 3 + 1))
stop $old
count=$(wc -l <done)
(old timeout 60 ringmaster --data m$old --id $old --peers $peers) >out 2>err
[ $? -eq 1 ] && grep -q "^ringmaster: the ledger in m$old is of a newer format than this version reads, which is $((newest - 1)); .*start a newer version$" err ||
    complain "an old one: $(cat out err)"
wait_for 60 lines done $((count + 10))
start $old
wait_for 60 hears_all
touch enough
wait $flow
! grep wrong done || complain "not every job was done: $(tail -n 3 flow.err)"
[ "$(wc -l <done)" -eq "$(sort -u done | wc -l)" ] || complain "a job was done twice"

# New clusters: the newest at once, or what an old one among them reads.
for id in 1 2 3; do stop $id; done
rm -r m1 m2 m3
for id in 1 2 3; do start $id; done
wait_for 60 is_of $newest
for id in 1 2 3; do stop $id; done
rm -r m1 m2 m3
start 1
start 2
start 3 old
wait_for 60 is_of $((newest - 1))
RINGMASTER=127.0.0.1:$((base + 5))
for id in 1 2 3; do stop $id; done
ringmaster --data alone --port $((base + 5)) >alone.log 2>&1 &
wait_for 60 is_of $newest
exit $bad
