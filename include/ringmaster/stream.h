/*  The pipelined client: many jobs under way at a time, in few messages, and their results as they end.
 *
 *  A job is sent at once where nothing is under way, or one message only; else it is gathered with those that come
 *  meanwhile, until the master has answered. So nothing waits on an idle stream, and messages grow with the load. Jobs are accepted in the
 *  order in which they were sent; those of one key run in that order. Masters may die: what was sent is sent again,
 *  under the same number in its session, to whichever master leads then, so that it is neither lost nor doubled, as
 *  long as it takes.
 *
 *  Every job that rm_stream_send took brings one result, from rm_stream_next, in whatever order they end.
 *
 *  Thread rule: a stream belongs to one thread. Results belong to the caller and may cross threads.
 *  Units: times are milliseconds; a timeout of -1 is for ever.
 */
#pragma once

#include <ringmaster/client.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rm_stream rm_stream_t;

enum {
    RM_STREAM_WINDOW = 1024, /* jobs whose result was not taken yet, unless set otherwise */
    RM_STREAM_WINDOW_MAX = 65536
};

/* How a job ended that was not accepted, in results of a stream, beside those of client.h. */
enum {
    RM_REFUSED = 7, /* the master does not take it; the reason says why. It was not run, and has no id */
    RM_UNSURE = 8   /* it was sent, and whether it was accepted cannot be found out any more; the reason says why */
};

/* A stream to the masters at `masters`, as rm_client_new. Nothing is sent yet. NULL with errno EINVAL or ENOMEM. */
RM_EXPORT rm_stream_t *rm_stream_new (const char *masters);
/* Closes its socket and frees it; nulls the pointer, takes NULL. What was accepted goes on; what was not may be
 * lost. */
RM_EXPORT void rm_stream_destroy (rm_stream_t **self_p);

/* Sets one option, before the first job:
 *   window   n    jobs whose result was not taken yet, at most (1024; up to 65536)
 *   initial, factor, cap   as rm_client_set
 * 0, RM_EINVAL (unknown option or bad value; rm_stream_error says which), RM_ESTATE (a job was sent). */
RM_EXPORT int rm_stream_set (rm_stream_t *self, const char *option, const char *value);

/* Sends a job, of which it makes a copy; does not wait. Right after a result was taken, while others that came with it
 * are still there, it leaves with the jobs that are sent for those: with the next call that is not of that kind, or
 * comes 2 ms later. `tag` of the spec comes back with the result. 0; RM_EBUSY: the window is full, and has room when a
 * result was taken; RM_EINVAL, RM_ETOOBIG: no master would take it; RM_ENOMEM. */
RM_EXPORT int rm_stream_send (rm_stream_t *self, const rm_spec_t *spec);

/* The next result, for the caller to destroy: one that is there, or that comes within `timeout_ms` (0: only looks).
 * NULL: there is none, since nothing is pending, time is over, or a signal was handled; rm_stream_error says what holds
 * the jobs up. Whatever the stream has to do (send, receive, find another master) it does in here and in
 * rm_stream_send. */
RM_EXPORT rm_result_t *rm_stream_next (rm_stream_t *self, int timeout_ms);

/* A descriptor to poll for reading, the same for the stream's life: when it is readable, call rm_stream_next with 0
 * until it answers NULL. -1 with errno: there are no descriptors left. */
RM_EXPORT int rm_stream_fd (rm_stream_t *self);

/* Jobs that were sent and whose result was not taken yet. */
RM_EXPORT size_t rm_stream_pending (const rm_stream_t *self);
/* The last error, or what the jobs wait for, as a sentence for a person; lives until the next call. */
RM_EXPORT const char *rm_stream_error (const rm_stream_t *self);

#ifdef __cplusplus
}
#endif
