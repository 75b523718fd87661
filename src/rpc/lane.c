#include "proto/alloc.h"
#include "proto/assert.h"
#include "rpc/server_inside.h"

enum { STACK_BYTES = 1 << 20 }; /* of a thread; touched only as far as it is used */

void rm_rpc_line_put (rm_rpc_line_t *self, rm_rpc_call_t *call)
{
    call->next = NULL;
    if (self->last)
        self->last->next = call;
    else
        self->first = call;
    self->last = call;
}

rm_rpc_call_t *rm_rpc_line_take (rm_rpc_line_t *self)
{
    rm_rpc_call_t *call = self->first;
    if (call) {
        self->first = call->next;
        if (!self->first)
            self->last = NULL;
    }
    return call;
}

/* The next call; NULL: to quit. */
static rm_rpc_call_t *take (rm_rpc_lane_t *self)
{
    pthread_mutex_lock (&self->mutex);
    while (!self->line.first && !self->quits)
        pthread_cond_wait (&self->turn, &self->mutex);
    rm_rpc_call_t *call = rm_rpc_line_take (&self->line);
    pthread_mutex_unlock (&self->mutex);
    return call;
}

static void *work (void *arg)
{
    rm_rpc_lane_t *self = arg;
    rm_rpc_server_t *server = self->server;
    rm_rpc_call_t *call;
    while ((call = take (self))) {
        rm_rpc_call_run (call);
        rm_rpc_server_give_back (server, call);
    }
    atomic_fetch_sub (&self->inside, 1);
    return NULL;
}

rm_rpc_lane_t *rm_rpc_lane_new (rm_rpc_server_t *server, unsigned threads)
{
    rm_rpc_lane_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->server = server;
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->turn, NULL);
    self->threads = rm_calloc (threads, sizeof *self->threads);
    pthread_attr_t attributes;
    pthread_attr_init (&attributes);
    pthread_attr_setstacksize (&attributes, STACK_BYTES);
    for (; self->threads && self->thread_count < threads; self->thread_count++) {
        atomic_fetch_add (&self->inside, 1);
        if (pthread_create (&self->threads[self->thread_count], &attributes, work, self)) {
            atomic_fetch_sub (&self->inside, 1);
            break;
        }
    }
    pthread_attr_destroy (&attributes);
    if (self->thread_count < threads) {
        rm_rpc_lane_quit (self);
        rm_rpc_lane_destroy (&self);
    }
    return self;
}

void rm_rpc_lane_push (rm_rpc_lane_t *self, rm_rpc_call_t *call)
{
    pthread_mutex_lock (&self->mutex);
    rm_rpc_line_put (&self->line, call);
    pthread_cond_signal (&self->turn);
    pthread_mutex_unlock (&self->mutex);
}

void rm_rpc_lane_quit (rm_rpc_lane_t *self)
{
    pthread_mutex_lock (&self->mutex);
    self->quits = true;
    pthread_cond_broadcast (&self->turn);
    pthread_mutex_unlock (&self->mutex);
}

bool rm_rpc_lane_is_over (rm_rpc_lane_t *self)
{
    return !atomic_load (&self->inside);
}

void rm_rpc_lane_destroy (rm_rpc_lane_t **self_p)
{
    rm_rpc_lane_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (unsigned i = 0; i < self->thread_count; i++)
        pthread_join (self->threads[i], NULL);
    RM_ASSERT (!self->line.first);
    pthread_cond_destroy (&self->turn);
    pthread_mutex_destroy (&self->mutex);
    rm_free (self->threads);
    rm_free (self);
}
