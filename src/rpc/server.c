#include "ringmaster/rpc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/context.h"
#include "proto/alloc.h"
#include "rpc/options.h"
#include "rpc/retry.h"
#include "rpc/server_inside.h"

enum {
    QUEUE_MAX = 1024,
    RETRY_AFTER_MS = 100,
    CLIENTS_MAX = 4096,
    SILENCE_MS = 10000,
    KEEP_MS = 360000,
    TABLE_BYTES = 64 << 20,
    THREADS_MIN = 2
};

int rm_rpc_server_refuse (rm_rpc_server_t *self, int error, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (self->error, sizeof self->error, format, arguments);
    va_end (arguments);
    return error;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

rm_rpc_server_t *rm_rpc_server_new (void)
{
    rm_rpc_server_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        goto no_memory;
    long cores = sysconf (_SC_NPROCESSORS_ONLN);
    snprintf (self->where, sizeof self->where, "tcp://127.0.0.1:0");
    self->threads = cores > THREADS_MIN ? cores : THREADS_MIN;
    self->queue_max = QUEUE_MAX;
    self->retry_after_ms = RETRY_AFTER_MS;
    self->clients_max = CLIENTS_MAX;
    self->silence_ms = SILENCE_MS;
    self->keep_ms = KEEP_MS;
    self->table_bytes = TABLE_BYTES;
    if (rm_wake_init (&self->wake))
        goto free_self;
    if (rm_net_init ())
        goto close_wake;
    pthread_mutex_init (&self->ended_mutex, NULL);
    return self;

close_wake:
    rm_wake_close (&self->wake);
free_self:
    rm_free (self);
no_memory:
    errno = ENOMEM;
    return NULL;
}

void rm_rpc_server_destroy (rm_rpc_server_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_rpc_server_t *self = *self_p;
    *self_p = NULL;
    if (self->bound) {
        rm_rpc_table_close (&self->table);
        rm_rpc_roll_close (&self->roll);
    }
    rm_rpc_store_close (&self->store);
    rm_frame_close (&self->frame);
    rm_buf_close (&self->out);
    rm_socket_close (&self->socket);
    rm_net_term ();
    rm_rpc_function_t *function, *next;
    HASH_ITER (hh, self->functions, function, next) {
        HASH_DEL (self->functions, function);
        rm_free (function);
    }
    pthread_mutex_destroy (&self->ended_mutex);
    rm_wake_close (&self->wake);
    rm_free (self);
}

const char *rm_rpc_server_error (const rm_rpc_server_t *self)
{
    return self->error;
}

const char *rm_rpc_server_endpoint (const rm_rpc_server_t *self)
{
    return self->endpoint;
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

int rm_rpc_server_set (rm_rpc_server_t *self, const char *option, const char *value)
{
    static const char *const modes[] = {"pool", "connection", "event", NULL};
    static const char *const semantics[] = {"at-least-once", "at-most-once", NULL};
    const rm_rpc_option_t options[] = {
        {.name = "endpoint", .text = self->where, .size = sizeof self->where},
        {.name = "table", .text = self->table_path, .size = sizeof self->table_path},
        {.name = "mode", .number = &self->mode, .words = modes},
        {.name = "semantics", .number = &self->once, .words = semantics},
        {.name = "threads", .number = &self->threads, .min = 1, .max = RM_WORKER_THREADS_MAX},
        {.name = "queue", .number = &self->queue_max, .min = 1, .max = 1 << 20},
        {.name = "retry_after", .number = &self->retry_after_ms, .min = 1, .max = RM_BACKOFF_MS_MAX},
        {.name = "clients", .number = &self->clients_max, .min = 1, .max = 1 << 20},
        {.name = "silence", .number = &self->silence_ms, .min = 100, .max = RM_BACKOFF_MS_MAX},
        {.name = "keep", .number = &self->keep_ms, .min = RM_RPC_RESEND_MS + 1, .max = RM_BACKOFF_MS_MAX},
        {.name = "table_bytes", .number = &self->table_bytes, .min = 1, .max = INT64_MAX},
        {.name = NULL},
    };
    if (self->bound)
        return rm_rpc_server_refuse (self, RM_ESTATE, "option %s comes too late: the server listens already",
                                     option ? option : "");
    return rm_rpc_option_set (options, option, value, self->error, sizeof self->error);
}

static rm_rpc_function_t *function_of (const rm_rpc_server_t *self, const char *name)
{
    rm_rpc_function_t *function;
    HASH_FIND_STR (self->functions, name, function);
    return function;
}

int rm_rpc_server_add (rm_rpc_server_t *self, const char *name, const char *signature, rm_rpc_fn *fn, void *arg)
{
    const char *why;
    rm_rpc_signature_t read;
    if (!name || !rm_name_valid (rm_bytes (name)))
        return rm_rpc_server_refuse (
            self, RM_EINVAL, "a function's name must be 1 to %d printable characters without white space, '/' or '\"'",
            RM_NAME_BYTES_MAX);
    if (!fn || rm_rpc_signature_parse (&read, signature ? signature : "", &why))
        return rm_rpc_server_refuse (self, RM_EINVAL, "function %s cannot have the signature '%s': %s", name,
                                     signature ? signature : "", fn ? why : "there is no function");
    if (self->ran || function_of (self, name))
        return rm_rpc_server_refuse (self, RM_ESTATE, "function %s cannot be added: %s", name,
                                     self->ran ? "the server runs" : "there is one of that name");
    rm_rpc_function_t *function = rm_calloc (1, sizeof *function);
    if (!function)
        return rm_rpc_server_refuse (self, RM_ENOMEM, "%s", rm_strerror (RM_ENOMEM));
    snprintf (function->name, sizeof function->name, "%s", name);
    function->signature = read;
    function->fn = fn;
    function->arg = arg;
    HASH_ADD_STR (self->functions, name, function);
    if (RM_HASH_ADDED (function))
        return 0;
    rm_free (function);
    return rm_rpc_server_refuse (self, RM_ENOMEM, "%s", rm_strerror (RM_ENOMEM));
}

int rm_rpc_server_retry (rm_rpc_server_t *self, const char *name, const rm_retry_t *policy)
{
    const char *why;
    rm_rpc_function_t *function = name ? function_of (self, name) : NULL;
    if (!function)
        return rm_rpc_server_refuse (self, RM_EUNKNOWN, "there is no function %s: add it first", name ? name : "");
    if (self->ran)
        return rm_rpc_server_refuse (self, RM_ESTATE, "the retries of %s come too late: the server runs", name);
    if (rm_retry_read (policy, &function->backoff, &why))
        return rm_rpc_server_refuse (self, RM_EINVAL, "%s cannot be retried so: %s", name, why);
    function->retry = *policy;
    function->retried = true;
    return 0;
}

void rm_rpc_server_on_connect (rm_rpc_server_t *self, rm_rpc_hook_fn *hook, void *arg)
{
    self->on_connect = hook;
    self->connect_arg = arg;
}

void rm_rpc_server_on_disconnect (rm_rpc_server_t *self, rm_rpc_hook_fn *hook, void *arg)
{
    self->on_disconnect = hook;
    self->disconnect_arg = arg;
}

/* ---- listening --------------------------------------------------------------------------------------------------- */

static int open_table (rm_rpc_server_t *self, rm_fault_t *fault)
{
    uint64_t now_ms = rm_clock_ms ();
    if (!*self->table_path)
        return 0;
    self->store = rm_rpc_store_open (self->table_path, fault);
    if (!self->store)
        return fault->error;
    return rm_rpc_store_load (self->store, &self->table, now_ms, rm_clock_wall_ms (), fault);
}

int rm_rpc_server_bind (rm_rpc_server_t *self)
{
    rm_fault_t fault = {0};
    rm_endpoint_t where;
    if (self->bound)
        return 0;
    if (*self->table_path && !self->once)
        return rm_rpc_server_refuse (self, RM_EINVAL,
                                     "a table of calls is for semantics at-most-once: set that, or no table");
    for (rm_rpc_function_t *function = self->functions; function; function = function->hh.next)
        if (function->retried && self->mode == RM_RPC_EVENT)
            return rm_rpc_server_refuse (self, RM_EINVAL,
                                         "function %s cannot be retried in mode event, where its waits would hold up "
                                         "every other call: use pool or connection",
                                         function->name);
    if (rm_endpoint_parse_bound (&where, self->where, &fault))
        return rm_rpc_server_refuse (self, RM_EINVAL, "%s", fault.text);
    rm_rpc_table_init (&self->table, (uint64_t)self->keep_ms, (uint64_t)self->table_bytes);
    int error = open_table (self, &fault);
    if (!error && !(self->socket = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, where.host, where.port, &fault)))
        error = fault.error == RM_EINVAL || fault.error == RM_ENOMEM ? fault.error : RM_EIO;
    if (error) {
        rm_rpc_table_close (&self->table);
        rm_rpc_store_close (&self->store);
        return rm_rpc_server_refuse (self, error, "%s", fault.text);
    }
    rm_rpc_roll_init (&self->roll, (uint64_t)self->silence_ms);
    snprintf (self->endpoint, sizeof self->endpoint, "%s", rm_socket_endpoint (self->socket)->text);
    self->bound = true;
    return 0;
}
