#include "core/follow.h"

#include "core/hash.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

struct rm_follow_topic {
    uint64_t seq; /* of the newest message that was given */
    uint32_t name_size;
    UT_hash_handle hh;
    char name[];
};

void rm_follow_init (rm_follow_t *self)
{
    *self = (rm_follow_t){0};
}

static void forget_topics (rm_follow_t *self)
{
    rm_follow_topic_t *topic, *next;
    HASH_ITER (hh, self->topics, topic, next) {
        HASH_DEL (self->topics, topic);
        rm_free (topic);
    }
}

void rm_follow_close (rm_follow_t *self)
{
    forget_topics (self);
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static rm_bytes_t bytes_of (const rm_follow_pattern_t *pattern)
{
    return (rm_bytes_t){pattern->bytes, pattern->size};
}

int rm_follow_add (rm_follow_t *self, rm_bytes_t bytes, uint64_t now_ms)
{
    if (!rm_pattern_valid (bytes))
        return RM_EINVAL;
    for (uint32_t i = 0; i < self->pattern_count; i++)
        if (rm_bytes_equal (bytes_of (&self->patterns[i]), bytes))
            return RM_EINVAL;
    if (self->pattern_count == RM_FOLLOW_PATTERNS_MAX)
        return RM_ETOOBIG;
    rm_follow_pattern_t *pattern = &self->patterns[self->pattern_count++];
    *pattern = (rm_follow_pattern_t){.size = bytes.size, .asked_ms = now_ms};
    if (bytes.size)
        memcpy (pattern->bytes, bytes.data, bytes.size);
    return 0;
}

static uint64_t due_ms (const rm_follow_pattern_t *pattern)
{
    return pattern->complete ? UINT64_MAX : pattern->asked_ms + pattern->patience_ms;
}

rm_follow_pattern_t *rm_follow_due (rm_follow_t *self, uint64_t now_ms)
{
    for (uint32_t i = 0; i < self->pattern_count; i++)
        if (due_ms (&self->patterns[i]) <= now_ms)
            return &self->patterns[i];
    return NULL;
}

void rm_follow_asked (rm_follow_pattern_t *pattern, uint64_t asker, uint64_t now_ms)
{
    uint64_t longer = 2 * pattern->patience_ms;
    if (!longer || now_ms - pattern->asked_ms > 4 * RM_FOLLOW_PATIENCE_MS_MAX)
        longer = RM_FOLLOW_PATIENCE_MS;
    pattern->patience_ms = longer < RM_FOLLOW_PATIENCE_MS_MAX ? longer : RM_FOLLOW_PATIENCE_MS_MAX;
    pattern->asker = asker;
    pattern->asked_ms = now_ms;
    pattern->part = 0;
}

uint64_t rm_follow_due_ms (const rm_follow_t *self)
{
    uint64_t first = UINT64_MAX;
    for (uint32_t i = 0; i < self->pattern_count; i++)
        if (due_ms (&self->patterns[i]) < first)
            first = due_ms (&self->patterns[i]);
    return first;
}

/* ---- what comes -------------------------------------------------------------------------------------------------- */

/* Another incarnation: its numbers begin anew, and what it keeps has to come (its connection asks by itself). */
static void begin_anew (rm_follow_t *self, uint64_t inc, uint64_t now_ms)
{
    self->restarted = self->inc != 0;
    self->inc = inc;
    forget_topics (self);
    for (uint32_t i = 0; i < self->pattern_count; i++) {
        self->patterns[i].complete = false;
        self->patterns[i].part = 0;
        self->patterns[i].asked_ms = now_ms;
    }
}

/* The parts of an answer come in their order; the first one may begin again, after a connection was renewed. */
static bool take_part (rm_follow_t *self, const rm_news_frame_t *frame, uint64_t now_ms)
{
    for (uint32_t i = 0; i < self->pattern_count; i++) {
        rm_follow_pattern_t *pattern = &self->patterns[i];
        if (pattern->asker != frame->asker || !rm_bytes_equal (bytes_of (pattern), frame->pattern))
            continue;
        bool expected = !frame->part || frame->part == pattern->part;
        pattern->part = expected ? frame->part + 1 : 0;
        pattern->complete = expected && frame->last;
        pattern->asked_ms = now_ms;
        return true;
    }
    return false;
}

bool rm_follow_frame (rm_follow_t *self, const rm_news_frame_t *frame, uint64_t now_ms)
{
    for (uint32_t i = 0; i < self->pattern_count; i++)
        self->patterns[i].begun |= self->patterns[i].complete; /* what the last part brought was looked at by now */
    if (frame->inc != self->inc)
        begin_anew (self, frame->inc, now_ms);
    return frame->kind == RM_NEWS_LIVE || take_part (self, frame, now_ms);
}

/* True if all that was kept under a pattern of this topic has come at some time; `ask` lets it be asked for again. */
static bool has_begun (rm_follow_t *self, rm_bytes_t topic, bool ask)
{
    bool begun = false;
    for (uint32_t i = 0; i < self->pattern_count; i++) {
        rm_follow_pattern_t *pattern = &self->patterns[i];
        if (!rm_pattern_matches (bytes_of (pattern), topic))
            continue;
        begun |= pattern->begun;
        pattern->complete &= !ask;
    }
    return begun;
}

static int add_topic (rm_follow_t *self, const rm_news_item_t *item, rm_follow_topic_t **topic_p)
{
    if (HASH_COUNT (self->topics) >= RM_NEWS_TOPICS_MAX)
        return RM_EPROTO;
    rm_follow_topic_t *topic = rm_calloc (1, sizeof *topic + item->topic.size);
    if (!topic)
        return RM_ENOMEM;
    memcpy (topic->name, item->topic.data, item->topic.size);
    topic->name_size = item->topic.size;
    topic->seq = has_begun (self, item->topic, false) ? 0 : item->seq - 1;
    HASH_ADD_KEYPTR (hh, self->topics, topic->name, topic->name_size, topic);
    if (!RM_HASH_ADDED (topic)) {
        rm_free (topic);
        return RM_ENOMEM;
    }
    *topic_p = topic;
    return 0;
}

int rm_follow_item (rm_follow_t *self, const rm_news_item_t *item, rm_follow_given_t *given)
{
    rm_follow_topic_t *topic;
    HASH_FIND (hh, self->topics, item->topic.data, item->topic.size, topic);
    if (!item->data.data) { /* only a number: was the last of it missed? */
        if (topic ? item->seq > topic->seq : has_begun (self, item->topic, false))
            has_begun (self, item->topic, true);
        return 0;
    }
    int rc = topic ? 0 : add_topic (self, item, &topic);
    if (rc || item->seq <= topic->seq)
        return rc;
    *given = (rm_follow_given_t){.missed = item->seq - topic->seq - 1, .restarted = self->restarted};
    topic->seq = item->seq;
    self->restarted = false;
    self->missed = self->missed + given->missed < self->missed ? UINT64_MAX : self->missed + given->missed;
    return 1;
}
