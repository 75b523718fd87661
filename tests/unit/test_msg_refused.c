/*  What the wire may bring that is no message, each with the sentence it is refused with: envelopes, SYNC, and claims that
 *  the frame does not keep.
 */
#include "hostile.h"

TestSuite (refused, .init = hostile_init);

/* ---- sync ------------------------------------------------------------------------------------------------------- */

/* A phase 2 of the master with `moved`. */
static frame_t moves_frame (const char *moved)
{
    char text[512];
    snprintf (text, sizeof text,
              "{type:sync, name:'Master', phase:2, data:{term:1, epoch:1, sync_to:0, members:[], moved:%s}}", moved);
    return frame_of (text);
}

static void moves_refused (const char *moved, const char *says)
{
    frame_t frame = moves_frame (moved);
    refused_frame (&frame, says);
}

Test (refused, moves_are_checked)
{
    const char *why = "";
    frame_t good = moves_frame ("{b:[[0, 16383, 0, 0, later]], a:[[5, 5, 1, 2], [1, 2, 3, 4]]}");
    cr_assert_eq (hostile_decode (&good, &why), 0, "%s", why);
    frame_free (&good);
    moves_refused ("{a:[[6, 5, 1, 2]]}", "'moved' is outside");
    moves_refused ("{a:[[0, 16384, 1, 2]]}", "'moved' is outside");
    moves_refused ("{a:[[0, 1, 2]]}", "'moved' is of a wrong type");
    moves_refused ("{a:[[0, 1, 2, nil]]}", "'moved' is of a wrong type");
    moves_refused ("{a:[[0, 1, -2, 3]]}", "'moved' is of a wrong type");
    moves_refused ("{a:[7]}", "'moved' is of a wrong type");
    moves_refused ("{a:[]}", "'moved' is of a wrong type");
    moves_refused ("{a:nil}", "'moved' is of a wrong type");
    moves_refused ("{1:[[0, 1, 2, 3]]}", "'moved' is of a wrong type");
    moves_refused ("{'a b':[[0, 1, 2, 3]]}", "'moved' is of a wrong type");
    moves_refused ("{a:[[0, 1, 2, 3]], b:[[0, 1, 2, 3]], a:[[4, 5, 6, 7]]}", "a pool is there twice");
}

Test (refused, moves_of_too_many_pools_are_refused)
{
    size_t size = 0;
    char *moved = malloc ((RM_MOVED_POOLS_MAX + 1) * 32);
    moved[size++] = '{';
    for (int i = 0; i <= RM_MOVED_POOLS_MAX; i++)
        size += (size_t)sprintf (moved + size, "p%d:[[0, 1, 2, 3]],", i);
    memcpy (moved + size, "}", 2);
    frame_t frame = moves_frame ("7"), by = frame_of (moved);
    frame_t many = spliced (&frame, frame.size - 1, 1, &by);
    refused_frame (&many, "'moved' is outside");
    frame_free (&frame);
    frame_free (&by);
    free (moved);
}

Test (refused, too_many_moves_are_refused)
{
    enum { COUNT = RM_MOVES_MAX + 1, MOVE = 5 };
    static const uint8_t move[MOVE] = {0x94, 0, 1, 2, 3};
    const uint8_t head[] = {0x81, 0xa1, 'a', 0xdd, 0, COUNT >> 16, COUNT >> 8 & 0xff, COUNT & 0xff};
    frame_t by = {malloc (sizeof head + (size_t)COUNT * MOVE), sizeof head + (size_t)COUNT * MOVE};
    memcpy (by.data, head, sizeof head);
    for (size_t i = 0; i < COUNT; i++)
        memcpy (by.data + sizeof head + i * MOVE, move, MOVE);
    frame_t frame = moves_frame ("7");
    frame_t many = spliced (&frame, frame.size - 1, 1, &by);
    refused_frame (&many, "'moved' is outside");
    frame_free (&frame);
    frame_free (&by);
}

Test (refused, who_speaks_and_the_phase_say_what_is_required)
{
    refused ("{type:sync, name:'Master', phase:0, data:{term:1, epoch:1}}", "'phase' is outside");
    refused ("{type:sync, name:'Master', phase:4, data:{term:1, epoch:1}}", "'phase' is outside");
    refused ("{type:sync, name:w1, phase:1, data:{term:1, epoch:1}}", "'inc' is missing");
    refused ("{type:sync, name:w1, phase:3, data:{term:1, epoch:1, inc:1}}", "'ack' is missing");
    refused ("{type:sync, name:'Master', phase:2, data:{term:1, epoch:1}}", "'sync_to' is missing");
    refused ("{type:sync, name:'Master', phase:1}", "'data' is missing");
    accepted ("{type:sync, name:'Master', phase:1, data:{term:1, epoch:1, inc:{}}}");
}

Test (refused, no_worker_is_called_master)
{
    refused ("{type:join, name:'Master', inc:1, pool:p, queues:[q], threads:1}", "'Master'");
    accepted ("{type:join, name:'Masters', inc:1, pool:p, queues:[q], threads:1}");
}

/* ---- the envelope ----------------------------------------------------------------------------------------------- */

Test (refused, another_version_is_refused_by_name)
{
    refused ("{type:hello, v:2}", "another protocol version");
    refused ("{type:hello, v:0}", "another protocol version");
    refused ("{type:dance, v:2}", "another protocol version");
    refused ("{type:hello, v:'1'}", "'v' is of a wrong type");
    refused ("{type:sync, name:'Master', phase:1, data:{v:2, term:1, epoch:1}}", "another protocol version");
    refused ("{type:sync, v:2, name:'Master', phase:1, data:{term:1, epoch:1}}", "another protocol version");
    accepted ("{type:sync, v:1, name:'Master', phase:1, data:{term:1, epoch:1}}");
}

Test (refused, an_unknown_type_is_refused)
{
    refused ("{type:dance}", "no message of this type");
    refused ("{type:''}", "no message of this type");
    refused ("{type:none}", "no message of this type");
    refused ("{type:#68656c6c6f}", "'type' is of a wrong type");
    refused ("{type:1}", "'type' is of a wrong type");
    refused ("{v:1}", "'type' is missing");
    refused ("{}", "'type' is missing");
}

Test (refused, what_is_no_map_is_refused)
{
    refused ("[]", "map");
    refused ("nil", "map");
    refused ("hello", "map");
    refused ("7", "map");
    refused ("{1:2}", "map");
    refused ("{#74797065:hello}", "map");
    frame_t nothing = frame_copy ("", 0), nowhere = {0};
    refused_frame (&nothing, "map");
    refused_frame (&nowhere, "map");
}

Test (refused, an_unknown_field_twice_is_refused)
{
    refused ("{type:hello, x:1, x:1}", "twice");
}

Test (refused, too_many_fields_are_refused)
{
    char text[1024] = "{type:hello,";
    for (int i = 0; i < RM_MESSAGE_FIELDS_MAX; i++)
        sprintf (text + strlen (text), "f%d:1,", i);
    strcat (text, "}");
    refused (text, "too many fields");
    strcpy (strstr (text, "f63"), "}");
    accepted (text);
}

Test (refused, a_frame_over_the_limit_is_refused)
{
    frame_t frame = frame_of ("{type:hello}");
    frame.data = realloc (frame.data, (size_t)RM_FRAME_BYTES_MAX + 1);
    frame.size = (size_t)RM_FRAME_BYTES_MAX + 1;
    refused_frame (&frame, "larger than the protocol allows");
}

/* A result whose data has `size` bytes. */
static frame_t result_frame (size_t size)
{
    frame_t frame = frame_of ("{type:result, jobs:[[1, 1, 1, #, nil]]}");
    frame_t bin = {calloc (1, 5 + size), 5 + size};
    const uint8_t head[] = {0xc6, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    memcpy (bin.data, head, sizeof head);
    frame_t large = spliced (&frame, frame.size - 1, 1, &bin);
    frame_free (&bin);
    frame_free (&frame);
    return large;
}

Test (refused, a_payload_over_its_limit_is_refused)
{
    const char *why = "";
    frame_t largest = result_frame (RM_PAYLOAD_BYTES_CEILING);
    cr_assert_eq (hostile_decode (&largest, &why), 0, "%s", why);
    frame_free (&largest);
    frame_t larger = result_frame (RM_PAYLOAD_BYTES_CEILING + 1);
    refused_frame (&larger, "'data' is outside");
}

/* ---- claims ----------------------------------------------------------------------------------------------------- */

/* {type:result, jobs: …} with these raw bytes for the jobs. */
static void claim_refused (const uint8_t *bytes, size_t size)
{
    frame_t frame = frame_of ("{type:result, jobs:7}");
    frame_t by = frame_copy (bytes, size);
    frame_t claim = spliced (&frame, frame.size - 1, 1, &by);
    refused_frame (&claim, "cut off, malformed or nested");
    frame_free (&by);
    frame_free (&frame);
}

#define CLAIM(...) claim_refused ((const uint8_t[]){__VA_ARGS__}, sizeof ((const uint8_t[]){__VA_ARGS__}))

Test (refused, a_count_the_frame_cannot_hold_is_refused)
{
    CLAIM (0xdd, 0x10, 0, 0, 0);          /* an array of 2^28 */
    CLAIM (0xdd, 0xff, 0xff, 0xff, 0xff); /* of 2^32 - 1 */
    CLAIM (0xdc, 0xff, 0xff, 1);          /* of 65535, one there */
    CLAIM (0xdf, 0x80, 0, 0, 0);          /* a map of 2^31: twice that overflows 32 bits */
    CLAIM (0x91, 0xdd, 0x10, 0, 0, 0);    /* within an array */
    CLAIM (0x9f, 1);                      /* a short one */
    CLAIM (0x8f, 1, 1);
    CLAIM (0xdb, 0xff, 0xff, 0xff, 0xff, 'a'); /* a str of 2^32 - 1 */
    CLAIM (0xc6, 0xff, 0xff, 0xff, 0xff, 'a'); /* bin */
    CLAIM (0xc9, 0xff, 0xff, 0xff, 0xff, 0);   /* ext: with its type that is 2^32 */
    CLAIM (0xd8, 0, 0);                        /* ext of 16 */
    CLAIM (0xbf, 'a');                         /* a short str */
    CLAIM (0xcf, 0, 0, 0, 0, 0, 0, 0);         /* a number cut off */
    CLAIM (0xc1);                              /* never used */
}

Test (refused, nesting_has_its_limit)
{
    accepted ("{type:hello, x:[[[[[[[]]]]]]]}");
    refused ("{type:hello, x:[[[[[[[[]]]]]]]]}", "nested");
    frame_t deep = {malloc (1 << 20), 1 << 20};
    memset (deep.data, 0x91, deep.size);
    memcpy (deep.data, "\x81\xa1x", 3);
    refused_frame (&deep, "nested");
}

/* Every width a number may be written in is the same number. */
Test (refused, a_number_may_be_written_wide)
{
    static const uint8_t widths[][9] = {{7},
                                        {0xcc, 7},
                                        {0xcd, 0, 7},
                                        {0xce, 0, 0, 0, 7},
                                        {0xcf, 0, 0, 0, 0, 0, 0, 0, 7},
                                        {0xd0, 7},
                                        {0xd1, 0, 7},
                                        {0xd2, 0, 0, 0, 7},
                                        {0xd3, 0, 0, 0, 0, 0, 0, 0, 7}};
    static const size_t sizes[] = {1, 2, 3, 5, 9, 2, 3, 5, 9};
    for (size_t i = 0; i < COUNT_OF (sizes); i++) {
        rm_msg_t msg;
        frame_t frame = frame_of ("{type:left, inc:1, term:nil}"), by = frame_copy (widths[i], sizes[i]);
        frame_t wide = spliced (&frame, frame.size - 1, 1, &by);
        cr_assert_eq (rm_msg_decode (&msg, wide.data, wide.size, NULL), 0);
        cr_assert_eq (msg.left.term, 7);
        rm_msg_close (&msg);
        frame_free (&frame);
        frame_free (&by);
        frame_free (&wide);
    }
}
