#!/usr/bin/env bash
# A whole cluster that is found by its project's name, with free ports everywhere: masters and workers say where they are at
# two catalogs, one of which is away; ringctl and workers find them there; a master that moved is found where it is now.
#   catalog_found.sh BIN_DIR
set -u
bin=$1
die () { echo "$*"; tail -n 5 "$box"/*.log; exit 1; }
# shellcheck source=tests/integration/box.sh
. "$(dirname "$0")/box.sh"
unset RINGMASTER CATALOG_HOST CATALOG_PORT
export LC_ALL=C

get () { # PATH
    exec 3<>"/dev/tcp/127.0.0.1/${CATALOG_HOST##*:}"
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
    timeout 20 cat <&3
    exec 3>&-
}
knows () { get /query.json | grep "\"type\":\"$1\",\"project\":\"$2\"" | grep -qE -- "$3"; } # TYPE PROJECT PATTERN
refused () { # CODE WORDS COMMAND…
    local code=$1 words=$2 err=err.$BASHPID
    shift 2
    timeout 60 "$@" >/dev/null 2>"$err"
    [ $? -eq "$code" ] || die "$*: not exit code $code: $(cat "$err")"
    grep -qF -- "$words" "$err" || die "$*: '$(cat "$err")' does not say '$words'"
}
start_master () {
    : >master.ready
    "$bin/ringmaster" --data data --port 0 --project thumbs >master.ready 2>>master.log &
    master=$!
    wait_for 60 grep -q ^ready master.ready
}

"$bin/ringcatalog" --port 0 >catalog.ready 2>catalog.log &
wait_for 60 grep -q ^ready catalog.ready
CATALOG_HOST=127.0.0.1:1,$(sed 's/^ready catalog=\([^ ]*\) .*/\1/' catalog.ready)
export CATALOG_HOST

# A worker may begin before its master.
"$bin/ringworker" --project thumbs --name w1 --queue shout='exec:tr a-z A-Z' >worker.ready 2>worker.log &
worker=$!
start_master
jobs=$(sed 's/^ready jobs=tcp:\/\/127.0.0.1:\([0-9]*\) .*/\1/' master.ready)
wait_for 60 knows ringmaster thumbs "\"port\":$jobs,\"version\":\"[0-9.]*\",\"address\":\"127.0.0.1\""
wait_for 60 grep -q '^ready name=w1' worker.ready
wait_for 60 knows ringworker thumbs '"name":"w1",.*"port":0'
[ "$(timeout 60 "$bin/ringctl" --project thumbs submit shout hello --wait)" = HELLO ] || die "no job by the project's name"
[ "$(CATALOG_HOST=x timeout 60 "$bin/ringctl" --project thumbs --catalog "$CATALOG_HOST" submit shout hi --wait)" = HI ] || die "--catalog"

# Killed, it is at another port afterwards; its old record is there for a while, and misleads nobody.
kill -9 "$master"
wait "$master" 2>/dev/null
start_master
moved=$(sed 's/^ready jobs=tcp:\/\/127.0.0.1:\([0-9]*\) .*/\1/' master.ready)
wait_for 60 knows ringmaster thumbs "\"port\":$moved,"
timeout 60 "$bin/ringctl" --project thumbs queues | grep -q shout || die "not found where it is now"

# Its worker, which knew the old port, has looked for it as well.
[ "$(timeout 120 "$bin/ringctl" --project thumbs submit shout again --wait)" = AGAIN ] || die "the worker did not find it"
grep -q 'event=found worker=w1 project=thumbs' worker.log || die "not a word of it"

# Who leaves says so.
kill "$worker" "$master"
wait "$worker" "$master"
wait_for 60 eval "! knows ringmaster thumbs '\"port\":$moved,'"

# Words and codes; two of them take ten seconds.
(refused 3 "no ringmaster of the project 'nobody' was known" "$bin/ringctl" --project nobody status) &
unknown=$!
(refused 3 "no catalog answered" "$bin/ringworker" --project thumbs --catalog 127.0.0.1:1 --queue a=builtin:echo) &
unreachable=$!
refused 2 "is not a catalog" "$bin/ringctl" --project thumbs --catalog 'a b' status
refused 2 "--master and --project" "$bin/ringctl" --project thumbs --master 127.0.0.1:1 status
refused 2 "--master and --project" "$bin/ringworker" --project thumbs --master 127.0.0.1:1 --queue a=builtin:echo
refused 2 "--catalog needs --project" "$bin/ringmaster" --data other --catalog 127.0.0.1
unset CATALOG_HOST
refused 2 "no catalog is said" "$bin/ringmaster" --data other --project thumbs
refused 2 "no catalog is said" "$bin/ringctl" --project thumbs status
wait "$unknown" || exit 1
wait "$unreachable" || exit 1
echo "found by its name"
