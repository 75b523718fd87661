# What the cases of bad.sh share. Needs $bin; makes $box, a folder that is gone in the end with everything started here.
PATH=$bin:$PATH
box=$(mktemp -d "${TMPDIR:-/tmp}/ringmaster-XXXXXX") || exit 1
bad=0
master=
workers=()
unset RINGMASTER RM_FAILPOINTS
trap clean_up EXIT
export LC_ALL=C

clean_up () {
    local pid
    for pid in ${workers[@]+"${workers[@]}"} $master; do
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    chmod -R u+rwX "$box"
    rm -rf "$box"
}

complain () {
    echo "bad $case: $*"
    sed 's/^/    stdout: /' "$box/out" 2>/dev/null | cut -c1-300
    sed 's/^/    stderr: /' "$box/err" 2>/dev/null | cut -c1-600
    cat "$box/master.log" "$box/all" 2>/dev/null | tail -n 3 | sed 's/^/    log: /' | cut -c1-600
    bad=1
}

# gives CODE WORDS COMMAND…: nothing on stdout, one sentence with these words on stderr (beside the log, if it has one).
gives () {
    local code=$1 words=$2 got
    shift 2
    timeout 20 "$@" >"$box/out" 2>"$box/all" </dev/null
    got=$?
    grep -v '^ts=' "$box/all" >"$box/err"
    [ $got -eq "$code" ] || complain "$*: exit code $got, not $code"
    [ "$(wc -l <"$box/err")" -eq 1 ] || complain "$*: not one sentence"
    grep -qF -- "$words" "$box/err" || complain "$*: not '$words'"
    [ ! -s "$box/out" ] || complain "$*: something on stdout"
}

# The same for ringmaster run by somebody who may not read everything; root is nobody for that while.
as_nobody () {
    local code=$1 words=$2
    shift 2
    if [ "$(id -u)" -eq 0 ]; then
        chmod 0755 "$box"
        cp "$bin/ringmaster" "$box/ringmaster"
        gives "$code" "$words" setpriv --reuid 65534 --regid 65534 --clear-groups "$box/ringmaster" "$@"
    else
        gives "$code" "$words" ringmaster "$@"
    fi
}

# until SECONDS COMMAND…: whether it succeeds in that time.
until_true () {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.02
    done
}

# A master on free ports and $box/data; RINGMASTER names it.
start_master () {
    : >"$box/ready"
    ringmaster --data data --port 0 "$@" >"$box/ready" 2>"$box/master.log" &
    master=$!
    until_true 10 grep -q '^ready ' "$box/ready" || fatal "the master does not start: $(tail -1 "$box/master.log")"
    RINGMASTER=$(sed -n 's/^ready jobs=\([^ ]*\).*/\1/p' "$box/ready")
    export RINGMASTER
}

start_worker () {
    local out=$box/worker-${#workers[@]}
    ringworker "$@" >"$out" 2>"$out.log" &
    workers+=($!)
    until_true 10 grep -q '^ready ' "$out" || fatal "a worker does not start: $(tail -1 "$out.log")"
}

# Waits until no resize is going on.
settle () {
    until_true 10 sh -c 'ringctl status --json | grep -q "\"phase\":0"' || fatal "a resize does not end"
}

fatal () {
    complain "$@"
    exit 1
}

# keep N: jobs that nobody serves yet, to be found again by `kept`; and one that is done, since all is well.
keep () {
    local n
    kept_ids=
    for n in $(seq "$1"); do
        kept_ids+=" $(ringctl submit kept "job $n" 2>/dev/null)"
    done
    [ "$(ringctl submit echo before --wait)" = before ] || complain "the echo before it"
}

kept () {
    [ "$(ringctl submit echo after --wait)" = after ] || complain "the echo after it"
    start_worker --queue kept=builtin:echo --pool kept
    local id n=0
    for id in $kept_ids; do
        n=$((n + 1))
        [ "$(ringctl wait "$id")" = "job $n" ] || complain "job $id is lost"
    done
    kill -0 "$master" || complain "the master is gone"
}
