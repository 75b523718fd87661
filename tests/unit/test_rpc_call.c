/*  The RPC library over real sockets: one server, lazy pirate clients. */
#include "rpc_fixture.h"

static host_t host;

static rm_rpc_client_t *client_of (const char *endpoint)
{
    rm_rpc_client_t *client = rm_rpc_client_new (endpoint);
    cr_assert (client);
    return client;
}

static int64_t add (rm_rpc_client_t *client, int64_t a, int64_t b)
{
    rm_rpc_answer_t *answer;
    int error =
        rm_rpc_client_call (client, "add", rm_rpc_values (rm_rpc_int (a), rm_rpc_int (b)), PATIENCE_MS, &answer);
    cr_assert_eq (error, 0, "%s", rm_rpc_client_error (client));
    cr_assert_eq (rm_rpc_answer_count (answer), 1);
    int64_t sum = rm_rpc_answer_int (answer, 0);
    rm_rpc_answer_destroy (&answer);
    return sum;
}

static void serve (const char *mode)
{
    host_init (&host);
    host_set (&host, "mode", mode);
    host_run (&host);
}

static void a_call_brings_its_result (const char *mode)
{
    serve (mode);
    rm_rpc_client_t *client = client_of (host.endpoint);
    for (int i = 0; i < 100; i++)
        cr_assert_eq (add (client, i, 1), i + 1);
    cr_assert_eq (host.runs, 100);
    rm_rpc_client_destroy (&client);
    AWAIT (host.went == 1);
    cr_assert_eq (host.came, 1);
    host_stop (&host);
}

Test (rpc_call, a_pool_answers)
{
    a_call_brings_its_result ("pool");
}

Test (rpc_call, a_thread_a_client_answers)
{
    a_call_brings_its_result ("connection");
}

Test (rpc_call, one_thread_answers)
{
    a_call_brings_its_result ("event");
}

/* What a call ends with, and its sentence. */
static void ends (rm_rpc_client_t *client, const char *name, const rm_rpc_value_t *args, size_t count, int error,
                  int code, const char *text)
{
    rm_rpc_answer_t *answer;
    cr_assert_eq (rm_rpc_client_call (client, name, args, count, PATIENCE_MS, &answer), error, "%s: %s", name,
                  rm_rpc_client_error (client));
    cr_assert_eq (rm_rpc_answer_error (answer), error);
    cr_assert_eq (rm_rpc_answer_code (answer), code);
    cr_assert_str_eq (rm_rpc_answer_error_text (answer), text);
    cr_assert_str_eq (rm_rpc_client_error (client), text);
    rm_rpc_answer_destroy (&answer);
}

Test (rpc_call, what_is_wrong_comes_back_as_a_sentence)
{
    serve ("pool");
    rm_rpc_client_t *client = client_of (host.endpoint);
    ends (client, "sub", NULL, 0, RM_EUNKNOWN, 0, "there is no function 'sub'");
    ends (client, "add", rm_rpc_values (rm_rpc_int (1)), RM_EINVAL, 0, "'add' takes 2 arguments, not 1");
    ends (client, "add", rm_rpc_values (rm_rpc_int (1), rm_rpc_text ("2")), RM_EINVAL, 0,
          "'add' takes an integer as argument 2, not text");
    ends (client, "fail", rm_rpc_values (rm_rpc_text ("bob")), RM_EFAILED, 7, "no account bob");
    ends (client, "no name", NULL, 0, RM_EINVAL, 0,
          "a function's name is 1 to 128 printable characters without white space, '/' or '\"'");
    cr_assert_eq (host.runs, 1, "only what was right has run");
    cr_assert_eq (add (client, 1, 2), 3, "and it goes on");
    rm_rpc_client_destroy (&client);
    host_stop (&host);
}
