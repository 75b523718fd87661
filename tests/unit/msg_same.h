/*  Whether two messages say the same, by the tables of proto/table.h and not by the codec. */
#pragma once

#include <string.h>

#include "proto/table.h"

static inline bool same_moves (const rm_sync_move_t *one, const rm_sync_move_t *other, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!rm_bytes_equal (one[i].pool, other[i].pool) || one[i].first != other[i].first ||
            one[i].last != other[i].last || one[i].from != other[i].from || one[i].to != other[i].to)
            return false;
    return true;
}

static inline bool same_value (const rm_field_t *field, const uint8_t *one, const uint8_t *other);

static inline bool same_array (const rm_field_t *field, const uint8_t *one, const uint8_t *other)
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

static inline bool same_value (const rm_field_t *field, const uint8_t *one, const uint8_t *other)
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
        return rm_bytes_equal (*(const rm_bytes_t *)a, *(const rm_bytes_t *)b);
    case RM_FIELD_TEXT:
    case RM_FIELD_NAME:
    case RM_FIELD_BYTES:
        return rm_bytes_equal (*(const rm_bytes_t *)a, *(const rm_bytes_t *)b);
    case RM_FIELD_ARRAY:
    case RM_FIELD_MOVES:
        return same_array (field, one, other);
    }
    return false;
}

static inline const char *difference_of (const rm_shape_t *shape, const rm_msg_t *one, const rm_msg_t *other)
{
    for (int i = 0; i < shape->row_count; i++)
        if (!same_value (&shape->rows[i], (const uint8_t *)one, (const uint8_t *)other))
            return shape->rows[i].name;
    return NULL;
}

/* The first field in which they differ; NULL: in none. */
static inline const char *difference (const rm_msg_t *one, const rm_msg_t *other)
{
    if (one->type != other->type)
        return "type";
    const char *name = difference_of (rm_shape_of (one->type), one, other);
    if (name || one->type != RM_MSG_SYNC)
        return name;
    if (one->sync.from_master != other->sync.from_master)
        return "name";
    if (one->sync.report.term != other->sync.report.term)
        return "term";
    return difference_of (rm_shape_of_sync (one->sync.from_master, one->sync.phase), one, other);
}
