/*  The lazy-pirate client: one request at a time on a REQ socket, with timeouts that grow, reconnects, and the same
 *  (session, seq) on every retry, so that a job is accepted once however often it had to be sent.
 *  (Lazy Pirate: the ZeroMQ guide, chapter 4; sessions: RIFL, Lee et al., SOSP 2015.)
 *
 *  Thread rule: a client belongs to one thread. Results belong to the caller and may cross threads.
 *  Units: times are milliseconds, sizes bytes; a timeout of -1 is for ever. While no master answers, a timeout below
 *  the first per-try timeout (option `initial`) is taken as that, since nothing could be learnt sooner.
 *
 *  Before its first request a client asks a master it was given for the others, within the same timeout, and asks them
 *  too from then on: one endpoint of a group is enough, and that one may die later.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ringmaster/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rm_client rm_client_t;
typedef struct rm_result rm_result_t;

/* How a job ended. */
enum {
    RM_DONE = 1, /* the handler's result is the data */
    RM_DIED = 2, /* failed for good; the reason says why */
    RM_CANCELLED = 3,
    RM_EXPIRED = 4,
    /* Of rm_client_wait_any only: */
    RM_GONE = 5,   /* it has ended, and its outcome is kept no longer */
    RM_UNKNOWN = 6 /* no such job was ever accepted */
};

enum { RM_CLIENT_MANY_MAX = 4096 }; /* jobs in one call */

/* A job to submit. Zero means: as the queue is set. Inputs are copied before a call returns. */
typedef struct {
    const char *queue;   /* required: 1 … 128 printable characters */
    const char *key;     /* jobs of one key run one at a time, in order; NULL: without a key */
    const void *data;    /* the payload, may be NULL when size is 0 */
    size_t size;         /* bytes of data, at most 1 MiB unless the master is configured otherwise */
    unsigned tries;      /* attempts before a failing job is dead */
    unsigned timeout_ms; /* how long one attempt may run */
    bool at_most_once;   /* never started again after a crash: ends dead with reason "lost" instead */

    const char
        *id; /* your own name of the job, up to 128 bytes: while one of the queue that was named so is kept, it is
                             the answer, and nothing new is run; NULL: none */
    uint64_t
        delay_ms; /* not started before so long after it was accepted; one with a key keeps its place in the line */
    uint64_t deadline_ms; /* ends expired unless it has ended so long after it was accepted; 0: never */
    unsigned priority;    /* 1 … 9, higher ones go first; never within a key; 0: 5 */
    const char
        *retry;   /* how its attempts are spaced: "delay=1s backoff=2 cap=1m jitter=full"; NULL: as the queue is set */
    uint64_t tag; /* of a stream's job: comes back with its result (rm_result_tag), and means nothing to us */
} rm_spec_t;

/* rm_spec ("bank", .key = "bob", .data = "10", .size = 2) */
#define rm_spec(name, ...) (&(rm_spec_t){.queue = (name), __VA_ARGS__})

/* A client of the masters at `masters`, jobs endpoints separated by commas ("tcp://127.0.0.1:5550"; NULL: the
 * environment's RINGMASTER, else that address). Nothing is sent yet. NULL with errno EINVAL or ENOMEM. */
RM_EXPORT rm_client_t *rm_client_new (const char *masters);
/* Closes its socket and frees it; nulls the pointer, takes NULL. What was accepted goes on. */
RM_EXPORT void rm_client_destroy (rm_client_t **self_p);

/* Sets one option, before the first request:
 *   initial  ms   first per-try timeout (250)        factor   x    how it grows (2)
 *   cap      ms   where growth stops (8000)          tries    n    sends per request, 0 = until the timeout (0)
 * Where several masters are known the timeout grows no further than to 400 ms (or `initial`), until another master says that
 * the one that is asked leads.
 * 0, RM_EINVAL (unknown option or bad value; rm_client_error says which), RM_ESTATE (a request was made). */
RM_EXPORT int rm_client_set (rm_client_t *self, const char *option, const char *value);

/* Submits and waits: 0 and a result for the caller to destroy, or an error. RM_ETIMEDOUT: accepted, but not ended in
 * time (rm_client_last_id names the job); RM_EUNREACHABLE: no master answered; RM_EBUSY: still full at the end. */
RM_EXPORT int rm_client_call (rm_client_t *self, const rm_spec_t *spec, int timeout_ms, rm_result_t **result_p);

/* Submits: 0 and the job's id once it is durable. `timeout_ms` bounds the retries. A submit that ended in an error may
 * have been accepted; calling again with the same spec right away sends the same (session, seq), so it is not doubled.
 * RM_ESTATE: the masters began anew from a backup, and what was under way may have been run before; the next submit is
 * as of a new client. */
RM_EXPORT int rm_client_submit (rm_client_t *self, const rm_spec_t *spec, int timeout_ms, uint64_t *id_p);

/* Submits 1 … RM_CLIENT_MANY_MAX jobs in one message: all of them are accepted, with their ids in `ids` in the same
 * order, or none is. Jobs that run in order (of one key) do so in this order. Errors and repetition as
 * rm_client_submit; RM_EINVAL: a count or a spec that is not allowed, RM_ETOOBIG: more than 16 MiB in all, RM_EBUSY:
 * the master has no room for all of them. */
RM_EXPORT int rm_client_submit_many (rm_client_t *self, const rm_spec_t *specs, size_t count, int timeout_ms,
                                     uint64_t *ids);

/* Waits for a job of any client: 0 and its result, RM_ETIMEDOUT, RM_EGONE, RM_EUNKNOWN, RM_EUNREACHABLE (no master
 * answered for 10 s, or for the whole timeout if that is shorter). */
RM_EXPORT int rm_client_wait (rm_client_t *self, uint64_t id, int timeout_ms, rm_result_t **result_p);

/* Called with what a job said of itself, permille and a note, while rm_client_wait, rm_client_wait_any or
 * rm_client_call waits for it: in the waiting thread, and not to call the client. Of several in a row only the newest
 * need come. */
typedef void rm_progress_fn (uint64_t id, unsigned attempt, unsigned permille, const char *note, void *arg);
/* From the next wait on; NULL: none. */
RM_EXPORT void rm_client_on_progress (rm_client_t *self, rm_progress_fn *told, void *arg);

/* The same with partial results, while rm_client_wait or rm_client_call waits for the job: the n-th of an attempt, from
 * 1, in order. One that is not the next has come after a gap: the master, which keeps few of them and only in memory,
 * has let go of those between, or began anew. Another attempt begins anew too. What counts is the result. */
typedef void rm_partial_fn (uint64_t id, unsigned attempt, uint64_t n, const void *data, size_t size, void *arg);
RM_EXPORT void rm_client_on_partial (rm_client_t *self, rm_partial_fn *told, void *arg);

/* Waits until at least one of 1 … RM_CLIENT_MANY_MAX jobs has ended: 0, and in `results` (room for `count`) the result
 * of each job that is known to have ended, for the caller to destroy, NULL for the others. A job of which nothing is
 * known any more, or ever was, has ended as RM_GONE or RM_UNKNOWN. Large results come in several calls: call again for
 * those left. On an error all are NULL: RM_ETIMEDOUT (none has ended), RM_EUNREACHABLE (as rm_client_wait), RM_EINVAL,
 * RM_ENOMEM. */
RM_EXPORT int rm_client_wait_any (rm_client_t *self, const uint64_t *ids, size_t count, int timeout_ms,
                                  rm_result_t **results);

/* Asks the master: `what` is "status", "workers", "ring", "jobs", "progress" (jobs that run and say how far they are),
 * "masters", "events" (with the "next" of the answer before as id, 0 at first), "why" or "trace" (with the job's id) or
 * "endpoints" (where its other sockets are). The JSON text lives until the next answer to this client. */
RM_EXPORT int rm_client_query (rm_client_t *self, const char *what, uint64_t id, const char *queue, unsigned limit,
                               int timeout_ms, const char **json_p);

/* Which jobs rm_client_jobs lists; NULL, and 0, stand for all. */
typedef struct {
    const char *queue;
    const char *state; /* "waiting", "delayed", "held", "running", "done", "dead", "cancelled", "expired" */
    const char *key;
    const char *worker; /* where they are */
    uint64_t before;    /* only those with a lower id */
    unsigned limit;     /* at most so many; 0: 100 */
} rm_jobs_t;

/* Lists jobs, the newest first; answers as rm_client_query. Where the JSON has "next", there may be more: ask again
 * with that as `before`. */
RM_EXPORT int rm_client_jobs (rm_client_t *self, const rm_jobs_t *which, int timeout_ms, const char **json_p);

/* Looks at the payload of a job that has not ended, or is dead, and takes it from nobody: of the job `id`, or (id 0) of
 * the one of `queue` whose turn comes first in that state: "waiting", "delayed" or "dead". At most `limit` bytes of it;
 * 0, or more than that: 4 MiB. Answers as rm_client_query: the JSON has the job, the "size" of its payload and
 * "data_base64". RM_EUNKNOWN: there is none; RM_EGONE: it is kept no longer. */
RM_EXPORT int rm_client_peek (rm_client_t *self, uint64_t id, const char *queue, const char *state, unsigned limit,
                              int timeout_ms, const char **json_p);

/* Takes a worker out in good order; answers as rm_client_query. */
RM_EXPORT int rm_client_drain (rm_client_t *self, const char *worker, int timeout_ms, const char **json_p);

/* Changes the group of masters: `what` is "add" (a new master, that waits at the jobs endpoint `at`, which is 4 ports
 * below the raft port that --peers names, under the number `id`), "remove", "transfer" (the lead to `id`; 0: to any
 * other) or "upgrade" (the ledger to the format `id`). Answers as rm_client_query once it is done. RM_EBUSY: another
 * change is under way. RM_ESTATE, RM_EUNKNOWN, RM_ECONFLICT, RM_EDENIED, RM_EINVAL: it cannot be done, and the error
 * says why. RM_ETIMEDOUT: it may have been done. */
RM_EXPORT int rm_client_change (rm_client_t *self, const char *what, uint64_t id, const char *at, int timeout_ms,
                                const char **json_p);

/* Orders about jobs and queues; answers as rm_client_query, once it is durable. The same order again changes nothing
 * more.
 *   "cancel" id          what waits ends cancelled; what runs is told to stop, and ends so unless it is done first
 *   "bury"   id, text    the same, but dead, for the reason `text`
 *   "kick"   id          a dead job is submitted again, under a new id; id 0: up to `limit` of the queue's (at most 4096; 0: as
 *                         many)
 *   "set"    queue, text "NAME=VALUE …" (docs/protocol.md, `order`); NULL: only tells how it is set
 * RM_EUNKNOWN, RM_EGONE: there is no such job, or queue. RM_ESTATE, RM_EINVAL: it cannot be, and the error says why.
 * RM_EBUSY: kick: the queue, or the master, is full. RM_EDENIED: an older master could not read it. */
RM_EXPORT int rm_client_order (rm_client_t *self, const char *what, uint64_t id, const char *queue, const char *text,
                               unsigned limit, int timeout_ms, const char **json_p);
/* Cancels a job: 0 also if it has ended already, or is being stopped; wait for it to see how it ended. */
RM_EXPORT int rm_client_cancel (rm_client_t *self, uint64_t id, int timeout_ms);

/* Gives the session and the next request's number, so that another process can go on where this one was killed: its
 * same request gets the same answer. Take the text anew after each request. 0, or RM_ETOOBIG: `text` needs 128
 * bytes. */
RM_EXPORT int rm_client_session (const rm_client_t *self, char *text, size_t size);
/* Takes a session from rm_client_session over, before the first request. RM_EINVAL: not such a text. RM_EEXPIRED: it is
 * older than half a session's life (7.5 min), and what was sent could run twice. RM_ESTATE: a request was made. */
RM_EXPORT int rm_client_resume (rm_client_t *self, const char *text);

/* The id of the newest accepted job; 0 if there is none. */
RM_EXPORT uint64_t rm_client_last_id (const rm_client_t *self);
/* The last error as a sentence for a person; lives until the next call. */
RM_EXPORT const char *rm_client_error (const rm_client_t *self);

/* After RM_EUNREACHABLE: the jobs endpoint of a master that is up, but leads and follows nobody, since no majority of
 * the masters answers it; "" if none said so. Lives until the next request. */
RM_EXPORT const char *rm_client_leaderless (const rm_client_t *self);

/* What became of a job. What these hand out lives until the result is destroyed. */
RM_EXPORT uint64_t rm_result_id (const rm_result_t *self);        /* 0: it was not accepted */
RM_EXPORT uint64_t rm_result_tag (const rm_result_t *self);       /* of a stream's job: what its spec said */
RM_EXPORT int rm_result_outcome (const rm_result_t *self);        /* RM_DONE … */
RM_EXPORT unsigned rm_result_attempt (const rm_result_t *self);   /* how many attempts it took */
RM_EXPORT const char *rm_result_reason (const rm_result_t *self); /* "" when done */
RM_EXPORT const void *rm_result_data (const rm_result_t *self, size_t *size_p); /* `size_p` may be NULL */
RM_EXPORT const char *rm_result_text (const rm_result_t *self);                 /* the data, with a NUL behind it */
RM_EXPORT void rm_result_destroy (rm_result_t **self_p);                        /* nulls the pointer, takes NULL */

#ifdef __cplusplus
}
#endif
