#include "master/raft_transport.h"

#include <netdb.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>
#include <xxhash.h>

#include "master/raft_line.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

enum {
    LOOK_MS = 100,
    BACKLOG = 128,
    SAYINGS_AT_ONCE = 10,     /* of them, and one more a second */
    SAY_AGAIN_MS = 30 * 1000, /* the same sentence */
};

void rm_raft_transport_say (rm_raft_transport_t *self, const char *format, ...)
{
    char sentence[768];
    va_list args;
    va_start (args, format);
    int size = vsnprintf (sentence, sizeof sentence, format, args);
    va_end (args);
    size = size < (int)sizeof sentence ? size : (int)sizeof sentence - 1;
    uint64_t now = uv_now (self->loop), hash = XXH3_64bits (sentence, size);
    unsigned oldest = 0;
    for (unsigned i = 0; i < RM_RAFT_SAYINGS; i++) {
        if (self->sayings[i].hash == hash && now - self->sayings[i].at_ms < SAY_AGAIN_MS)
            return;
        oldest = self->sayings[i].at_ms < self->sayings[oldest].at_ms ? i : oldest;
    }
    self->allowance += (double)(now - self->allowed_ms) / 1000;
    self->allowance = self->allowance > SAYINGS_AT_ONCE ? SAYINGS_AT_ONCE : self->allowance;
    self->allowed_ms = now;
    if (self->allowance < 1) {
        self->unsaid++;
        return;
    }
    self->allowance -= 1;
    self->sayings[oldest].hash = hash;
    self->sayings[oldest].at_ms = now;
    if (self->unsaid)
        snprintf (sentence + size, sizeof sentence - size, " (not said since the last time: %u)", self->unsaid);
    self->unsaid = 0;
    if (self->events.said)
        self->events.said (self->events.arg, sentence);
}

/* ---- closing ---------------------------------------------------------------------------------------------------- */

static void maybe_closed (rm_raft_transport_t *self)
{
    if (!self->closing || self->handles > 0 || !self->closed)
        return;
    raft_uv_transport_close_cb closed = self->closed;
    self->closed = NULL;
    closed (self->face);
}

static void handle_closed (uv_handle_t *handle)
{
    rm_raft_transport_t *self = handle->data;
    self->handles--;
    maybe_closed (self);
}

static void line_closed (uv_handle_t *handle)
{
    rm_raft_line_t *line = (rm_raft_line_t *)handle;
    rm_raft_transport_t *self = line->transport;
    rm_raft_reader_free (line);
    rm_free (line->talk);
    raft_free (line);
    self->handles--;
    maybe_closed (self);
}

void rm_raft_line_leave (rm_raft_line_t *self)
{
    DL_DELETE (self->transport->lines, self);
}

void rm_raft_line_close (rm_raft_line_t *self)
{
    if (self->closing)
        return;
    self->closing = true;
    rm_raft_line_leave (self);
    if (self->looking_up)
        uv_cancel ((uv_req_t *)&self->resolve); /* its answer comes to this line: rm_raft_line_shut follows then */
    else
        rm_raft_line_shut (self);
}

void rm_raft_line_shut (rm_raft_line_t *self)
{
    uv_close ((uv_handle_t *)&self->tcp, line_closed);
}

rm_raft_line_t *rm_raft_line_new (rm_raft_transport_t *transport, bool dialled)
{
    rm_raft_line_t *self = raft_calloc (1, sizeof *self);
    rm_raft_talk_t *talk = rm_calloc (1, sizeof *talk);
    if (!self || !talk || uv_tcp_init (transport->loop, &self->tcp) != 0) {
        raft_free (self);
        rm_free (talk);
        return NULL;
    }
    self->transport = transport;
    self->dialled = dialled;
    self->talk = talk;
    self->begun_ms = uv_now (transport->loop);
    snprintf (self->where, sizeof self->where, "an unknown address");
    transport->handles++;
    DL_APPEND (transport->lines, self);
    return self;
}

static void transport_close (struct raft_uv_transport *face, raft_uv_transport_close_cb closed)
{
    rm_raft_transport_t *self = face->impl;
    self->closing = true;
    self->closed = closed;
    rm_raft_line_t *line, *next;
    DL_FOREACH_SAFE (self->lines, line, next) {
        rm_raft_line_tell (line, &(rm_raft_dialled_t){.status = RM_EINTERRUPTED});
        rm_raft_line_close (line);
    }
    if (self->open) {
        uv_close ((uv_handle_t *)&self->timer, handle_closed);
        if (self->port)
            uv_close ((uv_handle_t *)&self->listener, handle_closed);
    }
    maybe_closed (self);
}

/* ---- from outside ----------------------------------------------------------------------------------------------- */

static void look_for_late (rm_raft_transport_t *self)
{
    uint64_t now = uv_now (self->loop);
    rm_raft_line_t *line, *next;
    DL_FOREACH_SAFE (self->lines, line, next) {
        if (line->stage < RM_RAFT_LINE_OPEN && now - line->begun_ms >= RM_RAFT_HELLO_MS)
            rm_raft_line_fail (line, RM_ETIMEDOUT, "it did not say hello in time");
    }
}

static void on_timer (uv_timer_t *timer)
{
    look_for_late (timer->data);
}

/* The oldest goes: one that means it is through in a moment. */
static void make_room (rm_raft_transport_t *self)
{
    unsigned half_open = 0;
    rm_raft_line_t *line, *oldest = NULL;
    DL_FOREACH (self->lines, line) {
        if (line->dialled || line->stage >= RM_RAFT_LINE_OPEN)
            continue;
        oldest = oldest ? oldest : line;
        half_open++;
    }
    if (half_open > RM_RAFT_HALF_OPEN_MAX)
        rm_raft_line_fail (oldest, RM_EBUSY, "too many others were saying hello");
}

static void on_connection (uv_stream_t *listener, int status)
{
    rm_raft_transport_t *self = listener->data;
    if (status < 0 || self->closing)
        return;
    rm_raft_line_t *line = rm_raft_line_new (self, false);
    if (!line)
        return;
    line->stage = RM_RAFT_LINE_GREETING;
    struct sockaddr_storage peer;
    int size = sizeof peer;
    if (uv_accept (listener, (uv_stream_t *)&line->tcp) != 0 ||
        uv_tcp_getpeername (&line->tcp, (struct sockaddr *)&peer, &size) != 0) {
        rm_raft_line_close (line);
        return;
    }
    rm_raft_address_print ((struct sockaddr *)&peer, line->where);
    if (!self->secret && !rm_raft_line_is_local (line)) {
        rm_raft_line_fail (line, RM_EDENIED,
                           "it is on another machine, and without a cluster secret only this one is let in");
        return;
    }
    make_room (self);
    rm_raft_line_begin (line);
}

void rm_raft_transport_review (rm_raft_transport_t *self)
{
    rm_raft_line_t *line, *next;
    rm_raft_roster_t founders;
    DL_FOREACH_SAFE (self->lines, line, next) {
        if (line->dialled || line->stage != RM_RAFT_LINE_OPEN)
            continue;
        rm_raft_verdict_t verdict = self->events.judge (self->events.arg, line->wish, &line->peer, &founders);
        if (verdict == RM_RAFT_WELCOME || verdict == RM_RAFT_NOT_READY)
            continue;
        rm_raft_transport_say (self, "master %llu at %s does not belong to the group any more, its line was closed",
                               (unsigned long long)line->peer.member.id, line->where);
        rm_raft_line_close (line);
    }
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static int refuse (char *error, size_t error_size, const char *bind, const char *why, const char *advice)
{
    snprintf (error, error_size, "cannot listen for other masters at %s: %s; %s", bind, why, advice);
    return RM_EIO;
}

static int resolve (const char *bind, struct sockaddr_storage *address, char *error, size_t error_size)
{
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6];
    if (!rm_raft_address_split (bind, host, port)) {
        refuse (error, error_size, bind, "that is not an address", "say HOST:PORT, or [HOST]:PORT with IPv6");
        return RM_EINVAL;
    }
    if (rm_raft_address_is_numeric (host, port, address))
        return 0;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    int rc = getaddrinfo (host, port, &hints, &found);
    if (rc != 0) {
        refuse (error, error_size, bind, gai_strerror (rc), "check its spelling");
        return RM_EINVAL;
    }
    memcpy (address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo (found);
    return 0;
}

static int listen_at (rm_raft_transport_t *self, const char *bind, char *error, size_t error_size)
{
    struct sockaddr_storage address;
    int size = sizeof address;
    int rc = resolve (bind, &address, error, error_size);
    if (rc != 0)
        return rc;
    if (!self->secret && !rm_raft_address_is_loopback ((struct sockaddr *)&address)) {
        snprintf (error, error_size,
                  "cannot listen for other masters at %s without a cluster secret; give one, or listen on 127.0.0.1 or "
                  "[::1]",
                  bind);
        return RM_EDENIED;
    }
    uv_tcp_init (self->loop, &self->listener);
    self->listener.data = self;
    rc = uv_tcp_bind (&self->listener, (struct sockaddr *)&address, 0);
    if (rc == 0)
        rc = uv_listen ((uv_stream_t *)&self->listener, BACKLOG, on_connection);
    if (rc == 0)
        rc = uv_tcp_getsockname (&self->listener, (struct sockaddr *)&address, &size);
    self->handles++;
    if (rc != 0) {
        uv_close ((uv_handle_t *)&self->listener, handle_closed);
        return refuse (error, error_size, bind, uv_strerror (rc), "give an address of this machine and a free port");
    }
    char printed[RM_RAFT_PRINTED_BYTES];
    rm_raft_address_print ((struct sockaddr *)&address, printed);
    self->port = strtoul (strrchr (printed, ':') + 1, NULL, 10);
    return 0;
}

int rm_raft_transport_open (rm_raft_transport_t *self, const char *bind, char *error, size_t error_size)
{
    signal (SIGPIPE, SIG_IGN);
    if (sodium_init () < 0) {
        snprintf (error, error_size, "libsodium cannot be used on this machine");
        return RM_EIO;
    }
    uv_timer_init (self->loop, &self->timer);
    self->timer.data = self;
    self->handles++;
    self->open = true;
    uv_timer_start (&self->timer, on_timer, LOOK_MS, LOOK_MS);
    return bind ? listen_at (self, bind, error, error_size) : 0;
}

/* ---- libraft's view --------------------------------------------------------------------------------------------- */

typedef struct {
    rm_raft_transport_t *transport;
    struct raft_uv_connect *request;
} call_t;

static int transport_init (struct raft_uv_transport *face, raft_id id, const char *address)
{
    (void)face;
    (void)id;
    (void)address;
    return 0;
}

/* We listen already, and libraft is never told of a line. */
static int transport_listen (struct raft_uv_transport *face, raft_uv_accept_cb accept)
{
    (void)face;
    (void)accept;
    return 0;
}

static void on_dialled (void *arg, const rm_raft_dialled_t *result)
{
    call_t *call = arg;
    struct raft_uv_connect *request = call->request;
    rm_free (call);
    request->cb (request, result->stream,
                 result->status == 0                 ? 0
                 : result->status == RM_EINTERRUPTED ? RAFT_CANCELED
                                                     : RAFT_NOCONNECTION);
}

static int transport_connect (struct raft_uv_transport *face, struct raft_uv_connect *request, raft_id id,
                              const char *name, raft_uv_connect_cb connected)
{
    rm_raft_transport_t *self = face->impl;
    rm_raft_member_t member;
    if (self->closing || name[strlen (name) - 1] == RM_RAFT_ELSEWHERE[0] || !self->events.knows (self->events.arg, id))
        return RAFT_NOCONNECTION;
    call_t *call = rm_malloc (sizeof *call);
    if (!call)
        return RAFT_NOMEM;
    *call = (call_t){self, request};
    request->cb = connected;
    rm_raft_member_parse (&member, id, name);
    if (rm_raft_transport_dial (self, RM_RAFT_TALK, id, member.address, NULL, on_dialled, call) == 0)
        return 0;
    rm_free (call);
    return RAFT_NOCONNECTION;
}

void rm_raft_transport_init (rm_raft_transport_t *self, uv_loop_t *loop, const rm_raft_transport_events_t *events,
                             const void *secret, size_t secret_size, struct raft_uv_transport *face)
{
    *self = (rm_raft_transport_t){.loop = loop, .events = *events, .secret = secret_size > 0, .face = face};
    self->allowance = SAYINGS_AT_ONCE;
    self->allowed_ms = uv_now (loop);
    rm_raft_hello_key (self->key, secret, secret_size);
    *face = (struct raft_uv_transport){
        .version = 1,
        .impl = self,
        .init = transport_init,
        .listen = transport_listen,
        .connect = transport_connect,
        .close = transport_close,
    };
}
