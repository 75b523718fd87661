#!/usr/bin/env bash
# The example of a warm cache, through a join and a leave: what did not move stays warm, what moved is loaded anew once.
#   warm_cache.sh BIN-DIR WARM-CACHE
set -u
bin=$1
example=$2
# shellcheck source=tests/integration/ctl_cluster.sh
. "$(dirname "$0")/ctl_cluster.sh"
PATH=$bin:$PATH
export LC_ALL=C
cd "$box" || exit 1
keys=40

cache () { # NAME
    "$example" "$RINGMASTER" "$1" >"$1.told" 2>"$1.log" &
    pids+=("$!")
}

ask () { # FILE: looks every key up, and writes "WORKER hit|miss KEY" of each
    local i ids=()
    for ((i = 1; i <= keys; i++)); do
        ids+=("$(timeout 60 ringctl submit lookup x --key "k$i" 2>>submit.log)")
    done
    timeout 120 ringctl wait "${ids[@]}" | sort >"$1"
    [ "$(wc -l <"$1")" = $keys ] || die "not all were answered: $(cat "$1")"
}

all () { # FILE PATTERN WHAT
    [ "$(grep -cE "$2" "$1")" = $keys ] || die "$3: $(cat "$1")"
}

settled () { # WORKERS: the ring has so many, and no resize runs
    until_true 60 "$1 workers, and no resize" \
        "timeout 10 ringctl status --json | grep -q '\"workers\":$1,\"resize\":{\"phase\":0'"
}

start_cluster
cache a
first=${pids[-1]}
settled 1
ask cold
all cold '^a miss' 'nothing is warm yet'
ask warm
all warm '^a hit' 'all is warm'
cache b
second=${pids[-1]}
settled 2
ask joined
all joined '^(a hit|b miss)' 'after the join what stayed is warm, and what moved is not'
grep -q '^a' joined && grep -q '^b' joined || die "nothing moved, or everything did: $(cat joined)"
moved=$(grep -c '^b' joined)
grep -q "dropped $moved, kept $((keys - moved))\$" a.told || die "a let go of something else: $(cat a.told)"
kill -TERM "$second"
wait "$second" || die "b did not leave: $(cat b.log)"
grep -q "dropped $moved, kept 0\$" b.told || die "b left with something: $(cat b.told)"
settled 1
ask left
sed -n 's/^a hit //p' joined | sort >stayed
sed -n 's/^a hit //p' left | sort >hit
cmp -s stayed hit || die "after the leave others are warm than those that stayed: $(cat left)"
ask again
all again '^a hit' 'all is warm once more'
kill -TERM "$first"
wait "$first" || die "a did not leave: $(cat a.log)"
end "warm_cache: nothing was dropped that did not move"
