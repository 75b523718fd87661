/*  Waiting on sockets and file descriptors together, for the threads of worker and client.
 *
 *  Thread rule: the thread that owns the sockets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/socket.h"
#include "proto/msg.h"

enum { RM_POLL_ITEMS_MAX = 64 };

typedef struct {
    rm_socket_t *socket; /* what to look at, or NULL: … */
    int fd;              /* … look at this descriptor; -1: at nothing */
    bool wants_write;    /* also return when it can take something */
    bool readable;       /* answer; of a descriptor also if its other end is gone */
    bool writable;       /* answer; only if wants_write */
} rm_poll_t;

/* Waits until something is ready or `timeout_ms` is over; -1 is for ever. Fills the answers of all items.
 * How many are ready, 0 when time is over, RM_EINTERRUPTED when a signal was handled meanwhile, RM_EINVAL for a bad
 * descriptor. */
int rm_poll (rm_poll_t *items, size_t count, int64_t timeout_ms);

/* Waits until `until_ms` of rm_clock_ms (UINT64_MAX: for ever) for a message on a connecting socket; NULL: for the time alone.
 * 1: it is decoded into `reply`, which aliases `frame`. -1: what came cannot be read. 0: none came, or a signal was handled. */
int rm_poll_reply (rm_socket_t *socket, uint64_t until_ms, rm_frame_t *frame, rm_msg_t *reply);
