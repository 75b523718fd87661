/*  How long one call takes on an idle server, beside a raw trip of the same bytes between a REQ and a ROUTER socket: both in
 *  one run, in turns, so that what the machine does besides falls on both.
 *
 *    bench_rpc_latency [ROUNDS [CALLS]]     100 rounds of 200 trips of each kind
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/clock.h"
#include "net/context.h"
#include "net/poll.h"
#include "net/socket.h"
#include "ringmaster/rpc.h"

enum { BYTES = 120, PATIENCE_MS = 10000 }; /* a raw trip is as long as the call's message, about */

/* ---- the raw echo ------------------------------------------------------------------------------------------------ */

static rm_socket_t *router;
static atomic_bool quits;

static void *echo (void *arg)
{
    rm_route_t route;
    rm_frame_t frame = {0};
    (void)arg;
    while (!atomic_load (&quits)) {
        rm_poll_t item = {.socket = router, .fd = -1};
        rm_poll (&item, 1, 100);
        while (rm_socket_recv (router, &route, &frame) == 1)
            rm_socket_send (router, &route, rm_frame_data (&frame), rm_frame_size (&frame));
    }
    rm_frame_close (&frame);
    rm_socket_close (&router);
    return NULL;
}

static void raw_trip (rm_socket_t *req)
{
    static const uint8_t bytes[BYTES];
    rm_frame_t frame = {0};
    rm_poll_t item = {.socket = req, .fd = -1};
    if (rm_socket_send (req, NULL, bytes, sizeof bytes) || rm_poll (&item, 1, PATIENCE_MS) != 1 ||
        rm_socket_recv (req, NULL, &frame) != 1) {
        fprintf (stderr, "bench_rpc_latency: the raw echo does not answer\n");
        exit (1);
    }
    rm_frame_close (&frame);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static int same (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    return rm_rpc_reply (call, rm_rpc_call_value (call, 0), 1);
}

static void *serve (void *server)
{
    rm_rpc_server_run (server);
    return NULL;
}

static void check (int error, const char *text)
{
    if (!error)
        return;
    fprintf (stderr, "bench_rpc_latency: %s\n", text);
    exit (1);
}

static void call (rm_rpc_client_t *client)
{
    check (rm_rpc_client_call (client, "same", rm_rpc_values (rm_rpc_int (7)), PATIENCE_MS, NULL),
           rm_rpc_client_error (client));
}

typedef struct {
    const char *name, *mode, *semantics;
    rm_rpc_server_t *server;
    rm_rpc_client_t *client;
    rm_rpc_pipe_t *pipe; /* instead of the client */
    pthread_t thread;
    uint64_t *us; /* of each trip */
} way_t;

static void way_start (way_t *self)
{
    self->server = rm_rpc_server_new ();
    rm_rpc_server_add (self->server, "same", "i:i", same, NULL);
    rm_rpc_server_set (self->server, "mode", self->mode);
    rm_rpc_server_set (self->server, "semantics", self->semantics);
    check (rm_rpc_server_bind (self->server), rm_rpc_server_error (self->server));
    pthread_create (&self->thread, NULL, serve, self->server);
    const char *endpoint = rm_rpc_server_endpoint (self->server);
    if (strstr (self->name, "pipelined"))
        self->pipe = rm_rpc_pipe_new (endpoint);
    else
        self->client = rm_rpc_client_new (endpoint);
}

static void way_trip (way_t *self)
{
    if (self->pipe)
        check (rm_rpc_pipe_call (self->pipe, "same", rm_rpc_values (rm_rpc_int (7)), PATIENCE_MS, NULL),
               "the pipelined call failed");
    else
        call (self->client);
}

static void way_stop (way_t *self)
{
    rm_rpc_client_destroy (&self->client);
    rm_rpc_pipe_destroy (&self->pipe);
    rm_rpc_server_stop (self->server);
    pthread_join (self->thread, NULL);
    rm_rpc_server_destroy (&self->server);
}

/* ---- figures ----------------------------------------------------------------------------------------------------- */

static int compare (const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double show (const char *name, uint64_t *us, size_t count, double raw_us)
{
    qsort (us, count, sizeof *us, compare);
    double median = (double)us[count / 2];
    printf ("%-34s %8.0f %8.0f %8.2f\n", name, median, (double)us[count * 99 / 100], raw_us ? median / raw_us : 1.0);
    return median;
}

int main (int argc, char **argv)
{
    size_t rounds = argc > 1 ? strtoul (argv[1], NULL, 10) : 100, calls = argc > 2 ? strtoul (argv[2], NULL, 10) : 200;
    way_t ways[] = {{.name = "call, event-driven", .mode = "event", .semantics = "at-least-once"},
                    {.name = "call, event-driven, at-most-once", .mode = "event", .semantics = "at-most-once"},
                    {.name = "call, pool", .mode = "pool", .semantics = "at-least-once"},
                    {.name = "call, thread a connection", .mode = "connection", .semantics = "at-least-once"},
                    {.name = "pipelined call, event-driven", .mode = "event", .semantics = "at-least-once"}};
    enum { WAYS = sizeof ways / sizeof *ways };
    pthread_t thread;
    size_t count = rounds * calls;
    if (!count || rm_net_init ()) {
        fprintf (stderr, "usage: bench_rpc_latency [ROUNDS [CALLS]]\n");
        return 2;
    }
    router = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, "127.0.0.1", 0, NULL);
    rm_socket_t *req = rm_socket_connect (RM_SOCKET_REQ, rm_socket_endpoint (router), NULL);
    pthread_create (&thread, NULL, echo, NULL);
    uint64_t *raw_us = calloc (count, sizeof *raw_us);
    raw_trip (req);
    for (int w = 0; w < WAYS; w++) {
        ways[w].us = calloc (count, sizeof *ways[w].us);
        way_start (&ways[w]);
        way_trip (&ways[w]);
    }
    for (size_t i = 0; i < count; i++) {
        size_t done = i - i % calls; /* a round of one kind, then of the next */
        if (i == done)
            for (int w = 0; w < WAYS; w++)
                for (size_t j = done; j < done + calls; j++) {
                    uint64_t begun_us = rm_clock_us ();
                    way_trip (&ways[w]);
                    ways[w].us[j] = rm_clock_us () - begun_us;
                }
        uint64_t begun_us = rm_clock_us ();
        raw_trip (req);
        raw_us[i] = rm_clock_us () - begun_us;
    }
    printf ("%zu trips of each kind, in turns of %zu; microseconds\n%-34s %8s %8s %8s\n", count, calls, "", "median",
            "p99", "ratio");
    double raw = show ("raw REQ to ROUTER and back", raw_us, count, 0);
    for (int w = 0; w < WAYS; w++) {
        show (ways[w].name, ways[w].us, count, raw);
        way_stop (&ways[w]);
        free (ways[w].us);
    }
    free (raw_us);
    atomic_store (&quits, true);
    pthread_join (thread, NULL);
    rm_socket_close (&req);
    rm_net_term ();
    return 0;
}
