/*  An RPC server in a thread of the test, with functions that count. */
#pragma once

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/clock.h"
#include "ringmaster/rpc.h"

enum { PATIENCE_MS = 60000 }; /* for what must come */

/* Waits until the claim holds. */
#define AWAIT(claim)                                                                                                   \
    do {                                                                                                               \
        uint64_t until_ms = rm_clock_ms () + PATIENCE_MS;                                                              \
        while (!(claim)) {                                                                                             \
            cr_assert_lt (rm_clock_ms (), until_ms, "it never came: %s", #claim);                                      \
            nanosleep (&(struct timespec){.tv_nsec = 1000000}, NULL);                                                  \
        }                                                                                                              \
    } while (0)

typedef struct {
    rm_rpc_server_t *server;
    pthread_t thread;
    int ended; /* what run answered */
    atomic_int runs, came, went;
    atomic_bool gate; /* "held" waits until it is open */
    char endpoint[300];
    char guest[160]; /* who came or went last */
} host_t;

static inline int fn_add (rm_rpc_call_t *call, void *arg)
{
    atomic_fetch_add (&((host_t *)arg)->runs, 1);
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_int (rm_rpc_call_int (call, 0) + rm_rpc_call_int (call, 1))));
}

static inline int fn_held (rm_rpc_call_t *call, void *arg)
{
    host_t *host = arg;
    atomic_fetch_add (&host->runs, 1);
    while (!atomic_load (&host->gate) && !rm_rpc_call_stopped (call))
        nanosleep (&(struct timespec){.tv_nsec = 1000000}, NULL);
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_int (rm_rpc_call_int (call, 0))));
}

static inline int fn_fail (rm_rpc_call_t *call, void *arg)
{
    atomic_fetch_add (&((host_t *)arg)->runs, 1);
    return rm_rpc_fail (call, 7, "no account %s", rm_rpc_call_text (call, 0));
}

static inline void host_came (const char *client, const char *name, void *arg)
{
    host_t *host = arg;
    cr_assert_eq (strlen (client), 32);
    snprintf (host->guest, sizeof host->guest, "%s", name);
    atomic_fetch_add (&host->came, 1);
}

static inline void host_went (const char *client, const char *name, void *arg)
{
    host_t *host = arg;
    cr_assert_eq (strlen (client), 32);
    snprintf (host->guest, sizeof host->guest, "%s", name);
    atomic_fetch_add (&host->went, 1);
}

static inline void *host_main (void *arg)
{
    host_t *host = arg;
    host->ended = rm_rpc_server_run (host->server);
    return NULL;
}

/* A server with its functions, which does not listen yet. */
static inline void host_init (host_t *host)
{
    memset (host, 0, sizeof *host);
    host->server = rm_rpc_server_new ();
    cr_assert (host->server);
    cr_assert_eq (rm_rpc_server_add (host->server, "add", "ii:i", fn_add, host), 0);
    cr_assert_eq (rm_rpc_server_add (host->server, "held", "i:i", fn_held, host), 0);
    cr_assert_eq (rm_rpc_server_add (host->server, "fail", "s", fn_fail, host), 0);
    rm_rpc_server_on_connect (host->server, host_came, host);
    rm_rpc_server_on_disconnect (host->server, host_went, host);
}

static inline void host_set (host_t *host, const char *option, const char *value)
{
    cr_assert_eq (rm_rpc_server_set (host->server, option, value), 0, "%s", rm_rpc_server_error (host->server));
}

static inline void host_run (host_t *host)
{
    cr_assert_eq (rm_rpc_server_bind (host->server), 0, "%s", rm_rpc_server_error (host->server));
    snprintf (host->endpoint, sizeof host->endpoint, "%s", rm_rpc_server_endpoint (host->server));
    cr_assert_eq (pthread_create (&host->thread, NULL, host_main, host), 0);
}

static inline void host_stop (host_t *host)
{
    rm_rpc_server_stop (host->server);
    pthread_join (host->thread, NULL);
    cr_assert_eq (host->ended, 0);
    rm_rpc_server_destroy (&host->server);
    cr_assert_null (host->server);
}
