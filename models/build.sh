# How the programs are made that search the model, or replay traces with it. Read by models/check and models/replay, which
# say where the model is ($here) and where the programs go ($dir).

memory_mib=${MODEL_MEMORY_MIB:-3000}

die () { printf 'model: %s\n' "$*" >&2; exit 2; }

# How big each program's cluster can be.
sizes () { # PROGRAM
    case $1 in
    two | ends) echo -DWORKERS=2 -DINCS=4 -DSLOTS=2 -DJOBS=3 -DTERMS=2 ;;
    three | three_ends) echo -DWORKERS=3 -DINCS=4 -DSLOTS=2 -DJOBS=2 -DTERMS=2 ;;
    replay) echo -DREPLAY -DWORKERS=5 -DINCS=30 -DSLOTS=3 -DJOBS=30 -DTERMS=1 ;;
    *) die "there is no program $1" ;;
    esac
}

# With the claim that everything ends, or without: then states from which nothing goes on are looked for instead.
kind () { # PROGRAM
    case $1 in
    *ends) ;;
    *) echo -DSAFETY -DNOCLAIM ;;
    esac
}

build () { # PROGRAM
    local out=$dir/$1 size
    size=$(sizes "$1") || exit 2
    command -v spin >/dev/null || die "spin is not installed"
    mkdir -p "$out" || exit 2
    (
        flock 9
        [ -x "$out/pan" ] && [ "$(cat "$out/memory" 2>/dev/null)" = "$memory_mib" ] && [ -z "$(find "$here" -newer "$out/pan" \( -name '*.pml' -o -name '*.h' -o -name '*.sh' \))" ] &&
            exit 0
        rm -f "$out"/*.pml "$out"/*.h "$out"/pan*
        cp "$here"/*.pml "$here"/*.h "$out" && cd "$out" || exit 2
        # shellcheck disable=SC2086
        spin $size -a resize.pml >spin.log 2>&1 || { cat spin.log; exit 2; }
        grep -v '^ltl ' spin.log && exit 2 # spin warns and goes on
        # shellcheck disable=SC2046,SC2086
        gcc -O1 -w -o pan.new pan.c $size $(kind "$1") -DNOREDUCE -DVECTORSZ=4096 -DMEMLIM="$memory_mib" 2>&1 &&
            echo "$memory_mib" >memory && mv pan.new pan
    ) 9>"$dir/lock" || die "cannot make $1"
}
