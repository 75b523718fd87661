#!/usr/bin/env bash
# examples/mapreduce: workers die in the middle of jobs, are started again, and the words are those that a program in a row, and
# tr, sort and uniq, count; each job has one outcome.
#   examples_mapreduce.sh BIN-FOLDER SOURCE-FOLDER
set -u
bin=$1 source=$2
# shellcheck source=tests/integration/ctl_cluster.sh
. "$(dirname "$0")/ctl_cluster.sh"
export LC_ALL=C
files=("$source"/docs/*.md)
start_cluster

again () { # a worker is started again whenever it has died
    trap 'kill -9 $worker 2>/dev/null; exit' TERM
    while :; do
        "$bin/mapreduce_worker" --die 30 >>"$box/ready.log" 2>>"$box/$1.log" &
        worker=$!
        wait $worker
    done
}
loops=()
for i in 1 2 3; do
    again "worker$i" &
    loops+=("$!")
done

mkdir "$box/between"
timeout 250 "$bin/mapreduce" --folder "$box/between" "${files[@]}" >"$box/counted" 2>"$box/said" ||
    complain 'mapreduce failed' "$box/said"
kill -TERM "${loops[@]}"
"$bin/mapreduce" --sequential "${files[@]}" >"$box/in-a-row" || complain 'the program in a row failed'
for file in "${files[@]}"; do tr -cs 'A-Za-z' '\n' <"$file" | tr 'A-Z' 'a-z'; done | grep . | sort | uniq -c |
    awk '{ print $2, $1 }' >"$box/by-tr"
cmp "$box/counted" "$box/in-a-row" || complain 'the words are not those of the program in a row'
cmp "$box/counted" "$box/by-tr" || complain 'the words are not those of tr, sort and uniq'
[ "$(wc -l <"$box/counted")" -gt 1000 ] || complain 'there are hardly any words'

maps=${#files[@]}
grep -q "^mr.map: $maps jobs, " "$box/said" || complain 'not every file was a job' "$box/said"
deaths=$(cat "$box"/worker*.log | grep -c 'dies in job')
attempts=$(awk '{ sum += $4 } END { print sum }' "$box/said")
[ "$deaths" -gt 0 ] || complain 'nobody died: this shows nothing'
[ "$attempts" -gt $((maps + 5)) ] || complain "$attempts attempts are no more than jobs, although $deaths workers died" "$box/said"
ctl status --json >"$box/status" || complain 'no status'
grep -q "\"done\": *$((maps + 5))[,}]" "$box/status" || complain 'not each job has one outcome' "$box/status"
grep -q '"dead": *0[,}]' "$box/status" || complain 'a job is dead' "$box/status"
end "mapreduce: $maps files, $attempts attempts at $((maps + 5)) jobs, $deaths deaths, the same words"
