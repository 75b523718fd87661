#!/usr/bin/env bash
# ringctl map --name over 320 real files, with SIGKILL for the client, for a worker, for the master, for all of them, and for a
# run of its own: run again, every file has one outcome, nothing that had ended runs again, and the job log is complete.
#   map_killed.sh BIN
set -u
export LC_ALL=C
bin=$1
# In memory, if there is room: a master stops when its disk takes two seconds to write, as a shared one may.
[ -n "${TMPDIR-}" ] || { [ -w /dev/shm ] && export TMPDIR=/dev/shm; }
box=$(mktemp -d) || exit 1
export PATH=$bin:$PATH
cd "$box" || exit 1
bad=0 files=320 slots=4
base=$((31000 + $$ % 500 * 4))
export RINGMASTER=127.0.0.1:$base
declare -A pids
trap 'kill -9 "${pids[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$box"' EXIT

complain () {
    echo "$scenario: $*"
    bad=1
}

# until_true COMMAND…: waits for it, a minute at most.
until_true () {
    local end=$((SECONDS + 60))
    until "$@"; do
        [ $SECONDS -lt $end ] || { complain "in vain: $*"; return 1; }
        sleep 0.02
    done
}

has_lines () { # FILE N
    [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

start_master () {
    rm -f ready
    ringmaster --data data --port $base >ready 2>>logs/master &
    pids[master]=$!
    until_true grep -qs "^ready" ready
}

start_worker () { # NAME
    ringworker --shell --threads $((slots / 2)) --name "$1" >/dev/null 2>>"logs/$1" &
    pids[$1]=$!
}

end_hard () { # WHO…
    local who
    for who; do
        kill -9 "${pids[$who]}"
        wait "${pids[$who]}" 2>/dev/null
        unset "pids[$who]"
    done
}

mkdir logs
find /usr/share /usr/include -type f -size -100k -size +0 2>/dev/null | grep -v "['\"\\]" | sort | head -n $files >list
[ "$(wc -l <list)" = $files ] || { echo "there are no $files files here"; exit 1; }
xargs sha256sum <list | sort >expected

# Each command writes down that it begins and ends, in a file of its own.
cat >sum <<'END'
echo begin >>"$1/$2"
sleep 0.03
sha256sum "$3"
echo end >>"$1/$2"
END

start_map () {
    # shellcheck disable=SC2086 # $options are words
    ringctl map --name "$scenario" --joblog "$scenario.joblog" $options sh sum "$scenario" {#} {} :::: list \
        >>"$scenario.out" 2>>"$scenario.err" &
    pids[client]=$!
}

# Workers that were without a lease for a moment, on a busy machine: what they ran is run again.
unleased () {
    cat logs/* .ringmap/*/ringworker.log 2>/dev/null | grep -c 'state=unleased'
}

begin () {
    mkdir "$scenario"
    unleased_before=$(unleased)
    : >"$scenario.out" >"$scenario.err"
    start_map
    until_true has_lines "$scenario.joblog" 60
}

# What has ended by now, and how often each of these was begun.
remember () {
    sed -n 's/^\([0-9]*\)\t.*\t.*\t.*\t.*\t.*\t.*\t.*\t.*/\1/p' "$scenario.joblog" | sort -n >"$scenario.ended"
    while read -r number; do
        echo "$number $(wc -l <"$scenario/$number")"
    done <"$scenario.ended" >"$scenario.before"
    [ "$(wc -l <"$scenario.ended")" -lt $files ] || complain "it was over before anything was killed"
}

finish () {
    wait "${pids[client]}"
    local code=$?
    unset "pids[client]"
    [ $code = 0 ] || complain "exit code $code"
}

# judge MOST: at most so many commands were begun twice; more only if leases were lost.
judge () {
    local twice most=$(($1 + slots * ($(unleased) - unleased_before)))
    [ "$(head -n 1 "$scenario.joblog" | cut -f 1,9)" = $'Seq\tCommand' ] || complain "the log has no head"
    diff <(tail -n +2 "$scenario.joblog" | cut -f 1 | sort -n) <(seq $files) >/dev/null ||
        complain "the log has not one line for each command"
    cut -f 7 "$scenario.joblog" | tail -n +2 | grep -qv '^0$' && complain "a command failed"
    [ "$(grep -c '^ended ' ".ringmap/$scenario/journal")" = $files ] || complain "the journal has not one end for each command"
    [ "$(grep '^ended ' ".ringmap/$scenario/journal" | cut -d ' ' -f 2 | sort -u | wc -l)" = $files ] ||
        complain "the journal names a command twice"
    sort -u "$scenario.out" | diff - expected >/dev/null || complain "the sums are not those of the files"
    while read -r number lines; do
        [ "$(wc -l <"$scenario/$number")" = "$lines" ] || complain "command $number had ended, and ran again"
    done <"$scenario.before"
    twice=$(grep -c begin "$scenario"/* | grep -cv ':1$')
    [ "$twice" -le $most ] || complain "$twice commands were begun twice, at most $most ran when something was killed"
    [ "$(grep -c . "$scenario.before")" -ge 50 ] || complain "too few had ended to show anything"
    # Once more: nothing is left to be done, and nothing is done.
    find "$scenario" -type f -exec cat {} + | wc -l >lines
    start_map
    finish
    [ "$(find "$scenario" -type f -exec cat {} + | wc -l)" = "$(cat lines)" ] || complain "the finished run ran something"
    echo "$scenario: $(wc -l <"$scenario.before") had ended, $twice were begun twice"
}

scenario=start options=
start_master
start_worker w1
start_worker w2

scenario=client
begin
end_hard client
remember
start_map
finish
judge 0

# Killed while its submit is not answered: the master is stopped at such a moment, and takes the submit in when it goes on.
stop_at_submit () {
    kill -STOP "${pids[master]}"
    tail -n 1 ".ringmap/$scenario/journal" | grep -q '^submit' && sleep 0.05 &&
        tail -n 1 ".ringmap/$scenario/journal" | grep -q '^submit' && return
    kill -CONT "${pids[master]}"
    return 1
}
scenario=unanswered
begin
until_true stop_at_submit
end_hard client
kill -CONT "${pids[master]}"
remember
start_map
finish
judge 0

scenario=worker
begin
end_hard w1
remember
start_worker w1
finish
judge $((slots / 2))

scenario=master
begin
end_hard master
remember
start_master
finish
judge $slots

scenario=all
begin
end_hard client w1 w2 master
remember
start_master
start_worker w1
start_worker w2
start_map
finish
judge $slots

# A run of its own ends with its client, whatever becomes of that.
none_left () {
    ! pgrep -f "$box/.ringmap/$scenario/" >/dev/null && ! pgrep -f "^sh sum $scenario " >/dev/null
}
scenario=local options="--local $slots"
unset RINGMASTER
begin
end_hard client
remember
until_true none_left
start_map
finish
judge $slots
until_true none_left
# Its own master and worker are started again.
child () { # PROGRAM
    pids[$1]=$(pgrep -P "${pids[client]}" -x "$1")
}
scenario=own
begin
child ringmaster
end_hard ringmaster
remember
until_true has_lines "$scenario.joblog" 150
child ringworker
end_hard ringworker
finish
judge $((2 * slots))
grep -q 'its own master had died, and was started again' own.err || complain "it does not say that its master had died"
until_true none_left
[ $bad = 0 ] || tail -n 20 logs/* ./*.err
exit $bad
