/*  The loop of the RPC server: waits, reads, hands out, answers. */
#include <string.h>

#include "net/clock.h"
#include "net/poll.h"
#include "rpc/server_inside.h"

enum {
    BATCH = 256,     /* messages that are read before calls are handed out */
    SWEEPS = 64,     /* looks for old replies, at most, in the time for which one is kept */
    LINGER_MS = 1000 /* for which the last replies may still leave */
};

/* ---- calls that ended -------------------------------------------------------------------------------------------- */

void rm_rpc_server_give_back (rm_rpc_server_t *self, rm_rpc_call_t *call)
{
    pthread_mutex_lock (&self->ended_mutex);
    bool first = !self->ended.first;
    rm_rpc_line_put (&self->ended, call);
    pthread_mutex_unlock (&self->ended_mutex);
    if (first)
        rm_wake_ring (&self->wake);
}

static rm_rpc_line_t take_ended (rm_rpc_server_t *self)
{
    pthread_mutex_lock (&self->ended_mutex);
    rm_rpc_line_t ended = self->ended;
    self->ended = (rm_rpc_line_t){0};
    pthread_mutex_unlock (&self->ended_mutex);
    return ended;
}

/* ---- a turn ------------------------------------------------------------------------------------------------------ */

static void receive (rm_rpc_server_t *self, uint64_t now_ms)
{
    rm_route_t route;
    for (int i = 0; i < BATCH; i++) {
        int rc = rm_socket_recv (self->socket, &route, &self->frame);
        if (rc == 1)
            rm_rpc_server_accept (self, &route, rm_frame_data (&self->frame), rm_frame_size (&self->frame), now_ms);
        else if (rc != RM_EPROTO)
            break;
    }
}

static rm_rpc_lane_t *lane_of (rm_rpc_server_t *self, const rm_rpc_call_t *call)
{
    rm_rpc_guest_t *guest = self->pool ? NULL : rm_rpc_roll_find (&self->roll, &call->session);
    return guest ? guest->lane : self->pool;
}

/* What was accepted in this turn: first it is on the disk, then it runs. */
static void hand_out (rm_rpc_server_t *self, uint64_t now_ms)
{
    rm_fault_t fault = {0};
    rm_rpc_line_t ended = {0};
    rm_rpc_call_t *call;
    bool failed = self->store && rm_rpc_store_commit (self->store, &fault);
    while ((call = rm_rpc_line_take (&self->accepted))) {
        rm_rpc_lane_t *lane = lane_of (self, call);
        if (!failed && lane) {
            rm_rpc_lane_push (lane, call);
            continue;
        }
        if (failed)
            rm_rpc_call_refuse (call, RM_EIO, fault.text);
        else if (self->mode == RM_RPC_EVENT)
            rm_rpc_call_run (call);
        else
            rm_rpc_call_refuse (call, RM_EBUSY, "its client has gone");
        rm_rpc_line_put (&ended, call);
    }
    rm_rpc_server_finish (self, &ended, now_ms);
}

/* Lanes of clients that went, whose last call has ended. */
static void reap (rm_rpc_server_t *self, bool all)
{
    for (rm_rpc_lane_t **place = &self->left; *place;) {
        rm_rpc_lane_t *lane = *place;
        if (!all && !rm_rpc_lane_is_over (lane)) {
            place = &lane->next;
            continue;
        }
        *place = lane->next;
        rm_rpc_lane_destroy (&lane);
    }
}

/* Lets go of silent clients and old replies. When to look again. */
static uint64_t look_after (rm_rpc_server_t *self, uint64_t now_ms)
{
    uint64_t next_ms;
    rm_rpc_guest_t *guest;
    while ((guest = rm_rpc_roll_silent (&self->roll, now_ms, &next_ms)))
        rm_rpc_server_part (self, guest);
    if (self->once && now_ms >= self->sweep_ms) {
        uint64_t keep_ms = (uint64_t)self->keep_ms, unix_ms = rm_clock_wall_ms ();
        uint64_t due_ms = rm_rpc_table_sweep (&self->table, now_ms);
        uint64_t soonest_ms = now_ms + keep_ms / SWEEPS;
        self->sweep_ms = due_ms == UINT64_MAX ? now_ms + keep_ms : due_ms > soonest_ms ? due_ms : soonest_ms;
        if (self->store) {
            rm_rpc_store_sweep (self->store, unix_ms > keep_ms ? unix_ms - keep_ms : 0);
            (void)rm_rpc_store_commit (self->store, NULL); /* what is left there is discarded the next time */
        }
    }
    reap (self, false);
    return self->once && self->sweep_ms < next_ms ? self->sweep_ms : next_ms;
}

static void turn (rm_rpc_server_t *self, uint64_t until_ms)
{
    uint64_t now_ms = rm_clock_ms ();
    rm_poll_t items[] = {{.socket = self->socket, .fd = -1}, {.fd = self->wake.fd}};
    int64_t wait_ms = until_ms == UINT64_MAX ? -1 : until_ms > now_ms ? (int64_t)(until_ms - now_ms) : 0;
    if (rm_poll (items, 2, wait_ms) < 0)
        return; /* a signal's handler has run: look whether it says stop */
    now_ms = rm_clock_ms ();
    if (items[1].readable) {
        rm_wake_clear (&self->wake);
        rm_rpc_line_t ended = take_ended (self);
        rm_rpc_server_finish (self, &ended, now_ms);
    }
    if (items[0].readable) {
        receive (self, now_ms);
        hand_out (self, now_ms);
    }
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

/* What waits in lanes is not run any more, but refused by their threads. */
static void wind_down (rm_rpc_server_t *self)
{
    if (self->pool)
        rm_rpc_lane_quit (self->pool);
    rm_rpc_lane_destroy (&self->pool);
    rm_rpc_guest_t *guest, *next;
    HASH_ITER (hh, self->roll.guests, guest, next)
        rm_rpc_server_part (self, guest);
    reap (self, true);
    rm_rpc_line_t ended = take_ended (self);
    rm_rpc_server_finish (self, &ended, rm_clock_ms ());
    rm_socket_set_linger (self->socket, LINGER_MS);
    rm_socket_close (&self->socket);
}

int rm_rpc_server_run (rm_rpc_server_t *self)
{
    if (self->ran)
        return rm_rpc_server_refuse (self, RM_ESTATE, "a server runs once: make a new one");
    int error = rm_rpc_server_bind (self);
    if (error)
        return error;
    if (self->mode == RM_RPC_POOL && !(self->pool = rm_rpc_lane_new (self, (unsigned)self->threads)))
        return rm_rpc_server_refuse (self, RM_EIO, "the system has not the %d threads that the server is to have",
                                     (int)self->threads);
    self->ran = true;
    uint64_t until_ms = 0;
    while (!atomic_load (&self->stops)) {
        turn (self, until_ms);
        until_ms = look_after (self, rm_clock_ms ());
    }
    wind_down (self);
    return 0;
}

void rm_rpc_server_stop (rm_rpc_server_t *self)
{
    if (!self)
        return;
    atomic_store (&self->stops, true);
    rm_wake_ring (&self->wake);
}
