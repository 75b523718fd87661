/*  RabbitMQ with quorum queues, through librabbitmq: persistent messages, publisher confirms, manual acknowledgement. A
 *  worker takes a batch, publishes the results, and acknowledges the jobs when the results are confirmed.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "load.h"

typedef struct {
    amqp_connection_state_t jobs, results;
} client_t;

static void must (amqp_rpc_reply_t reply, const char *what)
{
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        load_fail ("%s: %s", what,
                   reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION ? amqp_error_string2 (reply.library_error)
                                                                       : "refused by the server");
}

static amqp_connection_state_t dial (const char *address)
{
    char host[256];
    int port = atoi (load_address (address, host, sizeof host));
    amqp_connection_state_t self = amqp_new_connection ();
    amqp_socket_t *socket = self ? amqp_tcp_socket_new (self) : NULL;
    if (!socket || amqp_socket_open (socket, host, port) != 0)
        load_fail ("cannot connect to %s", address);
    must (amqp_login (self, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"), "login");
    amqp_channel_open (self, 1);
    must (amqp_get_rpc_reply (self), "channel");
    return self;
}

static void declare (amqp_connection_state_t self, const char *name)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes ("x-queue-type"),
                                .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes ("quorum")}};
    amqp_table_t arguments = {1, &entry};
    amqp_queue_declare (self, 1, amqp_cstring_bytes (name), 0, 1, 0, 0, arguments);
    must (amqp_get_rpc_reply (self), "queue.declare");
}

static void consume (amqp_connection_state_t self, const char *name, int no_ack)
{
    if (!no_ack)
        amqp_basic_qos (self, 1, 0, LOAD_BATCH, 0);
    amqp_basic_consume (self, 1, amqp_cstring_bytes (name), amqp_empty_bytes, 0, no_ack, 0, amqp_empty_table);
    must (amqp_get_rpc_reply (self), "basic.consume");
}

static void confirm (amqp_connection_state_t self)
{
    amqp_confirm_select (self, 1);
    must (amqp_get_rpc_reply (self), "confirm.select");
}

static void publish (amqp_connection_state_t self, const char *queue, const void *data, size_t size)
{
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
    amqp_bytes_t body = {size, (void *)data};
    if (amqp_basic_publish (self, 1, amqp_empty_bytes, amqp_cstring_bytes (queue), 0, 0, &properties, body) !=
        AMQP_STATUS_OK)
        load_fail ("cannot publish");
}

/* A confirm, if there is one within the time; NULL waits. */
static int next_confirm (amqp_connection_state_t self, struct timeval *timeout, amqp_basic_ack_t *ack)
{
    amqp_frame_t frame;
    int status = amqp_simple_wait_frame_noblock (self, &frame, timeout);
    if (status == AMQP_STATUS_TIMEOUT)
        return 0;
    if (status != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_METHOD ||
        frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        load_fail ("no confirm");
    *ack = *(amqp_basic_ack_t *)frame.payload.method.decoded;
    amqp_maybe_release_buffers (self);
    return 1;
}

static void *open_client (const char *address)
{
    client_t *self = calloc (1, sizeof *self);
    if (!self)
        load_fail ("no memory");
    self->jobs = dial (address);
    self->results = dial (address);
    declare (self->jobs, "jobs");
    declare (self->jobs, "results");
    confirm (self->jobs);
    consume (self->results, "results", 1);
    return self;
}

static void send_job (void *client, const void *data, size_t size)
{
    publish (((client_t *)client)->jobs, "jobs", data, size);
}

/* Confirms are taken off the connection; that a job was accepted is shown by its result. */
static void take (void *client)
{
    client_t *self = client;
    struct timeval now = {0}, patience = {5, 0};
    amqp_basic_ack_t ack;
    amqp_envelope_t envelope;
    while (next_confirm (self->jobs, &now, &ack))
        ;
    must (amqp_consume_message (self->results, &envelope, &patience, 0), "consume");
    load_done (envelope.message.body.bytes, envelope.message.body.len);
    amqp_destroy_envelope (&envelope);
    amqp_maybe_release_buffers (self->results);
}

/* Waits until the messages from `first` to `last` are confirmed, which happens in any order. */
static void await_confirms (amqp_connection_state_t self, uint64_t first, uint64_t last)
{
    char confirmed[LOAD_BATCH] = {0};
    uint64_t missing = last - first + 1;
    while (missing) {
        amqp_basic_ack_t ack;
        next_confirm (self, NULL, &ack);
        for (uint64_t tag = ack.multiple ? first : ack.delivery_tag; tag <= ack.delivery_tag; tag++)
            if (tag >= first && !confirmed[tag - first]) {
                confirmed[tag - first] = 1;
                missing--;
            }
    }
}

static void work (const char *address)
{
    amqp_connection_state_t jobs = dial (address), results = dial (address);
    declare (jobs, "jobs");
    declare (jobs, "results");
    confirm (results);
    consume (jobs, "jobs", 0);
    for (uint64_t published = 0;;) {
        uint64_t first = published + 1, tag = 0;
        struct timeval at_once = {0};
        amqp_envelope_t envelope;
        while (published - first + 1 < LOAD_BATCH) {
            amqp_rpc_reply_t reply = amqp_consume_message (jobs, &envelope, published < first ? NULL : &at_once, 0);
            if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT)
                break;
            must (reply, "consume");
            publish (results, "results", envelope.message.body.bytes, envelope.message.body.len);
            published++;
            tag = envelope.delivery_tag;
            amqp_destroy_envelope (&envelope);
        }
        await_confirms (results, first, published);
        amqp_basic_ack (jobs, 1, tag, 1);
        amqp_maybe_release_buffers (jobs);
    }
}

int main (int argc, char **argv)
{
    const peer_t peer = {"rabbitmq", open_client, send_job, take, work, NULL};
    return load_main (&peer, argc, argv);
}
