#!/usr/bin/env bash
# The benchmarks run, print a table and draw, in their smallest sizes. What they measure is no matter here.
#   benches.sh BIN
set -u
bin=$1
box=$(mktemp -d) || exit 1
trap 'rm -rf "$box"' EXIT
die () { # SENTENCE
    echo "$1"
    cat "$box/out"
    exit 1
}

table () { # NAME COLUMNS FIRST-CELL: it has a row that begins so, all of whose other cells are numbers
    awk -F'|' -v columns="$2" -v first="$3" '
        NF == columns + 2 && $2 == " " first " " {
            for (i = 3; i <= columns + 1; i++) if ($i !~ /^ -?[0-9]+(\.[0-9]+)? $/) exit 1
            found = 1
        }
        END { exit !found }' "$box/out" || die "$1: no row of $2 numbers for $3"
}

figure () { # FILE LINES: it is an SVG with so many lines, and no number went wrong
    [ "$(grep -c "<path fill='none'.*M[0-9.]* [0-9.]*[HL]" "$1")" -ge "$2" ] || die "$1: not $2 lines in it"
    [ "$(tail -n 1 "$1")" = "</svg>" ] || die "$1: not whole"
    grep -qE 'nan|inf' "$1" && die "$1: a number that is none"
}

timeout 100 "$bin/bench_failure" --event join --keys 60 --rate 600 --long-keys 4 --long-ms 50 --before 300 --after 300 \
    --svg "$box" >"$box/out" 2>&1 || die "bench_failure ended with $?"
table bench_failure 12 join
figure "$box/failure-join.svg" 4
# A master that may have few files open takes more, if the system lets it: 30 clients are beyond that.
scale () { # CURVE MOST FILES
    (ulimit -Sn "$3" && exec timeout 100 "$bin/bench_scale" --curve "$1" --most "$2" --rate 100 --seconds 1 --svg "$box") \
        >"$box/out" 2>&1 || die "bench_scale $1 ended with $?"
    table bench_scale 7 "$2"
    figure "$box/scale-$1.svg" 4
}
scale clients 30 48
scale workers 3 1024
scale keys 10 1024
echo "the benchmarks run"
