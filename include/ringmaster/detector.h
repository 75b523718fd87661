/*  Is the other side still there? Two helpers with time-outs that learn from the link, so that a slow one is not taken
 *  for dead, and a dead one is noticed as soon as the link allows (docs/detector.md):
 *
 *  rm_detector_t is told of heartbeats that come and says when their sender is to be suspected: φ accrual (Hayashibara
 *  et al., SRDS 2004). Where they come from is the caller's: a subscription, a socket, a file.
 *
 *  rm_ping_t pings a master's jobs endpoint and waits for the answer as long as round trips so far say: Jacobson and
 *  Karels, SIGCOMM 1988, as in RFC 6298.
 *
 *  Thread rule: each belongs to one thread.
 */
#pragma once

#include <stdbool.h>

#include <ringmaster/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rm_detector rm_detector_t;
typedef struct rm_ping rm_ping_t;

/* A detector of heartbeats that are sent about every `expected_ms` (1 … 300000), which it believes until some have
 * come. The time of the first one counts from now. NULL with errno EINVAL or ENOMEM. */
RM_EXPORT rm_detector_t *rm_detector_new (unsigned expected_ms);
/* Nulls the pointer, takes NULL. */
RM_EXPORT void rm_detector_destroy (rm_detector_t **self_p);

/* Sets one option before the first heartbeat:
 *   phi    x   suspect at this φ, above 0 and up to 12: wrong about once in 10^x heartbeats (8)
 *   pause  ms  allowed on top, for a sender that stops now and then, as a collector of garbage does (0)
 * 0, RM_EINVAL, RM_ESTATE (a heartbeat has come). */
RM_EXPORT int rm_detector_set (rm_detector_t *self, const char *option, const char *value);

/* A heartbeat has come, now. */
RM_EXPORT void rm_detector_heard (rm_detector_t *self);
/* True while the silence is longer than what is allowed. The next heartbeat ends it. */
RM_EXPORT bool rm_detector_suspects (const rm_detector_t *self);
/* How surprising the silence is now, 0 … 12. */
RM_EXPORT double rm_detector_phi (const rm_detector_t *self);
/* How long a silence is allowed, in milliseconds. */
RM_EXPORT int rm_detector_allowed_ms (const rm_detector_t *self);
/* How long until it suspects if nothing comes, 0 if it does: what to wait for heartbeats with. */
RM_EXPORT int rm_detector_left_ms (const rm_detector_t *self);

/* Pings the master at `endpoint` ("tcp://127.0.0.1:5550"). Nothing is sent yet. NULL with errno EINVAL or ENOMEM. */
RM_EXPORT rm_ping_t *rm_ping_new (const char *endpoint);
/* Closes its socket and frees it; nulls the pointer, takes NULL. */
RM_EXPORT void rm_ping_destroy (rm_ping_t **self_p);

/* Sends a ping and waits for the answer as long as the link's round trips so far say (1 s before there was one; from 20
 * ms to 10 s), and twice more over a new connection, each time twice as long. 0 and, if `round_us` is not NULL, the
 * round trip in microseconds. RM_ETIMEDOUT: none of the three was answered: suspect it. The doubled time-out stays
 * until an answer comes to a first ping. RM_EUNREACHABLE, RM_ENOMEM: no socket could be opened. */
RM_EXPORT int rm_ping (rm_ping_t *self, unsigned *round_us);
/* How long the next ping would wait for its first answer, in milliseconds. */
RM_EXPORT int rm_ping_timeout_ms (const rm_ping_t *self);

#ifdef __cplusplus
}
#endif
