/*  How much more may wait: in a queue, of a client, in all. What is on its way into the ledger counts like what is there. */
#include <string.h>

#include "core/leader_inside.h"
#include "proto/alloc.h"

/* What is on its way into a queue, which need not exist yet. */
struct rm_leader_room {
    uint64_t count, bytes;
    UT_hash_handle hh; /* rm_leader_t.rooms by name */
    uint32_t size;
    char name[];
};

static struct rm_leader_room *room_of (rm_leader_t *self, rm_bytes_t queue)
{
    struct rm_leader_room *room;
    HASH_FIND (hh, self->rooms, queue.data, queue.size, room);
    if (room)
        return room;
    room = rm_calloc (1, sizeof *room + queue.size);
    if (!room)
        return NULL;
    room->size = queue.size;
    memcpy (room->name, queue.data, queue.size);
    HASH_ADD_KEYPTR (hh, self->rooms, room->name, queue.size, room);
    if (!RM_HASH_ADDED (room)) {
        rm_free (room);
        return NULL;
    }
    return room;
}

/* So many queues there will be if all that is on its way into the ledger makes new ones. */
uint64_t rm_leader_queues_ahead (const rm_leader_t *self)
{
    return (uint64_t)self->state->queue_count + HASH_COUNT (self->rooms) + self->joins_queues + self->order_count;
}

/* Counts a job of so many bytes in its queue; whoever gets `*room` leaves it, also if something is full. What is full,
 * NULL if nothing is. */
const char *rm_leader_enter_room (rm_leader_t *self, rm_bytes_t name, uint64_t bytes, struct rm_leader_room **room_p)
{
    struct rm_leader_room *room = *room_p = room_of (self, name);
    if (!room) {
        rm_leader_out_of_memory (self);
        return "the master has run out of memory";
    }
    room->count++;
    room->bytes += bytes;
    const rm_queue_t *queue = rm_state_queue (self->state, name);
    if (!queue && rm_leader_queues_ahead (self) > RM_QUEUES_MAX)
        return RM_LEADER_QUEUES_FULL;
    uint64_t jobs_max = queue && queue->jobs_max ? queue->jobs_max : self->config.queue_jobs_max;
    uint64_t bytes_max = queue && queue->bytes_max ? queue->bytes_max : self->config.queue_bytes_max;
    if (room->count + (queue ? queue->waiting_count + queue->holding_count : 0) > jobs_max)
        return "the queue holds as many jobs as it may";
    if (room->bytes + (queue ? queue->waiting_bytes + queue->holding_bytes : 0) > bytes_max)
        return "the queue holds as many bytes as it may";
    return NULL;
}

/* `room` NULL: it was in none. */
void rm_leader_leave_room (rm_leader_t *self, struct rm_leader_room *room, uint64_t count, uint64_t bytes)
{
    if (!room)
        return;
    room->bytes -= bytes;
    room->count -= count;
    if (room->count)
        return;
    HASH_DEL (self->rooms, room);
    rm_free (room);
}

/* What so many jobs more would make full beside the queues, NULL if nothing. `session` NULL: it is new. */
const char *rm_leader_full (const rm_leader_t *self, const rm_ledger_session_t *session, uint64_t jobs, uint64_t bytes)
{
    const rm_leader_config_t *config = &self->config;
    const rm_state_t *state = self->state;
    if (self->disk_full)
        return "the master's disk has no room for more jobs";
    if (state->waiting_count + state->holding_count + self->pending_count + jobs > config->jobs_max)
        return "the master holds as many jobs as it may";
    if (state->waiting_bytes + state->holding_bytes + self->pending_bytes + bytes > config->bytes_max)
        return "the master holds as many bytes as it may";
    if (session) {
        jobs += session->waiting_count + session->lead.pending_count;
        bytes += session->waiting_bytes + session->lead.pending_bytes;
    }
    if (jobs > config->client_jobs_max)
        return "this client has as many jobs waiting as it may";
    if (bytes > config->client_bytes_max)
        return "this client has as many bytes waiting as it may";
    return NULL;
}

/* They are on their way; they have come. The same session, or NULL, is said both times. */
void rm_leader_expect (rm_leader_t *self, rm_ledger_session_t *session, uint64_t jobs, uint64_t bytes)
{
    self->pending_count += jobs;
    self->pending_bytes += bytes;
    if (session) {
        session->lead.pending_count += jobs;
        session->lead.pending_bytes += bytes;
    }
}

void rm_leader_unexpect (rm_leader_t *self, rm_ledger_session_t *session, uint64_t jobs, uint64_t bytes)
{
    self->pending_count -= jobs;
    self->pending_bytes -= bytes;
    if (session) {
        session->lead.pending_count -= jobs;
        session->lead.pending_bytes -= bytes;
    }
}
