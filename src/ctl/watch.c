/*  ringctl watch sync: the phases of each resize, from the master's publisher, a JSON line each. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/watch.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/poll.h"
#include "net/socket.h"
#include "proto/buf.h"
#include "proto/msg.h"

enum {
    LOOK_MS = 2000,       /* how often it looks whether the publisher is still the same */
    LOOK_PATIENCE_MS = 0, /* … for as long as one try takes, since phases may come meanwhile */
    COMMIT_PHASE = 3
};

typedef struct {
    rm_ctl_t *ctl;
    rm_socket_t *socket; /* SUB */
    rm_buf_t last;       /* the message printed last, as it came */
    int64_t printed;     /* lines */
    bool reachable;      /* the master answered when it was asked last */
    bool ended;          /* what was asked for has been printed, or nothing can be */
} rm_watching_t;

/* ---- one message ------------------------------------------------------------------------------------------------- */

const char *rm_ctl_watch_time (long long wall_ms, char *text, size_t size)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};
    char whole[64] = "";
    gmtime_r (&seconds, &utc);
    strftime (whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf (text, size, "%s.%03dZ", whole, (int)(wall_ms % 1000));
    return text;
}

static json_t *time_now (void)
{
    char text[64];
    return json_string (rm_ctl_watch_time ((long long)rm_clock_wall_ms (), text, sizeof text));
}

static json_t *bytes_json (rm_bytes_t bytes)
{
    return json_stringn (bytes.size ? bytes.data : "", bytes.size);
}

static json_t *members_json (const rm_msg_sync_t *sync)
{
    json_t *array = json_array ();
    for (uint32_t i = 0; i < sync->member_count; i++) {
        json_t *member = json_array ();
        json_array_append_new (member, bytes_json (sync->members[i].name));
        json_array_append_new (member, rm_ctl_json_inc (sync->members[i].inc));
        json_array_append_new (array, member);
    }
    return array;
}

static json_t *moved_json (const rm_msg_sync_t *sync)
{
    json_t *pools = json_object ();
    for (uint32_t i = 0; i < sync->moved_count; i++) {
        const rm_sync_move_t *move = &sync->moved[i];
        char name[RM_POOL_NAME_BYTES_MAX + 1];
        snprintf (name, sizeof name, "%.*s", (int)move->pool.size, (const char *)move->pool.data);
        json_t *moves = json_object_get (pools, name);
        if (!moves)
            json_object_set_new (pools, name, moves = json_array ());
        json_t *range = json_array ();
        json_array_append_new (range, json_integer (move->first));
        json_array_append_new (range, json_integer (move->last));
        json_array_append_new (range, rm_ctl_json_inc (move->from));
        json_array_append_new (range, rm_ctl_json_inc (move->to));
        json_array_append_new (moves, range);
    }
    return pools;
}

/* The message as it goes over the wire, with the time in front. */
static json_t *sync_json (const rm_msg_sync_t *sync)
{
    json_t *data = json_pack ("{s:I, s:I}", "term", (json_int_t)sync->term, "epoch", (json_int_t)sync->epoch);
    if (sync->phase == 2) {
        json_object_set_new (data, "sync_to", json_integer ((json_int_t)sync->sync_to));
        json_object_set_new (data, "members", members_json (sync));
        json_object_set_new (data, "moved", moved_json (sync));
    }
    return json_pack ("{s:o, s:s, s:o, s:I, s:o}", "at", time_now (), "type", "sync", "name", bytes_json (sync->name),
                      "phase", (json_int_t)sync->phase, "data", data);
}

static void take (rm_watching_t *self, const void *frame, size_t size)
{
    rm_msg_t msg;
    bool repeated = size && size == self->last.size && !memcmp (frame, self->last.data, size);
    if (repeated || rm_msg_decode (&msg, frame, size, NULL))
        return;
    if (msg.type == RM_MSG_SYNC && msg.sync.from_master) {
        rm_buf_clear (&self->last);
        rm_buf_put (&self->last, frame, size);
        rm_ctl_json_print (sync_json (&msg.sync));
        self->printed++;
        self->ended = ferror (stdout) || self->printed == self->ctl->said.count ||
                      (self->ctl->said.until_commit && msg.sync.phase == COMMIT_PHASE);
    }
    rm_msg_close (&msg);
}

/* ---- the publisher ----------------------------------------------------------------------------------------------- */

/* Learns where the publisher is, and connects to it unless it is the one already. 0 or RM_E…. */
static int look (rm_watching_t *self, int timeout_ms)
{
    const char *text;
    int error = rm_client_query (self->ctl->client, "endpoints", 0, NULL, 0, timeout_ms, &text);
    if (error)
        return error;
    rm_endpoint_t endpoint;
    rm_fault_t fault = {0};
    json_t *endpoints = json_loads (text, 0, NULL);
    const char *sync = json_string_value (json_object_get (endpoints, "sync"));
    error = rm_endpoint_parse (&endpoint, sync ? sync : "", &fault);
    bool same = !error && self->socket && !strcmp (rm_socket_endpoint (self->socket)->text, endpoint.text);
    if (!error && !same) {
        rm_socket_close (&self->socket);
        self->socket = rm_socket_connect (RM_SOCKET_SUB, &endpoint, &fault);
        error = self->socket ? 0 : fault.error;
    }
    if (error)
        rm_ctl_say ("cannot watch the master's publisher: %s", fault.text);
    else if (!same)
        rm_ctl_say ("watching %s", endpoint.text);
    json_decref (endpoints);
    return error;
}

/* Prints what comes until it is time to look again. */
static void listen_for (rm_watching_t *self, uint64_t time_ms)
{
    rm_frame_t frame = {0};
    uint64_t end_ms = rm_clock_ms () + time_ms, now_ms;
    while (!self->ended && (now_ms = rm_clock_ms ()) < end_ms) {
        rm_poll_t item = {.socket = self->socket, .fd = -1};
        rm_poll (&item, 1, (int64_t)(end_ms - now_ms));
        while (!self->ended && rm_socket_recv (self->socket, NULL, &frame) == 1)
            take (self, rm_frame_data (&frame), rm_frame_size (&frame));
    }
    rm_frame_close (&frame);
}

int rm_ctl_watch (rm_ctl_t *self)
{
    bool jobs = !strcmp (self->arguments[0], "jobs");
    if (!jobs && strcmp (self->arguments[0], "sync"))
        return rm_options_refuse (self->program, self->command, "'%s' cannot be watched, only sync and jobs can",
                                  self->arguments[0]);
    if (jobs ? self->said.until_commit : self->said.queue != NULL)
        return rm_options_refuse (self->program, self->command, "%s is for %s", jobs ? "--until-commit" : "--queue",
                                  jobs ? "sync" : "jobs");
    if (jobs)
        return rm_ctl_watch_jobs (self);
    rm_watching_t watching = {.ctl = self, .reachable = true};
    int error = look (&watching, RM_CTL_PATIENCE_MS);
    if (error)
        return watching.socket || error == RM_EINVAL ? RM_CTL_REFUSED : rm_ctl_fail (self, error);
    while (!watching.ended) {
        listen_for (&watching, LOOK_MS);
        bool reachable = watching.ended || !look (&watching, LOOK_PATIENCE_MS);
        if (reachable != watching.reachable)
            rm_ctl_say (reachable ? "the master answers again" : "the master does not answer; waiting for it");
        watching.reachable = reachable;
    }
    rm_socket_close (&watching.socket);
    rm_buf_close (&watching.last);
    return RM_CTL_DONE;
}
