/*  The codec says what it was told: every message there and back, and the spelling of the wire, checked against frames
 *  that were written down by hand.
 */
#include <criterion/criterion.h>

#include "msg_samples.h"
#include "proto/alloc.h"
#include "proto/table.h"
#include "ringmaster/error.h"

TestSuite (msg, .init = samples_init);

static bool same_bytes (rm_bytes_t one, rm_bytes_t other)
{
    return one.size == other.size && (!one.size || !memcmp (one.data, other.data, one.size));
}

static bool same_moves (const rm_sync_move_t *one, const rm_sync_move_t *other, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!same_bytes (one[i].pool, other[i].pool) || one[i].first != other[i].first ||
            one[i].last != other[i].last || one[i].from != other[i].from || one[i].to != other[i].to)
            return false;
    return true;
}

static bool same_value (const rm_field_t *field, const uint8_t *one, const uint8_t *other);

static bool same_array (const rm_field_t *field, const uint8_t *one, const uint8_t *other)
{
    uint32_t count = *(const uint32_t *)(one + field->count_offset);
    if (count != *(const uint32_t *)(other + field->count_offset))
        return false;
    const uint8_t *ones = *(const uint8_t *const *)(one + field->offset);
    const uint8_t *others = *(const uint8_t *const *)(other + field->offset);
    if (field->kind == RM_FIELD_MOVES)
        return same_moves ((const rm_sync_move_t *)ones, (const rm_sync_move_t *)others, count);
    for (uint32_t i = 0; i < count * field->element->row_count; i++) {
        size_t at = (size_t)i / field->element->row_count * field->element->size;
        if (!same_value (&field->element->rows[i % field->element->row_count], ones + at, others + at))
            return false;
    }
    return true;
}

static bool same_value (const rm_field_t *field, const uint8_t *one, const uint8_t *other)
{
    const void *a = one + field->offset, *b = other + field->offset;
    switch ((rm_field_kind_t)field->kind) {
    case RM_FIELD_U32:
    case RM_FIELD_SLOT:
    case RM_FIELD_ERROR:
        return !memcmp (a, b, 4);
    case RM_FIELD_U64:
        return !memcmp (a, b, 8);
    case RM_FIELD_ACK:
        return *(const bool *)a == *(const bool *)b;
    case RM_FIELD_SESSION:
        return !memcmp (a, b, RM_SESSION_BYTES);
    case RM_FIELD_KEY:
        if (!((const rm_bytes_t *)a)->data != !((const rm_bytes_t *)b)->data)
            return false;
        return same_bytes (*(const rm_bytes_t *)a, *(const rm_bytes_t *)b);
    case RM_FIELD_TEXT:
    case RM_FIELD_NAME:
    case RM_FIELD_BYTES:
        return same_bytes (*(const rm_bytes_t *)a, *(const rm_bytes_t *)b);
    case RM_FIELD_ARRAY:
    case RM_FIELD_MOVES:
        return same_array (field, one, other);
    }
    return false;
}

static void compare (const rm_shape_t *shape, const rm_msg_t *one, const rm_msg_t *other)
{
    for (int i = 0; i < shape->row_count; i++)
        cr_assert (same_value (&shape->rows[i], (const uint8_t *)one, (const uint8_t *)other), "%s of %s",
                   shape->rows[i].name, rm_msg_name (one->type));
}

static void there_and_back (const rm_msg_t *msg)
{
    rm_buf_t buf = {0};
    rm_msg_t back;
    const char *why = "";
    cr_assert_eq (rm_msg_encode (msg, &buf), 0);
    cr_assert_eq (rm_msg_decode (&back, buf.data, buf.size, &why), 0, "%s: %s", rm_msg_name (msg->type), why);
    cr_assert_eq (back.type, msg->type);
    compare (rm_shape_of (msg->type), msg, &back);
    if (msg->type == RM_MSG_SYNC) {
        cr_assert_eq (back.sync.from_master, msg->sync.from_master);
        cr_assert_eq (back.sync.report.term, msg->sync.report.term);
        compare (rm_shape_of_sync (msg->sync.from_master, msg->sync.phase), msg, &back);
    }
    rm_msg_close (&back);
    rm_buf_close (&buf);
}

Test (msg, every_message_goes_there_and_back)
{
    for (int n = 0; n < SAMPLES; n++) {
        rm_msg_t msg = sample_message (n);
        there_and_back (&msg);
    }
}
