#include <errno.h>
#include <stddef.h>

#include "core/rtt.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/endpoint.h"
#include "net/poll.h"
#include "net/socket.h"
#include "proto/alloc.h"
#include "proto/msg.h"
#include "ringmaster/detector.h"

enum { MS = 1000, FIRST_MS = 1000, LEAST_MS = 20, MOST_MS = 10000, TRIES = 3 };

struct rm_ping {
    rm_endpoint_t endpoint;
    rm_rtt_t rtt;        /* decides how long to wait */
    rm_socket_t *socket; /* REQ; NULL: none is open. One whose answer did not come is closed, or a late answer would be
                          * taken for that of the next ping */
    bool fresh;          /* it was just opened: the first round over it is also that of connecting */
};

rm_ping_t *rm_ping_new (const char *endpoint)
{
    rm_endpoint_t parsed;
    if (!endpoint || rm_endpoint_parse (&parsed, endpoint, NULL)) {
        errno = EINVAL;
        return NULL;
    }
    rm_ping_t *self = rm_calloc (1, sizeof *self);
    if (!self || rm_net_init ()) {
        rm_free (self);
        errno = ENOMEM;
        return NULL;
    }
    self->endpoint = parsed;
    rm_rtt_init (&self->rtt, FIRST_MS * MS, LEAST_MS * MS, MOST_MS * MS);
    return self;
}

void rm_ping_destroy (rm_ping_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_ping_t *self = *self_p;
    *self_p = NULL;
    rm_socket_close (&self->socket);
    rm_net_term ();
    rm_free (self);
}

static int send_hello (rm_ping_t *self)
{
    static const rm_msg_t hello = {.type = RM_MSG_HELLO};
    if (!self->socket) {
        self->socket = rm_socket_connect (RM_SOCKET_REQ, &self->endpoint, NULL);
        self->fresh = true;
    }
    if (!self->socket)
        return RM_EUNREACHABLE;
    rm_buf_t buf = {0};
    int rc = rm_msg_encode (&hello, &buf);
    if (!rc)
        rc = rm_socket_send_buf (self->socket, NULL, &buf);
    rm_buf_close (&buf);
    return rc;
}

/* Any message is an answer: whoever refuses is alive. A signal does not end the wait. */
static int await (rm_ping_t *self, uint64_t end_us)
{
    rm_frame_t frame = {0};
    for (;;) {
        int rc = rm_socket_recv (self->socket, NULL, &frame);
        rm_frame_close (&frame);
        if (rc == 1 || rc == RM_EPROTO)
            return 0;
        uint64_t now_us = rm_clock_us ();
        if (rc < 0 || now_us >= end_us)
            return rc < 0 ? rc : RM_ETIMEDOUT;
        rm_poll_t item = {.socket = self->socket, .fd = -1};
        rm_poll (&item, 1, (int64_t)((end_us - now_us + MS - 1) / MS));
    }
}

int rm_ping (rm_ping_t *self, unsigned *round_us)
{
    int rc = RM_ETIMEDOUT;
    for (int i = 0; i < TRIES && rc == RM_ETIMEDOUT; i++) {
        uint64_t sent_us = rm_clock_us ();
        rc = send_hello (self);
        if (!rc)
            rc = await (self, sent_us + self->rtt.timeout_us);
        uint64_t took_us = rm_clock_us () - sent_us;
        if (!rc && !self->fresh)
            rm_rtt_measured (&self->rtt, took_us);
        if (!rc && round_us)
            *round_us = (unsigned)took_us;
        self->fresh = false;
        if (rc == RM_ETIMEDOUT)
            rm_rtt_missed (&self->rtt);
        if (rc)
            rm_socket_close (&self->socket);
    }
    return rc;
}

int rm_ping_timeout_ms (const rm_ping_t *self)
{
    return (int)(self->rtt.timeout_us / MS);
}
