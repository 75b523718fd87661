#include "proto/news.h"

#include <msgpack/pack.h>
#include <string.h>

#include "proto/assert.h"
#include "ringmaster/error.h"

enum { LIVE = 1, KEPT = 2, VERSION = 1, ASKER_BYTES = 8, DEPTH_MAX = 8 };

/* ---- topics and patterns ----------------------------------------------------------------------------------------- */

static bool is_text (const uint8_t *at, size_t size)
{
    unsigned bad = 0;
    for (size_t i = 0; i < size; i++)
        bad |= at[i] < ' ';
    return !bad;
}

bool rm_topic_valid (rm_bytes_t topic)
{
    return topic.size && topic.size <= RM_TOPIC_BYTES_MAX && is_text (topic.data, topic.size);
}

static bool is_whole (rm_bytes_t pattern)
{
    return pattern.size > 1 && !((const uint8_t *)pattern.data)[pattern.size - 1];
}

bool rm_pattern_valid (rm_bytes_t pattern)
{
    uint32_t size = pattern.size - is_whole (pattern);
    return size <= RM_TOPIC_BYTES_MAX && is_text (pattern.data, size);
}

bool rm_pattern_matches (rm_bytes_t pattern, rm_bytes_t topic)
{
    if (is_whole (pattern))
        return pattern.size == topic.size + 1 && !memcmp (pattern.data, topic.data, topic.size);
    return pattern.size <= topic.size && (!pattern.size || !memcmp (pattern.data, topic.data, pattern.size));
}

/* ---- subscriptions ----------------------------------------------------------------------------------------------- */

static size_t put_bytes (uint8_t *to, rm_bytes_t bytes)
{
    if (bytes.size)
        memcpy (to, bytes.data, bytes.size);
    return bytes.size;
}

size_t rm_news_subscription (uint8_t *to, rm_bytes_t pattern)
{
    RM_ASSERT (rm_pattern_valid (pattern));
    to[0] = LIVE;
    return 1 + put_bytes (to + 1, pattern);
}

size_t rm_news_question (uint8_t *to, uint64_t asker, rm_bytes_t pattern)
{
    RM_ASSERT (rm_pattern_valid (pattern));
    *to++ = KEPT;
    for (int i = 0; i < ASKER_BYTES; i++)
        *to++ = (uint8_t)(asker >> 8 * (ASKER_BYTES - 1 - i));
    *to++ = (uint8_t)pattern.size;
    return 1 + ASKER_BYTES + 1 + put_bytes (to, pattern);
}

/* Reads asker and pattern at the cursor, which stands behind the 02. */
static bool take_question (rm_cursor_t *cursor, uint64_t *asker, rm_bytes_t *pattern)
{
    if (cursor->end - cursor->at < ASKER_BYTES + 1)
        return false;
    *asker = 0;
    for (int i = 0; i < ASKER_BYTES; i++)
        *asker = *asker << 8 | *cursor->at++;
    *pattern = (rm_bytes_t){cursor->at + 1, *cursor->at};
    if (cursor->end - cursor->at < 1 + (ptrdiff_t)pattern->size)
        return false;
    cursor->at += 1 + pattern->size;
    return rm_pattern_valid (*pattern);
}

bool rm_news_question_read (const void *data, size_t size, uint64_t *asker, rm_bytes_t *pattern)
{
    const uint8_t *at = data;
    if (size < 2 || at[0] != 1 || at[1] != KEPT)
        return false;
    rm_cursor_t cursor = {at + 2, at + size};
    return take_question (&cursor, asker, pattern) && cursor.at == cursor.end;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* msgpack-c's write callback; the buffer remembers a failure. */
static int put (void *out, const char *data, size_t size)
{
    rm_buf_put (out, data, size);
    return 0;
}

static void put_data (msgpack_packer *to, rm_bytes_t data)
{
    if (!data.data) {
        msgpack_pack_nil (to);
        return;
    }
    RM_ASSERT (data.size <= RM_NEWS_BYTES_MAX);
    msgpack_pack_bin (to, data.size);
    msgpack_pack_bin_body (to, data.data, data.size);
}

static int finish (const rm_buf_t *buf)
{
    return buf->failed ? RM_ENOMEM : 0;
}

int rm_news_encode (const rm_news_item_t *item, uint64_t inc, rm_buf_t *buf)
{
    uint8_t head[RM_NEWS_HEAD_BYTES_MAX];
    msgpack_packer to;
    RM_ASSERT (rm_topic_valid (item->topic) && item->seq && inc);
    rm_buf_put (buf, head, rm_news_subscription (head, item->topic));
    rm_buf_put (buf, "", 1);
    msgpack_packer_init (&to, buf, put);
    msgpack_pack_array (&to, 4);
    msgpack_pack_uint64 (&to, VERSION);
    msgpack_pack_uint64 (&to, inc);
    msgpack_pack_uint64 (&to, item->seq);
    put_data (&to, item->data);
    return finish (buf);
}

int rm_news_encode_kept (uint64_t asker, rm_bytes_t pattern, uint64_t inc, uint32_t part, bool last,
                         const rm_news_item_t *items, uint32_t count, rm_buf_t *buf)
{
    uint8_t head[RM_NEWS_HEAD_BYTES_MAX];
    msgpack_packer to;
    RM_ASSERT (inc && count <= RM_NEWS_PART_ITEMS_MAX);
    rm_buf_put (buf, head, rm_news_question (head, asker, pattern));
    msgpack_packer_init (&to, buf, put);
    msgpack_pack_array (&to, 5);
    msgpack_pack_uint64 (&to, VERSION);
    msgpack_pack_uint64 (&to, inc);
    msgpack_pack_uint64 (&to, part);
    if (last)
        msgpack_pack_true (&to);
    else
        msgpack_pack_false (&to);
    msgpack_pack_array (&to, count);
    for (uint32_t i = 0; i < count; i++) {
        RM_ASSERT (rm_topic_valid (items[i].topic) && items[i].seq);
        msgpack_pack_array (&to, 3);
        msgpack_pack_str (&to, items[i].topic.size);
        msgpack_pack_str_body (&to, items[i].topic.data, items[i].topic.size);
        msgpack_pack_uint64 (&to, items[i].seq);
        put_data (&to, items[i].data);
    }
    return finish (buf);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool take_number (rm_cursor_t *cursor, uint64_t min, uint64_t max, uint64_t *value)
{
    rm_head_t head;
    *value = 0;
    if (!rm_head_read (cursor, &head) || head.kind != RM_WIRE_UINT || head.value < min || head.value > max)
        return false;
    *value = head.value;
    return true;
}

static bool take_bool (rm_cursor_t *cursor, bool *value)
{
    rm_head_t head;
    if (!rm_head_read (cursor, &head) || head.kind != RM_WIRE_BOOL)
        return false;
    *value = head.value;
    return true;
}

/* The head of an array of at least `least` elements; `more` is how many it has beyond, which newer peers may send. */
static bool take_array (rm_cursor_t *cursor, uint64_t least, uint64_t *more)
{
    rm_head_t head;
    if (!rm_head_read (cursor, &head) || head.kind != RM_WIRE_ARRAY || head.value < least)
        return false;
    *more = head.value - least;
    return true;
}

static bool skip (rm_cursor_t *cursor, uint64_t elements)
{
    for (; elements; elements--)
        if (!rm_scan_skip (cursor, DEPTH_MAX))
            return false;
    return true;
}

/* Bytes that are there have an address, be they none: that is what tells them from nil. */
static bool take_data (rm_cursor_t *cursor, rm_bytes_t *data)
{
    rm_head_t head;
    if (!rm_head_read (cursor, &head))
        return false;
    *data = (rm_bytes_t){0};
    if (head.kind == RM_WIRE_NIL)
        return true;
    if ((head.kind != RM_WIRE_BIN && head.kind != RM_WIRE_STR) || head.value > RM_NEWS_BYTES_MAX)
        return false;
    *data = (rm_bytes_t){cursor->at, (uint32_t)head.value};
    cursor->at += head.value;
    return true;
}

static bool take_item (rm_cursor_t *cursor, rm_news_item_t *item)
{
    rm_head_t head;
    uint64_t more;
    if (!take_array (cursor, 3, &more) || !rm_head_read (cursor, &head) || head.kind != RM_WIRE_STR ||
        head.value > RM_TOPIC_BYTES_MAX)
        return false;
    item->topic = (rm_bytes_t){cursor->at, (uint32_t)head.value};
    cursor->at += head.value;
    return rm_topic_valid (item->topic) && take_number (cursor, 1, UINT64_MAX, &item->seq) &&
           take_data (cursor, &item->data) && skip (cursor, more);
}

static int refuse (const char **why, const char *sentence)
{
    *why = sentence;
    return RM_EPROTO;
}

static int decode_live (rm_news_frame_t *self, rm_cursor_t *cursor, const char **why)
{
    uint64_t more, version;
    const uint8_t *end = memchr (cursor->at, 0, (size_t)(cursor->end - cursor->at));
    if (!end || end - cursor->at > RM_TOPIC_BYTES_MAX)
        return refuse (why, "the topic does not end");
    self->item.topic = (rm_bytes_t){cursor->at, (uint32_t)(end - cursor->at)};
    cursor->at = end + 1;
    if (!rm_topic_valid (self->item.topic))
        return refuse (why, "the topic is empty or has control characters");
    if (!take_array (cursor, 4, &more) || !take_number (cursor, 1, UINT64_MAX, &version) ||
        !take_number (cursor, 1, UINT64_MAX, &self->inc) || !take_number (cursor, 1, UINT64_MAX, &self->item.seq) ||
        !take_data (cursor, &self->item.data) || !skip (cursor, more))
        return refuse (why, "the news is not [version, inc, seq, data]");
    return 0;
}

static int decode_kept (rm_news_frame_t *self, rm_cursor_t *cursor, const char **why)
{
    uint64_t more, version, part, count;
    if (!take_question (cursor, &self->asker, &self->pattern))
        return refuse (why, "the answer does not say for whom it is");
    if (!take_array (cursor, 5, &more) || !take_number (cursor, 1, UINT64_MAX, &version) ||
        !take_number (cursor, 1, UINT64_MAX, &self->inc) || !take_number (cursor, 0, UINT32_MAX, &part) ||
        !take_bool (cursor, &self->last) || !take_array (cursor, 0, &count) || count > RM_NEWS_PART_ITEMS_MAX)
        return refuse (why, "the answer is not [version, inc, part, last, values]");
    self->part = (uint32_t)part;
    self->count = (uint32_t)count;
    self->items = *cursor;
    for (rm_news_item_t item; count; count--) {
        if (!take_item (cursor, &item))
            return refuse (why, "a kept value is not [topic, seq, data]");
        if (!rm_pattern_matches (self->pattern, item.topic))
            return refuse (why, "a kept value is not of the topics that were asked for");
    }
    self->items.end = cursor->at;
    return skip (cursor, more) ? 0 : refuse (why, "the answer is cut off");
}

int rm_news_decode (rm_news_frame_t *self, const void *data, size_t size, const char **why)
{
    rm_cursor_t cursor = {data, (const uint8_t *)data + size};
    *self = (rm_news_frame_t){0};
    if (!size)
        return refuse (why, "the frame is empty");
    uint8_t kind = *cursor.at++;
    int rc = kind == LIVE   ? decode_live (self, &cursor, why)
             : kind == KEPT ? decode_kept (self, &cursor, why)
                            : refuse (why, "the frame is neither news nor an answer");
    self->kind = kind == KEPT ? RM_NEWS_KEPT : RM_NEWS_LIVE;
    if (!rc && cursor.at != cursor.end)
        return refuse (why, "bytes follow the message");
    return rc;
}

bool rm_news_next (rm_news_frame_t *self, rm_news_item_t *item)
{
    if (!self->count)
        return false;
    self->count--;
    bool taken = take_item (&self->items, item);
    RM_ASSERT (taken);
    return true;
}
