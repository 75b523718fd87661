#include "core/newest.h"

#include "core/hash.h"
#include "core/list.h"
#include "ringmaster/error.h"

struct rm_newest_topic {
    rm_heap_node_t silent;
    uint64_t seq;
    uint64_t quiet_ms; /* after which it is named again */
    uint8_t *data;     /* owned */
    uint32_t size;
    uint32_t name_size;
    UT_hash_handle hh;
    char name[];
};

void rm_newest_init (rm_newest_t *self, size_t count_max, size_t bytes_max)
{
    *self = (rm_newest_t){.count_max = count_max, .bytes_max = bytes_max};
}

void rm_newest_close (rm_newest_t *self)
{
    rm_newest_topic_t *topic, *next;
    rm_heap_close (&self->silent); /* while its nodes are there */
    HASH_ITER (hh, self->topics, topic, next) {
        HASH_DEL (self->topics, topic);
        rm_free (topic->data);
        rm_free (topic);
    }
}

static rm_newest_topic_t *find (const rm_newest_t *self, rm_bytes_t name)
{
    rm_newest_topic_t *topic;
    HASH_FIND (hh, self->topics, name.data, name.size, topic);
    return topic;
}

/* A topic that is in nothing yet. */
static rm_newest_topic_t *new_topic (rm_bytes_t name)
{
    rm_newest_topic_t *topic = rm_calloc (1, sizeof *topic + name.size);
    if (topic) {
        topic->name_size = name.size;
        memcpy (topic->name, name.data, name.size);
    }
    return topic;
}

/* Puts it into the table and the heap, or into neither. */
static int enter (rm_newest_t *self, rm_newest_topic_t *topic, uint64_t due_ms)
{
    if (rm_heap_put (&self->silent, &topic->silent, due_ms))
        return RM_ENOMEM;
    HASH_ADD_KEYPTR (hh, self->topics, topic->name, topic->name_size, topic);
    if (!RM_HASH_ADDED (topic)) {
        rm_heap_remove (&self->silent, &topic->silent);
        return RM_ENOMEM;
    }
    self->count++;
    return 0;
}

static rm_news_item_t item_of (const rm_newest_topic_t *topic)
{
    return (rm_news_item_t){{topic->name, topic->name_size}, topic->seq, {topic->data, topic->size}};
}

int rm_newest_put (rm_newest_t *self, rm_bytes_t name, rm_bytes_t data, uint64_t now_ms, rm_news_item_t *item)
{
    if (!rm_topic_valid (name))
        return RM_EINVAL;
    rm_newest_topic_t *topic = find (self, name), *fresh = NULL;
    size_t bytes = self->bytes - (topic ? topic->size : 0) + data.size;
    if (data.size > RM_NEWS_BYTES_MAX || bytes > self->bytes_max || (!topic && self->count >= self->count_max))
        return RM_ETOOBIG;
    uint8_t *copy = rm_malloc (data.size + 1); /* a value of no bytes is one, too */
    if (!copy)
        return RM_ENOMEM;
    if (!topic)
        topic = fresh = new_topic (name);
    if (!topic || (fresh && enter (self, fresh, now_ms + RM_NEWEST_QUIET_MS))) {
        rm_free (fresh);
        rm_free (copy);
        return RM_ENOMEM;
    }
    if (data.size)
        memcpy (copy, data.data, data.size);
    rm_free (topic->data);
    topic->data = copy;
    topic->size = data.size;
    topic->seq++;
    topic->quiet_ms = RM_NEWEST_QUIET_MS;
    self->bytes = bytes;
    (void)rm_heap_put (&self->silent, &topic->silent, now_ms + topic->quiet_ms); /* it is in: only moved */
    *item = item_of (topic);
    return 0;
}

bool rm_newest_silent (rm_newest_t *self, uint64_t now_ms, rm_news_item_t *item)
{
    rm_heap_node_t *top = rm_heap_top (&self->silent);
    if (!top || top->due > now_ms)
        return false;
    rm_newest_topic_t *topic = RM_OWNER (top, rm_newest_topic_t, silent);
    *item = item_of (topic);
    item->data = (rm_bytes_t){0};
    topic->quiet_ms = topic->quiet_ms * 2 < RM_NEWEST_QUIET_MS_MAX ? topic->quiet_ms * 2 : RM_NEWEST_QUIET_MS_MAX;
    (void)rm_heap_put (&self->silent, top, now_ms + topic->quiet_ms);
    return true;
}

uint64_t rm_newest_due (const rm_newest_t *self)
{
    const rm_heap_node_t *top = rm_heap_top (&self->silent);
    return top ? top->due : UINT64_MAX;
}

/* The first topic from `topic` on that the pattern matches. */
static rm_newest_topic_t *matching (rm_newest_topic_t *topic, rm_bytes_t pattern)
{
    while (topic && !rm_pattern_matches (pattern, (rm_bytes_t){topic->name, topic->name_size}))
        topic = topic->hh.next;
    return topic;
}

void rm_newest_ask (const rm_newest_t *self, uint64_t asker, rm_bytes_t pattern, rm_newest_answer_t *answer)
{
    *answer = (rm_newest_answer_t){.asker = asker, .pattern_size = pattern.size};
    if (pattern.size)
        memcpy (answer->pattern, pattern.data, pattern.size);
    answer->next = matching (self->topics, (rm_bytes_t){answer->pattern, answer->pattern_size});
}

uint32_t rm_newest_part (rm_newest_answer_t *answer, rm_news_item_t *items, bool *last)
{
    rm_bytes_t pattern = {answer->pattern, answer->pattern_size};
    uint32_t count = 0;
    size_t bytes = 0;
    while (answer->next && count < RM_NEWS_PART_ITEMS_MAX &&
           (!count || bytes + answer->next->size <= RM_NEWS_PART_BYTES)) {
        items[count++] = item_of (answer->next);
        bytes += answer->next->size;
        answer->next = matching (answer->next->hh.next, pattern);
    }
    answer->part++;
    *last = !answer->next;
    return count;
}
