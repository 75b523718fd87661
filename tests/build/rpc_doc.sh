#!/usr/bin/env bash
# The first server and client of docs/rpc.md are compiled as they stand there, but for their port, and talk to each other.
#   rpc_doc.sh C-COMPILER SOURCE-FOLDER LIBRINGMASTER.so
set -u -o pipefail
cc=$1 source=$2 library=$3
box=$(mktemp -d) || exit 1
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$box"' EXIT
port=$((20000 + $$ % 10000))
for name in server client; do
    awk -v head="/* $name.c */" '$0 == head { inside = 1 } /^```/ { inside = 0 } inside' "$source/docs/rpc.md" |
        sed "s/5570/$port/" >"$box/$name.c"
    [ -s "$box/$name.c" ] || { echo "docs/rpc.md has no $name.c"; exit 1; }
    "$cc" -Wall -Wextra -Werror -I"$source/include" "$box/$name.c" -o "$box/$name" "$library" \
        -Wl,-rpath,"$(dirname "$library")" || exit 1
done
"$box/server" &
server=$!
[ "$("$box/client")" = 3 ]
