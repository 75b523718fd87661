#!/usr/bin/env bash
# The hash table of the examples, found by name: its requests, several clients in turn, two projects, and what testperf prints.
#
#   examples_hashtable.sh BIN
set -u
bin=$1
. "$(dirname "$0")/box.sh"
die () { echo "examples_hashtable: $*" >&2; tail -n 20 ./*.out ./*.err >&2 2>/dev/null; exit 1; }

port=$(free_ports 2)
export CATALOG_HOST=127.0.0.1:$port
"$bin/ringcatalog" --port "$port" >catalog.out 2>catalog.err &
wait_for 20 grep -q '^ready' catalog.out
for project in one two; do
    "$bin/hashtable_server" $project --verbose $([ $project = two ] && echo --mode pool) >$project.out 2>$project.err &
    wait_for 20 grep -q '^ready' $project.out
done

is () { # EXPECTED ARGUMENT…
    local expected=$1 got
    shift
    got=$("$bin/hashtable" "$@") || die "hashtable $*: exit $?"
    [ "$got" = "$expected" ] || die "hashtable $*: $got instead of $expected"
}
fails () { # CODE PATTERN ARGUMENT…
    local code=$1 pattern=$2
    shift 2
    timeout 60 "$bin/hashtable" "$@" >fails.out 2>fails.err
    [ $? = "$code" ] && grep -q "$pattern" fails.err || die "hashtable $*: not exit $code with $pattern"
}

is '' one insert colour blue
is '' one insert colour red
is '' one insert column left
is red one lookup colour
is 2 one size
is 0 two size
is $'colour\tred\ncolumn\tleft' one query col
is '' one query x
is red one remove colour
fails 1 'there is no key colour' one lookup colour
fails 1 'there is no key colour' one remove colour
fails 3 three three size
fails 2 Usage one insert colour

# Clients in turn: 4 processes at a time, none of whose requests is lost.
for i in 1 2 3 4; do
    (for n in 1 2 3 4 5; do "$bin/hashtable" one insert "client$i-$n" x || exit 1; done) &
    pids[i]=$!
done
for i in 1 2 3 4; do
    wait "${pids[i]}" || die "client $i failed"
done
is 21 one size
[ "$(grep -c ' insert client' one.out)" -ge 20 ] || die "the server did not print the requests"

"$bin/testperf" two --seconds 0.1 --clients 4 --svg perf.svg >perf.out 2>perf.err || die "testperf failed"
grep -qE '^ +1 +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ ' perf.out || die "testperf printed no row"
grep -q '^<svg' perf.svg && grep -q '</svg>' perf.svg || die "testperf drew nothing"
echo "examples_hashtable: ok"
