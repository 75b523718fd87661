#!/usr/bin/env bash
# The table and the figure of docs/retries.md are what bench_retries makes of the present policies.
#   retries.sh BENCH_RETRIES SOURCE_DIR
set -u
bench=$1 docs=$2/docs
box=$(mktemp -d) || exit 1
trap 'rm -rf "$box"' EXIT
"$bench" --svg "$box/retries.svg" >"$box/table" || exit 1
grep '^|' "$docs/retries.md" | diff "$box/table" - && cmp "$box/retries.svg" "$docs/retries.svg" &&
    echo "docs/retries.md is up to date" && exit 0
echo "docs/retries.md is not up to date: bench_retries --svg docs/retries.svg makes the figure, and prints the table"
exit 1
