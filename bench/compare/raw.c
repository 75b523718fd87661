/*  The ceiling: the same hops over bare libzmq and bare libraft, without a job's logic. A frame of up to a batch of jobs
 *  goes client → server, is committed, goes → worker and back, is committed again, and goes → client. Nothing is
 *  remembered, told apart, retried or fenced.
 */
#include <raft.h>
#include <raft/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <zmq.h>

#include "load.h"

enum { WORKERS_MAX = 16, ENTRIES_KEPT = 256 };

static void *context;

static void must (int ok, const char *what)
{
    if (!ok)
        load_fail ("%s failed", what);
}

static void *open_socket (int kind)
{
    int no_limit = 0;
    if (!context)
        context = zmq_ctx_new ();
    void *self = zmq_socket (context, kind);
    must (self != NULL, "zmq_socket");
    zmq_setsockopt (self, ZMQ_SNDHWM, &no_limit, sizeof no_limit);
    zmq_setsockopt (self, ZMQ_RCVHWM, &no_limit, sizeof no_limit);
    return self;
}

/* ---- the client: jobs are gathered into frames of `count` and then for each its size and bytes ---- */

typedef struct {
    void *socket;
    uint32_t count;
    size_t size;
    uint8_t frame[LOAD_BATCH * (LOAD_SIZE_MAX / 16)];
} client_t;

static void *open_client (const char *address)
{
    client_t *self = calloc (1, sizeof *self);
    must (self != NULL, "calloc");
    self->socket = open_socket (ZMQ_DEALER);
    must (zmq_connect (self->socket, address) == 0, "zmq_connect");
    return self;
}

static void flush (client_t *self)
{
    if (self->count)
        zmq_send (self->socket, self->frame, self->size, 0);
    self->count = 0;
    self->size = 0;
}

static void send_job (void *client, const void *data, size_t size)
{
    client_t *self = client;
    uint32_t length = (uint32_t)size;
    must (self->size + sizeof length + size <= sizeof self->frame, "a frame of that size");
    memcpy (self->frame + self->size, &length, sizeof length);
    memcpy (self->frame + self->size + sizeof length, data, size);
    self->size += sizeof length + size;
    if (++self->count == LOAD_BATCH)
        flush (self);
}

static void take (void *client)
{
    client_t *self = client;
    zmq_msg_t frame;
    flush (self);
    zmq_msg_init (&frame);
    must (zmq_msg_recv (&frame, self->socket, 0) >= 0, "zmq_msg_recv");
    const uint8_t *at = zmq_msg_data (&frame), *end = at + zmq_msg_size (&frame);
    while (at < end) {
        uint32_t length;
        memcpy (&length, at, sizeof length);
        load_done (at + sizeof length, length);
        at += sizeof length + length;
    }
    zmq_msg_close (&frame);
}

/* ---- the worker ---- */

static void work (const char *address)
{
    void *socket = open_socket (ZMQ_DEALER);
    must (zmq_connect (socket, address) == 0, "zmq_connect");
    zmq_send (socket, "", 0, 0); /* here I am */
    for (;;) {
        zmq_msg_t frame;
        zmq_msg_init (&frame);
        must (zmq_msg_recv (&frame, socket, 0) >= 0, "zmq_msg_recv");
        zmq_msg_send (&frame, socket, 0);
    }
}

/* ---- the server ---- */

typedef struct {
    zmq_msg_t id;
} peer_id_t;

typedef struct {
    uv_loop_t loop;
    struct raft_uv_transport transport;
    struct raft_io io;
    struct raft_fsm fsm;
    struct raft raft;
    void *clients, *workers;
    uv_poll_t wake[2];
    uv_prepare_t prepare;
    peer_id_t client, worker[WORKERS_MAX];
    unsigned worker_count, next_worker;
} server_t;

/* A frame on its way to the disk, and where it goes then. */
typedef struct {
    struct raft_apply request;
    server_t *server;
    zmq_msg_t frame;
    int to_client;
} step_t;

static void send_to (void *socket, peer_id_t *peer, zmq_msg_t *frame)
{
    zmq_msg_t id;
    zmq_msg_init (&id);
    zmq_msg_copy (&id, &peer->id);
    if (zmq_msg_send (&id, socket, ZMQ_SNDMORE) < 0 || zmq_msg_send (frame, socket, 0) < 0)
        load_fail ("a peer is gone");
}

static void on_committed (struct raft_apply *request, int status, void *result)
{
    step_t *step = request->data;
    server_t *self = step->server;
    (void)result;
    must (status == 0, "raft_apply");
    if (step->to_client)
        send_to (self->clients, &self->client, &step->frame);
    else
        send_to (self->workers, &self->worker[self->next_worker++ % self->worker_count], &step->frame);
    free (step);
}

static void commit (server_t *self, zmq_msg_t *frame, int to_client)
{
    step_t *step = calloc (1, sizeof *step);
    must (step != NULL, "calloc");
    size_t size = zmq_msg_size (frame);
    struct raft_buffer buffer = {.len = (size + 7) / 8 * 8};
    buffer.base = raft_malloc (buffer.len);
    must (buffer.base != NULL, "raft_malloc");
    memset ((uint8_t *)buffer.base + buffer.len - 8, 0, 8);
    memcpy (buffer.base, zmq_msg_data (frame), size);
    *step = (step_t){.server = self, .to_client = to_client};
    zmq_msg_init (&step->frame);
    zmq_msg_move (&step->frame, frame);
    step->request.data = step;
    must (raft_apply (&self->raft, &step->request, &buffer, 1, on_committed) == 0, "raft_apply");
}

/* 1: a message with its sender. 0: none now. */
static int receive (void *socket, zmq_msg_t *id, zmq_msg_t *frame)
{
    zmq_msg_init (id);
    zmq_msg_init (frame);
    if (zmq_msg_recv (id, socket, ZMQ_DONTWAIT) < 0)
        return 0;
    must (zmq_msg_recv (frame, socket, 0) >= 0, "zmq_msg_recv");
    return 1;
}

static void on_prepare (uv_prepare_t *prepare)
{
    server_t *self = prepare->data;
    zmq_msg_t id, frame;
    while (receive (self->workers, &id, &frame)) {
        if (zmq_msg_size (&frame) == 0) {
            must (self->worker_count < WORKERS_MAX, "one more worker");
            zmq_msg_init (&self->worker[self->worker_count].id);
            zmq_msg_move (&self->worker[self->worker_count++].id, &id);
        } else {
            commit (self, &frame, 1);
            zmq_msg_close (&id);
        }
    }
    while (self->worker_count && receive (self->clients, &id, &frame)) {
        zmq_msg_move (&self->client.id, &id);
        commit (self, &frame, 0);
    }
}

/* What wakes the loop; on_prepare looks at the sockets, since libzmq's descriptor tells of changes only. */
static void on_wake (uv_poll_t *poll, int status, int events)
{
    (void)poll, (void)status, (void)events;
}

static void *listen_on (server_t *self, int which, char *endpoint, size_t endpoint_bytes)
{
    void *socket = open_socket (ZMQ_ROUTER);
    int fd;
    size_t fd_bytes = sizeof fd;
    must (zmq_bind (socket, "tcp://127.0.0.1:*") == 0, "zmq_bind");
    zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, endpoint, &endpoint_bytes);
    zmq_getsockopt (socket, ZMQ_FD, &fd, &fd_bytes);
    uv_poll_init (&self->loop, &self->wake[which], fd);
    uv_poll_start (&self->wake[which], UV_READABLE, on_wake);
    return socket;
}

static int apply (struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    (void)fsm, (void)buffer;
    *result = NULL;
    return 0;
}

static int snapshot (struct raft_fsm *fsm, struct raft_buffer *buffers[], unsigned *count)
{
    (void)fsm;
    *buffers = raft_malloc (sizeof **buffers);
    must (*buffers != NULL, "raft_malloc");
    (*buffers)->len = 8;
    (*buffers)->base = raft_calloc (1, 8);
    *count = 1;
    return (*buffers)->base ? 0 : RAFT_NOMEM;
}

static int restore (struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    (void)fsm;
    raft_free (buffer->base);
    return 0;
}

static void start_raft (server_t *self, const char *folder)
{
    const char *address = "127.0.0.1:0";
    struct raft_configuration configuration;
    self->transport.version = 1;
    self->io.version = 1;
    self->fsm = (struct raft_fsm){.version = 1, .apply = apply, .snapshot = snapshot, .restore = restore};
    must (raft_uv_tcp_init (&self->transport, &self->loop) == 0, "raft_uv_tcp_init");
    must (raft_uv_init (&self->io, &self->loop, folder, &self->transport) == 0, "raft_uv_init");
    must (raft_init (&self->raft, &self->io, &self->fsm, 1, address) == 0, "raft_init");
    raft_set_snapshot_threshold (&self->raft, ENTRIES_KEPT);
    raft_set_snapshot_trailing (&self->raft, ENTRIES_KEPT);
    raft_configuration_init (&configuration);
    raft_configuration_add (&configuration, 1, address, RAFT_VOTER);
    must (raft_bootstrap (&self->raft, &configuration) == 0, "raft_bootstrap");
    raft_configuration_close (&configuration);
    must (raft_start (&self->raft) == 0, "raft_start");
}

static void serve (const char *folder)
{
    static server_t self;
    char clients[64], workers[64];
    uv_loop_init (&self.loop);
    zmq_msg_init (&self.client.id);
    self.clients = listen_on (&self, 0, clients, sizeof clients);
    self.workers = listen_on (&self, 1, workers, sizeof workers);
    start_raft (&self, folder);
    uv_prepare_init (&self.loop, &self.prepare);
    self.prepare.data = &self;
    uv_prepare_start (&self.prepare, on_prepare);
    printf ("ready jobs=%s work=%s\n", clients, workers);
    fflush (stdout);
    uv_run (&self.loop, UV_RUN_DEFAULT);
}

int main (int argc, char **argv)
{
    const peer_t peer = {"raw", open_client, send_job, take, work, serve};
    return load_main (&peer, argc, argv);
}
