/*  What a publisher and its subscribers say to each other (docs/pubsub.md, "On the wire").
 *
 *  Every frame begins with bytes that ZeroMQ compares with the subscriptions, so that filtering is exact:
 *
 *      01 topic 00              then [1, inc, seq, data]: news; data is nil: only says what the newest seq is
 *      02 asker size pattern    then [1, inc, part, last, [[topic, seq, data], …]]: values that were kept, for one asker
 *
 *  A subscription is such a beginning. 01 and a pattern asks for the news of all topics that the pattern matches: it is the
 *  beginning of the topic with the 00 behind it, so that a pattern that ends in 00 is one topic. 02, an asker (64 random bits),
 *  the pattern's size and the pattern asks for what was kept of them; nobody else receives that.
 *
 *  Decoding trusts nothing and allocates nothing: strings and bytes alias the frame.
 *  Thread rule: pure functions.
 */
#pragma once

#include "proto/msg.h"
#include "proto/scan.h"

enum {
    RM_NEWS_PATTERN_BYTES_MAX = RM_TOPIC_BYTES_MAX + 1,             /* a whole topic and the 00 */
    RM_NEWS_HEAD_BYTES_MAX = 1 + 8 + 1 + RM_NEWS_PATTERN_BYTES_MAX, /* what a subscription can be */
};

typedef struct {
    rm_bytes_t topic;
    uint64_t seq;    /* of the topic, from 1 */
    rm_bytes_t data; /* data.data == NULL: not said */
} rm_news_item_t;

typedef enum { RM_NEWS_LIVE, RM_NEWS_KEPT } rm_news_kind_t;

typedef struct {
    rm_news_kind_t kind;
    uint64_t inc;        /* the publisher's incarnation, never 0 */
    rm_news_item_t item; /* of LIVE */
    uint64_t asker;      /* of KEPT, as what follows */
    rm_bytes_t pattern;
    uint32_t part; /* from 0 */
    bool last;     /* no part follows */
    uint32_t count;
    rm_cursor_t items; /* those not yet taken by rm_news_next */
} rm_news_frame_t;

/* A topic is 1 … RM_TOPIC_BYTES_MAX bytes, none of them a control character; a pattern the beginning of one (of any length,
 * 0 too), or a whole one and 00. */
bool rm_topic_valid (rm_bytes_t topic);
bool rm_pattern_valid (rm_bytes_t pattern);
bool rm_pattern_matches (rm_bytes_t pattern, rm_bytes_t topic);

/* Writes the beginnings: at most RM_NEWS_HEAD_BYTES_MAX; how many bytes. */
size_t rm_news_subscription (uint8_t *to, rm_bytes_t pattern);
size_t rm_news_question (uint8_t *to, uint64_t asker, rm_bytes_t pattern);
/* Reads what a publisher received: true if it begins a subscription (01 in front) that is such a question. */
bool rm_news_question_read (const void *data, size_t size, uint64_t *asker, rm_bytes_t *pattern);

/* Appends a frame to `buf`; 0 or RM_ENOMEM (look at it once, here). */
int rm_news_encode (const rm_news_item_t *item, uint64_t inc, rm_buf_t *buf);
int rm_news_encode_kept (uint64_t asker, rm_bytes_t pattern, uint64_t inc, uint32_t part, bool last,
                         const rm_news_item_t *items, uint32_t count, rm_buf_t *buf);

/* Reads a frame, whole: what rm_news_next hands out later was looked at. 0, or RM_EPROTO with a sentence in `*why`. */
int rm_news_decode (rm_news_frame_t *self, const void *data, size_t size, const char **why);
/* The next kept value; false if there is none left. */
bool rm_news_next (rm_news_frame_t *self, rm_news_item_t *item);
