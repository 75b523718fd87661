#!/usr/bin/env bash
# What people order about jobs and queues, through real processes: options of a submit, cancel, bury, kick, pause, resume
# and queue; over a master that is killed in between.
#   orders.sh BIN-DIR
set -u
bin=$1
# shellcheck source=tests/integration/ctl_cluster.sh
. "$(dirname "$0")/ctl_cluster.sh"
PATH=$bin:$PATH
export LC_ALL=C
cd "$box" || exit 1

kill_master () {
    kill -9 "$master"
    wait "$master" 2>/dev/null
    start_cluster
}

is () { # WANTED COMMAND…: what it prints
    local wanted=$1 got
    shift
    got=$(timeout 60 "$@" 2>err)
    [ "$got" = "$wanted" ] || die "$*: '$got' instead of '$wanted'; $(cat err)"
}

refused () { # CODE WORDS COMMAND…
    local code=$1 words=$2
    shift 2
    timeout 60 "$@" >out 2>err
    [ $? -eq "$code" ] || die "$*: not exit code $code; $(cat out err)"
    grep -qF -- "$words" err || die "$*: '$(cat err)' does not say '$words'"
    [ "$(wc -l <err)" -eq 1 ] || die "$*: more than a sentence: $(cat err)"
}

start_cluster

# Before anybody serves it: what waits is cancelled, expires, is delayed, named and ordered; and all that outlives the master.
refused 2 "time above 0" ringctl submit log x --delay 0
refused 2 "time to come" ringctl submit log x --at 25:00
refused 2 "time to come" ringctl submit log x --at '2000-01-01 12:00'
refused 2 "time to come" ringctl submit log x --at "$(date +%Y -d '+1 year')-02-30 12:00"
refused 2 "not both" ringctl submit log x --at 12:00 --delay 1s
refused 2 "time above 0" ringctl submit log x --deadline -1s
refused 2 "time above 0" ringctl submit log x --timeout soon
refused 2 "deadline is over before" ringctl submit log x --delay 2s --deadline 1s
refused 2 "number from 1" ringctl submit log x --tries -1
refused 2 "number above 1" ringctl submit log x --retry 'delay=1s backoff=1'
refused 2 "'delay' is from 1ms" ringctl submit log x --retry 'delay=0'
refused 2 "begins with delay=TIME" ringctl submit log x --retry 'backoff=2'
refused 2 "cap must not be less than delay" ringctl submit log x --retry 'delay=2s cap=1s'
refused 2 "no setting 'colour'" ringctl submit log x --retry 'delay=1s colour=red'
refused 2 "but no tries" ringctl submit log x --retry 'delay=1s tries=3'
refused 2 "from 1 to 9" ringctl submit log x --priority 10
is 1 ringctl submit log low --priority 1
is 2 ringctl submit log cancelled
is 3 ringctl submit log normal --id mine
is 3 ringctl submit log again --id mine
is 4 ringctl submit log urgent --priority 9
is 5 ringctl submit log expired --deadline 200ms
is 6 ringctl submit log late --delay 3s
ringctl cancel 2 || die "cancel 2"
kill_master
refused 1 "job 2 is cancelled" ringctl wait 2
refused 1 "past its deadline" ringctl wait 5
is 3 ringctl submit log again --id mine
worker w --queue log="exec:cat >>$box/log; echo >>$box/log" --queue slow="exec:echo \$\$ >$box/slow.new; mv $box/slow.new $box/slow; sleep 1000" \
    --queue fail='exec:cat; exit 1' --threads 1
serving=${pids[-1]}
ringctl wait 1 3 4 6 >/dev/null || die "not all were done"
[ "$(tr '\n' ' ' <log)" = "urgent normal low late " ] || die "in a wrong order: $(cat log)"
refused 1 "job 3 is done already" ringctl cancel 3

# What runs is stopped, also when the master is killed before its worker has let go of it.
is 7 ringctl submit slow x --key k
is 8 ringctl submit log behind --key k
until_true 30 'the slow one begins' '[ -e slow ]'
group=$(cat slow)
kill -STOP "$serving"
ringctl cancel 7 2>/dev/null || die "cancel 7"
kill_master
kill -CONT "$serving"
refused 1 "job 7 is cancelled" ringctl wait 7
until_true 30 'no process of a cancelled job is left' '! kill -0 -- -$group 2>/dev/null'
ringctl wait 8 >/dev/null || die "the next of the key"

# A dead one is kicked once, and fails again; buried is dead.
is 9 ringctl submit fail x --tries 1
refused 1 "job 9 is dead" ringctl wait 9
is 10 ringctl kick 9
kill_master
is 10 ringctl kick 9
refused 1 "job 10 is dead" ringctl wait 10
is "1 kicked, 0 left" ringctl kick --queue fail
refused 1 "job 11 is dead" ringctl wait 11

# In a queue that holds, a dead job holds its key until it is kicked or let go of, whoever leads by then.
ringctl queue account on_dead=hold || die "queue account"
is 12 ringctl submit account poor --key k
is 13 ringctl submit account rich --key k
is 14 ringctl submit account rich --key k
is 15 ringctl submit account rich --key other
touch "$box/broke"
worker books --pool books --queue account="exec:cat >>$box/account; echo >>$box/account; [ ! -e $box/broke ]"
books=${pids[-1]}
refused 1 "job 12 is dead" ringctl wait 12
refused 1 "job 15 is dead" ringctl wait 15
rm "$box/broke"
kill_master
kill -9 "$books"
worker books --pool books --queue account="exec:cat >>$box/account; echo >>$box/account"
is 16 ringctl submit account free --key third
ringctl wait 16 >/dev/null || die "nothing else is held"
ringctl why 13 | grep -q "held by job 12" || die "why: $(ringctl why 13)"
[ "$(ringctl jobs --state held --json | grep -o '"id":' | wc -l)" = 2 ] || die "held: $(ringctl jobs)"
ringctl queues | grep -q HELD || die "no HELD: $(ringctl queues)"
ringctl queues --json | grep -q '"name":"account"[^}]*"held":2' || die "held: $(ringctl queues --json)"
is 17 ringctl kick 12
ringctl wait 13 14 17 >/dev/null || die "not all went on"
[ "$(tail -n 4 account | tr '\n' ' ')" = "free poor rich rich " ] || die "in a wrong order: $(cat account)"
is 18 ringctl submit account behind --key other
kill_master
ringctl why 18 | grep -q "held by job 15" || die "why: $(ringctl why 18)"
ringctl cancel 15 2>err || die "cancel 15: $(cat err)"
grep -q "goes on without it" err || die "cancel 15 says '$(cat err)'"
ringctl wait 18 >/dev/null || die "the key does not go on"

# A paused queue hands out nothing, and keeps its settings.
ringctl queue log tries=7 delay=250ms backoff=1.5 keep=1h || die "queue"
ringctl pause log || die "pause"
is 19 ringctl submit log paused
kill_master
ringctl why 19 | grep -q "it is paused" || die "why: $(ringctl why 19)"
ringctl queue log | tr '\n' ' ' | grep -q "tries=7 .*keep=1h .*delay=250ms backoff=1.5 .*paused=on" || die "settings: $(ringctl queue log)"
is 20 ringctl submit log buried
ringctl bury 20 --reason 'not today' || die "bury"
refused 1 "job 20 is dead: not today" ringctl wait 20
ringctl resume log || die "resume"
ringctl wait 19 >/dev/null || die "the paused one"
for id in 21 22; do
    is $id ringctl submit spare x
    ringctl bury $id || die "bury $id"
done
ringctl queue spare jobs-max=1 || die "queue spare"
is "1 kicked, 1 left: the queue holds as many jobs as it may" ringctl kick --queue spare
refused 2 "limit" ringctl kick --queue spare --limit 4097
refused 4 "no job 99" ringctl cancel 99
refused 2 "no setting 'colour'" ringctl queue log colour=red
refused 2 "number above 1" ringctl queue log backoff=1
refused 2 "'tries' is from 1" ringctl queue log tries=-1
refused 2 "'delay' is from 1ms" ringctl queue log delay=0
refused 2 "'delay' is from 1ms" ringctl queue log delay=-1s
refused 2 "cap must not be less than delay" ringctl queue log delay=2s cap=1s
refused 2 "jitter' is none, full" ringctl queue log jitter=much
refused 2 "written NAME=VALUE" ringctl queue log tries
refused 2 "is for --queue" ringctl kick 19 --limit 1
refused 2 "is for sync" ringctl watch jobs --until-commit
refused 2 "is for jobs" ringctl watch sync --queue log
refused 4 "only a dead one" ringctl kick 19
# A queue takes so much of one client; each ringctl is one.
ringctl queue crowd client-bytes-max=3 || die "queue crowd"
kill_master
refused 4 "this client has as many bytes waiting in the queue as one may" ringctl submit crowd 1234
ringctl submit crowd 123 >/dev/null 2>&1 || die "what one client may have"
ringctl submit crowd 123 >/dev/null 2>&1 || die "what another one may have"
ringctl queue crowd client-bytes-max=default client-jobs-max=5 || die "queue crowd"
ringctl submit crowd 1234 >/dev/null 2>&1 || die "without that limit"
ringctl queue crowd | tr '\n' ' ' | grep -q "client-jobs-max=5 client-bytes-max=default" || die "settings: $(ringctl queue crowd)"

# How each attempt ended that was no success, with its reason: kept over deaths of the master, until the job is forgotten.
cat >flaky <<'EOF'
echo >>tries
case $(wc -l <tries) in
1) echo "no answer" >&2; exit 75 ;;
2) touch hangs; sleep 1000 ;;
3) echo "no such account" >&2; exit 1 ;;
esac
EOF
worker first --queue flaky="exec:bash $box/flaky" --threads 1
first=${pids[-1]}
flaky=$(ringctl submit flaky x --key bob --retry 'delay=1ms backoff=2 cap=1ms')
until_true 30 'the second attempt hangs' '[ -e hangs ]'
kill -9 "$first"
until_true 60 'the master misses its worker' 'ringctl why $flaky --json | grep -q "\"how\":\"crashed\""'
kill_master
worker second --queue flaky="exec:bash $box/flaky" --threads 1
refused 1 "job $flaky is dead: no such account" ringctl wait $flaky
ringctl trace $flaky >life
for what in 'Z  accepted  ' 'Z  given  *attempt 3, to second$' 'Z  failed for good  attempt 3, at second: no such account$' 'Z  dead  '; do
    grep -q "^ *20[0-9T:.-]*$what" life || die "trace $flaky: no '$what' in $(cat life)"
done
grep -q "^ *-  given  *attempt 1, to first$" life && grep -q "before is not known" life || die "trace $flaky: $(cat life)"
kill_master
ringctl trace $flaky --json >life
grep -q '{"at_ms":null,"step":"given","attempt":3,"worker":"second"},{"at_ms":[0-9]*,"step":"failed","attempt":3,' life ||
    die "trace $flaky: $(cat life)"
ringctl why $flaky --json >why
for what in '"attempt":1,"how":"failed","ended_ms":[0-9]*,"worker":"first","reason":"no answer"' \
    '"attempt":2,"how":"crashed","ended_ms":[0-9]*,"worker":"first","reason":null' \
    '"attempt":3,"how":"failed for good","ended_ms":[0-9]*,"worker":"second","reason":"no such account"'; do
    grep -q "{$what" why || die "why $flaky: $(cat why)"
done
ringctl why $flaky | grep -Eq '^ +2  crashed +first +20[0-9T:.-]*Z  -$' || die "why $flaky: $(ringctl why $flaky)"

# Each jitter, of a queue and of a job.
worker third --queue dice='exec:exit 75' --queue clock='exec:date +%s' --queue brief=builtin:echo --threads 1
for jitter in none full equal decorrelated turns; do
    ringctl queue dice "jitter=$jitter" || die "jitter=$jitter"
    ringctl queue dice | grep -qx "jitter=$jitter" || die "jitter=$jitter: $(ringctl queue dice)"
    refused 1 "is dead" ringctl submit dice x --wait --tries 2 --retry "delay=1ms backoff=2 cap=2ms jitter=$jitter"
done

# At a time of day, and what a queue keeps of its outcomes: so many bytes, the newest ones.
at=$(($(date +%s) + 2))
[ "$(timeout 60 ringctl submit clock x --at @$at --wait)" -ge $at ] || die "before its time"
ringctl queue brief keep-bytes=4KiB || die "keep-bytes"
first=$(ringctl submit brief "$(printf '%02000d' 1)")
for n in 2 3 4; do
    last=$(ringctl submit brief "$(printf '%02000d' $n)")
    ringctl wait "$last" >/dev/null || die "wait $last"
done
until_true 30 'more is forgotten than may be kept' '! ringctl wait $first >/dev/null 2>err'
grep -q "kept no longer\|forgotten" err || die "wait $first: $(cat err)"
ringctl wait "$last" >/dev/null || die "the newest is not kept"

end "orders: all as ordered"
