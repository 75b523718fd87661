/*  What the leader does, and how the resize is driven (src/core/leader*.c). Names with an underscore behind them are the
 *  parameters of an inline; m_… is what is in a message.
 */
/* ---- slots and jobs ---------------------------------------------------------------------------------------------- */

#define FREE(s) (!(FLYING & SLOT_JOBS (s)) || BROKEN (EARLY))
#define HOLDERS_HEARD(s) (!(holders[s] & ~reported) || BROKEN (HOLDERS))

/* rm_leader_refresh_slot */
inline refresh (s_)
{
    if
    :: slot_is[s_] == UNKNOWN && !HOLDERS_HEARD (s_)
    :: else ->
        if
        :: FREE (s_) -> at[s_] = target[s_]
        :: else
        fi;
        slot_is[s_] = (target[s_] && at[s_] == target[s_] -> OPEN : SHUT)
    fi
}

inline refresh_all ()
{
    for (s : 0 .. SLOTS - 1) {
        refresh (s)
    }
    s = 0
}

/* rm_leader_land: out of flight */
inline land (j_)
{
    sent = sent & ~BIT (j_);
    proposed = proposed & ~BIT (j_);
    failed = failed & ~BIT (j_);
    seq[j_] = 0;
    for (n : 1 .. INCS) {
        flight[n] = flight[n] & ~BIT (j_)
    }
    n = 0;
    refresh (SLOT (j_))
}

/* adopt, in leader_worker.c: what a worker says in its first report of this term, as far as it may hold it */
inline adopt (i_, j_)
{
    if
    :: HAS (holders[SLOT (j_)], i_) && !(FLYING & KEY_JOBS (j_)) &&
       (!(FLYING & SLOT_JOBS (SLOT (j_))) || at[SLOT (j_)] == i_) ->
        at[SLOT (j_)] = i_;
        sent = sent | BIT (j_);
        flight[i_] = flight[i_] | BIT (j_)
    :: else
    fi
}

/* take_report: the watermark. What is to be told committed is added to m_tell. */
inline take_report (i_, upto_, held_)
{
    if
    :: upto_ < heard_upto[i_] || upto_ > last_seq[i_]
    :: else ->
        heard_upto[i_] = upto_;
        m_tell = held_ & (ended | (failed & flight[i_]));
        for (n : 0 .. JOBS - 1) {
            m_past[n] = (HAS (ended, n) -> EVERY_ATTEMPT : attempt[n] - 1)
        }
        n = 0;
        if
        :: !HAS (reported, i_) ->
            for (j : 0 .. JOBS - 1) {
                if
                :: HAS (held_ & accepted & ~ended & ~FLYING, j) -> adopt (i_, j)
                :: else
                fi
            }
            reported = reported | BIT (i_);
            refresh_all ()
        :: else
        fi;
        for (j : 0 .. JOBS - 1) {
            if
            :: HAS (flight[i_] & (sent | failed) & ~held_, j) && seq[j] <= upto_ && !BROKEN (WATERMARK) -> land (j)
            :: else
            fi
        }
        j = 0
    fi
}

/* take_done */
inline take_done (i_, j_, attempt_, verdict_)
{
    if
    :: HAS (flight[i_] & proposed, j_)
    :: HAS (flight[i_] & sent & ~ended, j_) && seq[j_] <= heard_upto[i_] && attempt_ == attempt[j_] ->
        sent = sent & ~BIT (j_);
        proposed = proposed | BIT (j_);
        log!EV_ENDED(i_, j_, verdict_, attempt_)
    :: else ->
        m_past[j_] = (HAS (m_tell, j_) && m_past[j_] > attempt_ -> m_past[j_] : attempt_);
        m_tell = m_tell | BIT (j_)
    fi
}

/* rm_leader_sync_answer */
inline take_answer1 (i_, epoch_, job_)
{
    if
    :: epoch_ == epoch && !HAS (synced, i_) ->
        assert (resize != PHASE2 || !HAS (counted & ~removing, i_) || job_ <= sync_to);
        synced = synced | BIT (i_);
        current_job[i_] = job_
    :: epoch_ == epoch && HAS (synced, i_) -> assert (current_job[i_] == job_) /* frozen, and so is sync_to */
    :: else
    fi
}

inline take_answer2 (i_, epoch_, ok_)
{
    if
    :: (epoch_ == epoch || BROKEN (STALE)) && resize == PHASE2 && ok_ ->
        settled = settled | BIT (i_)
    :: else
    fi
}

/* Another report, done or answer of a worker. */
#define HEARD (BROKEN (REMOVING) || BROKEN (FENCE) -> member : COUNTED_IN)

inline hear (w_)
{
    m_tell = 0;
    if
    :: !HAS (member, m_inc) ->
        if
        :: HAS (adding, m_inc)
        :: else -> send_down (w_, term, M_REJOIN, 0, m_inc, 0, 0, 0)
        fi
    :: HAS (member, m_inc) && HAS (HEARD, m_inc) && m_term == term && m_part != ANSWER3 ->
        take_report (m_inc, m_upto, m_held);
        if
        :: m_part == ANSWER1 -> take_answer1 (m_inc, m_x, m_y)
        :: m_part == ANSWER2 -> take_answer2 (m_inc, m_x, m_y)
        :: m_part == DONE -> take_done (m_inc, m_x, m_y, m_z)
        :: m_part == LEAVE -> leave_asked = leave_asked | BIT (m_inc)
        :: else
        fi;
        tell_committed (w_, m_inc)
    :: else
    fi
}

/* ---- the resize, as the leader drives it ------------------------------------------------------------------------- */

inline enter_phase1 ()
{
    resize = PHASE1;
    published = 0;
    synced = 0;
    settled = 0;
    counted = 0;
    sync_to = 0;
    for (n : 1 .. INCS) {
        current_job[n] = 0
    }
    n = 0
}

/* The leader is gone, and what it believed with it. What it has proposed may be applied still. */
inline drop_leader ()
{
    leading = false;
    begun = false;
    cut_up ();
    adding = 0;
    reported = 0;
    removing = 0;
    leave_asked = 0;
    sent = 0;
    proposed = 0;
    failed = 0;
    for (n : 1 .. INCS) {
        flight[n] = 0;
        last_seq[n] = 0;
        heard_upto[n] = 0
    }
    n = 0;
    for (s : 0 .. SLOTS - 1) {
        slot_is[s] = UNKNOWN;
        at[s] = 0
    }
    s = 0;
    for (j : 0 .. JOBS - 1) {
        seq[j] = 0
    }
    j = 0;
    proposed_epoch = 0;
    enter_phase1 ();
    resize = IDLE
}

/* A new term begins: what was proposed in the one before and is not applied by now never will be. */
inline begin_term ()
{
    do
    :: log?_, _, _, _, _
    :: empty (log) -> break
    od;
    term++;
    begun = true
}

/* begin_to_lead: the barrier of its term is applied. */
inline lead ()
{
    begun = false;
    leading = true;
    refresh_all ();
    proposed_epoch = epoch;
    resize = (member || committed_epoch < epoch -> PHASE1 : IDLE)
}

#define SLOTS_KNOWN (EVERY_SLOT (IS_KNOWN))
#define IS_KNOWN(s) (slot_is[s] != UNKNOWN)
#define SLOTS_SETTLED (EVERY_SLOT (IS_SETTLED))
#define IS_SETTLED(s) (!(FLYING & SLOT_JOBS (s)) || at[s] == target[s])

#define ALL_SETTLED (!(COUNTED_IN & counted & ~settled) || BROKEN (COMMIT))

/* is_incomplete and leave_asked: the newest assignment is not what it would be now. */
#define STAYING (member & ~removing & ~leave_asked & ~leaving)
#define WANTED ((STAYING & ~ring) || (leave_asked & member & ~removing & ~leaving) || (STAYING && SOME_SLOT (HOMELESS)))
#define HOMELESS(s) (!HAS (ring, target[s]))

inline propose_begin ()
{
    if
    :: proposed_epoch < epoch -> proposed_epoch = epoch
    :: else
    fi;
    proposed_epoch++;
    log!EV_BEGIN(proposed_epoch, STAYING, (member & ~removing & (leave_asked | leaving)), 0);
    resize = BEGUN
}


inline enter_phase2 ()
{
    resize = PHASE2;
    published = 0;
    counted = member;
    settled = 0;
    for (n : 1 .. INCS) {
        sync_to = (HAS (synced, n) && current_job[n] > sync_to -> current_job[n] : sync_to)
    }
    n = 0
}

/* Nothing is left to do but to log it. A new leader that found no resize running has nothing to log. */
inline end_resize ()
{
    check_end ();
    published = 0;
    if
    :: committed_epoch < epoch ->
        log!EV_COMMIT(epoch, 0, 0, 0);
        resize = COMMITTING
    :: else -> resize = IDLE
    fi
}

/* take_join */
inline hear_join (i_)
{
    if
    :: HAS (removing | adding, i_)
    :: HAS (COUNTED_IN, i_) -> send_down (home[i_], term, M_JOINED, epoch, i_, 0, 0, 0)
    :: !HAS (member | adding, i_) && IS_BARRED (i_) -> send_down (home[i_], term, M_REJOIN, 0, i_, 0, 0, 0)
    :: else ->
        adding = adding | BIT (i_);
        log!EV_ADD(i_, 0, 0, 0)
    fi
}

inline dispatch (j_)
{
    sent = sent | BIT (j_);
    flight[i] = flight[i] | BIT (j_);
    last_seq[i]++;
    seq[j_] = last_seq[i]
}

/* What a worker reads of what is published at present: the phase, whether it is named, and the slots that it loses, since it
 * holds them and is not their target.
 */
inline present_sync (i_)
{
    m_term = term;
    m_epoch = epoch;
    m_x = (resize == PHASE1 -> 1 : (resize == PHASE2 -> 2 : 3));
    m_y = HAS (counted, i_);
    m_z = 0;
    for (s : 0 .. SLOTS - 1) {
        m_z = m_z | ((HAS (holders[s], i_) && target[s] != i_) << s)
    }
    s = 0
}

inline go_on ()
{
    may = CAN_PHASE2;
    if
    :: may ->
        enter_phase2 ();
        DID (EV_PHASE2)
    :: else
    fi;
    may = CAN_END_RESIZE;
    if
    :: may ->
        end_resize ();
        DID (EV_END_RESIZE)
    :: else
    fi
}
