/*  The cursor below every decoder: it never stands behind the end, what it hands out lies within the input, and what
 *  rm_scan_skip steps over is what msgpack-c takes for one element too.
 */
#include <msgpack.h>

#include "fuzz.h"
#include "proto/limits.h"
#include "proto/scan.h"

/* Head by head, to the end or to what is malformed. */
static void walk (const uint8_t *data, const uint8_t *end)
{
    rm_cursor_t cursor = {data, end};
    rm_head_t head;
    while (cursor.at < end) {
        const uint8_t *before = cursor.at;
        if (!rm_head_read (&cursor, &head))
            return;
        CLAIM (cursor.at > before && cursor.at <= end);
        size_t left = (size_t)(end - cursor.at);
        bool bytes = head.kind == RM_WIRE_STR || head.kind == RM_WIRE_BIN || head.kind == RM_WIRE_EXT;
        CLAIM (!bytes || head.value <= left);
        CLAIM (head.kind != RM_WIRE_ARRAY || head.value <= left);
        CLAIM (head.kind != RM_WIRE_MAP || head.value * 2 <= left);
        CLAIM (head.kind != RM_WIRE_INT || (int64_t)head.value < 0);
        CLAIM (head.kind != RM_WIRE_BOOL || head.value <= 1);
        if (bytes)
            cursor.at += head.value;
    }
    CLAIM (!rm_head_read (&cursor, &head), "something was read behind the end");
}

/* msgpack-c believes counts before it has seen the elements; ours have been compared with the bytes that are there. */
static void compare (const uint8_t *data, size_t size, size_t stepped)
{
    msgpack_unpacked theirs;
    size_t at = 0;
    msgpack_unpacked_init (&theirs);
    msgpack_unpack_return rc = msgpack_unpack_next (&theirs, (const char *)data, size, &at);
    CLAIM (rc == MSGPACK_UNPACK_SUCCESS || rc == MSGPACK_UNPACK_EXTRA_BYTES, "msgpack-c says %d", rc);
    CLAIM (at == stepped, "%zu bytes, and %zu for msgpack-c", stepped, at);
    msgpack_unpacked_destroy (&theirs);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    size_t stepped = 0;
    walk (data, end);
    for (unsigned depth = 0; depth <= RM_MESSAGE_DEPTH_MAX; depth++) {
        rm_cursor_t cursor = {data, end};
        bool whole = rm_scan_skip (&cursor, depth);
        CLAIM (cursor.at >= data && cursor.at <= end);
        if (!whole) {
            CLAIM (!stepped, "refused at depth %u, but not at a smaller one", depth);
            continue;
        }
        CLAIM (!stepped || stepped == (size_t)(cursor.at - data));
        stepped = (size_t)(cursor.at - data);
        CLAIM (stepped, "an element of no bytes");
    }
    if (stepped)
        compare (data, size, stepped);
    return 0;
}
