#include "net/poll.h"

#include <errno.h>
#include <zmq.h>

#include "net/clock.h"
#include "net/private.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

int rm_poll (rm_poll_t *items, size_t count, int64_t timeout_ms)
{
    RM_ASSERT (count <= RM_POLL_ITEMS_MAX);
    zmq_pollitem_t asked[RM_POLL_ITEMS_MAX];
    size_t places[RM_POLL_ITEMS_MAX]; /* asked[i] is for items[places[i]] */
    int used = 0;
    for (size_t i = 0; i < count; i++) {
        rm_poll_t *item = &items[i];
        item->readable = item->writable = false;
        if (!item->socket && item->fd < 0)
            continue;
        places[used] = i;
        asked[used++] = (zmq_pollitem_t){.socket = item->socket ? rm_socket_zmq (item->socket) : NULL,
                                         .fd = item->fd,
                                         .events = (short)(ZMQ_POLLIN | (item->wants_write ? ZMQ_POLLOUT : 0))};
    }
    int rc = zmq_poll (asked, used, timeout_ms < 0 ? -1 : (long)timeout_ms);
    if (rc < 0)
        return zmq_errno () == EINTR ? RM_EINTERRUPTED : RM_EINVAL;
    for (int i = 0; i < used; i++) {
        items[places[i]].readable = asked[i].revents & (ZMQ_POLLIN | ZMQ_POLLERR);
        items[places[i]].writable = asked[i].revents & ZMQ_POLLOUT;
    }
    return rc;
}

int rm_poll_reply (rm_socket_t *socket, uint64_t until_ms, rm_frame_t *frame, rm_msg_t *reply)
{
    uint64_t now_ms = rm_clock_ms ();
    int64_t wait_ms = -1;
    if (until_ms != UINT64_MAX)
        wait_ms = until_ms > now_ms ? (int64_t)(until_ms - now_ms) : 0;
    rm_poll_t item = {.socket = socket, .fd = -1};
    if (rm_poll (&item, 1, wait_ms) < 1 || !item.readable)
        return 0;
    if (rm_socket_recv (socket, NULL, frame) != 1)
        return -1;
    return rm_msg_decode (reply, rm_frame_data (frame), rm_frame_size (frame), NULL) ? -1 : 1;
}
