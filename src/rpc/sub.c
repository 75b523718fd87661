#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "core/follow.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/endpoint.h"
#include "net/poll.h"
#include "net/random.h"
#include "net/socket.h"
#include "net/wake.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/pubsub.h"

struct rm_sub {
    rm_follow_t follow; /* decides */
    rm_socket_t *socket;
    rm_wake_t wake;
    atomic_bool stopped;  /* rm_sub_stop was called, and no rm_sub_recv has said so yet */
    rm_frame_t frame;     /* the newest one */
    rm_news_frame_t kept; /* of an answer: what is left of it, in `frame` */
    rm_buf_t given;       /* topic and data of the newest news, each with a NUL */
};

rm_sub_t *rm_sub_new (const char *endpoint)
{
    rm_endpoint_t parsed;
    if (!endpoint || rm_endpoint_parse (&parsed, endpoint, NULL)) {
        errno = EINVAL;
        return NULL;
    }
    rm_sub_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        goto no_memory;
    rm_follow_init (&self->follow);
    if (rm_wake_init (&self->wake))
        goto free_self;
    if (rm_net_init ())
        goto close_wake;
    self->socket = rm_socket_connect (RM_SOCKET_NEWS_SUB, &parsed, NULL);
    if (!self->socket)
        goto leave_net;
    return self;

leave_net:
    rm_net_term ();
close_wake:
    rm_wake_close (&self->wake);
free_self:
    rm_free (self);
no_memory:
    errno = ENOMEM;
    return NULL;
}

void rm_sub_destroy (rm_sub_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_sub_t *self = *self_p;
    *self_p = NULL;
    rm_frame_close (&self->frame);
    rm_socket_close (&self->socket);
    rm_net_term ();
    rm_wake_close (&self->wake);
    rm_follow_close (&self->follow);
    rm_buf_close (&self->given);
    rm_free (self);
}

/* The news first, the question after that: an answer is then no older than any news that is not in it. */
static int subscribe (rm_sub_t *self, rm_bytes_t pattern)
{
    uint8_t head[RM_NEWS_HEAD_BYTES_MAX];
    int rc = rm_follow_add (&self->follow, pattern, rm_clock_ms ());
    if (rc)
        return rc;
    rm_socket_subscribe (self->socket, head, rm_news_subscription (head, pattern), true);
    return 0;
}

static void ask (rm_sub_t *self, uint64_t now_ms)
{
    uint8_t head[RM_NEWS_HEAD_BYTES_MAX];
    for (rm_follow_pattern_t *due; (due = rm_follow_due (&self->follow, now_ms));) {
        rm_bytes_t pattern = {due->bytes, due->size};
        if (due->asker)
            rm_socket_subscribe (self->socket, head, rm_news_question (head, due->asker, pattern), false);
        rm_follow_asked (due, rm_random_u64 () | 1, now_ms);
        rm_socket_subscribe (self->socket, head, rm_news_question (head, due->asker, pattern), true);
    }
}

int rm_sub_prefix (rm_sub_t *self, const char *prefix)
{
    if (!prefix || strlen (prefix) > RM_TOPIC_BYTES_MAX)
        return RM_EINVAL;
    int rc = subscribe (self, rm_bytes (prefix));
    ask (self, rm_clock_ms ());
    return rc;
}

int rm_sub_topic (rm_sub_t *self, const char *topic)
{
    if (!topic || !rm_topic_valid (rm_bytes (topic)))
        return RM_EINVAL;
    int rc = subscribe (self, (rm_bytes_t){topic, (uint32_t)strlen (topic) + 1}); /* with its NUL: the whole of it */
    ask (self, rm_clock_ms ());
    return rc;
}

/* Copies it to where it lives until the next call. */
static int give (rm_sub_t *self, const rm_news_item_t *item, const rm_follow_given_t *given, bool kept, rm_news_t *news)
{
    rm_buf_clear (&self->given);
    rm_buf_put (&self->given, item->topic.data, item->topic.size);
    rm_buf_put (&self->given, "", 1);
    rm_buf_put (&self->given, item->data.data, item->data.size);
    rm_buf_put (&self->given, "", 1);
    if (self->given.failed)
        return RM_ENOMEM;
    *news = (rm_news_t){.topic = (const char *)self->given.data,
                        .data = self->given.data + item->topic.size + 1,
                        .size = item->data.size,
                        .seq = item->seq,
                        .publisher = self->follow.inc,
                        .missed = given->missed,
                        .kept = kept,
                        .restarted = given->restarted};
    return 1;
}

/* The next of an answer that is there already: 1, 0 (none is left) or an error. */
static int next_kept (rm_sub_t *self, rm_news_t *news)
{
    rm_news_item_t item;
    rm_follow_given_t given;
    while (rm_news_next (&self->kept, &item)) {
        int rc = rm_follow_item (&self->follow, &item, &given);
        if (rc)
            return rc == 1 ? give (self, &item, &given, true, news) : rc;
    }
    return 0;
}

/* The next message that is to be given: 1, 0 (none now) or an error. */
static int next (rm_sub_t *self, rm_news_t *news)
{
    for (;;) {
        const char *why;
        rm_follow_given_t given;
        rm_news_frame_t *frame = &self->kept;
        int rc = next_kept (self, news);
        if (rc)
            return rc;
        rc = rm_socket_recv (self->socket, NULL, &self->frame);
        if (rc != 1)
            return rc;
        rc = rm_news_decode (frame, rm_frame_data (&self->frame), rm_frame_size (&self->frame), &why);
        if (rc) {
            frame->count = 0;
            return rc;
        }
        if (!rm_follow_frame (&self->follow, frame, rm_clock_ms ()))
            frame->count = 0;
        else if (frame->kind == RM_NEWS_LIVE && (rc = rm_follow_item (&self->follow, &frame->item, &given)))
            return rc == 1 ? give (self, &frame->item, &given, false, news) : rc;
    }
}

/* How long to wait for the socket: until the caller's time is over, or something is to be asked again. */
static int64_t wait_ms (const rm_sub_t *self, uint64_t now_ms, uint64_t end_ms)
{
    uint64_t due_ms = rm_follow_due_ms (&self->follow), until_ms = due_ms < end_ms ? due_ms : end_ms;
    return until_ms == UINT64_MAX ? -1 : until_ms > now_ms ? (int64_t)(until_ms - now_ms) : 0;
}

int rm_sub_recv (rm_sub_t *self, int timeout_ms, rm_news_t *news)
{
    uint64_t end_ms = timeout_ms < 0 ? UINT64_MAX : rm_clock_ms () + (uint64_t)timeout_ms;
    for (;;) {
        rm_wake_clear (&self->wake);
        if (atomic_exchange (&self->stopped, false))
            return RM_EINTERRUPTED;
        ask (self, rm_clock_ms ());
        int rc = next (self, news);
        if (rc)
            return rc == 1 ? 0 : rc;
        uint64_t now_ms = rm_clock_ms ();
        if (now_ms >= end_ms)
            return RM_ETIMEDOUT;
        rm_poll_t items[] = {{.socket = self->socket, .fd = -1}, {.fd = self->wake.fd}};
        rm_poll (items, 2, wait_ms (self, now_ms, end_ms));
    }
}

void rm_sub_stop (rm_sub_t *self)
{
    if (!self)
        return;
    self->stopped = true;
    rm_wake_ring (&self->wake);
}

uint64_t rm_sub_missed (const rm_sub_t *self)
{
    return self->follow.missed;
}
