/*  Publish and subscribe: news by topic, numbered, so that a subscriber knows what it has missed, and with the newest
 *  value of each topic for whoever comes late (docs/pubsub.md).
 *
 *  A publisher never waits for a subscriber: one that is too slow loses messages, and is told how many. What it is
 *  given of a topic is in order, each message once.
 *
 *  Thread rule: rm_pub_send from any thread, the rest of a publisher from one. A subscriber belongs to one thread;
 *  rm_sub_stop may be called from any thread and from a signal handler.
 *  Units: times are milliseconds, -1 is for ever; sizes bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ringmaster/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rm_pub rm_pub_t;
typedef struct rm_sub rm_sub_t;

/* A message as rm_sub_recv gives it. */
typedef struct {
    const char *topic; /* ends in a NUL */
    const void *data;  /* `size` bytes and a NUL behind them */
    size_t size;
    uint64_t seq;       /* of this topic, from 1, since the publisher began */
    uint64_t publisher; /* its incarnation: random, another one after a restart */
    uint64_t missed;    /* messages of this topic that were sent before this one, and never came */
    bool kept;          /* the newest value of before, not one that was just sent */
    bool restarted; /* the first one of another incarnation: what its predecessor sent last may be lost, uncounted */
} rm_news_t;

/* A publisher that listens nowhere yet. NULL with errno ENOMEM. */
RM_EXPORT rm_pub_t *rm_pub_new (void);
/* Closes it; what has not left yet is lost. Nulls the pointer, takes NULL. */
RM_EXPORT void rm_pub_destroy (rm_pub_t **self_p);

/* Sets one option, before rm_pub_bind:
 *   topics    n      how many there may be, up to 65536 (4096)
 *   kept      bytes  of the newest values of all topics together, up to 1 GiB (64 MiB)
 *   insecure  0|1    may listen beyond this machine's loopback: whoever reaches it can read all (0)
 * 0, RM_EINVAL, RM_ESTATE (it listens). */
RM_EXPORT int rm_pub_set (rm_pub_t *self, const char *option, const char *value);

/* Listens on host:port; port 0 takes any free one. 0, RM_EINVAL, RM_EIO, RM_EDENIED (not loopback, and not `insecure`),
 * RM_ESTATE (it does already), RM_ENOMEM. */
RM_EXPORT int rm_pub_bind (rm_pub_t *self, const char *host, unsigned port);
/* Where subscribers can connect to: "tcp://host:port"; "" before rm_pub_bind. */
RM_EXPORT const char *rm_pub_endpoint (const rm_pub_t *self);

/* Sends `size` bytes (copied) to whoever has subscribed to `topic`, and keeps them for those who will. A topic is 1 …
 * 200 bytes without control characters. Never waits for the network. 0, also if there is nobody; RM_EINVAL (not a
 * topic), RM_ETOOBIG (more than 1 MiB, or more topics or bytes than options allow: nothing was sent), RM_ESTATE (it
 * does not listen), RM_ENOMEM. */
RM_EXPORT int rm_pub_send (rm_pub_t *self, const char *topic, const void *data, size_t size);
/* The last error of rm_pub_set and rm_pub_bind as a sentence for a person. */
RM_EXPORT const char *rm_pub_error (const rm_pub_t *self);

/* A subscriber of the publisher at `endpoint` ("tcp://127.0.0.1:7000"), which need not be there yet. NULL with errno
 * EINVAL or ENOMEM. */
RM_EXPORT rm_sub_t *rm_sub_new (const char *endpoint);
/* Nulls the pointer, takes NULL. */
RM_EXPORT void rm_sub_destroy (rm_sub_t **self_p);

/* Subscribes to every topic that begins with `prefix`, byte by byte ("" is every topic; "a" is also "ab/c"). 0,
 * RM_EINVAL (more than 200 bytes, a control character, or subscribed already), RM_ETOOBIG (more than 64
 * subscriptions). */
RM_EXPORT int rm_sub_prefix (rm_sub_t *self, const char *prefix);
/* Subscribes to this topic and no other. Same answers. */
RM_EXPORT int rm_sub_topic (rm_sub_t *self, const char *topic);

/* Waits for the next message: 0, and `news` lives until the next call. RM_ETIMEDOUT; RM_EINTERRUPTED: rm_sub_stop was
 * called; RM_EPROTO: what came is not from a publisher of ours, and was dropped; RM_ENOMEM. While there is no publisher
 * it waits for one. */
RM_EXPORT int rm_sub_recv (rm_sub_t *self, int timeout_ms, rm_news_t *news);
/* Lets the rm_sub_recv that waits, or the next one, answer RM_EINTERRUPTED. Of NULL, nothing: a second signal may find it destroyed. */
RM_EXPORT void rm_sub_stop (rm_sub_t *self);
/* How many messages it has missed in all, as far as it was told. */
RM_EXPORT uint64_t rm_sub_missed (const rm_sub_t *self);

#ifdef __cplusplus
}
#endif
