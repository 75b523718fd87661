/*  Helpers of the tests that hand the codec what is no message. Frames lie in heap blocks of exactly their size, so that
 *  ASan sees a read behind one; the codec's memory is counted, so that one it keeps shows without ASan too.
 */
#pragma once

#include "msg_samples.h"
#include "notation.h"
#include "proto/alloc.h"
#include "proto/msg.h"
#include "ringmaster/error.h"

static int blocks; /* that the codec has allocated now */

static inline void *counting_resize (void *memory, size_t size)
{
    blocks += memory == NULL;
    return realloc (memory, size);
}

static inline void counting_release (void *memory)
{
    blocks -= memory != NULL;
    free (memory);
}

static inline void hostile_init (void)
{
    static const rm_allocator_t counting = {counting_resize, counting_release};
    rm_alloc_set (&counting);
    samples_init ();
}

/* Decodes; what is accepted must be a message that we can write, and that is the same when it is read again. */
static inline int hostile_decode (const frame_t *frame, const char **why)
{
    rm_msg_t msg, again;
    rm_buf_t buf = {0}, second = {0};
    int rc = rm_msg_decode (&msg, frame->data, frame->size, why);
    cr_assert (rc == 0 || blocks == 0, "a refused message keeps %d blocks of memory", blocks);
    if (rc)
        return rc;
    cr_assert_eq (rm_msg_encode (&msg, &buf), 0);
    cr_assert_eq (rm_msg_decode (&again, buf.data, buf.size, why), 0, "%s", *why);
    cr_assert_eq (rm_msg_encode (&again, &second), 0);
    cr_assert_eq (buf.size, second.size);
    cr_assert_arr_eq (buf.data, second.data, buf.size);
    rm_msg_close (&again);
    rm_msg_close (&msg);
    rm_buf_close (&second);
    rm_buf_close (&buf);
    return 0;
}

static inline void refused_frame (frame_t *frame, const char *says)
{
    const char *why = NULL;
    cr_assert_eq (hostile_decode (frame, &why), RM_EPROTO, "accepted; should say: %s", says);
    cr_assert_not_null (why);
    cr_assert_not_null (strstr (why, says), "says '%s' instead of '%s'", why, says);
    frame_free (frame);
}

/* The notation is refused with a sentence that contains `says`. */
static inline void refused (const char *notation, const char *says)
{
    frame_t frame = frame_of (notation);
    refused_frame (&frame, says);
}

static inline void accepted (const char *notation)
{
    const char *why = "";
    frame_t frame = frame_of (notation);
    cr_assert_eq (hostile_decode (&frame, &why), 0, "%s: %s", notation, why);
    frame_free (&frame);
}

/* A frame with the `size` bytes at `at` replaced. */
static inline frame_t spliced (const frame_t *frame, size_t at, size_t size, const frame_t *by)
{
    frame_t out = {malloc (frame->size - size + by->size), frame->size - size + by->size};
    memcpy (out.data, frame->data, at);
    if (by->size)
        memcpy (out.data + at, by->data, by->size);
    memcpy (out.data + at + by->size, frame->data + at + size, frame->size - at - size);
    return out;
}
