#!/usr/bin/env bash
# The shared library gives others rm_* names and nothing else, and an installed tree is enough to build on: a program is
# compiled against it by pkg-config alone, once with the shared and once with the static library, and run.
#   library.sh CMAKE BUILD-FOLDER LIBRINGMASTER.so C-COMPILER
set -u -o pipefail
cmake=$1 build=$2 library=$3 cc=$4
box=$(mktemp -d) || exit 1
trap 'rm -rf "$box"' EXIT
bad=0

names=$(nm -D --defined-only "$library" | awk '{ print $NF }') || exit 1
foreign=$(grep -v '^rm_' <<<"$names")
[ -z "$foreign" ] || { echo "the library also gives away: $foreign"; bad=1; }
for name in rm_client_new rm_client_wait rm_result_text rm_strerror; do
    grep -qx "$name" <<<"$names" || { echo "the library does not give $name"; bad=1; }
done
inner=$(grep -E '^rm_(msg|pirate|seqs|socket|poll|buf|malloc|free|log|fault|endpoint|ring)(_|$)' <<<"$names")
[ -z "$inner" ] || { echo "the library gives away what is no business of its users: $inner"; bad=1; }

"$cmake" --install "$build" --component library --prefix "$box/usr" >"$box/install.log" || { cat "$box/install.log"; exit 1; }
pc=$(find "$box/usr" -name ringmaster.pc) || exit 1
export PKG_CONFIG_PATH=${pc%/*}
cat >"$box/user.c" <<'C'
#include <ringmaster/client.h>
#include <stdio.h>
#include <string.h>
int main (void)
{
    rm_client_t *client = rm_client_new ("tcp://127.0.0.1:1");
    int error = client ? rm_client_submit (client, rm_spec ("no queue"), 100, NULL) : 1;
    puts (client ? rm_client_error (client) : "no client");
    rm_client_destroy (&client);
    return error == RM_EINVAL ? 0 : 1;
}
C
# shellcheck disable=SC2046
"$cc" -Wall -Wextra -Werror "$box/user.c" -o "$box/shared" $(pkg-config --cflags --libs ringmaster) || exit 1
LD_LIBRARY_PATH=$(pkg-config --variable=libdir ringmaster) "$box/shared" || bad=1
static=$(pkg-config --variable=libdir ringmaster)/libringmaster.a
# shellcheck disable=SC2046
"$cc" "$box/user.c" -o "$box/static" $(pkg-config --cflags ringmaster) "$static" \
    $(pkg-config --static --libs ringmaster | sed 's/-lringmaster//') || exit 1
"$box/static" || bad=1
exit $bad
