/*  A cluster in one process, for test_leader_*.c: a real leader on a real state, a ledger in memory that commits when the
 *  test says so, scripted workers and clients, and a clock that only the test moves.
 *
 *  After each step the books are checked (`check_books`): what the leader believes must agree with itself.
 *  Thread rule: one thread. Everything lives from cluster_begin to cluster_end.
 */
#pragma once

#include <criterion/criterion.h>
#include <string.h>

#include "core/entry.h"
#include "core/leader.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

enum { HELD_MAX = 2048 };

/* A frame the leader sent. */
typedef struct {
    char to[16]; /* who: an address; "*" when it was published */
    rm_buf_t bytes;
    rm_msg_t msg;
} frame_t;

/* What a scripted worker holds. */
typedef struct {
    uint64_t id, token, seq;
    uint32_t attempt, slot;
    char queue[32], key[32], data[32];
} held_t;

/* A scripted worker: does by itself only what every worker does (receives, answers the phases, beats while time passes),
 * and not even that when it is told so. Its jobs end when the test ends them. */
typedef struct {
    char name[16], address[16], pool[16];
    const char *queues[4];
    uint32_t queue_count, threads;
    uint64_t inc, term, epoch, upto, seen, beat, current_job;
    held_t held[HELD_MAX];
    uint32_t held_count;
    uint64_t returned[HELD_MAX]; /* since the newest phase 2 */
    uint32_t returned_count;
    uint64_t id_max; /* the highest job id it has received */
    bool joined, left, rejoin;
    bool dead;   /* neither hears nor says anything */
    bool silent; /* sends no heartbeats by itself */
    bool manual; /* does not answer phases by itself */
    uint32_t phase;
    uint64_t phase_term, phase_epoch;
    bool lost[RM_SLOTS]; /* slots it gives up in phase 2 */
    bool said_ok;
    uint64_t beat_ms;
    size_t cursor;     /* frames before this one it has seen */
    uint32_t received; /* jobs of dispatches that it took in */
} worker_t;

typedef struct {
    rm_session_id_t session;
    char address[16];
    uint64_t seq; /* the newest it has used */
    uint64_t floor;
    uint64_t after; /* its submits are to come after this number */
} client_t;

extern rm_state_t *state;
extern rm_leader_t *leader;
extern rm_leader_config_t config; /* of the next leader; change it before cluster_begin or with reconfigure */
extern rm_now_t now;
extern client_t client;       /* who submits unless a test says otherwise */
extern uint32_t state_format; /* that every master reads; of the next leader */
extern bool disk_slow;        /* batches are taken, but wait for disk () */

/* ---- life ---- */
void cluster_prepare (void); /* defaults, without a leader yet */
void cluster_begin (void);   /* prepare, unless it was done, and lead */
void cluster_end (void);
void reconfigure (void); /* `config` holds for the present leader too */

/* ---- time and turns ---- */
void turn (void);       /* one turn of the shell: hands out, writes, applies, until nothing moves; workers receive */
void flush_once (void); /* hands out and takes batches; applies nothing, delivers nothing */
void disk (void);       /* applies what was taken */
size_t unapplied (void);
void after (uint64_t ms); /* time passes in steps of 10 ms, with heartbeats */
void jump (uint64_t ms);  /* time passes and nothing else happens */
void tick (void);

/* ---- masters ---- */
/* The leader is gone, another one stands. `keep`: how many of the batches that were not applied made it to the log. */
void failover (size_t keep);
/* The same on a state that is built anew from the log. */
void restart_from_log (size_t keep);
/* As restart_from_log, but the new master has not yet applied its barrier. */
void crash_master (size_t keep);
void stand (void);

/* ---- workers ---- */
worker_t *worker_new (const char *name, uint32_t threads); /* of the queue "q"; has not said anything */
void say_join (worker_t *self);
worker_t *join (const char *name, uint32_t threads);         /* joined, its resize not begun */
worker_t *join_settled (const char *name, uint32_t threads); /* joined, and its resize is over */
void settle (void);                                          /* passes time until no resize is current or wanted */
void beat (worker_t *self);
void beat_as (worker_t *self, uint64_t term, uint64_t inc, uint64_t seen);
void say_sync1 (worker_t *self);
void say_sync2 (worker_t *self, bool ok);
void say_leave (worker_t *self);
void say_partial (worker_t *self, uint64_t id, uint32_t attempt, uint64_t n, const char *data);
void say_progress (worker_t *self, uint64_t id, uint32_t attempt, uint32_t permille, const char *note);
held_t *holds (worker_t *self, uint64_t id);
void drop (worker_t *self, uint64_t id); /* no longer holds it, and says nothing yet */
void hand_back (worker_t *self, uint64_t id);
void say_done (worker_t *self, uint64_t id, uint64_t token, uint32_t attempt, rm_verdict_t verdict, const char *data);
void finish (worker_t *self, uint64_t id); /* done with the result "ok", and the turn that follows */
void fail (worker_t *self, uint64_t id, rm_verdict_t verdict);
void die (worker_t *self);
void die_and_be_removed (worker_t *self);
void receive (worker_t *self);
void lose_frames (worker_t *self); /* what was sent to it is lost with its connection */
rm_peer_t *peer_of (const worker_t *self);
rm_report_t report_of (worker_t *self); /* aliases static memory */
void tell (const worker_t *self, const rm_msg_t *msg);

/* ---- clients ---- */
client_t client_make (const char *address);
rm_submit_job_t job_of (const char *queue, const char *key, const char *data);
void submit_jobs (client_t *self, rm_submit_job_t *jobs, uint32_t count);
uint64_t put (const char *key, const char *data); /* accepted in the queue "q"; key NULL: without */
uint64_t put_job (client_t *self, rm_submit_job_t job);
void ask_wait (const char *address, const uint64_t *ids, uint32_t count, uint32_t timeout_ms);
void ask_wait_each (const char *address, const uint64_t *ids, uint32_t count, uint32_t timeout_ms);
void ask_wait_any (const char *address, const uint64_t *ids, uint32_t count); /* within a minute */
rm_record_t *record_of (uint64_t id);
rm_outcome_t outcome_of (uint64_t id);
const char *reason_of (uint64_t id);

/* A key whose slot is `worker`'s (its target); different for each `n`. Lives until the next 64 calls. */
const char *key_of (const worker_t *worker, uint32_t n);
const worker_t *owner_of (const char *key);
uint32_t slot_of (const char *key);

/* ---- what was sent ---- */
void mark (void); /* the next look begins here */
const rm_msg_t *sent (const char *to, rm_msg_type_t type);
const rm_msg_t *sent_nth (const char *to, rm_msg_type_t type, uint32_t n);
uint32_t sent_count (const char *to, rm_msg_type_t type);
const frame_t *published (uint32_t phase); /* since the mark */
uint32_t published_count (uint32_t phase);
/* The attempt up to which it was told that they are settled; 0: it was not. */
uint32_t told_committed (const worker_t *worker, uint64_t id);
size_t frame_index (const rm_msg_t *msg); /* in the order of sending */
const frame_t *frame_at (size_t index);   /* NULL: none yet */

/* ---- checks ---- */
void check_books (void);
void books_begin (void); /* forgets what it has seen; for a program that begins one cluster after another */
extern bool books_off;   /* true: check_books does nothing, for a run that checks them at its own pace */
