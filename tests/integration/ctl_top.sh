#!/usr/bin/env bash
# ringctl top on a terminal of its own: what it shows, its keys, another size, a master that is killed and started again, and
# how it leaves the terminal.
#   ctl_top.sh BIN_DIR
set -u
bin=$1
# shellcheck source=tests/integration/ctl_cluster.sh
. "$(dirname "$0")/ctl_cluster.sh"

# Without a terminal: one sentence, exit 2.
RINGMASTER=tcp://127.0.0.1:1 timeout 20 "$bin/ringctl" top >"$box/out" 2>"$box/err" </dev/null
[ $? -eq 2 ] && [ ! -s "$box/out" ] && [ "$(wc -l <"$box/err")" -eq 1 ] && grep -q "needs a terminal" "$box/err" ||
    complain "top without a terminal" "$box/err"

start_cluster
# shellcheck disable=SC2016
worker w1 --queue echo=builtin:echo --queue slow=builtin:sleep --threads 2 \
    --queue pages='exec:echo "333 page 4 of 12" >&$RM_PROGRESS; sleep 600'
ctl submit echo one --wait >/dev/null
ctl submit slow 600000 --key a >/dev/null
ctl submit slow 600000 --key a >/dev/null

# Keys go in through $keys; what is drawn is in $box/screen, from the byte $seen on what is new.
terminal () {
    mkfifo "$box/keys.$1"
    cat >"$box/run.$1" <<END
tty >"$box/tty.$1"
stty rows 24 cols 110
TERM=screen LC_ALL=C.UTF-8 "$bin/ringctl" top
code=\$?
stty -a | tr ' ;' '\n\n' | grep -x -e icanon -e echo | sort | paste -sd ' ' >"$box/left.$1"
echo \$code >"$box/code.$1"
END
    : >"$box/screen"
    script -qfec "bash '$box/run.$1'" /dev/null <"$box/keys.$1" >"$box/screen" 2>&1 &
    pids+=("$!")
    exec 3>"$box/keys.$1"
    seen=1
}
key () { # BYTES…: what is drawn from here on is new
    seen=$(($(stat -c %s "$box/screen") + 1))
    printf "$1" >&3
}
drawn () { # WORDS
    tail -c +"$seen" "$box/screen" | grep -aqF -- "$1"
}
shows () { # WORDS: sooner or later they are drawn when all is drawn anew, not only what has changed
    until_true 60 "top shows '$1'" "key '\014'; sleep 0.2; drawn '$1'"
}

terminal 1
shows 'leader, term 1'
shows 'jobs     1 queued, 1 running, 1 done, 0 dead'
shows 'sorted   by load'
shows 'SLOTS'
shows '||||'
key s
shows 'sorted   by rate'
key h
shows 'leave'
key h
shows 'SLOTS'
key p
shows 'PAUSED'
key p
ctl submit pages book >/dev/null
shows '33.3 %, page 4 of 12'
key '\033[B'                        # down a line
stty -F "$(cat "$box/tty.1")" cols 60 rows 20 # its size changes: columns that have no room are not drawn any more
until_true 60 'a narrow table' 'shows "IN FLIGHT"; ! drawn SLOTS'

# The master goes away, and comes back.
kill -9 "$master"
shows 'no master, trying'
start_cluster
shows 'leader, term 2'

# Ctrl-C: the terminal is as it was.
key '\003'
until_true 60 'ctrl-c ends it' '[ -s "$box/code.1" ]'
[ "$(cat "$box/code.1")" = 130 ] || complain "ctrl-c: exit code $(cat "$box/code.1"), not 130"
[ "$(cat "$box/left.1")" = "echo icanon" ] || complain "ctrl-c left the terminal as '$(cat "$box/left.1")'"
grep -aqF $'\033[?1049l' "$box/screen" || complain "ctrl-c left the other screen on"

# q, too, and that is no failure.
terminal 2
shows 'leader, term 2'
key q
until_true 60 'q ends it' '[ -s "$box/code.2" ]'
[ "$(cat "$box/code.2")" = 0 ] && [ "$(cat "$box/left.2")" = "echo icanon" ] || complain "q: $(cat "$box/code.2"), $(cat "$box/left.2")"

# A terminal that is not known, and JSON.
script -qec "TERM=no-such-terminal '$bin/ringctl' top; echo code \$?" /dev/null </dev/null >"$box/out" 2>&1
grep -q "terminal 'no-such-terminal' (\$TERM) is not known" "$box/out" && grep -q "code 2" "$box/out" || complain "an unknown terminal" "$box/out"
timeout 20 "$bin/ringctl" top --json >"$box/out" 2>&1 </dev/null
[ $? -eq 2 ] && grep -q "has no JSON" "$box/out" || complain "top --json" "$box/out"

end "ringctl top keeps to its terminal"
