/*  One call, as its function sees it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/clock.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "rpc/hex.h"
#include "rpc/retry.h"
#include "rpc/server_inside.h"

/* ---- life -------------------------------------------------------------------------------------------------------- */

rm_rpc_call_t *rm_rpc_call_new (rm_rpc_server_t *server, const rm_msg_rpc_call_t *msg, uint64_t now_ms, int *error,
                                char *text, size_t size)
{
    rm_rpc_function_t *function;
    HASH_FIND (hh, server->functions, msg->name.data, msg->name.size, function);
    if (!function) {
        snprintf (text, size, "there is no function '%.*s'", (int)msg->name.size, (const char *)msg->name.data);
        *error = RM_EUNKNOWN;
        return NULL;
    }
    rm_rpc_values_t args;
    *error = rm_rpc_values_read (&args, msg->args);
    if (*error) {
        snprintf (text, size, "%s", *error == RM_ENOMEM ? rm_strerror (RM_ENOMEM) : "the arguments are no array");
        return NULL;
    }
    char who[RM_NAME_BYTES_MAX + 16];
    snprintf (who, sizeof who, "'%s' takes", function->name);
    *error = rm_rpc_types_check (&function->signature.args, args.all, args.count, who, "argument", text, size);
    rm_rpc_call_t *self = *error ? NULL : rm_calloc (1, sizeof *self);
    if (!self) {
        rm_rpc_values_close (&args);
        if (!*error)
            snprintf (text, size, "%s", rm_strerror (*error = RM_ENOMEM));
        return NULL;
    }
    self->server = server;
    self->function = function;
    self->session = msg->session;
    self->seq = msg->seq;
    self->deadline_ms = msg->left_ms && msg->left_ms < UINT64_MAX - now_ms ? now_ms + msg->left_ms : UINT64_MAX;
    self->args = args;
    rm_session_hex (&self->session, self->client);
    return self;
}

void rm_rpc_call_free (rm_rpc_call_t *self)
{
    rm_rpc_values_close (&self->args);
    rm_buf_close (&self->result);
    rm_free (self);
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

__attribute__ ((format (printf, 4, 5))) static void end (rm_rpc_call_t *self, int error, int fault, const char *format,
                                                         ...)
{
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (self->text, sizeof self->text, format, arguments);
    va_end (arguments);
    self->ended = true;
    self->error = error;
    self->fault = fault;
}

void rm_rpc_call_refuse (rm_rpc_call_t *self, int error, const char *text)
{
    self->unrun = true;
    end (self, error, 0, "%s", text);
}

/* Checks and writes the result; `values` are ours. */
static int write_result (rm_rpc_call_t *self, rm_rpc_value_t *values, size_t count)
{
    char who[RM_NAME_BYTES_MAX + 32], why[256];
    snprintf (who, sizeof who, "'%s' is broken: it gives", self->function->name);
    snprintf (why, sizeof why, "'%s' is broken: it gave a value that cannot be", self->function->name);
    int error = rm_rpc_types_check (&self->function->signature.result, values, count, who, "value", why, sizeof why);
    if (!error)
        error = rm_rpc_values_write (values, count, &self->result);
    if (error)
        end (self, error == RM_EINVAL ? RM_EPROTO : error, 0, "%s", error == RM_EINVAL ? why : rm_strerror (error));
    self->ended = true;
    return error;
}

int rm_rpc_reply (rm_rpc_call_t *self, const rm_rpc_value_t *values, size_t count)
{
    enum { FEW = 16 };
    rm_rpc_value_t few[FEW], *own = few;
    if (self->ended)
        return RM_ESTATE;
    if (count > RM_RPC_VALUES_MAX) {
        end (self, RM_ETOOBIG, 0, "'%s' gave %zu values, at most %d are allowed", self->function->name, count,
             RM_RPC_VALUES_MAX);
        return RM_ETOOBIG;
    }
    if (count > FEW && !(own = rm_malloc (count * sizeof *own))) {
        end (self, RM_ENOMEM, 0, "%s", rm_strerror (RM_ENOMEM));
        return RM_ENOMEM;
    }
    if (count)
        memcpy (own, values, count * sizeof *own);
    int error = write_result (self, own, count);
    if (own != few)
        rm_free (own);
    return error;
}

int rm_rpc_fail (rm_rpc_call_t *self, int code, const char *format, ...)
{
    char text[sizeof self->text];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    if (!self->ended)
        end (self, RM_EFAILED, code > 0 ? code : 1, "%s", text);
    return code;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static void run_once (rm_rpc_call_t *self)
{
    int code = self->function->fn (self, self->function->arg);
    if (self->ended)
        return;
    if (code)
        end (self, RM_EFAILED, code > 0 ? code : 1, "'%s' failed with code %d", self->function->name, code);
    else
        rm_rpc_reply (self, NULL, 0);
}

/* Waits, unless the server is told to stop or the client's time will be over by then. */
static bool wait_for (rm_rpc_call_t *self, int64_t wait_ms)
{
    enum { LOOK_MS = 20 };
    uint64_t until_ms = rm_clock_ms () + (uint64_t)wait_ms, now_ms;
    if (until_ms >= self->deadline_ms)
        return false;
    while ((now_ms = rm_clock_ms ()) < until_ms) {
        if (rm_rpc_call_stopped (self))
            return false;
        uint64_t step_ms = until_ms - now_ms < LOOK_MS ? until_ms - now_ms : LOOK_MS;
        nanosleep (&(struct timespec){.tv_nsec = (long)step_ms * 1000000}, NULL);
    }
    return true;
}

void rm_rpc_call_run (rm_rpc_call_t *self)
{
    if (rm_rpc_call_stopped (self)) {
        rm_rpc_call_refuse (self, RM_EBUSY, "the server is being stopped");
        return;
    }
    if (rm_clock_ms () >= self->deadline_ms) {
        rm_rpc_call_refuse (self, RM_ETIMEDOUT, "the call's time was over before its turn came");
        return;
    }
    const rm_rpc_function_t *function = self->function;
    rm_retry_wait_t wait = {.failures = 0};
    run_once (self);
    while (function->retried && self->error == RM_EFAILED) {
        char text[sizeof self->text];
        memcpy (text, self->text, sizeof text);
        wait.error = self->fault;
        wait.text = text;
        if (!rm_retry_again (&function->retry, &function->backoff, &wait) || !wait_for (self, wait.wait_ms))
            return;
        self->ended = false;
        self->error = self->fault = 0;
        run_once (self);
    }
}

/* ---- what a function sees ---------------------------------------------------------------------------------------- */

size_t rm_rpc_call_count (const rm_rpc_call_t *self)
{
    return self->args.count;
}

const rm_rpc_value_t *rm_rpc_call_value (const rm_rpc_call_t *self, size_t n)
{
    RM_ASSERT (n < self->args.count);
    return &self->args.all[n];
}

static const rm_rpc_value_t *value_of (const rm_rpc_call_t *self, size_t n, char type)
{
    const rm_rpc_value_t *value = rm_rpc_call_value (self, n);
    RM_ASSERT (value->type == type);
    return value;
}

int64_t rm_rpc_call_int (const rm_rpc_call_t *self, size_t n)
{
    return value_of (self, n, 'i')->number;
}

double rm_rpc_call_real (const rm_rpc_call_t *self, size_t n)
{
    return value_of (self, n, 'd')->real;
}

bool rm_rpc_call_bool (const rm_rpc_call_t *self, size_t n)
{
    return value_of (self, n, 't')->truth;
}

const char *rm_rpc_call_text (const rm_rpc_call_t *self, size_t n)
{
    return value_of (self, n, 's')->bytes.data;
}

const void *rm_rpc_call_bytes (const rm_rpc_call_t *self, size_t n, size_t *size_p)
{
    const rm_rpc_value_t *value = rm_rpc_call_value (self, n);
    RM_ASSERT (value->type == 'b' || value->type == 's' || value->type == 'm');
    if (size_p)
        *size_p = value->bytes.size;
    return value->bytes.data;
}

const char *rm_rpc_call_name (const rm_rpc_call_t *self)
{
    return self->function->name;
}

const char *rm_rpc_call_client (const rm_rpc_call_t *self)
{
    return self->client;
}

int64_t rm_rpc_call_left_ms (const rm_rpc_call_t *self)
{
    uint64_t now_ms = rm_clock_ms ();
    if (self->deadline_ms == UINT64_MAX)
        return -1;
    return self->deadline_ms > now_ms ? (int64_t)(self->deadline_ms - now_ms) : 0;
}

bool rm_rpc_call_stopped (const rm_rpc_call_t *self)
{
    return atomic_load (&self->server->stops);
}
