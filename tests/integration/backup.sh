#!/usr/bin/env bash
# ringctl backup as a script sees it: from a leader and a follower while jobs come in, whole or not at all, and what it says
# when there is none to be had.
#   backup.sh BIN-DIR FAKE-BACKUP
set -u
export PATH=$1:$PATH
fake=$2
. "$(dirname "$0")/box.sh"
base=$(free_ports 15)
export RINGMASTER=127.0.0.1:$base,127.0.0.1:$((base + 5)),127.0.0.1:$((base + 10))
raft () { echo "127.0.0.1:$((base + ${1:-0} + 4))"; } # [PLACE]: as masters know each other
peers=1=$(raft),2=$(raft 5),3=$(raft 10)
bad=0
complain () { echo "backup: $*"; head -qc 400 err out 2>/dev/null | tr -cd "[:print:]\n"; bad=1; }
die () { complain "$*"; tail -n 5 m*.log; exit 1; }

gives () { # CODE WORDS-ON-STDERR ARGUMENTS…
    local code=$1 words=$2 got
    shift 2
    timeout 60 ringctl "$@" >out 2>err </dev/null
    got=$?
    [ $got -eq "$code" ] || complain "$*: exit code $got, not $code"
    [ -n "$words" ] && ! grep -qF -- "$words" err && complain "$*: stderr without '$words'"
    [ "$(wc -l <err)" -le 1 ] || complain "$*: more than a sentence"
}

# What is wrong with the words, the file, the address.
gives 2 "FILE is missing" backup
gives 2 "--from 'nowhere' is not where a master is: write HOST:PORT with its raft port" backup x --from nowhere
gives 2 "--from '127.0.0.1:4' has no raft port: that is a master's base port plus 4, and so 5 or more" backup x --from 127.0.0.1:4
gives 3 "no master's http port answers" backup x --from 127.0.0.1:5
[ -z "$(ls x x.* 2>/dev/null)" ] || complain "a file where there was no backup"

# A master that gives something else.
echo before >kept
for how in whole wrong none short refuse; do
    "$fake" $how >port-$how &
    wait_for 20 test -s port-$how
done
from () { echo "127.0.0.1:$(cat "port-$1")"; }
gives 1 "is damaged: its checksum is" backup kept --from "$(from wrong)"
gives 1 "is damaged: its checksum is" backup kept --from "$(from none)"
gives 1 "broke off after 100000 bytes" backup kept --from "$(from short)"
gives 4 "gives no backup: not? now" backup kept --from "$(from refuse)"
[ "$(cat kept)" = before ] || complain "what was there was replaced by less than a backup"
gives 1 "cannot write the backup to no/such/file: No such file" backup no/such/file --from "$(from whole)"
mkfifo pipe && ln -s kept link && mkdir folder
for other in pipe link folder /dev/null; do
    gives 2 "is no file that a backup could replace" backup $other --from "$(from whole)"
done
[ -p pipe ] && [ -L link ] && [ -d folder ] && [ -c /dev/null ] || complain "something else than a file was replaced"
echo mine >mine && ln -s mine kept.tmp # somebody else's
gives 0 "" backup kept --from "$(from whole)"
[ "$(stat -c %s kept)" -eq 200000 ] && grep -qx "kept holds the backup, 200000 bytes" out || complain "a whole one is not taken"
[ "$(stat -c %a kept)" = 600 ] || complain "others can read it"
[ "$(cat mine)" = mine ] && [ -L kept.tmp ] || complain "what a link points to was written to"
[ "$(echo kept.*)" = kept.tmp ] || complain "there is still $(echo kept.*)"
gives 0 "" backup - --from "$(from whole)"
cmp -s kept out || complain "stdout is not the file"
timeout 60 ringctl backup - --from "$(from whole)" >/dev/full 2>err
[ $? -eq 1 ] && grep -q "cannot write to stdout: No space left" err || complain "a full disk"
script -qec "ringctl backup seen --from $(from whole)" /dev/null >out 2>err </dev/null
grep -qF '[########################################] 100 %' out || complain "no bar on a terminal"

# A group, under load.
for id in 1 2 3; do
    ringmaster --data m$id --id $id --peers $peers >m$id.log 2>&1 &
    masters[id]=$!
done
wait_for 60 ringctl masters
ringworker --queue echo='exec:cat' --name w1 >w1.log 2>&1 &
(while :; do ringctl submit echo "$(head -c 3000 /dev/zero | tr '\0' x)" || sleep 0.1; done) >accepted 2>/dev/null &
load=$!
accepted () { [ "$(wc -l <accepted)" -ge "$1" ]; }
wait_for 60 accepted 20
for round in 1 2 3; do
    for place in 0 5 10; do
        gives 0 "" backup "b$round-$place" --from "$(raft $place)" --json
        grep -q "^{\"file\":\"b$round-$place\",\"bytes\":$(stat -c %s "b$round-$place"),\"checksum\":\"[0-9a-f]\{16\}\"}$" out ||
            complain "--json: another document"
        [ "$(head -c 7 "b$round-$place")" = RMSAVED ] || complain "b$round-$place is no backup"
    done
done
gives 0 "" backup leader
count=$(wc -l <accepted)
wait_for 60 accepted $((count + 5))
kill $load
[ "$(stat -c %s b3-0)" -gt "$(stat -c %s b1-0)" ] || complain "it does not grow with what is accepted"

# One that nobody reads holds memory, so there is one at a time, and only until its line has been silent for 10 s.
head -c 1000000 /dev/zero | tr '\0' y >large
for _ in {1..20}; do
    ringctl submit nobody <large >/dev/null 2>err || complain "a large job"
done
exec 9<>"/dev/tcp/127.0.0.1/$((base + 3))"
printf 'GET /backup HTTP/1.1\r\nHost: x\r\n\r\n' >&9
head -c 20 <&9 >/dev/null
gives 4 "another backup is being taken" backup second --from "$(raft)"
gives 0 "" backup second --from "$(raft 5)"
wait_for 60 ringctl backup second --from "$(raft)"
exec 9>&-

# Without a leader a follower's is to be had still; the one that was asked for is not looked for elsewhere.
kill -9 "${masters[1]}" "${masters[2]}"
wait "${masters[1]}" "${masters[2]}" 2>/dev/null
gives 0 "" backup alone --from "$(raft 10)"
gives 3 "no master's http port answers" backup gone --from "$(raft)"
refused () { ! ringctl backup gone; }
wait_for 60 refused # the one that is left may have led, and takes a moment to notice that nobody follows
gives 3 "leads and follows nobody" backup gone

# A master that is told to stop while its backup is being read ends in good order, and the reader is told.
exec 9<>"/dev/tcp/127.0.0.1/$((base + 13))"
printf 'GET /backup HTTP/1.1\r\nHost: x\r\n\r\n' >&9
head -c 20 <&9 >/dev/null
kill "${masters[3]}"
wait "${masters[3]}"
[ $? -eq 0 ] || complain "a master that was stopped while its backup was read ended with $?"
exec 9>&-
exit $bad
