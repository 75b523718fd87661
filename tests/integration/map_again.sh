#!/usr/bin/env bash
# A run of ringctl map that goes on where an earlier one ended while it submitted: what is not certain is said, and why.
#   map_again.sh BIN-DIR
set -u
export PATH=$1:$PATH
. "$(dirname "$0")/box.sh"
bad=0
complain () { echo "map_again: $*"; bad=1; }
die () {
    complain "$*"
    tail -n 8 -- *.log
    exit 1
}
base=$(free_ports 4)
export RINGMASTER=127.0.0.1:$base
ringmaster --data data --port $base >master.log 2>&1 &
ringworker --shell >worker.log 2>&1 &
wait_for 60 grep -q ^ready master.log

# again SED-SCRIPT WORDS…: a run of its own, of which only the submit is in the journal, edited; and then as these words say.
runs=0
again () {
    local edit=$1 name=run-$((runs += 1))
    shift
    timeout 60 ringctl map --name $name echo {} ::: a b >out 2>err || die "it does not run: $(cat err)"
    head -n 2 .ringmap/$name/journal | sed "$edit" >begun
    grep -q ^submit begun || die "no submit in the journal"
    cp begun .ringmap/$name/journal
    timeout 60 ringctl map --name $name "$@" >out 2>err || complain "$name ends with $?: $(cat err)"
}
says () { # WHY
    local want="note: the last run ended while it submitted 2 commands, and $1: they are submitted anew, and may run twice; ringctl jobs --queue shell lists"
    grep -qF "$want" err || complain "not '$want' but '$(cat err)'"
}
again '' echo {} ::: a b
[ ! -s err ] || complain "what is sent again as it was is not certain: $(cat err)"
again 's/:[0-9]\{13\} /:1000000000000 /' echo {} ::: a b
says "that was too long ago to ask the master what came of it"
again '' echo {} ::: a
says "not all of them are in this run"
again '' --timeout 50 echo {} ::: a b
says "the master does not take them for the same any more (was an option changed?)"
again 's/^submit [^ ]*/submit nonsense/' echo {} ::: a b
says "the journal does not say how to ask the master what came of it"

[ $bad -eq 0 ] && echo "what may run twice is said"
exit $bad
