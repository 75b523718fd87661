/*  What the model, its C code and whoever writes a trace for it call things: one list for all (EVENTS.md says what each event
 *  means).
 */
#ifndef MODEL
#pragma once
#endif

/* The transitions. */
#define EV_END            0
#define EV_ACCEPT         1
#define EV_DOWN           2
#define EV_BARRIER        3
#define EV_LEAD           4
#define EV_ADD            5
#define EV_REMOVE         6
#define EV_BEGIN          7
#define EV_COMMIT         8
#define EV_ENDED          9
#define EV_PROPOSE_BEGIN  10
#define EV_PROPOSE_REMOVE 11
#define EV_DRAIN          12
#define EV_DISMISS        13
#define EV_PHASE2         14
#define EV_END_RESIZE     15
#define EV_SYNC           16
#define EV_DISPATCH       17
#define EV_RESEND         18
#define EV_HEAR_JOIN      19
#define EV_HEAR           20
#define EV_BOOT           21
#define EV_CRASH          22
#define EV_LAPSE          23
#define EV_SLEEP          24
#define EV_RENEW          25
#define EV_STOP           26
#define EV_START          27
#define EV_FINISH         28
#define EV_SAY            29
#define EV_TAKE           30
#define EV_TOLD           31
#define EV_JOINED         32
#define EV_REJOIN         33
#define EV_LEFT           34
#define EV_SYNCED         35
#define EV_LOST           36
#define EV_COUNT          37

/* The parts of what a worker says: every one carries (term, incarnation, upto, held), and three numbers more. */
#define BEAT    1 /* 0 0 0 */
#define ANSWER1 2 /* epoch current_job 0; in a trace: epoch 0 0 */
#define ANSWER2 3 /* epoch ok 0 */
#define DONE    4 /* job attempt verdict */
#define LEAVE   5 /* 0 0 0 */
#define ANSWER3 6 /* epoch 0 0: a courtesy, and no report */

/* Messages to a worker, as what they do to it. */
#define M_DISPATCH    EV_TAKE /* seq job attempt */
#define M_COMMITTED   EV_TOLD /* jobs, the attempts at them, 0 */
#define EVERY_ATTEMPT 255     /* of a job that has ended */
#define M_JOINED      EV_JOINED
#define M_REJOIN      EV_REJOIN
#define M_LEFT        EV_LEFT

/* Verdicts: a death counts as well, since it is as final. */
#define WELL        1
#define RETRY       2
#define INTERRUPTED 3

/* What became of a completion. */
#define CHANGED_NOTHING 0
#define HAS_ENDED       1
#define WAITS_AGAIN     2

/* What may be broken on purpose: a rule each that Spin has to miss. */
#define BROKEN_EARLY     1  /* a slot changes hands without waiting for its jobs */
#define BROKEN_HOLDERS   2  /* a new leader does not wait for the reports of those who may hold jobs */
#define BROKEN_WATERMARK 3  /* what a worker does not hold any more is not taken for handed back */
#define BROKEN_STALE     4  /* an ok of an earlier resize counts for this one */
#define BROKEN_REMOVING  5  /* whoever is to be removed is heard, and keeps its lease, as if nothing were */
#define BROKEN_FENCE     6  /* the same, but for the lease; and a completion counts whoever it is from */
#define BROKEN_COMMIT    7  /* the resize is committed when the leader's table is clean, without every ok */
#define BROKEN_TERM      8  /* a dispatch of a leader of the past is taken */
#define BROKEN_INC       9  /* a dispatch to its predecessor is taken */
#define BROKEN_DRAINING  10 /* ok is said while jobs of lost slots still run */
#define BROKEN_REPEAT    11 /* what is published is published once */
#define BROKEN_TWICE     12 /* who was removed may be a member again */
#define BROKEN_AGAIN     13 /* committed means every attempt */
#define BROKEN_COUNT     14

#ifndef MODEL
static const char *const event_names[EV_COUNT] = {
    [EV_END] = "end",
    [EV_ACCEPT] = "accept",
    [EV_DOWN] = "down",
    [EV_BARRIER] = "barrier",
    [EV_LEAD] = "lead",
    [EV_ADD] = "add",
    [EV_REMOVE] = "remove",
    [EV_BEGIN] = "begin",
    [EV_COMMIT] = "commit",
    [EV_ENDED] = "ended",
    [EV_PROPOSE_BEGIN] = "propose_begin",
    [EV_PROPOSE_REMOVE] = "propose_remove",
    [EV_DRAIN] = "drain",
    [EV_DISMISS] = "dismiss",
    [EV_PHASE2] = "phase2",
    [EV_END_RESIZE] = "end_resize",
    [EV_SYNC] = "sync",
    [EV_DISPATCH] = "dispatch",
    [EV_RESEND] = "resend",
    [EV_HEAR_JOIN] = "hear_join",
    [EV_HEAR] = "hear",
    [EV_BOOT] = "boot",
    [EV_CRASH] = "crash",
    [EV_LAPSE] = "lapse",
    [EV_SLEEP] = "sleep",
    [EV_RENEW] = "renew",
    [EV_STOP] = "stop",
    [EV_START] = "start",
    [EV_FINISH] = "finish",
    [EV_SAY] = "say",
    [EV_TAKE] = "take",
    [EV_TOLD] = "told",
    [EV_JOINED] = "joined",
    [EV_REJOIN] = "rejoin",
    [EV_LEFT] = "left",
    [EV_SYNCED] = "synced",
    [EV_LOST] = "lost",
};

static const char *const broken_names[BROKEN_COUNT] __attribute__ ((unused)) = {
    "nothing", "early", "holders", "watermark", "stale",  "removing", "fence",
    "commit",  "term",  "inc",     "draining",  "repeat", "twice",    "again",
};
#endif
