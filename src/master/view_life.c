#include "master/view_life.h"

#include <string.h>

#include "proto/limits.h"

static json_t *integer (uint64_t value)
{
    return json_integer ((json_int_t)value);
}

/* A handler's reason may hold any bytes, and be cut in the middle of a letter; JSON takes UTF-8 only. What is not ASCII is
 * replaced then. */
static void make_text (char *text)
{
    json_t *valid = json_string (text);
    for (; !valid && *text; text++)
        if ((unsigned char)*text >= 0x80)
            *text = '?';
    json_decref (valid);
}

/* null: no reason was given. */
static json_t *reason_text (const rm_blob_t *reason)
{
    char text[RM_REASON_BYTES_MAX + 1];
    if (!reason)
        return json_null ();
    memcpy (text, reason->data, reason->size);
    text[reason->size] = 0;
    make_text (text);
    return json_string (text);
}

/* Those that are kept of the attempts that were no success. */
static json_t *attempts (const rm_record_t *record)
{
    json_t *list = json_array ();
    const rm_attempts_t *kept = record->extra ? record->extra->attempts : NULL;
    for (uint32_t i = 0; kept && i < kept->count; i++) {
        const rm_attempt_t *attempt = &kept->list[i];
        uint64_t number = (uint64_t)record->failures + record->crashes - kept->count + 1 + i;
        json_array_append_new (list, json_pack ("{s:o, s:s, s:o, s:s#, s:o, s:o*}", "attempt", integer (number), "how",
                                                rm_attempt_how (attempt->how), "ended_ms", integer (attempt->ended_ms),
                                                "worker", (const char *)attempt->worker->data,
                                                (int)attempt->worker->size, "reason", reason_text (attempt->reason),
                                                "next_ms", attempt->next_ms ? integer (attempt->next_ms) : NULL));
    }
    return list;
}

json_t *rm_view_why (const rm_view_t *self, uint64_t id)
{
    char text[RM_REASON_BYTES_MAX + 512];
    if (!rm_leader_why (self->leader, self->now, id, text, sizeof text))
        return NULL;
    const rm_record_t *record = rm_state_record (self->state, id);
    make_text (text);
    return json_pack ("{s:o, s:s, s:s, s:o}", "id", integer (id), "state",
                      rm_record_state_name (record, self->now.wall_ms), "text", text, "attempts", attempts (record));
}

/* ---- trace ------------------------------------------------------------------------------------------------------ */

static void put_text (json_t *object, const char *name, const char *text)
{
    if (text)
        json_object_set_new (object, name, json_string (text));
}

static void put_number (json_t *object, const char *name, uint64_t number)
{
    if (number)
        json_object_set_new (object, name, integer (number));
}

static void put_reason (json_t *object, const rm_blob_t *reason)
{
    if (reason)
        json_object_set_new (object, "reason", reason_text (reason));
}

static void put_step (void *arg, const rm_step_t *step)
{
    static const char *const outcomes[] = {[RM_OUTCOME_DONE] = "done",
                                           [RM_OUTCOME_DEAD] = "dead",
                                           [RM_OUTCOME_CANCELLED] = "cancelled",
                                           [RM_OUTCOME_EXPIRED] = "expired"};
    bool forgotten = step->kind == RM_STEP_FORGOTTEN;
    json_t *object = json_pack ("{s:o, s:s}", "at_ms", step->at_ms ? integer (step->at_ms) : json_null (), "step",
                                rm_step_name (step->kind));
    put_number (object, forgotten ? "attempts" : "attempt", step->attempt);
    put_text (object, "worker", step->worker);
    if (step->inc)
        json_object_set_new (object, "inc", json_sprintf ("%016llx", (unsigned long long)step->inc));
    put_text (object, "how", step->how ? rm_attempt_how (step->how) : NULL);
    put_text (object, "outcome", step->kind == RM_STEP_ENDED ? outcomes[step->outcome] : NULL);
    put_reason (object, step->reason);
    put_number (object, "next_ms", step->until_ms);
    put_number (object, step->kind == RM_STEP_KICKED ? "as" : "from", step->other_id);
    json_array_append_new (arg, object);
}

json_t *rm_view_trace (const rm_view_t *self, uint64_t id)
{
    json_t *steps = json_array ();
    if (!rm_leader_life (self->leader, id, put_step, steps)) {
        json_decref (steps);
        return NULL;
    }
    const rm_record_t *record = rm_state_record (self->state, id);
    return json_pack ("{s:o, s:s, s:o, s:s, s:o, s:o}", "id", integer (id), "queue", record->queue->name, "key",
                      rm_view_key (record), "state", rm_record_state_name (record, self->now.wall_ms), "led_ms",
                      integer (self->leader->led_ms), "steps", steps);
}
