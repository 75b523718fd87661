# A ledger is damaged in every file, in every way: either the master starts and has every accepted job, or it refuses with one
# sentence that names the file and the repair command, and changes nothing; --repair then says what was lost, and it starts.
jobs=0
ids=

# submit_some N: accepted jobs of about 2 KiB whose results will be their payloads.
submit_some () {
    local n
    for n in $(seq "$1"); do
        jobs=$((jobs + 1))
        printf 'job %d %02000d\n' $jobs $jobs >"$box/payload"
        cat "$box/payload" >>"$box/expected"
        ids+=" $(ringctl submit kept 2>/dev/null <"$box/payload")"
    done
}

kill_master () {
    kill -9 "$master"
    wait "$master" 2>/dev/null
    master=
}

# Where the last byte that is not zero stands: what lies behind it in an open segment was never written.
used () {
    cmp -l -- "$1" /dev/zero 2>/dev/null | awk 'END { print $1 + 0 }'
}

flip () { # FILE OFFSET
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 -- "$1")
    # shellcheck disable=SC2059
    printf "\\x$(printf %02x $((byte ^ 16)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# damage HOW FILE
damage () {
    local size
    size=$(cat "sizes/${2##*/}")
    case $1 in
    removed) rm "$2" ;;
    emptied) truncate -s 0 "$2" ;;
    halved) truncate -s $((size / 2)) "$2" ;;
    shortened) truncate -s $((size - 1)) "$2" ;;
    flipped-at-its-head) flip "$2" $((size / 50)) ;;
    flipped-in-the-middle) flip "$2" $((size / 2)) ;;
    flipped-at-its-end) flip "$2" $((size - size / 50 - 1)) ;;
    esac
}

# What would tell of a change.
sum () {
    find "$1" -type f ! -name lock -printf '%p %s %T@\n' | sort
}

# Starts a master on $1: 0 when it is ready (as $master), else its exit code, its sentence in $box/err.
try_master () {
    : >"$box/ready"
    ringmaster --data "$1" --port 0 >"$box/ready" 2>"$box/all" &
    master=$!
    until_true 15 ended_or_ready
    if grep -q '^ready ' "$box/ready"; then
        RINGMASTER=$(sed -n 's/^ready jobs=\([^ ]*\).*/\1/p' "$box/ready")
        return 0
    fi
    wait "$master"
    local got=$?
    master=
    grep -v '^ts=' "$box/all" >"$box/err"
    return $got
}

ended_or_ready () {
    grep -q '^ready ' "$box/ready" || ! kill -0 "$master" 2>/dev/null
}

# All jobs are there, and their payloads are what they were.
all_there () {
    local worker
    ringworker --queue kept=builtin:echo --name w --quiet >"$box/worker" 2>&1 &
    worker=$!
    # shellcheck disable=SC2086
    timeout 20 ringctl wait $ids 2>"$box/err" | cmp -s - "$box/expected"
    local same=$?
    kill -9 $worker
    wait $worker 2>/dev/null
    return $same
}

# What is left after a repair that lost something is a beginning of what was accepted.
a_beginning () {
    ringctl jobs --limit 10000 --json | grep -o '"id":[0-9]*' | sed 's/.*://' | sort -n | awk '$1 != NR { exit 1 }'
}

repair () { # COPY WHAT
    local said
    said=$(ringmaster --data "$1" --repair 2>"$box/err")
    [ $? -eq 0 ] && [ ! -s "$box/err" ] || complain "$2: --repair fails: $said"
    case $said in
    *"the ledger in $1 ends at batch "*" now; "*) ;;
    *) complain "$2: --repair does not say what was lost: $said" ;;
    esac
    try_master "$1" || { complain "$2: does not start after --repair"; return; }
    case $said in
    *"nothing acknowledged was lost"*) all_there || complain "$2: jobs are lost though --repair says that none is" ;;
    *" lost"*) a_beginning || complain "$2: what --repair has left is not a beginning of what was accepted" ;;
    esac
    kill_master
}

one () { # HOW FILE
    local copy=copy-$lane what="$2 $1" before
    rm -rf "$copy"
    cp -a --sparse=always data "$copy"
    damage "$1" "$copy/$2"
    before=$(sum "$copy")
    try_master "$copy"
    local got=$?
    if [ $got -eq 0 ]; then
        started=$((started + 1))
        all_there || complain "$what: it starts without every accepted job"
        kill_master
        return
    fi
    refused=$((refused + 1))
    [ $got -eq 1 ] || complain "$what: exit code $got, not 1"
    [ "$(wc -l <"$box/err")" -eq 1 ] || complain "$what: not one sentence"
    grep -q "nothing was changed; to go on with what can still be read, run: ringmaster --data $copy --repair" "$box/err" ||
        complain "$what: the repair command is not named"
    case $1 in
    removed | emptied) grep -qE "(files? (is|are) missing( or empty)? in $copy|$copy/)" "$box/err" ;;
    *) grep -qF "$copy/${2%.meta}" "$box/err" ;;
    esac || complain "$what: the file is not named"
    [ "$(sum "$copy")" = "$before" ] || complain "$what: something was changed"
    repair "$copy" "$what"
}

# Every fourth damage, with files of its own for what is said. Its exit code: whether all was well.
damage_some () {
    local file how n=0
    lane=$1 started=0 refused=0
    box=$box/lane-$lane
    mkdir "$box"
    ln -s ../expected "$box/expected"
    for file in $(cd data && ls -I lock); do
        for how in removed emptied halved shortened flipped-at-its-head flipped-in-the-middle flipped-at-its-end; do
            n=$((n + 1))
            [ $((n % lanes)) -ne "$lane" ] || one $how "$file"
        done
    done
    echo "$started $refused" >"$box/count"
    exit $bad
}

damage_all () {
    local file lane lanes=4 started refused
    start_master --snapshot-bytes 65536
    submit_some 90
    kill_master
    start_master --snapshot-bytes 65536
    submit_some 30
    kill_master
    mkdir sizes
    for file in $(cd data && ls); do
        used "data/$file" >"sizes/$file"
        [ "$(cat "sizes/$file")" -gt 0 ] || echo 64 >"sizes/$file" # nothing was written to it yet
    done
    for lane in $(seq 0 $((lanes - 1))); do
        (damage_some "$lane") &
        workers+=($!)
    done
    for lane in "${workers[@]}"; do
        wait "$lane" || bad=1
    done
    started=$(cat lane-*/count | awk '{ sum += $1 } END { print sum + 0 }')
    refused=$(cat lane-*/count | awk '{ sum += $2 } END { print sum + 0 }')
    echo "of $((started + refused)) damaged copies of a ledger $started were served whole, $refused refused"
    [ "$refused" -gt 10 ] && [ "$started" -gt 10 ] || complain "the damage was not what it should be"
}
