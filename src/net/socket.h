/*  ZeroMQ sockets. Every one of the project is opened here, so that no caller can forget an option whose default loses
 *  messages, trusts a stranger's length or waits for ever; socket.c lists what is set and why.
 *
 *  Nothing here blocks: what cannot be done now is answered with a code. A message is one frame; the empty delimiter
 *  that the jobs socket has in front of it (docs/protocol.md, "Sockets and frames") is added and taken off here. A
 *  message of any other shape is dropped whole and counted.
 *  Thread rule: a socket belongs to one thread, or to those that hold a lock. The process must hold a share of the
 *  context (net/context.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/context.h"
#include "net/endpoint.h"
#include "net/fault.h"
#include "proto/buf.h"

typedef enum {
    RM_SOCKET_JOBS_ROUTER, /* master ↔ clients; with a delimiter */
    RM_SOCKET_WORK_ROUTER, /* master ↔ workers */
    RM_SOCKET_SYNC_PUB,    /* master → workers */
    RM_SOCKET_REQ,         /* client → jobs router: strictly one request, one reply */
    RM_SOCKET_JOBS_DEALER, /* client ↔ jobs router, many requests at a time; with a delimiter */
    RM_SOCKET_WORK_DEALER, /* worker ↔ work router */
    RM_SOCKET_SUB,         /* worker ← sync publisher, subscribed to everything */
    RM_SOCKET_NEWS_PUB, /* publisher → subscribers; receives their subscriptions: 01 (00: no more) and the prefix */
    RM_SOCKET_NEWS_SUB, /* subscriber ← publisher, subscribed to nothing yet */
    RM_SOCKET_KINDS
} rm_socket_kind_t;

typedef struct rm_socket rm_socket_t;

/* Who sent a message to a ROUTER, and whom to answer. Valid as long as that connection; a peer that connects anew has
 * another one. `size` and the first `size` bytes of `data` are the whole value (and may be hashed together). */
typedef struct {
    uint8_t size;      /* 1 … 255; ours are 5 */
    uint8_t data[255]; /* any bytes */
} rm_route_t;

/* A received message. In-place struct: `rm_frame_t frame = {0};` is empty and valid. It must not be copied. */
typedef struct {
    _Alignas(void *) uint8_t opaque[64];
} rm_frame_t;

/* Listens on host:port; port 0 takes any free one. `host` may be a name. NULL with the reason in `fault`. */
rm_socket_t *rm_socket_bind (rm_socket_kind_t kind, const char *host, unsigned port, rm_fault_t *fault);

/* Begins to connect, and goes on trying until it is closed. A host's name is looked up: may block for that.
 * What is sent before it is connected waits, up to the high-water mark. NULL with the reason in `fault`. */
rm_socket_t *rm_socket_connect (rm_socket_kind_t kind, const rm_endpoint_t *endpoint, rm_fault_t *fault);

/* Puts a socket that connects to `endpoint` in the place of what there is. An endpoint that is none, or cannot be connected to,
 * is as one that does not answer: NULL is there then. */
void rm_socket_reconnect (rm_socket_t **self_p, rm_socket_kind_t kind, const char *endpoint);

/* Closes at once. What has not left yet is lost, unless a linger time was set. */
void rm_socket_close (rm_socket_t **self_p);

/* Lets rm_socket_close hand what has not left yet to the I/O thread, which tries for so long; rm_net_term waits. */
void rm_socket_set_linger (rm_socket_t *self, int linger_ms);

/* Of a bound socket: where others can connect to it, the port filled in and a wildcard replaced.
 * Of a connecting one: where it connects to. */
const rm_endpoint_t *rm_socket_endpoint (const rm_socket_t *self);

/* Of a NEWS_SUB: takes part, or no longer, in what begins with these bytes. A connection that is renewed says all of it
 * again. */
void rm_socket_subscribe (rm_socket_t *self, const void *prefix, size_t size, bool wanted);

/* For whoever shares a socket between threads, under a lock: a descriptor that is readable (once) when something has changed,
 * to be waited for without the lock; and, with it, after that and after every send, whether a message waits. */
int rm_socket_fd (const rm_socket_t *self);
bool rm_socket_is_readable (const rm_socket_t *self);

/* Takes the next message. `frame`, which must be valid, is closed and filled; `route` is written for the ROUTER kinds
 * and NULL for the others.
 * 1: here it is. 0: there is none now. RM_EPROTO: a message of another shape was dropped, there may be more behind it.
 * RM_ENOMEM. After anything but 1 the frame is empty. */
int rm_socket_recv (rm_socket_t *self, rm_route_t *route, rm_frame_t *frame);

/* Sends a copy of `data`. `route` for the ROUTER kinds, NULL for the others.
 * 0: it is on its way (which is no proof that it arrives). RM_EBUSY: the peer has as much waiting as it may; later.
 * RM_EUNREACHABLE: that peer is gone. RM_ETOOBIG: over RM_FRAME_BYTES_MAX. RM_ESTATE: a REQ awaits its reply. RM_ENOMEM.
 * A publisher answers 0 also when it drops: publishing is a hint. */
int rm_socket_send (rm_socket_t *self, const rm_route_t *route, const void *data, size_t size);

/* Sends what is in `buf` without a copy if it is large. After 0 `buf` is empty; after an error it is as it was. */
int rm_socket_send_buf (rm_socket_t *self, const rm_route_t *route, rm_buf_t *buf);

/* How many messages were dropped for their shape. */
uint64_t rm_socket_dropped (const rm_socket_t *self);

/* The message's bytes; NULL and 0 of an empty frame. They live until the frame is closed or filled again. */
const void *rm_frame_data (const rm_frame_t *self);
size_t rm_frame_size (const rm_frame_t *self);
/* Frees it; it is empty and valid afterwards. */
void rm_frame_close (rm_frame_t *self);
/* Closes `self`, then moves the content of `from` to it; `from` is empty afterwards. The bytes may move too: what was
 * decoded from `from` is to be decoded again. */
void rm_frame_move (rm_frame_t *self, rm_frame_t *from);
