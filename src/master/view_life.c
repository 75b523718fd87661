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
    char text[RM_ATTEMPT_REASON_BYTES_MAX + 1];
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
