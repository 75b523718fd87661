#!/usr/bin/env bash
# examples/sync prints each message of two resizes, in the order of the phases and with the fields that they have.
#   examples_sync.sh BIN-FOLDER SOURCE-FOLDER
set -u
said=$(timeout 200 "$2/examples/sync/sync.sh" "$1") || { echo "sync.sh failed: $said"; exit 1; }
bad=0
line () { # NUMBER PATTERN
    sed -n "$1p" <<<"$said" | grep -qE -- "$2" || { echo "line $1 is not like $2"; bad=1; }
}
master='^\[ \] <----- SYNC = \{"type":"sync","name":"Master","phase"'
line 1 '^Client +Server$'
line 2 '^  Begin Phase 1:$'
line 3 "$master"':1,"data":\{"term":1,"epoch":1\}\}$'
line 4 '^SYNC = \{"type":"sync","name":"client_1","phase":1,"data":\{"term":1,"epoch":1,"current_job":0\}\} -----> \[ \]$'
line 5 '^  Begin Phase 2:$'
line 6 "$master"':2,"data":\{"term":1,"epoch":1,"sync_to":0,"members":\[\["client_1","[0-9a-f]{16}"\]\],'
line 7 '^SYNC = .*"client_1","phase":2,"data":\{"term":1,"epoch":1,"ack":"ok"\}\} -----> \[ \]$'
line 8 '^  Begin Phase 3:$'
line 9 "$master"':3,"data":\{"term":1,"epoch":1\}\}$'
line 10 '"client_1","phase":3,"data":\{"term":1,"epoch":1,"ack":"ok"\}\}'
line 14 "$master"':1,"data":\{"term":1,"epoch":2\}\}$'
line 15 '"client_1","phase":1,"data":\{"term":1,"epoch":2,"current_job":3\}\}'
line 16 '"client_2","phase":1,"data":\{"term":1,"epoch":2,"current_job":0\}\}'
grep -qE "$master"':2,"data":\{"term":1,"epoch":2,"sync_to":3,"members":\[\["client_1",.*\["client_2",' <<<"$said" ||
    { echo 'the second resize does not name both'; bad=1; }
for client in client_1 client_2; do
    for phase in 2 3; do
        grep -qE "\"$client\",\"phase\":$phase,\"data\":\{\"term\":1,\"epoch\":2,\"ack\":\"ok\"\}\} -----> " <<<"$said" ||
            { echo "$client does not answer ok in phase $phase"; bad=1; }
    done
done
[ $bad -eq 0 ] || echo "$said"
exit $bad
