#include "master/view.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "master/group.h"
#include "master/view_life.h"
#include "proto/alloc.h"
#include "proto/base64.h"
#include "ringmaster/error.h"

static json_t *integer (uint64_t value)
{
    return json_integer ((json_int_t)value);
}

static uint32_t in_flight (const rm_view_t *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->leader->peer_count; i++)
        count += self->leader->peers[i]->flight_count;
    return count;
}

/* ---- status ----------------------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t workers; /* that serve the queue */
    uint32_t running; /* jobs of it */
} counts_t;

/* Of each queue by its number, in one walk, since there may be many; NULL: memory has run out. */
static counts_t *count_queues (const rm_view_t *self)
{
    counts_t *counts = rm_calloc (self->state->queue_count + 1, sizeof *counts);
    for (uint32_t i = 0; counts && i < self->leader->peer_count; i++) {
        const rm_peer_t *peer = self->leader->peers[i];
        for (uint32_t q = 0; q < peer->member->queue_count; q++)
            counts[peer->member->queues[q]->number].workers++;
        RM_LIST_EACH (&peer->flight, link)
            counts[RM_OWNER (link, rm_flight_t, link)->record->queue->number].running++;
    }
    return counts;
}

static uint64_t age (const rm_view_t *self, const rm_record_t *record)
{
    return self->now.wall_ms > record->accepted_ms ? self->now.wall_ms - record->accepted_ms : 0;
}

/* How old the queue's oldest job that has not ended is; null: there is none. */
static json_t *oldest (const rm_view_t *self, const rm_queue_t *queue)
{
    rm_link_t *first = rm_list_first (&queue->open);
    return first ? integer (age (self, RM_OWNER (first, rm_record_t, open))) : json_null ();
}

static json_t *queues (const rm_view_t *self)
{
    counts_t *counts = count_queues (self);
    json_t *list = counts ? json_array () : NULL;
    for (const rm_queue_t *queue = self->state->queues; list && queue; queue = queue->hh.next) {
        uint32_t running = counts[queue->number].running;
        json_array_append_new (list,
                               json_pack ("{s:s, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", queue->name, "pool",
                                          queue->pool ? queue->pool->name : NULL, "waiting",
                                          integer (queue->waiting_count - running), "held",
                                          integer (rm_queue_held_count (queue)), "running", integer (running), "done",
                                          integer (queue->done_count), "dead", integer (queue->dead_count), "workers",
                                          integer (counts[queue->number].workers), "oldest_ms", oldest (self, queue)));
    }
    rm_free (counts);
    return list;
}

static json_t *ledger (const rm_view_t *self)
{
    rm_ledger_status_t status;
    rm_ledger_status (self->ledger, &status);
    return json_pack ("{s:o, s:o, s:o, s:o, s:o}", "batches", integer (status.applied), "bytes",
                      integer (status.log_bytes), "snapshots", integer (status.snapshots), "restored",
                      integer (status.restored), "verified", integer (status.verified));
}

static json_t *status (const rm_view_t *self)
{
    const rm_state_t *state = self->state;
    uint32_t running = in_flight (self);
    static const int phases[RM_RESIZE_STATES] = {0, 1, 1, 2, 3};
    rm_resize_state_t resize = self->leader->resize.state;
    return json_pack ("{s:o, s:o, s:b, s:o, s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:{s:i, s:s, s:o}, s:o, "
                      "s:o, s:o, s:{s:s, s:s, s:s, s:s}}",
                      "term", integer (state->term), "epoch", integer (state->epoch), "leader", self->leader->leading,
                      "uptime_ms", integer (self->uptime_ms), "jobs", "waiting",
                      integer (state->waiting_count - running), "running", integer (running), "done",
                      integer (state->done_count), "dead", integer (state->dead_count), "accepted",
                      integer (rm_state_accepted_count (state)), "bytes", integer (state->waiting_bytes), "sessions",
                      integer (HASH_COUNT (state->sessions)), "workers", integer (self->leader->peer_count), "resize",
                      "phase", phases[resize], "state", rm_resize_state_name (resize), "epoch", integer (state->epoch),
                      "ledger", ledger (self), "group", rm_group_json (self->ledger), "queues", queues (self),
                      "endpoints", "jobs", self->jobs, "work", self->work, "sync", self->sync, "http", self->http);
}

/* ---- workers and the ring --------------------------------------------------------------------------------------- */

static json_t *inc_text (uint64_t inc)
{
    char text[17];
    snprintf (text, sizeof text, "%016" PRIx64, inc);
    return json_string (text);
}

static const char *worker_state (const rm_peer_t *peer)
{
    if (peer->member->leaving || peer->leave_asked)
        return "leaving";
    return peer->reported ? "live" : "unreported";
}

static json_t *workers (const rm_view_t *self)
{
    json_t *list = json_array ();
    for (uint32_t i = 0; i < self->leader->peer_count; i++) {
        const rm_peer_t *peer = self->leader->peers[i];
        const rm_member_t *member = peer->member;
        json_t *names = json_array ();
        for (uint32_t q = 0; q < member->queue_count; q++)
            json_array_append_new (names, json_string (member->queues[q]->name));
        json_array_append_new (
            list, json_pack ("{s:s, s:o, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "name", member->name, "inc",
                             inc_text (member->inc), "pool", member->pool->name, "queues", names, "threads",
                             integer (member->threads), "state", worker_state (peer), "slots",
                             integer (rm_pool_share (member->pool, member->number)), "inflight",
                             integer (peer->flight_count), "window", integer (peer->window), "last_heard_ms",
                             integer (self->now.mono_ms - peer->heard_ms), "done", integer (peer->done_count)));
    }
    return json_pack ("{s:o}", "workers", list);
}

static const char *name_of (const rm_view_t *self, uint16_t number)
{
    const rm_member_t *member = number == RM_RING_NOBODY ? NULL : self->state->members[number];
    return member ? member->name : "";
}

static json_t *ranges (const rm_view_t *self, const rm_pool_t *pool, uint32_t *moving)
{
    json_t *list = json_array ();
    uint32_t first = 0;
    *moving = 0;
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
        *moving += pool->owner[slot] != pool->target[slot];
        if (slot + 1 < RM_SLOTS && pool->target[slot + 1] == pool->target[slot])
            continue;
        json_array_append_new (
            list, json_pack ("[o, o, s]", integer (first), integer (slot), name_of (self, pool->target[slot])));
        first = slot + 1;
    }
    return list;
}

static json_t *pool_view (const rm_view_t *self, const rm_pool_t *pool)
{
    json_t *members = json_array ();
    for (uint32_t i = 0; i < self->leader->peer_count; i++) {
        const rm_member_t *member = self->leader->peers[i]->member;
        if (member->pool == pool)
            json_array_append_new (members,
                                   json_pack ("{s:s, s:o, s:o}", "name", member->name, "inc", inc_text (member->inc),
                                              "slots", integer (rm_pool_share (pool, member->number))));
    }
    uint32_t moving;
    json_t *list = ranges (self, pool, &moving);
    return json_pack ("{s:s, s:i, s:o, s:o, s:o}", "name", pool->name, "slots", RM_SLOTS, "members", members, "moving",
                      integer (moving), "ranges", list);
}

static json_t *ring (const rm_view_t *self)
{
    json_t *pools = json_array ();
    for (const rm_pool_t *pool = self->state->pools; pool; pool = pool->next)
        json_array_append_new (pools, pool_view (self, pool));
    return json_pack ("{s:o, s:o}", "epoch", integer (self->state->epoch), "pools", pools);
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

static json_t *blob_text (const rm_blob_t *blob)
{
    json_t *text = json_stringn ((const char *)blob->data, blob->size);
    return text ? text : json_string ("(not text)");
}

json_t *rm_view_key (const rm_record_t *record)
{
    return record->key_bytes ? blob_text (record->key_bytes) : json_null ();
}

static json_t *job (const rm_view_t *self, const rm_record_t *record)
{
    const rm_progress_t *progress = rm_leader_progress (record);
    return json_pack (
        "{s:o, s:s, s:o, s:s, s:s?, s:o, s:o, s:o*, s:o*}", "id", integer (record->id), "queue", record->queue->name,
        "key", rm_view_key (record), "state", rm_record_state_name (record, self->now.wall_ms), "worker",
        rm_record_peer (record) ? rm_record_peer (record)->member->name : NULL, "attempt",
        integer (rm_record_attempt (record)), "age_ms", integer (age (self, record)), "permille",
        progress ? integer (progress->permille) : NULL, "note", progress ? blob_text (progress->note) : NULL);
}

typedef struct {
    const rm_view_t *view;
    json_t *list;
} listing_t;

static void list_job (void *arg, const rm_record_t *record)
{
    listing_t *listing = arg;
    json_array_append_new (listing->list, job (listing->view, record));
}

static json_t *jobs (const rm_view_t *self, const rm_msg_query_t *query)
{
    listing_t listing = {self, json_array ()};
    uint64_t next = rm_leader_list (self->leader, self->now, query, list_job, &listing);
    return json_pack ("{s:o, s:o*}", "jobs", listing.list, "next", next ? integer (next) : NULL);
}

/* Those that run and have said how far they are, worker by worker: a walk over what is at workers, however many jobs wait. */
static json_t *progress (const rm_view_t *self, const rm_msg_query_t *query)
{
    json_t *list = json_array ();
    size_t limit = query->limit ? query->limit : RM_LIST_JOBS_USUAL;
    for (uint32_t i = 0; i < self->leader->peer_count; i++)
        RM_LIST_EACH (&self->leader->peers[i]->flight, link) {
            const rm_record_t *record = RM_OWNER (link, rm_flight_t, link)->record;
            if (rm_leader_progress (record) && json_array_size (list) < limit &&
                json_array_size (list) < RM_LIST_JOBS_MAX)
                json_array_append_new (list, job (self, record));
        }
    return json_pack ("{s:o}", "jobs", list);
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

static void list_event (void *arg, const rm_event_t *event)
{
    listing_t *listing = arg;
    const rm_state_t *state = listing->view->state;
    const rm_record_t *record = rm_state_record (state, event->id);
    const rm_member_t *member = event->inc ? rm_state_member (state, event->inc) : NULL;
    const char *outcome =
        event->kind == RM_EVENT_ENDED && record ? rm_record_state_name (record, event->wall_ms) : NULL;
    bool told = event->kind == RM_EVENT_PROGRESS;
    const rm_progress_t *progress = told && record ? rm_leader_progress (record) : NULL;
    json_array_append_new (
        listing->list,
        json_pack ("{s:o, s:s, s:o, s:s?, s:o, s:s?, s:o, s:s?, s:o*, s:o*}", "at_ms", integer (event->wall_ms),
                   "event", rm_event_name ((rm_event_kind_t)event->kind), "id", integer (event->id), "queue",
                   record ? record->queue->name : NULL, "key", record ? rm_view_key (record) : json_null (), "worker",
                   member ? member->name : NULL, "attempt", integer (event->attempt), "outcome", outcome, "permille",
                   told ? integer (event->outcome) : NULL, "note",
                   progress && progress->permille == event->outcome ? blob_text (progress->note) : NULL));
}

static int events (const rm_view_t *self, const rm_msg_query_t *query, json_t **document)
{
    uint64_t next, lost;
    listing_t listing = {self, json_array ()};
    int rc = rm_leader_events (self->leader, self->now, query, list_event, &listing, &next, &lost);
    *document = json_pack ("{s:o, s:o, s:o}", "events", listing.list, "next", integer (next), "lost", integer (lost));
    return rc;
}

/* ---- peek ------------------------------------------------------------------------------------------------------- */

static json_t *base64_text (const void *data, size_t size)
{
    size_t length = rm_base64_size (size);
    char *text = rm_malloc (length + 1);
    if (!text)
        return NULL;
    rm_base64_write (text, data, size);
    json_t *string = json_stringn_nocheck (text, length);
    rm_free (text);
    return string;
}

static int peek (const rm_view_t *self, const rm_msg_query_t *query, json_t **document)
{
    const rm_record_t *record;
    int rc = rm_leader_peek (self->leader, self->now, query, &record);
    if (rc)
        return rc;
    size_t size = record->data->size, most = query->limit ? query->limit : RM_PEEK_BYTES_MAX;
    most = most > RM_PEEK_BYTES_MAX ? RM_PEEK_BYTES_MAX : most;
    *document = job (self, record);
    json_object_set_new (*document, "size", integer (size));
    json_object_set_new (*document, "data_base64", base64_text (record->data->data, size < most ? size : most));
    return 0;
}

/* ---- documents -------------------------------------------------------------------------------------------------- */

static int put (const char *data, size_t size, void *out)
{
    rm_buf_put (out, data, size);
    return 0;
}

int rm_view_query (const rm_view_t *self, const rm_msg_query_t *query, rm_buf_t *out)
{
    json_t *document = NULL;
    bool traces = rm_bytes_equal (query->what, rm_bytes ("trace"));
    if (traces || rm_bytes_equal (query->what, rm_bytes ("why"))) {
        if (!rm_state_record (self->state, query->id))
            return rm_state_gave (self->state, query->id) ? RM_EGONE : RM_EUNKNOWN;
        document = traces ? rm_view_trace (self, query->id) : rm_view_why (self, query->id);
    } else if (rm_bytes_equal (query->what, rm_bytes ("status"))) {
        document = status (self);
    } else if (rm_bytes_equal (query->what, rm_bytes ("workers"))) {
        document = workers (self);
    } else if (rm_bytes_equal (query->what, rm_bytes ("ring"))) {
        document = ring (self);
    } else if (rm_bytes_equal (query->what, rm_bytes ("jobs"))) {
        document = jobs (self, query);
    } else if (rm_bytes_equal (query->what, rm_bytes ("progress"))) {
        document = progress (self, query);
    } else if (rm_bytes_equal (query->what, rm_bytes ("events"))) {
        int rc = events (self, query, &document);
        if (rc) {
            json_decref (document);
            return rc;
        }
    } else if (rm_bytes_equal (query->what, rm_bytes ("peek"))) {
        int rc = peek (self, query, &document);
        if (rc)
            return rc;
    } else if (rm_bytes_equal (query->what, rm_bytes ("masters"))) {
        document = rm_group_json (self->ledger);
    } else {
        return RM_EINVAL;
    }
    if (!document)
        return RM_ENOMEM;
    json_dump_callback (document, put, out, JSON_COMPACT);
    json_decref (document);
    return out->failed ? RM_ENOMEM : out->size > RM_JSON_BYTES_MAX ? RM_ETOOBIG : 0;
}

static void metric (rm_buf_t *out, const char *name, const char *type, const char *help, uint64_t value)
{
    char text[512];
    int size = snprintf (text, sizeof text, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, type,
                         name, value);
    rm_buf_put (out, text, (size_t)size);
}

void rm_view_metrics (const rm_view_t *self, rm_buf_t *out)
{
    const rm_state_t *state = self->state;
    const rm_leader_t *leader = self->leader;
    uint32_t running = in_flight (self);
    rm_ledger_status_t ledger;
    rm_ledger_status (self->ledger, &ledger);
    metric (out, "ringmaster_leader", "gauge", "1 while this master leads.", leader->leading);
    metric (out, "ringmaster_term", "counter", "Leaderships so far.", state->term);
    metric (out, "ringmaster_epoch", "counter", "Resizes begun.", state->epoch);
    metric (out, "ringmaster_resize_running", "gauge", "1 while a resize runs.",
            leader->resize.state != RM_RESIZE_IDLE);
    metric (out, "ringmaster_workers", "gauge", "Live workers.", leader->peer_count);
    metric (out, "ringmaster_jobs_accepted_total", "counter", "Jobs ever accepted.", rm_state_accepted_count (state));
    metric (out, "ringmaster_jobs_done_total", "counter", "Jobs that ended done.", state->done_count);
    metric (out, "ringmaster_jobs_dead_total", "counter", "Jobs that ended otherwise.", state->dead_count);
    metric (out, "ringmaster_jobs_waiting", "gauge", "Jobs that wait.", state->waiting_count - running);
    metric (out, "ringmaster_keys_held", "gauge", "Dead jobs that hold their keys.", state->holding_count);
    metric (out, "ringmaster_jobs_running", "gauge", "Jobs at workers.", running);
    metric (out, "ringmaster_payload_bytes", "gauge", "Payloads of jobs that have not ended.", state->waiting_bytes);
    metric (out, "ringmaster_sessions", "gauge", "Client sessions.", HASH_COUNT (state->sessions));
    metric (out, "ringmaster_polls", "gauge", "Clients that wait for results.", leader->polls.count);
    metric (out, "ringmaster_refused_total", "counter", "Requests refused since the start.", leader->refused_count);
    metric (out, "ringmaster_turn_longest_microseconds", "gauge", "The loop's longest turn of late: 30 to 60 s.",
            self->turn_us);
    metric (out, "ringmaster_ledger_batches_total", "counter", "Batches in the ledger.", ledger.applied);
    metric (out, "ringmaster_ledger_bytes", "gauge", "Log since the newest snapshot.", ledger.log_bytes);
    metric (out, "ringmaster_ledger_snapshots_total", "counter", "Snapshots since the start.", ledger.snapshots);
}
