/*  The pipelined client over real sockets: many calls under way, from many threads, answered in any order. */
#include "rpc_fixture.h"

enum { THREADS = 8, CALLS = 100 };

static host_t host;
static rm_rpc_pipe_t *pipe_;

static void serve (const char *mode)
{
    host_init (&host);
    host_set (&host, "mode", mode);
    host_set (&host, "threads", "4");
    host_run (&host);
    pipe_ = rm_rpc_pipe_new (host.endpoint);
    cr_assert (pipe_);
}

static void *call_many (void *arg)
{
    int64_t base = (int64_t)(intptr_t)arg * CALLS;
    for (int64_t i = 0; i < CALLS; i++) {
        rm_rpc_answer_t *answer;
        int error =
            rm_rpc_pipe_call (pipe_, "add", rm_rpc_values (rm_rpc_int (base), rm_rpc_int (i)), PATIENCE_MS, &answer);
        cr_assert_eq (error, 0, "%s", rm_rpc_answer_error_text (answer));
        cr_assert_eq (rm_rpc_answer_int (answer, 0), base + i, "an answer went to another call");
        rm_rpc_answer_destroy (&answer);
    }
    return NULL;
}

static void threads_call (const char *mode)
{
    pthread_t threads[THREADS];
    serve (mode);
    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create (&threads[i], NULL, call_many, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
    cr_assert_geq (host.runs, THREADS * CALLS);
    rm_rpc_pipe_destroy (&pipe_);
    AWAIT (host.went == 1);
    host_stop (&host);
}

Test (rpc_pipe, threads_share_one_client_of_a_pool)
{
    threads_call ("pool");
}

Test (rpc_pipe, threads_share_one_client_of_one_thread)
{
    threads_call ("event");
}

Test (rpc_pipe, answers_come_out_of_order)
{
    serve ("pool");
    uint64_t held, quick;
    rm_rpc_answer_t *answer;
    cr_assert_eq (rm_rpc_pipe_send (pipe_, "held", rm_rpc_values (rm_rpc_int (1)), PATIENCE_MS, &held), 0);
    AWAIT (host.runs == 1);
    cr_assert_eq (rm_rpc_pipe_send (pipe_, "add", rm_rpc_values (rm_rpc_int (2), rm_rpc_int (3)), PATIENCE_MS, &quick),
                  0);
    cr_assert_eq (rm_rpc_pipe_next (pipe_, PATIENCE_MS, &answer), 0);
    cr_assert_eq (rm_rpc_answer_id (answer), quick, "the later call is answered first");
    cr_assert_eq (rm_rpc_answer_int (answer, 0), 5);
    rm_rpc_answer_destroy (&answer);
    cr_assert_eq (rm_rpc_pipe_next (pipe_, 0, &answer), RM_ETIMEDOUT, "the other one runs still");
    host.gate = true;
    cr_assert_eq (rm_rpc_pipe_next (pipe_, PATIENCE_MS, &answer), 0);
    cr_assert_eq (rm_rpc_answer_id (answer), held);
    rm_rpc_answer_destroy (&answer);
    cr_assert_eq (rm_rpc_pipe_next (pipe_, PATIENCE_MS, &answer), RM_ESTATE, "nothing is under way");
    rm_rpc_pipe_destroy (&pipe_);
    host_stop (&host);
}

Test (rpc_pipe, nobody_answers_and_the_next_server_is_asked)
{
    char servers[400];
    host_init (&host);
    host_run (&host);
    /* A server that is bound and does not run takes everything and says nothing. */
    rm_rpc_server_t *mute = rm_rpc_server_new ();
    cr_assert_eq (rm_rpc_server_bind (mute), 0);
    snprintf (servers, sizeof servers, "%s,%s", rm_rpc_server_endpoint (mute), host.endpoint);
    pipe_ = rm_rpc_pipe_new (servers);
    cr_assert_eq (rm_rpc_pipe_set (pipe_, "initial", "50"), 0);
    call_many (NULL);
    rm_rpc_pipe_destroy (&pipe_);
    rm_rpc_server_destroy (&mute);
    host_stop (&host);
}

Test (rpc_pipe, a_call_without_an_answer_ends_in_its_time)
{
    rm_rpc_answer_t *answer;
    rm_rpc_server_t *mute = rm_rpc_server_new ();
    cr_assert_eq (rm_rpc_server_bind (mute), 0);
    pipe_ = rm_rpc_pipe_new (rm_rpc_server_endpoint (mute));
    cr_assert_eq (rm_rpc_pipe_call (pipe_, "add", NULL, 0, 100, &answer), RM_EUNREACHABLE);
    cr_assert (strstr (rm_rpc_answer_error_text (answer), "no server answered"), "%s",
               rm_rpc_answer_error_text (answer));
    rm_rpc_answer_destroy (&answer);
    cr_assert_eq (rm_rpc_pipe_set (pipe_, "window", "1"), RM_ESTATE, "too late");
    rm_rpc_pipe_destroy (&pipe_);
    rm_rpc_server_destroy (&mute);
}
