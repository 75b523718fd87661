#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/newest.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/poll.h"
#include "net/random.h"
#include "net/socket.h"
#include "net/wake.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/pubsub.h"

enum {
    TOPICS = 4096,
    KEPT_BYTES = 64 << 20,
    KEPT_BYTES_MAX = 1 << 30,
    QUESTIONS_MAX = 1024, /* that wait; who is forgotten asks again */
    SILENT_A_TURN = 256,  /* topics that are named again before senders have their turn */
    PACE_MS = 1,          /* between the parts of an answer: about 256 MB/s, so that they do not push each other out */
};

typedef struct {
    uint64_t asker;
    uint8_t pattern[RM_NEWS_PATTERN_BYTES_MAX];
    uint32_t size;
} question_t;

struct rm_pub {
    uint64_t inc;
    bool insecure;
    pthread_t thread; /* reads subscriptions and answers questions, so that a publisher that is silent has its value for
                        * late joiners, too */
    bool running;     /* there is a thread */
    rm_wake_t wake;   /* for it */
    atomic_bool stop; /* tells it to end */
    char error[1024];

    pthread_mutex_t guard; /* of all below. Held for one message at a time, never while waiting: sends do not block */
    rm_socket_t *socket;   /* NULL: it does not listen */
    rm_newest_t newest;
    rm_buf_t buf;          /* for what is being written */
    question_t *questions; /* QUESTIONS_MAX, a ring */
    uint32_t first, count; /* of them */
    bool answering;        /* … this one: */
    rm_newest_answer_t answer;
    rm_news_item_t items[RM_NEWS_PART_ITEMS_MAX]; /* its present part */
};

__attribute__ ((format (printf, 3, 4))) static int fail (rm_pub_t *self, int error, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (self->error, sizeof self->error, format, arguments);
    va_end (arguments);
    return error;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

rm_pub_t *rm_pub_new (void)
{
    rm_pub_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        goto no_memory;
    self->questions = rm_calloc (QUESTIONS_MAX, sizeof *self->questions);
    if (!self->questions || rm_wake_init (&self->wake))
        goto free_self;
    if (rm_net_init ())
        goto close_wake;
    do
        self->inc = rm_random_u64 ();
    while (!self->inc);
    pthread_mutex_init (&self->guard, NULL);
    rm_newest_init (&self->newest, TOPICS, KEPT_BYTES);
    return self;

close_wake:
    rm_wake_close (&self->wake);
free_self:
    rm_free (self->questions);
    rm_free (self);
no_memory:
    errno = ENOMEM;
    return NULL;
}

void rm_pub_destroy (rm_pub_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_pub_t *self = *self_p;
    *self_p = NULL;
    if (self->running) {
        self->stop = true;
        rm_wake_ring (&self->wake);
        pthread_join (self->thread, NULL);
    }
    rm_socket_close (&self->socket);
    rm_net_term ();
    rm_newest_close (&self->newest);
    rm_buf_close (&self->buf);
    rm_wake_close (&self->wake);
    pthread_mutex_destroy (&self->guard);
    rm_free (self->questions);
    rm_free (self);
}

int rm_pub_set (rm_pub_t *self, const char *option, const char *value)
{
    char *end = NULL;
    if (!option || !value)
        return fail (self, RM_EINVAL, "an option needs a name and a value");
    if (self->socket)
        return fail (self, RM_ESTATE, "option %s comes too late: the publisher listens already", option);
    errno = 0;
    long number = strtol (value, &end, 10);
    bool read = *value >= '0' && *value <= '9' && !*end && !errno;
    if (!strcmp (option, "topics") && read && number >= 1 && number <= RM_NEWS_TOPICS_MAX)
        self->newest.count_max = (size_t)number;
    else if (!strcmp (option, "kept") && read && number <= KEPT_BYTES_MAX)
        self->newest.bytes_max = (size_t)number;
    else if (!strcmp (option, "insecure") && read && number <= 1)
        self->insecure = number;
    else
        return fail (self, RM_EINVAL,
                     "option %s=%s: there are topics (1 … %d), kept (bytes, up to %d) and insecure (0 or 1)", option,
                     value, RM_NEWS_TOPICS_MAX, KEPT_BYTES_MAX);
    return 0;
}

const char *rm_pub_endpoint (const rm_pub_t *self)
{
    return self->socket ? rm_socket_endpoint (self->socket)->text : "";
}

const char *rm_pub_error (const rm_pub_t *self)
{
    return self->error;
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

/* Sends what is in `buf`. A publisher's socket takes everything, or drops it for whoever is too slow. */
static void publish (rm_pub_t *self, int encoded)
{
    if (!encoded)
        (void)rm_socket_send_buf (self->socket, NULL, &self->buf);
    rm_buf_clear (&self->buf);
}

/* Takes in subscriptions, which ZeroMQ serves, and questions, which we do. */
static void read_questions (rm_pub_t *self)
{
    rm_frame_t frame = {0};
    uint64_t asker;
    rm_bytes_t pattern;
    for (int rc; (rc = rm_socket_recv (self->socket, NULL, &frame));) {
        if (rc != 1 || self->count == QUESTIONS_MAX ||
            !rm_news_question_read (rm_frame_data (&frame), rm_frame_size (&frame), &asker, &pattern))
            continue;
        question_t *question = &self->questions[(self->first + self->count++) % QUESTIONS_MAX];
        *question = (question_t){.asker = asker, .size = pattern.size};
        if (pattern.size)
            memcpy (question->pattern, pattern.data, pattern.size);
    }
    rm_frame_close (&frame);
}

/* The next part of the present answer, or the first of the next one. */
static void answer (rm_pub_t *self)
{
    if (!self->answering && self->count) {
        const question_t *question = &self->questions[self->first];
        rm_newest_ask (&self->newest, question->asker, (rm_bytes_t){question->pattern, question->size}, &self->answer);
        self->first = (self->first + 1) % QUESTIONS_MAX;
        self->count--;
        self->answering = true;
    }
    if (!self->answering)
        return;
    bool last;
    uint32_t part = self->answer.part, count = rm_newest_part (&self->answer, self->items, &last);
    rm_bytes_t pattern = {self->answer.pattern, self->answer.pattern_size};
    publish (self,
             rm_news_encode_kept (self->answer.asker, pattern, self->inc, part, last, self->items, count, &self->buf));
    self->answering = !last;
}

static void name_silent (rm_pub_t *self, uint64_t now_ms)
{
    rm_news_item_t item;
    for (int i = 0; i < SILENT_A_TURN && rm_newest_silent (&self->newest, now_ms, &item); i++)
        publish (self, rm_news_encode (&item, self->inc, &self->buf));
}

/* How long there is nothing to do, unless something comes. */
static int64_t idle_ms (const rm_pub_t *self, uint64_t now_ms)
{
    uint64_t due_ms = rm_newest_due (&self->newest);
    if (self->answering || self->count || rm_socket_is_readable (self->socket))
        return PACE_MS;
    return due_ms == UINT64_MAX ? -1 : due_ms > now_ms ? (int64_t)(due_ms - now_ms) : PACE_MS;
}

static void *run (void *arg)
{
    rm_pub_t *self = arg;
    while (!self->stop) {
        pthread_mutex_lock (&self->guard);
        uint64_t now_ms = rm_clock_ms ();
        read_questions (self);
        answer (self);
        name_silent (self, now_ms);
        int64_t wait_ms = idle_ms (self, now_ms);
        pthread_mutex_unlock (&self->guard);
        rm_poll_t items[] = {{.fd = rm_socket_fd (self->socket)}, {.fd = self->wake.fd}};
        rm_poll (items, 2, wait_ms);
        rm_wake_clear (&self->wake);
    }
    return NULL;
}

/* ---- what programs call ------------------------------------------------------------------------------------------ */

int rm_pub_bind (rm_pub_t *self, const char *host, unsigned port)
{
    rm_fault_t fault = {0};
    rm_endpoint_t wanted;
    if (self->socket)
        return fail (self, RM_ESTATE, "the publisher listens already, at %s", rm_pub_endpoint (self));
    if (!host || rm_endpoint_set (&wanted, host, port, &fault) || rm_endpoint_resolve (&wanted, &fault))
        return fail (self, RM_EINVAL, "%s", host ? fault.text : "a publisher needs a host to listen on");
    if (!rm_endpoint_is_loopback (&wanted) && !self->insecure)
        return fail (self, RM_EDENIED,
                     "%s is beyond this machine's loopback, and whoever reaches it could read all: set insecure=1 if "
                     "that is meant",
                     host);
    self->socket = rm_socket_bind (RM_SOCKET_NEWS_PUB, host, port, &fault);
    if (!self->socket)
        return fail (self, fault.error, "%s", fault.text);
    sigset_t all, before;
    sigfillset (&all); /* signals are for the program's own threads */
    pthread_sigmask (SIG_SETMASK, &all, &before);
    int rc = pthread_create (&self->thread, NULL, run, self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    if (rc) {
        rm_socket_close (&self->socket);
        return fail (self, RM_ENOMEM, "no thread can be started");
    }
    self->running = true;
    return 0;
}

int rm_pub_send (rm_pub_t *self, const char *topic, const void *data, size_t size)
{
    rm_news_item_t item;
    if (!topic || (size && !data))
        return RM_EINVAL;
    if (!self->socket)
        return RM_ESTATE;
    if (size > RM_NEWS_BYTES_MAX)
        return RM_ETOOBIG;
    pthread_mutex_lock (&self->guard);
    uint64_t due_ms = rm_newest_due (&self->newest);
    int rc = rm_newest_put (&self->newest, rm_bytes (topic), (rm_bytes_t){data, (uint32_t)size}, rm_clock_ms (), &item);
    if (!rc) {
        rc = rm_news_encode (&item, self->inc, &self->buf);
        publish (self, rc);
        /* The send may have swallowed the sign that a question has come; and the thread may sleep for ever. */
        if (due_ms == UINT64_MAX || rm_socket_is_readable (self->socket))
            rm_wake_ring (&self->wake);
    }
    pthread_mutex_unlock (&self->guard);
    return rc;
}
