/*  The wire: whatever a frame holds, rm_msg_decode answers, keeps no memory of what it refuses, asks for no more than the
 *  frame justifies, and what it takes is a message that is the same when it is written and read again.
 */
#include <stdlib.h>

#include "counting_alloc.h"
#include "fuzz.h"
#include "msg_same.h"
#include "proto/scan.h"
#include "ringmaster/error.h"

/* An element of one byte may claim a place of 80 (a job of a submit). */
enum { BYTES_A_BYTE = 128, BYTES_ANYHOW = 4096 };

static void there_and_back (const rm_msg_t *msg)
{
    rm_buf_t frame = {0}, again = {0};
    rm_msg_t back;
    const char *why = "";
    CLAIM (!rm_msg_encode (msg, &frame));
    CLAIM (frame.size <= RM_FRAME_BYTES_MAX);
    CLAIM (!rm_msg_decode (&back, frame.data, frame.size, &why), "%s", why);
    const char *differs = difference (msg, &back);
    CLAIM (!differs, "%s of %s", differs, rm_msg_name (msg->type));
    CLAIM (!rm_msg_encode (&back, &again));
    CLAIM (again.size == frame.size && !memcmp (again.data, frame.data, frame.size), "one message, two spellings");
    rm_msg_close (&back);
    rm_buf_close (&frame);
    rm_buf_close (&again);
}

/* A message fills its frame. */
static void claim_whole (const uint8_t *data, size_t size)
{
    rm_cursor_t cursor = {data, data + size};
    CLAIM (rm_scan_skip (&cursor, RM_MESSAGE_DEPTH_MAX), "it is nested too deeply");
    CLAIM (cursor.at == cursor.end, "bytes follow the message");
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    rm_msg_t msg;
    const char *why = NULL;
    count_allocations (-1);
    int rc = rm_msg_decode (&msg, data, size, &why);
    CLAIM (counted.most <= size * BYTES_A_BYTE + BYTES_ANYHOW, "%zu bytes for %zu", counted.most, size);
    CLAIM (!rc || (rc == RM_EPROTO && why && *why));
    CLAIM (!rc || !counted.blocks, "a refused message keeps memory");
    if (!rc) {
        CLAIM (msg.type > RM_MSG_NONE && msg.type < RM_MSG_TYPES);
        claim_whole (data, size);
        there_and_back (&msg);
        rm_msg_close (&msg);
    }
    CLAIM (!counted.blocks, "%ld blocks are lost", counted.blocks);
    count_no_more ();
    return 0;
}
