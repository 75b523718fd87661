/*  Pings and heartbeats over real sockets: a peer that answers late and unevenly is not suspected, one that is gone is. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/splitmix.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/poll.h"
#include "net/socket.h"
#include "proto/msg.h"
#include "ringmaster/detector.h"

enum { PINGS = 150, DELAY_MS_MAX = 16, BEATS = 100, BEAT_MS = 20 };

/* A master that only knows `hello`, and thinks about it for up to DELAY_MS_MAX. */
typedef struct {
    pthread_t thread;
    rm_socket_t *socket;
    char endpoint[300];
    uint64_t state; /* of the random numbers */
    atomic_bool mute, stop;
} peer_t;

static void reply (peer_t *self, const rm_route_t *route)
{
    rm_msg_t no = {.type = RM_MSG_ERROR, .error = {.code = RM_EDENIED, .text = rm_bytes ("not here")}};
    rm_buf_t buf = {0};
    cr_assert_eq (rm_msg_encode (&no, &buf), 0);
    (void)rm_socket_send_buf (self->socket, route, &buf);
    rm_buf_close (&buf);
}

static void *peer_run (void *arg)
{
    peer_t *self = arg;
    rm_frame_t frame = {0};
    rm_route_t route;
    while (!self->stop) {
        rm_poll_t item = {.socket = self->socket, .fd = -1};
        rm_poll (&item, 1, 20);
        if (rm_socket_recv (self->socket, &route, &frame) != 1 || self->mute)
            continue;
        usleep ((useconds_t)(rm_splitmix (&self->state) % (DELAY_MS_MAX * 1000)));
        reply (self, &route);
    }
    rm_frame_close (&frame);
    return NULL;
}

static void peer_begin (peer_t *self)
{
    cr_assert_eq (rm_net_init (), 0);
    *self = (peer_t){.state = 7};
    self->socket = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, "127.0.0.1", 0, NULL);
    cr_assert (self->socket);
    snprintf (self->endpoint, sizeof self->endpoint, "%s", rm_socket_endpoint (self->socket)->text);
    cr_assert_eq (pthread_create (&self->thread, NULL, peer_run, self), 0);
}

static void peer_end (peer_t *self)
{
    self->stop = true;
    pthread_join (self->thread, NULL);
    rm_socket_close (&self->socket);
    rm_net_term ();
}

Test (rpc_detector, a_peer_that_answers_unevenly_is_not_suspected_and_one_that_is_mute_is)
{
    peer_t peer;
    peer_begin (&peer);
    rm_ping_t *ping = rm_ping_new (peer.endpoint);
    cr_assert (ping);
    cr_assert_eq (rm_ping_timeout_ms (ping), 1000);
    for (int i = 0; i < PINGS; i++) {
        unsigned round_us = 0;
        cr_assert_eq (rm_ping (ping, &round_us), 0, "ping %d", i);
        cr_assert_gt (round_us, 0);
    }
    int timeout_ms = rm_ping_timeout_ms (ping);
    cr_assert (timeout_ms >= 20 && timeout_ms < 1000, "%d ms", timeout_ms); /* learnt: it began with 1 s */
    peer.mute = true;
    uint64_t before_ms = rm_clock_ms ();
    cr_assert_eq (rm_ping (ping, NULL), RM_ETIMEDOUT);
    int64_t waited_ms = (int64_t)(rm_clock_ms () - before_ms);
    cr_assert (waited_ms >= 7 * timeout_ms - 7, "%d ms are too short", (int)waited_ms);
    cr_assert (waited_ms < 7 * timeout_ms + 5000, "%d ms are too long", (int)waited_ms);
    cr_assert_geq (rm_ping_timeout_ms (ping), 8 * timeout_ms - 8 < 10000 ? 8 * timeout_ms - 8 : 10000);
    peer.mute = false; /* it comes back: the second answer undoes the doubling */
    int doubled_ms = rm_ping_timeout_ms (ping);
    cr_assert_eq (rm_ping (ping, NULL), 0);
    cr_assert_eq (rm_ping_timeout_ms (ping), doubled_ms); /* that was over a new connection */
    cr_assert_eq (rm_ping (ping, NULL), 0);
    cr_assert_lt (rm_ping_timeout_ms (ping), 8 * timeout_ms - 8);
    for (int i = 0; i < PINGS / 3; i++)
        cr_assert_eq (rm_ping (ping, NULL), 0, "ping %d after it came back", i);
    peer_end (&peer); /* nobody listens there any more */
    cr_assert_eq (rm_ping (ping, NULL), RM_ETIMEDOUT);
    rm_ping_destroy (&ping);
    rm_ping_destroy (&ping);
    cr_assert_null (rm_ping_new ("nowhere"));
    cr_assert_eq (errno, EINVAL);
    cr_assert_null (rm_ping_new (NULL));
}

/* ---- heartbeats -------------------------------------------------------------------------------------------------- */

/* Sends a heartbeat about every BEAT_MS, then falls silent. */
static void *beat (void *arg)
{
    rm_socket_t *socket = arg;
    uint64_t state = 11;
    for (int i = 0; i < BEATS; i++) {
        usleep ((useconds_t)(BEAT_MS * 500 + rm_splitmix (&state) % (BEAT_MS * 1000)));
        (void)rm_socket_send (socket, NULL, "alive", 5);
    }
    return NULL;
}

Test (rpc_detector, heartbeats_that_scatter_are_believed_and_silence_is_not)
{
    cr_assert_eq (rm_net_init (), 0);
    rm_socket_t *from = rm_socket_bind (RM_SOCKET_SYNC_PUB, "127.0.0.1", 0, NULL);
    rm_socket_t *to = rm_socket_connect (RM_SOCKET_SUB, rm_socket_endpoint (from), NULL);
    rm_detector_t *detector = rm_detector_new (BEAT_MS);
    cr_assert_eq (rm_detector_set (detector, "phi", "12"), 0);
    cr_assert_eq (rm_detector_set (detector, "pause", "1000"), 0); /* this machine may be busy */
    pthread_t thread;
    cr_assert_eq (pthread_create (&thread, NULL, beat, from), 0);
    int heard = 0, suspected = 0;
    for (rm_frame_t frame = {0}; !heard || !rm_detector_suspects (detector);) {
        rm_poll_t item = {.socket = to, .fd = -1};
        rm_poll (&item, 1, rm_detector_left_ms (detector));
        suspected += heard < BEATS / 2 && heard && rm_detector_suspects (detector);
        for (; rm_socket_recv (to, NULL, &frame) == 1; heard++)
            rm_detector_heard (detector);
    }
    pthread_join (thread, NULL);
    cr_assert_eq (suspected, 0);
    cr_assert_gt (heard, BEATS / 2, "only %d heartbeats", heard);
    cr_assert_eq (rm_detector_left_ms (detector), 0);
    cr_assert_gt (rm_detector_phi (detector), 11.9);
    cr_assert (rm_detector_allowed_ms (detector) > 1000 && rm_detector_allowed_ms (detector) < 3000, "%d ms",
               rm_detector_allowed_ms (detector));
    cr_assert_eq (rm_detector_set (detector, "phi", "3"), RM_ESTATE);
    rm_detector_destroy (&detector);
    rm_socket_close (&to);
    rm_socket_close (&from);
    rm_net_term ();
}

Test (rpc_detector, an_option_that_is_not_allowed_is_refused)
{
    static const char *const bad[][2] = {{"phi", "0"},  {"phi", "13"},   {"phi", ""},      {"phi", "nan"},
                                         {"phi", "8x"}, {"pause", "-1"}, {"pause", "inf"}, {"window", "5"}};
    rm_detector_t *detector = rm_detector_new (100);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq (rm_detector_set (detector, bad[i][0], bad[i][1]), RM_EINVAL, "%s %s", bad[i][0], bad[i][1]);
    cr_assert_eq (rm_detector_set (detector, NULL, "1"), RM_EINVAL);
    rm_detector_destroy (&detector);
    rm_detector_destroy (&detector);
    cr_assert_null (rm_detector_new (0));
    cr_assert_null (rm_detector_new (300001));
}
