#include "worker/uplink.h"

#include <string.h>

#include "core/backoff.h"
#include "net/random.h"
#include "proto/msg.h"
#include "ringmaster/error.h"

enum {
    ANSWER_MS = 250,      /* how long the first try waits for an answer … */
    ANSWER_MS_MAX = 2000, /* … and the later ones, at most */
    REDIRECTS_MAX = 3
};

static const rm_backoff_t patience = {
    .delay_ms = 50, .factor_permille = 2000, .cap_ms = 2000, .jitter = RM_JITTER_FULL};

int rm_uplink_init (rm_uplink_t *self, const rm_endpoint_t *masters, unsigned count, const char *name, uint64_t now_ms)
{
    const char *texts[RM_ENDPOINTS_MAX];
    for (unsigned i = 0; i < count; i++)
        texts[i] = masters[i].text;
    *self = (rm_uplink_t){.name = name, .due_ms = now_ms};
    return rm_masters_init (&self->masters, texts, count);
}

static void hang_up (rm_uplink_t *self)
{
    rm_socket_close (&self->hello);
    rm_socket_close (&self->work);
    rm_socket_close (&self->sync);
}

void rm_uplink_close (rm_uplink_t *self)
{
    hang_up (self);
    rm_masters_close (&self->masters);
}

void rm_uplink_drop (rm_uplink_t *self, uint64_t now_ms)
{
    hang_up (self);
    rm_masters_next (&self->masters, now_ms);
    self->due_ms = now_ms;
}

uint64_t rm_uplink_deadline (const rm_uplink_t *self)
{
    return self->work ? UINT64_MAX : self->due_ms;
}

void rm_uplink_poll (const rm_uplink_t *self, rm_poll_t *items)
{
    items[0] = (rm_poll_t){.socket = self->work ? self->work : self->hello, .fd = -1};
    items[1] = (rm_poll_t){.socket = self->sync, .fd = -1};
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

/* This one was no use: the next one, later. */
static void fail (rm_uplink_t *self, const char *trouble, uint64_t now_ms)
{
    hang_up (self);
    self->trouble = trouble;
    self->redirects = 0;
    rm_masters_next (&self->masters, now_ms);
    self->delay_ms = rm_backoff_next (&patience, ++self->failures, self->delay_ms, rm_random_u64 ());
    self->due_ms = now_ms + self->delay_ms;
}

static bool is_allowed (const rm_uplink_t *self, const rm_endpoint_t *endpoint)
{
    return !self->loopback_only || rm_endpoint_is_loopback (endpoint);
}

static const char not_allowed[] = "it is not on this machine's loopback, and the shell would run whatever it says";

static void ask (rm_uplink_t *self, uint64_t now_ms)
{
    bool is_endpoint = !rm_endpoint_parse (&self->asked, rm_masters_current (&self->masters), NULL);
    if (is_endpoint && !is_allowed (self, &self->asked)) {
        fail (self, not_allowed, now_ms);
        return;
    }
    if (is_endpoint)
        self->hello = rm_socket_connect (RM_SOCKET_REQ, &self->asked, NULL);
    self->asked_ms = now_ms;
    rm_msg_t msg = {.type = RM_MSG_HELLO, .hello = {{self->name, (uint32_t)strlen (self->name)}}};
    rm_buf_t frame = {0};
    if (!self->hello || rm_msg_encode (&msg, &frame) || rm_socket_send_buf (self->hello, NULL, &frame))
        fail (self, "it cannot be asked", now_ms);
    else
        self->due_ms =
            now_ms + (self->failures < 4 && ANSWER_MS << self->failures < ANSWER_MS_MAX ? ANSWER_MS << self->failures
                                                                                        : ANSWER_MS_MAX);
    rm_buf_close (&frame);
}

static bool read_endpoint (rm_endpoint_t *endpoint, rm_bytes_t text)
{
    char copy[RM_ENDPOINT_BYTES_MAX + 1];
    if (!text.size || text.size > RM_ENDPOINT_BYTES_MAX)
        return false;
    memcpy (copy, text.data, text.size);
    copy[text.size] = 0;
    return !rm_endpoint_parse (endpoint, copy, NULL);
}

static void welcomed (rm_uplink_t *self, const rm_msg_welcome_t *welcome, uint64_t now_ms)
{
    rm_endpoint_t work, sync;
    if (!read_endpoint (&work, welcome->work) || !read_endpoint (&sync, welcome->sync)) {
        fail (self, "its welcome names no endpoints", now_ms);
        return;
    }
    if (!is_allowed (self, &work) || !is_allowed (self, &sync)) {
        fail (self, not_allowed, now_ms);
        return;
    }
    rm_masters_learn (&self->masters, welcome->masters, welcome->master_count);
    hang_up (self);
    self->sync = rm_socket_connect (RM_SOCKET_SUB, &sync, NULL);
    self->work = rm_socket_connect (RM_SOCKET_WORK_DEALER, &work, NULL);
    if (!self->sync || !self->work) {
        fail (self, "no sockets are left", now_ms);
        return;
    }
    self->failures = 0;
    self->delay_ms = 0;
    self->redirects = 0;
}

static void redirected (rm_uplink_t *self, const rm_msg_not_leader_t *not_leader, uint64_t now_ms)
{
    rm_masters_learn (&self->masters, not_leader->masters, not_leader->master_count);
    if (self->redirects == REDIRECTS_MAX || !rm_masters_turn_to (&self->masters, not_leader->leader, now_ms)) {
        fail (self, "it does not lead, and knows nobody who does", now_ms);
        return;
    }
    self->redirects++;
    rm_socket_close (&self->hello);
    self->due_ms = now_ms;
}

static void hear (rm_uplink_t *self, const rm_frame_t *frame, uint64_t now_ms)
{
    rm_msg_t msg;
    if (rm_msg_decode (&msg, rm_frame_data (frame), rm_frame_size (frame), NULL)) {
        fail (self, "its answer cannot be read", now_ms);
        return;
    }
    if (msg.type == RM_MSG_WELCOME)
        welcomed (self, &msg.welcome, now_ms);
    else if (msg.type == RM_MSG_NOT_LEADER)
        redirected (self, &msg.not_leader, now_ms);
    else
        fail (self, "it refuses", now_ms);
    rm_msg_close (&msg);
}

bool rm_uplink_step (rm_uplink_t *self, uint64_t now_ms)
{
    if (self->work)
        return false;
    if (self->hello) {
        rm_frame_t frame = {0};
        int rc = rm_socket_recv (self->hello, NULL, &frame);
        if (rc == 1) {
            rm_masters_heard (&self->masters);
            hear (self, &frame, now_ms);
        } else if (rc || now_ms >= self->due_ms) {
            rm_masters_silent (&self->masters, self->asked_ms);
            fail (self, "it does not answer", now_ms);
        }
        rm_frame_close (&frame);
    }
    if (!self->work && !self->hello && now_ms >= self->due_ms)
        ask (self, now_ms);
    return self->work != NULL;
}
