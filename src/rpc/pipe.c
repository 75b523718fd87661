/*  The pipelined client: one thread with the socket; whoever calls gives it the call and waits. core/rpc_window.h
 *  decides. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/rpc_window.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/endpoint.h"
#include "net/poll.h"
#include "net/random.h"
#include "net/socket.h"
#include "net/wake.h"
#include "proto/alloc.h"
#include "rpc/answer.h"
#include "rpc/options.h"

enum {
    WINDOW = 1024,
    WINDOW_MAX = 4096,
    HELLO_MS = 1000, /* how often it tells the server that it is there, until that says what it wants */
    HELLO_SHARE = 3, /* then so often within the time for which it may be silent */
    BYE_MS = 100     /* for which a goodbye may still leave */
};

/* A call under way, and then its answer. */
typedef struct flight {
    rm_rpc_sent_t sent; /* first */
    bool waited;        /* somebody waits for `done`; else it goes among the answers for `next` */
    bool ended;
    pthread_cond_t done;
    rm_rpc_answer_t *answer; /* NULL after the end: memory ran out */
    struct flight *next;     /* among the answers */
    rm_buf_t args;
    char name[RM_NAME_BYTES_MAX + 1];
} flight_t;

struct rm_rpc_pipe {
    rm_session_id_t session;
    int64_t window_max;
    char name[RM_CLIENT_NAME_BYTES_MAX + 1];

    pthread_mutex_t mutex; /* guards what follows; not held while sending or waiting for messages */
    pthread_cond_t room;   /* the window is not full any more */
    pthread_cond_t came;   /* there is an answer for `next`, or nothing under way that could bring one */
    rm_rpc_window_t window;
    flight_t *first, *last; /* answers for `next` */
    uint64_t open;          /* calls of `send` under way */
    bool started, quits;
    pthread_t thread;
    rm_wake_t wake;

    /* the thread's */
    rm_socket_t *socket;
    rm_frame_t frame;
    rm_buf_t out;
    uint64_t hello_ms, hello_every_ms; /* when to say hello next */
    char error[1024];                  /* of the last option that was refused */
};

/* ---- flights: with the mutex ------------------------------------------------------------------------------------- */

static void flight_free (flight_t *flight)
{
    rm_rpc_answer_destroy (&flight->answer);
    rm_buf_close (&flight->args);
    pthread_cond_destroy (&flight->done);
    rm_free (flight);
}

/* It has ended; `answer` is given away. */
static void land (rm_rpc_pipe_t *self, flight_t *flight, rm_rpc_answer_t *answer)
{
    flight->answer = answer;
    flight->ended = true;
    pthread_cond_signal (&self->room);
    if (flight->waited) {
        pthread_cond_signal (&flight->done);
        return;
    }
    self->open--;
    flight->next = NULL;
    if (self->last)
        self->last->next = flight;
    else
        self->first = flight;
    self->last = flight;
    if (self->open)
        pthread_cond_signal (&self->came);
    else
        pthread_cond_broadcast (&self->came);
}

static const char *words_of (rm_rpc_pipe_t *self, int error, char *text, size_t size)
{
    if (error == RM_EUNREACHABLE)
        rm_line_tell_silence (&self->window.line, rm_clock_ms (), text, size);
    else if (error == RM_ETIMEDOUT)
        snprintf (text, size, "the call was not answered in its time, and may have run or still run");
    else
        snprintf (text, size, "%s", error == RM_EBUSY ? self->window.line.words : "");
    return text;
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static void reopen (rm_rpc_pipe_t *self, const char *where)
{
    rm_socket_reconnect (&self->socket, RM_SOCKET_JOBS_DEALER, where);
    self->hello_ms = rm_clock_ms (); /* this one is to know us as well */
}

static int send_msg (rm_rpc_pipe_t *self, const rm_msg_t *msg)
{
    rm_buf_clear (&self->out);
    if (!self->socket || rm_msg_encode (msg, &self->out))
        return RM_EUNREACHABLE;
    return rm_socket_send_buf (self->socket, NULL, &self->out);
}

static void say_hello (rm_rpc_pipe_t *self, uint64_t now_ms)
{
    rm_msg_t hello = {.type = RM_MSG_RPC_HELLO, .rpc_hello = {self->session, rm_bytes (self->name)}};
    (void)send_msg (self, &hello);
    self->hello_ms = now_ms + self->hello_every_ms;
}

/* Sends a call; what it points to stays, since only this thread ends a call. */
static int send_call (rm_rpc_pipe_t *self, flight_t *flight, uint64_t floor, uint64_t now_ms)
{
    uint64_t deadline_ms = flight->sent.deadline_ms;
    rm_msg_t msg = {.type = RM_MSG_RPC_CALL,
                    .rpc_call = {.session = self->session,
                                 .seq = flight->sent.seq,
                                 .floor = floor,
                                 .name = rm_bytes (flight->name),
                                 .args = {flight->args.data, (uint32_t)flight->args.size},
                                 .left_ms = deadline_ms == UINT64_MAX ? 0 : deadline_ms - now_ms}};
    return send_msg (self, &msg);
}

/* Does all that is due. When to come back. */
static uint64_t do_due (rm_rpc_pipe_t *self)
{
    uint64_t now_ms = rm_clock_ms (), until_ms;
    char text[1024];
    rm_rpc_sent_t *call;
    int error;
    pthread_mutex_lock (&self->mutex);
    for (;;) {
        rm_rpc_window_do_t todo = rm_rpc_window_next (&self->window, now_ms, rm_random_u64 (), &call, &error);
        flight_t *flight = (flight_t *)(void *)call;
        uint64_t floor = rm_rpc_window_floor (&self->window);
        if (todo == RM_RPC_WINDOW_WAIT)
            break;
        if (todo == RM_RPC_WINDOW_END) {
            land (self, flight, rm_rpc_answer_error_of (error, words_of (self, error, text, sizeof text), call->seq));
            continue;
        }
        char where[RM_ENDPOINT_BYTES_MAX + 1];
        snprintf (where, sizeof where, "%s", rm_masters_current (&self->window.line.masters));
        pthread_mutex_unlock (&self->mutex);
        if (todo == RM_RPC_WINDOW_TURN)
            reopen (self, where);
        error = todo == RM_RPC_WINDOW_SEND ? send_call (self, flight, floor, now_ms) : 0;
        pthread_mutex_lock (&self->mutex);
        if (error == RM_EBUSY)
            rm_rpc_window_unsent (&self->window, call, now_ms);
    }
    bool ask = self->window.ask;
    self->window.ask = false;
    until_ms = rm_rpc_window_deadline (&self->window);
    pthread_mutex_unlock (&self->mutex);
    if (ask || now_ms >= self->hello_ms)
        say_hello (self, now_ms);
    return until_ms < self->hello_ms ? until_ms : self->hello_ms;
}

/* The call that this is an answer to; NULL: it is none of ours, or has ended. */
static flight_t *flight_of (rm_rpc_pipe_t *self, const rm_session_id_t *session, uint64_t seq)
{
    if (memcmp (session, &self->session, sizeof *session))
        return NULL;
    return (flight_t *)(void *)rm_rpc_window_find (&self->window, seq);
}

static void on_answer (rm_rpc_pipe_t *self, const rm_msg_t *msg, uint64_t seq, const rm_session_id_t *session,
                       uint64_t now_ms)
{
    rm_rpc_answer_t *answer = rm_rpc_answer_of (msg, seq); /* before the lock: it copies */
    pthread_mutex_lock (&self->mutex);
    flight_t *flight = flight_of (self, session, seq);
    if (flight) {
        rm_line_heard (&self->window.line, now_ms);
        rm_rpc_window_remove (&self->window, &flight->sent);
        land (self, flight, answer);
        answer = NULL;
    }
    pthread_mutex_unlock (&self->mutex);
    rm_rpc_answer_destroy (&answer);
}

static void on_busy (rm_rpc_pipe_t *self, const rm_msg_rpc_busy_t *busy, uint64_t now_ms)
{
    pthread_mutex_lock (&self->mutex);
    flight_t *flight = flight_of (self, &busy->session, busy->seq);
    rm_line_heard (&self->window.line, now_ms);
    if (flight)
        rm_rpc_window_busy (&self->window, &flight->sent, busy->retry_after_ms, busy->text, now_ms, rm_random_u64 ());
    pthread_mutex_unlock (&self->mutex);
}

static void on_welcome (rm_rpc_pipe_t *self, const rm_msg_rpc_welcome_t *welcome, uint64_t now_ms)
{
    pthread_mutex_lock (&self->mutex);
    rm_line_heard (&self->window.line, now_ms);
    pthread_mutex_unlock (&self->mutex);
    uint64_t every_ms = welcome->silence_ms / HELLO_SHARE;
    self->hello_every_ms = every_ms ? every_ms : 1;
    self->hello_ms = now_ms + self->hello_every_ms;
}

static void receive (rm_rpc_pipe_t *self)
{
    rm_msg_t msg;
    int rc;
    uint64_t now_ms = rm_clock_ms ();
    while ((rc = rm_socket_recv (self->socket, NULL, &self->frame)) == 1 || rc == RM_EPROTO) {
        if (rc != 1 || rm_msg_decode (&msg, rm_frame_data (&self->frame), rm_frame_size (&self->frame), NULL))
            continue;
        if (msg.type == RM_MSG_RPC_RESULT)
            on_answer (self, &msg, msg.rpc_result.seq, &msg.rpc_result.session, now_ms);
        else if (msg.type == RM_MSG_RPC_ERROR)
            on_answer (self, &msg, msg.rpc_error.seq, &msg.rpc_error.session, now_ms);
        else if (msg.type == RM_MSG_RPC_BUSY)
            on_busy (self, &msg.rpc_busy, now_ms);
        else if (msg.type == RM_MSG_RPC_WELCOME)
            on_welcome (self, &msg.rpc_welcome, now_ms);
        rm_msg_close (&msg);
    }
}

static bool is_to_quit (rm_rpc_pipe_t *self)
{
    pthread_mutex_lock (&self->mutex);
    bool quits = self->quits;
    pthread_mutex_unlock (&self->mutex);
    return quits;
}

static void *work (void *arg)
{
    rm_rpc_pipe_t *self = arg;
    reopen (self, rm_masters_current (&self->window.line.masters));
    while (!is_to_quit (self)) {
        uint64_t until_ms = do_due (self), now_ms = rm_clock_ms ();
        rm_poll_t items[] = {{.socket = self->socket, .fd = -1}, {.fd = self->wake.fd}};
        if (rm_poll (items, 2, until_ms > now_ms ? (int64_t)(until_ms - now_ms) : 0) < 0)
            continue;
        if (items[1].readable)
            rm_wake_clear (&self->wake);
        if (items[0].readable)
            receive (self);
    }
    if (self->socket) {
        rm_msg_t bye = {.type = RM_MSG_RPC_BYE, .rpc_bye.session = self->session};
        rm_socket_set_linger (self->socket, BYE_MS);
        (void)send_msg (self, &bye);
        rm_socket_close (&self->socket);
    }
    return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void init_locks (rm_rpc_pipe_t *self)
{
    pthread_condattr_t attributes;
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->room, &attributes);
    pthread_cond_init (&self->came, &attributes);
    pthread_condattr_destroy (&attributes);
}

rm_rpc_pipe_t *rm_rpc_pipe_new (const char *servers)
{
    rm_endpoints_t given;
    if (!rm_endpoints_parse (&given, servers)) {
        errno = EINVAL;
        return NULL;
    }
    rm_rpc_pipe_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        goto no_memory;
    self->window_max = WINDOW;
    self->hello_every_ms = HELLO_MS;
    rm_random_fill (self->session.bytes, sizeof self->session.bytes);
    if (rm_rpc_window_init (&self->window, given.texts, given.count, rm_clock_ms ()))
        goto free_self;
    if (rm_wake_init (&self->wake))
        goto close_window;
    if (rm_net_init ())
        goto close_wake;
    init_locks (self);
    return self;

close_wake:
    rm_wake_close (&self->wake);
close_window:
    rm_rpc_window_close (&self->window);
free_self:
    rm_free (self);
no_memory:
    errno = ENOMEM;
    return NULL;
}

static void stop (rm_rpc_pipe_t *self)
{
    pthread_mutex_lock (&self->mutex);
    self->quits = true;
    bool started = self->started;
    pthread_mutex_unlock (&self->mutex);
    rm_wake_ring (&self->wake);
    if (started)
        pthread_join (self->thread, NULL);
}

void rm_rpc_pipe_destroy (rm_rpc_pipe_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_rpc_pipe_t *self = *self_p;
    *self_p = NULL;
    stop (self);
    RM_LIST_EACH (&self->window.calls, link) {
        rm_rpc_sent_t *call = RM_OWNER (link, rm_rpc_sent_t, link);
        rm_rpc_window_remove (&self->window, call);
        flight_free ((flight_t *)(void *)call);
    }
    while (self->first) {
        flight_t *flight = self->first;
        self->first = flight->next;
        flight_free (flight);
    }
    rm_rpc_window_close (&self->window);
    rm_frame_close (&self->frame);
    rm_buf_close (&self->out);
    rm_wake_close (&self->wake);
    rm_net_term ();
    pthread_cond_destroy (&self->came);
    pthread_cond_destroy (&self->room);
    pthread_mutex_destroy (&self->mutex);
    rm_free (self);
}

int rm_rpc_pipe_set (rm_rpc_pipe_t *self, const char *option, const char *value)
{
    rm_backoff_t policy = self->window.line.policy;
    const rm_rpc_option_t options[] = {
        RM_RPC_LINE_OPTIONS (self->name, policy),
        {.name = "window", .number = &self->window_max, .min = 1, .max = WINDOW_MAX},
        {.name = NULL},
    };
    const char *why;
    pthread_mutex_lock (&self->mutex);
    int error = self->started ? RM_ESTATE : rm_rpc_option_set (options, option, value, self->error, sizeof self->error);
    if (!error && (error = rm_line_configure (&self->window.line, &policy, &why)))
        snprintf (self->error, sizeof self->error, "option %s cannot be '%s': %s", option, value, why);
    pthread_mutex_unlock (&self->mutex);
    return error;
}

const char *rm_rpc_pipe_error (const rm_rpc_pipe_t *self)
{
    return self->error;
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

/* Waits for a turn up to a moment; false: it is over. With the mutex. */
static bool wait_until (rm_rpc_pipe_t *self, pthread_cond_t *turn, uint64_t until_ms)
{
    if (until_ms == UINT64_MAX)
        return !pthread_cond_wait (turn, &self->mutex);
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};
    return !pthread_cond_timedwait (turn, &self->mutex, &until);
}

static uint64_t moment (int timeout_ms)
{
    return timeout_ms < 0 ? UINT64_MAX : rm_clock_ms () + (uint64_t)timeout_ms;
}

/* Gives a call to the thread, once there is room for it. With the mutex. */
static int take_off (rm_rpc_pipe_t *self, flight_t *flight, uint64_t deadline_ms)
{
    if (!self->started && pthread_create (&self->thread, NULL, work, self))
        return RM_EIO;
    self->started = true;
    while (HASH_COUNT (self->window.by_seq) >= (uint64_t)self->window_max)
        if (!wait_until (self, &self->room, deadline_ms))
            return RM_ETIMEDOUT;
    int error = rm_rpc_window_add (&self->window, &flight->sent, deadline_ms, rm_clock_ms ());
    if (!error && !flight->waited)
        self->open++;
    return error;
}

/* A call that can be made. NULL with the error and a sentence. */
static flight_t *prepare (const char *name, const rm_rpc_value_t *args, size_t count, bool waited, int *error,
                          const char **why)
{
    flight_t *flight = rm_calloc (1, sizeof *flight);
    *error = RM_ENOMEM;
    *why = "";
    if (!flight)
        return NULL;
    pthread_cond_init (&flight->done, NULL);
    flight->waited = waited;
    *why = rm_rpc_call_check (name, args, count, &flight->args, error);
    if (*why) {
        flight_free (flight);
        return NULL;
    }
    snprintf (flight->name, sizeof flight->name, "%s", name);
    return flight;
}

/* Calls and waits: the answer, NULL when memory ran out. */
static rm_rpc_answer_t *call (rm_rpc_pipe_t *self, const char *name, const rm_rpc_value_t *args, size_t count,
                              int timeout_ms)
{
    int error;
    const char *why;
    flight_t *flight = prepare (name, args, count, true, &error, &why);
    if (!flight)
        return rm_rpc_answer_error_of (error, why, 0);
    pthread_mutex_lock (&self->mutex);
    error = take_off (self, flight, moment (timeout_ms));
    if (!error)
        rm_wake_ring (&self->wake);
    while (!error && !flight->ended)
        pthread_cond_wait (&flight->done, &self->mutex);
    pthread_mutex_unlock (&self->mutex);
    rm_rpc_answer_t *answer = flight->answer;
    if (error)
        answer = rm_rpc_answer_error_of (error,
                                         error == RM_ETIMEDOUT ? "there was no room for the call in its time" : "", 0);
    flight->answer = NULL;
    flight_free (flight);
    return answer;
}

int rm_rpc_pipe_call (rm_rpc_pipe_t *self, const char *name, const rm_rpc_value_t *args, size_t count, int timeout_ms,
                      rm_rpc_answer_t **answer_p)
{
    rm_rpc_answer_t *answer = call (self, name, args, count, timeout_ms);
    int error = answer ? rm_rpc_answer_error (answer) : RM_ENOMEM;
    if (answer_p)
        *answer_p = answer;
    else
        rm_rpc_answer_destroy (&answer);
    return error;
}

int rm_rpc_pipe_send (rm_rpc_pipe_t *self, const char *name, const rm_rpc_value_t *args, size_t count, int timeout_ms,
                      uint64_t *id_p)
{
    int error;
    const char *why;
    flight_t *flight = prepare (name, args, count, false, &error, &why);
    if (!flight)
        return error;
    pthread_mutex_lock (&self->mutex);
    error = take_off (self, flight, moment (timeout_ms));
    if (!error && id_p)
        *id_p = flight->sent.seq;
    pthread_mutex_unlock (&self->mutex);
    if (error)
        flight_free (flight);
    else
        rm_wake_ring (&self->wake);
    return error;
}

int rm_rpc_pipe_next (rm_rpc_pipe_t *self, int timeout_ms, rm_rpc_answer_t **answer_p)
{
    uint64_t until_ms = moment (timeout_ms);
    int error = 0;
    pthread_mutex_lock (&self->mutex);
    while (!self->first && self->open && wait_until (self, &self->came, until_ms))
        continue;
    flight_t *flight = self->first;
    if (flight) {
        self->first = flight->next;
        if (!self->first)
            self->last = NULL;
    } else
        error = self->open ? RM_ETIMEDOUT : RM_ESTATE;
    pthread_mutex_unlock (&self->mutex);
    *answer_p = flight ? flight->answer : NULL;
    if (flight) {
        error = flight->answer ? 0 : RM_ENOMEM;
        flight->answer = NULL;
        flight_free (flight);
    }
    return error;
}
