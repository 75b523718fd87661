#!/usr/bin/env bash
# The name server, as a process: services register over UDP and TCP, are asked for over HTTP, expire, are known over a
# restart and a kill; damaged files, garbage, floods, stuck peers and 10,000 records do it no harm.
#   catalog.sh BIN_DIR CATALOG_SAY
set -u
bin=$1 say=$2
die () { echo "$*"; tail -n 5 "$box"/*.log; exit 1; }
# shellcheck source=tests/integration/box.sh
. "$(dirname "$0")/box.sh"

start () { # ARGUMENTS…: a server on free ports; $port, $server
    rm -f ready
    "$bin/ringcatalog" --port 0 "$@" >ready 2>>catalog.log &
    server=$!
    wait_for 60 grep -q '^ready catalog=127.0.0.1:[0-9]* http=http://127.0.0.1:[0-9]* tcp=tcp://127.0.0.1:[0-9]*$' ready
    port=$(sed 's/^ready catalog=127.0.0.1:\([0-9]*\) .*/\1/' ready)
}
stop () { # [SIGNAL]
    kill "-${1-TERM}" "$server"
    wait "$server" 2>/dev/null
    code=$?
}
udp () { printf '%s' "$1" >"/dev/udp/127.0.0.1/$port"; } # JSON
tcp () { printf '%s' "$1" >"/dev/tcp/127.0.0.1/$((port + 1))"; }
get () { # PATH: what comes, with its head
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
    timeout 20 cat <&3
    exec 3>&-
}
has () { get "$1" >got; grep -qF -- "$2" got; } # PATH WORDS
lacks () { ! has "$1" "$2" && grep -q '^HTTP/1.1 200' got; }
count () { get /query.json | grep -c '^{'; }
# A sanitizer keeps what was freed: its memory says nothing.
sanitized () { grep -qE "lib[at]san" "/proc/$server/maps"; }
memory_kib () { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"; }

# What is registered is there, with what the server knows better.
start --data records --max-rate 1000000
has /query.json '[]' || die "an empty catalog is not an empty array"
udp '{"type":"hashtable","owner":"me","port":1234,"project":"me-a4-test5","address":"1.2.3.4"}'
wait_for 20 has /query.json '"project":"me-a4-test5","address":"127.0.0.1"'
host=$(getent hosts 127.0.0.1 | awk '{ print $2 }')
grep -qE "\"lastheardfrom\":1[0-9]{9},\"name\":\"${host:-127.0.0.1}\"" got || die "it has neither time nor the name ${host-}: $(cat got)"
tcp '{"type":"second","port":5,"name":"over-tcp"}'
wait_for 20 has /query.json '"name":"over-tcp"'
echo '{"type":"third","port":6,"name":"compressed"}' | "$say" "$port" zip
wait_for 20 has /query.json '"name":"compressed"'
echo '{"type":"fourth","port":7,"name":"<compressed>"}' | "$say" "$port" zip tcp
wait_for 20 has /query.text 'name <compressed>'
[ "$(count)" = 4 ] || die "not four records: $(get /query.json)"
has / 'href="/detail/127.0.0.1:7:%3Ccompressed%3E">&#60;compressed&#62;</a>' || die "the page: $(cat got)"
has /by/port/down '<table>' || die "the sorted page: $(cat got)"
has '/detail/127.0.0.1:7:%3Ccompressed%3E' '<td>fourth</td>' || die "the detail: $(cat got)"
has /detail/127.0.0.1:8:nobody ' 404 ' || die "a service that is none: $(cat got)"
has /query/dHJ1ZQ== '"name":"over-tcp"' || die "a query with a filter: $(cat got)"

# A large one goes over TCP; one that says so is forgotten sooner.
{ printf '{"name":"large","port":8,"text":"%0900000d"}' 1; } >large
cat large >"/dev/tcp/127.0.0.1/$((port + 1))"
wait_for 20 has /query.json '"name":"large"'
udp '{"type":"test","port":9,"name":"brief","lifetime":2}'
wait_for 20 has /query.json '"name":"brief"'
wait_for 20 lacks /query.json '"name":"brief"'

# Known over a clean end, and over a kill a few seconds later; not beside a damaged file, which is put aside with a word.
stop
[ $code -eq 0 ] || die "exit code $code after SIGTERM"
start --data records --max-rate 1000000
[ "$(count)" = 5 ] || die "not five records after a restart: $(get /query.json)"
udp '{"type":"test","port":10,"name":"before-the-kill"}'
wait_for 30 grep -qs before-the-kill records/records
stop KILL
start --data records --max-rate 1000000
[ "$(count)" = 6 ] || die "not six records after a kill: $(get /query.json)"
stop
printf 'x' | dd of=records/records bs=1 seek=100 conv=notrunc 2>/dev/null
start --data records --max-rate 1000000
[ "$(count)" = 0 ] || die "a damaged file was believed"
grep -q 'event=records_damaged .*checksum.*put aside as records/records.damaged' catalog.log || die "not a word of the damage"
timeout 20 "$bin/ringcatalog" --port 0 --data records 2>err && die "a folder that another one has"
grep -q 'another ringcatalog has the folder records: give this one another --data' err || die "said: $(cat err)"
[ -s records/records.damaged ] || die "the damaged file is gone"

# Garbage, a bomb and stuck connections: it lives, others are heard, and it says what it refused.
"$say" "$port" garbage 3000 1
"$say" "$port" bomb
"$say" "$port" stuck 40 &
stuck=$!
wait_for 30 eval "udp '{\"type\":\"test\",\"port\":11,\"name\":\"beside\"}'; has /query.json '\"name\":\"beside\"'"
wait "$stuck" || die "a stuck connection"
wait_for 20 eval "tcp '{\"type\":\"test\",\"port\":12,\"name\":\"behind\"}'; has /query.json '\"name\":\"behind\"'"
wait_for 20 grep -q 'event=refused updates=.*why=' catalog.log

# 10,000 records, and no more than that of one address; what is said of the time is what a loaded machine may take.
until [ "$(count)" -ge 10000 ]; do
    [ $SECONDS -lt 200 ] || die "only $(count) records"
    "$say" "$port" many 12000
done
[ "$(count)" = 10000 ] || die "$(count) records of one address"
for path in /query.json /query.text / /by/port; do
    "$say" "$port" ask "$path" 50 >asked || die "no answer from $path"
    echo "$path of 10000 records: $(cat asked)"
    awk -F '[= ]' '{ exit !($4 < 2000) }' asked || die "too slow: $(cat asked)"
done
kib=$(memory_kib)
echo "at most $((kib / 1024)) MiB of memory"
[ "$kib" -lt $((200 * 1024)) ] || sanitized || die "$kib KiB of memory"
stop
[ $code -eq 0 ] || die "exit code $code after SIGTERM"

# Without --max-rate: a flood is held down to a few thousand in these seconds.
start
"$say" "$port" many 10000
wait_for 20 grep -q 'why="its address sends too often"' catalog.log
[ "$(count)" -lt 9000 ] || die "a flood came through: $(count)"

# What cannot be: words and codes.
"$bin/ringcatalog" --port "$port" 2>err && die "two servers on one port"
grep -q "port $port on 127.0.0.1 is in use" err || die "not said: $(cat err)"
"$bin/ringcatalog" --port 0 --data "$box/ready" 2>err && die "a file as --data"
grep -q "cannot" err || die "not said: $(cat err)"
"$bin/ringcatalog" --port 65535 2>err
[ $? -eq 2 ] || die "port 65535 has no next one: $(cat err)"
stop INT
[ $code -eq 0 ] || die "exit code $code after SIGINT"
echo "the name server knows what it should"
