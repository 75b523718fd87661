/*  What the model and its C code call things: one list for both. */

/* a master's life, and the ledger as it is applied */
#define EV_DOWN   1
#define EV_LEAD   2
#define EV_ADD    3
#define EV_REMOVE 4
#define EV_BEGIN  5
#define EV_COMMIT 6
#define EV_ENDED  7

/* what the leader does */
#define EV_PROPOSE_BEGIN  8
#define EV_PROPOSE_REMOVE 9
#define EV_END_RESIZE     10
#define EV_SYNC           11
#define EV_DISPATCH       12
#define EV_RESEND         13
#define EV_HEAR_JOIN      14
#define EV_HEAR           15

/* what a worker does and receives */
#define EV_BOOT    16
#define EV_CRASH   17
#define EV_LAPSE   18
#define EV_RENEW   19
#define EV_STOP    20
#define EV_SAY     21
#define EV_START   22
#define EV_FINISH  23
#define EV_JOINED  24
#define EV_TAKE    25
#define EV_TOLD    26
#define EV_REJOIN  27
#define EV_LEFT    28
#define EV_SYNCED  29
#define EV_SLEEP   30
#define EV_DISMISS 31
#define EV_PHASE2  32
#define EV_LOST    33 /* the network's */

#define EV_COUNT 34

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
#define BROKEN_COUNT     12

#ifndef MODEL
static const char *const broken_names[BROKEN_COUNT] = {
    "nothing", "early",  "holders", "watermark", "stale",    "removing",
    "fence",   "commit", "term",    "inc",       "draining", "repeat",
};

static const char *const event_names[EV_COUNT] = {
    [EV_DOWN] = "down",
    [EV_LEAD] = "lead",
    [EV_ADD] = "add",
    [EV_REMOVE] = "remove",
    [EV_BEGIN] = "begin",
    [EV_COMMIT] = "commit",
    [EV_ENDED] = "ended",
    [EV_PROPOSE_BEGIN] = "propose_begin",
    [EV_PROPOSE_REMOVE] = "propose_remove",
    [EV_END_RESIZE] = "end_resize",
    [EV_SYNC] = "sync",
    [EV_DISPATCH] = "dispatch",
    [EV_RESEND] = "resend",
    [EV_HEAR_JOIN] = "hear_join",
    [EV_HEAR] = "hear",
    [EV_BOOT] = "boot",
    [EV_CRASH] = "crash",
    [EV_LAPSE] = "lapse",
    [EV_RENEW] = "renew",
    [EV_STOP] = "stop",
    [EV_SAY] = "say",
    [EV_START] = "start",
    [EV_FINISH] = "finish",
    [EV_JOINED] = "joined",
    [EV_TAKE] = "take",
    [EV_TOLD] = "told",
    [EV_REJOIN] = "rejoin",
    [EV_LEFT] = "left",
    [EV_SYNCED] = "synced",
    [EV_SLEEP] = "sleep",
    [EV_DISMISS] = "dismiss",
    [EV_PHASE2] = "phase2",
    [EV_LOST] = "lost",
};
#endif

/* The parts of what a worker says: every one carries (term, inc, upto, held). */
#define BEAT    1 /* 0 0 0 */
#define ANSWER1 2 /* epoch current_job 0 */
#define ANSWER2 3 /* epoch ok 0 */
#define DONE    4 /* job attempt verdict */
#define LEAVE   5 /* 0 0 0 */

/* Verdicts. */
#define WELL        1
#define RETRY       2
#define INTERRUPTED 3
