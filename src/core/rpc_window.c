#include "core/rpc_window.h"

#include "proto/assert.h"
#include "ringmaster/error.h"

enum {
    FULL_MS = 5, /* a connection that takes no more is tried again so soon */
    PATIENCE = 2 /* sends without hearing anything before another server is asked */
};

int rm_rpc_window_init (rm_rpc_window_t *self, const char *const *servers, uint32_t count, uint64_t now_ms)
{
    *self = (rm_rpc_window_t){.seq = 0};
    rm_list_init (&self->calls);
    int error = rm_line_init (&self->line, servers, count, now_ms);
    self->line.apart = true;
    return error;
}

void rm_rpc_window_close (rm_rpc_window_t *self)
{
    HASH_CLEAR (hh, self->by_seq);
    rm_heap_close (&self->due);
    rm_line_close (&self->line);
}

static uint64_t sooner (uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* There is always room in the heap for one that is in it. */
static void move (rm_rpc_window_t *self, rm_rpc_sent_t *call, uint64_t due_ms)
{
    int error = rm_heap_put (&self->due, &call->due, sooner (due_ms, call->deadline_ms));
    RM_ASSERT (!error);
}

int rm_rpc_window_add (rm_rpc_window_t *self, rm_rpc_sent_t *call, uint64_t deadline_ms, uint64_t now_ms)
{
    if (rm_list_empty (&self->calls))
        rm_line_begin (&self->line, now_ms);
    call->seq = self->seq + 1;
    call->deadline_ms = deadline_ms;
    call->begun_ms = now_ms;
    if (rm_heap_put (&self->due, &call->due, now_ms))
        return RM_ENOMEM;
    HASH_ADD (hh, self->by_seq, seq, sizeof call->seq, call);
    if (!RM_HASH_ADDED (call)) {
        rm_heap_remove (&self->due, &call->due);
        return RM_ENOMEM;
    }
    self->seq++;
    rm_list_init (&call->link);
    rm_list_append (&self->calls, &call->link);
    return 0;
}

rm_rpc_sent_t *rm_rpc_window_find (rm_rpc_window_t *self, uint64_t seq)
{
    rm_rpc_sent_t *call;
    HASH_FIND (hh, self->by_seq, &seq, sizeof seq, call);
    return call;
}

void rm_rpc_window_remove (rm_rpc_window_t *self, rm_rpc_sent_t *call)
{
    HASH_DEL (self->by_seq, call);
    rm_heap_remove (&self->due, &call->due);
    rm_list_remove (&call->link);
}

uint64_t rm_rpc_window_floor (const rm_rpc_window_t *self)
{
    rm_link_t *first = rm_list_first (&self->calls);
    return first ? RM_OWNER (first, rm_rpc_sent_t, link)->seq - 1 : self->seq;
}

/* The next server: what was sent to this one is to be sent to it. */
static void turn (rm_rpc_window_t *self, uint64_t sent_ms, uint64_t now_ms)
{
    rm_line_silent (&self->line, sent_ms, now_ms);
    self->ask = false;
    RM_LIST_EACH (&self->calls, link) {
        rm_rpc_sent_t *call = RM_OWNER (link, rm_rpc_sent_t, link);
        if (call->sends)
            move (self, call, now_ms);
        call->sends = 0;
    }
}

/* How a call that has no time left ends. */
static int end_of (const rm_rpc_window_t *self, const rm_rpc_sent_t *call)
{
    if (call->busy)
        return RM_EBUSY;
    return self->line.heard_ms > call->begun_ms ? RM_ETIMEDOUT : RM_EUNREACHABLE;
}

static rm_rpc_window_do_t send (rm_rpc_window_t *self, rm_rpc_sent_t *call, uint64_t now_ms, uint64_t random)
{
    call->sends++;
    call->sent_ms = now_ms;
    call->busy = false;
    uint64_t growth = self->line.failures + call->sends;
    uint64_t wait_ms = rm_backoff_next (&self->line.policy, growth, 0, 0);
    move (self, call, rm_line_after (now_ms, wait_ms + random % (wait_ms + 1)));
    return RM_RPC_WINDOW_SEND;
}

rm_rpc_window_do_t rm_rpc_window_next (rm_rpc_window_t *self, uint64_t now_ms, uint64_t random, rm_rpc_sent_t **found,
                                       int *error)
{
    rm_heap_node_t *top = rm_heap_top (&self->due);
    if (!top || top->due > now_ms)
        return RM_RPC_WINDOW_WAIT;
    rm_rpc_sent_t *call = *found = RM_OWNER (top, rm_rpc_sent_t, due);
    if (now_ms >= call->deadline_ms || now_ms - call->begun_ms >= RM_RPC_RESEND_MS) {
        *error = now_ms >= call->deadline_ms ? end_of (self, call) : RM_ETIMEDOUT;
        rm_rpc_window_remove (self, call);
        return RM_RPC_WINDOW_END;
    }
    if (!call->sends || call->busy)
        return send (self, call, now_ms, random);
    if (!rm_retry_budget_take (&self->line.budget, now_ms)) {
        move (self, call, rm_line_after (now_ms, rm_line_listen_ms (&self->line)));
        return rm_rpc_window_next (self, now_ms, random, found, error);
    }
    if (self->line.heard_ms <= call->sent_ms) {
        if (call->sends >= PATIENCE) {
            turn (self, call->sent_ms, now_ms);
            return RM_RPC_WINDOW_TURN;
        }
        self->ask = true;
    }
    return send (self, call, now_ms, random);
}

void rm_rpc_window_unsent (rm_rpc_window_t *self, rm_rpc_sent_t *call, uint64_t now_ms)
{
    call->sends--;
    move (self, call, now_ms + FULL_MS);
}

void rm_rpc_window_busy (rm_rpc_window_t *self, rm_rpc_sent_t *call, uint32_t retry_after_ms, rm_bytes_t text,
                         uint64_t now_ms, uint64_t random)
{
    rm_msg_busy_t busy = {retry_after_ms, text};
    call->busy = true;
    move (self, call, rm_line_after (now_ms, rm_line_busy_ms (&self->line, &busy, random)));
}

uint64_t rm_rpc_window_deadline (const rm_rpc_window_t *self)
{
    rm_heap_node_t *top = rm_heap_top (&self->due);
    return top ? top->due : UINT64_MAX;
}
