/*  The ring and its resize (docs/architecture.md, docs/protocol.md), as small as it can be and still go wrong.
 *
 *  The one rule: a slot is dispatched only to its owner, and its owner changes only while nothing of the slot is in flight.
 *  What is modelled: the ledger, the leader, the workers and the messages between them; src/core does the same by the same
 *  names. What is left out: time (a lease that is over is an event; a worker is removed only when its lease is), jobs
 *  without a key, at-most-once, credit, and the bytes.
 *
 *  Every transition is a line of the loop at the end of this file: its name, when it may happen, and what it does in one
 *  step. Two programs are made of it:
 *    - the search (models/check): everything that can happen in a small cluster with a few faults;
 *    - the replay (-DREPLAY, models/replay): each transition takes the next event of a trace that real code has left
 *      (EVENTS.md), and a trace that ends is a behaviour of this model.
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
SET member, ring, leaving, removed; /* incarnations; removed ones never come back */
SET holders[SLOTS];          /* who may hold jobs of a slot */
byte target[SLOTS];
SET accepted, ended; /* jobs */
SET ran_well;        /* have ended well at a worker that still knows, or has been told that the ledger does */
byte attempt[JOBS];  /* of the one that runs or comes next, from 0 */

/* Proposed, not applied yet: they are applied in this order, or lost with their leader. */
chan log = [LOG] of { byte, byte, SET, SET, byte } /* which EV_…, and what it says */

/* ---- the leader: what it believes, lost with it ----------------------------------------------------------------- */

#define IDLE 0
#define BEGUN 1 /* proposed */
#define PHASE1 2
#define PHASE2 3
#define COMMITTING 4 /* proposed */

#define UNKNOWN 0
#define SHUT 1
#define OPEN 2

bool leading, begun; /* begun: its term has, and it does not lead yet */
byte resize, proposed_epoch, sync_to;
SET reported, removing, leave_asked, synced, settled, counted; /* incarnations */
byte last_seq[INCS1], heard_upto[INCS1], current_job[INCS1];
SET flight[INCS1];       /* the jobs in flight at each; all of them are ... */
SET sent, proposed, failed; /* ... in flight, or their completion is proposed, or their attempt failed and is held still */
byte seq[JOBS];          /* of its dispatch in this term; 0: learnt from a report */
byte slot_is[SLOTS], at[SLOTS]; /* at: who may hold its jobs */

#define FLYING (sent | proposed | failed)
#define COUNTED_IN (member & ~removing)
#define IS_BARRED(i) (HAS (removed, i) && !BROKEN (TWICE))

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
byte losses, delays;             /* a message is lost; something published is read late */
byte overtakes, doubles;         /* a message overtakes another; comes twice, or is a join that comes late */
byte broken;                     /* the rule that is left out */
bool stale_too, phase3_too;      /* what will be dropped is kept on its way; phase 3, that nobody waits for, is said */

bool newest_too;                 /* workers know the newest job they got, which current_job and sync_to are made of */

#define BROKEN(what) (broken == BROKEN_##what)

/* ---- passing things ---------------------------------------------------------------------------------------------- */

SET adding;    /* incarnations whose join is proposed */
SET published; /* who has been sent the present phase: only broken leaders look */
byte m_target[SLOTS], m_share[INCS1]; /* what a resize chooses, on the way */

#ifdef REPLAY
c_decl { \#include "replay.h" };
#else
c_decl { \#include "search.h" };
#endif

#include "needs.pml"
#include "steps.pml"
#include "network.pml"
#include "never.pml"
#include "leader.pml"
#include "ledger.pml"
#include "worker.pml"

/* ---- where it begins --------------------------------------------------------------------------------------------- */

/* What was needed on the way is forgotten, so that it does not tell states apart. */
inline rest ()
{
    w = 0;
    i = 0;
    j = 0;
    s = 0;
    n = 0;
    may = false;
    speaks = false;
    m_part = 0;
    m_term = 0;
    m_epoch = 0;
    m_inc = 0;
    m_upto = 0;
    m_held = 0;
    m_x = 0;
    m_y = 0;
    m_z = 0;
    m_tell = 0;
    for (n : 0 .. JOBS - 1) {
        m_past[n] = 0
    }
    n = 0;
    l_b = 0;
    l_c = 0;
    l_d = 0
}

inline found ()
{
#ifndef REPLAY
    term = 1;
    leading = true;
    epoch = 1;
    committed_epoch = 1;
    proposed_epoch = 1;
    for (w : 0 .. founders - 1) {
        boot (w);
        is[w] = MEMBER;
        leased = leased | BIT (w);
        worker_term[w] = 1;
        sync_term[w] = 1;
        sync_epoch[w] = 1;
        joined_term[w] = 1;
        joined_epoch[w] = 1;
        over = over | BIT (w);
        member = member | BIT (inc[w])
    }
    ring = member;
    reported = member;
    for (s : 0 .. SLOTS - 1) {
        target[s] = 1 + s % founders;
        holders[s] = BIT (target[s]);
        slot_is[s] = OPEN;
        at[s] = target[s]
    }
#else
    skip
#endif
}

/* ---- the transitions --------------------------------------------------------------------------------------------- */

active proctype cluster ()
{
    byte w, i, j, s, n;
    bool may, speaks;
    byte m_part, m_term, m_epoch, m_inc, m_upto, m_x, m_y, m_z; /* what is in a message */
    byte l_d;                                                    /* and what is in an entry: i, … */
    SET m_held, m_tell, l_b, l_c;
    byte m_past[JOBS]; /* attempts */

    d_step {
        c_code { BEGIN; };
        found ();
        rest ()
    }
    do
    :: atomic {
        if

        /* ---- a master's life, and its ledger ---- */

        :: leading && CAN_FALL && ON (EV_DOWN) -> STEP {
                FAULT (leaders);
                drop_leader ();
                DID (EV_DOWN)
            }
        :: !leading && ON (EV_BARRIER) && MAY_BEGIN -> STEP {
                begin_term ();
                EXPECT (ARG0, term);
                DID (EV_BARRIER)
            }
        :: !leading && begun && ON (EV_LEAD) -> STEP {
                lead ();
                EXPECT (ARG0, term);
                DID (EV_LEAD)
            }
        :: log?[EV_ADD, i, l_b, l_c, l_d] && ON (EV_ADD) && EVERY_W (ROOM) -> STEP {
                log?EV_ADD(i, l_b, l_c, l_d);
                EXPECT (ARG0, i);
                apply_add (i);
                DID (EV_ADD)
            }
        :: log?[EV_REMOVE, i, l_b, l_c, l_d] && ON (EV_REMOVE) && EVERY_W (ROOM) -> STEP {
                log?EV_REMOVE(i, l_b, l_c, l_d);
                EXPECT (ARG0, i) && EXPECT (ARG1, l_b);
                m_y = SAID_BY (ARG2); /* those that have crashed too often */
                apply_remove (i, l_b);
                DID (EV_REMOVE)
            }
        :: log?[EV_BEGIN, i, l_b, l_c, l_d] && ON (EV_BEGIN) -> STEP {
                log?EV_BEGIN(i, l_b, l_c, l_d);
                EXPECT (ARG0, i) && EXPECT (ARG1, l_b & member) && EXPECT (ARG2, l_c & member);
                choose_targets (l_b & member);
                apply_begin (i, l_b, l_c);
                DID (EV_BEGIN)
            }
        :: log?[EV_COMMIT, i, l_b, l_c, l_d] && ON (EV_COMMIT) -> STEP {
                log?EV_COMMIT(i, l_b, l_c, l_d);
                EXPECT (ARG0, i);
                apply_commit (i);
                DID (EV_COMMIT)
            }
        :: log?[EV_ENDED, i, l_b, l_c, l_d] && ON (EV_ENDED) && EVERY_W (ROOM) -> STEP {
                log?EV_ENDED(i, l_b, l_c, l_d);
                j = l_b;
                EXPECT (ARG0, j) && EXPECT (ARG1, i) && EXPECT (ARG2, l_d) && EXPECT (ARG3, l_c);
                m_x = (SAID_BY (ARG4) == HAS_ENDED && l_c != WELL); /* it has no other attempt */
                m_y = (!COUNTS (i, j, l_d) -> CHANGED_NOTHING : (l_c == WELL || m_x -> HAS_ENDED : WAITS_AGAIN));
                EXPECT (ARG4, m_y);
                apply_ended (i, j, l_c, l_d);
                DID (EV_ENDED)
            }

        /* ---- the leader ---- */

        :: leading && WISHES && LOG_ROOM (2) && ON (EV_PROPOSE_BEGIN) -> STEP {
                propose_begin ();
                EXPECT (ARG0, proposed_epoch);
                DID (EV_PROPOSE_BEGIN)
            }
        :: I_FOR (EV_PROPOSE_REMOVE, CAN_REMOVE);
            STEP {
                removing = removing | BIT (i);
                log!EV_REMOVE(i, (flight[i] & sent), 0, 0);
                AND_BEGINS
                DID (EV_PROPOSE_REMOVE)
            }
        :: I_FOR (EV_DRAIN, CAN_DRAIN);
            STEP {
                FAULT (stops);
                leave_asked = leave_asked | BIT (i);
                DID (EV_DRAIN)
            }
        :: I_FOR (EV_DISMISS, CAN_DISMISS);
            STEP {
                removing = removing | BIT (i);
                log!EV_REMOVE(i, 0, 0, 0);
                DID (EV_DISMISS)
            }
        :: CAN_PHASE2 && ON (EV_PHASE2) -> STEP {
                enter_phase2 ();
                DID (EV_PHASE2)
            }
        :: CAN_END_RESIZE && ON (EV_END_RESIZE) -> STEP {
                end_resize ();
                DID (EV_END_RESIZE)
            }

        /* ---- the workers ---- */

        :: W_FOR (EV_BOOT, CAN_BOOT);
            STEP {
                boot (w);
                EXPECT (ARG1, born);
                ask (w);
                DID (EV_BOOT)
            }
        :: W_FOR (EV_CRASH, CAN_CRASH);
            STEP {
                FAULT (crashes);
                wipe (w);
                cut (w);
                is[w] = OFF;
                DID (EV_CRASH)
            }
        :: W_FOR (EV_LAPSE, CAN_LAPSE);
            STEP {
                lapse (w);
                DID (EV_LAPSE)
            }
        :: W_FOR (EV_SLEEP, CAN_SLEEP);
            STEP {
                FAULT (sleeps);
                late = late | BIT (w);
                leased = leased & ~BIT (w);
                DID (EV_SLEEP)
            }
        :: W_FOR (EV_RENEW, CAN_RENEW);
            STEP {
                leased = leased | BIT (w);
                late = late & ~BIT (w);
                SAYS
                DID (EV_RENEW)
            }
        :: W_FOR (EV_STOP, CAN_STOP);
            STEP {
                FAULT (stops);
                stopped = stopped | BIT (w);
                queued[w] = 0;
                SAYS
                DID (EV_STOP)
            }
        :: WJ_FOR (EV_START, CAN_START);
            STEP {
                check_start (w, j);
                queued[w] = queued[w] & ~BIT (j);
                running[w] = running[w] | BIT (j);
                DID (EV_START)
            }
        :: WJ_FOR (EV_FINISH, CAN_FINISH);
            if
            :: MAY_END (running[w], WELL) -> m_z = WELL
            :: MAY_END (cancelled[w], INTERRUPTED) -> m_z = INTERRUPTED
            :: MAY_FAIL (w) -> m_z = RETRY
            fi;
            STEP {
                if
                :: m_z == RETRY -> FAULT (failures)
                :: else
                fi;
                finish (w, j, m_z);
                SAYS
                DID (EV_FINISH)
            }

        /* ---- what is said and heard ---- */

#ifdef REPLAY
#include "replay.pml"
#else
#include "search.pml"
#endif
        fi;
        STEP {
#ifndef REPLAY
            if
            :: speaks -> speak (w)
            :: else
            fi;
            go_on ();
#endif
            rest ()
        }
    }
    :: QUIET && ON (EV_END) -> break
    od
}

/* Whatever happened, in the end every job has ended and no resize is under way. */
ltl it_ends { <> [] QUIET }
