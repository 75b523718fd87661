#!/usr/bin/env bash
# Bad input, as a user meets it: one sentence on stderr that says what happened, to what and what to do, the exit code that
# belongs to it, no crash, and nothing lost.
#   bad.sh CASE BIN-DIR
set -u
case=$1 bin=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

# What is wrong about a command line is told at once, without a master.
case_option () {
    gives 2 "ringmaster: --data DIR is needed" ringmaster
    gives 2 "ringmaster: --data DIR is needed" ringmaster --data ''
    gives 2 "ringmaster: --data needs a value, DIR" ringmaster --data
    gives 2 "ringmaster: --colour is not an option" ringmaster --data d --colour
    gives 2 "ringmaster: --dat is not an option (did you mean --data?)" ringmaster --dat d
    gives 2 "ringmaster: --port must be a number from 0 to 65531, not 'x'" ringmaster --data d --port x
    gives 2 "ringmaster: --port must be a number from 0 to 65531, not '65532'" ringmaster --data d --port 65532
    gives 2 "ringmaster: --max-payload must be a number from 1 to 16777216, not '0'" ringmaster --data d --max-payload 0
    gives 2 "ringmaster: 'more' is one argument too many" ringmaster --data d more
    gives 2 "bind to 127.0.0.1, or say --insecure" ringmaster --data d --bind 0.0.0.0
    gives 2 "bind to 127.0.0.1, or say --insecure" ringmaster --data d --bind ::
    gives 2 "ringmaster: 'no host' is not a host: give a name or an address" ringmaster --data d --bind 'no host'
    gives 2 "ringmaster: --port 5550 needs 1=127.0.0.1:5554 in --peers, not 1=127.0.0.1:5550: --peers has the raft port of each master, that is its base plus 4" \
        ringmaster --data d --port 5550 --id 1 --peers 1=127.0.0.1:5550,2=127.0.0.1:6550
    gives 2 "ringmaster: --port 0 takes free ports, and 2=127.0.0.1:6554 in --peers is where others look for this master: leave --port out" \
        ringmaster --data d --port 0 --id 2 --peers 1=127.0.0.1:5554,2=127.0.0.1:6554
    gives 2 "ringmaster: --peers: '127.0.0.1:4' has no raft port: that is a master's base port plus 4, and so 5 or more" \
        ringmaster --data d --id 1 --peers 1=127.0.0.1:4
    gives 2 "ringmaster: --peers: '127.0.0.1' is not where a master is: write HOST:PORT with its raft port" \
        ringmaster --data d --id 1 --peers 1=127.0.0.1
    gives 2 "ringmaster: --peers names 127.0.0.1:5554 twice" \
        ringmaster --data d --id 1 --peers 1=127.0.0.1:5554,2=127.0.0.1:5554
    gives 2 "ringmaster: --peers does not name master 3, which --id says this one is" \
        ringmaster --data d --id 3 --peers 1=127.0.0.1:5554
    gives 2 "ringmaster: 10.0.0.2 is not on this machine: masters of several machines need one --secret FILE" \
        ringmaster --data d --id 1 --peers 1=127.0.0.1:5554,2=10.0.0.2:5554
    gives 2 "ringctl master: '127.0.0.1:4' has no raft port" ringctl master add 4 127.0.0.1:4
    gives 2 "ringctl master: 'm4' is not where a master is: write HOST:PORT with its raft port" ringctl master add 4 m4
    gives 2 "ringworker: --colour is not an option" ringworker --queue q=builtin:echo --colour
    gives 2 "ringworker: --queue needs a value, NAME=HANDLER" ringworker --queue
    gives 2 "ringctl: 'fly' is not a command" ringctl fly
    gives 2 "ringctl submit: --tries must be a number from 1" ringctl submit q x --tries 0
    [ ! -e "$box/d" ] || complain "a refused command line made a data directory"
}

case_worker () {
    gives 2 "there is nothing to serve: give it --queue NAME=HANDLER" ringworker
    gives 2 "--queue takes NAME=HANDLER, not 'q'" ringworker --queue q
    gives 2 "'builtin:dance' is not a handler: builtin:echo, builtin:sleep, builtin:fail, exec:COMMAND and shell are" \
        ringworker --queue q=builtin:dance
    gives 2 "'' is not a handler" ringworker --queue q=
    gives 2 "'exec:' is not a handler" ringworker --queue q=exec:
    gives 2 "queue q is served already: a queue has one handler" ringworker --queue q=builtin:echo --queue q=builtin:fail
    for threads in 0 1025 -1 many 1e3 ''; do
        gives 2 "--threads must be a number from 1 to 1024, not '$threads'" ringworker --queue q=builtin:echo \
            --threads "$threads"
    done
    gives 2 "the name 'a b' is not allowed: 1 to 128 printable characters" ringworker --queue q=builtin:echo --name 'a b'
    gives 2 "the pool '' is not allowed: 1 to 128 printable characters" ringworker --queue q=builtin:echo --pool ''
}

case_name () {
    local long at_most
    at_most=$(printf 'q%.0s' {1..128})
    long=${at_most}q
    for name in '' "$long" 'two words' 'a/b' 'a"b' $'tab\tbed' $'caf\xc3\xa9'; do
        gives 2 "the queue's name must be 1 to 128 printable characters" ringctl submit "$name" x
        gives 2 "is not allowed: 1 to 128 printable characters" ringworker --queue "$name=builtin:echo"
    done
    gives 2 "a queue's name has 1 to 128 bytes" ringctl jobs --queue "$long"
    gives 2 "a worker's name is 1 to 128 printable characters" ringctl drain "$long"
    start_master
    start_worker --queue "$at_most=builtin:echo"
    [ "$(ringctl submit "$at_most" 'as long as may be' --wait)" = 'as long as may be' ] || complain "a name of 128 bytes"
}

case_environment () {
    local point
    point=$(ringmaster --list-failpoints | head -1)
    export RM_FAILPOINTS
    for RM_FAILPOINTS in nonsense "$point=explode" "$point=delay:soon" "$point=kill@0" "$point=kill@" ','; do
        gives 2 "ringmaster: RM_FAILPOINTS has '${RM_FAILPOINTS%,}': write NAME=kill, NAME=stop or NAME=delay:MS" \
            ringmaster --data d
        gives 2 "ringworker: RM_FAILPOINTS " ringworker --queue q=builtin:echo
    done
    RM_FAILPOINTS=no.such.point=kill
    gives 2 "ringmaster: RM_FAILPOINTS names 'no.such.point', which is no fail point (see --list-failpoints)" \
        ringmaster --data d
    gives 2 "ringworker: RM_FAILPOINTS names 'no.such.point', which is no fail point (see --list-failpoints)" \
        ringworker --queue q=builtin:echo
    unset RM_FAILPOINTS
    export RINGMASTER
    for RINGMASTER in nowhere udp://127.0.0.1:1 127.0.0.1 127.0.0.1:0 127.0.0.1:65536 ::1:5550 ',' tcp://:5550; do
        gives 2 "ringctl status: \$RINGMASTER '$RINGMASTER': " ringctl status
        gives 2 "ringworker: \$RINGMASTER '$RINGMASTER': " ringworker --queue q=builtin:echo
        gives 2 "ringctl status: --master '$RINGMASTER': " ringctl status --master "$RINGMASTER"
        gives 2 "ringworker: --master '$RINGMASTER': " ringworker --queue q=builtin:echo --master "$RINGMASTER"
    done
    [ ! -e "$box/d" ] || complain "a refused environment made a data directory"
}

case_payload () {
    start_master --max-payload 1000 --max-result 1000
    start_worker --queue echo=builtin:echo --queue talk='exec:head -c $(cat) /dev/zero'
    keep 20
    gives 4 "the payload of 1001 bytes for the queue echo is over the limit of 1000: send less, or raise the master's" \
        ringctl submit echo "$(printf 'x%.0s' {1..1001})"
    gives 4 "the key has 1025 bytes, at most 1024 are allowed" ringctl submit echo x --key "$(printf 'k%.0s' {1..1025})"
    head -c 17000000 /dev/zero | ringctl submit echo >"$box/out" 2>"$box/err"
    [ "${PIPESTATUS[1]}" -eq 4 ] && grep -q 'the payload on stdin has more than 16777216 bytes' "$box/err" ||
        complain "17 MB on stdin"
    ringctl submit echo <"$box" >"$box/out" 2>"$box/err"
    [ $? -eq 2 ] && grep -q 'cannot read the payload from stdin: Is a directory' "$box/err" || complain "a folder on stdin"
    [ "$(ringctl submit echo "$(printf 'x%.0s' {1..1000})" --wait | wc -c)" -eq 1000 ] || complain "1000 bytes"
    [ "$(ringctl submit talk 1000 --wait | wc -c)" -eq 1000 ] || complain "a result of 1000 bytes"
    gives 1 "is dead: the command wrote more than the 1000 bytes a result may have" ringctl submit talk 1001 --wait
    kept
}

case_unknown () {
    start_master
    gives 4 "no job 7 was ever accepted" ringctl wait 7
    gives 4 "no job 7 was ever accepted" ringctl why 7
    gives 4 "no worker w9 is joined: ringctl workers lists those that are" ringctl drain w9
    gives 2 "'moon' cannot be watched, only sync and jobs can" ringctl watch moon
    for id in 0 -1 seven 18446744073709551616 1.5; do
        gives 2 "'$id' is not a job's id, which is a number from 1" ringctl wait -- "$id"
    done
}

# What is no text, or would be an order to a terminal, where text is shown.
case_text () {
    local id
    start_master
    start_worker --name 'a\b' --queue say='exec:cat >&2; exit 1'
    printf 'caf\303 \377 \033[31m' | ringctl submit say --wait >"$box/out" 2>"$box/err"
    [ $? -eq 1 ] && [ ! -s "$box/out" ] && grep -q 'is dead: caf. . ?\[31m$' "$box/err" || complain "a reason that is no text"
    for id in 1 --json\ 1; do
        # shellcheck disable=SC2086
        ringctl why $id >"$box/out" 2>"$box/err" || complain "why $id"
        grep -q 'Job 1 is dead after 1 failure and 0 crashes: caf? ? ' "$box/out" || complain "why $id does not say the reason"
    done
    ringctl submit lonely --key "$(printf 'k\001\377')" x >"$box/out" 2>"$box/err"
    ringctl jobs --queue lonely >"$box/out" 2>"$box/err" && grep -q '2  lonely' "$box/out" || complain "a key that is no text"
    ! grep -q "$(printf '[\001\033\377]')" "$box/out" "$box/err" || complain "bytes for a terminal"
    ringctl drain 'a\b' >"$box/out" 2>"$box/err" && grep -qxF 'a\b is leaving' "$box/out" || complain "a backslash in a name"
}

# Nobody is there: everyone says so after 10 s, where it has looked and what to do.
case_unreachable () {
    local at=127.0.0.1:1 from=$SECONDS programs=() i
    set -- "ringctl status" "ringctl submit q x" "ringctl submit q x --wait" "ringctl wait 1" "ringctl watch sync" \
        "ringworker --queue q=builtin:echo"
    for i in $(seq $#); do
        # shellcheck disable=SC2086
        RINGMASTER=$at timeout 30 ${!i} >"$box/$i.out" 2>"$box/$i.err" </dev/null &
        programs+=($!)
    done
    for i in $(seq $#); do
        wait "${programs[i - 1]}"
        local got=$?
        cp "$box/$i.out" "$box/out"
        grep -v '^ts=' "$box/$i.err" >"$box/err"
        [ $got -eq 3 ] || complain "${!i}: exit code $got, not 3"
        [ "$(wc -l <"$box/err")" -eq 1 ] || complain "${!i}: not one sentence"
        grep -q "no master .*answered for 10 s.*; start one, or say with --master or \$RINGMASTER where it is" "$box/err" &&
            grep -q "127.0.0.1:1" "$box/err" || complain "${!i}: not what to do"
        [ ! -s "$box/out" ] || complain "${!i}: something on stdout"
    done
    [ $((SECONDS - from)) -ge 9 ] && [ $((SECONDS - from)) -le 14 ] || complain "it took $((SECONDS - from)) s, not 10"
}

case_directory () {
    echo hello >"$box/file"
    gives 1 "data directory file is not a directory; give --data one that is, or that can be made" ringmaster --data file
    gives 1 "cannot create data directory file/d: Not a directory" ringmaster --data file/d
    gives 1 "cannot create data directory no/d: No such file or directory; create what it stands in first" \
        ringmaster --data no/d
    gives 1 "cannot use data directory no: No such file or directory; check its spelling" ringmaster --data no --repair
    gives 1 "data directory file is not a directory" ringmaster --data file --repair
    [ "$(cat "$box/file")" = hello ] || complain "the file was changed"
    mkdir "$box/locked" "$box/closed"
    chmod 0500 "$box/locked"
    chmod 0 "$box/closed"
    as_nobody 1 "cannot use data directory locked: Permission denied; let this user read and write it" --data locked
    as_nobody 1 "cannot use data directory closed: Permission denied; let this user read and write it" --data closed
    as_nobody 1 "cannot create data directory locked/d: Permission denied; let this user" --data locked/d
    [ -z "$(find "$box/locked" "$box/closed" -mindepth 1)" ] || complain "something was written to a directory that was refused"
    start_master
    start_worker --queue echo=builtin:echo
    keep 20
    gives 1 "data directory data is in use by another master (pid $master); stop that one, or give --data another" \
        ringmaster --data data --port 0
    gives 1 "data directory data is in use by another master (pid $master)" ringmaster --data data --repair
    kept
}

case_port () {
    local name named port i=0
    start_master
    start_worker --queue echo=builtin:echo
    keep 20
    for name in jobs work sync http; do
        port=$(sed -n "s|.* $name=[a-z]*://127.0.0.1:\([0-9]*\).*|\1|p" "$box/ready")
        [ -n "$port" ] || complain "no port of $name in the ready line"
        gives 1 " is in use: stop what uses it or choose another port" ringmaster --data other --port $((port - i))
        # The one that was taken, or one below it that somebody else on this machine took meanwhile.
        named=$(sed -n 's/^ringmaster: port \([0-9]*\) on 127.0.0.1 is in use: .*/\1/p' "$box/err")
        [ "${named:-0}" -ge $((port - i)) ] && [ "$named" -le "$port" ] || complain "$name: which port is in use"
        i=$((i + 1))
    done
    gives 1 "192.0.2.1 is not an address of this machine: give --bind one that is" \
        ringmaster --data other --bind 192.0.2.1 --insecure
    kept
}

# A queue belongs to one pool; a worker that does not serve all queues of its pool makes keyed jobs wait for it.
case_pool () {
    start_master
    start_worker --queue echo=builtin:echo --name w1
    gives 4 "the queue echo belongs to the pool default: give the worker --pool default" \
        ringworker --queue echo=builtin:echo --pool other
    start_worker --queue greet=builtin:echo --name w2
    grep -q 'level=warn event=mixed_pool pool=default worker=w2 queue=greet not_served_by=w1 advice=' "$box/master.log" ||
        complain "the master does not warn of the mixed pool"
    settle
    local key=0
    while ringctl why "$(ringctl submit greet x --key $key)" | grep -qv 'w1 owns slot'; do
        key=$((key + 1))
        [ $key -lt 100 ] || complain "no key of 100 belongs to w1"
    done
    # The job that the loop has left waits for w1, and the next one of its key for that one; both are told at a time.
    local first
    first=$(ringctl jobs --queue greet --limit 1 --json | sed 's/.*"id":\([0-9]*\).*/\1/')
    timeout 5 ringctl submit greet x --key $key --wait >"$box/second.out" 2>"$box/second.err" &
    timeout 5 ringctl wait "$first" >"$box/out" 2>"$box/err"
    wait $!
    grep -qx "ringctl: note: job $first waits: w1 owns slot [0-9]* but does not serve the queue greet yet" "$box/err" &&
        [ "$(wc -l <"$box/err")" -eq 1 ] || complain "the note does not name the worker"
    mv "$box/second.out" "$box/out"
    mv "$box/second.err" "$box/err"
    grep -qx "ringctl: note: job [0-9]* waits for job $first, which has the same key and came before it" "$box/err" &&
        [ "$(wc -l <"$box/err")" -eq 1 ] || complain "the note does not name the job before it"
}

case_ledger () {
    . "$here/ledger.sh"
    damage_all
}

cd "$box" || exit 1
"case_$case"
[ $bad -eq 0 ] && echo "bad $case: told, and nothing lost"
exit $bad
