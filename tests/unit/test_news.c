/*  What publishers and subscribers say to each other: topics and patterns, both kinds of frames, and what is refused. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/splitmix.h"
#include "proto/news.h"
#include "ringmaster/error.h"

static rm_bytes_t bytes (const char *data, uint32_t size)
{
    return (rm_bytes_t){data, size};
}

Test (news, a_pattern_is_the_beginning_of_a_topic_or_all_of_it)
{
    rm_bytes_t topic = rm_bytes ("prices/eur");
    cr_assert (rm_pattern_matches (rm_bytes (""), topic));
    cr_assert (rm_pattern_matches (rm_bytes ("p"), topic));
    cr_assert (rm_pattern_matches (rm_bytes ("prices/eur"), topic));
    cr_assert (rm_pattern_matches (bytes ("prices/eur\0", 11), topic));
    cr_assert_not (rm_pattern_matches (rm_bytes ("prices/eurx"), topic));
    cr_assert_not (rm_pattern_matches (rm_bytes ("x"), topic));
    cr_assert_not (rm_pattern_matches (bytes ("prices/eu\0", 10), topic));
    cr_assert_not (rm_pattern_matches (bytes ("prices/eur\0", 11), rm_bytes ("prices/eurx")));
}

Test (news, topics_and_patterns_have_their_limits)
{
    char text[RM_TOPIC_BYTES_MAX + 3];
    memset (text, 'a', sizeof text);
    cr_assert (rm_topic_valid (bytes (text, RM_TOPIC_BYTES_MAX)));
    cr_assert_not (rm_topic_valid (bytes (text, RM_TOPIC_BYTES_MAX + 1)));
    cr_assert_not (rm_topic_valid (bytes (text, 0)));
    cr_assert_not (rm_topic_valid (rm_bytes ("a\tb")));
    cr_assert (rm_topic_valid (rm_bytes ("größe")));
    cr_assert (rm_pattern_valid (bytes (text, 0)));
    cr_assert (rm_pattern_valid (bytes (text, RM_TOPIC_BYTES_MAX)));
    cr_assert_not (rm_pattern_valid (bytes (text, RM_TOPIC_BYTES_MAX + 1)));
    cr_assert_not (rm_pattern_valid (bytes ("\0", 1)));
    cr_assert_not (rm_pattern_valid (bytes ("a\0b", 3)));
    cr_assert_not (rm_pattern_valid (bytes ("a\0\0", 3)));
    text[RM_TOPIC_BYTES_MAX] = 0;
    cr_assert (rm_pattern_valid (bytes (text, RM_TOPIC_BYTES_MAX + 1)));
}

Test (news, a_subscription_matches_the_frames_it_asks_for_and_no_others)
{
    uint8_t head[RM_NEWS_HEAD_BYTES_MAX];
    rm_buf_t live = {0}, kept = {0};
    rm_news_item_t item = {rm_bytes ("ab"), 7, rm_bytes ("data")};
    rm_bytes_t pattern = rm_bytes ("a");
    cr_assert_eq (rm_news_encode (&item, 5, &live), 0);
    cr_assert_eq (rm_news_encode_kept (9, pattern, 5, 0, true, &item, 1, &kept), 0);
    size_t size = rm_news_subscription (head, bytes ("ab\0", 3));
    cr_assert (!memcmp (live.data, head, size) && memcmp (kept.data, head, size));
    size = rm_news_subscription (head, rm_bytes ("")); /* everything: but not what another one has asked for */
    cr_assert (!memcmp (live.data, head, size) && memcmp (kept.data, head, size));
    size = rm_news_question (head, 9, pattern);
    cr_assert (memcmp (live.data, head, size) && !memcmp (kept.data, head, size));
    size = rm_news_question (head, 8, pattern);
    cr_assert (memcmp (kept.data, head, size));
    size = rm_news_question (head, 9, rm_bytes ("ab"));
    cr_assert (memcmp (kept.data, head, size));
    rm_buf_close (&live);
    rm_buf_close (&kept);
}

Test (news, a_question_is_read_back_and_nothing_else_is_one)
{
    uint8_t frame[1 + RM_NEWS_HEAD_BYTES_MAX];
    char text[RM_NEWS_PATTERN_BYTES_MAX] = {0};
    uint64_t asker = 0;
    rm_bytes_t pattern;
    memset (text, 'x', RM_TOPIC_BYTES_MAX);
    frame[0] = 1;
    size_t size = 1 + rm_news_question (frame + 1, 0x0123456789abcdef, bytes (text, sizeof text));
    cr_assert_eq (size, sizeof frame);
    cr_assert (rm_news_question_read (frame, size, &asker, &pattern));
    cr_assert_eq (asker, 0x0123456789abcdef);
    cr_assert (rm_bytes_equal (pattern, bytes (text, sizeof text)));
    for (size_t cut = 0; cut < size; cut++)
        cr_assert_not (rm_news_question_read (frame, cut, &asker, &pattern), "cut to %zu", cut);
    frame[0] = 0; /* no longer */
    cr_assert_not (rm_news_question_read (frame, size, &asker, &pattern));
    frame[0] = frame[1] = 1; /* of news */
    cr_assert_not (rm_news_question_read (frame, size, &asker, &pattern));
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static const rm_news_item_t items[] = {
    {{"t/one", 5}, 1, {"", 0}}, {{"t/two", 5}, UINT64_MAX, {"a\0b", 3}}, {{"t/three", 7}, 300, {NULL, 0}}};
enum { ITEMS = sizeof items / sizeof *items };

static void same (const rm_news_item_t *one, const rm_news_item_t *other)
{
    cr_assert (rm_bytes_equal (one->topic, other->topic));
    cr_assert_eq (one->seq, other->seq);
    cr_assert (rm_bytes_equal (one->data, other->data));
    cr_assert_eq (!one->data.data, !other->data.data);
}

Test (news, what_is_written_is_read)
{
    const char *why = "";
    rm_news_frame_t frame;
    rm_news_item_t item;
    rm_buf_t buf = {0};
    for (int i = 0; i < ITEMS; i++) {
        cr_assert_eq (rm_news_encode (&items[i], 77, &buf), 0);
        cr_assert_eq (rm_news_decode (&frame, buf.data, buf.size, &why), 0, "%s", why);
        cr_assert (frame.kind == RM_NEWS_LIVE && frame.inc == 77);
        same (&frame.item, &items[i]);
        cr_assert_not (rm_news_next (&frame, &item));
        rm_buf_clear (&buf);
    }
    cr_assert_eq (rm_news_encode_kept (9, rm_bytes ("t/"), 77, 4, false, items, ITEMS, &buf), 0);
    cr_assert_eq (rm_news_decode (&frame, buf.data, buf.size, &why), 0, "%s", why);
    cr_assert (frame.kind == RM_NEWS_KEPT && frame.inc == 77 && frame.asker == 9 && frame.part == 4 && !frame.last);
    cr_assert (rm_bytes_equal (frame.pattern, rm_bytes ("t/")));
    for (int i = 0; i < ITEMS; i++) {
        cr_assert (rm_news_next (&frame, &item));
        same (&item, &items[i]);
    }
    cr_assert_not (rm_news_next (&frame, &item));
    rm_buf_close (&buf);
}

static void refused (const void *data, size_t size, const char *says)
{
    const char *why = NULL;
    rm_news_frame_t frame;
    uint8_t *copy = malloc (size ? size : 1); /* of exactly its size: a sanitizer sees a read behind it */
    memcpy (copy, data, size);
    cr_assert_eq (rm_news_decode (&frame, copy, size, &why), RM_EPROTO, "accepted; should say: %s", says);
    cr_assert (why && strstr (why, says), "says '%s' instead of '%s'", why, says);
    free (copy);
}
#define REFUSED(text, says) refused (text, sizeof (text) - 1, says)

Test (news, what_is_no_message_is_refused_with_a_sentence)
{
    REFUSED ("", "empty");
    REFUSED ("\x03", "neither");
    REFUSED ("\x01topic", "does not end");
    REFUSED ("\x01\0\x94\x01\x01\x01\xc0", "empty or has control");
    REFUSED ("\x01"
             "a\nb\0\x94\x01\x01\x01\xc0",
             "control");
    REFUSED ("\x01t\0\x93\x01\x01\x01", "not [version");          /* too few */
    REFUSED ("\x01t\0\x94\x01\x00\x01\xc0", "not [version");      /* incarnation 0 */
    REFUSED ("\x01t\0\x94\x01\x01\x00\xc0", "not [version");      /* seq 0 */
    REFUSED ("\x01t\0\x94\x01\x01\x01\x05", "not [version");      /* a number for data */
    REFUSED ("\x01t\0\x94\x01\x01\x01\xc4\x05x", "not [version"); /* more bytes than there are */
    REFUSED ("\x01t\0\x94\x01\x01\x01\xc0\xc0", "bytes follow");
    REFUSED ("\x02"
             "12345678",
             "for whom");
    REFUSED ("\x02"
             "12345678\x05"
             "abc",
             "for whom");
    REFUSED ("\x02"
             "12345678\x00\x95\x01\x01\x00\xc3\xdd\xff\xff\xff\xff",
             "not [version");
    REFUSED ("\x02"
             "12345678\x00\x95\x01\x01\x00\xc3\x91\x93\xa1t\x00\xc0",
             "not [topic");
    REFUSED ("\x02"
             "12345678\x01"
             "x\x95\x01\x01\x00\xc3\x91\x93\xa1t\x01\xc0",
             "asked for");
    REFUSED ("\x02"
             "12345678\x00\x96\x01\x01\x00\xc3\x90\xc4\x05",
             "cut off");
}

Test (news, a_newer_peer_may_say_more)
{
    static const char live[] = "\x01t\0\x95\x02\x01\x01\xc0\x81\xa1x\x90";
    static const char kept[] = "\x02"
                               "12345678\x00\x96\x02\x01\x00\xc3\x91\x94\xa1t\x01\xc0\xc3\x01";
    const char *why = "";
    rm_news_frame_t frame;
    rm_news_item_t item;
    cr_assert_eq (rm_news_decode (&frame, live, sizeof live - 1, &why), 0, "%s", why);
    cr_assert_eq (rm_news_decode (&frame, kept, sizeof kept - 1, &why), 0, "%s", why);
    cr_assert (rm_news_next (&frame, &item) && item.seq == 1);
}

/* Every byte of a frame, replaced by others and the frame cut there: answered, never trusted. */
Test (news, a_frame_that_is_bent_anywhere_does_no_harm)
{
    rm_buf_t buf = {0};
    uint64_t state = 1;
    cr_assert_eq (rm_news_encode_kept (9, rm_bytes ("t"), 77, 4, false, items, ITEMS, &buf), 0);
    for (int round = 0; round < 200000; round++) {
        const char *why = NULL;
        rm_news_frame_t frame;
        rm_news_item_t item;
        uint64_t bits = rm_splitmix (&state);
        size_t at = bits % buf.size, size = bits >> 32 & 1 ? buf.size : at + 1;
        uint8_t before = buf.data[at];
        buf.data[at] = (uint8_t)(bits >> 40);
        if (!rm_news_decode (&frame, buf.data, size, &why))
            while (rm_news_next (&frame, &item))
                cr_assert (rm_topic_valid (item.topic) && item.seq);
        else
            cr_assert (why && *why);
        buf.data[at] = before;
    }
    rm_buf_close (&buf);
}
