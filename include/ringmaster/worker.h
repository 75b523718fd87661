/*  The worker: runs handlers for the jobs of its queues, keeps its lease, takes part in every resize of the ring.
 *
 *  Thread rule: a worker belongs to the thread that calls rm_worker_run; handlers run on the worker's own threads;
 *  rm_worker_stop may be called from any thread and from a signal handler; rm_job_… from the handler's thread, and
 *  after rm_job_detach from any, one at a time.
 *  Ownership: what rm_job_… hands out lives until the handler returns (of a detached job: until rm_job_finish), and
 *  ends in a NUL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ringmaster/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rm_worker rm_worker_t;
typedef struct rm_job rm_job_t;

/* Verdicts of a failing handler. */
enum {
    RM_RETRY = 1, /* try again, if the job has a try left */
    RM_DEAD = 2   /* never again */
};

/* Runs one job. It ends with exactly one rm_job_reply… or rm_job_fail; returning without one is a reply of no bytes if
 * 0 is returned, and a failure to be retried otherwise. Must look at rm_job_cancelled now and then if it runs long. */
typedef int rm_handler_fn (rm_job_t *job, void *arg);

/* A worker for the masters at `masters` (as rm_client_new). NULL with errno EINVAL or ENOMEM. */
RM_EXPORT rm_worker_t *rm_worker_new (const char *masters);
/* Frees it; it must not run. Nulls the pointer, takes NULL. */
RM_EXPORT void rm_worker_destroy (rm_worker_t **self_p);

/* Sets one option, before rm_worker_run:
 *   name     text  how it is called (host-pid)        threads  n   that run handlers (the machine's cores)
 *   pool     text  the pool it belongs to (default)   jobs     n   at a time, detached ones too (as many as threads)
 *   quiet    0|1   no log on stderr (0)               insecure 0|1 "shell" may serve masters beyond this machine's
 *                                                                  loopback (0)
 *   project  text  look for the project's masters at a catalog      catalog  HOST[:PORT],…  which ($CATALOG_HOST)
 *                  when those that are known do not answer
 * 0 or RM_EINVAL (rm_worker_error says which). */
RM_EXPORT int rm_worker_set (rm_worker_t *self, const char *option, const char *value);

/* Serves `queue` with `handler`; `arg` is handed through. 0, RM_EINVAL (bad name), RM_ESTATE (served already, or
 * running). */
RM_EXPORT int rm_worker_handle (rm_worker_t *self, const char *queue, rm_handler_fn *handler, void *arg);

/* Serves `queue` with a command: "exec:COMMAND" (run by sh -c), "builtin:echo|sleep|fail", or "shell": each job's
 * payload is a command (docs/map.md). The shell serves masters of this machine's loopback only, unless it is told
 * `insecure`. */
RM_EXPORT int rm_worker_handle_named (rm_worker_t *self, const char *queue, const char *handler);

/* Called on the worker's thread once it is joined for the first time. */
RM_EXPORT void rm_worker_on_ready (rm_worker_t *self, void (*ready) (const char *name, void *arg), void *arg);

/* Slots `first` to `last` of the ring of the worker's pool. */
typedef struct {
    uint32_t first, last;
} rm_slot_range_t;

/* What has become of a worker's slots. No slot is both gained and lost in one call. */
typedef struct {
    const rm_slot_range_t *gained, *lost; /* in ascending order */
    size_t gained_count, lost_count;
} rm_slots_t;

/* The slot of a key, from 0 to 16383; `size` bytes, without a NUL that may end them. Any thread. */
RM_EXPORT uint32_t rm_slot_of_key (const void *key, size_t size);

/* Has `told` called whenever the worker gains or loses slots: to keep warm what belongs to its keys, and to let go of
 * what does not any more. Before rm_worker_run; NULL: nobody.
 *   - Calls are made one at a time, on a thread that is for nothing else. What a call is given lives until it returns.
 *   - A slot is gained once before it is lost, and lost before it is gained again. At first the worker has none.
 *   - Gained: the call returns before the first job of the slot is started here. A slow one lets them wait.
 *   - Lost: no job of the slot runs here from before the call until it was gained again. A slow one delays the end of the
 *     resize, so that it is the last word about these slots, but no heartbeat: it does not cost the lease. The slot's new
 *     owner may run jobs of it already: what both share needs the jobs' tokens all the same.
 *   - A worker that leaves in good order, or was removed and joins anew, loses all it has first. One that ends in another way
 *     (no master answers it, or the process ends) is not told. */
RM_EXPORT void rm_worker_on_slots (rm_worker_t *self, void (*told) (const rm_slots_t *slots, void *arg), void *arg);

/* Works until it was stopped (SIGTERM, SIGINT or rm_worker_stop: finishes what runs, hands back the rest, leaves) or
 * drained by an operator: 0. RM_EINVAL: nothing to serve. RM_EDENIED: the master refused it for good, or the shell
 * refuses it. RM_EUNREACHABLE: no master answered for 10 s, before it had joined or while it was leaving.
 * Ends the process with exit code 1 at a second signal, and when a handler runs on past its timeout, or past the loss
 * of the lease, by the master's grace time: nobody could promise that the job runs once at a time otherwise. */
RM_EXPORT int rm_worker_run (rm_worker_t *self);
/* Tells it to finish what runs and leave; does not wait for that. */
RM_EXPORT void rm_worker_stop (rm_worker_t *self);
/* The last error as a sentence for a person, "" if there was none; lives until the next call. */
RM_EXPORT const char *rm_worker_error (const rm_worker_t *self);

/* The job that a handler was given: its payload as bytes (`size_p` may be NULL) and as text, and what it is. */
RM_EXPORT const void *rm_job_data (const rm_job_t *self, size_t *size_p);
RM_EXPORT const char *rm_job_text (const rm_job_t *self);
RM_EXPORT const char *rm_job_key (const rm_job_t *self); /* NULL: without a key */
RM_EXPORT const char *rm_job_queue (const rm_job_t *self);
RM_EXPORT uint64_t rm_job_id (const rm_job_t *self);
RM_EXPORT uint64_t rm_job_token (const rm_job_t *self);   /* the fencing token: only grows per key */
RM_EXPORT unsigned rm_job_attempt (const rm_job_t *self); /* from 1 */
/* True once the job should stop: its time is over, or its worker lost the lease. */
RM_EXPORT bool rm_job_cancelled (const rm_job_t *self);

/* Says how far the job is, 0 … 1000, and a note of up to 256 bytes (cut there) about that; NULL: none. Whoever waits
 * sees it, and `ringctl` shows it. The job's timeout counts anew from here: a job that says so in time may run for
 * long. Costs little: of many in a row the last one is told. 0, RM_ESTATE (it has ended), RM_EINVAL (no such
 * number). */
RM_EXPORT int rm_job_progress (rm_job_t *self, unsigned permille, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* A partial result of up to 64 KiB (copied), for whoever follows the job while it runs: told soon, in order, and before
 * the result. Nobody need have seen it: the master keeps the newest 256 KiB of a job in memory, until shortly after its
 * end, and a new master has none of them. What counts is the result. 0, RM_ESTATE (it has ended), RM_ETOOBIG, RM_EBUSY
 * (4 MiB of the worker wait to be told: later, or never), RM_ENOMEM. */
RM_EXPORT int rm_job_partial (rm_job_t *self, const void *data, size_t size);

/* Ends the job with a result (copied): 0, RM_ESTATE (ended already), RM_ETOOBIG, RM_ENOMEM. */
RM_EXPORT int rm_job_reply (rm_job_t *self, const void *data, size_t size);
RM_EXPORT int rm_job_replyf (rm_job_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
/* Ends the attempt as failed; `verdict` is RM_RETRY or RM_DEAD. Same answers. */
RM_EXPORT int rm_job_fail (rm_job_t *self, int verdict, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* The job shall go on when its handler has returned (whatever that returns): its thread is free for the next one, and
 * the job is over when rm_job_finish says so, from any thread. Until then it is a running job in every respect: it
 * counts among the worker's `jobs` (not among its threads), its key waits, its timeout, a cancel and a lost lease set
 * rm_job_cancelled, and a worker that leaves waits for it. Whoever has it must look at that: a job that is not finished
 * by the master's grace time after it was cancelled for its timeout or the lease ends the process.
 * To be called by the handler, before it gives the job away. 0, RM_ESTATE (detached already), RM_ENOMEM (it is not). */
RM_EXPORT int rm_job_detach (rm_job_t *self);
/* Ends a detached job: with the rm_job_reply… or rm_job_fail that was said, or with a reply of no bytes; frees it.
 * Every detached job needs it, a cancelled one too: rm_worker_run does not return before. Nulls the pointer, takes
 * NULL. 0, RM_ESTATE (was not detached: nothing has happened). */
RM_EXPORT int rm_job_finish (rm_job_t **self_p);

#ifdef __cplusplus
}
#endif
