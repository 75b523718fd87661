#!/usr/bin/env bash
# ringctl map beside GNU parallel: the same commands, output, exit codes, job logs and files. Exit 77 without parallel.
#   map.sh BIN
set -u
export LC_ALL=C
bin=$1
command -v parallel >/dev/null && parallel --version 2>/dev/null | grep -q GNU || exit 77
# In memory, if there is room: a master stops when its disk takes two seconds to write, as a shared one may.
[ -n "${TMPDIR-}" ] || { [ -w /dev/shm ] && export TMPDIR=/dev/shm; }
box=$(mktemp -d) || exit 1
export PATH=$bin:$PATH HOME=$box TMPDIR=$box # parallel keeps what it knows of itself at home
cd "$box" || exit 1
mkdir .parallel && touch .parallel/will-cite
bad=0

ringmaster --data "$box/data" --port 0 >ready 2>master.log &
master=$! worker=
trap 'kill $worker $master 2>/dev/null; wait; rm -rf "$box"' EXIT
touch ready
for _ in {1..600}; do
    grep -q '^ready' ready && break
    sleep 0.05
done
RINGMASTER=$(sed -n 's/^ready jobs=\([^ ]*\).*/\1/p' ready)
[ -n "$RINGMASTER" ] || { echo "the master did not start"; cat master.log; exit 1; }
export RINGMASTER
ringworker --shell --threads 4 >/dev/null 2>worker.log &
worker=$!

complain () {
    echo "$*"
    bad=1
}

# same ARGUMENTS…: both print the same on stdout and stderr, and end the same, but that 2, 3 and 4 failures are 1.
same () {
    local code expected
    timeout 60 parallel -k "$@" >out.p 2>err.p <in
    expected=$?
    timeout 60 ringctl map -k "$@" >out.m 2>err.m <in
    code=$?
    [ $expected -ge 2 ] && [ $expected -le 4 ] && expected=1
    cmp -s out.p out.m || { complain "map $*: another stdout"; diff out.p out.m; }
    cmp -s err.p err.m || { complain "map $*: another stderr"; diff err.p err.m; }
    [ $code = $expected ] || complain "map $*: exit code $code, not $expected"
}

# The log in the order of the arguments, without what is not the same twice.
log () {
    head -n 1 "$1"
    tail -n +2 "$1" | sort -n | cut -f 1,5-
}

printf 'one\n\ntwo words\n' >in
seq 5 >five
awkward=("a b/c d.txt" "it's" '' '~x' '#x' -x 'äö' a.b.c /x x/ 'a=b,c:d@e%f+g' '\' '"$`!*?[]{}()<>|&;^' .bashrc / . ..
    x..y "'" "x'" "a''b" $'t\tt' -n)

# Commands.
same --dry-run echo {} {.} {/} {//} {/.} {#} ::: "${awkward[@]}"
same printf '%s\\n' ::: "${awkward[@]}"
same 'echo {}; echo e{} >&2' ::: a 'b c'
same echo {1} {2} {} {1/} {2.} {-1} ::: a/x.y b ::: 1.z 2
same echo {3} ::: a ::: b
same echo :::: five
same echo {} ::: a b :::: five
same echo x
same "echo 'x {}' \"{}\"" ::: 'a b'
same ::: 'echo hi; exit 7' 'ls /'
same cat {} ::: five /no/such
same wc -c :::: five # an option of the command is not ours
printf 'a b\0c\nd' >in
same --null printf '[%s]' 

# Output.
same --tag 'echo {}; echo two; echo err >&2' ::: a b
same --tag 'printf abc' ::: a
same --tag echo {1} {2} ::: a b ::: x 'y z'
same 'printf %s {}; head -c 3000000 /dev/zero | tr "\0" {}' ::: a b
same --tag 'yes {} | head -n 800000' ::: a b

# Exit codes.
same false ::: a
same false ::: a b c
same 'test {} -gt 3' :::: five
seq 130 >in
same false
same 'kill -9 $$ #' ::: a

# Logs and files.
printf '' >in
parallel --joblog log.p --results res.p 'echo {}; echo e{} >&2; exit {}' ::: 0 1 2
timeout 60 ringctl map --joblog log.m --results res.m 'echo {}; echo e{} >&2; exit {}' ::: 0 1 2 >out.m
[ -s out.m ] && complain "with --results something is printed"
diff <(log log.p) <(log log.m) || complain "another job log"
awk -F '\t' 'NR > 1 && ($3 !~ /^[0-9]+\.[0-9][0-9][0-9]$/ || length ($4) != 10) { exit 1 }' log.m || complain "other times in the log"
diff -r res.p res.m || complain "other results"
parallel --results deep.p echo {1} {2} ::: a/b 'c\d' $'t\tt' ::: x 'y z'
timeout 60 ringctl map --results deep.m echo {1} {2} ::: a/b 'c\d' $'t\tt' ::: x 'y z'
diff -r deep.p deep.m || complain "results in other places"

# Tries, timeouts, halts.
tries='n=$(cat tries.{} 2>/dev/null || echo 0); n=$((n + 1)); echo $n >tries.{}; echo $n; [ $n -ge {} ]'
parallel -k --retries 3 --joblog log.p "$tries" ::: 1 2 5 >out.p
code=$?
rm -f tries.*
timeout 60 ringctl map -k --retries 3 --joblog log.m "$tries" ::: 1 2 5 >out.m
[ $? = $code ] || complain "--retries: another exit code"
diff out.p out.m && diff <(log log.p) <(log log.m) || complain "--retries does something else"
parallel -k --timeout 2 --joblog log.p 'echo start; sleep {}; echo end' ::: 0 60 >out.p 2>/dev/null
timeout 60 ringctl map -k --timeout 2 --joblog log.m 'echo start; sleep {}; echo end' ::: 0 60 >out.m
diff out.p out.m && diff <(log log.p) <(log log.m) || complain "--timeout does something else"
for halt in now,fail=1 soon,fail=1 now,success=1 soon,done=2 never; do
    parallel -k -j1 --halt $halt --joblog log.p 'echo {}; exit {}' ::: 7 0 8 9 >out.p 2>/dev/null
    code=$?
    timeout 60 ringctl map -k --jobs 1 --halt $halt --joblog log.m 'echo {}; exit {}' ::: 7 0 8 9 >out.m 2>/dev/null
    got=$?
    [ $code -ge 2 ] && [ $code -le 4 ] && code=1
    [ $got = $code ] || complain "--halt $halt: exit code $got, not $code"
    diff out.p out.m || complain "--halt $halt: another output"
    diff <(log log.p) <(log log.m) || complain "--halt $halt: another log"
done

# At most so many at a time; one at a time of a key, in order.
timeout 60 ringctl map --jobs 2 'echo + >>at-a-time; sleep 0.05; echo - >>at-a-time' ::: 1 2 3 4 5 6 7 8
awk '{ n += $1 == "+" ? 1 : -1 } n > 2 { exit 1 }' at-a-time || complain "--jobs 2: more than two at a time"
timeout 60 ringctl map --key {1} 'echo {2} >>key.{1}' ::: a b ::: 1 2 3 4 5
diff <(seq 5) key.a && diff <(seq 5) key.b || complain "--key: another order"

# A run of its own, without this master: nothing of it is left.
[ "$(RINGMASTER=127.0.0.1:1 timeout 60 ringctl map --local 2 -k echo ::: a b)" = $'a\nb' ] || complain "--local: another output"
[ ! -e .ringmap ] || complain "--local leaves .ringmap behind"

# Interrupted, nothing of it is left either; a run with a name keeps what it needs to go on.
gone () {
    ! pgrep -f "$box/.ringmap" >/dev/null && ! pgrep -f "^sleep 98765" >/dev/null
}
interrupted () { # SIGNAL CODE OPTIONS…
    local signal=$1 code=$2 client got
    shift 2
    rm -f begun
    ringctl map --local 2 "$@" 'echo >>begun; sleep 98765 #' ::: a b c d >/dev/null 2>err.m &
    client=$!
    for _ in {1..1200}; do
        [ -e begun ] && [ "$(wc -l <begun)" = 2 ] && break
        sleep 0.05
    done
    kill -"$signal" $client
    wait $client
    got=$?
    [ $got = "$code" ] || complain "SIG$signal: exit code $got, not $code"
    for _ in {1..200}; do
        gone && break
        sleep 0.05
    done
    gone || complain "SIG$signal: something is left"
}
interrupted INT 130
[ ! -e .ringmap ] || complain "SIGINT: .ringmap is left"
interrupted TERM 143 --name kept
grep -q '4 of 4 commands are left; the same command again goes on' err.m || complain "SIGTERM: it is not said how to go on"
[ -s .ringmap/kept/journal ] || complain "SIGTERM: there is no journal"
interrupted KILL 137 --name killed
rm -rf .ringmap

# Halted at once, what runs is ended, too.
timeout 60 ringctl map --local 2 --halt now,fail=1 'test {} = a && exit 1; sleep 98765' ::: a b >/dev/null 2>err.m
[ $? = 1 ] && grep -q "this command failed, and no more are started: test a = a" err.m || complain "--halt now does not end it"
for _ in {1..200}; do
    gone && break
    sleep 0.05
done
gone || complain "--halt now: something is left"

# A pool's commands are stopped at its workers when nobody wants them any more; those of a run with a name are wanted.
pooled () { # HOW OPTIONS…
    local how=$1 client
    shift
    rm -f begun
    ringctl map "$@" 'test {} = a && sleep 0.5 && exit 1; echo >>begun; sleep 98765' ::: b c a >/dev/null 2>err.m &
    client=$!
    for _ in {1..1200}; do
        [ -e begun ] && [ "$(wc -l <begun)" = 2 ] && break
        sleep 0.05
    done
    [ "$how" = halt ] || kill -"$how" $client
    wait $client
    for _ in {1..200}; do
        pgrep -f "^sleep 98765" >/dev/null || return 0
        sleep 0.05
    done
    return 1
}
pooled halt --halt now,fail=1 || complain "--halt now: a pool's commands run on"
pooled INT || complain "SIGINT: a pool's commands run on"
pooled INT --name wanted && complain "SIGINT: the commands of a run with a name are stopped"
pkill -f "^sleep 98765"

# Wrong usage, in one sentence.
refused () {
    timeout 60 ringctl map "$@" >out.m 2>err.m <in
    [ $? = 2 ] && [ ! -s out.m ] && [ "$(wc -l <err.m)" = 1 ] || { complain "map $*: is not refused"; cat out.m err.m; }
}
refused --halt sometimes echo ::: a
refused --halt now,fail=0 echo ::: a
refused --timeout 0 echo ::: a
refused --timeout x echo ::: a
refused --jobs 0 echo ::: a
refused --name a/b echo ::: a
refused --json echo ::: a
refused --local 2 --master 127.0.0.1:1 echo ::: a
refused echo :::: no-such-file
refused ::: ''

# A word that sounds like an option of ours, behind the command, is not.
[ "$(timeout 60 ringctl map echo --jobs ::: a)" = "--jobs a" ] || complain "an option behind the command is taken for ours"
# Progress is on stderr, and says how it ended.
timeout 60 ringctl map --bar 'exit {}' ::: 0 1 2>err.m >out.m
grep -q '100% 2/2, 1 failed' err.m || complain "--bar does not say how it ended"
timeout 60 ringctl map --jobs 1 --eta 'sleep {}' ::: 0.6 0.6 0.6 2>err.m >out.m
grep -q '2/3, .* left' err.m && grep -q '100% 3/3' err.m || complain "--eta does not say how long it may take: $(cat err.m)"
exit $bad
