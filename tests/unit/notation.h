/*  MessagePack written down by hand, for tests: a notation close to JSON is turned into bytes, without the code under
 *  test.
 *
 *      {type:'hello', v:1, x:[nil, true, -3, 1.5, #00ff]}
 *
 *  Bare words, 'quoted' and "quoted" texts are str, #… is bin in hex, numbers take the shortest form, nil, true and false are
 *  themselves. The notation is trusted: a mistake in it ends the test.
 */
#pragma once

#include <criterion/criterion.h>
#include <ctype.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint8_t *data; /* exactly `size` bytes of heap, so that ASan sees every read past them */
    size_t size;
} frame_t;

static inline frame_t frame_copy (const void *data, size_t size)
{
    frame_t frame = {malloc (size ? size : 1), size};
    memcpy (frame.data, data, size);
    return frame;
}

static inline void frame_free (frame_t *frame)
{
    free (frame->data);
    *frame = (frame_t){0};
}

static inline const char *notation_value (const char *at, msgpack_packer *to);

static inline const char *notation_space (const char *at)
{
    return at + strspn (at, " \n,");
}

/* How many values stand between the bracket before `at` and its counterpart. */
static inline uint32_t notation_count (const char *at, char end, bool pairs)
{
    msgpack_sbuffer scrap;
    msgpack_packer to;
    uint32_t count = 0;
    msgpack_sbuffer_init (&scrap);
    msgpack_packer_init (&to, &scrap, msgpack_sbuffer_write);
    for (at = notation_space (at); *at != end; at = notation_space (at), count++) {
        at = notation_value (at, &to);
        if (!pairs)
            continue;
        cr_assert_eq (*at, ':', "a colon is missing at %s", at);
        at = notation_value (notation_space (at + 1), &to);
    }
    msgpack_sbuffer_destroy (&scrap);
    return count;
}

static inline const char *notation_list (const char *at, msgpack_packer *to)
{
    char end = *at == '{' ? '}' : ']';
    uint32_t count = notation_count (at + 1, end, end == '}');
    if (end == '}')
        msgpack_pack_map (to, count);
    else
        msgpack_pack_array (to, count);
    for (at = notation_space (at + 1); *at != end; at = notation_space (at)) {
        at = notation_value (at, to);
        if (end == '}')
            at = notation_value (notation_space (at + 1), to);
    }
    return at + 1;
}

static inline const char *notation_number (const char *at, msgpack_packer *to)
{
    size_t size = strspn (at, "-+.0123456789e");
    if (memchr (at, '.', size))
        msgpack_pack_double (to, strtod (at, NULL));
    else if (*at == '-')
        msgpack_pack_int64 (to, strtoll (at, NULL, 10));
    else
        msgpack_pack_uint64 (to, strtoull (at, NULL, 10));
    return at + size;
}

static inline const char *notation_hex (const char *at, msgpack_packer *to)
{
    char bytes[256];
    size_t size = 0;
    for (at++; isxdigit (at[0]) && isxdigit (at[1]); at += 2) {
        char digits[3] = {at[0], at[1], 0};
        bytes[size++] = (char)strtoul (digits, NULL, 16);
    }
    msgpack_pack_bin (to, size);
    msgpack_pack_bin_body (to, bytes, size);
    return at;
}

static inline const char *notation_word (const char *at, msgpack_packer *to)
{
    bool quoted = *at == '\'' || *at == '"';
    const char *word = at + quoted;
    size_t size = quoted ? strcspn (word, (char[]){*at, 0}) : strspn (word, "abcdefghijklmnopqrstuvwxyz_0123456789");
    cr_assert (size || quoted, "nothing known at %s", at);
    if (!quoted && size == 3 && !memcmp (word, "nil", 3))
        msgpack_pack_nil (to);
    else if (!quoted && size == 4 && !memcmp (word, "true", 4))
        msgpack_pack_true (to);
    else if (!quoted && size == 5 && !memcmp (word, "false", 5))
        msgpack_pack_false (to);
    else {
        msgpack_pack_str (to, size);
        msgpack_pack_str_body (to, word, size);
    }
    return word + size + quoted;
}

/* One value; answers where it ends. */
static inline const char *notation_value (const char *at, msgpack_packer *to)
{
    if (*at == '{' || *at == '[')
        return notation_list (at, to);
    if (*at == '#')
        return notation_hex (at, to);
    if (*at == '-' || isdigit ((unsigned char)*at))
        return notation_number (at, to);
    return notation_word (at, to);
}

/* The bytes of one value in the notation; to be freed. */
static inline frame_t frame_of (const char *notation)
{
    msgpack_sbuffer bytes;
    msgpack_packer to;
    msgpack_sbuffer_init (&bytes);
    msgpack_packer_init (&to, &bytes, msgpack_sbuffer_write);
    notation_value (notation_space (notation), &to);
    frame_t frame = frame_copy (bytes.data, bytes.size);
    msgpack_sbuffer_destroy (&bytes);
    return frame;
}
