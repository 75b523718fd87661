#!/usr/bin/env bash
# Does what README.md shows, as a new user would: installs, compiles its C blocks, runs its sh blocks in order.
# readme.sh BUILD_DIR SOURCE_DIR
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
clean_up () {
    trap - EXIT INT TERM
    for pid in $(jobs -p); do kill -9 "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT INT TERM

cmake --install "$build" --prefix "$work/installed" >"$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }
for program in ringmaster ringworker ringctl; do
    [ -s "$work/installed/share/man/man1/$program.1" ] || { echo "the man page of $program is not installed"; exit 1; }
    [ -s "$work/installed/share/bash-completion/completions/$program" ] || { echo "the completion of $program is not installed"; exit 1; }
done
libraries=$(dirname "$(find "$work/installed" -name libringmaster.so | head -n 1)")
export PATH="$work/bin:$work/installed/bin:$PATH" PKG_CONFIG_PATH="$libraries/pkgconfig" LD_LIBRARY_PATH="$libraries"

# The README's master takes the usual ports; here it gets others, so that nothing on this machine is in the way.
base=$((21000 + $$ % 9000))
mkdir "$work/bin"
printf '#!/bin/sh\nexec "%s/installed/bin/ringmaster" --port %s "$@"\n' "$work" "$base" >"$work/bin/ringmaster"
chmod +x "$work/bin/ringmaster"
export RINGMASTER=tcp://127.0.0.1:$base

cd "$work"
awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside && /^\/\* .*\.c \*\/$/ { file = $2 } inside { print >file }' \
    "$source/README.md"
awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source/README.md" >commands.sh
[ "$(wc -l <commands.sh)" -gt 5 ] && [ -s greeter.c ] && [ -s hello.c ]

# In this shell, so that what it leaves in the background is ours to end.
set +e
. ./commands.sh >out 2>err
rc=$?
set -e
cat out
fail () { echo "README: $1"; cat err; exit 1; }
[ $rc -eq 0 ] || fail "its last command answered $rc"
grep -q '^HELLO, RING' out || fail "the first job did not shout"
[ "$(wc -l <sums)" -gt 1 ] || fail "map made no sums"
# No terminal: what has no newline of its own ends no line.
grep -qxE '(HELLO, RING)?ONE' out && grep -qx 'TWO' out || fail "the jobs of bob were not both answered"
grep -q '^Job 3 is done' out || fail "why did not say that job 3 is done"
grep -qx '1000 greetings' out || fail "the C stream did not greet"
grep -qx 'Hello, Bob!' out || fail "the C worker and client did not greet"
