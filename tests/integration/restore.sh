#!/usr/bin/env bash
# A cluster of three is backed up under load, goes on, is lost, and begins anew from the backup at the same addresses, while an
# old worker and old clients still run: nothing of the backup is lost or doubled, and nothing of after it is mixed in.
#   restore.sh BIN-DIR TALKER
set -u
export PATH=$1:$PATH
talker=$2
. "$(dirname "$0")/box.sh"
base=$(free_ports 21)
one=127.0.0.1:$base two=127.0.0.1:$((base + 5)) three=127.0.0.1:$((base + 10))
export RINGMASTER=$one,$two,$three
# Their raft ports, as masters know each other.
raft1=127.0.0.1:$((base + 4)) raft2=127.0.0.1:$((base + 9)) raft3=127.0.0.1:$((base + 14))
peers=1=$raft1,2=$raft2,3=$raft3
bad=0
complain () { echo "restore: $*"; bad=1; }
die () {
    complain "$*"
    tail -n 8 -- *.log err
    [ -z "${KEEP-}" ] || cp -r "$box" "$KEEP"
    exit 1
}
master () { # NUMBER DATA WORDS…
    local id=$1 data=$2
    shift 2
    ringmaster --data "$data" --id "$id" --peers $peers "$@" >"$data.log" 2>&1 &
    masters[id]=$!
}
kill_masters () {
    kill -9 "${masters[@]}" 2>/dev/null
    wait "${masters[@]}" 2>/dev/null
    masters=()
}
count () { # WHAT: of the jobs, as the status has it
    ringctl status --json | grep -o "\"$1\":[0-9]*" | head -1 | cut -d: -f2
}
left () { [ "$(count waiting)" = "$1" ] && [ "$(count running)" = 0 ]; } # HOW-MANY

# ---- the old cluster, under load ----
for id in 1 2 3; do master $id m$id; done
wait_for 60 ringctl masters
mkfifo told-1 told-2
"$talker" $RINGMASTER later <told-1 >talked-1 2>&1 &
exec 8>told-1
"$talker" $RINGMASTER later <told-2 >talked-2 2>&1 &
exec 9>told-2
touch ran
printf '#!/bin/sh\nsleep 0.1\nexec tee -a ran\n' >handler
chmod +x handler
ringworker --queue work=exec:./handler --name old >worker.log 2>&1 &
load () { # NAME
    local i=0 id
    while [ ! -e enough ]; do
        i=$((i + 1))
        id=$(timeout 60 ringctl submit work "$1-$i
" 2>>err) && echo "$id $1-$i"
    done
}
echo first >&8
wait_for 60 lines talked-1 1
load a >accepted-a &
loads=$!
wait_for 100 lines accepted-a 30
for i in {1..20}; do ringctl submit work "held-$i
" --key held; done >held
ringctl submit later stay >stay || die "cannot submit"
cp accepted-a before
ringctl backup leader >out || die "no backup from the one that leads"
for to in $raft1 $raft2 $raft3; do ringctl backup "any-$to" --from $to >out || die "no backup from $to"; done
load b >accepted-b &
loads="$loads $!"
wait_for 100 lines accepted-b 20
printf 'second\n' >&8
printf 'one\ntwo\n' >&9
wait_for 60 lines talked-1 2
wait_for 60 lines talked-2 2
touch enough
wait $loads
kill_masters
wait_for 60 grep -q 'state=unleased.*running=0' worker.log # what it had begun for the old cluster is not the new one's
mv ran ran-before
touch ran

# ---- what was in the backup: another restore of it, that nobody works for ----
ringmaster --restore leader --data probe --port $((base + 16)) >probe.log 2>&1 &
masters[9]=$!
export RINGMASTER=127.0.0.1:$((base + 16))
wait_for 60 grep -q ^ready probe.log
grep -q "^probe was made from leader: the state after batch [0-9]*, generation 2 of the cluster, with master 1$" probe.log ||
    complain "what was done is not said"
waiting=$(count waiting) done=$(count done) accepted=$(count accepted)
[ $((waiting + done)) -eq "$accepted" ] || complain "$accepted accepted are not $waiting waiting and $done done"
[ "$(count running)" -eq 0 ] || complain "jobs run without a worker"
ringctl workers --json | grep -q '"workers":\[\]' || complain "there are workers in a new generation"
kill_masters
for to in $raft1 $raft2 $raft3; do # two of them are followers, of which the newest jobs may be missing
    ringmaster --restore "any-$to" --data "probe-$to" --port $((base + 16)) >probe.log 2>&1 &
    masters[9]=$!
    wait_for 60 grep -q ^ready probe.log
    [ $(($(count waiting) + $(count done))) -eq "$(count accepted)" ] || complain "the books of $to do not balance"
    ringctl why "$(tail -n 1 accepted-b | cut -d' ' -f1)" 2>err && complain "$to had a job of after its backup"
    kill_masters
done

# ---- files that are no backup, and directories that are not empty ----
refuses () { # WORDS FILE DATA
    timeout 60 ringmaster --restore "$2" --data "$3" --port 0 >out 2>err </dev/null
    [ $? -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF "$1" err && [ ! -s out ] || {
        complain "--restore $2 --data $3: not refused with '$1'"
        cat err out
    }
}
size=$(stat -c %s leader)
for at in 3 20 45 70 110 200 $((size / 2)) $((size - 1)); do
    cp leader damaged
    printf "\\$(printf %o $(($(od -An -tu1 -j$at -N1 leader) ^ 16)))" | dd of=damaged bs=1 seek=$at conv=notrunc status=none
    refuses "the backup damaged cannot be restored" damaged empty
done
for left in 0 47 100 112 $((size - 1)); do
    head -c $left leader >cut
    refuses "the backup cut cannot be restored" cut empty
done
(cat leader; echo) >longer
refuses "it is cut short, or goes on after its end" longer empty
refuses "cannot read the backup nothing: No such file" nothing empty
refuses "a backup is restored into an empty directory" leader m1
refuses "a backup is restored into an empty directory" leader probe
mkdir other
touch other/mine
refuses "there is something in other (mine)" leader other
[ -z "$(ls -A empty | grep -vx lock)" ] || complain "something was left behind by a refused restore"
timeout 60 ringmaster --restore leader --repair --data empty >out 2>err
[ $? -eq 2 ] || complain "--restore with --repair"

# ---- the new generation, at the addresses of the old one, without the machine that was one of three ----
export RINGMASTER=$one,$two,$three
lost=$(tail -n 1 accepted-b | cut -d' ' -f1)
(ringctl wait "$lost" >lost.out 2>lost.err; echo $? >lost.rc) &
(ringctl wait "$(head -n 1 held)" >kept.out 2>kept.err; echo $? >kept.rc) &
master 1 n1 --restore leader
wait_for 60 grep -q ^ready n1.log
master 2 n2
master 3 n3
wait_for 60 ringctl master add 2 $raft2
wait_for 60 ringctl master add 3 $raft3
voters () { [ "$(ringctl masters --json | grep -o '"role":"voter"' | wc -l)" -eq 3 ]; }
wait_for 60 voters
ringctl masters --json | grep -q '"generation":2' || complain "another generation than 2"

# The old worker joined it, and ran what waited in the backup, once each; two jobs are of a queue that it does not serve.
wait_for 100 left 2
[ "$(wc -l <ran)" -eq $((waiting - 2)) ] || complain "$(wc -l <ran) jobs were run, and $((waiting - 2)) waited"
[ -z "$(sort ran | uniq -d)" ] || complain "run twice: $(sort ran | uniq -d | head -3)"
! grep -q ^b- ran || complain "jobs of after the backup were run"
while read -r id payload; do
    [ "$(ringctl wait "$id")" = "$payload" ] || complain "job $id of before the backup is not done with $payload"
done <before
while read -r id; do
    ringctl wait "$id" >/dev/null || complain "job $id of before the backup is not done"
done <held
ringctl why "$(cat stay)" | grep -q "waits" || complain "a job that waited does not wait"

# Ids of after the backup are of nobody, and new ones far from them.
while read -r id _; do
    ringctl why "$id" >out 2>err
    [ $? -eq 4 ] && grep -q "no job $id was ever accepted" err || complain "job $id of after the backup: $(cat out err)"
done <accepted-b
wait_for 60 test -s lost.rc
[ "$(cat lost.rc)" -eq 4 ] && grep -q "no job $lost was ever accepted" lost.err || complain "who waited for a lost job: $(cat lost.err)"
wait_for 60 test -s kept.rc
[ "$(cat kept.rc)" -eq 0 ] && [ "$(cat kept.out)" = held-1 ] || complain "who waited for a job in the backup: $(cat kept.err)"
id=$(ringctl submit work "new
")
[ "$id" -gt 1000000000000 ] && [ "$(ringctl wait "$id")" = new ] || complain "a new job has the id $id"

# Old clients: what was under way is not run unasked, and then they begin anew; of the one nothing is in the backup.
for n in 1 2; do
    [ $n -eq 1 ] && to=8 || to=9
    printf 'third\nfourth\n' >&$to
    wait_for 60 lines talked-$n 4
    sed -n 3p talked-$n | grep -q '^error -17 .*began anew from a backup' || complain "talker $n: $(sed -n 3p talked-$n)"
    sed -n 4p talked-$n | grep -qx 'id 10000000[0-9]*' || complain "talker $n: $(sed -n 4p talked-$n)"
done
[ "$(count accepted)" -eq $((accepted + 3)) ] || complain "$(count accepted) accepted, not $accepted and 3 more"
[ $(($(count waiting) + $(count running) + $(count done) + $(count dead))) -eq "$(count accepted)" ] || complain "the books do not balance"

# It goes on when the one that was restored dies, and is restored again from a backup of its own.
kill -9 "${masters[1]}"
wait "${masters[1]}" 2>/dev/null
wait_for 60 ringctl submit later again
ringctl backup second || complain "no backup of the new generation"
kill_masters
ringmaster --restore second --data third --port $base >third.log 2>&1 &
masters[1]=$!
wait_for 60 grep -q ^ready third.log
grep -q "generation 3" third.log || complain "not generation 3"
export RINGMASTER=$one
[ "$(ringctl submit later more)" -gt 2000000000000 ] || complain "the third generation does not begin far away"
[ "$(count accepted)" -eq $((accepted + 5)) ] || complain "accepted are $(count accepted)"

# On any ports there is no address for other masters, and none is made up.
ringmaster --restore second --data fourth --port 0 >fourth.log 2>&1 &
masters[4]=$!
wait_for 60 grep -q ^ready fourth.log
RINGMASTER=$(sed -n 's/^ready jobs=\([^ ]*\).*/\1/p' fourth.log)
ringctl masters --json | grep -q '"jobs":null,"ledger":"127.0.0.1:0"' || complain "an address that is none: $(ringctl masters --json)"
exit $bad
