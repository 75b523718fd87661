/*  The worker's half of the protocol (docs/protocol.md; "the ring and its resize" in docs/architecture.md): what a worker
 *  may run, what it holds, what it says, and when it has to stop.
 *
 *  Events go in by the functions below; `rm_work_effects` says what is to be done about all of them. Between the two the
 *  half only remembers: whatever happened in one turn of the shell's loop is told in as few messages as there can be.
 *
 *                    joined                 lease granted
 *      ┌─────┐ ───────────────▶ ┌────────┐ ─────────────▶ ┌────────┐ ── lease over ──▶ ┌──────────┐
 *      │ new │                  │ joined │                │ leased │                   │ unleased │
 *      └─────┘ ◀──────────┐     └────────┘                └────────┘ ◀── answered ──── └──────────┘
 *         ▲ no handler    │ rejoin  │  rejoin, left out      │                            │
 *         └── runs ── ┌────────┐ ◀──┴───────────────────────┴────────────────────────────┘
 *                     │ rejoin │            from anywhere: left, refused, hung, unreachable → over
 *                     └────────┘
 *
 *  Invariants:
 *    - a job is started only while the lease holds, in a slot that is open, and after the one before it of its (queue,
 *      key) was committed;
 *    - a job is started only in a slot that the program knows to be its own; a lost slot is told of when nothing of it runs,
 *      and `ok` is said when that has returned (if the program wants to be told at all);
 *    - what was handed back was never started and never will be (rm_work_try_start is the only way to start);
 *    - every dispatch up to `upto` has been received; of these exactly `held` are neither handed back nor committed;
 *    - a result is kept until it is committed, and sent again in a new term, on a new connection, and each second.
 *
 *  Memory that runs out is met as the network's losses are: what could not be taken is not received, what could not be
 *  written is not sent, and both are asked for again.
 *
 *  Thread rule: one thread (the loop's) calls everything, and holds the write side of one RWLock while it does;
 *  rm_work_try_start alone is for any thread that holds the read side. Times are milliseconds of one monotonic clock.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/msg.h"
#include "ringmaster/worker.h"

#define RM_WORK_NEVER UINT64_MAX /* a deadline that there is not */

enum {
    RM_WORK_RESEND_MS = 1000,          /* a result that nobody answered is sent again after this */
    RM_WORK_PATIENCE_MS = 10000,       /* without any master: before the first join, and while leaving */
    RM_WORK_MESSAGE_BYTES = 256 << 10, /* a `done` message is begun anew behind this */
    RM_WORK_PROGRESS_MS = 100,         /* at least, between two messages of `progress`, and of `partial` */
};

typedef struct rm_work rm_work_t;
typedef struct rm_work_job rm_work_job_t;
typedef struct rm_work_progress rm_work_progress_t;
typedef struct rm_work_partial rm_work_partial_t;

typedef enum {
    RM_WORK_NEW,      /* no member yet: asks to join */
    RM_WORK_JOINED,   /* a member that was never granted a lease: its `joined` came too late to count */
    RM_WORK_LEASED,   /* may start jobs */
    RM_WORK_UNLEASED, /* may not; has cancelled what ran */
    RM_WORK_REJOIN,   /* its incarnation was removed: waits for its handlers to end, then is new */
    RM_WORK_OVER,     /* done for good: rm_work_end_t says why */
    RM_WORK_STATES
} rm_work_state_t;

/*      dispatch            try_start            finished           sent             committed
 *     ─────────▶ queued ─────────────▶ running ─────────▶ finished ────▶ sent ─────────────▶ gone
 *                  │ slot lost,           │ incarnation     ▲  │           │                  ▲
 *                  ▼ leaving, …           ▼ removed         │  └───────────┼── committed ─────┤
 *               returned                 gone               └──────────────┘                  │
 *                                                    new term, new connection, no answer      removed
 */
typedef enum {
    RM_WORK_JOB_QUEUED,
    RM_WORK_JOB_RUNNING,
    RM_WORK_JOB_FINISHED, /* its result is still to be sent, or sent again */
    RM_WORK_JOB_SENT,     /* its result is on its way */
    RM_WORK_JOB_RETURNED, /* handed back: was never started */
    RM_WORK_JOB_GONE,     /* committed, or forgotten with its incarnation */
    RM_WORK_JOB_STATES
} rm_work_job_state_t;

/* Why a running job was told to stop. The first reason stays. */
typedef enum {
    RM_WORK_GO_ON,
    RM_WORK_STOP_TIMEOUT, /* ran past its timeout: will be RM_VERDICT_TIMEOUT */
    RM_WORK_STOP_LEASE,   /* the lease is lost: will be RM_VERDICT_INTERRUPTED */
    RM_WORK_STOP_ORDER,   /* nobody wants it any more: will be RM_VERDICT_DEAD, unless it succeeds */
    RM_WORK_STOP_REMOVED  /* its incarnation was removed: nobody wants to know */
} rm_work_stop_t;

typedef enum {
    RM_WORK_GOES_ON,
    RM_WORK_END_LEFT,        /* left in good order */
    RM_WORK_END_REFUSED,     /* the master will not have it; the text says why */
    RM_WORK_END_UNREACHABLE, /* no master answered for RM_WORK_PATIENCE_MS */
    RM_WORK_END_HUNG         /* a handler did not stop in time: the process must exit, after sending */
} rm_work_end_t;

/* What a run ended with. It belongs to the handler's thread from rm_work_try_start to rm_work_finished. */
typedef struct {
    uint32_t verdict; /* RM_VERDICT_OK, _RETRY or _DEAD */
    uint64_t ran_us;
    rm_buf_t reason; /* cut behind RM_REASON_BYTES_MAX when it is sent */
    rm_buf_t data;   /* the result */
} rm_work_result_t;

/* A job as the shell sees it. All but `result`, `cancelled` and the shell's own members is only to be read. */
struct rm_work_job {
    uint64_t id;
    uint64_t token;
    uint32_t attempt; /* from 1 */
    uint32_t queue;   /* index into the configured queues */
    uint32_t timeout_ms;
    rm_bytes_t key;            /* followed by a NUL; data == NULL: without a key */
    rm_bytes_t data;           /* followed by a NUL */
    uint32_t result_bytes_max; /* of the master it came from */
    atomic_bool cancelled;     /* the handler should stop */
    rm_work_result_t result;
    void *shell;             /* the shell's: who runs it */
    rm_work_job_t *run_next; /* the shell's: its run queue … */
    rm_work_job_t *run_prev;
    bool run_queued;            /* … and whether it is in there */
    rm_work_job_t *next_effect; /* links the lists of rm_work_effects_t */

    /* The half's own from here on. */
    rm_work_job_state_t state; /* moved only by work_jobs.c, along its table */
    rm_work_stop_t stop;
    uint64_t epoch;                           /* of its dispatch */
    uint32_t slot;                            /* RM_SLOTS: without a key */
    bool held;                                /* neither handed back, committed nor forgotten */
    bool offered;                             /* the shell has it, and owes a rm_work_finished or rm_work_declined */
    bool overdue;                             /* ran past its timeout; timeout_at is then when the process has to end */
    uint64_t timeout_at;                      /* while running; RM_WORK_NEVER: it may take for ever */
    rm_work_progress_t *progress;             /* what its handler said of it last; owned; NULL: nothing */
    uint64_t partials;                        /* how many partial results it had; of the handler's thread */
    uint64_t sent_ms;                         /* while sent: when */
    rm_work_job_t *prev, *next;               /* the ready, offered, finished or sent ones … */
    rm_work_job_t **list;                     /* … whichever list it is in; NULL: in none */
    rm_work_job_t *prev_effect;               /* with next_effect: the cancelled or withdrawn ones … */
    rm_work_job_t **effects;                  /* … as above */
    rm_work_job_t *prev_held, *next_held;     /* all held ones, in the order they came */
    rm_work_job_t *prev_of_key, *next_of_key; /* those of its (queue, key), in the order they came */
    rm_work_job_t *next_of_key_bucket;        /* the first ones of keys with the same hash */
    rm_work_job_t *next_of_id_bucket;         /* held ones with the same hash of their id */
};

/* A partial result on its way. */
struct rm_work_partial {
    rm_work_partial_t *prev, *next; /* the shell's until rm_work_partial takes it */
    uint64_t id, n;                 /* the job; which of its attempt, from 1 */
    uint32_t attempt;
    uint32_t size;
    char data[];
};

typedef struct {
    const char *name;
    const char *pool;
    const char *const *queues;
    uint32_t queue_count;
    uint32_t threads;
    bool slots; /* the program wants to be told of its slots */
} rm_work_config_t;

/* What to do, in this order: send, cancel, withdraw, start, tell of slots, reconnect, end. Valid until the next call on
 * the half (rm_work_try_start apart); a list's next element is to be read before its element is passed to the half. */
typedef struct {
    const rm_msg_t *sends; /* to encode and send to the master; they alias jobs */
    size_t send_count;
    rm_work_job_t *cancels;   /* `cancelled` is set in these: also kill their processes, wake their handlers */
    rm_work_job_t *withdrawn; /* no longer to be run: if not begun yet, take out of the run queue and decline */
    rm_work_job_t *starts;    /* to be run when a thread is free: rm_work_try_start first */
    const rm_slots_t *slots; /* to be told to the program: not on this thread, then rm_work_slots_told; NULL: nothing */
    bool joined;             /* it has just become a member for the first time */
    bool reconnect;          /* this master does not answer: say disconnected, find one, say connected */
    rm_work_end_t end;       /* not RM_WORK_GOES_ON: send, then stop for good */
    int32_t end_code;        /* refused: the master's RM_E… */
    const char *text;        /* a sentence about `end`, or NULL; lives as long as the half */
    uint64_t deadline_ms;    /* rm_work_tick is due then */
} rm_work_effects_t;

/* Copies the configuration; NULL when memory has run out. */
rm_work_t *rm_work_new (const rm_work_config_t *config);
/* Frees it with all jobs, offered ones included: no handler may run, no thread may try. */
void rm_work_destroy (rm_work_t **self_p);

/* There is a fresh connection to a master: everything unanswered is said again. */
void rm_work_connected (rm_work_t *self, uint64_t now_ms);
/* The connection is gone: nothing is sent until the next one. */
void rm_work_disconnected (rm_work_t *self);

/* A message of the master, from either socket. What is not for this incarnation, of an older term or out of place is
 * dropped. */
void rm_work_receive (rm_work_t *self, const rm_msg_t *msg, uint64_t now_ms);

/* Time has come so far. `random` makes an incarnation if one is needed; its bits are to be fresh each time. */
void rm_work_tick (rm_work_t *self, uint64_t now_ms, uint64_t random);

/* Leave in good order: hand back what has not started, finish what runs, ask for `left`. Once is enough. */
void rm_work_stop (rm_work_t *self, uint64_t now_ms);

/* Thread rule: any thread with the read side. True: the job is running, call its handler, then have the loop call
 * rm_work_finished. False: it must not start (now); have the loop call rm_work_declined. `job->timeout_at` is set. */
bool rm_work_try_start (rm_work_t *self, rm_work_job_t *job, uint64_t now_ms);

/* The handler of a started job said at `at_ms` that it is at `permille`, and a note (cut behind RM_NOTE_BYTES_MAX). Its
 * timeout counts from that moment on, if it was not over by then; a job that was told to stop goes on stopping. */
void rm_work_progress (rm_work_t *self, rm_work_job_t *job, uint32_t permille, rm_bytes_t note, uint64_t at_ms);

/* Thread rule: the handler's thread. A partial result, the next one of this attempt: 0 and in *partial_p what to give to
 * rm_work_partial, RM_ETOOBIG, RM_EBUSY (as many wait to be told as may), RM_ENOMEM. */
int rm_work_partial_new (rm_work_t *self, rm_work_job_t *job, const void *data, size_t size,
                         rm_work_partial_t **partial_p);
/* Takes it over, to tell it before the job's end. */
void rm_work_partial (rm_work_t *self, rm_work_partial_t *partial);

/* The handler of a started job has returned; `job->result` says with what. The job is the half's again. */
void rm_work_finished (rm_work_t *self, rm_work_job_t *job);
/* An offered job was not started. The job is the half's again; it may be offered once more. */
void rm_work_declined (rm_work_t *self, rm_work_job_t *job);

/* The program has been told of the slots that the effects named, and has returned. Until then they name no others. */
void rm_work_slots_told (rm_work_t *self);

/* What follows from all events since the last call. Owned by the half. */
const rm_work_effects_t *rm_work_effects (rm_work_t *self, uint64_t now_ms);

/* The earliest timeout of a running job so far as is known; RM_WORK_NEVER if there is none. Thread rule: any thread. */
uint64_t rm_work_timeout_at (const rm_work_t *self);

rm_work_state_t rm_work_state (const rm_work_t *self);
const char *rm_work_state_name (rm_work_state_t state);
uint64_t rm_work_incarnation (const rm_work_t *self); /* 0: none at the moment */
uint64_t rm_work_term (const rm_work_t *self);
uint32_t rm_work_held_count (const rm_work_t *self);
uint32_t rm_work_running_count (const rm_work_t *self);
