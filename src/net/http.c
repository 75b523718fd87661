#include "net/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum { STREAM_BYTES = 64 << 10 /* that are asked for at a time */ };

/* A request that waits for the loop. It belongs to the thread that asks; when that has lost its patience while the
 * callback runs, or is done with a stream, to the loop.
 *
 *   waiting → running → answered → streamed
 *      └────────┴─────→ given up
 */
typedef struct question {
    rm_http_t *http;
    const rm_http_route_t *route;
    rm_http_answer_t answer;
    enum { WAITING, RUNNING, ANSWERED, GIVEN_UP } state;
    struct question *next;
    char rest[RM_HTTP_REST_BYTES_MAX + 1]; /* a copy, since the loop may look at it when the connection is gone */
} question_t;

struct rm_http {
    struct MHD_Daemon *daemon;
    const rm_http_route_t *routes;
    rm_endpoint_t endpoint;
    uv_async_t wake;         /* tells the loop that questions wait */
    pthread_mutex_t guard;   /* of all below, and of the questions' states */
    pthread_cond_t answered; /* some question has left the states waiting and running */
    question_t *first, **last_p;
    question_t *streamed; /* those whose streams have to be ended */
    bool stopping;        /* nothing is asked any more */
};

/* ---- the loop's side ------------------------------------------------------------------------------------------- */

static void question_free (question_t *question)
{
    if (question->answer.stream.end)
        question->answer.stream.end (question->answer.stream.arg);
    rm_buf_close (&question->answer.body);
    rm_free (question);
}

/* Takes the first question off the list, for the state `state`; NULL if there is none. Under the guard. */
static question_t *take (rm_http_t *self, int state)
{
    question_t *question = self->first;
    if (!question)
        return NULL;
    self->first = question->next;
    if (!self->first)
        self->last_p = &self->first;
    question->state = state;
    return question;
}

static void end_streams (rm_http_t *self)
{
    pthread_mutex_lock (&self->guard);
    question_t *next = self->streamed;
    self->streamed = NULL;
    pthread_mutex_unlock (&self->guard);
    for (question_t *question; (question = next);) {
        next = question->next;
        question_free (question);
    }
}

static void on_wake (uv_async_t *handle)
{
    rm_http_t *self = handle->data;
    end_streams (self);
    pthread_mutex_lock (&self->guard);
    for (question_t *question; (question = take (self, RUNNING));) {
        pthread_mutex_unlock (&self->guard);
        question->route->answer (&question->answer, question->route->arg);
        pthread_mutex_lock (&self->guard);
        if (question->state == GIVEN_UP)
            question_free (question);
        else
            question->state = ANSWERED;
    }
    pthread_cond_broadcast (&self->answered);
    pthread_mutex_unlock (&self->guard);
}

/* ---- the threads' side ----------------------------------------------------------------------------------------- */

static void withdraw (rm_http_t *self, question_t *question)
{
    question_t **at = &self->first;
    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    if (!*at)
        self->last_p = at;
}

/* Waits for the loop's answer. NULL if it does not come in time; the question is then no longer the caller's. */
static question_t *ask (rm_http_t *self, question_t *question)
{
    struct timespec end;
    clock_gettime (CLOCK_MONOTONIC, &end);
    end.tv_sec += RM_HTTP_PATIENCE_MS / 1000;
    end.tv_nsec += RM_HTTP_PATIENCE_MS % 1000 * 1000000L;
    pthread_mutex_lock (&self->guard);
    if (self->stopping)
        question->state = GIVEN_UP;
    else {
        *self->last_p = question;
        self->last_p = &question->next;
        uv_async_send (&self->wake);
    }
    int rc = 0;
    while (!rc && (question->state == WAITING || question->state == RUNNING))
        rc = pthread_cond_timedwait (&self->answered, &self->guard, &end);
    bool answered = question->state == ANSWERED, running = question->state == RUNNING;
    if (question->state == WAITING)
        withdraw (self, question);
    question->state = answered ? ANSWERED : GIVEN_UP;
    pthread_mutex_unlock (&self->guard);
    if (answered)
        return question;
    if (!running)
        question_free (question);
    return NULL;
}

/* Queues an answer, whose body it takes. */
static enum MHD_Result reply (struct MHD_Connection *connection, rm_http_answer_t *answer)
{
    rm_buf_t *body = &answer->body;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback (body->size, body->data, rm_free);
    if (!response)
        return MHD_NO;
    *body = (rm_buf_t){0};
    MHD_add_response_header (response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    MHD_add_response_header (response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header (response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result rc = MHD_queue_response (connection, answer->status, response);
    MHD_destroy_response (response);
    return rc;
}

static enum MHD_Result refuse (struct MHD_Connection *connection, unsigned status, const char *sentence)
{
    rm_http_answer_t answer = {.status = status, .content_type = "text/plain; charset=utf-8"};
    rm_buf_put (&answer.body, sentence, strlen (sentence));
    rm_buf_put (&answer.body, "\n", 1);
    enum MHD_Result rc = reply (connection, &answer);
    rm_buf_close (&answer.body);
    return rc;
}

/* ---- a stream ---------------------------------------------------------------------------------------------------- */

static ssize_t read_stream (void *arg, uint64_t at, char *to, size_t size)
{
    const rm_http_stream_t *stream = &((question_t *)arg)->answer.stream;
    size_t got = stream->read (stream->arg, at, to, size);
    return got ? (ssize_t)got : MHD_CONTENT_READER_END_OF_STREAM;
}

/* Hands the question to the loop. */
static void stream_done (void *arg)
{
    question_t *question = arg;
    rm_http_t *self = question->http;
    pthread_mutex_lock (&self->guard);
    question->next = self->streamed;
    self->streamed = question;
    pthread_mutex_unlock (&self->guard);
    uv_async_send (&self->wake);
}

/* Queues an answer that is a stream; takes the question. */
static enum MHD_Result reply_stream (struct MHD_Connection *connection, question_t *question)
{
    const rm_http_stream_t *stream = &question->answer.stream;
    uint64_t checksum;
    char text[17];
    struct MHD_Response *response = NULL;
    if (stream->begin (stream->arg, &checksum))
        response = MHD_create_response_from_callback (stream->bytes, STREAM_BYTES, read_stream, question, stream_done);
    if (!response) {
        stream_done (question);
        return refuse (connection, MHD_HTTP_SERVICE_UNAVAILABLE, "memory ran out");
    }
    snprintf (text, sizeof text, "%016llx", (unsigned long long)checksum);
    MHD_add_response_header (response, MHD_HTTP_HEADER_CONTENT_TYPE, question->answer.content_type);
    MHD_add_response_header (response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header (response, RM_HTTP_CHECKSUM, text);
    enum MHD_Result rc = MHD_queue_response (connection, question->answer.status, response);
    MHD_destroy_response (response);
    return rc;
}

/* ---- a request --------------------------------------------------------------------------------------------------- */

/* The route for a path; its rest begins at *rest_p. NULL: there is none. */
static const rm_http_route_t *find_route (const rm_http_route_t *routes, const char *url, const char **rest_p)
{
    for (const rm_http_route_t *route = routes; route->path; route++) {
        size_t size = strcspn (route->path, "*");
        *rest_p = url + size;
        if (route->path[size] ? !strncmp (route->path, url, size) && strlen (*rest_p) <= RM_HTTP_REST_BYTES_MAX
                              : !strcmp (route->path, url))
            return route;
    }
    return NULL;
}

static enum MHD_Result on_request (void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                   const char *version, const char *upload, size_t *upload_size, void **state)
{
    (void)version, (void)upload, (void)upload_size, (void)state;
    rm_http_t *self = arg;
    const char *rest;
    const rm_http_route_t *route = find_route (self->routes, url, &rest);
    if (!route)
        return refuse (connection, MHD_HTTP_NOT_FOUND, "no such page");
    if (strcmp (method, MHD_HTTP_METHOD_GET) && strcmp (method, MHD_HTTP_METHOD_HEAD))
        return refuse (connection, MHD_HTTP_METHOD_NOT_ALLOWED, "this page can only be read");
    question_t *question = rm_calloc (1, sizeof *question);
    if (!question)
        return MHD_NO;
    question->http = self;
    question->route = route;
    strcpy (question->rest, rest);
    question->answer =
        (rm_http_answer_t){.rest = question->rest, .status = MHD_HTTP_OK, .content_type = "text/plain; charset=utf-8"};
    question = ask (self, question);
    if (!question)
        return refuse (connection, MHD_HTTP_SERVICE_UNAVAILABLE, "busy: no answer in 2 s, try again later");
    if (question->answer.stream.end)
        return reply_stream (connection, question);
    enum MHD_Result rc = question->answer.body.failed
                             ? refuse (connection, MHD_HTTP_SERVICE_UNAVAILABLE, "memory ran out")
                             : reply (connection, &question->answer);
    question_free (question);
    return rc;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

/* A listening socket at self->endpoint, whose port is filled in; or an error. */
static int listen_at (rm_http_t *self, rm_fault_t *fault)
{
    rm_endpoint_t *endpoint = &self->endpoint;
    char port[8];
    snprintf (port, sizeof port, "%u", endpoint->port);
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    if (getaddrinfo (endpoint->host, port, &hints, &found))
        return rm_fault (fault, RM_EINVAL, "'%s' is not an address", endpoint->host);
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    int on = 1, fd = socket (found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool done = fd >= 0 && !setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
                !bind (fd, found->ai_addr, found->ai_addrlen) && !listen (fd, RM_HTTP_CONNECTIONS_MAX) &&
                !getsockname (fd, (struct sockaddr *)&bound, &size);
    int error = errno;
    freeaddrinfo (found);
    if (done) {
        getnameinfo ((struct sockaddr *)&bound, size, NULL, 0, port, sizeof port, NI_NUMERICSERV);
        return rm_endpoint_set (endpoint, endpoint->host, (unsigned)atoi (port), fault) ? RM_EINVAL : fd;
    }
    if (fd >= 0)
        close (fd);
    return rm_endpoint_bind_failed (endpoint, error, fault);
}

/* The threads of libmicrohttpd take no signals: those are for the loop. */
static struct MHD_Daemon *start_daemon (rm_http_t *self, int fd)
{
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon =
        MHD_start_daemon (MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC,
                          0, NULL, NULL, on_request, self,                                      //
                          MHD_OPTION_LISTEN_SOCKET, fd,                                         //
                          MHD_OPTION_CONNECTION_LIMIT, (unsigned)RM_HTTP_CONNECTIONS_MAX,       //
                          MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)RM_HTTP_ADDRESS_MAX,    //
                          MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)RM_HTTP_IDLE_S,              //
                          MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)RM_HTTP_HEADER_BYTES_MAX, //
                          MHD_OPTION_END);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    return daemon;
}

static void on_closed (uv_handle_t *handle)
{
    rm_http_t *self = handle->data;
    pthread_cond_destroy (&self->answered);
    pthread_mutex_destroy (&self->guard);
    rm_free (self);
}

rm_http_t *rm_http_new (uv_loop_t *loop, const char *host, unsigned port, const rm_http_route_t *routes,
                        rm_fault_t *fault)
{
    rm_http_t *self = rm_calloc (1, sizeof *self);
    if (!self) {
        rm_fault (fault, RM_ENOMEM, "memory ran out");
        return NULL;
    }
    self->routes = routes;
    self->last_p = &self->first;
    int fd = rm_endpoint_set (&self->endpoint, host, port, fault);
    if (!fd)
        fd = rm_endpoint_resolve (&self->endpoint, fault);
    if (!fd)
        fd = listen_at (self, fault);
    if (fd < 0) {
        rm_free (self);
        return NULL;
    }
    pthread_mutex_init (&self->guard, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init (&monotonic);
    pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init (&self->answered, &monotonic);
    pthread_condattr_destroy (&monotonic);
    int rc = uv_async_init (loop, &self->wake, on_wake);
    RM_ASSERT (rc == 0); /* it only opens a descriptor for the loop's first one; libuv's own is there already */
    self->wake.data = self;
    rm_endpoint_advertise (&self->endpoint);
    self->daemon = start_daemon (self, fd);
    if (!self->daemon) {
        /* libmicrohttpd does not say whether it has closed fd: better left open than closed twice. */
        rm_fault (fault, RM_EIO, "cannot start the http server: %s", strerror (errno));
        rm_http_destroy (&self);
    }
    return self;
}

void rm_http_destroy (rm_http_t **self_p)
{
    rm_http_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    pthread_mutex_lock (&self->guard);
    self->stopping = true;
    while (take (self, GIVEN_UP))
        continue;
    pthread_cond_broadcast (&self->answered);
    pthread_mutex_unlock (&self->guard);
    if (self->daemon)
        MHD_stop_daemon (self->daemon);
    end_streams (self);
    uv_close ((uv_handle_t *)&self->wake, on_closed);
}

const rm_endpoint_t *rm_http_endpoint (const rm_http_t *self)
{
    return &self->endpoint;
}
