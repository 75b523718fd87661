/*  A mutator that knows MessagePack: changes one element and leaves the frame whole around it, so that what is behind the
 *  first pass of the decoder is reached as often as the pass itself. A third of the inputs are left to libFuzzer's own.
 */
#include <stdlib.h>
#include <string.h>

#include "core/splitmix.h"
#include "proto/limits.h"
#include "proto/scan.h"

size_t LLVMFuzzerMutate (uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator (uint8_t *data, size_t size, size_t max_size, unsigned seed);

enum { ELEMENTS_MAX = 1024, NONE = -1 };

typedef struct {
    size_t start, body, end; /* of the element; where its head ends */
    int parent;              /* index of the array or map it is in; NONE: the frame itself */
    uint32_t place;          /* in there; a map's keys have even ones */
    rm_wire_t kind;
    uint64_t value;
} element_t;

static element_t elements[ELEMENTS_MAX];
static int count;

/* Notes the element at the cursor with all that is in it. False: malformed from there on. */
static bool walk (const uint8_t *frame, rm_cursor_t *cursor, int parent, uint32_t place, unsigned depth)
{
    rm_head_t head;
    if (count == ELEMENTS_MAX || depth > RM_MESSAGE_DEPTH_MAX)
        return false;
    int self = count++;
    elements[self] = (element_t){.start = (size_t)(cursor->at - frame), .parent = parent, .place = place};
    if (!rm_head_read (cursor, &head))
        return false;
    elements[self].kind = head.kind;
    elements[self].value = head.value;
    elements[self].body = (size_t)(cursor->at - frame);
    uint64_t inside = head.kind == RM_WIRE_ARRAY ? head.value : head.kind == RM_WIRE_MAP ? 2 * head.value : 0;
    if (head.kind == RM_WIRE_STR || head.kind == RM_WIRE_BIN || head.kind == RM_WIRE_EXT)
        cursor->at += head.value;
    for (uint32_t i = 0; i < inside; i++)
        if (!walk (frame, cursor, self, i, depth + 1))
            return false;
    elements[self].end = (size_t)(cursor->at - frame);
    return true;
}

/* Puts `with` in the place of the bytes from `from` to `to`; the size then, or 0 if there is no room. */
static size_t splice (uint8_t *data, size_t size, size_t max_size, size_t from, size_t to, const void *with,
                      size_t bytes)
{
    if (size - (to - from) + bytes > max_size)
        return 0;
    memmove (data + from + bytes, data + to, size - to);
    memcpy (data + from, with, bytes);
    return size - (to - from) + bytes;
}

static size_t put_interesting (uint8_t *data, size_t size, size_t max_size, const element_t *at, uint64_t random)
{
    static const struct {
        uint8_t size;
        const char *bytes;
    } values[] = {{1, "\x00"},
                  {1, "\x01"},
                  {1, "\xc0"},
                  {1, "\xc3"},
                  {1, "\xff"},
                  {1, "\x80"},
                  {1, "\x90"},
                  {1, "\xa0"},
                  {2, "\xc4\x00"},
                  {2, "\xcc\xff"},
                  {3, "\xcd\x3f\xff"},
                  {3, "\xcd\x40\x00"},
                  {3, "\xcd\x00\x05"},
                  {5, "\xce\xff\xff\xff\xff"},
                  {5, "\xce\x00\x10\x00\x00"},
                  {9, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"},
                  {9, "\xcf\x00\x00\x00\x01\x00\x00\x00\x00"},
                  {9, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00"},
                  {5, "\xca\x3f\x80\x00\x00"},
                  {3, "\xa2ok"},
                  {7, "\xa6Master"},
                  {5, "\x94\x00\x05\x01\x02"},
                  {2, "\x91\x07"},
                  {3, "\xd9\x01q"}};
    size_t which = random % (sizeof values / sizeof *values);
    return splice (data, size, max_size, at->start, at->end, values[which].bytes, values[which].size);
}

/* Another content of a str or bin, with the length that fits. */
static size_t change_bytes (uint8_t *data, size_t size, size_t max_size, const element_t *at)
{
    uint8_t content[256] = {0};
    size_t bytes = at->value < sizeof content - 3 ? at->value : 0;
    memcpy (content + 3, data + at->body, bytes);
    bytes = LLVMFuzzerMutate (content + 3, bytes, sizeof content - 3);
    content[0] = at->kind == RM_WIRE_STR ? 0xda : 0xc5;
    content[1] = (uint8_t)(bytes >> 8);
    content[2] = (uint8_t)bytes;
    return splice (data, size, max_size, at->start, at->end, content, bytes + 3);
}

/* Takes the element (of a map: the pair) out of its parent, or puts it there twice; the parent's count follows. */
static size_t change_count (uint8_t *data, size_t size, size_t max_size, const element_t *at, bool more)
{
    const element_t *parent = at->parent == NONE ? NULL : &elements[at->parent];
    if (!parent || parent->body != parent->start + 1 || (more && parent->value == 15))
        return 0;
    const element_t *first = at, *last = at;
    if (parent->kind == RM_WIRE_MAP) {
        for (const element_t *other = elements; other < elements + count; other++) {
            if (other->parent == at->parent && other->place == (at->place & ~1u))
                first = other;
            if (other->parent == at->parent && other->place == (at->place | 1u))
                last = other;
        }
    }
    uint8_t copy[512];
    size_t bytes = last->end - first->start;
    if (bytes > sizeof copy)
        return 0;
    memcpy (copy, data + first->start, bytes);
    size_t changed =
        splice (data, size, max_size, first->start, more ? first->start : last->end, copy, more ? bytes : 0);
    if (changed)
        data[parent->start] = (uint8_t)(data[parent->start] + (more ? 1 : -1));
    return changed;
}

static size_t copy_another (uint8_t *data, size_t size, size_t max_size, const element_t *at, const element_t *other)
{
    uint8_t copy[512];
    size_t bytes = other->end - other->start;
    if (bytes > sizeof copy)
        return 0;
    memcpy (copy, data + other->start, bytes);
    return splice (data, size, max_size, at->start, at->end, copy, bytes);
}

static size_t mutate (uint8_t *data, size_t size, size_t max_size, uint64_t *random)
{
    const element_t *at = &elements[rm_splitmix (random) % (uint64_t)count];
    switch (rm_splitmix (random) % 5) {
    case 0:
        return put_interesting (data, size, max_size, at, rm_splitmix (random));
    case 1:
        return copy_another (data, size, max_size, at, &elements[rm_splitmix (random) % (uint64_t)count]);
    case 2:
        return change_count (data, size, max_size, at, rm_splitmix (random) & 1);
    default:
        if (at->kind != RM_WIRE_STR && at->kind != RM_WIRE_BIN)
            return put_interesting (data, size, max_size, at, rm_splitmix (random));
        return change_bytes (data, size, max_size, at);
    }
}

size_t LLVMFuzzerCustomMutator (uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t random = seed;
    rm_cursor_t cursor = {data, data + size};
    count = 0;
    if (rm_splitmix (&random) % 3 && walk (data, &cursor, NONE, 0, 0)) {
        size_t changed = mutate (data, size, max_size, &random);
        if (changed)
            return changed;
    }
    return LLVMFuzzerMutate (data, size, max_size);
}
