#!/usr/bin/env bash
# The shared library gives others what its headers declare and nothing else, and an installed tree is enough to build on: a program is
# compiled against it by pkg-config alone, once with the shared and once with the static library, and run.
#   library.sh CMAKE BUILD-FOLDER LIBRINGMASTER.so C-COMPILER HEADERS…
set -u -o pipefail
cmake=$1 build=$2 library=$3 cc=$4
shift 4
box=$(mktemp -d) || exit 1
trap 'rm -rf "$box"' EXIT
bad=0

given=$(nm -D --defined-only "$library" | awk '{ print $NF }' | sort) || exit 1
declared=$(sed -nE 's/^RM_EXPORT [^(]*[ *](rm_[a-z_]+) ?\(.*/\1/p' "$@" | sort)
[ "$(wc -l <<<"$declared")" -gt 15 ] || { echo "the headers declare too little: $declared"; exit 1; }
if [ "$given" != "$declared" ]; then
    echo "what the library gives (left) is not what its headers declare (right):"
    diff --side-by-side --suppress-common-lines <(echo "$given") <(echo "$declared")
    bad=1
fi

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
