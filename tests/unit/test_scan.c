/*  Heads of MessagePack elements, format by format: their value, and that nothing is believed which the frame does not
 *  hold.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "proto/scan.h"

TestSuite (scan);

typedef struct {
    uint8_t first;  /* the format's byte, or one of its range */
    uint8_t length; /* bytes of the number, size or count behind it */
    uint64_t body;  /* bytes that belong to the element behind those */
    rm_wire_t kind;
    uint64_t value; /* with every byte of the number 0 but the last, which is 2 */
} format_t;

/* MessagePack specification, "Overview". */
static const format_t formats[] = {{0x00, 0, 0, RM_WIRE_UINT, 0},
                                   {0x7f, 0, 0, RM_WIRE_UINT, 127},
                                   {0x80, 0, 0, RM_WIRE_MAP, 0},
                                   {0x82, 0, 4, RM_WIRE_MAP, 2},
                                   {0x8f, 0, 30, RM_WIRE_MAP, 15},
                                   {0x90, 0, 0, RM_WIRE_ARRAY, 0},
                                   {0x9f, 0, 15, RM_WIRE_ARRAY, 15},
                                   {0xa0, 0, 0, RM_WIRE_STR, 0},
                                   {0xbf, 0, 31, RM_WIRE_STR, 31},
                                   {0xc0, 0, 0, RM_WIRE_NIL, 0},
                                   {0xc2, 0, 0, RM_WIRE_BOOL, 0},
                                   {0xc3, 0, 0, RM_WIRE_BOOL, 1},
                                   {0xc4, 1, 2, RM_WIRE_BIN, 2},
                                   {0xc5, 2, 2, RM_WIRE_BIN, 2},
                                   {0xc6, 4, 2, RM_WIRE_BIN, 2},
                                   {0xc7, 1, 3, RM_WIRE_EXT, 3},
                                   {0xc8, 2, 3, RM_WIRE_EXT, 3},
                                   {0xc9, 4, 3, RM_WIRE_EXT, 3},
                                   {0xca, 4, 0, RM_WIRE_FLOAT, 2},
                                   {0xcb, 8, 0, RM_WIRE_FLOAT, 2},
                                   {0xcc, 1, 0, RM_WIRE_UINT, 2},
                                   {0xcd, 2, 0, RM_WIRE_UINT, 2},
                                   {0xce, 4, 0, RM_WIRE_UINT, 2},
                                   {0xcf, 8, 0, RM_WIRE_UINT, 2},
                                   {0xd0, 1, 0, RM_WIRE_UINT, 2},
                                   {0xd1, 2, 0, RM_WIRE_UINT, 2},
                                   {0xd2, 4, 0, RM_WIRE_UINT, 2},
                                   {0xd3, 8, 0, RM_WIRE_UINT, 2},
                                   {0xd4, 0, 2, RM_WIRE_EXT, 2},
                                   {0xd5, 0, 3, RM_WIRE_EXT, 3},
                                   {0xd6, 0, 5, RM_WIRE_EXT, 5},
                                   {0xd7, 0, 9, RM_WIRE_EXT, 9},
                                   {0xd8, 0, 17, RM_WIRE_EXT, 17},
                                   {0xd9, 1, 2, RM_WIRE_STR, 2},
                                   {0xda, 2, 2, RM_WIRE_STR, 2},
                                   {0xdb, 4, 2, RM_WIRE_STR, 2},
                                   {0xdc, 2, 2, RM_WIRE_ARRAY, 2},
                                   {0xdd, 4, 2, RM_WIRE_ARRAY, 2},
                                   {0xde, 2, 4, RM_WIRE_MAP, 2},
                                   {0xdf, 4, 4, RM_WIRE_MAP, 2},
                                   {0xe0, 0, 0, RM_WIRE_INT, (uint64_t)-32},
                                   {0xff, 0, 0, RM_WIRE_INT, (uint64_t)-1}};

enum { FORMATS = sizeof formats / sizeof formats[0] };

/* Reads the head in the first `size` bytes of the format's shortest whole element, in a block of just that size. */
static bool read_cut (const format_t *format, size_t size, rm_head_t *head, size_t *read)
{
    uint8_t *bytes = calloc (1, size ? size : 1);
    if (size)
        bytes[0] = format->first;
    if (format->length && size > format->length)
        bytes[format->length] = 2;
    rm_cursor_t cursor = {bytes, bytes + size};
    bool whole = rm_head_read (&cursor, head);
    *read = (size_t)(cursor.at - bytes);
    free (bytes);
    return whole;
}

Test (scan, every_format_has_its_kind_and_value)
{
    for (int i = 0; i < FORMATS; i++) {
        const format_t *format = &formats[i];
        rm_head_t head;
        size_t read;
        cr_assert (read_cut (format, 1 + format->length + format->body, &head, &read), "0x%02x", format->first);
        cr_assert_eq (head.kind, format->kind, "0x%02x", format->first);
        cr_assert_eq (head.value, format->value, "0x%02x: %llu", format->first, (unsigned long long)head.value);
        cr_assert_eq (read, 1 + (size_t)format->length, "0x%02x", format->first);
    }
}

Test (scan, a_head_that_claims_more_than_is_left_is_refused)
{
    for (int i = 0; i < FORMATS; i++) {
        const format_t *format = &formats[i];
        for (size_t size = 0; size < 1 + format->length + format->body; size++) {
            rm_head_t head;
            size_t read;
            cr_assert_not (read_cut (format, size, &head, &read), "0x%02x of %zu bytes", format->first, size);
        }
    }
}

Test (scan, the_format_that_is_never_used_is_refused)
{
    const format_t never = {.first = 0xc1};
    rm_head_t head;
    size_t read;
    cr_assert_not (read_cut (&never, 20, &head, &read));
}

static void reads_signed (const char *bytes, size_t size, rm_wire_t kind, int64_t value)
{
    rm_head_t head;
    rm_cursor_t cursor = {(const uint8_t *)bytes, (const uint8_t *)bytes + size};
    cr_assert (rm_head_read (&cursor, &head));
    cr_assert_eq (head.kind, kind);
    cr_assert_eq ((int64_t)head.value, value);
}

Test (scan, a_signed_number_keeps_its_sign_in_every_width)
{
    reads_signed ("\xd0\x80", 2, RM_WIRE_INT, INT8_MIN);
    reads_signed ("\xd0\x7f", 2, RM_WIRE_UINT, INT8_MAX);
    reads_signed ("\xd1\x80\x00", 3, RM_WIRE_INT, INT16_MIN);
    reads_signed ("\xd1\x00\x80", 3, RM_WIRE_UINT, 128);
    reads_signed ("\xd2\x80\x00\x00\x00", 5, RM_WIRE_INT, INT32_MIN);
    reads_signed ("\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9, RM_WIRE_INT, INT64_MIN);
    reads_signed ("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", 9, RM_WIRE_UINT, INT64_MAX);
    reads_signed ("\xd3\xff\xff\xff\xff\xff\xff\xff\xff", 9, RM_WIRE_INT, -1);
}

/* Skips what is in `bytes`; how far it came, or -1. */
static long skipped (const char *bytes, size_t size, unsigned depth)
{
    uint8_t *copy = malloc (size);
    memcpy (copy, bytes, size);
    rm_cursor_t cursor = {copy, copy + size};
    long far = rm_scan_skip (&cursor, depth) ? (long)(cursor.at - copy) : -1;
    free (copy);
    return far;
}

#define SKIPPED(TEXT, DEPTH) skipped ("" TEXT, sizeof (TEXT) - 1, DEPTH)

Test (scan, one_whole_element_is_skipped)
{
    cr_assert_eq (SKIPPED ("\x01\x02", 0), 1);
    cr_assert_eq (SKIPPED ("\xa2xyz", 0), 3);
    cr_assert_eq (SKIPPED ("\xc7\x02\x05xyz", 0), 5);
    cr_assert_eq (SKIPPED ("\x92\x01\x90\x02", 2), 3);
    cr_assert_eq (SKIPPED ("\x92\x91\x01\x02\x03", 2), 4);
    cr_assert_eq (SKIPPED ("\x82\x01\x91\xa1x\x02\x80\x03", 2), 7);
}

Test (scan, what_is_cut_off_is_not_skipped)
{
    cr_assert_eq (SKIPPED ("\x92\x01", 8), -1);
    cr_assert_eq (SKIPPED ("\x92\x91\x92\x01\x02", 8), -1);
    cr_assert_eq (SKIPPED ("\x81\xa1x", 8), -1);
}

Test (scan, depth_is_what_was_allowed)
{
    cr_assert_eq (SKIPPED ("\x91\x91\x90", 3), 3);
    cr_assert_eq (SKIPPED ("\x91\x91\x90", 2), -1);
    cr_assert_eq (SKIPPED ("\x81\x01\x80", 1), -1);
    cr_assert_eq (SKIPPED ("\x90", 0), -1);
    cr_assert_eq (SKIPPED ("\x93\x90\x90\x90", 2), 4, "side by side is not deeper");
}
