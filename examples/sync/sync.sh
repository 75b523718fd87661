#!/usr/bin/env bash
# The phases of a resize, message by message, as two workers join a master one after the other: what the master says is from
# `ringctl watch sync`, what the workers answer from their logs.
#   sync.sh [BIN-FOLDER]
set -u
bin=${1:-$(dirname "$0")/../../build/release/bin}
bin=$(cd "$bin" && pwd) || exit 2
box=$(mktemp -d) || exit 1
trap 'kill $(jobs -p) 2>/dev/null; wait 2>/dev/null; rm -rf "$box"' EXIT
trap 'exit 1' INT TERM

patiently () { # COMMAND…: until it succeeds
    local end=$((SECONDS + 60))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "sync.sh: not within a minute: $*" >&2; exit 1; }
        sleep 0.05
    done
}
join () { # NAME: and waits until it has answered all three phases of a resize
    "$bin/ringworker" --name "$1" --queue q=builtin:echo >/dev/null 2>"$box/$1.log" &
    patiently grep -q 'event=sync .* phase=3' "$box/$1.log"
}

"$bin/ringmaster" --data "$box/data" --port 0 >"$box/ready" 2>"$box/master.log" &
patiently grep -q '^ready' "$box/ready"
RINGMASTER=$(sed -n 's/^ready.* jobs=\([^ ]*\).*/\1/p' "$box/ready")
export RINGMASTER
"$bin/ringctl" watch sync >"$box/master" 2>"$box/watching" &
patiently grep -q watching "$box/watching"

join client_1
for text in one two three; do "$bin/ringctl" submit q "$text" --key k --wait >/dev/null || exit 1; done
join client_2
patiently grep -q 'event=sync .* phase=3 .*epoch=2' "$box/client_1.log"
patiently grep -q '"phase":3,"data":{"term":[0-9]*,"epoch":2' "$box/master"

# One message a line: "epoch phase side text". The times are of several processes, so the order is that of the phases.
{
    sed -nE 's/^\{"at":"[^"]*",(.*"phase":([123]).*"epoch":([0-9]+).*)$/\3 \2 0 {\1/p' "$box/master"
    sed -nE 's/.*event=sync worker=([^ ]+) phase=1 term=([0-9]+) epoch=([0-9]+) current_job=([0-9]+) .*/\3 1 1 {"type":"sync","name":"\1","phase":1,"data":{"term":\2,"epoch":\3,"current_job":\4}}/p
             s/.*event=sync worker=([^ ]+) phase=([23]) term=([0-9]+) epoch=([0-9]+) ack=([a-z]+) .*/\4 \2 1 {"type":"sync","name":"\1","phase":\2,"data":{"term":\3,"epoch":\4,"ack":"\5"}}/p' "$box"/client_*.log
} | sort -su -k1,1n -k2,2n -k3,3n -k4 | awk '
    $1 != epoch { epoch = $1; phase = 0; printf "%sClient                                        Server\n", (epoch > 1 ? "\n" : "") }
    $2 != phase { phase = $2; printf "  Begin Phase %d:\n", phase }
    { side = $3; sub (/^[0-9]+ [0-9]+ [0-9]+ /, "") }
    side == 0 { printf "[ ] <----- SYNC = %s\n", $0 }
    side == 1 { printf "SYNC = %s -----> [ ]\n", $0 }'
