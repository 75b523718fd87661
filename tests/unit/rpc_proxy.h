/*  Between a client and an RPC server: drops replies, doubles requests, delays copies of both, and lets the server be
 *  another one. One client. */
#pragma once

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "net/context.h"
#include "net/poll.h"
#include "net/socket.h"
#include "proto/buf.h"
#include "proto/msg.h"
#include "ringmaster/error.h"

typedef struct {
    pthread_t thread;
    rm_socket_t *front;
    char endpoint[300];
    pthread_mutex_t mutex; /* guards `server` */
    char server[300];      /* where requests go to */
    atomic_bool moved;     /* … is another one now */
    atomic_int drop;       /* so many replies are to be dropped */
    atomic_int twice;      /* so many requests are to be sent twice */
    atomic_int late;       /* copies of so many requests are to go out after the next one */
    atomic_int stale;      /* copies of so many replies are to come back when the next request goes out */
    atomic_int dropped, doubled;
    atomic_bool quits;
    rm_buf_t request, reply; /* such copies; empty: none waits */
} proxy_t;

/* Calls are dropped and doubled, hellos and goodbyes are not. */
static inline bool proxy_is (const rm_frame_t *frame, rm_msg_type_t type)
{
    rm_msg_t msg;
    if (rm_msg_decode (&msg, rm_frame_data (frame), rm_frame_size (frame), NULL))
        return false;
    bool is = msg.type == type;
    rm_msg_close (&msg);
    return is;
}

static inline bool proxy_take (atomic_int *count)
{
    if (atomic_load (count) <= 0)
        return false;
    atomic_fetch_sub (count, 1);
    return true;
}

static inline void proxy_connect (proxy_t *self, rm_socket_t **back)
{
    rm_endpoint_t endpoint;
    rm_socket_close (back);
    pthread_mutex_lock (&self->mutex);
    cr_assert_eq (rm_endpoint_parse (&endpoint, self->server, NULL), 0);
    pthread_mutex_unlock (&self->mutex);
    *back = rm_socket_connect (RM_SOCKET_JOBS_DEALER, &endpoint, NULL);
    cr_assert (*back);
}

static inline void proxy_send (rm_socket_t *to, const rm_route_t *route, const rm_frame_t *frame)
{
    rm_socket_send (to, route, rm_frame_data (frame), rm_frame_size (frame));
}

/* Sends the copy that waits, if one does. */
static inline void proxy_send_copy (rm_socket_t *to, const rm_route_t *route, rm_buf_t *copy)
{
    if (copy->size)
        rm_socket_send (to, route, copy->data, copy->size);
    rm_buf_clear (copy);
}

static inline void proxy_request (proxy_t *self, rm_socket_t *back, const rm_route_t *route, const rm_frame_t *frame)
{
    bool is_call = proxy_is (frame, RM_MSG_RPC_CALL);
    proxy_send (back, NULL, frame);
    if (!is_call)
        return;
    proxy_send_copy (back, NULL, &self->request);
    proxy_send_copy (self->front, route, &self->reply);
    if (proxy_take (&self->late))
        rm_buf_put (&self->request, rm_frame_data (frame), rm_frame_size (frame));
    if (proxy_take (&self->twice)) {
        proxy_send (back, NULL, frame);
        atomic_fetch_add (&self->doubled, 1);
    }
}

static inline void proxy_reply (proxy_t *self, const rm_route_t *route, const rm_frame_t *frame)
{
    bool is_result = proxy_is (frame, RM_MSG_RPC_RESULT);
    if (is_result && proxy_take (&self->drop)) {
        atomic_fetch_add (&self->dropped, 1);
        return;
    }
    if (is_result && proxy_take (&self->stale))
        rm_buf_put (&self->reply, rm_frame_data (frame), rm_frame_size (frame));
    proxy_send (self->front, route, frame);
}

static inline void *proxy_main (void *arg)
{
    proxy_t *self = arg;
    rm_socket_t *back = NULL;
    rm_route_t route = {0};
    rm_frame_t frame = {0};
    proxy_connect (self, &back);
    while (!atomic_load (&self->quits)) {
        if (atomic_exchange (&self->moved, false))
            proxy_connect (self, &back);
        rm_poll_t items[] = {{.socket = self->front, .fd = -1}, {.socket = back, .fd = -1}};
        rm_poll (items, 2, 10);
        while (rm_socket_recv (self->front, &route, &frame) == 1)
            proxy_request (self, back, &route, &frame);
        while (rm_socket_recv (back, NULL, &frame) == 1)
            proxy_reply (self, &route, &frame);
    }
    rm_buf_close (&self->request);
    rm_buf_close (&self->reply);
    rm_frame_close (&frame);
    rm_socket_close (&back);
    rm_socket_close (&self->front);
    return NULL;
}

static inline void proxy_start (proxy_t *self, const char *server)
{
    memset (self, 0, sizeof *self);
    cr_assert_eq (rm_net_init (), 0);
    pthread_mutex_init (&self->mutex, NULL);
    snprintf (self->server, sizeof self->server, "%s", server);
    self->front = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, "127.0.0.1", 0, NULL);
    cr_assert (self->front);
    snprintf (self->endpoint, sizeof self->endpoint, "%s", rm_socket_endpoint (self->front)->text);
    cr_assert_eq (pthread_create (&self->thread, NULL, proxy_main, self), 0);
}

static inline void proxy_move (proxy_t *self, const char *server)
{
    pthread_mutex_lock (&self->mutex);
    snprintf (self->server, sizeof self->server, "%s", server);
    pthread_mutex_unlock (&self->mutex);
    atomic_store (&self->moved, true);
}

static inline void proxy_stop (proxy_t *self)
{
    atomic_store (&self->quits, true);
    pthread_join (self->thread, NULL);
    pthread_mutex_destroy (&self->mutex);
    rm_net_term ();
}
