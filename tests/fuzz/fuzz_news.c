/*  Publish and subscribe: frames, each behind its length, as a subscriber receives them from a publisher that says what it
 *  likes. Each is answered; what is taken is the same when it is written and read again; of each topic and incarnation
 *  numbers only grow; nothing is kept that the frames do not justify. The same bytes are also read as what a publisher
 *  receives.
 */
#include <string.h>

#include "core/follow.h"
#include "counting_alloc.h"
#include "fuzz.h"
#include "ringmaster/error.h"

/* Topics are few bytes of a frame each, and one takes an entry and its share of the table. */
enum { BYTES_A_BYTE = 256, BYTES_ANYHOW = 16384, ITEMS_MAX = RM_NEWS_PART_ITEMS_MAX };

static void read_again (const rm_news_frame_t *frame, const rm_buf_t *buf)
{
    const char *why = "";
    rm_news_frame_t again;
    rm_news_item_t one, other;
    rm_news_frame_t rest = *frame;
    CLAIM (!rm_news_decode (&again, buf->data, buf->size, &why), "%s", why);
    CLAIM (again.kind == frame->kind && again.inc == frame->inc && again.asker == frame->asker &&
           again.part == frame->part && again.last == frame->last && again.count == frame->count);
    CLAIM (rm_bytes_equal (again.item.topic, frame->item.topic) && again.item.seq == frame->item.seq &&
           rm_bytes_equal (again.item.data, frame->item.data));
    while (rm_news_next (&rest, &one)) {
        CLAIM (rm_news_next (&again, &other));
        CLAIM (rm_bytes_equal (one.topic, other.topic) && one.seq == other.seq &&
               rm_bytes_equal (one.data, other.data));
    }
    CLAIM (!rm_news_next (&again, &other));
}

static void there_and_back (const rm_news_frame_t *frame)
{
    static rm_news_item_t items[ITEMS_MAX];
    rm_buf_t buf = {0};
    rm_news_frame_t rest = *frame;
    uint32_t count = 0;
    while (rm_news_next (&rest, &items[count]))
        count++;
    if (frame->kind == RM_NEWS_LIVE)
        CLAIM (!rm_news_encode (&frame->item, frame->inc, &buf));
    else
        CLAIM (!rm_news_encode_kept (frame->asker, frame->pattern, frame->inc, frame->part, frame->last, items, count,
                                     &buf));
    read_again (frame, &buf);
    rm_buf_close (&buf);
}

static void take (rm_follow_t *follow, rm_news_frame_t *frame, uint64_t now_ms)
{
    rm_news_item_t item = frame->item;
    rm_follow_given_t given;
    uint64_t missed = follow->missed;
    if (!rm_follow_frame (follow, frame, now_ms))
        return;
    while (frame->kind == RM_NEWS_LIVE || rm_news_next (frame, &item)) {
        int rc = rm_follow_item (follow, &item, &given);
        CLAIM (rc == 0 || rc == 1);
        CLAIM (rc == 0 || (given.missed < item.seq && item.data.data && follow->missed >= missed));
        CLAIM (rm_follow_item (follow, &item, &given) == 0, "given twice");
        if (frame->kind == RM_NEWS_LIVE)
            break;
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuzz_input_t input = {data, data + size};
    rm_follow_t follow;
    uint64_t asker = 0, now_ms = 0;
    rm_bytes_t pattern;
    if (rm_news_question_read (data, size, &asker, &pattern))
        CLAIM (rm_pattern_valid (pattern) && pattern.size <= size);
    count_allocations (-1);
    rm_follow_init (&follow);
    CLAIM (!rm_follow_add (&follow, rm_bytes ("t/"), now_ms));
    for (asker = 0; fuzz_more (&input); now_ms += 100) {
        rm_follow_pattern_t *due = rm_follow_due (&follow, now_ms);
        if (due)
            rm_follow_asked (due, ++asker, now_ms);
        CLAIM (!rm_follow_due (&follow, now_ms) && rm_follow_due_ms (&follow) > now_ms);
        size_t length = fuzz_number (&input, 2);
        const uint8_t *at = fuzz_bytes (&input, &length);
        const char *why = NULL;
        rm_news_frame_t frame;
        if (rm_news_decode (&frame, at, length, &why)) {
            CLAIM (why && *why);
            continue;
        }
        there_and_back (&frame);
        take (&follow, &frame, now_ms);
    }
    CLAIM (counted.bytes <= size * BYTES_A_BYTE + BYTES_ANYHOW, "%zu bytes for %zu", counted.bytes, size);
    rm_follow_close (&follow);
    CLAIM (!counted.blocks, "%ld blocks are lost", counted.blocks);
    count_no_more ();
    return 0;
}
