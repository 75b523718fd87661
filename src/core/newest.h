/*  A publisher's memory: the newest value of each topic, with the number of what was published of it. It numbers what
 *  is sent, says which topics have fallen silent since, and hands out what late joiners ask for.
 *
 *  Bounded in topics and in bytes: what would go beyond is refused, so that every topic there is has its value here.
 *  A topic that falls silent is named again, only its number, after RM_NEWEST_QUIET_MS and then in growing distances:
 *  who missed the last of it learns that, though nothing follows.
 *
 *  Invariants: seqs of a topic grow by one; `bytes` is the sum of the values. Topics are never taken away.
 *  Thread rule: none of its own; pure.
 */
#pragma once

#include "core/heap.h"
#include "proto/news.h"

enum { RM_NEWEST_QUIET_MS = 250, RM_NEWEST_QUIET_MS_MAX = 8000 };

typedef struct rm_newest_topic rm_newest_topic_t;

typedef struct {
    rm_newest_topic_t *topics; /* hash; in the order in which they were first published */
    rm_heap_t silent;          /* when to name which topic again */
    size_t count, count_max;
    size_t bytes, bytes_max;
} rm_newest_t;

/* What is being handed out to one that has asked. */
typedef struct {
    uint64_t asker;
    uint8_t pattern[RM_NEWS_PATTERN_BYTES_MAX];
    uint32_t pattern_size;
    uint32_t part;           /* the next one */
    rm_newest_topic_t *next; /* where it goes on */
} rm_newest_answer_t;

void rm_newest_init (rm_newest_t *self, size_t count_max, size_t bytes_max);
void rm_newest_close (rm_newest_t *self);

/* Makes `data` the newest value of `topic`; `item` is it, numbered, and lives until the next put of that topic. 0,
 * RM_EINVAL (not a topic), RM_ETOOBIG (data, or more topics or bytes than may be), RM_ENOMEM; then nothing has
 * changed. */
int rm_newest_put (rm_newest_t *self, rm_bytes_t topic, rm_bytes_t data, uint64_t now_ms, rm_news_item_t *item);

/* The next topic that has been silent for long enough, without its value; false if there is none now. */
bool rm_newest_silent (rm_newest_t *self, uint64_t now_ms, rm_news_item_t *item);
/* When to ask again; UINT64_MAX: not before something was put. */
uint64_t rm_newest_due (const rm_newest_t *self);

/* Begins an answer. */
void rm_newest_ask (const rm_newest_t *self, uint64_t asker, rm_bytes_t pattern, rm_newest_answer_t *answer);
/* Collects the next part, up to RM_NEWS_PART_ITEMS_MAX items in `items`; how many. `last` says that no part follows.
 * Between parts others may be put. */
uint32_t rm_newest_part (rm_newest_answer_t *answer, rm_news_item_t *items, bool *last);
