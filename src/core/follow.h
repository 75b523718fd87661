/*  A subscriber's memory: what it has seen of each topic, so that it gives each message once, in order, and counts what
 *  never came. It asks for the values that a publisher keeps, for each of its patterns, and again when an answer did
 *  not come whole or a silent topic turns out to have gone on without it.
 *
 *  A number that is left out is a loss, never a delay: what a connection carries keeps its order, and an answer is no
 *  older than the news before it. The first message of a topic is a beginning while the pattern's first answer has not
 *  come, and is counted from number 1 after that: the topic has begun since.
 *
 *  Thread rule: none of its own; pure. Random bits come in as the number of an asker.
 */
#pragma once

#include "proto/news.h"

enum {
    RM_FOLLOW_PATTERNS_MAX = 64,
    RM_FOLLOW_PATIENCE_MS = 500,      /* for an answer, before it is asked for again; grows up to */
    RM_FOLLOW_PATIENCE_MS_MAX = 8000, /* this, and is forgotten after four times as long without a need to ask */
};

typedef struct {
    uint8_t bytes[RM_NEWS_PATTERN_BYTES_MAX];
    uint32_t size;
    uint64_t asker;    /* of the newest question */
    uint64_t asked_ms; /* or when its newest part came */
    uint64_t patience_ms;
    uint32_t part; /* the one that comes next */
    bool complete; /* the answer has come whole */
    bool begun;    /* one has, at some time: topics that are new since then began at number 1 */
} rm_follow_pattern_t;

typedef struct rm_follow_topic rm_follow_topic_t;

typedef struct {
    rm_follow_topic_t *topics; /* hash */
    rm_follow_pattern_t patterns[RM_FOLLOW_PATTERNS_MAX];
    uint32_t pattern_count;
    uint64_t inc;    /* the publisher's; 0: none was heard yet */
    bool restarted;  /* it is another one, and no message of it was given yet */
    uint64_t missed; /* in all */
} rm_follow_t;

/* What is known of a message that is to be given. */
typedef struct {
    uint64_t missed; /* of the same topic, between this one and the one given before */
    bool restarted;  /* the first one of another incarnation of the publisher */
} rm_follow_given_t;

void rm_follow_init (rm_follow_t *self);
void rm_follow_close (rm_follow_t *self);

/* Adds a pattern; its first question is due at once. 0, RM_EINVAL (not one, or there already), RM_ETOOBIG (too
 * many). */
int rm_follow_add (rm_follow_t *self, rm_bytes_t pattern, uint64_t now_ms);

/* The pattern whose question is due to be asked, NULL if there is none. The caller takes its `asker` back, if that is
 * not 0, and calls rm_follow_asked. */
rm_follow_pattern_t *rm_follow_due (rm_follow_t *self, uint64_t now_ms);
void rm_follow_asked (rm_follow_pattern_t *pattern, uint64_t asker, uint64_t now_ms);
/* When the next one is due. UINT64_MAX: none, unless something comes. */
uint64_t rm_follow_due_ms (const rm_follow_t *self);

/* A frame has come: to be called once for each, before its messages. A frame for another asker is to be dropped:
 * false. */
bool rm_follow_frame (rm_follow_t *self, const rm_news_frame_t *frame, uint64_t now_ms);
/* A message of it, live or kept. 1: give it, with what `given` says; 0: nothing to give; RM_ENOMEM; RM_EPROTO: more
 * topics than a publisher has. */
int rm_follow_item (rm_follow_t *self, const rm_news_item_t *item, rm_follow_given_t *given);
