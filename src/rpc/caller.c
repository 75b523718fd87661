/*  The lazy pirate client: core/pirate.h decides, this does. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/pirate.h"
#include "net/clock.h"
#include "net/context.h"
#include "net/endpoint.h"
#include "net/poll.h"
#include "net/random.h"
#include "net/socket.h"
#include "proto/alloc.h"
#include "rpc/answer.h"
#include "rpc/options.h"

enum { BYE_MS = 100 }; /* for which a goodbye may still leave */

struct rm_rpc_client {
    rm_pirate_t pirate;
    rm_socket_t *socket; /* REQ; NULL: none is open */
    rm_session_id_t session;
    uint64_t seq; /* of the newest call */
    rm_frame_t frame;
    rm_buf_t args;
    char name[RM_CLIENT_NAME_BYTES_MAX + 1];
    bool called;  /* a call was made: options are settled */
    bool greeted; /* a server knows its name */
    char error[1024];
};

/* ---- life -------------------------------------------------------------------------------------------------------- */

rm_rpc_client_t *rm_rpc_client_new (const char *servers)
{
    rm_endpoints_t given;
    if (!rm_endpoints_parse (&given, servers)) {
        errno = EINVAL;
        return NULL;
    }
    rm_rpc_client_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        goto no_memory;
    rm_random_fill (self->session.bytes, sizeof self->session.bytes);
    if (rm_pirate_init (&self->pirate, given.texts, given.count, &self->session, rm_clock_ms ()))
        goto free_self;
    if (rm_net_init ())
        goto close_pirate;
    return self;

close_pirate:
    rm_pirate_close (&self->pirate);
free_self:
    rm_free (self);
no_memory:
    errno = ENOMEM;
    return NULL;
}

/* The socket is free to send on between calls. */
static void say_goodbye (rm_rpc_client_t *self)
{
    rm_msg_t bye = {.type = RM_MSG_RPC_BYE, .rpc_bye.session = self->session};
    rm_buf_t frame = {0};
    rm_socket_set_linger (self->socket, BYE_MS);
    if (!rm_msg_encode (&bye, &frame))
        (void)rm_socket_send_buf (self->socket, NULL, &frame);
    rm_buf_close (&frame);
}

void rm_rpc_client_destroy (rm_rpc_client_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_rpc_client_t *self = *self_p;
    *self_p = NULL;
    if (self->socket)
        say_goodbye (self);
    rm_frame_close (&self->frame);
    rm_socket_close (&self->socket);
    rm_net_term ();
    rm_pirate_close (&self->pirate);
    rm_buf_close (&self->args);
    rm_free (self);
}

int rm_rpc_client_set (rm_rpc_client_t *self, const char *option, const char *value)
{
    rm_backoff_t policy = self->pirate.line.policy;
    const rm_rpc_option_t options[] = {
        RM_RPC_LINE_OPTIONS (self->name, policy),
        {.name = "tries", .number = &policy.tries, .min = 0, .max = INT64_MAX},
        {.name = NULL},
    };
    const char *why;
    if (self->called) {
        snprintf (self->error, sizeof self->error, "option %s comes too late: a call was made already",
                  option ? option : "");
        return RM_ESTATE;
    }
    int error = rm_rpc_option_set (options, option, value, self->error, sizeof self->error);
    if (!error && (error = rm_pirate_configure (&self->pirate, &policy, &why)))
        snprintf (self->error, sizeof self->error, "option %s cannot be '%s': %s", option, value, why);
    return error;
}

const char *rm_rpc_client_error (const rm_rpc_client_t *self)
{
    return self->error;
}

/* ---- one request ------------------------------------------------------------------------------------------------- */

static void perform (rm_rpc_client_t *self, const rm_pirate_effects_t *effects)
{
    if (effects->close)
        rm_socket_close (&self->socket);
    if (effects->open)
        rm_socket_reconnect (&self->socket, RM_SOCKET_REQ, effects->open);
    if (effects->send && self->socket)
        (void)rm_socket_send (self->socket, NULL, effects->frame.data, effects->frame.size);
}

/* Asks until there is an end: 0 and the reply, which aliases the frame (RPC messages have no arrays to free). */
static int ask (rm_rpc_client_t *self, const rm_msg_t *request, int timeout_ms, rm_msg_t *reply)
{
    uint64_t now_ms = rm_clock_ms ();
    rm_session_id_t spare = {{0}};
    rm_pirate_event_t event = {.type = RM_PIRATE_BEGIN,
                               .msg = request,
                               .spare = &spare,
                               .deadline_ms = timeout_ms < 0 ? RM_PIRATE_FOREVER : now_ms + (uint64_t)timeout_ms,
                               .silence_ms = RM_PIRATE_FOREVER};
    rm_pirate_effects_t effects;
    self->called = true;
    *self->error = 0;
    for (;;) {
        rm_pirate_step (&self->pirate, &event, now_ms, rm_random_u64 (), &effects);
        perform (self, &effects);
        if (effects.ended)
            break;
        if (event.type == RM_PIRATE_REPLY && event.msg)
            rm_msg_close (reply);
        int came = rm_poll_reply (self->socket, effects.until_ms, &self->frame, reply);
        event = (rm_pirate_event_t){.type = came ? RM_PIRATE_REPLY : RM_PIRATE_TIME, .msg = came > 0 ? reply : NULL};
        now_ms = rm_clock_ms ();
    }
    if (effects.error) {
        if (event.type == RM_PIRATE_REPLY && event.msg)
            rm_msg_close (reply);
        snprintf (self->error, sizeof self->error, "%s", rm_pirate_text (&self->pirate));
    }
    return effects.error;
}

int rm_rpc_client_ping (rm_rpc_client_t *self, int timeout_ms)
{
    rm_msg_t request = {.type = RM_MSG_RPC_HELLO, .rpc_hello = {self->session, rm_bytes (self->name)}}, reply;
    int error = ask (self, &request, timeout_ms, &reply);
    self->greeted |= !error;
    if (!error)
        rm_msg_close (&reply);
    return error;
}

/* Calls what was checked. */
static rm_rpc_answer_t *call (rm_rpc_client_t *self, const char *name, int timeout_ms)
{
    uint64_t begun_ms = rm_clock_ms ();
    int error = 0;
    if (*self->name && !self->greeted) { /* one that has a name says so first */
        error = rm_rpc_client_ping (self, timeout_ms);
        uint64_t gone_ms = rm_clock_ms () - begun_ms;
        if (timeout_ms >= 0)
            timeout_ms = gone_ms < (uint64_t)timeout_ms ? timeout_ms - (int)gone_ms : 0;
    }
    self->seq++;
    rm_msg_t request = {.type = RM_MSG_RPC_CALL,
                        .rpc_call = {.session = self->session,
                                     .seq = self->seq,
                                     .floor = self->seq - 1,
                                     .name = rm_bytes (name),
                                     .args = {self->args.data, (uint32_t)self->args.size},
                                     .one = 1}},
             reply;
    if (!error)
        error = ask (self, &request, timeout_ms, &reply);
    if (error)
        return rm_rpc_answer_error_of (error, self->error, self->seq);
    rm_rpc_answer_t *answer = rm_rpc_answer_of (&reply, self->seq);
    rm_msg_close (&reply);
    return answer;
}

int rm_rpc_client_call (rm_rpc_client_t *self, const char *name, const rm_rpc_value_t *args, size_t count,
                        int timeout_ms, rm_rpc_answer_t **answer_p)
{
    int error;
    rm_buf_clear (&self->args);
    const char *why = rm_rpc_call_check (name, args, count, &self->args, &error);
    rm_rpc_answer_t *answer = why ? rm_rpc_answer_error_of (error, why, 0) : call (self, name, timeout_ms);
    error = answer ? rm_rpc_answer_error (answer) : RM_ENOMEM;
    snprintf (self->error, sizeof self->error, "%s",
              answer ? rm_rpc_answer_error_text (answer) : rm_strerror (RM_ENOMEM));
    if (answer_p)
        *answer_p = answer;
    else
        rm_rpc_answer_destroy (&answer);
    return error;
}
