#include "flow.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/ring.h"
#include "net/clock.h"
#include "net/poll.h"
#include "process.h"
#include "proto/alloc.h"
#include "proto/msg.h"

enum { ASK_MS = 10000, TURN_MS = 1 };

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

static void send_job (flow_t *self, uint32_t number)
{
    flow_key_t *key = &self->keys[number];
    char ms[16];
    int size = snprintf (ms, sizeof ms, "%u", self->long_ms);
    const rm_spec_t *spec = key->is_long
                                ? rm_spec ("long", .key = key->name, .data = ms, .size = (size_t)size, .tag = number)
                                : rm_spec ("flow", .key = key->name, .data = "x", .size = 1, .tag = number);
    if (rm_stream_send (self->stream, spec))
        harness_fail ("cannot send: %s", rm_stream_error (self->stream));
    key->under_way = true;
    key->job_due_us = key->due_us;
    key->due_us += self->period_us;
}

static void note_end (flow_t *self, uint32_t number, uint64_t now_us, uint64_t wait_us)
{
    if (self->end_count == self->end_room) {
        self->end_room = self->end_room ? self->end_room * 2 : 1 << 16;
        self->ends = rm_realloc (self->ends, self->end_room * sizeof *self->ends);
        if (!self->ends)
            harness_fail ("memory ran out");
    }
    self->ends[self->end_count++] = (flow_end_t){now_us, number, (uint32_t)wait_us};
}

static void on_result (flow_t *self, const rm_result_t *result)
{
    uint64_t now_us = rm_clock_us ();
    uint32_t number = (uint32_t)rm_result_tag (result);
    flow_key_t *key = &self->keys[number];
    if (rm_result_outcome (result) != RM_DONE)
        harness_fail ("a job of %s was not done: %s", key->name, rm_result_reason (result));
    uint64_t beside_us = key->ended_us + self->long_ms * 1000ull;
    if (!key->is_long)
        note_end (self, number, now_us, now_us - key->job_due_us);
    else if (key->ended_us)
        note_end (self, number, now_us, now_us > beside_us ? now_us - beside_us : 0);
    key->ended_us = now_us;
    key->under_way = false;
    if (!self->period_us || key->is_long)
        key->due_us = now_us;
    if (key->due_us <= now_us)
        send_job (self, number);
}

/* A key whose job is still under way is due all the same, and sends when that has ended. */
static void send_due (flow_t *self)
{
    for (; self->period_us && self->start_us + self->turn * self->period_us / self->count <= rm_clock_us ();
         self->turn++)
        if (!self->keys[self->turn % self->count].under_way)
            send_job (self, (uint32_t)(self->turn % self->count));
}

/* ---- resizes ---------------------------------------------------------------------------------------------------- */

static void on_sync (flow_t *self, const rm_msg_sync_t *sync)
{
    if (sync->phase == 1) {
        if (!self->begun_us)
            self->begun_us = rm_clock_us ();
        self->settled_us = 0;
    }
    for (uint32_t i = 0; i < sync->moved_count; i++)
        for (uint32_t slot = sync->moved[i].first; slot <= sync->moved[i].last; slot++)
            self->moved[slot] = true;
    if (sync->phase == 3 && self->begun_us && !self->settled_us)
        self->settled_us = rm_clock_us ();
}

static void hear (flow_t *self)
{
    rm_frame_t frame = {{0}};
    while (rm_socket_recv (self->sync, NULL, &frame) == 1) {
        rm_msg_t msg;
        if (rm_msg_decode (&msg, rm_frame_data (&frame), rm_frame_size (&frame), NULL))
            harness_fail ("the master published what is no message");
        if (msg.type == RM_MSG_SYNC)
            on_sync (self, &msg.sync);
        rm_msg_close (&msg);
    }
    rm_frame_close (&frame);
}

void flow_forget (flow_t *self)
{
    self->begun_us = self->settled_us = 0;
    memset (self->moved, 0, sizeof self->moved);
}

bool flow_has_moved (const flow_t *self, uint32_t key)
{
    return self->moved[self->keys[key].slot];
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static void listen_to (flow_t *self, const char *masters)
{
    rm_client_t *client = rm_client_new (masters);
    rm_endpoint_t sync;
    const char *text;
    if (!client || rm_client_query (client, "endpoints", 0, NULL, 0, ASK_MS, &text))
        harness_fail ("the master does not say where it publishes");
    json_t *endpoints = json_loads (text, 0, NULL);
    const char *where = json_string_value (json_object_get (endpoints, "sync"));
    if (!where || rm_endpoint_parse (&sync, where, NULL) ||
        !(self->sync = rm_socket_connect (RM_SOCKET_SUB, &sync, NULL)))
        harness_fail ("cannot listen to what the master publishes");
    json_decref (endpoints);
    rm_client_destroy (&client);
}

void flow_open (flow_t *self, const char *masters, uint32_t keys, uint32_t rate, uint32_t long_keys, uint32_t long_ms)
{
    uint32_t all = keys + long_keys;
    char window[16];
    *self = (flow_t){.count = keys, .long_count = long_keys, .long_ms = long_ms, .start_us = rm_clock_us ()};
    self->period_us = rate ? keys * 1000000ull / rate : 0;
    self->keys = rm_calloc (all, sizeof *self->keys);
    self->stream = rm_stream_new (masters);
    if (!self->keys || !self->stream)
        harness_fail ("memory ran out");
    snprintf (window, sizeof window, "%u", all + long_keys);
    rm_stream_set (self->stream, "window", window);
    listen_to (self, masters);
    for (uint32_t i = 0; i < all; i++) {
        flow_key_t *key = &self->keys[i];
        key->is_long = i >= keys;
        int size = snprintf (key->name, sizeof key->name, "%s%u", key->is_long ? "long" : "key", i);
        key->slot = rm_ring_slot (key->name, (size_t)size);
        key->due_us = self->start_us + (key->is_long ? 0 : i * self->period_us / keys);
        if (key->is_long)
            send_job (self, i);
        if (key->is_long || !self->period_us)
            send_job (self, i);
    }
}

void flow_close (flow_t *self)
{
    rm_stream_destroy (&self->stream);
    rm_socket_close (&self->sync);
    rm_free (self->keys);
    rm_free (self->ends);
}

void flow_for (flow_t *self, uint64_t ms)
{
    uint64_t end_ms = rm_clock_ms () + ms;
    while (rm_clock_ms () < end_ms) {
        rm_poll_t items[] = {{.fd = rm_stream_fd (self->stream)}, {.socket = self->sync, .fd = -1}};
        rm_poll (items, 2, TURN_MS);
        for (rm_result_t *result; (result = rm_stream_next (self->stream, 0)); rm_result_destroy (&result))
            on_result (self, result);
        hear (self);
        send_due (self);
    }
}
