/* The RPC library under load: threads share a pipelined client, others come and go with clients of their own, in each mode
 * of the server, while hooks count; nothing is lost, no answer goes to another call, everybody who came has gone. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringmaster/rpc.h"

enum { SHARERS = 4, GUESTS = 4, CALLS = 150, VISITS = 10, SENT = 200, PATIENCE_MS = 60000 };

#define CHECK(claim)                                                                                                   \
    do {                                                                                                               \
        if (!(claim)) {                                                                                                \
            fprintf (stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);                                       \
            exit (1);                                                                                                  \
        }                                                                                                              \
    } while (0)

/* libzmq, which is not built with the thread sanitizer, hands memory from its thread to ours in ways that it cannot see.
 * What has its frames in it is not reported; what is ours alone is. */
__attribute__ ((visibility ("default"))) const char *__tsan_default_suppressions (void);
const char *__tsan_default_suppressions (void)
{
    return "race:libzmq.so\n"
           "race:libstdc++.so\n";
}

static char endpoint[300];
static rm_rpc_pipe_t *shared;
static atomic_int runs, came, went;

static int mul (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    atomic_fetch_add (&runs, 1);
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_int (rm_rpc_call_int (call, 0) * rm_rpc_call_int (call, 1))));
}

static void count (const char *client, const char *name, void *arg)
{
    CHECK (strlen (client) == 32 && name);
    atomic_fetch_add ((atomic_int *)arg, 1);
}

static void *share (void *arg)
{
    int64_t mine = (int64_t)(intptr_t)arg + 2;
    for (int64_t i = 0; i < CALLS; i++) {
        rm_rpc_answer_t *answer;
        CHECK (
            !rm_rpc_pipe_call (shared, "mul", rm_rpc_values (rm_rpc_int (mine), rm_rpc_int (i)), PATIENCE_MS, &answer));
        CHECK (rm_rpc_answer_int (answer, 0) == mine * i);
        rm_rpc_answer_destroy (&answer);
    }
    return NULL;
}

/* One sends, another one takes the answers. */
static void *send_all (void *arg)
{
    (void)arg;
    for (int64_t i = 1; i <= SENT; i++)
        CHECK (!rm_rpc_pipe_send (shared, "mul", rm_rpc_values (rm_rpc_int (i), rm_rpc_int (1)), PATIENCE_MS, NULL));
    return NULL;
}

static int64_t take_all (void)
{
    int64_t sum = 0;
    for (int taken = 0; taken < SENT;) {
        rm_rpc_answer_t *answer;
        int error = rm_rpc_pipe_next (shared, PATIENCE_MS, &answer);
        if (error == RM_ESTATE)
            continue; /* faster than the one who sends */
        CHECK (!error);
        sum += rm_rpc_answer_int (answer, 0);
        rm_rpc_answer_destroy (&answer);
        taken++;
    }
    return sum;
}

static void *visit (void *arg)
{
    int64_t mine = (int64_t)(intptr_t)arg + 2;
    for (int i = 0; i < VISITS; i++) {
        rm_rpc_answer_t *answer;
        rm_rpc_client_t *client = rm_rpc_client_new (endpoint);
        CHECK (!rm_rpc_client_call (client, "mul", rm_rpc_values (rm_rpc_int (mine), rm_rpc_int (i)), PATIENCE_MS,
                                    &answer));
        CHECK (rm_rpc_answer_int (answer, 0) == mine * i);
        rm_rpc_answer_destroy (&answer);
        rm_rpc_client_destroy (&client);
    }
    return NULL;
}

static void *serve (void *server)
{
    CHECK (!rm_rpc_server_run (server));
    return NULL;
}

static void stress (const char *mode, const char *semantics)
{
    pthread_t server_thread, sharers[SHARERS], guests[GUESTS], sender;
    rm_rpc_server_t *server = rm_rpc_server_new ();
    atomic_store (&runs, 0);
    atomic_store (&came, 0);
    atomic_store (&went, 0);
    CHECK (!rm_rpc_server_add (server, "mul", "ii:i", mul, NULL));
    CHECK (!rm_rpc_server_set (server, "mode", mode) && !rm_rpc_server_set (server, "semantics", semantics));
    rm_rpc_server_on_connect (server, count, &came);
    rm_rpc_server_on_disconnect (server, count, &went);
    CHECK (!rm_rpc_server_bind (server));
    snprintf (endpoint, sizeof endpoint, "%s", rm_rpc_server_endpoint (server));
    CHECK (!pthread_create (&server_thread, NULL, serve, server));
    shared = rm_rpc_pipe_new (endpoint);
    for (intptr_t i = 0; i < SHARERS; i++)
        CHECK (!pthread_create (&sharers[i], NULL, share, (void *)i));
    for (intptr_t i = 0; i < GUESTS; i++)
        CHECK (!pthread_create (&guests[i], NULL, visit, (void *)i));
    CHECK (!pthread_create (&sender, NULL, send_all, NULL));
    CHECK (take_all () == (int64_t)SENT * (SENT + 1) / 2);
    pthread_join (sender, NULL);
    for (int i = 0; i < SHARERS; i++)
        pthread_join (sharers[i], NULL);
    for (int i = 0; i < GUESTS; i++)
        pthread_join (guests[i], NULL);
    rm_rpc_pipe_destroy (&shared);
    rm_rpc_server_stop (server);
    pthread_join (server_thread, NULL);
    rm_rpc_server_destroy (&server);
    int expected = SHARERS * CALLS + GUESTS * VISITS + SENT;
    CHECK (strcmp (semantics, "at-most-once") ? atomic_load (&runs) >= expected : atomic_load (&runs) == expected);
    CHECK (atomic_load (&came) >= GUESTS * VISITS + 1 && atomic_load (&came) == atomic_load (&went));
}

int main (void)
{
    stress ("pool", "at-most-once");
    stress ("connection", "at-most-once");
    stress ("event", "at-most-once");
    stress ("pool", "at-least-once");
    return 0;
}
