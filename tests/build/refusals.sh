#!/usr/bin/env bash
# The checks of the build must refuse what they are there to refuse: feeds each a small wrong tree and wants its word.
#   refusals.sh SCRIPTS-FOLDER C-COMPILER
set -u
scripts=$(realpath "$1") cc=$2
box=$(mktemp -d) || exit 1
trap 'rm -rf "$box"' EXIT
cd "$box" || exit 1
bad=0

refuses () { # WORDS COMMAND…: it must fail and say WORDS
    local words=$1 out
    shift
    if out=$("$@" 2>&1); then
        echo "not refused: $words"
        bad=1
    elif ! grep -qF -- "$words" <<<"$out"; then
        printf 'refused, but without saying "%s":\n%s\n' "$words" "$out"
        bad=1
    fi
}

include () { # FILE INCLUDE: a tree with just this file
    rm -rf tree
    mkdir -p tree/src tree/include tree/examples "tree/$(dirname "$1")"
    echo "#include $2" >"tree/$1"
}

while read -r file target words; do
    include "$file" "$target"
    refuses "$words" "$scripts/arrows" tree
done <<'END'
src/core/ring.c "net/log.h" core sees only proto
src/net/loop.c "core/ring.h" net sees only proto
src/proto/msg.c "core/ring.h" proto sees nothing
src/master/main.c "worker/worker.h" others through include/ringmaster
src/worker/main.c <zmq.h> only src/net knows ZeroMQ
src/client/client.c <czmq.h> only src/net knows ZeroMQ
src/master/http.c <microhttpd.h> only src/net knows ZeroMQ and microhttpd
src/worker/main.c <uv.h> only src/net, src/master and src/catalog know libuv
src/master/ledger.c <raft.h> only src/master/raft_*
src/net/raft_x.c <raft/uv.h> only src/master/raft_*
include/ringmaster/worker.h "proto/msg.h" know nothing of src
include/ringmaster/worker.h <zmq.h> only src/net knows ZeroMQ
examples/x/main.c "worker/worker.h" know nothing of src
END
include src/master/raft_disk.c '<raft.h>'
"$scripts/arrows" tree >/dev/null || { echo "the allowed include was refused"; bad=1; }

archive () { # NAME OBJECT CODE
    mkdir -p "$1.d"
    echo "$3" | "$cc" -w -O1 -c -x c -o "$1.d/$2.c.o" - && rm -f "lib$1.a" && ar rcs "lib$1.a" "$1.d/"*.o || bad=1
}
archive proto buf 'void *memcpy (void *, const void *, unsigned long); int rm_buf (void *a, void *b, long n) { memcpy (a, b, n); return 1; }'
archive core ring 'int rm_buf (void *, void *, long); int rm_ring (void) { return rm_buf (0, 0, 0); }'
"$scripts/purity" libproto.a libcore.a >/dev/null || { echo "pure archives were refused"; bad=1; }

while read -r symbol words; do
    archive core ring "int $symbol (); int rm_ring (void) { return $symbol (); }"
    refuses "$words" "$scripts/purity" libproto.a libcore.a
done <<'END'
socket uses socket, which is not on the list
clock_gettime uses clock_gettime, which is not on the list
pthread_create uses pthread_create, which is not on the list
open uses open, which is not on the list
getenv uses getenv, which is not on the list
rand uses rand, which is not on the list
malloc uses malloc, which is for alloc.c.o alone
abort uses abort, which is for assert.c.o alone
rm_elsewhere uses rm_elsewhere, which is not on the list
END
archive core ring 'int ring_new (void) { return 1; }'
refuses "does not begin with rm_" "$scripts/purity" libproto.a libcore.a
archive core ring 'int rm_ring (void) { return 1; }'
archive proto buf 'int rm_ring (void); int rm_buf (void) { return rm_ring (); }'
refuses "of proto uses rm_ring, which is core's" "$scripts/purity" libproto.a libcore.a
refuses "are these the archives" "$scripts/purity" nothing.a nothing.a
exit $bad
