#!/usr/bin/env bash
# ringctl as a script sees it: exit codes, one sentence on stderr for what goes wrong, stdout for what was asked for.
#   ringctl.sh RINGCTL FAKE-MASTER
set -u
ringctl=$1 fake=$2
box=$(mktemp -d) || exit 1
"$fake" >"$box/ready" 2>&1 &
master=$!
trap 'kill $master 2>/dev/null; wait $master 2>/dev/null; rm -rf "$box"' EXIT
for _ in {1..200}; do
    grep -q '^ready' "$box/ready" && break
    sleep 0.05
done
RINGMASTER=$(sed -n 's/^ready jobs=\([^ ]*\).*/\1/p' "$box/ready")
[ -n "$RINGMASTER" ] || { echo "the pretended master did not start"; cat "$box/ready"; exit 1; }
export RINGMASTER
bad=0

complain () {
    echo "ringctl $*"
    sed 's/^/    stdout: /' "$box/out"
    sed 's/^/    stderr: /' "$box/err"
    bad=1
}

# gives CODE STDOUT-WORDS STDERR-WORDS ARGUMENTS…: words of "" stand for nothing at all, "*" for anything.
gives () {
    local code=$1 out=$2 err=$3 got
    shift 3
    timeout 20 "$ringctl" "$@" >"$box/out" 2>"$box/err" </dev/null
    got=$?
    [ $got -eq "$code" ] || complain "$*: exit code $got, not $code"
    holds "$box/out" "$out" || complain "$*: stdout without '$out'"
    holds "$box/err" "$err" || complain "$*: stderr without '$err'"
    [ "$code" -eq 0 ] || [ "$(wc -l <"$box/err")" -eq 1 ] || complain "$*: not one line of stderr"
    ! grep -q -e $'\033' -e $'\302\233' "$box/out" "$box/err" || complain "$*: escape characters"
}

holds () { # FILE WORDS
    case $2 in
    "*") true ;;
    "") [ ! -s "$1" ] ;;
    *) grep -qF -- "$2" "$1" ;;
    esac
}

same () { # FILE TEXT: byte for byte
    [ "$(od -An -c "$1")" = "$(printf "$2" | od -An -c)" ]
}

# Wrong usage.
gives 2 "" "a command is missing"
gives 2 "" "'fly' is not a command" fly
gives 2 "" "--colour is not an option" status --colour
gives 2 "" "--key needs a value" submit echo x --key
gives 2 "" "QUEUE is missing" submit
gives 2 "" "one argument too many" submit echo x y
gives 2 "" "--tries must be a number from 1" submit echo x --tries none
gives 2 "" "--timeout must be a time above 0" submit echo x --timeout 0
gives 2 "" "--timeout must be at most 24 days" submit echo x --timeout 30d
gives 2 "" "ID is missing" wait
gives 2 "" "'seven' is not a job's id" wait 1 seven
gives 2 "" "'0' is not a job's id" why 0
gives 2 "" "'-1' is not a job's id" why -- -1
gives 2 "" "'99999999999999999999' is not a job's id" why 99999999999999999999
gives 2 "" "say which job, or which queue" peek
gives 2 "" "say which job, or which queue, not both" peek 7 --queue mail
gives 2 "" "--state is for a queue" peek 7 --state dead
gives 2 "" "'done' is not waiting, delayed or dead" peek mail --state done
gives 2 "" "'two words' is not a name" peek "two words"
gives 2 "" "'moon' cannot be watched" watch moon
gives 2 "" "WORKER is missing" drain
gives 2 "" "the queue's name must be 1 to 128" submit "" x
gives 2 "" "the queue's name must be 1 to 128" submit "two words" x
gives 2 "" "the queue's name must be 1 to 128" submit "$(printf 'q%.0s' {1..129})" x
gives 2 "" "a worker's name is 1 to 128" drain "two words"
gives 2 "" "a queue's name has 1 to 128" jobs --queue ""
gives 2 "" "'asleep' is not waiting, delayed, held, running" jobs --state asleep
gives 2 "" "has 1 byte or more" jobs --key ""
gives 2 "" "'two words' is not a name" jobs --worker "two words"
gives 2 "" "--limit must be a number from 1" jobs --limit 0
gives 2 "" "--master 'udp://x:1'" --master udp://x:1 status
gives 2 "" "--master 'tcp://127.0.0.1'" status --master tcp://127.0.0.1

# Help.
gives 0 "Examples:" "" --help
for command in backup submit wait status workers ring queues jobs why trace peek drain masters master watch; do
    gives 0 "ringctl $command" "" $command --help
done
gives 0 "ringctl " "" --version

# Work.
gives 0 "1" "" submit echo hello
same "$box/out" '1\n' || complain "submit: more than the id on a line"
gives 0 "hello" "" submit echo x --wait
same "$box/out" 'hello' || complain "submit --wait: not just the bytes"
gives 0 "hello" "" --wait submit --key k echo x --tries 2 --timeout 500 --at-most-once
gives 0 '{"id":1}' "" submit echo x --json
gives 0 "1" "no worker serves the queue lonely yet" submit lonely x
gives 0 '"data":"hello"' "" wait 1 --json
gives 0 '"data_base64":"/wB6"' "" wait 5 --json
gives 0 "*" "" wait 5
same "$box/out" '\377\000z' || complain "wait: not the bytes as they are"
gives 0 "hellohello" "" wait 1 1
gives 1 "" "job 2 is dead: boom?[31m" wait 2
gives 1 "" "job 2 is dead: boom" submit dead x --wait
gives 1 '"outcome":"dead"' "job 2 is dead" wait 2 --json
gives 1 "" "job 6 is cancelled" wait 6
gives 1 "hello" "job 2 is dead" wait 2 1
gives 4 "" "kept no longer" wait 3
gives 4 "" "no job 4 was ever accepted" wait 4
gives 4 "" "the queue holds as many jobs as it may" submit busy x
gives 4 "" "more bytes than this master takes" submit big x
gives 4 "" "the key has 1025 bytes" submit echo x --key "$(printf 'k%.0s' {1..1025})"
gives 0 "w1 is leaving" "" drain w1
gives 4 "" "there is no worker of that name" drain w9
gives 0 "Job 7 waits for job 6." "" why 7
gives 4 "" "no job 99 was ever accepted" why 99

# Streams that are closed: what is opened next must not be taken for them.
timeout 20 "$ringctl" status >&- 2>"$box/err" && complain "status >&-: not noticed"
grep -q 'cannot write to stdout: Bad file descriptor' "$box/err" || complain "status >&-: not said"
timeout 20 "$ringctl" submit echo <&- >"$box/out" 2>"$box/err" && complain "submit <&-: not noticed"
grep -q 'cannot read the payload from stdin: Bad file descriptor' "$box/err" || complain "submit <&-: not said"

printf 'from stdin' | timeout 20 "$ringctl" submit echo >"$box/out" 2>"$box/err" || complain "submit: not from stdin"
head -c 20000000 /dev/zero | timeout 20 "$ringctl" submit echo >"$box/out" 2>"$box/err"
[ "${PIPESTATUS[1]}" -eq 4 ] && holds "$box/err" "which no master takes" || complain "submit: 20 MB from stdin"
timeout 20 "$ringctl" submit echo >"$box/out" 2>"$box/err" <"$box"
[ $? -eq 2 ] && holds "$box/err" "cannot read the payload from stdin" || complain "submit: a folder as stdin"

# Tables, and what they were made of.
gives 0 "leader, term 1, epoch 3, up 3 min 12 s" "" status
gives 0 "echo    default       12        3  1005     1        2" "" status
gives 0 "lonely  -              1        -     -     -        0" "" status
gives 0 "w1      default  live   echo, mail        8  16384       3/16  1005  120 ms" "" workers
gives 0 "A  w1      00000000000000aa   8192  50.0 %" "" ring
gives 0 "$(printf 'A%.0s' {1..32})$(printf 'B%.0s' {1..16})$(printf '.%.0s' {1..16})" "" ring
gives 0 "echo    default      12        3  1005     1        2  1 min 5 s" "" queues
gives 0 '{"queues":[{"name":"echo",' "" queues --json
gives 0 "      7  bank   b?ob  running  w1            2  1 min 5 s" "" jobs --limit 2
for command in status workers ring queues jobs masters "why 7" "drain w1"; do
    # shellcheck disable=SC2086
    gives 0 "{" "" $command --json
    [ "$(wc -l <"$box/out")" -eq 1 ] || complain "$command --json: not one line"
done

# Phases.
gives 0 "*" "*" watch sync --count 7
[ "$(wc -l <"$box/out")" -eq 7 ] || complain "watch: not 7 lines"
grep -q '"phase":2,"data":{"term":1,"epoch":[0-9]*,"sync_to":42,"members":\[\["w1","00000000000000aa"\],\["w2","00000000000000bb"\]\],"moved":{"default":\[\[0,8191,null,"00000000000000aa"\],\[8192,16383,"00000000000000aa","00000000000000bb"\]\]}}}$' \
    "$box/out" || complain "watch: phase 2 is not spelled as it should be"
[ -z "$(sed 's/"at":"[^"]*"//' "$box/out" | uniq -d)" ] || complain "watch: a repeated phase is printed twice"
timeout 20 "$ringctl" watch sync --until-commit >"$box/out" 2>"$box/err"
[ $? -eq 0 ] && tail -1 "$box/out" | grep -q '"phase":3' || complain "watch --until-commit"

# Interrupted: the job is not, and how to go on is said.
timeout --preserve-status -s INT 1 "$ringctl" wait 7 >"$box/out" 2>"$box/err"
[ $? -eq 130 ] && holds "$box/err" "ringctl wait 7 waits for it" || complain "wait: interrupted"

# A job that lets one wait: once it is said what it waits for.
timeout --preserve-status -s INT 5 "$ringctl" wait 7 >"$box/out" 2>"$box/err"
[ "$(grep -c '^ringctl: note: ' "$box/err")" -eq 1 ] && grep -qx 'ringctl: note: job 7 waits for job 6' "$box/err" ||
    complain "wait: not one note of what the job waits for"
[ ! -s "$box/out" ] || complain "wait: the note is not on stdout"

# On a terminal every result ends its line; the bytes are not touched elsewhere.
script -qec "'$ringctl' wait 1 1 5" /dev/null >"$box/out" 2>"$box/err" </dev/null
same "$box/out" 'hello\r\nhello\r\n\377\000z\r\n' || complain "wait: results on a terminal"
gives 0 "*" "" wait 1 1 5
same "$box/out" 'hellohello\377\000z' || complain "wait: more than the bytes"

# On a terminal a table fits, and its states are tinted unless $NO_COLOR is set; elsewhere it is plain and whole.
on_terminal () { # COLUMNS ARGUMENTS…
    local columns=$1
    shift
    TERM=xterm LC_ALL=C.UTF-8 script -qec "stty cols $columns; timeout 20 '$ringctl' $*" /dev/null >"$box/raw" 2>"$box/err" </dev/null
    tr -d '\r' <"$box/raw" | sed 's/\x1b\[[0-9]*m//g' >"$box/out"
}
on_terminal 40 workers
[ -s "$box/out" ] && [ "$(LC_ALL=C.UTF-8 awk '{ print length ($0) }' "$box/out" | sort -n | tail -1)" -le 40 ] ||
    complain "workers: wider than the terminal"
grep -qF "w1      live         8       3/16  1005" "$box/out" || complain "workers: other columns than there is room for"
grep -q $'\033\\[32mlive' "$box/raw" || complain "workers: no colour on a terminal"
NO_COLOR=1 on_terminal 200 workers
! grep -q $'\033' "$box/raw" && holds "$box/out" "w1      default  live   echo, mail" || complain "workers: NO_COLOR"
on_terminal 50 status
holds "$box/out" "           work -" || complain "status: endpoints in a line that is too long"
for columns in 40 60 100; do
    on_terminal $columns jobs
    [ "$(LC_ALL=C.UTF-8 awk '{ print length ($0) }' "$box/out" | sort -n | tail -1)" -le "$columns" ] ||
        complain "jobs: wider than $columns columns"
done

# A reader that leaves is no error to talk about; a full disk is.
timeout 20 "$ringctl" watch sync --count 20 2>"$box/err" | head -1 >"$box/out"
[ "$(grep -vc watching "$box/err")" -eq 0 ] || complain "a closed pipe"
timeout 20 "$ringctl" status >/dev/full 2>"$box/err"
[ $? -eq 1 ] && holds "$box/err" "cannot write to stdout" || complain "a full disk"
timeout 20 "$ringctl" watch sync --count 20 >/dev/full 2>"$box/err"
[ $? -eq 1 ] && holds "$box/err" "cannot write to stdout" || complain "watch: a full disk"

# Nobody there: told after 10 s.
kill $master
wait $master 2>/dev/null
from=$SECONDS
timeout 20 "$ringctl" wait 1 >"$box/out" 2>"$box/err" &
waits=$!
timeout 60 "$ringctl" master remove 9 >"$box/changes" 2>&1 &
changes=$!
gives 3 "" "no master answered for 10 s (asked $RINGMASTER)" submit echo x
wait $waits
[ $? -eq 3 ] || complain "wait: without a master"
took=$((SECONDS - from))
[ $took -ge 9 ] && [ $took -le 13 ] || complain "it took $took s to find no master"
wait $changes
[ $? -eq 3 ] && grep -qF "no master answered for 30 s (asked $RINGMASTER)" "$box/changes" || complain "master remove: without a master"

[ $bad -eq 0 ] && echo "ringctl keeps to its word"
exit $bad
