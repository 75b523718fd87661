/*  What the RPC server hears and says: requests in, replies out. All on the loop's thread. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "net/clock.h"
#include "proto/alloc.h"
#include "rpc/hex.h"
#include "rpc/server_inside.h"

/* ---- saying ------------------------------------------------------------------------------------------------------ */

/* A client that has gone, or reads too slowly, does without: it asks again. */
static void say (rm_rpc_server_t *self, const rm_route_t *route, const rm_msg_t *msg)
{
    rm_buf_clear (&self->out);
    if (!rm_msg_encode (msg, &self->out))
        (void)rm_socket_send_buf (self->socket, route, &self->out);
}

static rm_msg_t error_of (const rm_session_id_t *session, uint64_t seq, int code, int fault, const char *text)
{
    return (rm_msg_t){.type = RM_MSG_RPC_ERROR, .rpc_error = {*session, seq, code, (uint32_t)fault, rm_bytes (text)}};
}

static rm_msg_t busy_of (const rm_rpc_server_t *self, const rm_session_id_t *session, uint64_t seq, const char *text)
{
    return (rm_msg_t){.type = RM_MSG_RPC_BUSY,
                      .rpc_busy = {*session, seq, (uint32_t)self->retry_after_ms, rm_bytes (text)}};
}

static void say_error (rm_rpc_server_t *self, const rm_route_t *route, const rm_msg_rpc_call_t *call, int code,
                       const char *text)
{
    rm_msg_t msg = error_of (&call->session, call->seq, code, 0, text);
    say (self, route, &msg);
}

static void say_busy (rm_rpc_server_t *self, const rm_route_t *route, const rm_session_id_t *session, uint64_t seq,
                      const char *text)
{
    rm_msg_t msg = busy_of (self, session, seq, text);
    say (self, route, &msg);
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

void rm_rpc_server_part (rm_rpc_server_t *self, rm_rpc_guest_t *guest)
{
    char client[2 * RM_SESSION_BYTES + 1];
    rm_session_hex (&guest->session, client);
    if (self->on_disconnect)
        self->on_disconnect (client, guest->name, self->disconnect_arg);
    rm_rpc_lane_t *lane = guest->lane;
    if (lane) {
        rm_rpc_lane_quit (lane);
        lane->next = self->left;
        self->left = lane;
    }
    rm_rpc_roll_remove (&self->roll, guest);
}

/* A client that was not there. NULL: there is no room for it. */
static rm_rpc_guest_t *arrive (rm_rpc_server_t *self, const rm_session_id_t *session, rm_bytes_t name, uint64_t now_ms)
{
    char client[2 * RM_SESSION_BYTES + 1];
    if (HASH_COUNT (self->roll.guests) >= (uint64_t)self->clients_max)
        return NULL;
    rm_rpc_guest_t *guest = rm_rpc_roll_add (&self->roll, session, name, now_ms);
    if (guest && self->mode == RM_RPC_CONNECTION && !(guest->lane = rm_rpc_lane_new (self, 1))) {
        rm_rpc_roll_remove (&self->roll, guest);
        guest = NULL;
    }
    rm_session_hex (session, client);
    if (guest && self->on_connect)
        self->on_connect (client, guest->name, self->connect_arg);
    return guest;
}

/* The client of that session, which was just heard of. NULL: it was told that there is no room. */
static rm_rpc_guest_t *guest_of (rm_rpc_server_t *self, const rm_route_t *route, const rm_session_id_t *session,
                                 uint64_t seq, rm_bytes_t name, uint64_t now_ms)
{
    char text[128];
    rm_rpc_guest_t *guest = rm_rpc_roll_find (&self->roll, session);
    if (guest)
        rm_rpc_roll_heard (&self->roll, guest, now_ms);
    else
        guest = arrive (self, session, name, now_ms);
    if (!guest) {
        snprintf (text, sizeof text, "%u clients are connected, and there is no room for more",
                  HASH_COUNT (self->roll.guests));
        say_busy (self, route, session, seq, text);
    }
    return guest;
}

static void on_hello (rm_rpc_server_t *self, const rm_route_t *route, const rm_msg_rpc_hello_t *hello, uint64_t now_ms)
{
    if (!guest_of (self, route, &hello->session, 0, hello->name, now_ms))
        return;
    rm_msg_t msg = {.type = RM_MSG_RPC_WELCOME,
                    .rpc_welcome = {hello->session, (uint32_t)self->silence_ms, (uint32_t)self->once}};
    say (self, route, &msg);
}

static void on_bye (rm_rpc_server_t *self, const rm_msg_rpc_bye_t *bye)
{
    rm_rpc_guest_t *guest = rm_rpc_roll_find (&self->roll, &bye->session);
    if (guest)
        rm_rpc_server_part (self, guest);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

/* How many calls may be under way: those that run and those that wait. */
static uint64_t room (const rm_rpc_server_t *self)
{
    uint64_t threads = self->mode == RM_RPC_CONNECTION ? HASH_COUNT (self->roll.guests) : (uint64_t)self->threads;
    return (uint64_t)self->queue_max + threads;
}

/* A call that is to be run, if it can be. `entry` is its place in the table (NULL: at-least-once). */
static void on_new_call (rm_rpc_server_t *self, const rm_route_t *route, const rm_msg_rpc_call_t *msg,
                         rm_rpc_guest_t *guest, rm_rpc_entry_t *entry, uint64_t now_ms)
{
    int error;
    char text[256];
    rm_rpc_call_t *call = NULL;
    if (self->mode != RM_RPC_EVENT && self->under_way >= room (self)) {
        snprintf (text, sizeof text, "%" PRId64 " calls wait already", self->queue_max);
        say_busy (self, route, &msg->session, msg->seq, text);
    } else if (!(call = rm_rpc_call_new (self, msg, now_ms, &error, text, sizeof text))) {
        say_error (self, route, msg, error, text);
    }
    if (!call) {
        if (entry)
            rm_rpc_table_forget (&self->table, entry);
        return;
    }
    call->route = *route;
    call->entry = entry;
    if (entry)
        entry->running = call;
    if (entry && self->store)
        rm_rpc_store_begin (self->store, entry, rm_clock_wall_ms ());
    guest->calls++;
    self->under_way++;
    rm_rpc_line_put (&self->accepted, call);
}

/* At-most-once: answers what was asked before. True with the entry of a call that is new. */
static bool is_new (rm_rpc_server_t *self, const rm_route_t *route, const rm_msg_rpc_call_t *msg, uint64_t now_ms,
                    rm_rpc_entry_t **entry)
{
    bool raised;
    rm_rpc_found_t found = rm_rpc_table_begin (&self->table, msg, rm_rpc_call_hash (msg), now_ms, entry, &raised);
    if (raised && self->store) {
        rm_rpc_session_t *session;
        HASH_FIND (hh, self->table.sessions, &msg->session, sizeof msg->session, session);
        rm_rpc_store_floor (self->store, session, rm_clock_wall_ms ());
    }
    switch (found) {
    case RM_RPC_NEW:
        return true;
    case RM_RPC_PENDING:
        ((rm_rpc_call_t *)(*entry)->running)->route = *route;
        break;
    case RM_RPC_DONE:
        (void)rm_socket_send (self->socket, route, (*entry)->reply, (*entry)->reply_size);
        break;
    case RM_RPC_STALE:
        say_error (self, route, msg, RM_ESTALE, rm_strerror (RM_ESTALE));
        break;
    case RM_RPC_CONFLICT:
        say_error (self, route, msg, RM_ECONFLICT, "the number of this call was used for another one");
        break;
    case RM_RPC_FULL:
        say_busy (self, route, &msg->session, msg->seq, "the server keeps as many replies as it may");
        break;
    case RM_RPC_NO_MEMORY:
        say_error (self, route, msg, RM_ENOMEM, rm_strerror (RM_ENOMEM));
    }
    return false;
}

static void on_call (rm_rpc_server_t *self, const rm_route_t *route, const rm_msg_rpc_call_t *msg, uint64_t now_ms)
{
    rm_rpc_entry_t *entry = NULL;
    rm_rpc_guest_t *guest = guest_of (self, route, &msg->session, msg->seq, rm_bytes (""), now_ms);
    if (guest && (!self->once || is_new (self, route, msg, now_ms, &entry)))
        on_new_call (self, route, msg, guest, entry, now_ms);
}

void rm_rpc_server_accept (rm_rpc_server_t *self, const rm_route_t *route, const void *frame, size_t size,
                           uint64_t now_ms)
{
    rm_msg_t msg;
    if (rm_msg_decode (&msg, frame, size, NULL))
        return; /* there is nobody to answer */
    if (msg.type == RM_MSG_RPC_CALL)
        on_call (self, route, &msg.rpc_call, now_ms);
    else if (msg.type == RM_MSG_RPC_HELLO)
        on_hello (self, route, &msg.rpc_hello, now_ms);
    else if (msg.type == RM_MSG_RPC_BYE)
        on_bye (self, &msg.rpc_bye);
    rm_msg_close (&msg);
}

/* ---- replies ----------------------------------------------------------------------------------------------------- */

/* Writes the reply over the call's result. False: memory ran out, and there is none. */
static bool write_reply (rm_rpc_server_t *self, rm_rpc_call_t *call)
{
    rm_msg_t msg;
    rm_buf_t frame = {0};
    if (call->error == RM_EBUSY)
        msg = busy_of (self, &call->session, call->seq, call->text);
    else if (call->error)
        msg = error_of (&call->session, call->seq, call->error, call->fault, call->text);
    else
        msg = (rm_msg_t){.type = RM_MSG_RPC_RESULT,
                         .rpc_result = {call->session, call->seq, {call->result.data, (uint32_t)call->result.size}}};
    bool written = !rm_msg_encode (&msg, &frame);
    rm_buf_close (&call->result);
    call->result = frame;
    return written;
}

/* The call's place in the table, and on the disk. */
static void settle (rm_rpc_server_t *self, rm_rpc_call_t *call, uint64_t now_ms)
{
    rm_rpc_entry_t *entry = call->entry;
    uint8_t *reply = call->unrun ? NULL : rm_memdup (call->result.data, call->result.size);
    bool kept = false;
    if (call->unrun)
        rm_rpc_table_forget (&self->table, entry);
    else if (reply)
        kept = rm_rpc_table_end (&self->table, entry, reply, (uint32_t)call->result.size, now_ms);
    else
        return; /* it stays pending, so that it does not run again; who asks waits in vain */
    if (kept && self->store)
        rm_rpc_store_end (self->store, entry, rm_clock_wall_ms ());
    else if (self->store)
        rm_rpc_store_forget (self->store, &call->session, call->seq);
}

void rm_rpc_server_finish (rm_rpc_server_t *self, rm_rpc_line_t *ended, uint64_t now_ms)
{
    rm_rpc_call_t *call;
    for (call = ended->first; call; call = call->next) {
        rm_rpc_guest_t *guest = rm_rpc_roll_find (&self->roll, &call->session);
        if (guest) {
            rm_rpc_roll_heard (&self->roll, guest, now_ms);
            guest->calls -= guest->calls > 0;
        }
        if (!write_reply (self, call))
            rm_buf_close (&call->result);
        if (call->entry)
            settle (self, call, now_ms);
        self->under_way--;
    }
    /* A reply that could not be noted is sent all the same: that the call was begun is on the disk, so it is not run
     * again. */
    if (self->store && ended->first)
        (void)rm_rpc_store_commit (self->store, NULL);
    while ((call = rm_rpc_line_take (ended))) {
        if (call->result.size)
            (void)rm_socket_send_buf (self->socket, &call->route, &call->result);
        rm_rpc_call_free (call);
    }
}
