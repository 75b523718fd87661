/*  A cluster for fuzz_leader.c: a real leader on a real state, real worker's halves, a ledger in memory whose batches are
 *  applied when the input says so, and a network that keeps what was sent until it is delivered or lost.
 *
 *  After each step the leader's books are checked, and what workers run: no two that hold their lease run one key.
 *  Thread rule: one thread; one cluster at a time, from cluster_begin to cluster_end.
 */
#pragma once

#include "core/leader.h"
#include "core/work_parts.h"
#include "fuzz.h"

enum {
    WORKERS = 5,
    CLIENTS = 3,
    INBOX_MAX = 128,
    SHELL_JOBS_MAX = 256,
    JOBS_MAX = 100,
    SEQS_MAX = 256,
    SESSION_TTL_MS = 20000
};

/* A worker: its half, and what a shell keeps beside it. */
typedef struct {
    rm_work_t *half; /* NULL: the process is not there */
    uint8_t number;
    rm_buf_t inbox[INBOX_MAX]; /* not delivered yet, oldest first */
    uint32_t inbox_count;
    rm_work_job_t *offered[SHELL_JOBS_MAX], *running[SHELL_JOBS_MAX];
    uint32_t offered_count, running_count;
} worker_t;

/* A client; what it was told must stay so. One that is told that its session is over begins another. */
typedef struct {
    rm_session_id_t session;
    uint64_t seq, floor;        /* the newest number it has used */
    uint64_t ids[SEQS_MAX];     /* by seq; 0: not told yet */
    uint64_t sent_ms[SEQS_MAX]; /* when it was sent first: it must not be sent again late */
    uint8_t kinds[SEQS_MAX];    /* what was asked under that number, to ask it again */
} client_t;

extern rm_state_t *state;
extern rm_leader_t *leader;
extern rm_now_t now;
extern worker_t workers[WORKERS];
extern client_t clients[CLIENTS];
extern bool lied;     /* somebody has said in a worker's name what that worker did not say */
extern bool net_down; /* what workers send is lost */

void cluster_begin (void);
void cluster_end (void);

/* ---- the master ---- */
void stand (void);          /* a new leader on the state as it is */
void flush (void);          /* the end of a turn: batches go to the ledger */
void apply (uint32_t most); /* so many of them are applied */
uint32_t unapplied (void);
void fail_over (uint32_t keep); /* another leader on the same state; all but `keep` of what is not applied is lost */
void crash_master (void);       /* the same, and the state is built anew from the log; it must be the same one */
void tick (uint64_t ms);        /* time passes, for everybody; only the master looks at the clock */

/* ---- workers ---- */
void worker_start (worker_t *self);               /* a new process, if there is none */
void worker_kill (worker_t *self);                /* it and what it holds are gone */
void worker_hear (worker_t *self, uint32_t most); /* so many frames of its inbox, then a turn of its loop */
void worker_lose (worker_t *self);                /* its connection breaks: the inbox is lost, it connects anew */
void worker_turn (worker_t *self);
void worker_run (worker_t *self, uint32_t which);                      /* starts a job it was offered */
void worker_finish (worker_t *self, uint32_t which, uint32_t verdict); /* ends a job it runs */
void tell (uint8_t number, const rm_msg_t *msg); /* a message from the worker's address to the master */

/* ---- clients ---- */
void submit (uint8_t client, uint64_t seq, uint8_t kind, uint32_t count); /* jobs seq … seq + count - 1 */
void ask (uint8_t client, const rm_msg_t *msg);

/* ---- the books ---- */
void look (void);      /* after each step */
void look_hard (void); /* at all of the state, and whether the log makes the same one */
