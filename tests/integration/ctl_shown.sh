#!/usr/bin/env bash
# What ringctl shows of a real master: the ring, the queues, and the jobs that a filter asks for.
#   ctl_shown.sh BIN_DIR
set -u
bin=$1
# shellcheck source=tests/integration/ctl_cluster.sh
. "$(dirname "$0")/ctl_cluster.sh"
start_cluster
worker w1 --queue echo=builtin:echo --queue bad=builtin:fail --queue slow=builtin:sleep --threads 3
worker w2 --queue echo=builtin:echo --queue bad=builtin:fail --queue slow=builtin:sleep --threads 3
until_true 60 'ring --json shows both' 'ctl ring --json | grep -q "\"moving\":0" && ctl workers | grep -c live | grep -qx 2'

# The ring: a picture, and who has how much.
ctl ring >"$box/ring"
sed -n 4p "$box/ring" | grep -qx '[AB]\{64\}' || complain "ring: no picture" "$box/ring"
grep -Eq '^[AB]  w1 +[0-9a-f]{16} +8192  50\.0 %$' "$box/ring" || complain "ring: not half of it" "$box/ring"

# Jobs of every state: some that have ended, two that run, two that wait for them.
ctl submit echo one --wait >/dev/null
ctl submit bad two --key bob --tries 1 --wait >/dev/null 2>&1
slow=$(ctl submit slow 600000 --key ann)
ctl submit slow 600000 --key ann >/dev/null
until_true 60 'job 3 runs' 'ctl why 3 | grep -q "at the worker"'

listed () { # IDS ARGUMENTS…: which jobs are listed, the newest first
    local ids=$1 got
    shift
    got=$(ctl jobs "$@" --json | tr '{' '\n' | sed -n 's/^"id":\([0-9]*\),.*/\1/p' | paste -sd ' ')
    [ "$got" = "$ids" ] || complain "jobs $*: '$got', not '$ids'"
}
listed "4 3 2 1"
listed "1" --queue echo
listed "4 3" --queue slow
listed "2" --state dead
listed "1" --state done
listed "3" --state running
listed "4" --state waiting
listed "2" --key bob
listed "4 3" --key ann
listed "" --key nobody
listed "4 3" --limit 2
at=$(ctl jobs --state running --json | sed 's/.*"worker":"\([^"]*\)".*/\1/')
listed "3" --worker "$at"
listed "3" --worker "$at" --queue slow --key ann --state running
listed "" --worker "$at" --queue echo
[ "$slow" = 3 ] || complain "job 3 is $slow"

# Payloads: of a job, and of a queue's next one; nobody's job is taken by it.
printf '\377\000z' | ctl submit late --delay 1h >/dev/null
ctl submit late sooner --delay 30m >/dev/null
ctl submit late now >/dev/null
ctl submit late urgent --priority 9 >/dev/null
peeks () { # BYTES ARGUMENTS…
    local bytes=$1
    shift
    ctl peek "$@" >"$box/payload" 2>"$box/peeked"
    [ "$(od -An -c "$box/payload")" = "$(printf "$bytes" | od -An -c)" ] || complain "peek $*" "$box/peeked"
}
refuses () { # WORDS ARGUMENTS…
    local words=$1
    shift
    ctl peek "$@" >"$box/payload" 2>"$box/peeked"
    [ $? -eq 4 ] && grep -qF "$words" "$box/peeked" || complain "peek $*: not refused" "$box/peeked"
}
peeks 600000 3
peeks two 2
peeks two bad --state dead
peeks '\377\000z' 5
peeks sooner late --state delayed
peeks urgent late
peeks urgent --queue late
peeks urg late --limit 3
grep -q 'the first 3 bytes of 6' "$box/peeked" || complain "peek: what is not there is not said" "$box/peeked"
ctl peek 5 --json | grep -q '"state":"delayed",.*"size":3,"data_base64":"/wB6"' || complain "peek 5 --json"
ctl peek 2 --json | grep -q '"key":"bob","state":"dead",.*"size":3,"data":"two"' || complain "peek 2 --json"
refuses "job 1 has ended, and its payload is kept no longer" 1
refuses "no job 99 was ever accepted" 99
refuses "there is no queue nothing" nothing
refuses "no job of the queue echo is waiting" echo
refuses "no job of the queue late is dead" late --state dead
listed "8 7 6 5" --queue late
ctl cancel 5 6 7 8

# More than one page of a master's looks is not in a test of this size (test_leader_list is); a page of the limit is.
listed "8" --limit 1

# The queues.
ctl queues >"$box/queues"
grep -Eq '^slow +default +1 +1 +0 +0 +2 +[0-9]+ (ms|s)$' "$box/queues" || complain "queues: slow" "$box/queues"
grep -Eq '^bad +default +0 +0 +0 +1 +2 +-$' "$box/queues" || complain "queues: bad" "$box/queues"
ctl queues --json | grep -q '"name":"slow",.*"oldest_ms":[0-9]' || complain "queues --json"

# What happens to jobs, as it happens; it goes on when the master is started again.
"$bin/ringctl" watch jobs --queue echo --json >"$box/watched" 2>"$box/watching" &
watch=$!
pids+=("$watch")
until_true 60 'jobs are watched' 'grep -q "watching jobs" "$box/watching"'
ctl submit echo five --key eve --wait >/dev/null
ctl submit slow 1 >/dev/null
until_true 60 'job 9 was seen to end' 'grep -q "\"id\":9,.*\"outcome\":\"done\"" "$box/watched"'
[ "$(sed 's/.*"event":"\([a-z]*\)","id":\([0-9]*\),"queue":"\([a-z]*\)","key":"\([a-z]*\)",.*/\1 \2 \3 \4/' "$box/watched" | paste -sd ,)" = \
    "accepted 9 echo eve,begun 9 echo eve,ended 9 echo eve" ] || complain "watch jobs: job 9's life" "$box/watched"
grep '"event":"begun"' "$box/watched" | grep -q '"worker":"w[12]","attempt":1' || complain "watch jobs: where" "$box/watched"
kill -9 "$master"
until_true 60 'the master is missed' 'grep -q "does not answer" "$box/watching"'
start_cluster
until_true 60 'the master is there again' 'grep -q "answers again" "$box/watching"'
until_true 60 'an echo is seen' 'ctl submit echo again --wait >/dev/null; grep -q "\"event\":\"ended\",\"id\":1[0-9]" "$box/watched"'
kill "$watch"

"$bin/ringctl" watch jobs --count 3 --queue bad >"$box/lines" 2>"$box/line_notes" &
watch=$!
pids+=("$watch")
until_true 60 'jobs are watched in lines' 'grep -q "watching jobs" "$box/line_notes"'
id=$(ctl submit bad x --tries 1)
until_true 60 'three lines' '! kill -0 "$watch" 2>/dev/null'
sed 's/^[0-9:.]*Z //; s/ at w[12]$//' "$box/lines" | paste -sd , >"$box/told"
grep -qx "job $id accepted  bad,job $id begun     bad,job $id dead      bad" "$box/told" ||
    complain "watch jobs: lines" "$box/lines"

end "ringctl shows what there is"
