#include <string.h>

#include "proto/assert.h"
#include "proto/msg.h"
#include "proto/pack.h"
#include "proto/table.h"
#include "ringmaster/error.h"

static inline const void *member_of (const rm_field_t *field, const void *base)
{
    return (const uint8_t *)base + field->offset;
}

static uint32_t count_of (const rm_field_t *field, const void *base)
{
    return *(const uint32_t *)((const uint8_t *)base + field->count_offset);
}

static const void *elements_of (const rm_field_t *field, const void *base)
{
    const void *elements;
    memcpy (&elements, member_of (field, base), sizeof elements);
    return elements;
}

static void put_text (rm_buf_t *to, const char *text, size_t size)
{
    rm_pack_str (to, size);
    rm_pack_str_body (to, text, size);
}

static void put_bin (rm_buf_t *to, const void *data, size_t size)
{
    rm_pack_bin (to, size);
    rm_pack_bin_body (to, data, size);
}

static void put_number (rm_buf_t *to, const rm_field_t *field, uint64_t value)
{
    RM_ASSERT (value >= field->min && value <= field->max);
    rm_pack_uint64 (to, value);
}

static void put_slot (rm_buf_t *to, const rm_field_t *field, uint32_t slot)
{
    if (slot == RM_SLOTS)
        rm_pack_nil (to);
    else
        put_number (to, field, slot);
}

static void put_bytes (rm_buf_t *to, const rm_field_t *field, const rm_bytes_t *bytes)
{
    if (field->kind == RM_FIELD_KEY && !bytes->data) {
        rm_pack_nil (to);
        return;
    }
    RM_ASSERT (bytes->size >= field->min && bytes->size <= field->max);
    RM_ASSERT (field->kind != RM_FIELD_NAME || rm_name_valid (*bytes));
    if (field->kind == RM_FIELD_TEXT || field->kind == RM_FIELD_NAME)
        put_text (to, bytes->data, bytes->size);
    else
        put_bin (to, bytes->data, bytes->size);
}

static void put_error (rm_buf_t *to, int32_t code)
{
    RM_ASSERT (code < 0);
    rm_pack_int32 (to, code);
}

static void put_ack (rm_buf_t *to, const rm_field_t *field, bool ok)
{
    RM_ASSERT (ok || !field->min);
    if (ok)
        put_text (to, "ok", 2);
    else
        put_text (to, "draining", 8);
}

/* How many of the moves from `at` on are of one pool. */
static uint32_t moves_of_pool (const rm_sync_move_t *moves, uint32_t at, uint32_t count)
{
    uint32_t end = at + 1;
    while (end < count && rm_bytes_equal (moves[at].pool, moves[end].pool))
        end++;
    return end - at;
}

static void put_moves (rm_buf_t *to, const rm_sync_move_t *moves, uint32_t count)
{
    uint32_t pools = 0;
    RM_ASSERT (count <= RM_MOVES_MAX);
    for (uint32_t at = 0; at < count; at += moves_of_pool (moves, at, count))
        pools++;
    RM_ASSERT (pools <= RM_MOVED_POOLS_MAX);
    rm_pack_map (to, pools);
    for (uint32_t at = 0; at < count;) {
        uint32_t end = at + moves_of_pool (moves, at, count);
        RM_ASSERT (rm_name_valid (moves[at].pool));
        put_text (to, moves[at].pool.data, moves[at].pool.size);
        rm_pack_array (to, end - at);
        for (; at < end; at++) {
            RM_ASSERT (moves[at].first <= moves[at].last && moves[at].last < RM_SLOTS);
            rm_pack_array (to, 4);
            rm_pack_uint32 (to, moves[at].first);
            rm_pack_uint32 (to, moves[at].last);
            rm_pack_uint64 (to, moves[at].from);
            rm_pack_uint64 (to, moves[at].to);
        }
    }
}

/* A value that is no array. */
static void put_value (rm_buf_t *to, const rm_field_t *field, const void *base)
{
    const void *member = member_of (field, base);
    switch ((rm_field_kind_t)field->kind) {
    case RM_FIELD_U32:
        put_number (to, field, *(const uint32_t *)member);
        break;
    case RM_FIELD_U64:
        put_number (to, field, *(const uint64_t *)member);
        break;
    case RM_FIELD_SLOT:
        put_slot (to, field, *(const uint32_t *)member);
        break;
    case RM_FIELD_TEXT:
    case RM_FIELD_NAME:
    case RM_FIELD_BYTES:
    case RM_FIELD_KEY:
        put_bytes (to, field, member);
        break;
    case RM_FIELD_ERROR:
        put_error (to, *(const int32_t *)member);
        break;
    case RM_FIELD_SESSION:
        put_bin (to, member, RM_SESSION_BYTES);
        break;
    case RM_FIELD_ACK:
        put_ack (to, field, *(const bool *)member);
        break;
    case RM_FIELD_ARRAY:
    case RM_FIELD_MOVES:
        RM_ASSERT (!"an array within an array");
    }
}

/* True if an optional field has nothing to say. */
static bool absent (const rm_field_t *field, const void *base)
{
    static const rm_session_id_t none;
    if (!field->optional)
        return false;
    const void *member = member_of (field, base);
    switch ((rm_field_kind_t)field->kind) {
    case RM_FIELD_U32:
        return *(const uint32_t *)member == 0;
    case RM_FIELD_U64:
        return *(const uint64_t *)member == 0;
    case RM_FIELD_SESSION:
        return !memcmp (member, &none, sizeof none);
    default:
        return ((const rm_bytes_t *)member)->size == 0;
    }
}

static void put_array (rm_buf_t *to, const rm_field_t *field, const void *base)
{
    const rm_element_t *element = field->element;
    const uint8_t *at = elements_of (field, base);
    uint32_t count = count_of (field, base);
    RM_ASSERT (count >= field->min && count <= field->max);
    rm_pack_array (to, count);
    for (; count; count--, at += element->size) {
        uint32_t values = element->row_count;
        while (values > element->required && absent (&element->rows[values - 1], at))
            values--;
        if (!element->bare)
            rm_pack_array (to, values);
        for (uint32_t i = 0; i < values; i++)
            put_value (to, &element->rows[i], at);
    }
}

static uint32_t present (const rm_shape_t *shape, const void *base)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < shape->row_count; i++)
        count += !absent (&shape->rows[i], base);
    return count;
}

static void put_fields (rm_buf_t *to, const rm_shape_t *shape, const rm_msg_t *msg)
{
    for (uint32_t i = 0; i < shape->row_count; i++) {
        const rm_field_t *field = &shape->rows[i];
        if (absent (field, msg))
            continue;
        put_text (to, field->name, field->name_size);
        if (field->kind == RM_FIELD_ARRAY)
            put_array (to, field, msg);
        else if (field->kind == RM_FIELD_MOVES)
            put_moves (to, elements_of (field, msg), count_of (field, msg));
        else
            put_value (to, field, msg);
    }
}

static void put_type (rm_buf_t *to, const rm_shape_t *shape)
{
    put_text (to, "type", 4);
    put_text (to, shape->name, shape->name_size);
}

static void put_version (rm_buf_t *to)
{
    put_text (to, "v", 1);
    rm_pack_uint32 (to, RM_PROTOCOL_VERSION);
}

static void put_plain (rm_buf_t *to, const rm_msg_t *msg)
{
    const rm_shape_t *shape = rm_shape_of (msg->type);
    RM_ASSERT (!shape->check || !shape->check (msg));
    rm_pack_map (to, 2 + present (shape, msg));
    put_type (to, shape);
    put_version (to);
    put_fields (to, shape, msg);
}

/* SYNC has exactly the fields it was born with; the version, like all that came later, lies in its data. */
static void put_sync (rm_buf_t *to, const rm_msg_t *msg)
{
    const rm_shape_t *shape = rm_shape_of (RM_MSG_SYNC);
    const rm_shape_t *data = rm_shape_of_sync (msg->sync.from_master, msg->sync.phase);
    rm_msg_t named = *msg;
    if (msg->sync.from_master)
        named.sync.name = (rm_bytes_t){RM_MASTER_NAME, sizeof RM_MASTER_NAME - 1};
    else
        RM_ASSERT (!rm_name_is_master (msg->sync.name));
    rm_pack_map (to, 2 + present (shape, &named));
    put_type (to, shape);
    put_fields (to, shape, &named);
    put_text (to, "data", 4);
    rm_pack_map (to, 1 + present (data, &named));
    put_version (to);
    put_fields (to, data, &named);
}

int rm_msg_encode (const rm_msg_t *self, rm_buf_t *out)
{
    if (self->type == RM_MSG_SYNC)
        put_sync (out, self);
    else
        put_plain (out, self);
    return out->failed ? RM_ENOMEM : 0;
}
