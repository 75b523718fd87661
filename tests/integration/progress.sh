#!/usr/bin/env bash
# Jobs that say how far they are, through real processes: who waits, lists, asks and watches sees it, over a master that is
# killed too; and whoever says so in time outlives its timeout.
#   progress.sh BIN-DIR
set -u
bin=$1
# shellcheck source=tests/integration/ctl_cluster.sh
. "$(dirname "$0")/ctl_cluster.sh"
PATH=$bin:$PATH
export LC_ALL=C
cd "$box" || exit 1

start_cluster
# A job goes on to the next step when there is a file that is named so: the test says when.
# shellcheck disable=SC2016
worker w --threads 4 \
    --queue steps='exec:cd "$(cat)"; echo "0" >&$RM_PROGRESS; for i in 1 2 3; do until [ -e $i ]; do sleep 0.02; done
                   echo "$((i * 250)) step $i" >&$RM_PROGRESS; done; until [ -e end ]; do sleep 0.02; done; echo done' \
    --queue lively='exec:for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; echo "$((i * 100)) still here" >&$RM_PROGRESS; done
                    echo "$((1 + $(cat)))"' \
    --queue mute='exec:for i in 1 2 3; do sleep 0.3; echo "${i}00 soon silent" >&$RM_PROGRESS; done; sleep 100' \
    --queue pages='exec:echo "0 opening" >&$RM_PROGRESS; sleep 0.5; echo "333 page 4 of 12" >&$RM_PROGRESS; sleep 0.5
                   echo "666 page 8 of 12" >&$RM_PROGRESS; sleep 0.5; echo "12 pages"' \
    --queue parts='exec:cd "$(cat)"; echo "100 x" >&$RM_PROGRESS; for i in 1 2 3; do
                   until [ $i = 1 ] || [ -e $i ]; do sleep 0.02; done; echo "+part $i" >&$RM_PROGRESS; sleep 0.4; touch did$i; done
                   until [ -e end ]; do sleep 0.02; done; echo "+the last" >&$RM_PROGRESS; echo whole' \
    --queue odd='exec:echo "1001 too far" >&$RM_PROGRESS; echo nonsense >&$RM_PROGRESS; echo "500x" >&$RM_PROGRESS
                 echo >&$RM_PROGRESS; head -c 100000 /dev/zero >&$RM_PROGRESS; exec 3>&-; echo fine'

# Seen by a waiter that was there before, in lists, and again after the master was killed.
ringctl watch jobs --queue steps >events 2>/dev/null &
pids+=("$!")
mkdir a
ringctl submit steps "$box/a" >/dev/null || die "a job is not accepted"
ringctl wait 1 --follow >result 2>told &
waiter=$!
until_true 60 'it is told that it begins' 'grep -qs "job 1: 0.0 %$" told'
touch a/1
until_true 60 'the first step is told' 'grep -q "job 1: 25.0 %, step 1$" told'
ringctl jobs | grep -q 'running .* 25.0 %, step 1$' || die "jobs does not show it: $(ringctl jobs)"
ringctl jobs --json | grep -q '"permille": *250' || die "jobs --json does not show it"
ringctl why 1 | grep -q 'attempt 1: 25.0 % done, step 1.$' || die "why does not show it: $(ringctl why 1)"
kill -9 "$master"
wait "$master" 2>/dev/null
start_cluster
until_true 60 'a new master knows it too' 'ringctl why 1 | grep -q "25.0 % done, step 1.$"'
touch a/2
until_true 60 'the second step is told' 'grep -q "job 1: 50.0 %, step 2$" told'
touch a/3 a/end
wait "$waiter" || die "the waiter failed: $(cat told)"
[ "$(cat result)" = done ] || die "not its result: $(cat result)"
ringctl jobs | grep -q '%' && die "a job that has ended is still under way: $(ringctl jobs)"
until_true 60 'the watcher saw a step' 'grep -q "progress .*steps at w: .*%, step" events'

# What it says in time gives it its whole time again; and no longer.
[ "$(ringctl submit lively 41 --timeout 1000 --tries 1 --wait)" = 42 ] || die "a job that went on was stopped"
ringctl submit mute x --timeout 1000 --tries 1 --wait 2>why && die "a job that hung was done"
grep -q 'ran past its timeout' why || die "not for its timeout: $(cat why)"

# The example of docs/ringctl.md.
ringctl submit pages book.pdf --follow >out 2>told || die "not done: $(cat told)"
printf 'ringctl: job 4: %s\n' '0.0 %, opening' '33.3 %, page 4 of 12' '66.6 %, page 8 of 12' | diff - told || die "not what it said"
[ "$(cat out)" = '12 pages' ] || die "not its result: $(cat out)"

# Partial results come in order, while the job runs and before its result; a new master has none of the old ones, and says so.
mkdir b
ringctl submit parts "$box/b" --follow >out 2>told &
waiter=$!
until_true 60 'the first partial result is there' '[ "$(cat out)" = "part 1" ]'
touch b/2
until_true 60 'the second one is there' '[ "$(tail -n 1 out)" = "part 2" ]'
touch b/3 b/end
wait "$waiter" || die "not done: $(cat told)"
[ "$(tr '\n' ' ' <out)" = 'part 1 part 2 part 3 the last whole ' ] || die "not what it said: $(cat out)"
mkdir c
ringctl submit parts "$box/c" >id
touch c/2
until_true 60 'the job goes on' '[ -e c/did2 ]'
kill -9 "$master"
wait "$master" 2>/dev/null
start_cluster
until_true 60 'a new master knows the job' 'ringctl why "$(cat id)" | grep -q "% done"'
ringctl wait "$(cat id)" --follow >out 2>told &
waiter=$!
touch c/3 c/end
wait "$waiter" || die "not done: $(cat told)"
[ "$(tr '\n' ' ' <out)" = 'part 3 the last whole ' ] || die "not what a new master may have: $(cat out)"
grep -q '2 of its partial results were missed' told || die "the gap is not told: $(cat told)"

# What is no progress does no harm.
[ "$(ringctl submit odd x --wait)" = fine ] || die "nonsense made a job fail"

end "progress is seen by who waits and looks, again by a new master, and extends the timeout; partial results come in order"
