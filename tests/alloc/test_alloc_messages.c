/*  The codec without memory: each message is refused with RM_ENOMEM, and goes there and back the next time. */
#include "sweep.h"

#include "msg_same.h"
#include "msg_samples.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

static void write_message (const rm_msg_t *msg, rm_buf_t *frame)
{
    int rc = rm_msg_encode (msg, frame);
    cr_assert_eq (rc == 0, !memory_failed (), "%s: %d", rm_msg_name (msg->type), rc);
    if (!rc)
        return;
    cr_assert_eq (rc, RM_ENOMEM);
    memory_returns ();
    rm_buf_clear (frame);
    cr_assert_eq (rm_msg_encode (msg, frame), 0);
}

static void read_message (rm_msg_t *msg, const rm_buf_t *frame)
{
    const char *why = NULL;
    bool before = memory_failed ();
    int rc = rm_msg_decode (msg, frame->data, frame->size, &why);
    cr_assert_eq (rc != 0, memory_failed () && !before);
    if (!rc)
        return;
    cr_assert_eq (rc, RM_ENOMEM, "%d: %s", rc, why);
    cr_assert_null (msg->arrays);
    memory_returns ();
    cr_assert_eq (rm_msg_decode (msg, frame->data, frame->size, &why), 0, "%s", why);
}

static int sample; /* of this story */

static void there_and_back (void)
{
    rm_msg_t msg = sample_message (sample), back;
    rm_buf_t frame = {0};
    memory_counts (true);
    write_message (&msg, &frame);
    read_message (&back, &frame);
    const char *differs = difference (&msg, &back);
    cr_assert_null (differs, "%s of %s", differs, rm_msg_name (msg.type));
    rm_msg_close (&back);
    rm_buf_close (&frame);
}

Test (alloc_messages, each_goes_there_and_back_once_there_is_memory)
{
    samples_init ();
    for (sample = 0; sample < SAMPLES; sample++)
        sweep (there_and_back, 1);
}
