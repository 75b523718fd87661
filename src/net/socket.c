#include "net/socket.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "net/private.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "proto/limits.h"
#include "ringmaster/error.h"

_Static_assert(sizeof (zmq_msg_t) <= sizeof ((rm_frame_t *)NULL)->opaque, "a frame must hold a zmq_msg_t");
_Static_assert(RM_FRAME_BYTES_MAX <= INT32_MAX, "a frame's size must fit an int");

enum {
    HANDSHAKE_MS = 5000,    /* a peer that connects and says nothing is cut off (libzmq: 30 s) */
    CONNECT_MS = 3000,      /* a connect into a void is given up and tried again (libzmq: minutes) */
    RECONNECT_MS_MAX = 250, /* tries get rarer up to this: a fraction of a lease, or a short absence costs one */
    /* ZMTP's PING finds half-open connections; it comes from the I/O thread and says nothing about the peer's health:
     * leases and the client's own resends do that. Clients are thousands, so theirs are rare: each answer to a ping has
     * libzmq walk the timers of all connections, so that 10,000 that are asked every 2 s take more than a processor. */
    HEARTBEAT_MS = 2000,
    CLIENT_HEARTBEAT_MS = 15000,
    HEARTBEATS_DEAD = 3, /* so many later it is taken to be dead … */
    HEARTBEATS_TTL = 4,  /* … and so many later the peer gives up on us; must stay below 65 s, where it wraps */
    KEEPALIVE_IDLE_S = 10,
    KEEPALIVE_INTERVAL_S = 5,
    KEEPALIVE_COUNT = 3,
    BACKLOG = 4096,               /* who waits to be taken in: thousands come when a master is back (libzmq: 100) */
    SUBSCRIPTION_BYTES_MAX = 256, /* all that a publisher reads */
    COPY_BYTES_MAX = 4096,        /* below this a copy is cheaper than giving memory away */
};

/* What makes a kind what it is. The marks are messages, for each peer. They are not what keeps memory bounded: credit
 * does that for jobs, one request in flight for REQ. They are far above what the protocol lets wait, so that reaching
 * one means a peer that has stopped reading. */
typedef struct {
    const char *name;
    int type; /* ZMQ_… */
    int send_mark;
    int receive_mark;
    int frame_bytes_max; /* a peer that claims more is cut off */
    bool routed;         /* messages have a route */
    bool delimited;      /* an empty frame stands before each message (REQ sees to its own) */
    int heartbeat_ms;
} shape_t;

static const shape_t shapes[RM_SOCKET_KINDS] = {
    /* Clients: few requests each, answered as they come. A low receive mark leaves a flood in the client's kernel. */
    [RM_SOCKET_JOBS_ROUTER] = {"jobs", ZMQ_ROUTER, 4096, 1024, RM_FRAME_BYTES_MAX, true, true, CLIENT_HEARTBEAT_MS},
    /* Workers: at worst one job a message, and never more jobs than a worker may hold. */
    [RM_SOCKET_WORK_ROUTER] = {"work", ZMQ_ROUTER, RM_WORKER_HELD_MAX, 4096, RM_FRAME_BYTES_MAX, true, false,
                               HEARTBEAT_MS},
    [RM_SOCKET_SYNC_PUB] = {"sync", ZMQ_PUB, 1024, 1024, SUBSCRIPTION_BYTES_MAX, false, false, HEARTBEAT_MS},
    [RM_SOCKET_REQ] = {"req", ZMQ_REQ, 16, 16, RM_FRAME_BYTES_MAX, false, false, CLIENT_HEARTBEAT_MS},
    [RM_SOCKET_JOBS_DEALER] = {"jobs", ZMQ_DEALER, 1024, 4096, RM_FRAME_BYTES_MAX, false, true, CLIENT_HEARTBEAT_MS},
    [RM_SOCKET_WORK_DEALER] = {"work", ZMQ_DEALER, RM_WORKER_HELD_MAX, RM_WORKER_HELD_MAX, RM_FRAME_BYTES_MAX, false,
                               false, HEARTBEAT_MS},
    [RM_SOCKET_SUB] = {"sync", ZMQ_SUB, 16, 1024, RM_FRAME_BYTES_MAX, false, false, HEARTBEAT_MS},
    /* Here a mark is what a slow subscriber may lag behind, on either side: beyond it is lost, and counted. */
    [RM_SOCKET_NEWS_PUB] = {"news", ZMQ_XPUB, 1024, 1024, SUBSCRIPTION_BYTES_MAX, false, false, HEARTBEAT_MS},
    [RM_SOCKET_NEWS_SUB] = {"news", ZMQ_SUB, 1024, 1024, RM_FRAME_BYTES_MAX, false, false, HEARTBEAT_MS},
};

struct rm_socket {
    void *zmq; /* owned */
    const shape_t *shape;
    rm_endpoint_t endpoint; /* where it is bound, or connects to */
    uint64_t dropped;       /* messages of another shape */
    void (*touched) (void *arg);
    void *touched_arg;
};

/* An option with an int; these cannot fail but by a bug of ours. */
static void set (rm_socket_t *self, int option, int value)
{
    int rc = zmq_setsockopt (self->zmq, option, &value, sizeof value);
    RM_ASSERT (rc == 0);
}

static void set_options (rm_socket_t *self)
{
    int64_t frame_bytes_max = self->shape->frame_bytes_max;
    int rc = zmq_setsockopt (self->zmq, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max);
    RM_ASSERT (rc == 0);
    set (self, ZMQ_SNDHWM, self->shape->send_mark);
    set (self, ZMQ_RCVHWM, self->shape->receive_mark);
    set (self, ZMQ_LINGER, 0);
    set (self, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    set (self, ZMQ_CONNECT_TIMEOUT, CONNECT_MS);
    set (self, ZMQ_RECONNECT_IVL, rm_context_reconnect_ms ());
    set (self, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX);
    set (self, ZMQ_HEARTBEAT_IVL, self->shape->heartbeat_ms);
    set (self, ZMQ_HEARTBEAT_TIMEOUT, self->shape->heartbeat_ms * HEARTBEATS_DEAD);
    set (self, ZMQ_HEARTBEAT_TTL, self->shape->heartbeat_ms * HEARTBEATS_TTL);
    set (self, ZMQ_TCP_KEEPALIVE, 1);
    set (self, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S);
    set (self, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S);
    set (self, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_COUNT);
    set (self, ZMQ_BACKLOG, BACKLOG);
    /* With IPV6 on, libzmq would look for IPv6 addresses only and miss a master on the IPv4 one of the same name. */
    set (self, ZMQ_IPV6, rm_endpoint_is_ipv6 (&self->endpoint));
    /* What is sent before a connection stands shall wait for it: a first request must not depend on luck, and the
     * protocol drops by term and incarnation what comes too late. */
    set (self, ZMQ_IMMEDIATE, 0);
    if (self->shape->type == ZMQ_ROUTER)
        set (self, ZMQ_ROUTER_MANDATORY, 1); /* a message to nobody is an error, not silence */
    if (self->shape->type == ZMQ_XPUB)
        set (self, ZMQ_XPUB_VERBOSE, 1); /* each question counts, also one that was asked over a lost connection */
    if (self->shape == &shapes[RM_SOCKET_SUB]) {
        rc = zmq_setsockopt (self->zmq, ZMQ_SUBSCRIBE, "", 0);
        RM_ASSERT (rc == 0);
    }
}

static rm_socket_t *socket_open (rm_socket_kind_t kind, const rm_endpoint_t *endpoint, rm_fault_t *fault)
{
    void *context = rm_context_zmq ();
    if (!context) {
        rm_fault (fault, RM_ESTATE, "no sockets in a process that has not begun to use the network, or has forked");
        return NULL;
    }
    rm_socket_t *self = rm_calloc (1, sizeof *self);
    if (!self) {
        rm_fault (fault, RM_ENOMEM, "memory ran out");
        return NULL;
    }
    self->shape = &shapes[kind];
    self->endpoint = *endpoint;
    self->zmq = zmq_socket (context, self->shape->type);
    if (!self->zmq) {
        rm_fault (fault, RM_EIO, "cannot open a socket: %s", zmq_strerror (zmq_errno ()));
        rm_free (self);
        return NULL;
    }
    rm_context_count_socket (+1);
    set_options (self);
    return self;
}

/* Reads back where the system has put it. */
static int read_bound (rm_socket_t *self, rm_fault_t *fault)
{
    char text[RM_ENDPOINT_BYTES_MAX + 1];
    size_t size = sizeof text;
    if (zmq_getsockopt (self->zmq, ZMQ_LAST_ENDPOINT, text, &size))
        return rm_fault (fault, RM_EIO, "cannot read the bound address: %s", zmq_strerror (zmq_errno ()));
    if (rm_endpoint_parse (&self->endpoint, text, fault))
        return RM_EIO;
    rm_endpoint_advertise (&self->endpoint);
    return 0;
}

rm_socket_t *rm_socket_bind (rm_socket_kind_t kind, const char *host, unsigned port, rm_fault_t *fault)
{
    rm_endpoint_t wanted;
    if (rm_endpoint_set (&wanted, host, port, fault) || rm_endpoint_resolve (&wanted, fault))
        return NULL;
    rm_socket_t *self = socket_open (kind, &wanted, fault);
    if (!self)
        return NULL;
    if (zmq_bind (self->zmq, wanted.text)) {
        rm_endpoint_bind_failed (&wanted, zmq_errno (), fault);
        rm_socket_close (&self);
    } else if (read_bound (self, fault))
        rm_socket_close (&self);
    return self;
}

rm_socket_t *rm_socket_connect (rm_socket_kind_t kind, const rm_endpoint_t *endpoint, rm_fault_t *fault)
{
    /* libzmq looks the name up again at each connect; this only tells whether to look for IPv4 or IPv6. */
    rm_endpoint_t resolved = *endpoint;
    rm_endpoint_resolve (&resolved, NULL);
    rm_socket_t *self = socket_open (kind, &resolved, fault);
    if (!self)
        return NULL;
    self->endpoint = *endpoint;
    if (zmq_connect (self->zmq, endpoint->text)) {
        rm_fault (fault, RM_EINVAL, "cannot connect to %s: %s", endpoint->text, zmq_strerror (zmq_errno ()));
        rm_socket_close (&self);
    }
    return self;
}

void rm_socket_reconnect (rm_socket_t **self_p, rm_socket_kind_t kind, const char *endpoint)
{
    rm_endpoint_t parsed;
    rm_socket_close (self_p);
    if (!rm_endpoint_parse (&parsed, endpoint, NULL))
        *self_p = rm_socket_connect (kind, &parsed, NULL);
}

void rm_socket_close (rm_socket_t **self_p)
{
    rm_socket_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (rm_context_zmq ()) { /* not the parent's socket in a child after fork */
        zmq_close (self->zmq);
        rm_context_count_socket (-1);
    }
    rm_free (self);
}

void rm_socket_set_linger (rm_socket_t *self, int linger_ms)
{
    set (self, ZMQ_LINGER, linger_ms);
}

void rm_socket_subscribe (rm_socket_t *self, const void *prefix, size_t size, bool wanted)
{
    RM_ASSERT (self->shape == &shapes[RM_SOCKET_NEWS_SUB]);
    int rc = zmq_setsockopt (self->zmq, wanted ? ZMQ_SUBSCRIBE : ZMQ_UNSUBSCRIBE, prefix, size);
    RM_ASSERT (rc == 0);
}

const rm_endpoint_t *rm_socket_endpoint (const rm_socket_t *self)
{
    return &self->endpoint;
}

uint64_t rm_socket_dropped (const rm_socket_t *self)
{
    return self->dropped;
}

void *rm_socket_zmq (const rm_socket_t *self)
{
    return self->zmq;
}

int rm_socket_fd (const rm_socket_t *self)
{
    int fd = -1;
    size_t size = sizeof fd;
    int rc = zmq_getsockopt (self->zmq, ZMQ_FD, &fd, &size);
    RM_ASSERT (rc == 0);
    return fd;
}

bool rm_socket_has_routes (const rm_socket_t *self)
{
    return self->shape->routed;
}

/* Takes in what the I/O thread has reported, too, which is what re-arms the descriptor. */
bool rm_socket_is_readable (const rm_socket_t *self)
{
    int events = 0;
    size_t size = sizeof events;
    return !zmq_getsockopt (self->zmq, ZMQ_EVENTS, &events, &size) && events & ZMQ_POLLIN;
}

void rm_socket_on_touched (rm_socket_t *self, void (*touched) (void *arg), void *arg)
{
    self->touched = touched;
    self->touched_arg = arg;
}

/* ---- frames ---------------------------------------------------------------------------------------------------- */

/* libzmq's own view of it. A frame of zeroes is no valid zmq_msg_t, which is how an empty one is told. */
static zmq_msg_t *frame_msg (const rm_frame_t *self)
{
    return (zmq_msg_t *)self;
}

static bool is_empty (const rm_frame_t *self)
{
    static const rm_frame_t empty;
    return !memcmp (self, &empty, sizeof empty);
}

const void *rm_frame_data (const rm_frame_t *self)
{
    return is_empty (self) ? NULL : zmq_msg_data (frame_msg (self));
}

size_t rm_frame_size (const rm_frame_t *self)
{
    return is_empty (self) ? 0 : zmq_msg_size (frame_msg (self));
}

void rm_frame_close (rm_frame_t *self)
{
    if (!is_empty (self))
        zmq_msg_close (frame_msg (self));
    *self = (rm_frame_t){{0}};
}

void rm_frame_move (rm_frame_t *self, rm_frame_t *from)
{
    rm_frame_close (self);
    if (is_empty (from))
        return;
    zmq_msg_init (frame_msg (self));
    zmq_msg_move (frame_msg (self), frame_msg (from));
    rm_frame_close (from);
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

/* Takes the next part of a message into `msg`: 1, 0 (none now) or RM_ENOMEM. */
static int recv_part (rm_socket_t *self, zmq_msg_t *msg)
{
    for (;;) {
        if (zmq_msg_recv (msg, self->zmq, ZMQ_DONTWAIT) >= 0)
            return 1;
        switch (zmq_errno ()) {
        case EINTR:
            continue;
        case ENOMEM:
            return RM_ENOMEM;
        default: /* EAGAIN; EFSM: a REQ that has not asked has nothing to read */
            return 0;
        }
    }
}

/* Counts the message as dropped, after reading what is left of it: all its parts are there once the first one is. */
static int drop (rm_socket_t *self, zmq_msg_t *msg)
{
    while (zmq_msg_more (msg) && recv_part (self, msg) == 1)
        continue;
    self->dropped++;
    return RM_EPROTO;
}

static int recv_message (rm_socket_t *self, rm_route_t *route, zmq_msg_t *msg)
{
    int rc = recv_part (self, msg);
    if (rc <= 0)
        return rc;
    if (self->shape->routed) {
        size_t size = zmq_msg_size (msg);
        if (size > sizeof route->data || !zmq_msg_more (msg))
            return drop (self, msg);
        route->size = (uint8_t)size;
        memcpy (route->data, zmq_msg_data (msg), size);
        if (recv_part (self, msg) != 1)
            return drop (self, msg);
    }
    if (self->shape->delimited) {
        if (zmq_msg_size (msg) || !zmq_msg_more (msg) || recv_part (self, msg) != 1)
            return drop (self, msg);
    }
    return zmq_msg_more (msg) ? drop (self, msg) : 1;
}

int rm_socket_recv (rm_socket_t *self, rm_route_t *route, rm_frame_t *frame)
{
    RM_ASSERT (self->shape->routed == (route != NULL));
    rm_frame_close (frame);
    zmq_msg_init (frame_msg (frame));
    int rc = recv_message (self, route, frame_msg (frame));
    if (rc != 1)
        rm_frame_close (frame);
    return rc;
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static int send_error (void)
{
    switch (zmq_errno ()) {
    case EAGAIN:
        return RM_EBUSY;
    case EHOSTUNREACH:
        return RM_EUNREACHABLE;
    case ENOMEM:
        return RM_ENOMEM;
    default: /* EFSM, ETERM */
        return RM_ESTATE;
    }
}

/* A part in front of the message; it copies. */
static int send_part (rm_socket_t *self, const void *data, size_t size)
{
    while (zmq_send (self->zmq, data, size, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
        if (zmq_errno () != EINTR)
            return send_error ();
    return 0;
}

/* Sends `msg` with what goes before it; after an error it is still the caller's. The first part is the one that can be
 * refused: libzmq takes or rolls back a message as a whole. */
static int send_message (rm_socket_t *self, const rm_route_t *route, zmq_msg_t *msg)
{
    int rc = 0;
    if (self->shape->routed)
        rc = send_part (self, route->data, route->size);
    if (!rc && self->shape->delimited)
        rc = send_part (self, "", 0);
    while (!rc && zmq_msg_send (msg, self->zmq, ZMQ_DONTWAIT) < 0)
        if (zmq_errno () != EINTR)
            rc = send_error ();
    if (self->touched)
        self->touched (self->touched_arg);
    return rc;
}

int rm_socket_send (rm_socket_t *self, const rm_route_t *route, const void *data, size_t size)
{
    RM_ASSERT (self->shape->routed == (route != NULL));
    if (size > RM_FRAME_BYTES_MAX)
        return RM_ETOOBIG;
    zmq_msg_t msg;
    if (zmq_msg_init_size (&msg, size))
        return RM_ENOMEM;
    if (size)
        memcpy (zmq_msg_data (&msg), data, size);
    int rc = send_message (self, route, &msg);
    if (rc)
        zmq_msg_close (&msg);
    return rc;
}

/* Memory that a message on its way to being closed must not free, since its sender owns it again. */
static _Thread_local const void *spared;

/* Called by whichever thread lets go of the message last. */
static void release (void *data, void *hint)
{
    (void)hint;
    if (data != spared)
        rm_free (data);
}

int rm_socket_send_buf (rm_socket_t *self, const rm_route_t *route, rm_buf_t *buf)
{
    RM_ASSERT (!buf->failed);
    if (buf->size <= COPY_BYTES_MAX) {
        int rc = rm_socket_send (self, route, buf->data, buf->size);
        if (!rc)
            rm_buf_clear (buf);
        return rc;
    }
    RM_ASSERT (self->shape->routed == (route != NULL));
    if (buf->size > RM_FRAME_BYTES_MAX)
        return RM_ETOOBIG;
    zmq_msg_t msg;
    if (zmq_msg_init_data (&msg, buf->data, buf->size, release, NULL))
        return RM_ENOMEM;
    int rc = send_message (self, route, &msg);
    if (rc) {
        spared = buf->data;
        zmq_msg_close (&msg);
        spared = NULL;
    } else
        *buf = (rm_buf_t){0};
    return rc;
}
