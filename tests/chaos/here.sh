#!/usr/bin/env bash
# Runs a program that needs network namespaces. Where there are none it says so, and runs it with the rest of the words
# instead, if there are any: what fails then has failed, and if nothing does it exits with 77, as not all of it was checked.
#
#   here.sh PROGRAM [WORDS...] [-- WORDS_WITHOUT_NAMESPACES...]
set -u
words=() otherwise=() now=words
for word in "$@"; do
    if [ "$word" = -- ]; then now=otherwise; elif [ $now = words ]; then words+=("$word"); else otherwise+=("$word"); fi
done
"${words[@]}"
status=$?
[ $status -eq 77 ] || exit $status
echo "NOT ALL OF IT WAS CHECKED: this machine or this user has no network namespaces"
[ ${#otherwise[@]} -eq 0 ] || "${words[0]}" "${otherwise[@]}" || exit
exit 77
