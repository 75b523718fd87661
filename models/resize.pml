/*  The ring and its resize (docs/architecture.md, docs/protocol.md), as small as it can be and still go wrong.
 *
 *  The one rule: a slot is dispatched only to its owner, and its owner changes only while nothing of the slot is in flight.
 *  What is modelled: the ledger, the leader, the workers and the messages between them; src/core does the same by the same
 *  names. What is left out: time (a lease that is over is an event; a worker is removed only when its lease is), jobs
 *  without a key, at-most-once, credit, and the bytes.
 *
 *  Every transition is a line of the loop at the end of this file: its name, when it may happen, and what it does in one
 *  step. models/check searches all that can happen in a small cluster in which a little goes wrong.
 *
 *  A message that is repeated until it is answered is repeated here only when it is needed: it, and its answer, are
 *  not on their way, and it would change something. So every run is finite, and "it ends" is a matter of where runs end.
 *
 *  Incarnations count from 1, 0 is nobody; sets are bit masks. Workers (processes), slots and jobs count from 0.
 */
#define MODEL
#include "names.h"
#include "cluster.pml"

#define BIT(x) (1 << (x))
#define HAS(set, x) (((set) >> (x)) & 1)

/* ---- the ledger: what has been applied -------------------------------------------------------------------------- */

byte term, epoch, committed_epoch; /* a resize is current while committed_epoch < epoch */
SET member, ring, leaving;   /* incarnations */
SET holders[SLOTS];          /* who may hold jobs of a slot */
byte target[SLOTS];
SET accepted, ended; /* jobs */
byte attempt[JOBS];  /* of the one that runs or comes next, from 0 */

/* Proposed, not applied yet: they are applied in this order, or lost with their leader. */
mtype = { M_ADD, M_REMOVE, M_BEGIN, M_COMMIT, M_ENDED };
chan log = [LOG] of { mtype, byte, SET, SET, byte }

/* ---- the leader: what it believes, lost with it ----------------------------------------------------------------- */

#define IDLE 0
#define BEGUN 1 /* proposed */
#define PHASE1 2
#define PHASE2 3
#define COMMITTING 4 /* proposed */

#define UNKNOWN 0
#define SHUT 1
#define OPEN 2

bool leading;
byte resize, proposed_epoch, sync_to;
SET reported, removing, leave_asked, synced, settled, counted; /* incarnations */
byte last_seq[INCS1], heard_upto[INCS1], current_job[INCS1];
SET flight[INCS1];       /* the jobs in flight at each; all of them are ... */
SET sent, proposed, failed; /* ... in flight, or their completion is proposed, or their attempt failed and is held still */
byte seq[JOBS];          /* of its dispatch in this term; 0: learnt from a report */
byte slot_is[SLOTS], at[SLOTS]; /* at: who may hold its jobs */

#define FLYING (sent | proposed | failed)
#define COUNTED_IN (member & ~removing)

/* ---- the workers ------------------------------------------------------------------------------------------------ */

#define OFF 0
#define NEW 1    /* asks to join */
#define MEMBER 2 /* believes to be one */
#define FORGET 3 /* was removed: waits for its handlers to end */

byte is[WORKERS];
byte inc[WORKERS];     /* its incarnation */
byte home[INCS1], born; /* whose an incarnation is; how many there have been */
SET leased, late, stopped; /* processes: may start jobs; was asleep beyond its lease; wants to leave */
byte worker_term[WORKERS], upto[WORKERS], newest_job[WORKERS];
SET queued[WORKERS], running[WORKERS], cancelled[WORKERS]; /* jobs; cancelled ones run still */
SET well[WORKERS], failing[WORKERS], interrupted[WORKERS]; /* ended, by verdict, and not committed */
byte job_attempt[WORKERS_JOBS];
byte closed[WORKERS_SLOTS]; /* the epoch that closed a slot; 0: open */
byte sync_term[WORKERS], sync_epoch[WORKERS], frozen_job[WORKERS]; /* the newest resize it has seen */
SET answered, shut, over; /* processes: phase 1 was answered, phase 2 was done, phase 3 has come */
byte joined_term[WORKERS], joined_epoch[WORKERS];

#define AT_HOME(i) (is[home[i]] == MEMBER && inc[home[i]] == (i))
#define ATTEMPT(w, j) job_attempt[(w) * JOBS + (j)]
#define CLOSED(w, s) closed[(w) * SLOTS + (s)]
#define RUNS(w) (running[w] | cancelled[w])
#define FINISHED(w) (well[w] | failing[w] | interrupted[w])
#define HELD(w) (queued[w] | RUNS (w) | FINISHED (w))

/* ---- what may go wrong: each so often (search.h) ----------------------------------------------------------------- */

byte founders, incs;             /* members from the start; so many incarnations there may be */
byte crashes, lapses, sleeps;    /* a process dies; a lease runs out; the same, and its handlers run on when it is removed */
byte leaders, stops, failures;   /* the leader dies; a worker wants to leave; a handler fails, with another attempt to come */
byte losses, delays, overtakes;  /* a message is lost; something published is read late; a message overtakes another */
byte broken;                     /* the rule that is left out */
bool stale_too, phase3_too;      /* what will be dropped is kept on its way; phase 3, that nobody waits for, is said */
bool newest_too;                 /* workers know the newest job they got, which current_job and sync_to are made of */

#define BROKEN(what) (broken == BROKEN_##what)

SET published; /* who has been sent the present phase: only broken leaders need to know */
SET adding; /* joins that are proposed */
byte m_target[SLOTS], m_share[INCS1]; /* what a resize chooses, on the way */

#include "network.pml"

/* ---- the leader's services --------------------------------------------------------------------------------------- */

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
        log!M_ENDED(i_, j_, verdict_, attempt_)
    :: else -> m_tell = m_tell | BIT (j_)
    fi
}

/* rm_leader_sync_answer */
inline take_answer1 (i_, term_, epoch_, job_)
{
    if
    :: epoch_ == epoch && !HAS (synced, i_) ->
        synced = synced | BIT (i_);
        current_job[i_] = job_
    :: epoch_ == epoch && HAS (synced, i_) -> assert (current_job[i_] == job_) /* frozen, and so is sync_to */
    :: else
    fi
}

inline take_answer2 (i_, term_, epoch_, ok_)
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
    :: HAS (member, m_inc) && HAS (HEARD, m_inc) && m_term == term ->
        take_report (m_inc, m_upto, m_held);
        if
        :: m_part == ANSWER1 -> take_answer1 (m_inc, m_term, m_x, m_y)
        :: m_part == ANSWER2 -> take_answer2 (m_inc, m_term, m_x, m_y)
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

/* begin_to_lead: the barrier of a new term is applied, and what was not by now never will be. */
inline lead ()
{
    do
    :: log?_, _, _, _, _
    :: empty (log) -> break
    od;
    term++;
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
    log!M_BEGIN(proposed_epoch, STAYING, (member & ~removing & (leave_asked | leaving)), 0);
    resize = BEGUN
}

/* ---- apply ------------------------------------------------------------------------------------------------------- */

inline apply_add (i_)
{
    if
    :: !HAS (member, i_) ->
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

/* ---- the worker's services --------------------------------------------------------------------------------------- */

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
    inc[w_] = 0;
    leased = leased & ~BIT (w_);
    late = late & ~BIT (w_);
    answered = answered & ~BIT (w_);
    shut = shut & ~BIT (w_);
    over = over & ~BIT (w_);
    worker_term[w_] = 0;
    upto[w_] = 0;
    newest_job[w_] = 0;
    queued[w_] = 0;
    running[w_] = 0;
    cancelled[w_] = 0;
    well[w_] = 0;
    failing[w_] = 0;
    interrupted[w_] = 0;
    sync_term[w_] = 0;
    sync_epoch[w_] = 0;
    frozen_job[w_] = 0;
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
    if
    :: is[w_] == FORGET -> cancelled[w_] = cancelled[w_] & ~BIT (j_)
    :: else ->
        if
        :: HAS (cancelled[w_], j_) -> interrupted[w_] = interrupted[w_] | BIT (j_)
        :: HAS (running[w_], j_) && verdict_ == RETRY -> failing[w_] = failing[w_] | BIT (j_)
        :: else -> well[w_] = well[w_] | BIT (j_)
        fi;
        if
        :: HAS (failing[w_] | interrupted[w_], j_) -> queued[w_] = queued[w_] & ~KEY_JOBS (j_)
        :: else
        fi;
        running[w_] = running[w_] & ~BIT (j_);
        cancelled[w_] = cancelled[w_] & ~BIT (j_)
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
            :: HAS (stopped, w_) || m_epoch < CLOSED (w_, SLOT (m_y)) /* handed back at once */
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

inline joined (w_)
{
    if
    :: m_inc == inc[w_] && is[w_] != OFF && is[w_] != FORGET && m_term >= worker_term[w_] ->
        adopt_term (w_, m_term);
        if
        :: is[w_] == NEW ->
            is[w_] = MEMBER;
            leased = leased | BIT (w_);
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

/* ---- what must never be ------------------------------------------------------------------------------------------ */

/* A job starts: nobody else runs anything of its slot, unless it slept beyond its lease and is fenced; those before it of
 * its key have ended, and it has not. */
inline check_start (w_, j_)
{
    for (n : 0 .. WORKERS - 1) {
        assert (n == w_ || !(RUNS (n) & SLOT_JOBS (SLOT (j_))) || (HAS (late, n) && !HAS (member, inc[n])))
    }
    n = 0;
    assert (!(RUNS (w_) & KEY_JOBS (j_)));
    assert (!(BEFORE (j_) & ~ended) && !HAS (ended, j_))
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

c_decl { \#include "search.h" };

#include "needs.pml"
#include "steps.pml"
