/*  Reading MessagePack as it lies in a frame: one element's head at a time, never past the end.
 *
 *  This is the only place that believes a length from the wire, and it compares each with the bytes that are left before
 *  it is handed on: a string's bytes are there, and an array's count is no more than what its smallest elements need.
 *  msgpack-c's own unpacker reserves memory for what a count claims before it has seen the elements.
 *  (MessagePack specification, "Formats".)
 *
 *  Invariant: after a call that answered true, from `at` up to `end` is still inside the frame.
 *  Thread rule: pure functions; a cursor belongs to its caller.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *at;  /* the next byte to read */
    const uint8_t *end; /* the first one behind the frame */
} rm_cursor_t;

typedef enum {
    RM_WIRE_NIL,
    RM_WIRE_BOOL,
    RM_WIRE_UINT, /* an integer of 0 and above, in whichever width it was written */
    RM_WIRE_INT,  /* a negative one: the value is its 64-bit two's complement */
    RM_WIRE_FLOAT,
    RM_WIRE_STR,
    RM_WIRE_BIN,
    RM_WIRE_EXT,
    RM_WIRE_ARRAY,
    RM_WIRE_MAP
} rm_wire_t;

typedef struct {
    rm_wire_t kind;
    uint64_t value; /* number, or size of the bytes that follow, or count of the elements (a map's pairs) */
} rm_head_t;

/* Reads the head of the element at the cursor and steps behind it: for a scalar that is the whole of it, for strings,
 * bin and ext the cursor stands at their bytes. False if it is malformed or claims more than what is left. */
static inline bool rm_head_read (rm_cursor_t *cursor, rm_head_t *head);

/* Steps over one whole element, whatever is in it; `depth` levels of arrays and maps are allowed. False if it is
 * malformed, cut off or nested deeper. */
bool rm_scan_skip (rm_cursor_t *cursor, unsigned depth);

/* The other heads: `first` is their first byte, which the cursor stands behind. */
bool rm_head_read_long (rm_cursor_t *cursor, rm_head_t *head, uint8_t first);

/* Small numbers, short strings and short arrays are nearly all there is in a frame: they cost no call. */
static inline bool rm_head_read (rm_cursor_t *cursor, rm_head_t *head)
{
    if (cursor->at == cursor->end)
        return false;
    uint8_t first = *cursor->at++;
    if (first < 0x80) {
        *head = (rm_head_t){RM_WIRE_UINT, first};
        return true;
    }
    if (first < 0x90 || first >= 0xc0)
        return rm_head_read_long (cursor, head, first);
    *head = first < 0xa0 ? (rm_head_t){RM_WIRE_ARRAY, first & 0x0f} : (rm_head_t){RM_WIRE_STR, first & 0x1f};
    return head->value <= (size_t)(cursor->end - cursor->at);
}
