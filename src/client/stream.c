#include "ringmaster/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/result.h"
#include "client/setup.h"
#include "client/spec.h"
#include "core/flow.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/endpoint.h"
#include "net/poll.h"
#include "net/random.h"
#include "net/ready.h"
#include "net/socket.h"
#include "proto/alloc.h"

_Static_assert((int)RM_REFUSED == RM_FLOW_REFUSED && (int)RM_UNSURE == RM_FLOW_UNSURE,
               "the public outcomes are the flow's");

/* Who takes results and sends a job for each is given so long to take all that came together: those jobs are one message. */
enum { HOLD_MS = 2 };

struct rm_stream {
    rm_flow_t flow;      /* decides; we do */
    rm_socket_t *socket; /* DEALER; NULL: none is open */
    rm_frame_t frame;    /* the newest reply */
    rm_result_t *first;  /* results that were not taken yet, in the order of their ends; owned */
    rm_result_t **last;  /* where the next one goes */
    size_t result_count;
    uint64_t arrived_ms; /* when the newest of them came */
    bool took;           /* the call before this one took one of them */
    size_t window;
    bool started;     /* a job was sent: options are settled */
    bool polled;      /* its descriptor was asked for: `ready` is valid */
    rm_ready_t ready; /* what others poll */
    char error[1024]; /* the last error, or what the jobs wait for, as a sentence */
};

/* ---- what the flow wants done ----------------------------------------------------------------------------------- */

static void close_socket (void *arg)
{
    rm_stream_t *self = arg;
    if (self->polled)
        rm_ready_set (&self->ready, NULL, UINT64_MAX, true);
    rm_socket_close (&self->socket);
}

static void open_socket (void *arg, const char *endpoint)
{
    rm_stream_t *self = arg;
    close_socket (self);
    rm_socket_reconnect (&self->socket, RM_SOCKET_JOBS_DEALER, endpoint);
}

static void send_frame (void *arg, rm_buf_t *frame)
{
    rm_stream_t *self = arg;
    if (self->socket)
        (void)rm_socket_send_buf (self->socket, NULL, frame);
}

static bool on_ended (void *arg, const rm_flow_job_t *job, const rm_result_job_t *row)
{
    rm_stream_t *self = arg;
    rm_result_t *result = rm_result_new (row, job->tag);
    if (!result)
        return false;
    *self->last = result;
    self->last = rm_result_link (result);
    self->result_count++;
    self->arrived_ms = rm_clock_ms ();
    return true;
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

rm_stream_t *rm_stream_new (const char *masters)
{
    rm_endpoints_t given;
    if (!rm_endpoints_parse (&given, rm_endpoint_masters (masters))) {
        errno = EINVAL;
        return NULL;
    }
    rm_stream_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        goto no_memory;
    self->last = &self->first;
    self->window = RM_STREAM_WINDOW;
    const rm_session_id_t sessions[] = {rm_setup_session (), rm_setup_session ()};
    const rm_flow_out_t out = {self, open_socket, close_socket, send_frame, on_ended};
    if (rm_flow_init (&self->flow, given.texts, given.count, sessions, rm_random_u64 (), &out, rm_clock_ms ()))
        goto free_self;
    if (rm_net_init ())
        goto close_flow;
    return self;

close_flow:
    rm_flow_close (&self->flow);
free_self:
    rm_free (self);
no_memory:
    errno = ENOMEM;
    return NULL;
}

void rm_stream_destroy (rm_stream_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_stream_t *self = *self_p;
    *self_p = NULL;
    for (rm_result_t *next; self->first; self->first = next) {
        next = *rm_result_link (self->first);
        rm_result_destroy (&self->first);
    }
    rm_frame_close (&self->frame);
    close_socket (self);
    if (self->polled)
        rm_ready_close (&self->ready);
    rm_net_term ();
    rm_flow_close (&self->flow);
    rm_free (self);
}

int rm_stream_set (rm_stream_t *self, const char *option, const char *value)
{
    int64_t window;
    rm_backoff_t policy = self->flow.line.policy;
    const char *why = NULL;
    int error = RM_EINVAL;
    if (!option || !value)
        why = "an option needs a name and a value";
    else if (self->started)
        error = RM_ESTATE, why = "an option comes too late: a job was sent already";
    else if (strcmp (option, "window"))
        error = rm_setup_option (&policy, option, value, "window, initial, factor and cap", self->error,
                                 sizeof self->error);
    else if (!rm_setup_number (value, &window) || window < 1 || window > RM_STREAM_WINDOW_MAX)
        why = "the window must be from 1 to 65536 jobs";
    else
        error = 0, self->window = (size_t)window;
    if (why)
        snprintf (self->error, sizeof self->error, "%s", why);
    return error ? error : rm_line_configure (&self->flow.line, &policy, NULL);
}

/* ---- work ------------------------------------------------------------------------------------------------------- */

/* Takes all replies there are; whatever is none is dropped. */
static void receive (rm_stream_t *self)
{
    while (self->socket && rm_socket_recv (self->socket, NULL, &self->frame) == 1) {
        rm_msg_t msg;
        if (rm_msg_decode (&msg, rm_frame_data (&self->frame), rm_frame_size (&self->frame), NULL))
            continue;
        rm_flow_reply (&self->flow, &msg, rm_clock_ms ());
        rm_msg_close (&msg);
    }
}

static void work (rm_stream_t *self)
{
    self->took = false;
    receive (self);
    rm_flow_time (&self->flow, rm_clock_ms ());
    if (self->flow.wants_spare) {
        rm_session_id_t spare = rm_setup_session ();
        rm_flow_spare (&self->flow, &spare);
    }
}

/* Lets whoever polls know, after the last use of the socket. */
static void tell (rm_stream_t *self)
{
    if (self->polled)
        rm_ready_set (&self->ready, self->socket, rm_flow_until (&self->flow), self->first != NULL);
}

int rm_stream_send (rm_stream_t *self, const rm_spec_t *spec)
{
    rm_submit_job_t job;
    if (rm_stream_pending (self) >= self->window) {
        snprintf (self->error, sizeof self->error, "%zu jobs are under way, as many as may be: take a result first",
                  self->window);
        work (self);
        tell (self);
        return RM_EBUSY;
    }
    int error = rm_spec_job (spec, &job, self->error, sizeof self->error);
    if (error)
        return error;
    self->started = true;
    *self->error = 0;
    uint64_t now_ms = rm_clock_ms ();
    error = rm_flow_add (&self->flow, &job, spec->tag, now_ms);
    if (error) {
        snprintf (self->error, sizeof self->error, "%s", rm_strerror (error));
        return error;
    }
    if (self->took && self->first && now_ms < self->arrived_ms + HOLD_MS)
        self->took = false; /* the next result is taken at once, and another job comes after that */
    else
        work (self);
    tell (self);
    return 0;
}

static rm_result_t *take_first (rm_stream_t *self)
{
    rm_result_t *result = self->first;
    if (!result)
        return NULL;
    self->first = *rm_result_link (result);
    *rm_result_link (result) = NULL;
    if (!self->first)
        self->last = &self->first;
    self->result_count--;
    return result;
}

/* Waits until the master says something, it is time to do something, or `end_ms`; false: a signal was handled. */
static bool wait_until (rm_stream_t *self, uint64_t end_ms)
{
    uint64_t now_ms = rm_clock_ms (), until_ms = rm_flow_until (&self->flow);
    if (end_ms < until_ms)
        until_ms = end_ms;
    int64_t wait_ms = until_ms > now_ms ? (int64_t)(until_ms - now_ms) : 0;
    rm_poll_t item = {.socket = self->socket, .fd = -1};
    return rm_poll (&item, 1, until_ms == RM_LINE_FOREVER ? -1 : wait_ms) != RM_EINTERRUPTED;
}

rm_result_t *rm_stream_next (rm_stream_t *self, int timeout_ms)
{
    uint64_t now_ms = rm_clock_ms ();
    *self->error = 0;
    if (self->first) {
        if (now_ms >= self->arrived_ms + HOLD_MS)
            work (self); /* who takes his time with results does not hold up the rest */
    } else {
        uint64_t end_ms = timeout_ms < 0 ? RM_LINE_FOREVER : now_ms + (uint64_t)timeout_ms;
        work (self);
        while (!self->first && self->flow.count && rm_clock_ms () < end_ms && wait_until (self, end_ms))
            work (self);
    }
    rm_result_t *result = take_first (self);
    self->took = result != NULL;
    if (!result)
        rm_flow_tell (&self->flow, rm_clock_ms (), self->error, sizeof self->error);
    tell (self);
    return result;
}

int rm_stream_fd (rm_stream_t *self)
{
    if (!self->polled && rm_ready_init (&self->ready))
        return -1;
    self->polled = true;
    tell (self);
    return self->ready.fd;
}

size_t rm_stream_pending (const rm_stream_t *self)
{
    return self->flow.count + self->result_count;
}

const char *rm_stream_error (const rm_stream_t *self)
{
    return self->error;
}
