/*  The entries of the ledger, applied, with what the leader makes of it (src/core/apply.c, and the listeners in leader.c). */

inline apply_add (i_)
{
    if
    :: !HAS (member, i_) && !IS_BARRED (i_) ->
        member = member | BIT (i_);
        if
        :: leading ->
            adding = adding & ~BIT (i_);
            reported = reported | BIT (i_);
            send_down (home[i_], term, M_JOINED, epoch, i_, 0, 0, 0)
        :: else
        fi
    :: else
    fi
}

/* crash, in apply.c: the attempt is over; who ran it is gone. If the job is in flight all the same, it is called back.
 * m_y: the jobs that have crashed too often. */
inline crash_job (j_)
{
    attempt[j_]++;
    if
    :: HAS (m_y, j_) ->
        ended = ended | BIT (j_);
        if
        :: leading && HAS (FLYING, j_) -> land (j_)
        :: else
        fi
    :: leading && HAS (proposed, j_) ->
        proposed = proposed & ~BIT (j_);
        failed = failed | BIT (j_)
    :: leading && HAS (sent | failed, j_) -> land (j_)
    :: else
    fi
}

inline apply_remove (i_, jobs_)
{
    if
    :: HAS (member, i_) ->
        for (s : 0 .. SLOTS - 1) {
            holders[s] = holders[s] & ~BIT (i_);
            target[s] = (target[s] == i_ -> 0 : target[s])
        }
        m_x = HAS (leaving, i_) && !flight[i_];
        member = member & ~BIT (i_);
        removed = removed | BIT (i_);
        ran_well = ran_well & ~(inc[home[i_]] == i_ -> well[home[i_]] : 0);
        ring = ring & ~BIT (i_);
        leaving = leaving & ~BIT (i_);
        if
        :: leading ->
            reported = reported & ~BIT (i_);
            removing = removing & ~BIT (i_);
            leave_asked = leave_asked & ~BIT (i_);
            synced = synced & ~BIT (i_);
            settled = settled & ~BIT (i_);
            counted = counted & ~BIT (i_);
            last_seq[i_] = 0;
            heard_upto[i_] = 0;
            refresh_all ();
            for (j : 0 .. JOBS - 1) {
                if
                :: HAS (flight[i_], j) -> land (j)
                :: else
                fi
            }
            if
            :: m_x -> send_down (home[i_], term, M_LEFT, 0, i_, 0, 0, 0)
            :: else
            fi
        :: else
        fi;
        for (j : 0 .. JOBS - 1) {
            if
            :: HAS (jobs_ & ~ended, j) -> crash_job (j)
            :: else
            fi
        }
        j = 0
    :: else
    fi
}

/* The new targets are chosen before, in m_target. */
inline apply_begin (e_, ring_, leaving_)
{
    assert (e_ == epoch + 1);
    epoch = e_;
    ring = ring_ & member;
    leaving = leaving_ & member;
    for (s : 0 .. SLOTS - 1) {
        target[s] = m_target[s];
        m_target[s] = 0;
        holders[s] = holders[s] | (target[s] -> BIT (target[s]) : 0)
    }
    if
    :: leading ->
        refresh_all ();
        enter_phase1 ()
    :: else -> s = 0
    fi
}

/* At the commit nothing of a moved slot is left with anybody who lost it: the promise that the phases make. */
inline apply_commit (e_)
{
    if
    :: e_ == epoch && committed_epoch < epoch ->
        committed_epoch = epoch;
        for (s : 0 .. SLOTS - 1) {
            holders[s] = (target[s] -> BIT (target[s]) : 0);
            for (n : 0 .. WORKERS - 1) {
                assert (is[n] != MEMBER || !HAS (member, inc[n]) || inc[n] == target[s] || HAS (late, n) ||
                        !((queued[n] | RUNS (n)) & SLOT_JOBS (s)))
            }
            n = 0
        }
        s = 0;
        if
        :: leading && resize == COMMITTING -> resize = IDLE
        :: else
        fi
    :: else
    fi
}

#define COUNTS(i, j, a) (!HAS (ended, j) && (a) == attempt[j] && (HAS (member, i) || BROKEN (FENCE)))

/* m_x: whether a job that failed has no other attempt. */
inline apply_ended (i_, j_, verdict_, attempt_)
{
    m_tell = BIT (j_);
    m_past[j_] = attempt_;
    if
    :: !COUNTS (i_, j_, attempt_) ->
        if
        :: leading && HAS (flight[i_] & proposed, j_) ->
            proposed = proposed & ~BIT (j_);
            sent = sent | BIT (j_)
        :: else
        fi
    :: COUNTS (i_, j_, attempt_) ->
        assert (HAS (member, i_)); /* no completion of a removed incarnation counts */
        if
        :: verdict_ == WELL || m_x ->
            ended = ended | BIT (j_);
            m_past[j_] = EVERY_ATTEMPT;
            if
            :: leading && HAS (FLYING, j_) -> land (j_)
            :: else
            fi
        :: else ->
            attempt[j_]++;
            if
            :: leading && HAS (proposed, j_) ->
                proposed = proposed & ~BIT (j_);
                failed = failed | BIT (j_)
            :: leading && HAS (sent | failed, j_) -> land (j_)
            :: else
            fi
        fi
    fi;
    if
    :: leading && HAS (member, i_) -> tell_committed (home[i_], i_)
    :: else
    fi
}


/* rm_ring_assign, for so few slots that it may be simple: whoever has a slot keeps it as far as its share goes, the rest
 * goes to those who have least. */
inline choose_targets (set_)
{
#ifdef REPLAY
    m_target[0] = c_expr { ARG3 };
    m_target[1] = c_expr { ARG4 };
    m_target[2] = c_expr { ARG5 };
    for (s : 0 .. SLOTS - 1) {
        m_target[s] == target[s] || HAS (set_, m_target[s]) || (!m_target[s] && !(set_))
    }
#else
    m_x = 0;
    for (n : 1 .. INCS) {
        m_x = m_x + HAS (set_, n)
    }
    m_x = (m_x -> (SLOTS + m_x - 1) / m_x : 0);
    for (s : 0 .. SLOTS - 1) {
        if
        :: HAS (set_, target[s]) && m_share[target[s]] < m_x ->
            m_target[s] = target[s];
            m_share[target[s]]++
        :: else
        fi
    }
    for (s : 0 .. SLOTS - 1) {
        if
        :: m_x && !m_target[s] ->
            for (n : 1 .. INCS) {
                if
                :: HAS (set_, n) && (!m_target[s] || m_share[n] < m_share[m_target[s]]) -> m_target[s] = n
                :: else
                fi
            }
            m_share[m_target[s]]++
        :: else
        fi
    }
    for (n : 1 .. INCS) {
        m_share[n] = 0
    }
#endif
}
