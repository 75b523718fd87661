/*  The leader: what the master that leads decides (docs/architecture.md). Pure: messages, ticks and applied batches come
 *  in with the time, messages and batches go out.
 *
 *      client ──submit──▶ leader ──batch──▶ ledger ──apply──▶ state ──listener──▶ leader ──accepted──▶ client
 *      leader ──dispatch──▶ worker ──done──▶ leader ──batch──▶ … ──ended──▶ leader ──committed──▶ worker, result ▶ client
 *
 *  Order of effects: an answer that promises something is sent only from `rm_leader_applied` or from a listener, that is
 *  after the batch it rests on has committed.
 *
 *  The one rule: a slot is dispatched only to its owner (`rm_slot_t.at`), and that changes only while nothing of the slot
 *  is in flight. `move_slot` asserts it.
 *
 *  The machines:
 *
 *     slot     unknown ──(every holder heard)──▶ open | closed
 *              open ──(target changed, jobs in flight)──▶ closed ──(nothing in flight)──▶ open at the target
 *     resize   idle ─▶ begin ─▶ phase 1 ─▶ phase 2 ─▶ commit ─▶ idle      from any: ─▶ begin (superseded)
 *
 *  Thread rule: the loop's thread. Times: `mono_ms` for what lasts, `wall_ms` for what is logged.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/backoff.h"
#include "core/journal.h"
#include "core/state.h"

typedef struct {
    uint64_t mono_ms; /* never goes back */
    uint64_t wall_ms; /* since 1970; only the first one ever given counts, the rest follows from mono_ms */
} rm_now_t;

/* Where a peer is reached: what its ROUTER calls it. */
typedef struct {
    uint8_t size;
    uint8_t data[255];
} rm_address_t;

/* What happens outside. `frame` may be emptied (its memory taken over) by the callee. */
typedef struct {
    void *arg;
    void (*to_client) (void *arg, const rm_address_t *to, rm_msg_type_t type, rm_buf_t *frame);
    /* `phase` is of a sync message, else 0. */
    void (*to_worker) (void *arg, const rm_address_t *to, rm_msg_type_t type, uint32_t phase, rm_buf_t *frame);
    void (*publish) (void *arg, uint32_t phase, rm_buf_t *frame);
    /* One line of key=value for the log. */
    void (*trace) (void *arg, const char *line);
    /* The same, of what an operator should look at; NULL: nobody wants to know. */
    void (*warn) (void *arg, const char *line);
} rm_leader_out_t;

typedef struct {
    uint32_t lease_ms, grace_ms, margin_ms, heartbeat_ms;
    uint32_t takeover_ms; /* a former leader may renew leases for so long after this one begins; 0: there is none */
    uint32_t resize_window_ms, resize_patience_ms;
    uint32_t resync_ms; /* a phase that is not answered is broadcast again */
    uint32_t session_ttl_ms;
    uint32_t keep_ms; /* no outcome is kept for longer, whatever its queue says */
    uint32_t payload_bytes_max, result_bytes_max;
    uint64_t jobs_max, bytes_max; /* not ended, in all */
    uint64_t queue_jobs_max, queue_bytes_max;
    uint64_t client_jobs_max, client_bytes_max;
    uint32_t waiters_max;    /* long polls at a time */
    uint32_t orders_max;     /* under way at a time */
    uint32_t list_looks_max; /* jobs that one list looks at */
    uint32_t busy_ms;        /* what a refused client is told to wait */
    rm_backoff_t retry;      /* between the attempts of a failing job */
} rm_leader_config_t;

typedef enum { RM_SLOT_UNKNOWN, RM_SLOT_CLOSED, RM_SLOT_OPEN, RM_SLOT_STATES } rm_slot_state_t;

typedef struct {
    rm_slot_state_t state;
    uint16_t at; /* the member that may hold its jobs; RM_RING_NOBODY */
    uint32_t in_flight;
} rm_slot_t;

/* The leader's half of a pool. */
struct rm_pool_lead {
    rm_slot_t slots[RM_SLOTS];
    rm_fair_t unkeyed;   /* READY jobs without a key, for whoever has credit */
    rm_link_t solo;      /* rm_record_t.lead.fair.link: READY jobs without a key that must run alone */
    rm_link_t first;     /* the same: at-most-once, their turn came when no thread was free */
    uint64_t barrier_id; /* older jobs without a key wait until every member has reported */
    uint32_t unreported; /* members that have not */
};

enum { RM_SPARE_FLIGHTS_MAX = 4096 };

/* The leader's half of a member. */
typedef struct rm_peer {
    rm_member_t *member;
    rm_address_t route;
    uint64_t heard_ms;    /* mono: its newest heartbeat */
    uint64_t last_seq;    /* of the newest dispatch in this term */
    uint64_t upto;        /* of its newest report */
    bool reported;        /* in this term */
    bool leave_asked;     /* it, or an operator, wants it out */
    bool removing;        /* its removal is proposed: nothing is dispatched to it any more */
    bool synced;          /* answered phase 1 of this (term, epoch) */
    bool settled;         /* answered phase 2 with ok */
    bool counted;         /* live when phase 2 began: its ok is waited for */
    uint64_t current_job; /* its answer to phase 1 */
    uint32_t flight_count;
    uint32_t failed_count; /* of these: FAILED */
    rm_link_t flight;      /* rm_flight_t.link, by seq; STARTING ones and those learnt from a report have none */
    rm_fair_t lane;        /* READY keys of its slots */
    rm_link_t solo;        /* READY jobs with a key that must run alone here */
    rm_link_t first;       /* READY jobs with a key, at-most-once: their turn came when no thread was free */
    bool alone;            /* one of them is in flight */
    uint32_t stops_told;   /* of its jobs that are to stop, in this round; 0: a round begins */
    uint32_t window;       /* credit: threads and a prefetch that grows while jobs are short */
    uint64_t ran_us;       /* moving average of its handlers' time */
    uint64_t *serves;      /* bit set of queue numbers */
    uint32_t serves_words;
    rm_record_t **out; /* chosen, not sent yet; RM_DISPATCH_JOBS of room */
    uint32_t out_count;
    size_t out_bytes;
    rm_committed_job_t *committed; /* to be told */
    uint32_t committed_count, committed_capacity;
    uint64_t done_count; /* completions that counted */
} rm_peer_t;

typedef enum {
    RM_RESIZE_IDLE,
    RM_RESIZE_BEGIN, /* proposed */
    RM_RESIZE_PHASE1,
    RM_RESIZE_PHASE2,
    RM_RESIZE_COMMIT, /* proposed */
    RM_RESIZE_STATES
} rm_resize_state_t;

typedef struct {
    rm_resize_state_t state;
    uint64_t begun_ms;   /* mono */
    uint64_t publish_ms; /* mono: when to broadcast again */
    uint64_t sync_to;    /* fixed when phase 2 begins, like `members` */
    rm_buf_t phase2;     /* the frame, so that it stays the same to the byte */
    bool wanted;         /* members have changed */
    uint64_t wanted_ms;  /* mono: when to begin */
} rm_resize_t;

/* A step of a job's life. */
typedef enum {
    RM_STEP_ACCEPTED,
    RM_STEP_DELAYED,   /* it was submitted with a delay */
    RM_STEP_FORGOTTEN, /* so many attempts are kept no longer */
    RM_STEP_GIVEN,     /* to a worker */
    RM_STEP_RETURNED,  /* by it, not started */
    RM_STEP_STOPPING,  /* it is to end before it is done, and its worker is told so */
    RM_STEP_FAILED,    /* an attempt is over that was no success */
    RM_STEP_ENDED,
    RM_STEP_KICKED, /* it was submitted again */
    RM_STEPS
} rm_step_kind_t;

typedef struct {
    rm_step_kind_t kind;
    uint64_t at_ms;          /* ledger time, or the leader's; 0: not known */
    uint32_t attempt;        /* given, returned, stopping, failed: which; forgotten: how many */
    const char *worker;      /* given, returned, failed; NULL: not known, or there no longer */
    uint64_t inc;            /* given, returned: its incarnation; 0: not known */
    uint32_t how;            /* failed: as of rm_attempt_t */
    const rm_blob_t *reason; /* failed, ended; NULL: none */
    uint64_t until_ms;       /* delayed, failed: ledger time of the next attempt; 0: at once, or there is none */
    uint64_t other_id;       /* accepted: the dead job that it is again; kicked: the job that it is again; 0: none */
    rm_outcome_t outcome;    /* ended */
} rm_step_t;

/* A batch of entries on its way into the ledger. */
typedef struct {
    rm_link_t link;
    rm_buf_t bytes;
    uint64_t number; /* dense, from 1 in each leadership */
    uint32_t kinds;  /* 1 << rm_entry_kind_t of what is in it */
} rm_batch_t;

enum {
    RM_STAMP_TERM_SHIFT = 40,      /* bits of a stamp below its term */
    RM_DISPATCH_JOBS = 256,        /* in one dispatch */
    RM_DISPATCH_BYTES = 256 << 10, /* about */
    RM_PREFETCH_MAX = 1024,        /* jobs a worker holds beyond its threads */
    RM_LIST_JOBS_USUAL = 100,      /* jobs in a list, if it is not said */
    RM_LIST_JOBS_MAX = 10000,
    RM_PREFETCH_US = 4000, /* so much work a thread is kept ahead with, while jobs are shorter */
};

/* Where clients find the masters. All is the shell's, and may change between two calls. */
typedef struct {
    rm_bytes_t leader;         /* jobs endpoint of the one that leads; empty: not known */
    const rm_bytes_t *masters; /* of all, as far as they are known */
    uint32_t count;
} rm_group_t;

/* What an attempt's worker told of it: how far it is, and partial results. Hints: in memory only, and of this leadership. */
typedef struct rm_progress {
    rm_record_t *record;
    rm_link_t linger; /* rm_leader_t.lingering: it has ended … */
    uint64_t due_ms;  /* … and is kept until then; mono */
    uint32_t attempt; /* that it is of */
    uint32_t permille;
    uint64_t stamp;     /* when that was told, among all that was; 0: it was not */
    rm_blob_t *note;    /* NULL: none */
    rm_link_t partials; /* rm_told_partial_t.link, in order */
    size_t partial_bytes;
} rm_progress_t;

typedef struct {
    rm_link_t link;
    uint64_t n, stamp;
    rm_blob_t *data;
} rm_told_partial_t;

typedef struct rm_leader {
    rm_state_t *state;
    rm_leader_config_t config;
    rm_leader_out_t out;
    bool leading;       /* its barrier is applied: it answers and dispatches */
    bool standing;      /* its barrier is proposed */
    bool out_of_memory; /* the node must stop */
    bool disk_full;     /* set by the shell: nothing new is accepted */
    /* Set by the shell: no majority of the masters has answered, as followers in the term of Raft in which this one leads, what
     * it sent within an election's time. Another one may lead: nothing is handed out, nothing new is taken, no lease is
     * renewed. */
    bool cut_off;
    rm_group_t group; /* set by the shell */
    uint32_t format;  /* set by the shell: the newest format of the state that every master reads; 1 unless it says */
    bool rising;      /* set by the shell: a new ledger's format is being raised, what needs it has to wait a moment */
    bool raising;     /* that format is proposed */
    rm_now_t now;     /* of the event being handled */
    uint64_t random;  /* state of the jitter's generator */
    uint64_t barrier_batch;
    uint64_t barrier_id;
    uint64_t led_ms;     /* ledger time when it began to lead: nothing older makes anything be forgotten */
    uint64_t dispatches; /* the low bits of tokens */
    uint64_t mark;       /* of the newest report */
    uint64_t ticked_ms, swept_ms;
    uint64_t alone_ms; /* from here on no former leader renews a lease */
    uint64_t proposed_epoch;
    uint64_t sweep_batch; /* the newest batch with expiries */
    rm_peer_t **peers;
    uint32_t peer_count, peer_capacity, peer_turn;
    rm_resize_t resize;
    rm_link_t batches; /* rm_batch_t.link: not taken yet */
    uint64_t batch_number, applied_number;
    rm_link_t submits;                     /* waiting for their batch, in order */
    rm_link_t joins;                       /* waiting for their member_add */
    uint32_t joins_queues;                 /* so many queues that were not there when they came */
    rm_link_t orders;                      /* waiting for their batch, in order */
    uint32_t order_count;                  /* so many */
    uint64_t pending_count, pending_bytes; /* new jobs of `submits` and `orders` */
    struct rm_leader_room *rooms;          /* the same by queue */
    rm_heap_t delays;                      /* rm_record_t.lead.delay, by ledger time */
    rm_link_t spare_flights;               /* rm_flight_t.link: of those that are over, RM_SPARE_FLIGHTS_MAX at most */
    uint32_t spare_count;
    rm_heap_t deadlines;    /* rm_extra_t.end, by ledger time */
    rm_heap_t polls;        /* waiters by the end of their time, mono */
    rm_link_t told;         /* waiters to be answered when this batch has been applied */
    rm_journal_t journal;   /* while somebody watches */
    uint64_t stamp;         /* of what was told last; its high bits are the term */
    uint64_t partial_bytes; /* of all partial results that are kept */
    rm_link_t lingering;    /* rm_progress_t.linger, in the order they are due */
    rm_journal_t past;      /* for whoever asks for a job's life: where it was before (core/leader_trace.c) */
    uint64_t refused_count; /* since the start, for the metrics */
    rm_dispatch_job_t dispatch[RM_DISPATCH_JOBS];
} rm_leader_t;

/* Sensible settings: the protocol's times, a million jobs and a GiB in all. */
rm_leader_config_t rm_leader_defaults (void);

/* In place. `random` seeds jitter. Takes over `state`'s listener. */
void rm_leader_init (rm_leader_t *self, rm_state_t *state, const rm_leader_config_t *config, const rm_leader_out_t *out,
                     uint64_t random);
void rm_leader_close (rm_leader_t *self);

/* This node was elected: proposes the barrier. */
void rm_leader_stand (rm_leader_t *self, rm_now_t now);
/* This node leads no longer: forgets what it believed; nobody is answered. */
void rm_leader_step_down (rm_leader_t *self);

/* HELLO and QUERY are the shell's to answer; all other messages come here. */
void rm_leader_from_client (rm_leader_t *self, rm_now_t now, const rm_address_t *from, const rm_msg_t *msg);
void rm_leader_from_worker (rm_leader_t *self, rm_now_t now, const rm_address_t *from, const rm_msg_t *msg);

/* At least every 10 ms while something waits: leases, delays, long polls, broadcasts, expiries. */
void rm_leader_tick (rm_leader_t *self, rm_now_t now);

/* Once at the end of each turn: hands out what can be handed out, and tells workers what has committed. */
void rm_leader_flush (rm_leader_t *self, rm_now_t now);

/* Encodes a message of the shell's to a client. */
void rm_leader_to_client (rm_leader_t *self, const rm_address_t *to, const rm_msg_t *msg);
/* Notes that memory has run out: the shell is to stop the node. */
void rm_leader_out_of_memory (rm_leader_t *self);

/* The next batch to propose, for the caller to close and free with rm_batch_destroy; NULL if there is none. */
rm_batch_t *rm_leader_take_batch (rm_leader_t *self, rm_now_t now);
void rm_batch_destroy (rm_batch_t **self_p);

/* The batch of that number has been applied to the state: answers who waited for it. */
void rm_leader_applied (rm_leader_t *self, rm_now_t now, uint64_t number);

/* Takes the workers of that name out in good order; how many there are. */
uint32_t rm_leader_drain (rm_leader_t *self, rm_now_t now, rm_bytes_t worker);

/* One sentence: where the job is and what it waits for. False: no such job. */
bool rm_leader_why (const rm_leader_t *self, rm_now_t now, uint64_t id, char *text, size_t size);
/* Calls `each` for the steps of a job's life, in order. False: no such job. */
bool rm_leader_life (const rm_leader_t *self, uint64_t id, void (*each) (void *arg, const rm_step_t *step), void *arg);
/* "accepted", "delayed", "given" … */
const char *rm_step_name (rm_step_kind_t kind);
/* Calls `each` for the jobs that a query of jobs asks for, the newest first, as long as the shell can afford to look: the
 * config's list_looks_max. Answers what to go on with as `before`; 0: there are no more. */
uint64_t rm_leader_list (const rm_leader_t *self, rm_now_t now, const rm_msg_query_t *query,
                         void (*each) (void *arg, const rm_record_t *record), void *arg);
/* Finds the job that a query of a payload asks for: by id, or the one of the queue whose turn comes first in that state
 * ("waiting" unless it says, "delayed", "dead"), among as many as the shell can afford to look at. 0; RM_EUNKNOWN: there is
 * none; RM_EGONE: its payload is kept no longer; RM_EINVAL: there is no such state. */
int rm_leader_peek (const rm_leader_t *self, rm_now_t now, const rm_msg_query_t *query, const rm_record_t **record_p);
/* Calls `each` for the events of jobs after number query->id, as many as it may (0: for none, but they are kept from now on).
 * *next: what to ask with the next time; *lost: how many came too early to be kept. 0 or RM_ENOMEM. */
int rm_leader_events (rm_leader_t *self, rm_now_t now, const rm_msg_query_t *query,
                      void (*each) (void *arg, const rm_event_t *event), void *arg, uint64_t *next, uint64_t *lost);
/* What is known of the attempt that runs now; NULL: nothing, or none runs. */
const rm_progress_t *rm_leader_progress (const rm_record_t *record);
/* "accepted", "begun", "returned", "failed", "ended", "progress". */
const char *rm_event_name (rm_event_kind_t kind);
/* "waiting", "delayed", "running", "done", "dead" … */
const char *rm_record_state_name (const rm_record_t *record, uint64_t wall_ms);
/* "idle", "phase 1" … */
const char *rm_resize_state_name (rm_resize_state_t state);
