/*  A ZeroMQ socket on a libuv loop: messages come as callbacks, and none is ever left lying.
 *
 *  libzmq's descriptor tells of a change once (it is edge-triggered, and the edge may be swallowed by any send or
 *  receive on the socket). So it is asked what waits before each time the loop would sleep after anything has happened
 *  on the socket; while something waits the loop does not sleep. At most RM_WATCH_BUDGET messages are taken a turn, so
 *  that no socket starves another, nor the disk.
 *  Thread rule: the loop's thread.
 */
#pragma once

#include <stddef.h>

#include "net/socket.h"

enum { RM_WATCH_BUDGET = 256 }; /* messages a socket and turn, dropped ones included */

typedef struct uv_loop_s uv_loop_t;
typedef struct rm_watch rm_watch_t;

/* One message. `route` is NULL for kinds that have none. `frame` is the watch's; rm_frame_move takes it away. */
typedef void rm_watch_message_fn (void *arg, const rm_route_t *route, rm_frame_t *frame);
/* After the messages of a turn, `count` of them, at least one: the place to act on all of them at once. */
typedef void rm_watch_batch_fn (void *arg, size_t count);

/* Begins to watch. `batch` may be NULL. The socket stays the caller's, who closes it after the watch. NULL: no memory
 * or no descriptors left. */
rm_watch_t *rm_watch_new (uv_loop_t *loop, rm_socket_t *socket, rm_watch_message_fn *message, rm_watch_batch_fn *batch,
                          void *arg);

/* No callback comes after it, also when it is called from one; the socket may be closed at once (from a callback:
 * after it has returned). The memory goes when the loop runs its next turn. */
void rm_watch_close (rm_watch_t **self_p);
