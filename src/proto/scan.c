#include "proto/scan.h"

#include <endian.h>
#include <string.h>

#include "proto/assert.h"
#include "proto/limits.h"

/* A big-endian number of `size` bytes that are known to be there; `size` is a constant wherever it is called. */
static inline uint64_t number_at (const uint8_t *at, unsigned size)
{
    uint64_t value = 0;
    memcpy (&value, at, size);
    return be64toh (value) >> (64 - 8 * size);
}

static inline size_t left (const rm_cursor_t *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static inline bool take_number (rm_cursor_t *cursor, unsigned size, uint64_t *value)
{
    if (left (cursor) < size)
        return false;
    *value = number_at (cursor->at, size);
    cursor->at += size;
    return true;
}

/* A length of `size` bytes, then `extra` bytes that belong to the element beside what the length counts. */
static inline bool take_bytes (rm_cursor_t *cursor, rm_head_t *head, rm_wire_t kind, unsigned size, unsigned extra)
{
    head->kind = kind;
    if (!take_number (cursor, size, &head->value))
        return false;
    head->value += extra;
    return head->value <= left (cursor);
}

static inline bool take_count (rm_cursor_t *cursor, rm_head_t *head, rm_wire_t kind, unsigned size)
{
    head->kind = kind;
    if (!take_number (cursor, size, &head->value))
        return false;
    return head->value * (kind == RM_WIRE_MAP ? 2 : 1) <= left (cursor);
}

static inline bool take_signed (rm_cursor_t *cursor, rm_head_t *head, unsigned size)
{
    if (!take_number (cursor, size, &head->value))
        return false;
    unsigned shift = 64 - 8 * size;
    int64_t value = (int64_t)(head->value << shift) >> shift;
    head->kind = value < 0 ? RM_WIRE_INT : RM_WIRE_UINT;
    head->value = (uint64_t)value;
    return true;
}

static inline bool take_unsigned (rm_cursor_t *cursor, rm_head_t *head, rm_wire_t kind, unsigned size)
{
    head->kind = kind;
    return take_number (cursor, size, &head->value);
}

static bool set (rm_head_t *head, rm_wire_t kind, uint64_t value)
{
    head->kind = kind;
    head->value = value;
    return true;
}

bool rm_head_read_long (rm_cursor_t *cursor, rm_head_t *head, uint8_t first)
{
    if (first >= 0xe0)
        return set (head, RM_WIRE_INT, (uint64_t)(int64_t)(int8_t)first);
    switch (first) {
    case 0xc0:
        return set (head, RM_WIRE_NIL, 0);
    case 0xc2:
    case 0xc3:
        return set (head, RM_WIRE_BOOL, first & 1);
    case 0xc4:
        return take_bytes (cursor, head, RM_WIRE_BIN, 1, 0);
    case 0xc5:
        return take_bytes (cursor, head, RM_WIRE_BIN, 2, 0);
    case 0xc6:
        return take_bytes (cursor, head, RM_WIRE_BIN, 4, 0);
    case 0xc7:
        return take_bytes (cursor, head, RM_WIRE_EXT, 1, 1);
    case 0xc8:
        return take_bytes (cursor, head, RM_WIRE_EXT, 2, 1);
    case 0xc9:
        return take_bytes (cursor, head, RM_WIRE_EXT, 4, 1);
    case 0xca:
        return take_unsigned (cursor, head, RM_WIRE_FLOAT, 4);
    case 0xcb:
        return take_unsigned (cursor, head, RM_WIRE_FLOAT, 8);
    case 0xcc:
        return take_unsigned (cursor, head, RM_WIRE_UINT, 1);
    case 0xcd:
        return take_unsigned (cursor, head, RM_WIRE_UINT, 2);
    case 0xce:
        return take_unsigned (cursor, head, RM_WIRE_UINT, 4);
    case 0xcf:
        return take_unsigned (cursor, head, RM_WIRE_UINT, 8);
    case 0xd0:
        return take_signed (cursor, head, 1);
    case 0xd1:
        return take_signed (cursor, head, 2);
    case 0xd2:
        return take_signed (cursor, head, 4);
    case 0xd3:
        return take_signed (cursor, head, 8);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        set (head, RM_WIRE_EXT, 1 + (1ull << (first - 0xd4)));
        return head->value <= left (cursor);
    case 0xd9:
        return take_bytes (cursor, head, RM_WIRE_STR, 1, 0);
    case 0xda:
        return take_bytes (cursor, head, RM_WIRE_STR, 2, 0);
    case 0xdb:
        return take_bytes (cursor, head, RM_WIRE_STR, 4, 0);
    case 0xdc:
        return take_count (cursor, head, RM_WIRE_ARRAY, 2);
    case 0xdd:
        return take_count (cursor, head, RM_WIRE_ARRAY, 4);
    case 0xde:
        return take_count (cursor, head, RM_WIRE_MAP, 2);
    case 0xdf:
        return take_count (cursor, head, RM_WIRE_MAP, 4);
    case 0xc1: /* which the specification never uses */
        return false;
    default: /* 0x80 to 0x8f */
        set (head, RM_WIRE_MAP, first & 0x0f);
        return head->value * 2 <= left (cursor);
    }
}

bool rm_scan_skip (rm_cursor_t *cursor, unsigned depth)
{
    RM_ASSERT (depth <= RM_MESSAGE_DEPTH_MAX);
    uint64_t outer[RM_MESSAGE_DEPTH_MAX]; /* elements still to come at each level that was left for a deeper one */
    unsigned level = 0;
    uint64_t todo = 1;
    for (;;) {
        while (!todo) {
            if (!level)
                return true;
            todo = outer[--level];
        }
        todo--;
        rm_head_t head;
        if (!rm_head_read (cursor, &head))
            return false;
        switch (head.kind) {
        case RM_WIRE_STR:
        case RM_WIRE_BIN:
        case RM_WIRE_EXT:
            cursor->at += head.value;
            break;
        case RM_WIRE_ARRAY:
        case RM_WIRE_MAP:
            if (level == depth)
                return false;
            outer[level++] = todo;
            todo = head.kind == RM_WIRE_MAP ? 2 * head.value : head.value;
            break;
        default:
            break;
        }
    }
}
