/*  What the messages look like on the wire, as tables: one row a field. The codec and the tests read them; docs/protocol.md
 *  says the same in words.
 *
 *  Rows of a message are matched by name in its map; rows of an array's elements (jobs, members) by their position.
 *  Invariant: the arrays of a message lie in the order of its rows in one allocation, so every element's size is a
 *  multiple of 8.
 *  Thread rule: constants.
 */
#pragma once

#include "proto/msg.h"

typedef enum {
    RM_FIELD_U32,     /* uint32_t, from min to max */
    RM_FIELD_U64,     /* uint64_t, from min to max */
    RM_FIELD_ERROR,   /* int32_t, below 0 */
    RM_FIELD_TEXT,    /* rm_bytes_t, str of min to max bytes */
    RM_FIELD_NAME,    /* rm_bytes_t, str, rm_name_valid */
    RM_FIELD_BYTES,   /* rm_bytes_t, bin (a str is taken too) of min to max bytes */
    RM_FIELD_KEY,     /* as BYTES, or nil: {NULL, 0} */
    RM_FIELD_SLOT,    /* uint32_t below RM_SLOTS, or nil: RM_SLOTS */
    RM_FIELD_SESSION, /* rm_session_id_t, bin (or str) of its size */
    RM_FIELD_ACK,     /* bool: "ok" is true; "draining" is false, and refused if min is 1 */
    RM_FIELD_ARRAY,   /* pointer and uint32_t count of elements laid out by `element`, min to max of them */
    RM_FIELD_MOVES    /* rm_sync_move_t * and uint32_t count, a map of pool → array of arrays */
} rm_field_kind_t;

typedef struct rm_element rm_element_t;

typedef struct {
    const char *name;
    uint8_t name_size;
    uint8_t kind;          /* rm_field_kind_t */
    bool optional;         /* may be missing: zero, empty; left out by the encoder then */
    uint16_t offset;       /* of the member, in rm_msg_t or in the element */
    uint16_t count_offset; /* of an array's count */
    uint64_t min, max;     /* of the number, the bytes or the count */
    const rm_element_t *element;
    const char *missing; /* sentences for rm_msg_decode's `why` */
    const char *mistyped;
    const char *outside;
} rm_field_t;

/* What an array holds: bare values (one row, written as they are) or small arrays of `row_count` values by position. The
 * optional ones stand at the end: the encoder leaves out those behind the last one that says something. */
struct rm_element {
    const rm_field_t *rows;
    uint8_t row_count;
    uint8_t required; /* so many of them are not optional */
    bool bare;
    uint16_t size; /* of the struct */
};

/* A map. */
typedef struct {
    const char *name; /* its type; NULL for SYNC's data */
    uint8_t name_size;
    uint8_t row_count;
    const rm_field_t *rows;
    const char *(*check) (
        const rm_msg_t *msg); /* what no single row can say; NULL, or a sentence; may be NULL itself */
} rm_shape_t;

enum { RM_SHAPE_ROWS_MAX = 12 }; /* rows of one map */

/* The map of a message; `type` is a real one. */
const rm_shape_t *rm_shape_of (rm_msg_type_t type);

/* The map in `data` of a SYNC; `phase` is 1 to 3. */
const rm_shape_t *rm_shape_of_sync (bool from_master, uint32_t phase);

/* The type called so, RM_MSG_NONE if there is none. */
rm_msg_type_t rm_type_named (rm_bytes_t name);

/* The name by which the master speaks in SYNC; no worker may have it. */
#define RM_MASTER_NAME "Master"
/* True if it is that name. */
bool rm_name_is_master (rm_bytes_t name);
