/*  The worker's half (src/core/work*.c). */

inline adopt_term (w_, term_)
{
    if
    :: term_ > worker_term[w_] ->
        worker_term[w_] = term_;
        upto[w_] = 0;
        cut_older (w_, term_)
    :: else
    fi
}

/* rm_work_forget: handlers that run are told to stop */
inline forget (w_)
{
    is[w_] = FORGET;
    ran_well = ran_well & ~well[w_];
    leased = leased & ~BIT (w_);
    cancelled[w_] = RUNS (w_);
    queued[w_] = 0;
    running[w_] = 0;
    well[w_] = 0;
    failing[w_] = 0;
    interrupted[w_] = 0
}

/* The process is gone, or begins anew; all but its place is forgotten. */
inline wipe (w_)
{
    ran_well = ran_well & ~well[w_];
    inc[w_] = 0;
    leased = leased & ~BIT (w_);
    late = late & ~BIT (w_);
    answered = answered & ~BIT (w_);
    shut = shut & ~BIT (w_);
    over = over & ~BIT (w_);
    worker_term[w_] = 0;
    upto[w_] = 0;
    newest_job[w_] = 0;
    frozen_job[w_] = 0;
    queued[w_] = 0;
    running[w_] = 0;
    cancelled[w_] = 0;
    well[w_] = 0;
    failing[w_] = 0;
    interrupted[w_] = 0;
    sync_term[w_] = 0;
    sync_epoch[w_] = 0;
    joined_term[w_] = 0;
    joined_epoch[w_] = 0;
    for (s : 0 .. SLOTS - 1) {
        CLOSED (w_, s) = 0
    }
    s = 0;
    for (j : 0 .. JOBS - 1) {
        ATTEMPT (w_, j) = 0
    }
    j = 0
}

/* A handler has ended. Whatever but success or death hands back what waits behind it. */
inline finish (w_, j_, verdict_)
{
    running[w_] = running[w_] & ~BIT (j_);
    cancelled[w_] = cancelled[w_] & ~BIT (j_);
    if
    :: is[w_] == MEMBER && verdict_ == WELL ->
        well[w_] = well[w_] | BIT (j_);
        ran_well = ran_well | (HAS (member, inc[w_]) -> BIT (j_) : 0)
    :: is[w_] == MEMBER && verdict_ == RETRY -> failing[w_] = failing[w_] | BIT (j_)
    :: is[w_] == MEMBER && verdict_ == INTERRUPTED -> interrupted[w_] = interrupted[w_] | BIT (j_)
    :: else
    fi;
    if
    :: is[w_] == MEMBER && verdict_ != WELL -> queued[w_] = queued[w_] & ~KEY_JOBS (j_)
    :: else
    fi
}

inline settle (w_, jobs_)
{
    well[w_] = well[w_] & ~(jobs_);
    failing[w_] = failing[w_] & ~(jobs_);
    interrupted[w_] = interrupted[w_] & ~(jobs_)
}

#define TOO_OLD(w, t) ((t) < worker_term[w] && !BROKEN (TERM))
#define FOR_ME(w) (m_inc == inc[w] || BROKEN (INC))
#define IS_NEXT(w) (m_x == upto[w] + 1)

#define IS_CLOSED(w) (m_epoch <= CLOSED (w, SLOT (m_y)))

/* receive_one: m_x is the seq, m_y the job, m_z the attempt. */
inline take (w_)
{
    if
    :: is[w_] == MEMBER && FOR_ME (w_) && !TOO_OLD (w_, m_term) ->
        adopt_term (w_, m_term);
        if
        :: IS_NEXT (w_) ->
            upto[w_] = m_x;
            newest_job[w_] = (newest_too && m_y >= newest_job[w_] -> m_y + 1 : newest_job[w_]);
            if
            :: HAS (stopped, w_) || IS_CLOSED (w_) /* handed back at once */
            :: else ->
                if
                :: HAS (queued[w_], m_y) -> ATTEMPT (w_, m_y) = m_z
                :: HAS (RUNS (w_), m_y)
                :: else ->
                    settle (w_, BIT (m_y));
                    if
                    :: (failing[w_] | interrupted[w_]) & KEY_JOBS (m_y) /* handed back at once */
                    :: else ->
                        CLOSED (w_, SLOT (m_y)) = 0;
                        queued[w_] = queued[w_] | BIT (m_y);
                        ATTEMPT (w_, m_y) = m_z
                    fi
                fi
            fi
        :: else
        fi
    :: else
    fi
}

/* Only what has ended can be forgotten, and of it no later attempt than those told. */
inline told (w_, jobs_)
{
    if
    :: is[w_] == MEMBER && m_inc == inc[w_] && m_term >= worker_term[w_] ->
        for (n : 0 .. JOBS - 1) {
            if
            :: HAS (jobs_, n) && (ATTEMPT (w_, n) <= m_past[n] || BROKEN (AGAIN)) -> settle (w_, BIT (n))
            :: else
            fi
        }
        n = 0
    :: else
    fi
}

#define IS_MEANT(w) ((is[w] == MEMBER || is[w] == NEW) && m_inc == inc[w] && m_term >= worker_term[w])

inline rejoin (w_)
{
    if
    :: IS_MEANT (w_) -> forget (w_)
    :: else
    fi
}

inline left (w_)
{
    if
    :: IS_MEANT (w_) ->
        stopped = stopped | BIT (w_);
        forget (w_)
    :: else
    fi
}

inline joined (w_)
{
    if
    :: m_inc == inc[w_] && is[w_] != OFF && is[w_] != FORGET && m_term >= worker_term[w_] ->
        adopt_term (w_, m_term);
        if
        :: is[w_] == NEW ->
            is[w_] = MEMBER;
            leased = leased | (HAS (COUNTED_IN, inc[w_]) -> BIT (w_) : 0); /* one that comes too late grants no lease */
            sync_term[w_] = m_term;
            sync_epoch[w_] = m_epoch;
            joined_term[w_] = m_term;
            joined_epoch[w_] = m_epoch
        :: else
        fi
    :: else
    fi
}

/* rm_work_sync_receive: m_x is the phase, m_y whether it is named, m_z the slots it loses. */
inline receive_sync (w_)
{
    if
    :: is[w_] == MEMBER && m_term >= worker_term[w_] ->
        adopt_term (w_, m_term);
        if
        :: m_term > sync_term[w_] || (m_term == sync_term[w_] && m_epoch > sync_epoch[w_]) ->
            sync_term[w_] = m_term;
            sync_epoch[w_] = m_epoch;
            frozen_job[w_] = 0;
            answered = answered & ~BIT (w_);
            shut = shut & ~BIT (w_);
            over = over & ~BIT (w_)
        :: else
        fi;
        if
        :: m_term < sync_term[w_] || m_epoch < sync_epoch[w_] || HAS (over, w_) /* stale: changes nothing */
        :: else ->
            if
            :: m_x == 3 -> over = over | BIT (w_)
            :: m_x == 1 ->
                frozen_job[w_] = (HAS (answered, w_) -> frozen_job[w_] : newest_job[w_]);
                answered = answered | BIT (w_)
            :: m_x == 2 && HAS (answered, w_) && m_y && !HAS (shut, w_) ->
                for (s : 0 .. SLOTS - 1) {
                    if
                    :: HAS (m_z, s) ->
                        CLOSED (w_, s) = m_epoch;
                        queued[w_] = queued[w_] & ~SLOT_JOBS (s)
                    :: else
                    fi
                }
                s = 0;
                shut = shut | BIT (w_)
            :: m_x == 2 && HAS (answered, w_) && !m_y &&
               (m_term != joined_term[w_] || m_epoch != joined_epoch[w_]) -> forget (w_)
            :: else
            fi
        fi
    :: else
    fi
}

#define IN_LOST_SLOT(w, s) (CLOSED (w, s) == sync_epoch[w] && (HELD (w) & SLOT_JOBS (s)))
#define DRAINED(w) (!SOME_SLOT_OF (IN_LOST_SLOT, w) || BROKEN (DRAINING))

/* ---- what is said ------------------------------------------------------------------------------------------------ */

/* Each message of a worker is its report, and one thing more. */
inline say (w_, part_, x_, y_, z_)
{
    send_up (w_, part_, worker_term[w_], inc[w_], upto[w_], HELD (w_), x_, y_, z_)
}

#define ANSWERS(w) (ROOM_UP (w) && is[w] == MEMBER && sync_term[w] == worker_term[w] && !HAS (over, w))
#define CAN_SAY_1(w) (ANSWERS (w) && HAS (answered, w) && NEEDS_1 (w))
#define CAN_SAY_2(w) (ANSWERS (w) && HAS (shut, w) && NEEDS_2 (w))
#define CAN_SAY_DONE(w, j) (ROOM_UP (w) && is[w] == MEMBER && HAS (leased, w) && HAS (FINISHED (w), j) && NEEDS_DONE (w, j))
#define CAN_SAY_BEAT(w) (ROOM_UP (w) && is[w] == MEMBER && NEEDS_BEAT (w))
#define CAN_SAY_LEAVE(w) (ROOM_UP (w) && is[w] == MEMBER && HAS (stopped, w) && NEEDS_LEAVE (w))

/* ok is said only when nothing is left of what was lost; checked against what runs, not against how ok came about. */
#define CHECK_OK(w)                                                                                                    \
    for (s : 0 .. SLOTS - 1) {                                                                                         \
        assert (CLOSED (w, s) != sync_epoch[w] || !((queued[w] | RUNS (w)) & SLOT_JOBS (s)))                             \
    }                                                                                                                  \
    s = 0


inline boot (w_)
{
    wipe (w_);
    stopped = stopped & ~BIT (w_);
    born++;
    home[born] = w_;
    inc[w_] = born;
    is[w_] = NEW
}

/* The lease is over: what runs is told to stop. Who was asleep finds that out when it wakes up. */
inline lapse (w_)
{
    if
    :: HAS (leased, w_) -> FAULT (lapses)
    :: else
    fi;
    leased = leased & ~BIT (w_);
    cancelled[w_] = RUNS (w_);
    running[w_] = 0
}

/* In the search, who boots asks to join in the same turn. */
inline ask (w_)
{
#ifndef REPLAY
    may = CAN_HEAR_JOIN (w_);
    if
    :: may -> hear_join (inc[w_])
    :: else
    fi
#else
    skip
#endif
}

inline say_done (w_, j_)
{
    say (w_, DONE, j_, ATTEMPT (w_, j_), (HAS (well[w_], j_) -> WELL : (HAS (failing[w_], j_) -> RETRY : INTERRUPTED)))
}

inline speak (w_)
{
    may = CAN_SAY_1 (w_);
    if
    :: may -> say (w_, ANSWER1, sync_epoch[w_], frozen_job[w_], 0)
    :: else
    fi;
    may = CAN_SAY_2 (w_);
    if
    :: may ->
        CHECK_OK (w_);
        say (w_, ANSWER2, sync_epoch[w_], 1, 0)
    :: else
    fi;
    for (j : 0 .. JOBS - 1) {
        may = CAN_SAY_DONE (w_, j);
        if
        :: may -> say_done (w_, j)
        :: else
        fi
    }
    may = CAN_SAY_LEAVE (w_);
    if
    :: may -> say (w_, LEAVE, 0, 0, 0)
    :: else
    fi
}
