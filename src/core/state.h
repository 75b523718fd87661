/*  The ledger's state machine: what every master computes alike from the log (docs/ledger.md).
 *
 *  `rm_state_apply` is deterministic: it knows no clock, no randomness and no pointer order; the only time it knows is
 *  the one the leader stamped on the batch. It must not fail but for memory (RM_ENOMEM) or a batch that is not ours
 *  (RM_ECORRUPT), and both stop the node.
 *
 *  The structs below are one half ledger (in the log and in snapshots), one half the leader's own (`lead`, never logged,
 *  rebuilt after each change of leader). core/leader writes only `lead` members; core/state writes only the others.
 *
 *  Invariants: accepted = last_id - skipped = waiting + ended + forgotten; the records of a key hang in the order of their
 *  places, which is accept order but for what was kicked; a slot's owner and target are among its holders.
 *  Thread rule: all of it belongs to the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/attempts.h"
#include "core/blob.h"
#include "core/fair.h"
#include "core/hash.h"
#include "core/heap.h"
#include "core/ids.h"
#include "core/list.h"
#include "core/ring.h"
#include "proto/msg.h"

enum {
    RM_BATCH_FORMAT = 1,
    /* Which entries there may be and what they do: 1, or 2 from RM_ENTRY_FORMAT on. 2 has all that comes after
     * RM_ENTRY_RESULT_EXPIRE, and keeps the data of dead jobs. */
    RM_STATE_FORMAT = 2,
    RM_LEDGER_OF_STATE_2 = 3, /* the log's format from which on every master reads state format 2 */
    /* The newest: of a state of format 2. One of format 1 is written as 3 if it was restored from a backup, else as 2; 1,
     * which knows nothing of removed members, is read too. */
    RM_SNAPSHOT_FORMAT = 4,
    RM_HOLDERS_MAX = 6, /* holders of one slot; a join that would need a seventh waits for the commit */
    RM_REMOVED_MAX = 4 * RM_MEMBERS_MAX, /* incarnations that are remembered after their removal */
};

#define RM_GENERATION_IDS UINT64_C (1000000000000) /* job ids that a restore from a backup skips (core/generation) */
#define RM_SESSION_ENDED  UINT64_MAX               /* the floor of a session that a restore has ended */

typedef struct rm_state rm_state_t;
typedef struct rm_record rm_record_t;
typedef struct rm_key rm_key_t;
typedef struct rm_queue rm_queue_t;
typedef struct rm_pool rm_pool_t;
typedef struct rm_member rm_member_t;
typedef struct rm_ledger_session rm_ledger_session_t;
typedef struct rm_share rm_share_t;

/* Where the leader believes a job to be.
 *
 *     ready ◀──▶ parked ──────────▶ sent ──▶ reported ──▶ (its outcome applied) ended
 *                 ▲  │               │ ▲          ├─────── (refused by apply) ──▶ sent
 *                 │  └─▶ starting ───┼─┘          └─────── (its failure applied) ──▶ failed ──▶ parked
 *                 ├── unstarting ◀───┘
 *                 └─▶ stopping ──▶ (its outcome applied) ended
 *
 *  A job that failed is not given to anyone before its worker has let go of it: no two workers ever hold the same job, so
 *  that a new leader can believe what they report.
 */
typedef enum {
    RM_AT_PARKED,     /* waits: for its key's turn, its time, its slot, a pool, a report */
    RM_AT_READY,      /* may be dispatched as soon as there is credit */
    RM_AT_STARTING,   /* at-most-once: chosen for a worker, `start` proposed */
    RM_AT_SENT,       /* in flight at a worker */
    RM_AT_REPORTED,   /* its completion is proposed */
    RM_AT_FAILED,     /* has another attempt; its worker's next report will no longer hold it */
    RM_AT_UNSTARTING, /* at-most-once: handed back, `unstart` proposed */
    RM_AT_STOPPING,   /* no worker has it, and its end is proposed */
    RM_AT_STATES
} rm_at_t;

/* How the attempts of a job are spaced; all zero: as whoever is asked next says (the job, its queue, the master). */
typedef struct {
    uint32_t delay_ms, permille, cap_ms;
    uint32_t jitter; /* an rm_jitter_t and 1 */
} rm_spacing_t;

static inline rm_spacing_t rm_retry_of (const rm_job_options_t *options)
{
    return (rm_spacing_t){options->retry_delay_ms, options->retry_permille, options->retry_cap_ms,
                          options->retry_jitter};
}

/* What only few jobs have. */
typedef struct {
    rm_record_t *record;
    uint64_t deadline_ms; /* ledger time; 0: none */
    uint32_t priority;    /* 0: normal */
    rm_spacing_t retry;
    rm_blob_t *uid;       /* the caller's name of it; NULL: none */
    uint64_t kicked_from; /* the dead job that it is again; 0: none */
    uint64_t place;       /* where that one held its key: it stands as if it had this id; 0: its own */
    uint64_t kicked_as;   /* the job that this dead one is again; 0: none */
    rm_outcome_t stop;    /* how it is to end unless it is done; NONE: as it will */
    rm_blob_t *stop_reason;
    rm_attempts_t *attempts; /* that were no success; NULL: none */
    UT_hash_handle hh;       /* rm_queue_t.uids by uid */

    rm_heap_node_t end; /* the leader's: its deadline */
} rm_extra_t;

/* When a job was given to a worker, which is the leader's memory. */
typedef struct {
    uint64_t ms; /* wall; 0: not known, or over and remembered elsewhere */
    uint64_t inc;
    uint32_t attempt;
} rm_given_t;

/* A job's stay at a worker, from when it is chosen for it until the worker has let go of it: the leader's. */
typedef struct {
    rm_record_t *record;
    struct rm_peer *peer;
    uint64_t seq; /* of its dispatch in this term; 0: learnt from a report */
    uint64_t token;
    uint64_t mark;  /* of the newest report that named it */
    rm_link_t link; /* in the peer's flight list, by seq */
    rm_given_t given;
} rm_flight_t;

/* A job as the ledger keeps it, until it is forgotten. */
struct rm_record {
    uint64_t id;
    rm_queue_t *queue;
    rm_key_t *key;                /* NULL: without a key, or ended and not holding it */
    rm_ledger_session_t *session; /* who submitted it; NULL once ended */
    rm_blob_t *key_bytes;         /* NULL: without a key */
    rm_blob_t *data;              /* NULL once ended, but for a dead one's in format 2 until it is kicked */
    rm_blob_t *result;            /* once ended; NULL: none */
    rm_blob_t *reason;            /* of the newest failure; NULL: none */
    uint32_t data_size;           /* stays when data is let go */
    uint32_t tries;               /* attempts in all, 0: the queue's */
    uint32_t timeout_ms;          /* 0: the queue's */
    uint32_t flags;               /* RM_JOB_… */
    uint32_t failures, crashes;
    uint64_t accepted_ms;   /* ledger time */
    uint64_t not_before_ms; /* ledger time of the next attempt; 0: at once */
    uint64_t ended_ms;
    uint64_t started_inc; /* at-most-once: who holds it by a logged start; 0: nobody */
    rm_outcome_t outcome;
    rm_extra_t *extra; /* NULL: nothing of it */
    rm_link_t open;    /* in queue->open until it ends; then in key->dead while it holds it */
    rm_link_t line; /* in its key's or (without a key) its queue's records; once ended in queue->ended or ->holding */

    struct { /* the leader's */
        rm_at_t at;
        union {                   /* what a job has there: rm_leader_move_record begins it with zeros */
            rm_heap_node_t delay; /* PARKED: until not_before */
            rm_fair_item_t fair;  /* READY: without a key in a fair list; `link` alone: in a solo or first one */
            rm_flight_t *flight;  /* in flight: all but PARKED, READY and STOPPING; owned */
            struct {              /* PARKED for good, since it has ended */
                rm_given_t given;
                struct rm_leader_order *kick; /* dead: by which it is to be kicked; NULL: by none */
            } over;
        };
        rm_link_t waiters;            /* who waits for its end */
        struct rm_progress *progress; /* what its worker told of it; owned; NULL: nothing */
    } lead;
};

/* One key of one queue: the line of its jobs that have not ended. Freed when the line is empty and no dead job holds it. */
struct rm_key {
    rm_queue_t *queue;
    rm_blob_t *bytes;
    uint32_t slot;
    rm_link_t records;    /* rm_record_t.line, in order of their places */
    rm_link_t dead;       /* rm_record_t.open of those that hold what stands behind them, in order of their places */
    rm_link_t neighbours; /* in its pool's slot_keys[slot]; unlinked while the queue has no pool */
    UT_hash_handle hh;    /* rm_queue_t.keys by bytes */

    struct {
        rm_record_t *busy; /* its one job that is not parked or ready; NULL: none */
        rm_fair_t *lane;   /* where it is offered, NULL: nowhere */
        rm_fair_item_t fair;
    } lead;
};

struct rm_queue {
    char *name;
    uint32_t number; /* dense, from 0, never re-used */
    rm_pool_t *pool; /* NULL until a worker served it */
    rm_key_t *keys;
    rm_link_t unkeyed;    /* rm_record_t.line of jobs without a key, in accept order */
    rm_link_t open;       /* rm_record_t.open: all that have not ended, in accept order */
    rm_link_t ended;      /* rm_record_t.line, oldest first */
    uint64_t ended_bytes; /* results, reasons, attempts and data of dead ones that are kept */
    uint64_t ended_count;
    rm_link_t holding; /* rm_record_t.line of dead ones that hold their keys, oldest first: kept as long as they do */
    uint64_t holding_count, holding_bytes;
    uint64_t waiting_count, waiting_bytes; /* not ended: jobs, and bytes of their data */
    uint64_t done_count, dead_count;       /* ever; cancelled and expired ones are among the dead */
    uint32_t tries, timeout_ms, keep_ms;
    uint64_t keep_bytes;
    rm_spacing_t retry;
    bool paused;                                /* nothing of it is handed out */
    bool hold;                                  /* a keyed job that dies holds what stands behind it */
    uint64_t jobs_max, bytes_max;               /* that may wait; 0: as the master is configured */
    uint64_t client_jobs_max, client_bytes_max; /* the same of one client; 0: no other limit than the master's in all */
    bool shared;                                /* one of them is set: what each client has waiting is counted */
    rm_share_t *shares;                         /* by client (core/share.h) */
    rm_extra_t *uids;
    UT_hash_handle hh; /* rm_state_t.queues by name */
};

typedef struct {
    uint16_t members[RM_HOLDERS_MAX]; /* member numbers; RM_RING_NOBODY where there is none */
} rm_holders_t;

struct rm_pool {
    char *name;
    uint32_t number;           /* dense, from 0 */
    uint16_t owner[RM_SLOTS];  /* as of the newest commit; member numbers */
    uint16_t target[RM_SLOTS]; /* as of the newest begin */
    rm_holders_t holders[RM_SLOTS];
    rm_link_t slot_keys[RM_SLOTS]; /* rm_key_t.neighbours */
    rm_pool_t *next;               /* in order of number */

    struct rm_pool_lead *lead; /* the leader's */
};

/* One live incarnation of a worker. */
struct rm_member {
    uint16_t number; /* index in rm_state_t.members; re-used after removal */
    uint64_t inc;
    char *name;
    rm_pool_t *pool;
    rm_queue_t **queues;
    uint32_t queue_count;
    uint32_t threads;
    bool in_ring;      /* part of the newest begin's assignment */
    bool leaving;      /* left out of it on purpose */
    UT_hash_handle hh; /* rm_state_t.by_inc */

    struct rm_peer *peer; /* the leader's */
};

typedef struct {
    uint64_t id;   /* of the job; 0: this seq was not used */
    uint64_t hash; /* of what was asked, to tell a conflict */
} rm_request_t;

struct rm_ledger_session {
    rm_session_id_t id;
    uint64_t number; /* dense, from 1: the client's number in hand-out */
    uint64_t floor;
    uint64_t heard_ms;      /* ledger time */
    rm_request_t *requests; /* a ring of requests floor + 1 … floor + request_count */
    uint32_t request_first, request_count, request_capacity;
    uint64_t waiting_count, waiting_bytes;
    UT_hash_handle hh; /* rm_state_t.sessions by id */

    struct {
        uint64_t pending_count, pending_bytes; /* proposed, not yet applied */
        uint64_t heard_ms;                     /* wall: also waits count */
        uint64_t submit_count;                 /* likewise submits … */
        uint64_t newest_seq;                   /* … and the highest of their numbers */
    } lead;
};

/* What the leader wants to know of an apply. Called in the middle of it, after the state has changed. */
typedef struct {
    void *arg;
    void (*accepted) (void *arg, rm_record_t *record);
    void (*ended) (void *arg, rm_record_t *record);
    void (*waits_again) (void *arg, rm_record_t *record); /* failed or crashed, has another attempt */
    void (*refused) (void *arg, uint64_t id, uint64_t inc, uint32_t attempt); /* a completion that changed nothing */
    void (*started) (void *arg, rm_record_t *record);
    void (*unstarted) (void *arg, rm_record_t *record);
    void (*stopping) (void *arg, rm_record_t *record);                  /* it is to end as its extra->stop says */
    void (*released) (void *arg, rm_key_t *key);                        /* a dead job holds it no longer */
    void (*queue_set) (void *arg, rm_queue_t *queue, uint32_t setting); /* an rm_setting_t, which is another one now */
    void (*pooled) (void *arg, rm_queue_t *queue);                      /* a queue got its pool */
    void (*member_added) (void *arg, rm_member_t *member);
    void (*member_removed) (void *arg, rm_member_t *member); /* still readable; freed when this returns */
    void (*resize_begun) (void *arg);
    void (*resize_committed) (void *arg);
    void (*key_freed) (void *arg, rm_key_t *key);                    /* last look */
    void (*record_freed) (void *arg, rm_record_t *record);           /* last look */
    void (*session_freed) (void *arg, rm_ledger_session_t *session); /* last look */
} rm_state_listener_t;

struct rm_state {
    uint32_t format;          /* RM_STATE_FORMAT or lower */
    uint64_t term;            /* raised by each leader's first entry */
    uint64_t epoch;           /* of the newest begin */
    uint64_t committed_epoch; /* of the newest commit: a resize is current while it is below epoch */
    uint64_t last_id;         /* the newest job id */
    uint64_t skipped_count;   /* ids that were never given, by restores from a backup; 0: it was never restored */
    uint64_t skipped_after;   /* the newest id before the newest of these gaps, of RM_GENERATION_IDS */
    uint64_t restored_ms;     /* ledger time of the newest restore */
    uint64_t time_ms;         /* the newest stamp: wall clock that never goes back */
    uint64_t session_numbers;
    uint32_t queue_count, pool_count, member_count;
    uint64_t waiting_count, waiting_bytes;
    uint64_t started_count;                /* at-most-once records with a logged start */
    uint64_t stopping_count;               /* records that wait or run and have a stop */
    uint64_t holding_count, holding_bytes; /* those of the ended that hold their keys */
    uint64_t done_count, dead_count, ended_count;
    rm_ids_t records;   /* by id */
    rm_queue_t *queues; /* uthash keeps the order of insertion: number order */
    rm_pool_t *pools;
    rm_member_t *members[RM_MEMBERS_MAX]; /* by number; NULL: free */
    rm_member_t *by_inc;
    uint64_t removed[RM_REMOVED_MAX]; /* a ring of the incarnations removed last, so that none is a member twice */
    uint64_t removed_count;           /* ever, or since a snapshot that had so many */
    rm_ledger_session_t *sessions;
    rm_state_listener_t listener; /* NULL members are not called */
};

/* In place; 0 or RM_ENOMEM. */
int rm_state_init (rm_state_t *self);
void rm_state_close (rm_state_t *self);

/* Applies one batch (core/entry). 0, RM_ENOMEM or RM_ECORRUPT. */
int rm_state_apply (rm_state_t *self, const void *batch, size_t size);

/* Each finds one, or answers NULL. */
rm_record_t *rm_state_record (const rm_state_t *self, uint64_t id);
/* The record of the lowest id from `id` on, or of the highest one up to it. */
rm_record_t *rm_state_from (const rm_state_t *self, uint64_t id);
rm_record_t *rm_state_upto (const rm_state_t *self, uint64_t id);
rm_queue_t *rm_state_queue (const rm_state_t *self, rm_bytes_t name);
rm_pool_t *rm_state_pool (const rm_state_t *self, rm_bytes_t name);
rm_member_t *rm_state_member (const rm_state_t *self, uint64_t inc);
/* True if a job of that id was ever accepted; or may have been, if it lies in a gap before the newest. */
bool rm_state_gave (const rm_state_t *self, uint64_t id);
/* How many jobs were ever accepted. */
uint64_t rm_state_accepted_count (const rm_state_t *self);
/* True if the incarnation was a member, and was removed. */
bool rm_state_was_removed (const rm_state_t *self, uint64_t inc);
rm_ledger_session_t *rm_state_session (const rm_state_t *self, const rm_session_id_t *id);

/* Walks all records in order of their ids, which is that of their acceptance. */
#define RM_RECORD_EACH(state, record)                                                                                  \
    for (rm_record_t *record = rm_state_from (state, 0); record; record = rm_state_from (state, record->id + 1))

/* The job that a caller named so in this queue; NULL: none that is kept. */
rm_record_t *rm_queue_record (const rm_queue_t *self, rm_bytes_t uid);

/* The request of `seq`; NULL: at or below the floor, or never used. */
const rm_request_t *rm_session_request (const rm_ledger_session_t *self, uint64_t seq);

/* The attempt that runs or comes next, from 1; the last one of a job that has ended. */
static inline uint32_t rm_record_attempt (const rm_record_t *record)
{
    bool failed = record->outcome != RM_OUTCOME_NONE && record->outcome != RM_OUTCOME_DONE;
    return record->failures + record->crashes + !failed;
}

/* True where a worker has a job, or may have it. */
static inline bool rm_at_flies (rm_at_t at)
{
    return at != RM_AT_PARKED && at != RM_AT_READY && at != RM_AT_STOPPING;
}

/* Its stay at a worker; NULL: none has it. */
static inline rm_flight_t *rm_record_flight (const rm_record_t *record)
{
    return rm_at_flies (record->lead.at) ? record->lead.flight : NULL;
}

/* The worker that has it, for the leader; NULL: none. */
static inline struct rm_peer *rm_record_peer (const rm_record_t *record)
{
    const rm_flight_t *flight = rm_record_flight (record);
    return flight ? flight->peer : NULL;
}

/* True if it is to end as its extra->stop says. */
static inline bool rm_record_stops (const rm_record_t *record)
{
    return record->extra && record->extra->stop && record->outcome == RM_OUTCOME_NONE;
}

static inline uint32_t rm_record_priority (const rm_record_t *record)
{
    return record->extra && record->extra->priority ? record->extra->priority : RM_PRIORITY_NORMAL;
}

/* Where it stands among the jobs of its key. */
static inline uint64_t rm_record_place (const rm_record_t *record)
{
    return record->extra && record->extra->place ? record->extra->place : record->id;
}

/* True if it is dead, and holds what stands behind it. */
static inline bool rm_record_holds (const rm_record_t *record)
{
    return record->outcome != RM_OUTCOME_NONE && rm_list_linked (&record->open);
}

static inline bool rm_state_resizing (const rm_state_t *self)
{
    return self->committed_epoch < self->epoch;
}

/* The dead job that holds a waiting one of its key, the foremost; NULL: none does. */
const rm_record_t *rm_record_holder (const rm_record_t *self);
/* How many jobs of the queue are held. Looks at each of them. */
uint64_t rm_queue_held_count (const rm_queue_t *self);

/* What tells two requests apart that use one (session, seq). */
uint64_t rm_submit_hash (const rm_submit_job_t *job);

/* How many of the pool's slots have `member` as target. */
uint32_t rm_pool_share (const rm_pool_t *self, uint16_t member);

/* True when `member` is among the slot's holders. */
bool rm_pool_holds (const rm_pool_t *self, uint32_t slot, uint16_t member);

/* ---- building blocks shared with core/snapshot ------------------------------------------------------------------ */

/* Each makes and links one, or answers NULL (memory). Names and bytes are copied. */
rm_queue_t *rm_state_add_queue (rm_state_t *self, rm_bytes_t name);
rm_pool_t *rm_state_add_pool (rm_state_t *self, rm_bytes_t name);
rm_ledger_session_t *rm_state_add_session (rm_state_t *self, const rm_session_id_t *id);
/* `number` is the member's place; queues must exist. */
rm_member_t *rm_state_add_member (rm_state_t *self, uint16_t number, uint64_t inc, rm_bytes_t name, rm_pool_t *pool,
                                  const rm_bytes_t *queues, uint32_t queue_count, uint32_t threads);
/* A record that waits, at the end of its key's or queue's line; takes over the blobs' references on success. */
rm_record_t *rm_state_add_record (rm_state_t *self, uint64_t id, rm_queue_t *queue, rm_ledger_session_t *session,
                                  rm_blob_t *key, rm_blob_t *data);
/* A record that has ended, in no list yet. */
rm_record_t *rm_state_add_ended (rm_state_t *self, uint64_t id, rm_queue_t *queue, rm_outcome_t outcome);
/* The key of these bytes, made if it is new; NULL when memory has run out. */
rm_key_t *rm_state_key (rm_queue_t *queue, rm_blob_t *bytes);
/* Hangs an ended record, in no list yet, behind its queue's other outcomes, or, if it holds its key, behind the others that
 * do; and counts it there. */
void rm_state_keep_ended (rm_state_t *self, rm_record_t *record);
/* What few have of a record, made if it has nothing of it yet; NULL when memory has run out. */
rm_extra_t *rm_state_extra (rm_record_t *record);
/* Names a record in its queue, where the name is free; takes over the reference on success. 0 or RM_ENOMEM. */
int rm_state_name (rm_record_t *record, rm_blob_t *uid);
/* Gives what a record is called to another one of its queue. 0 or RM_ENOMEM. */
int rm_state_rename (rm_record_t *from, rm_record_t *to);
/* The record is to end so, for that reason; takes over the reference on success. 0 or RM_ENOMEM. */
int rm_state_mark_stop (rm_state_t *self, rm_record_t *record, rm_outcome_t outcome, rm_blob_t *reason);
/* Lets go of what an ended record keeps of its data. */
void rm_state_drop_data (rm_record_t *record);
/* Gives the queue to the pool and its keys their slots. */
void rm_state_pool_queue (rm_state_t *self, rm_queue_t *queue, rm_pool_t *pool);
/* Notes that `seq` (above the floor, inside the window) made the job `id`; 0 or RM_ENOMEM. */
int rm_session_note (rm_ledger_session_t *self, uint64_t seq, uint64_t id, uint64_t hash);
/* Forgets the requests up to `floor`; a lower floor than before changes nothing. */
void rm_session_raise_floor (rm_ledger_session_t *self, uint64_t floor);
/* Ends a record in the books: counters, lines, its data let go. Its key stays readable until rm_state_untie_key. */
void rm_state_shelve (rm_state_t *self, rm_record_t *record, rm_outcome_t outcome, uint64_t ended_ms);
/* A dead record, tied to its key, holds what stands behind it there. */
void rm_state_hold (rm_record_t *record);
/* A record that holds its key lets go of it, and is an outcome like any other; the key is freed if nothing is left of it. */
void rm_state_release (rm_state_t *self, rm_record_t *record);
/* The same for all of a queue. */
void rm_state_release_queue (rm_state_t *self, rm_queue_t *queue);
/* Moves a waiting record of a key, which stands last, to where a job of that lower id stood. 0 or RM_ENOMEM. */
int rm_state_stand (rm_record_t *record, uint64_t place);
/* Unties an ended record from its key, and frees the key if nothing is left of it. */
void rm_state_untie_key (rm_state_t *self, rm_record_t *record);
/* What an ended record counts among the bytes that its queue keeps. */
uint64_t rm_record_kept_bytes (const rm_record_t *record);
/* Forgets an ended record. */
void rm_state_forget (rm_state_t *self, rm_record_t *record);
/* Remembers that an incarnation was removed, instead of the one removed longest ago. */
void rm_state_note_removed (rm_state_t *self, uint64_t inc);
/* Takes a member out of the books, without freeing it; then frees it. */
void rm_state_unlist_member (rm_state_t *self, rm_member_t *member);
void rm_state_free_member (rm_member_t *member);
void rm_state_drop_session (rm_state_t *self, rm_ledger_session_t *session);
