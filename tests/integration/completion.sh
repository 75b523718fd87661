#!/usr/bin/env bash
# What bash completes of ringctl, ringmaster, ringworker and ringcatalog: commands and options as their --help has them, names of queues
# and workers from a running master, and nothing (but at once) where there is none.
#   completion.sh BIN_DIR SOURCE_DIR
set -u
bin=$1 source=$2
# shellcheck source=tests/integration/ctl_cluster.sh
. "$(dirname "$0")/ctl_cluster.sh"
# shellcheck source=completions/ringctl.bash
. "$source/completions/ringctl.bash"

completes () { # EXPECTED WORDS…: the last word is completed; what comes, sorted, in a line
    local expected=$1 function=_ringctl
    shift
    COMP_WORDS=("$bin/$1" "${@:2}")
    COMP_CWORD=$(($# - 1))
    [ "$1" = ringctl ] || function=_ringmaster
    $function
    got=$(printf '%s\n' "${COMPREPLY[@]-}" | sort | paste -sd ' ')
    [ "$got" = "$expected" ] || complain "$*: '$got', not '$expected'"
}

complete -p ringctl ringmaster ringworker ringcatalog >/dev/null || complain "nothing is completed"

# Commands and options: those of --help, all of them.
completes "status" ringctl st
completes "wait watch why workers" ringctl w
COMP_WORDS=("$bin/ringctl" '') COMP_CWORD=1
_ringctl
for command in $("$bin/ringctl" --help | sed -n '/^Commands:$/,/^$/ s/^  \([a-z]*\) .*/\1/p'); do
    printf '%s\n' "${COMPREPLY[@]}" | grep -qx "$command" || complain "the command $command is not completed"
done
completes "--catalog --help --json --key --limit --master --project --queue --state --version --worker" ringctl jobs --
completes "--timeout --tries" ringctl submit mail --t
completes "--json" ringctl --j
completes "jobs sync" ringctl watch ''
completes "sync" ringctl watch s
completes "add" ringctl master a
completes "dead delayed done" ringctl jobs --state d
completes "dead delayed" ringctl peek --state d
completes "--max-queue-bytes --max-queue-jobs" ringmaster --max-q
completes "--threads" ringworker --queue a=b --th
completes "--max-mib --max-rate --max-records" ringcatalog --max

# Names, of a master that runs.
start_cluster
worker first --queue mail=builtin:echo --queue pictures=builtin:echo
worker second --queue mail=builtin:echo --queue pictures=builtin:echo
until_true 60 'both are joined' '[ "$(ctl workers --json | grep -o "\"name\":" | wc -l)" = 2 ]'
completes "mail pictures" ringctl submit ''
completes "mail pictures" ringctl pause ''
completes "pictures" ringctl queue p
completes "mail" ringctl jobs --queue m
completes "mail" ringctl jobs --limit 3 --queue m
completes "first second" ringctl drain ''
completes "second" ringctl --json drain s
completes "first" ringctl jobs --worker f
completes "" ringctl submit mail pay
master_of=$RINGMASTER
unset RINGMASTER
completes "pictures" ringctl --master tcp : "${master_of#tcp:}" submit p
completes "pictures" ringctl --master tcp : "//127.0.0.1" : "$port" submit p
export RINGMASTER=$master_of

# No master: no names, and no long wait for them.
kill -9 "$master"
from=$SECONDS
completes "" ringctl drain ''
[ $((SECONDS - from)) -le 5 ] || complain "without a master a completion takes $((SECONDS - from)) s"

end "bash completes what there is"
