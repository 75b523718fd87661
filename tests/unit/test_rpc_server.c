/*  What an RPC server does beside answering: who is there, what it refuses, what it tries again, how it ends. */
#include <unistd.h>

#include "rpc_fixture.h"

static host_t host;

static rm_rpc_client_t *client_of (const char *name)
{
    rm_rpc_client_t *client = rm_rpc_client_new (host.endpoint);
    cr_assert (client);
    cr_assert_eq (rm_rpc_client_set (client, "name", name), 0);
    return client;
}

static void *hold (void *arg)
{
    rm_rpc_client_t *client = rm_rpc_client_new (host.endpoint);
    int error = rm_rpc_client_call (client, "held", rm_rpc_values (rm_rpc_int (1)), PATIENCE_MS, NULL);
    rm_rpc_client_destroy (&client);
    (void)arg;
    return (void *)(intptr_t)error;
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

static void is_refused (const char *option, const char *value, const char *why)
{
    cr_assert_eq (rm_rpc_server_set (host.server, option, value), RM_EINVAL);
    cr_assert (strstr (rm_rpc_server_error (host.server), why), "%s", rm_rpc_server_error (host.server));
}

Test (rpc_server, says_what_is_wrong_with_its_settings)
{
    host_init (&host);
    is_refused ("mode", "fork", "pool, connection, event");
    is_refused ("threads", "0", "from 1 to");
    is_refused ("threads", "4x", "a number");
    is_refused ("keep", "300000", "from 300001");
    is_refused ("colour", "red", "semantics");
    cr_assert_eq (rm_rpc_server_add (host.server, "add", "", fn_add, NULL), RM_ESTATE);
    cr_assert_eq (rm_rpc_server_add (host.server, "a b", "", fn_add, NULL), RM_EINVAL);
    cr_assert_eq (rm_rpc_server_add (host.server, "c", "z", fn_add, NULL), RM_EINVAL);
    cr_assert_eq (rm_rpc_server_retry (host.server, "nobody", &(rm_retry_t){.delay_ms = 1, .backoff = 2}), RM_EUNKNOWN);
    cr_assert_eq (rm_rpc_server_retry (host.server, "add", &(rm_retry_t){.delay_ms = 1, .backoff = 1}), RM_EINVAL);
    cr_assert (strstr (rm_rpc_server_error (host.server), "backoff must be more than 1"));
    host_set (&host, "table", "/nonexistent/calls.db");
    cr_assert_eq (rm_rpc_server_bind (host.server), RM_EINVAL, "a table is for at-most-once");
    host_set (&host, "semantics", "at-most-once");
    cr_assert_eq (rm_rpc_server_bind (host.server), RM_EIO);
    cr_assert_str_eq (rm_rpc_server_endpoint (host.server), "");
    rm_rpc_server_destroy (&host.server);
}

Test (rpc_server, a_file_of_somebody_else_is_left_alone)
{
    char path[] = "/tmp/rpc_server.XXXXXX";
    int fd = mkstemp (path);
    cr_assert_geq (fd, 0);
    cr_assert_eq (write (fd, "no table of calls, but a letter to somebody", 43), 43);
    close (fd);
    host_init (&host);
    host_set (&host, "semantics", "at-most-once");
    host_set (&host, "table", path);
    cr_assert_eq (rm_rpc_server_bind (host.server), RM_ECORRUPT, "%s", rm_rpc_server_error (host.server));
    rm_rpc_server_destroy (&host.server);
    unlink (path);
}

/* ---- who is there ------------------------------------------------------------------------------------------------ */

Test (rpc_server, knows_who_comes_and_who_says_goodbye)
{
    host_init (&host);
    host_run (&host);
    rm_rpc_client_t *client = client_of ("till 3");
    cr_assert_eq (rm_rpc_client_ping (client, PATIENCE_MS), 0);
    cr_assert_eq (host.came, 1);
    cr_assert_str_eq (host.guest, "till 3");
    cr_assert_eq (host.went, 0);
    rm_rpc_client_destroy (&client);
    AWAIT (host.went == 1);
    host_stop (&host);
}

static void the_silent_go (const char *mode)
{
    host_init (&host);
    host_set (&host, "silence", "300");
    host_set (&host, "mode", mode);
    host_run (&host);
    rm_rpc_client_t *lazy = client_of ("lazy");
    cr_assert_eq (rm_rpc_client_ping (lazy, PATIENCE_MS), 0);
    rm_rpc_pipe_t *lively = rm_rpc_pipe_new (host.endpoint);
    cr_assert_eq (rm_rpc_pipe_call (lively, "add", rm_rpc_values (rm_rpc_int (1), rm_rpc_int (2)), PATIENCE_MS, NULL),
                  0);
    cr_assert_eq (host.came, 2);
    AWAIT (host.went == 1);
    cr_assert_str_eq (host.guest, "lazy", "the pipe keeps itself known");
    cr_assert_eq (rm_rpc_client_ping (lazy, PATIENCE_MS), 0);
    cr_assert_eq (host.came, 3, "it is there again");
    rm_rpc_client_destroy (&lazy);
    rm_rpc_pipe_destroy (&lively);
    AWAIT (host.went >= 3);
    host_stop (&host);
}

Test (rpc_server, gives_up_who_is_silent)
{
    the_silent_go ("pool");
}

Test (rpc_server, gives_up_who_is_silent_with_its_thread)
{
    the_silent_go ("connection");
}

Test (rpc_server, has_room_for_so_many_clients)
{
    host_init (&host);
    host_set (&host, "clients", "1");
    host_run (&host);
    rm_rpc_client_t *first = client_of ("first"), *second = client_of ("second");
    cr_assert_eq (rm_rpc_client_ping (first, PATIENCE_MS), 0);
    cr_assert_eq (rm_rpc_client_ping (second, 300), RM_EBUSY);
    cr_assert (strstr (rm_rpc_client_error (second), "no room for more"), "%s", rm_rpc_client_error (second));
    rm_rpc_client_destroy (&first);
    cr_assert_eq (rm_rpc_client_ping (second, PATIENCE_MS), 0);
    rm_rpc_client_destroy (&second);
    host_stop (&host);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

Test (rpc_server, has_room_for_so_many_calls)
{
    pthread_t threads[2];
    void *error;
    host_init (&host);
    host_set (&host, "threads", "1");
    host_set (&host, "queue", "1");
    host_run (&host);
    rm_rpc_pipe_t *filler = rm_rpc_pipe_new (host.endpoint);
    for (int i = 0; i < 2; i++) /* one runs, one waits */
        cr_assert_eq (rm_rpc_pipe_send (filler, "held", rm_rpc_values (rm_rpc_int (i)), PATIENCE_MS, NULL), 0);
    AWAIT (host.runs == 1);
    rm_rpc_client_t *client = client_of ("third");
    cr_assert_eq (rm_rpc_client_ping (client, PATIENCE_MS), 0);
    cr_assert_eq (rm_rpc_client_call (client, "held", rm_rpc_values (rm_rpc_int (3)), 300, NULL), RM_EBUSY, "%s",
                  rm_rpc_client_error (client));
    cr_assert_str_eq (rm_rpc_client_error (client), "1 calls wait already");
    cr_assert_eq (host.runs, 1);
    host.gate = true;
    for (int i = 0; i < 2; i++)
        pthread_create (&threads[i], NULL, hold, NULL);
    for (int i = 0; i < 2; i++) {
        pthread_join (threads[i], &error);
        cr_assert_eq ((int)(intptr_t)error, 0, "who waits gets its turn");
    }
    rm_rpc_client_destroy (&client);
    rm_rpc_pipe_destroy (&filler);
    host_stop (&host);
}

static int fn_left (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    return rm_rpc_reply (
        call, rm_rpc_values (rm_rpc_int (rm_rpc_call_left_ms (call)), rm_rpc_text (rm_rpc_call_name (call))));
}

Test (rpc_server, a_function_knows_how_long_its_client_waits)
{
    rm_rpc_answer_t *answer;
    host_init (&host);
    cr_assert_eq (rm_rpc_server_add (host.server, "left", ":is", fn_left, NULL), 0);
    host_run (&host);
    rm_rpc_client_t *client = client_of ("c");
    cr_assert_eq (rm_rpc_client_call (client, "left", NULL, 0, PATIENCE_MS, &answer), 0);
    cr_assert (rm_rpc_answer_int (answer, 0) > 0 && rm_rpc_answer_int (answer, 0) <= PATIENCE_MS);
    cr_assert_str_eq (rm_rpc_answer_text (answer, 1), "left");
    rm_rpc_answer_destroy (&answer);
    cr_assert_eq (rm_rpc_client_call (client, "left", NULL, 0, -1, &answer), 0);
    cr_assert_eq (rm_rpc_answer_int (answer, 0), -1);
    rm_rpc_answer_destroy (&answer);
    rm_rpc_client_destroy (&client);
    host_stop (&host);
}

Test (rpc_server, a_call_whose_time_was_over_in_the_queue_is_not_run)
{
    pthread_t thread;
    host_init (&host);
    host_set (&host, "threads", "1");
    host_set (&host, "semantics", "at-most-once"); /* nothing runs twice that takes long */
    host_run (&host);
    pthread_create (&thread, NULL, hold, NULL);
    AWAIT (host.runs == 1);
    rm_rpc_pipe_t *pipe = rm_rpc_pipe_new (host.endpoint);
    rm_rpc_answer_t *answer;
    cr_assert_eq (rm_rpc_pipe_send (pipe, "add", rm_rpc_values (rm_rpc_int (1), rm_rpc_int (1)), 200, NULL), 0);
    cr_assert_eq (rm_rpc_pipe_next (pipe, PATIENCE_MS, &answer), 0);
    cr_assert_neq (rm_rpc_answer_error (answer), 0, "its client has given it up");
    rm_rpc_answer_destroy (&answer);
    uint64_t given_up_ms = rm_clock_ms (); /* the server counts from when the call came, and finds it over later */
    AWAIT (rm_clock_ms () >= given_up_ms + 200);
    host.gate = true;
    pthread_join (thread, NULL);
    cr_assert_eq (rm_rpc_pipe_call (pipe, "add", rm_rpc_values (rm_rpc_int (1), rm_rpc_int (1)), PATIENCE_MS, NULL), 0);
    cr_assert_eq (host.runs, 2, "the one that was held and the last one have run");
    rm_rpc_pipe_destroy (&pipe);
    host_stop (&host);
}

static int fn_wrong (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    cr_assert_eq (rm_rpc_reply (call, rm_rpc_values (rm_rpc_text ("5"))), RM_EINVAL);
    return 0;
}

Test (rpc_server, a_result_of_another_type_is_an_error_and_no_hang)
{
    host_init (&host);
    cr_assert_eq (rm_rpc_server_add (host.server, "wrong", ":i", fn_wrong, NULL), 0);
    host_run (&host);
    rm_rpc_client_t *client = client_of ("c");
    cr_assert_eq (rm_rpc_client_call (client, "wrong", NULL, 0, PATIENCE_MS, NULL), RM_EPROTO);
    cr_assert_str_eq (rm_rpc_client_error (client), "'wrong' is broken: it gives an integer as value 1, not text");
    rm_rpc_client_destroy (&client);
    host_stop (&host);
}

/* ---- retries ----------------------------------------------------------------------------------------------------- */

typedef struct {
    int failures; /* to come */
    int waits;
    int64_t waited_ms[8];
} shaky_t;

static int fn_shaky (rm_rpc_call_t *call, void *arg)
{
    shaky_t *shaky = arg;
    if (shaky->failures-- > 0)
        return rm_rpc_fail (call, 5, "it is raining");
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_text (rm_rpc_call_text (call, 0))));
}

static void told (const rm_retry_wait_t *wait, void *arg)
{
    shaky_t *shaky = arg;
    cr_assert_str_eq (wait->text, "it is raining");
    cr_assert_eq (wait->error, 5);
    cr_assert_eq (wait->failures, shaky->waits + 1);
    shaky->waited_ms[shaky->waits++] = wait->wait_ms;
}

static shaky_t shaky;

static void retried (int failures)
{
    rm_retry_t policy = {.tries = 4, .delay_ms = 3, .backoff = 2, .notice = told, .arg = &shaky};
    shaky = (shaky_t){.failures = failures};
    host_init (&host);
    cr_assert_eq (rm_rpc_server_add (host.server, "shaky", "s:s", fn_shaky, &shaky), 0);
    cr_assert_eq (rm_rpc_server_retry (host.server, "shaky", &policy), 0);
    host_run (&host);
}

Test (rpc_server, tries_a_failing_function_again_with_waits_that_grow)
{
    rm_rpc_answer_t *answer;
    retried (3);
    rm_rpc_client_t *client = client_of ("c");
    cr_assert_eq (rm_rpc_client_call (client, "shaky", rm_rpc_values (rm_rpc_text ("it works!")), PATIENCE_MS, &answer),
                  0);
    cr_assert_str_eq (rm_rpc_answer_text (answer, 0), "it works!");
    cr_assert_eq (shaky.waits, 3);
    cr_assert (shaky.waited_ms[0] == 3 && shaky.waited_ms[1] == 6 && shaky.waited_ms[2] == 12);
    rm_rpc_answer_destroy (&answer);
    rm_rpc_client_destroy (&client);
    host_stop (&host);
}

Test (rpc_server, tells_the_client_when_the_tries_are_used_up)
{
    retried (9);
    rm_rpc_client_t *client = client_of ("c");
    cr_assert_eq (rm_rpc_client_call (client, "shaky", rm_rpc_values (rm_rpc_text ("it works!")), PATIENCE_MS, NULL),
                  RM_EFAILED);
    cr_assert_str_eq (rm_rpc_client_error (client), "it is raining");
    cr_assert_eq (shaky.failures, 5, "four tries");
    rm_rpc_client_destroy (&client);
    host_stop (&host);
}

Test (rpc_server, does_not_wait_for_everybody)
{
    retried (0);
    host_stop (&host);
    host_init (&host);
    host_set (&host, "mode", "event");
    cr_assert_eq (rm_rpc_server_retry (host.server, "add", &(rm_retry_t){.delay_ms = 1, .backoff = 2}), 0);
    cr_assert_eq (rm_rpc_server_run (host.server), RM_EINVAL, "a wait would hold up all calls");
    rm_rpc_server_destroy (&host.server);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void ends_in_good_order (const char *mode)
{
    host_init (&host);
    host_set (&host, "mode", mode);
    host_set (&host, "threads", "1");
    host_run (&host);
    rm_rpc_pipe_t *pipe = rm_rpc_pipe_new (host.endpoint);
    rm_rpc_answer_t *answer;
    for (int i = 0; i < 2; i++)
        cr_assert_eq (rm_rpc_pipe_send (pipe, "held", rm_rpc_values (rm_rpc_int (i)), i ? 2000 : PATIENCE_MS, NULL), 0);
    AWAIT (host.runs == 1);
    host_stop (&host);
    cr_assert_eq (rm_rpc_pipe_next (pipe, PATIENCE_MS, &answer), 0);
    cr_assert_eq (rm_rpc_answer_error (answer), 0, "what runs is answered: %s", rm_rpc_answer_error_text (answer));
    rm_rpc_answer_destroy (&answer);
    cr_assert_eq (rm_rpc_pipe_next (pipe, PATIENCE_MS, &answer), 0);
    cr_assert_neq (rm_rpc_answer_error (answer), 0, "what waits is not run");
    rm_rpc_answer_destroy (&answer);
    cr_assert_eq (host.runs, 1);
    cr_assert_eq (host.went, host.came);
    rm_rpc_pipe_destroy (&pipe);
}

Test (rpc_server, stops_a_pool_in_good_order)
{
    ends_in_good_order ("pool");
}

Test (rpc_server, stops_the_threads_of_clients_in_good_order)
{
    ends_in_good_order ("connection");
}

Test (rpc_server, a_second_signal_finds_it_destroyed_and_does_nothing)
{
    rm_rpc_server_t *server = rm_rpc_server_new ();
    rm_rpc_server_stop (server);
    rm_rpc_server_destroy (&server);
    rm_rpc_server_stop (server);
}
