#!/usr/bin/env bash
# ringsim --until-failure makes what it finds small: the command it says finds the same in a life with less in it.
#
#   small.sh BUILD MUTANT CHECKER
set -u
[ $# -eq 3 ] || { echo "usage: small.sh BUILD MUTANT CHECKER" >&2; exit 2; }
die () { printf 'small: %s\n' "$*" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd) || exit 1
ringsim=$1/tests/sim/mutants/$2/ringsim
"$here/run" --build "$1" --only-build "$2"
[ -x "$ringsim" ] || die "the mutant $2 cannot be built"

found=$("$ringsim" --runs 20000 --until-failure 2>/dev/null)
status=$?
[ $status -eq 1 ] || die "the mutant $2 is to be caught, and this is what happened (exit code $status): $found"
echo "$found"
[[ $found =~ ([0-9]+)\ of\ ([0-9]+)\ faults\ and\ ([0-9]+)\ of\ ([0-9]+)\ jobs\ are\ enough ]] ||
    die "it does not say what is enough"
faults=${BASH_REMATCH[1]} jobs=${BASH_REMATCH[3]}
[ "$faults" -lt "${BASH_REMATCH[2]}" ] || die "no fault was left out"
[ "$jobs" -lt "${BASH_REMATCH[4]}" ] || die "no job was left out"

# What it says last is the command, with so many of each.
read -ra command <<<"${found##*$'\n'}"
[ "${command[0]}" = ringsim ] || die "it does not end with a command: ${command[*]}"
read_list () { # OPTION: how many numbers the command has there
    local list
    list=$(sed -n "s/.* --only-$1 \([0-9,]*\|none\).*/\1/p" <<<"${command[*]}")
    [ "$list" = none ] && { echo 0; return; }
    tr ',' '\n' <<<"$list" | grep -c '[0-9]'
}
[ "$(read_list faults)" = "$faults" ] || die "not $faults faults: ${command[*]}"
[ "$(read_list jobs)" = "$jobs" ] || die "not $jobs jobs: ${command[*]}"
story=$("$ringsim" "${command[@]:1}" 2>/dev/null)
status=$?
[ $status -eq 1 ] || die "${command[*]} exits $status, not 1"
last=${story##*$'\n'}
[[ $last == "violation of $3 at "* ]] || die "${command[*]} finds something else: $last"
grep -qF -- "$last" <<<"$found" || die "${command[*]} does not find what was said: $last"
