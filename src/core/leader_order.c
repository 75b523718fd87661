/*  What people order about jobs and queues: cancel, bury, kick, set (docs/protocol.md, `order`). Answered once it is in the
 *  ledger; the same order again changes nothing more. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/leader_inside.h"
#include "core/settings.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

enum { ANSWER_BYTES = 2048, SETTINGS_MAX = 32 };

/* An order on its way into the ledger. */
struct rm_leader_order {
    rm_link_t link;
    rm_address_t from;
    uint64_t batch;
    uint64_t id;                 /* of the job; 0: it is about the queue */
    uint32_t count;              /* jobs it would kick, and the bytes of their data */
    uint64_t bytes;              /* while they are on their way, they count there: */
    bool in_session;             /* in that of all kicked jobs: it was known */
    struct rm_leader_room *room; /* in the queue; NULL: nothing is on its way */
    uint64_t kicked;             /* jobs that it did kick */
    uint64_t left;               /* of the queue, that it was not to kick */
    const char *full;            /* why; NULL: it was not to kick more */
    bool kicks;
    char queue[RM_NAME_BYTES_MAX + 1];
};
typedef struct rm_leader_order order_t;

/* ---- answers ---------------------------------------------------------------------------------------------------- */

__attribute__ ((format (printf, 3, 4))) static void answer (rm_leader_t *self, const rm_address_t *to,
                                                            const char *format, ...)
{
    char json[ANSWER_BYTES];
    va_list args;
    va_start (args, format);
    vsnprintf (json, sizeof json, format, args);
    va_end (args);
    rm_msg_t msg = {.type = RM_MSG_ANSWER};
    msg.answer.json = rm_bytes (json);
    rm_leader_to_client (self, to, &msg);
}

static void answer_job (rm_leader_t *self, const rm_address_t *to, uint64_t id)
{
    const rm_record_t *record = rm_state_record (self->state, id);
    uint64_t as = record && record->extra ? record->extra->kicked_as : 0;
    const char *state = record ? rm_record_state_name (record, self->now.wall_ms) : "gone";
    bool may_hold = record && record->outcome == RM_OUTCOME_DEAD && record->key_bytes && record->queue->hold;
    if (as)
        answer (self, to, "{\"id\": %" PRIu64 ", \"state\": \"%s\", \"kicked_as\": %" PRIu64 "}", id, state, as);
    else if (may_hold)
        answer (self, to, "{\"id\": %" PRIu64 ", \"state\": \"%s\", \"holds\": %s}", id, state,
                rm_record_holds (record) ? "true" : "false");
    else
        answer (self, to, "{\"id\": %" PRIu64 ", \"state\": \"%s\"}", id, state);
}

static void answer_settings (rm_leader_t *self, const rm_address_t *to, const char *name)
{
    char list[ANSWER_BYTES - RM_NAME_BYTES_MAX - 64];
    const rm_queue_t *queue = rm_state_queue (self->state, rm_bytes (name));
    size_t used = 0;
    for (int setting = RM_SETTING_TRIES; queue && setting < RM_SETTINGS; setting++) {
        char value[RM_SETTING_TEXT_BYTES];
        rm_setting_write (setting, rm_setting_get (queue, setting), value);
        used += (size_t)snprintf (list + used, sizeof list - used, "%s\"%s\": \"%s\"", used ? ", " : "",
                                  rm_setting_name (setting), value);
    }
    list[used] = 0;
    answer (self, to, "{\"queue\": \"%s\", \"settings\": {%s}}", name, list);
}

static void answer_kicked (rm_leader_t *self, const order_t *order)
{
    char full[128] = "";
    if (order->full)
        snprintf (full, sizeof full, ", \"full\": \"%s\"", order->full);
    answer (self, &order->from, "{\"queue\": \"%s\", \"kicked\": %" PRIu64 ", \"left\": %" PRIu64 "%s}", order->queue,
            order->kicked, order->left, full);
}

static void answer_order (rm_leader_t *self, const order_t *order)
{
    if (order->id)
        answer_job (self, &order->from, order->id);
    else if (order->kicks)
        answer_kicked (self, order);
    else
        answer_settings (self, &order->from, order->queue);
}

/* ---- on their way ----------------------------------------------------------------------------------------------- */

/* Of all jobs that were kicked; NULL: it is not there yet. */
static rm_ledger_session_t *kicked_session (const rm_leader_t *self)
{
    return rm_state_session (self->state, &(rm_session_id_t){0});
}

/* NULL: memory has run out. */
static order_t *make_order (rm_leader_t *self, const rm_address_t *from)
{
    order_t *order = rm_calloc (1, sizeof *order);
    if (!order) {
        rm_leader_out_of_memory (self);
        return NULL;
    }
    order->from = *from;
    rm_list_init (&order->link);
    return order;
}

/* Answers it when what was logged last is in the ledger. */
static void answer_later (rm_leader_t *self, order_t *order)
{
    rm_ledger_session_t *session = kicked_session (self);
    order->batch = rm_leader_batch_number (self);
    order->in_session = session;
    rm_leader_expect (self, session, order->count, order->bytes);
    rm_list_append (&self->orders, &order->link);
    self->order_count++;
}

static void drop_order (rm_leader_t *self, order_t *order)
{
    rm_ledger_session_t *session = order->in_session ? kicked_session (self) : NULL;
    rm_leader_unexpect (self, session, order->count, order->bytes);
    rm_leader_leave_room (self, order->room, order->count, order->bytes);
    rm_list_remove (&order->link);
    self->order_count--;
    rm_free (order);
}

void rm_leader_answer_orders (rm_leader_t *self, uint64_t number)
{
    for (rm_link_t *first; (first = rm_list_first (&self->orders));) {
        order_t *order = RM_OWNER (first, order_t, link);
        if (order->batch > number)
            break;
        answer_order (self, order);
        drop_order (self, order);
    }
}

void rm_leader_drop_orders (rm_leader_t *self)
{
    for (rm_link_t *first; (first = rm_list_first (&self->orders));)
        drop_order (self, RM_OWNER (first, order_t, link));
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

static rm_record_t *find_job (rm_leader_t *self, const rm_address_t *from, uint64_t id)
{
    rm_record_t *record = rm_state_record (self->state, id);
    if (record)
        return record;
    if (id && id <= self->state->last_id)
        rm_leader_refuse (self, from, RM_EGONE, 0, "job %" PRIu64 " has ended, and is kept no longer", id);
    else
        rm_leader_refuse (self, from, RM_EUNKNOWN, 0, "there is no job %" PRIu64, id);
    return NULL;
}

static void answer_job_later (rm_leader_t *self, const rm_address_t *from, uint64_t id)
{
    order_t *order = make_order (self, from);
    if (!order)
        return;
    order->id = id;
    answer_later (self, order);
}

static void stop_job (rm_leader_t *self, const rm_address_t *from, const rm_msg_order_t *order, rm_outcome_t outcome,
                      rm_bytes_t reason)
{
    rm_record_t *record = find_job (self, from, order->id);
    if (!record)
        return;
    if (rm_record_holds (record) && outcome == RM_OUTCOME_CANCELLED) {
        rm_leader_let_go (self, record);
        answer_job_later (self, from, order->id);
    } else if (record->outcome != RM_OUTCOME_NONE || rm_record_stops (record))
        answer_job (self, from, order->id); /* nothing is left to be logged */
    else if (rm_leader_stop (self, record, outcome, reason))
        answer_job_later (self, from, order->id);
}

/* Kicks it unless something is full: then that is said. */
static const char *kick (rm_leader_t *self, order_t *order, rm_record_t *record)
{
    uint64_t bytes = record->data->size;
    struct rm_leader_room *room;
    const char *what = rm_leader_enter_room (self, rm_bytes (record->queue->name), bytes, &room);
    if (room && rm_record_holds (record)) /* it counts as waiting already */
        what = rm_leader_full (self, NULL, 0, 0);
    else if (!what)
        what = rm_leader_full (self, kicked_session (self), order->count + 1, order->bytes + bytes);
    rm_buf_t *entry = what ? NULL : rm_leader_entry (self, RM_ENTRY_KICK, 16);
    if (!entry) {
        rm_leader_leave_room (self, room, 1, bytes);
        return what;
    }
    rm_entry_kick (entry, record->id);
    record->lead.over.kick = order;
    order->room = room;
    order->count++;
    order->bytes += bytes;
    return NULL;
}

/* A job is kicked. */
void rm_leader_kicked (rm_leader_t *self, const rm_record_t *again)
{
    rm_record_t *dead = rm_state_record (self->state, again->extra->kicked_from);
    if (dead && dead->lead.over.kick)
        dead->lead.over.kick->kicked++;
    if (dead)
        dead->lead.over.kick = NULL;
}

static bool may_be_kicked (const rm_record_t *record)
{
    return record->outcome == RM_OUTCOME_DEAD && record->data;
}

static void kick_dead (rm_leader_t *self, const rm_address_t *from, rm_record_t *record)
{
    order_t *order = make_order (self, from);
    if (!order)
        return;
    order->id = record->id;
    const char *what = kick (self, order, record);
    if (!what) {
        answer_later (self, order);
        return;
    }
    rm_leader_say_busy (self, from, what);
    rm_free (order);
}

static void kick_job (rm_leader_t *self, const rm_address_t *from, uint64_t id)
{
    rm_record_t *record = find_job (self, from, id);
    if (!record)
        return;
    if (record->outcome != RM_OUTCOME_NONE && record->lead.over.kick)
        answer_job_later (self, from, id);
    else if (may_be_kicked (record))
        kick_dead (self, from, record);
    else if (record->extra && record->extra->kicked_as)
        answer_job (self, from, id);
    else
        rm_leader_refuse (self, from, RM_ESTATE, 0, "job %" PRIu64 " is %s: only a dead one can be kicked%s", id,
                          rm_record_state_name (record, self->now.wall_ms),
                          record->outcome == RM_OUTCOME_DEAD ? ", and its payload is kept no longer" : "");
}

/* Those of a list, as many as there is room for. */
static void kick_list (rm_leader_t *self, order_t *order, const rm_link_t *list, uint32_t limit)
{
    RM_LIST_EACH (list, link) {
        rm_record_t *record = RM_OWNER (link, rm_record_t, line);
        if (!may_be_kicked (record) || record->lead.over.kick)
            continue;
        if (order->count < limit && !order->full)
            order->full = kick (self, order, record);
        order->left += record->lead.over.kick != order;
    }
}

/* The oldest ones of a queue, but first those that hold their keys. */
static void kick_queue (rm_leader_t *self, const rm_address_t *from, const rm_msg_order_t *said,
                        const rm_queue_t *queue)
{
    uint32_t limit = said->limit ? said->limit : RM_MESSAGE_JOBS_MAX;
    if (limit > RM_MESSAGE_JOBS_MAX) {
        rm_leader_refuse (self, from, RM_EINVAL, 0, "one order kicks at most %d jobs: say so, and repeat it",
                          RM_MESSAGE_JOBS_MAX);
        return;
    }
    order_t *order = make_order (self, from);
    if (!order)
        return;
    order->kicks = true;
    memcpy (order->queue, said->queue.data, said->queue.size);
    kick_list (self, order, &queue->holding, limit);
    kick_list (self, order, &queue->ended, limit);
    if (order->count) {
        answer_later (self, order);
        return;
    }
    if (order->full)
        rm_leader_say_busy (self, from, order->full);
    else
        answer_kicked (self, order);
    rm_free (order);
}

/* ---- queues ----------------------------------------------------------------------------------------------------- */

/* The next word of a text; empty: there is none. */
static rm_bytes_t next_word (rm_bytes_t *text)
{
    const char *at = text->data, *end = at + text->size;
    while (at < end && *at == ' ')
        at++;
    const char *behind = at;
    while (behind < end && *behind != ' ')
        behind++;
    *text = (rm_bytes_t){behind, (uint32_t)(end - behind)};
    return (rm_bytes_t){at, (uint32_t)(behind - at)};
}

/* In one batch: they are in the ledger together, or not at all. */
static void log_settings (rm_leader_t *self, const rm_entry_queue_set_t *sets, uint32_t count)
{
    rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_QUEUE_SET, count * (size_t)(32 + sets[0].queue.size));
    for (uint32_t i = 0; entry && i < count; i++)
        rm_entry_queue_set (entry, &sets[i]);
}

/* What is wrong with how attempts would be spaced if the queue was set so; NULL: nothing. */
static const char *judge_spacing (const rm_leader_t *self, const rm_entry_queue_set_t *sets, uint32_t count)
{
    const rm_queue_t *queue = rm_state_queue (self->state, sets[0].queue);
    rm_queue_t then = {.retry = queue ? queue->retry : (rm_spacing_t){0}};
    rm_backoff_t policy;
    const char *why = NULL;
    for (uint32_t i = 0; i < count; i++)
        rm_setting_put (&then, sets[i].setting, sets[i].value);
    if (rm_leader_queue_policy (self, then.retry, &policy))
        rm_backoff_check (&policy, &why);
    return why;
}

/* All of them are taken, or none. */
static void set_queue (rm_leader_t *self, const rm_address_t *from, const rm_msg_order_t *said)
{
    rm_entry_queue_set_t sets[SETTINGS_MAX];
    uint32_t count = 0;
    rm_bytes_t text = said->text, word;
    for (; (word = next_word (&text)).size; count++) {
        char why[256] = "too many settings at once";
        rm_setting_t setting;
        uint64_t value;
        if (count == SETTINGS_MAX || rm_setting_parse (word, &setting, &value, why, sizeof why)) {
            rm_leader_refuse (self, from, RM_EINVAL, 0, "%s", why);
            return;
        }
        sets[count] = (rm_entry_queue_set_t){said->queue, setting, value};
    }
    const char *fault = count ? judge_spacing (self, sets, count) : NULL;
    if (fault) {
        rm_leader_refuse (self, from, RM_EINVAL, 0, "the queue cannot be set so: %s", fault);
        return;
    }
    order_t *order = make_order (self, from);
    if (!order)
        return;
    memcpy (order->queue, said->queue.data, said->queue.size);
    if (count) {
        log_settings (self, sets, count);
        answer_later (self, order);
        return;
    }
    answer_settings (self, from, order->queue);
    rm_free (order);
}

static void order_queue (rm_leader_t *self, const rm_address_t *from, const rm_msg_order_t *order, bool kicks)
{
    const rm_queue_t *queue = rm_state_queue (self->state, order->queue);
    bool makes = !kicks && !queue && order->text.size;
    if (!order->queue.size)
        rm_leader_refuse (self, from, RM_EINVAL, 0, "say which job, or which queue");
    else if (makes && self->state->queue_count >= RM_QUEUES_MAX)
        rm_leader_refuse (self, from, RM_ESTATE, 0, "%s", RM_LEADER_QUEUES_FULL);
    else if (makes && rm_leader_queues_ahead (self) >= RM_QUEUES_MAX)
        rm_leader_say_busy (self, from, RM_LEADER_QUEUES_FULL); /* or it will, by what is under way */
    else if (!queue && !makes)
        rm_leader_refuse (self, from, RM_EUNKNOWN, 0, "there is no queue %.*s", (int)order->queue.size,
                          (const char *)order->queue.data);
    else if (kicks)
        kick_queue (self, from, order, queue);
    else
        set_queue (self, from, order);
}

void rm_leader_take_order (rm_leader_t *self, const rm_address_t *from, const rm_msg_order_t *order)
{
    bool cancels = rm_bytes_equal (order->what, rm_bytes ("cancel"));
    bool kicks = rm_bytes_equal (order->what, rm_bytes ("kick"));
    if (rm_leader_gets_format_2 (self))
        rm_leader_say_busy (self, from, RM_LEADER_RISES);
    else if (!rm_leader_has_format_2 (self))
        rm_leader_refuse (
            self, from, RM_ESTATE, 0,
            "an older master could not read this: when all masters are new, say ringctl master upgrade %d",
            RM_LEDGER_OF_STATE_2);
    else if (self->order_count >= self->config.orders_max)
        rm_leader_say_busy (self, from, "as many orders are under way as may be");
    else if (cancels)
        stop_job (self, from, order, RM_OUTCOME_CANCELLED, rm_bytes ("cancelled"));
    else if (rm_bytes_equal (order->what, rm_bytes ("bury")))
        stop_job (self, from, order, RM_OUTCOME_DEAD, order->text.size ? order->text : rm_bytes ("buried"));
    else if (kicks && order->id)
        kick_job (self, from, order->id);
    else if (kicks || rm_bytes_equal (order->what, rm_bytes ("set")))
        order_queue (self, from, order, kicks);
    else
        rm_leader_refuse (self, from, RM_EINVAL, 0, "there is no order '%.*s': cancel, bury, kick and set are",
                          (int)order->what.size, (const char *)order->what.data);
}
