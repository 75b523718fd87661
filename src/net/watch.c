#include "net/watch.h"

#include <uv.h>

#include "net/private.h"
#include "proto/alloc.h"

struct rm_watch {
    rm_socket_t *socket;
    rm_watch_message_fn *message;
    rm_watch_batch_fn *batch; /* or NULL */
    void *arg;
    uv_poll_t poll;       /* wakes the loop when the descriptor tells of a change */
    uv_prepare_t prepare; /* decides whether the loop may sleep */
    uv_check_t check;     /* takes the messages */
    uv_idle_t idle;       /* running: the loop does not sleep */
    unsigned handles;     /* of the four, not yet closed */
    bool told;            /* the descriptor has told of a change since the last look */
    bool touched;         /* something was sent or received since ZMQ_EVENTS was read */
    bool readable;        /* what ZMQ_EVENTS said */
    bool closing;
};

static void on_idle (uv_idle_t *handle)
{
    (void)handle;
}

static void on_poll (uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    rm_watch_t *self = handle->data;
    self->told = true;
}

/* A send may happen anywhere in a turn, also in another's prepare callback after ours: do not sleep before having
 * looked again. */
static void on_touched (void *arg)
{
    rm_watch_t *self = arg;
    self->touched = true;
    uv_idle_start (&self->idle, on_idle);
}

static void on_prepare (uv_prepare_t *handle)
{
    rm_watch_t *self = handle->data;
    if (!self->touched)
        return; /* nothing has happened here since the last look; a change would be told by the descriptor */
    self->touched = false;
    self->readable = rm_socket_is_readable (self->socket);
    if (self->readable)
        uv_idle_start (&self->idle, on_idle);
    else
        uv_idle_stop (&self->idle);
}

static void on_check (uv_check_t *handle)
{
    rm_watch_t *self = handle->data;
    if (!self->told && !self->readable && !self->touched)
        return;
    self->told = false;
    self->touched = true; /* receiving may swallow an edge, and there may be more than the budget */
    rm_route_t route, *route_p = rm_socket_has_routes (self->socket) ? &route : NULL;
    rm_frame_t frame = {{0}};
    size_t count = 0;
    for (int taken = 0; taken < RM_WATCH_BUDGET && !self->closing; taken++) {
        int rc = rm_socket_recv (self->socket, route_p, &frame);
        if (rc == 0)
            break;
        if (rc < 0)
            continue; /* dropped for its shape and counted, or no memory for it: the next turn tries again */
        count++;
        self->message (self->arg, route_p, &frame);
    }
    rm_frame_close (&frame);
    if (count && self->batch && !self->closing)
        self->batch (self->arg, count);
}

rm_watch_t *rm_watch_new (uv_loop_t *loop, rm_socket_t *socket, rm_watch_message_fn *message, rm_watch_batch_fn *batch,
                          void *arg)
{
    rm_watch_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->socket = socket;
    self->message = message;
    self->batch = batch;
    self->arg = arg;
    self->touched = true; /* what came before the watch was there */
    if (uv_poll_init (loop, &self->poll, rm_socket_fd (socket))) {
        rm_free (self);
        return NULL;
    }
    uv_prepare_init (loop, &self->prepare);
    uv_check_init (loop, &self->check);
    uv_idle_init (loop, &self->idle);
    self->handles = 4;
    self->poll.data = self->prepare.data = self->check.data = self->idle.data = self;
    uv_poll_start (&self->poll, UV_READABLE, on_poll);
    uv_prepare_start (&self->prepare, on_prepare);
    uv_check_start (&self->check, on_check);
    rm_socket_on_touched (socket, on_touched, self);
    return self;
}

static void on_closed (uv_handle_t *handle)
{
    rm_watch_t *self = handle->data;
    if (--self->handles == 0)
        rm_free (self);
}

void rm_watch_close (rm_watch_t **self_p)
{
    rm_watch_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    self->closing = true;
    rm_socket_on_touched (self->socket, NULL, NULL);
    uv_close ((uv_handle_t *)&self->poll, on_closed);
    uv_close ((uv_handle_t *)&self->prepare, on_closed);
    uv_close ((uv_handle_t *)&self->check, on_closed);
    uv_close ((uv_handle_t *)&self->idle, on_closed);
}
