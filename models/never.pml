/*  What must never be. */

/* A job starts: nobody else runs anything of its slot, unless it slept beyond its lease and is fenced; those before it of
 * its key have ended, and it has not, nor has it ended well with a worker that lives. */
inline check_start (w_, j_)
{
    for (n : 0 .. WORKERS - 1) {
        assert (n == w_ || !(RUNS (n) & SLOT_JOBS (SLOT (j_))) || (HAS (late, n) && !HAS (member, inc[n])))
    }
    n = 0;
    assert (!(RUNS (w_) & KEY_JOBS (j_)));
    assert (!(BEFORE (j_) & ~ended) && !HAS (ended | ran_well, j_))
}

/* The resize is over: whoever is counted in has closed what it lost, in this term and epoch. */
inline check_end ()
{
    for (n : 0 .. WORKERS - 1) {
        assert (is[n] != MEMBER || !HAS (COUNTED_IN & counted, inc[n]) ||
                (sync_term[n] == term && sync_epoch[n] == epoch && HAS (shut, n)))
    }
    n = 0
}

/* A job is dispatched: no member but its new holder has, or may still start, anything of its slot. */
inline check_dispatch (i_, j_)
{
    for (n : 0 .. WORKERS - 1) {
        assert (inc[n] == i_ || is[n] != MEMBER || !HAS (member, inc[n]) ||
                !((queued[n] | RUNS (n)) & SLOT_JOBS (SLOT (j_))))
    }
    n = 0
}
