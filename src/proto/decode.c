/*  Decoding in two passes. The first walks the frame without allocating: it notes where each field of the map begins, and
 *  steps over every value, so that after it the frame is known to be whole, well-formed and not too deep. Then the
 *  arrays are counted against their limits, room for all of them is allocated at once, and the second pass fills it.
 */
#include <string.h>

#include "proto/alloc.h"
#include "proto/msg.h"
#include "proto/scan.h"
#include "proto/table.h"
#include "ringmaster/error.h"

/* The fields of a map as they lie in the frame. */
typedef struct {
    rm_bytes_t names[RM_MESSAGE_FIELDS_MAX];
    const uint8_t *values[RM_MESSAGE_FIELDS_MAX];
    uint32_t count;
} map_t;

/* A map next to its table: where each row's value is, NULL if it is not there. */
typedef struct {
    const rm_shape_t *shape;
    const uint8_t *values[RM_SHAPE_ROWS_MAX];
} plan_t;

static const char out_of_memory[] = "memory ran out";
static const char not_a_map[] = "the frame is not one whole MessagePack map with names for keys";

/* ---- first pass ------------------------------------------------------------------------------------------------- */

static bool map_add (map_t *self, rm_bytes_t name, const uint8_t *value)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (rm_bytes_equal (self->names[i], name))
            return false;
    self->names[self->count] = name;
    self->values[self->count++] = value;
    return true;
}

static const uint8_t *map_find (const map_t *self, rm_bytes_t name)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (rm_bytes_equal (self->names[i], name))
            return self->values[i];
    return NULL;
}

/* Reads the map at the cursor and steps behind it; what is in it may nest `depth` levels deep, itself included. */
static const char *map_read (map_t *self, rm_cursor_t *cursor, unsigned depth)
{
    rm_head_t head;
    self->count = 0;
    if (!rm_head_read (cursor, &head) || head.kind != RM_WIRE_MAP)
        return not_a_map;
    if (head.value > RM_MESSAGE_FIELDS_MAX)
        return "the map has too many fields";
    for (uint64_t todo = head.value; todo; todo--) {
        rm_head_t key;
        if (!rm_head_read (cursor, &key) || key.kind != RM_WIRE_STR)
            return not_a_map;
        rm_bytes_t name = {cursor->at, (uint32_t)key.value};
        cursor->at += key.value;
        if (!map_add (self, name, cursor->at))
            return "a field is there twice";
        if (!rm_scan_skip (cursor, depth - 1))
            return "a value is cut off, malformed or nested too deeply";
    }
    return NULL;
}

/* ---- single values ---------------------------------------------------------------------------------------------- */

static inline void *member_of (const rm_field_t *field, void *base)
{
    return (uint8_t *)base + field->offset;
}

static const char *read_number (const rm_field_t *field, rm_head_t head, void *base)
{
    if (head.kind == RM_WIRE_NIL && field->kind == RM_FIELD_SLOT)
        head.value = RM_SLOTS;
    else if (head.kind != RM_WIRE_UINT)
        return head.kind == RM_WIRE_INT ? field->outside : field->mistyped;
    else if (head.value < field->min || head.value > field->max)
        return field->outside;
    if (field->kind == RM_FIELD_U64)
        *(uint64_t *)member_of (field, base) = head.value;
    else
        *(uint32_t *)member_of (field, base) = (uint32_t)head.value;
    return NULL;
}

static const char *read_error (const rm_field_t *field, rm_head_t head, void *base)
{
    if (head.kind != RM_WIRE_INT)
        return head.kind == RM_WIRE_UINT ? field->outside : field->mistyped;
    if ((int64_t)head.value < INT32_MIN)
        return field->outside;
    *(int32_t *)member_of (field, base) = (int32_t)(int64_t)head.value;
    return NULL;
}

/* The bytes of a str or bin whose head was just read. */
static rm_bytes_t take_bytes (rm_cursor_t *cursor, rm_head_t head)
{
    rm_bytes_t bytes = {cursor->at, (uint32_t)head.value};
    cursor->at += head.value;
    return bytes;
}

static const char *read_bytes (const rm_field_t *field, rm_cursor_t *cursor, rm_head_t head, void *base)
{
    rm_bytes_t *bytes = member_of (field, base);
    bool text = field->kind == RM_FIELD_TEXT || field->kind == RM_FIELD_NAME;
    if (head.kind == RM_WIRE_NIL && field->kind == RM_FIELD_KEY) {
        *bytes = (rm_bytes_t){0};
        return NULL;
    }
    if (head.kind != RM_WIRE_STR && (head.kind != RM_WIRE_BIN || text))
        return field->mistyped;
    if (head.value > field->max || (head.value < field->min && !field->optional))
        return field->outside;
    *bytes = take_bytes (cursor, head);
    if (field->kind == RM_FIELD_NAME && bytes->size && !rm_name_valid (*bytes))
        return field->outside;
    return NULL;
}

static const char *read_session (const rm_field_t *field, rm_cursor_t *cursor, rm_head_t head, void *base)
{
    if (head.kind != RM_WIRE_BIN && head.kind != RM_WIRE_STR)
        return field->mistyped;
    if (head.value != RM_SESSION_BYTES)
        return field->outside;
    memcpy (member_of (field, base), take_bytes (cursor, head).data, RM_SESSION_BYTES);
    return NULL;
}

static const char *read_ack (const rm_field_t *field, rm_cursor_t *cursor, rm_head_t head, void *base)
{
    if (head.kind != RM_WIRE_STR)
        return field->mistyped;
    rm_bytes_t ack = take_bytes (cursor, head);
    bool ok = rm_bytes_equal (ack, rm_bytes ("ok"));
    if (!ok && (field->min || !rm_bytes_equal (ack, rm_bytes ("draining"))))
        return field->outside;
    *(bool *)member_of (field, base) = ok;
    return NULL;
}

/* Reads the value at the cursor into its member below `base`; NULL or what is wrong. */
static const char *read_value (const rm_field_t *field, rm_cursor_t *cursor, void *base)
{
    rm_head_t head;
    if (!rm_head_read (cursor, &head))
        return field->mistyped;
    switch ((rm_field_kind_t)field->kind) {
    case RM_FIELD_U32:
    case RM_FIELD_U64:
    case RM_FIELD_SLOT:
        return read_number (field, head, base);
    case RM_FIELD_TEXT:
    case RM_FIELD_NAME:
    case RM_FIELD_BYTES:
    case RM_FIELD_KEY:
        return read_bytes (field, cursor, head, base);
    case RM_FIELD_ERROR:
        return read_error (field, head, base);
    case RM_FIELD_SESSION:
        return read_session (field, cursor, head, base);
    case RM_FIELD_ACK:
        return read_ack (field, cursor, head, base);
    case RM_FIELD_ARRAY:
    case RM_FIELD_MOVES:
        break;
    }
    return field->mistyped;
}

/* ---- arrays ----------------------------------------------------------------------------------------------------- */

/* One element of an array into `base`. What a newer peer adds behind the values we know is stepped over, what an older one
 * does not say is zero. */
static const char *read_element (const rm_field_t *array, rm_cursor_t *cursor, void *base)
{
    const rm_element_t *element = array->element;
    uint64_t count = element->row_count, extra = 0;
    if (!element->bare) {
        rm_head_t head;
        if (!rm_head_read (cursor, &head) || head.kind != RM_WIRE_ARRAY)
            return array->mistyped;
        if (head.value < element->required)
            return "an array of positional values is too short";
        if (head.value < count) {
            memset (base, 0, element->size);
            count = head.value;
        }
        extra = head.value - count;
    }
    for (uint64_t i = 0; i < count; i++) {
        const char *wrong = read_value (&element->rows[i], cursor, base);
        if (wrong)
            return wrong;
    }
    for (; extra; extra--)
        if (!rm_scan_skip (cursor, RM_MESSAGE_DEPTH_MAX))
            return array->mistyped;
    return NULL;
}

static const char *read_array (const rm_field_t *field, rm_cursor_t *cursor, uint8_t *room)
{
    rm_head_t head;
    if (!rm_head_read (cursor, &head))
        return field->mistyped;
    for (uint64_t i = 0; i < head.value; i++, room += field->element->size) {
        const char *wrong = read_element (field, cursor, room);
        if (wrong)
            return wrong;
    }
    return NULL;
}

/* How many elements the array at the cursor has. */
static const char *count_array (const rm_field_t *field, rm_cursor_t *cursor, uint64_t *count)
{
    rm_head_t head;
    if (!rm_head_read (cursor, &head) || head.kind != RM_WIRE_ARRAY)
        return field->mistyped;
    *count = head.value;
    return NULL;
}

/* Steps over the name of a pool and the count of its moves. */
static bool read_pool (rm_cursor_t *cursor, rm_bytes_t *pool, uint64_t *count)
{
    rm_head_t head;
    if (!rm_head_read (cursor, &head) || head.kind != RM_WIRE_STR || head.value > RM_NAME_BYTES_MAX)
        return false;
    *pool = take_bytes (cursor, head);
    if (!rm_name_valid (*pool) || !rm_head_read (cursor, &head) || head.kind != RM_WIRE_ARRAY || !head.value)
        return false;
    *count = head.value;
    return true;
}

static const char *count_moves (const rm_field_t *field, rm_cursor_t *cursor, uint64_t *count)
{
    rm_head_t head;
    *count = 0;
    if (!rm_head_read (cursor, &head) || head.kind != RM_WIRE_MAP)
        return field->mistyped;
    if (head.value > RM_MOVED_POOLS_MAX)
        return field->outside;
    for (uint64_t pools = head.value; pools; pools--) {
        rm_bytes_t pool;
        uint64_t moves;
        if (!read_pool (cursor, &pool, &moves))
            return field->mistyped;
        *count += moves;
        for (; moves; moves--)
            if (!rm_scan_skip (cursor, RM_MESSAGE_DEPTH_MAX))
                return field->mistyped;
    }
    return NULL;
}

static const char *read_move (const rm_field_t *field, rm_cursor_t *cursor, rm_sync_move_t *move)
{
    rm_head_t head;
    if (!rm_head_read (cursor, &head) || head.kind != RM_WIRE_ARRAY || head.value < 4)
        return field->mistyped;
    uint64_t values[4];
    for (int i = 0; i < 4; i++) {
        rm_head_t number;
        if (!rm_head_read (cursor, &number) || number.kind != RM_WIRE_UINT)
            return field->mistyped;
        values[i] = number.value;
    }
    if (values[0] > values[1] || values[1] >= RM_SLOTS)
        return field->outside;
    move->first = (uint32_t)values[0];
    move->last = (uint32_t)values[1];
    move->from = values[2];
    move->to = values[3];
    for (uint64_t extra = head.value - 4; extra; extra--)
        if (!rm_scan_skip (cursor, RM_MESSAGE_DEPTH_MAX))
            return field->mistyped;
    return NULL;
}

/* The pools before this one, by the first move of each: none may be called `pool`. */
static bool pool_repeats (const rm_sync_move_t *moves, const uint32_t *firsts, uint32_t count, rm_bytes_t pool)
{
    for (uint32_t i = 0; i < count; i++)
        if (rm_bytes_equal (moves[firsts[i]].pool, pool))
            return true;
    return false;
}

static const char *read_moves (const rm_field_t *field, rm_cursor_t *cursor, rm_sync_move_t *moves)
{
    uint32_t firsts[RM_MOVED_POOLS_MAX];
    uint32_t at = 0;
    rm_head_t head;
    if (!rm_head_read (cursor, &head))
        return field->mistyped;
    for (uint32_t pools = 0; pools < head.value; pools++) {
        rm_bytes_t pool;
        uint64_t count;
        if (!read_pool (cursor, &pool, &count))
            return field->mistyped;
        if (pool_repeats (moves, firsts, pools, pool))
            return "a pool is there twice in 'moved'";
        firsts[pools] = at;
        for (; count; count--, at++) {
            moves[at].pool = pool;
            const char *wrong = read_move (field, cursor, &moves[at]);
            if (wrong)
                return wrong;
        }
    }
    return NULL;
}

/* ---- a message -------------------------------------------------------------------------------------------------- */

static bool is_array (const rm_field_t *field)
{
    return field->kind == RM_FIELD_ARRAY || field->kind == RM_FIELD_MOVES;
}

static size_t element_size (const rm_field_t *field)
{
    return field->kind == RM_FIELD_MOVES ? sizeof (rm_sync_move_t) : field->element->size;
}

/* Finds each row's value, reads what needs no memory, and adds up what the arrays need. */
static const char *plan (plan_t *self, const map_t *map, const uint8_t *end, rm_msg_t *msg, size_t *room)
{
    for (uint32_t i = 0; i < self->shape->row_count; i++) {
        const rm_field_t *field = &self->shape->rows[i];
        self->values[i] = map_find (map, (rm_bytes_t){field->name, field->name_size});
        rm_cursor_t cursor = {self->values[i], end};
        const char *wrong;
        uint64_t count = 0;
        if (!cursor.at) {
            if (!field->optional)
                return field->missing;
            continue;
        }
        if (field->kind == RM_FIELD_ARRAY)
            wrong = count_array (field, &cursor, &count);
        else if (field->kind == RM_FIELD_MOVES)
            wrong = count_moves (field, &cursor, &count);
        else
            wrong = read_value (field, &cursor, msg);
        if (wrong)
            return wrong;
        if (!is_array (field))
            continue;
        if (count < field->min || count > field->max)
            return field->outside;
        *(uint32_t *)((uint8_t *)msg + field->count_offset) = (uint32_t)count;
        *room += count * element_size (field);
    }
    return NULL;
}

/* Fills the arrays, each behind the one before; `*room` moves on. */
static const char *fill (const plan_t *self, const uint8_t *end, rm_msg_t *msg, uint8_t **room)
{
    for (uint32_t i = 0; i < self->shape->row_count; i++) {
        const rm_field_t *field = &self->shape->rows[i];
        uint32_t count = is_array (field) ? *(uint32_t *)((uint8_t *)msg + field->count_offset) : 0;
        if (!count)
            continue;
        memcpy ((uint8_t *)msg + field->offset, room, sizeof *room);
        rm_cursor_t cursor = {self->values[i], end};
        const char *wrong = field->kind == RM_FIELD_MOVES ? read_moves (field, &cursor, (rm_sync_move_t *)*room)
                                                          : read_array (field, &cursor, *room);
        if (wrong)
            return wrong;
        *room += count * element_size (field);
    }
    return NULL;
}

/* A missing version is the first one. */
static const char *check_version (const map_t *map, const uint8_t *end)
{
    rm_cursor_t cursor = {map_find (map, rm_bytes ("v")), end};
    rm_head_t head;
    if (!cursor.at)
        return NULL;
    if (!rm_head_read (&cursor, &head) || head.kind != RM_WIRE_UINT)
        return "the field 'v' is of a wrong type";
    if (head.value != RM_PROTOCOL_VERSION)
        return "the message is of another protocol version than this side speaks (1)";
    return NULL;
}

static const char *find_type (const map_t *map, const uint8_t *end, rm_msg_type_t *type)
{
    rm_cursor_t cursor = {map_find (map, rm_bytes ("type")), end};
    rm_head_t head;
    if (!cursor.at)
        return "the field 'type' is missing";
    if (!rm_head_read (&cursor, &head) || head.kind != RM_WIRE_STR)
        return "the field 'type' is of a wrong type";
    *type = rm_type_named (take_bytes (&cursor, head));
    return *type == RM_MSG_NONE ? "no message of this type is known" : NULL;
}

/* Opens a SYNC's `data`, whose table follows from who speaks and the phase. */
static const char *plan_data (plan_t *self, const map_t *top, const uint8_t *end, rm_msg_t *msg, size_t *room)
{
    rm_cursor_t cursor = {map_find (top, rm_bytes ("data")), end};
    map_t map;
    if (!cursor.at)
        return "the field 'data' is missing";
    const char *wrong = map_read (&map, &cursor, RM_MESSAGE_DEPTH_MAX - 1);
    if (!wrong)
        wrong = check_version (&map, end);
    if (wrong)
        return wrong;
    msg->sync.from_master = rm_name_is_master (msg->sync.name);
    self->shape = rm_shape_of_sync (msg->sync.from_master, msg->sync.phase);
    wrong = plan (self, &map, end, msg, room);
    if (!msg->sync.from_master)
        msg->sync.report.term = msg->sync.term;
    return wrong;
}

static const char *allocate (rm_msg_t *msg, size_t size)
{
    if (!size)
        return NULL;
    msg->arrays = rm_malloc (size);
    return msg->arrays ? NULL : out_of_memory;
}

static const char *decode (rm_msg_t *msg, rm_cursor_t cursor)
{
    map_t map;
    plan_t top, data = {0};
    size_t room = 0;
    const char *wrong = map_read (&map, &cursor, RM_MESSAGE_DEPTH_MAX);
    if (!wrong && cursor.at != cursor.end)
        wrong = "bytes follow the message";
    if (!wrong)
        wrong = check_version (&map, cursor.end);
    if (!wrong)
        wrong = find_type (&map, cursor.end, &msg->type);
    if (wrong)
        return wrong;
    top.shape = rm_shape_of (msg->type);
    wrong = plan (&top, &map, cursor.end, msg, &room);
    if (!wrong && msg->type == RM_MSG_SYNC)
        wrong = plan_data (&data, &map, cursor.end, msg, &room);
    if (!wrong)
        wrong = allocate (msg, room);
    uint8_t *next = msg->arrays;
    if (!wrong)
        wrong = fill (&top, cursor.end, msg, &next);
    if (!wrong && data.shape)
        wrong = fill (&data, cursor.end, msg, &next);
    if (!wrong && top.shape->check)
        wrong = top.shape->check (msg);
    return wrong;
}

int rm_msg_decode (rm_msg_t *self, const void *frame, size_t size, const char **why)
{
    *self = (rm_msg_t){0};
    const char *wrong = not_a_map;
    if (size > RM_FRAME_BYTES_MAX)
        wrong = "the frame is larger than the protocol allows";
    else if (size)
        wrong = decode (self, (rm_cursor_t){frame, (const uint8_t *)frame + size});
    if (!wrong)
        return 0;
    rm_msg_close (self);
    if (why)
        *why = wrong;
    return wrong == out_of_memory ? RM_ENOMEM : RM_EPROTO;
}
