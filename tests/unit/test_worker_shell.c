/* The worker as a library, against a small master with real sockets (worker_thread.h). */
#include "worker_thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int readies;
static char ready_name[64];

static void ready (const char *name, void *arg)
{
    (void)arg;
    snprintf (ready_name, sizeof ready_name, "%s", name);
    atomic_fetch_add (&readies, 1);
}

static void open_told (void)
{
    open_both ();
    rm_worker_on_ready (worker, ready, NULL);
}

static void serve (const char *queue, const char *handler)
{
    cr_assert_eq (rm_worker_handle_named (worker, queue, handler), 0, "%s", rm_worker_error (worker));
}

TestSuite (worker_shell, .init = open_told, .fini = close_both, .timeout = 60);

/* ---- a worker's life ------------------------------------------------------------------------------------------- */

Test (worker_shell, it_says_hello_joins_works_and_leaves)
{
    serve ("echo", "builtin:echo");
    begin ();
    master_await (&master, RM_MSG_JOIN);
    cr_assert_arr_eq (master.msg.join.name.data, "w1", 2);
    cr_assert_eq (master.msg.join.threads, 2);
    master_await (&master, RM_MSG_HEARTBEAT);
    outcome_t outcome = master_run (&master, "echo", "bob", "hello");
    cr_assert_eq (outcome.verdict, RM_VERDICT_OK);
    cr_assert_str_eq (outcome.data, "hello");
    cr_assert_eq (atomic_load (&readies), 1);
    stop_and_leave ();
    cr_assert_str_eq (ready_name, "w1");
    cr_assert_eq (master.hellos, 1);
    cr_assert_eq (master.joins, 1);
    cr_assert_geq (master.leaves, 1);
}

static int describe (rm_job_t *job, void *arg)
{
    size_t size;
    const char *data = rm_job_data (job, &size);
    cr_assert_eq (data[size], 0);
    return rm_job_replyf (job, "%s %s %s %s %llu %llu %u %zu", (const char *)arg, rm_job_queue (job),
                          rm_job_key (job) ? rm_job_key (job) : "-", rm_job_text (job),
                          (unsigned long long)rm_job_id (job), (unsigned long long)rm_job_token (job),
                          rm_job_attempt (job), size);
}

Test (worker_shell, a_handler_sees_all_of_its_job)
{
    static char gift[] = "gift";
    cr_assert_eq (rm_worker_handle (worker, "q", describe, gift), 0);
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    cr_assert_str_eq (master_run (&master, "q", "bob", "abc").data, "gift q bob abc 1 3298534883329 1 3");
    cr_assert_str_eq (master_run (&master, "q", NULL, "").data, "gift q -  2 3298534883330 1 0");
    stop_and_leave ();
}

static int answer_oddly (rm_job_t *job, void *arg)
{
    (void)arg;
    static char large[MASTER_RESULT_BYTES_MAX + 1];
    const char *how = rm_job_text (job);
    if (!strcmp (how, "nothing"))
        return 0;
    if (!strcmp (how, "error"))
        return 7;
    if (!strcmp (how, "large"))
        return rm_job_reply (job, large, sizeof large) == RM_ETOOBIG ? rm_job_replyf (job, "too big") : 0;
    if (!strcmp (how, "verdict"))
        return rm_job_fail (job, 99, "?") == RM_EINVAL ? rm_job_replyf (job, "refused") : 0;
    if (!strcmp (how, "twice")) {
        rm_job_replyf (job, "first");
        cr_assert_eq (rm_job_reply (job, "second", 6), RM_ESTATE);
        cr_assert_eq (rm_job_fail (job, RM_DEAD, "third"), RM_ESTATE);
        return 1;
    }
    if (!strcmp (how, "long")) {
        memset (large, 'x', sizeof large - 1);
        return rm_job_replyf (job, "%s", large);
    }
    return rm_job_fail (job, RM_DEAD, "no account %s", how);
}

Test (worker_shell, a_handler_ends_its_job_once_and_within_the_limits)
{
    cr_assert_eq (rm_worker_handle (worker, "q", answer_oddly, NULL), 0);
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    outcome_t outcome = master_run (&master, "q", NULL, "nothing");
    cr_assert_eq (outcome.verdict, RM_VERDICT_OK);
    cr_assert_eq (outcome.size, 0);
    outcome = master_run (&master, "q", NULL, "error");
    cr_assert_eq (outcome.verdict, RM_VERDICT_RETRY);
    cr_assert_str_eq (outcome.reason, "the handler returned 7");
    cr_assert_str_eq (master_run (&master, "q", NULL, "large").data, "too big");
    cr_assert_str_eq (master_run (&master, "q", NULL, "verdict").data, "refused");
    cr_assert_str_eq (master_run (&master, "q", NULL, "twice").data, "first");
    cr_assert_eq (master_run (&master, "q", NULL, "long").size, MASTER_RESULT_BYTES_MAX);
    outcome = master_run (&master, "q", NULL, "bob");
    cr_assert_eq (outcome.verdict, RM_VERDICT_DEAD);
    cr_assert_str_eq (outcome.reason, "no account bob");
    stop_and_leave ();
}

Test (worker_shell, the_builtin_handlers_do_what_they_are_called)
{
    serve ("sleep", "builtin:sleep");
    serve ("fail", "builtin:fail");
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    uint64_t begun_ms = rm_clock_ms ();
    cr_assert_eq (master_run (&master, "sleep", NULL, "120").verdict, RM_VERDICT_OK);
    cr_assert_geq (rm_clock_ms () - begun_ms, 120);
    cr_assert_eq (master_run (&master, "sleep", NULL, "soon").verdict, RM_VERDICT_DEAD);
    outcome_t outcome = master_run (&master, "fail", NULL, "no luck");
    cr_assert_eq (outcome.verdict, RM_VERDICT_RETRY);
    cr_assert_str_eq (outcome.reason, "no luck");
    stop_and_leave ();
}

Test (worker_shell, a_timeout_ends_a_handler_that_listens_when_it_is_due)
{
    serve ("sleep", "builtin:sleep");
    master.lease_ms = 60000; /* no heartbeat wakes the loop by chance */
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    uint64_t begun_ms = rm_clock_ms ();
    uint64_t id = master_dispatch (&master, "sleep", NULL, "60000", 5, 100);
    cr_assert_eq (master_outcome (&master, id).verdict, RM_VERDICT_TIMEOUT);
    cr_assert_lt (rm_clock_ms () - begun_ms, 5000);
    stop_and_leave ();
}

Test (worker_shell, a_stopped_worker_finishes_what_runs_and_hands_back_the_rest)
{
    serve ("sleep", "builtin:sleep");
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    uint64_t ids[3];
    for (int i = 0; i < 3; i++)
        ids[i] = master_dispatch (&master, "sleep", "bob", "300", 3, 10000);
    master_await (&master, RM_MSG_HEARTBEAT);
    rm_worker_stop (worker);
    master_await (&master, RM_MSG_LEAVE);
    cr_assert_eq (master.msg.leave.report.upto, 3);
    cr_assert_eq (master.msg.leave.report.held_count, 1);
    cr_assert_eq (master.msg.leave.report.held[0], ids[0]);
    cr_assert_eq (master_outcome (&master, ids[0]).verdict, RM_VERDICT_OK);
    cr_assert_eq (await_end (), 0);
}

Test (worker_shell, an_operators_drain_ends_it_in_good_order)
{
    serve ("echo", "builtin:echo");
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    master_to_worker (&master, (rm_msg_t){.type = RM_MSG_LEFT, .left = {.term = MASTER_TERM, .inc = master.inc}});
    cr_assert_eq (await_end (), 0);
}

/* ---- masters that come and go ---------------------------------------------------------------------------------- */

Test (worker_shell, a_master_that_came_back_elsewhere_is_found_and_told_the_results_again)
{
    serve ("echo", "builtin:echo");
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    uint64_t id = master_dispatch (&master, "echo", NULL, "hello", 5, 10000), inc = master.inc;
    master_await (&master, RM_MSG_DONE); /* and lost: it is not committed */
    master_forget_message (&master);
    rm_socket_close (&master.work);
    rm_socket_close (&master.sync);
    master_open_work (&master);
    outcome_t outcome = master_outcome (&master, id);
    cr_assert_str_eq (outcome.data, "hello");
    cr_assert_geq (master.hellos, 2);
    cr_assert_eq (master.joins, 1, "it is still the same member");
    cr_assert_eq (master.inc, inc);
    stop_and_leave ();
}

Test (worker_shell, a_removed_worker_joins_as_another)
{
    serve ("sleep", "builtin:sleep");
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    uint64_t inc = master.inc;
    master_dispatch (&master, "sleep", NULL, "60000", 5, 0);
    master_await (&master, RM_MSG_HEARTBEAT);
    master_to_worker (&master, (rm_msg_t){.type = RM_MSG_REJOIN, .rejoin = {.term = MASTER_TERM, .inc = inc}});
    master_await (&master, RM_MSG_JOIN);
    cr_assert_neq (master.inc, inc);
    cr_assert_eq (master_run (&master, "sleep", NULL, "1").verdict, RM_VERDICT_OK);
    cr_assert_eq (atomic_load (&readies), 1);
    stop_and_leave ();
}

Test (worker_shell, a_lost_lease_cancels_and_the_interruption_is_told_later)
{
    serve ("sleep", "builtin:sleep");
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    uint64_t id = master_dispatch (&master, "sleep", NULL, "60000", 5, 0);
    master_await (&master, RM_MSG_HEARTBEAT);
    master.answers = false;
    unsigned hellos = master.hellos;
    uint64_t end_ms = rm_clock_ms () + WAIT_MS;
    while (master.hellos == hellos) { /* a lease without an answer: it looks for a master */
        cr_assert_neq (master_turn (&master, 50), RM_MSG_DONE);
        cr_assert_lt (rm_clock_ms (), end_ms);
    }
    master.answers = true;
    cr_assert_eq (master_outcome (&master, id).verdict, RM_VERDICT_INTERRUPTED);
    stop_and_leave ();
}

Test (worker_shell, a_refusal_for_good_ends_it)
{
    serve ("echo", "builtin:echo");
    master.admits = false;
    begin ();
    master_await (&master, RM_MSG_JOIN);
    master_to_worker (&master, (rm_msg_t){.type = RM_MSG_ERROR,
                                          .error = {.code = RM_EDENIED, .text = master_text ("another pool's")}});
    cr_assert_eq (await_end (), RM_EDENIED);
    cr_assert_str_eq (rm_worker_error (worker), "the master refuses this worker: another pool's");
}

/* ---- handlers that do not stop --------------------------------------------------------------------------------- */

TestSuite (worker_hung, .init = open_both, .fini = close_both, .timeout = 60);

static int sleep_on (rm_job_t *job, void *arg)
{
    (void)arg;
    if (!strcmp (rm_job_text (job), "on"))
        sleep (1000);
    return 0;
}

/* A worker in a process of its own, since it has to end that. */
static pid_t begin_process (void)
{
    pid_t pid = fork ();
    cr_assert_geq (pid, 0);
    if (pid)
        return pid;
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    rm_worker_t *other = rm_worker_new (master_endpoint (&master));
    rm_worker_set (other, "threads", "2");
    rm_worker_set (other, "quiet", "1");
    rm_worker_handle (other, "q", sleep_on, NULL);
    _exit (rm_worker_run (other) ? 99 : 0);
}

static int await_process (pid_t pid)
{
    int status;
    uint64_t end_ms = rm_clock_ms () + WAIT_MS;
    while (!waitpid (pid, &status, WNOHANG)) {
        master_turn (&master, 10);
        cr_assert_lt (rm_clock_ms (), end_ms, "the process does not end");
    }
    return status;
}

Test (worker_hung, a_handler_that_ignores_its_timeout_ends_the_process_after_a_report)
{
    pid_t pid = begin_process ();
    master_await (&master, RM_MSG_HEARTBEAT);
    uint64_t hung = master_dispatch (&master, "q", "bob", "on", 2, 200);
    master_dispatch (&master, "q", "bob", "next", 4, 10000);
    master_await (&master, RM_MSG_LEAVE);
    cr_assert_eq (master.msg.leave.report.upto, 2);
    cr_assert_eq (master.msg.leave.report.held_count, 1, "what has not started is handed back");
    cr_assert_eq (master.msg.leave.report.held[0], hung);
    int status = await_process (pid);
    cr_assert (WIFEXITED (status));
    cr_assert_eq (WEXITSTATUS (status), 1);
}

Test (worker_hung, a_handler_that_outlives_the_lease_ends_the_process)
{
    pid_t pid = begin_process ();
    master_await (&master, RM_MSG_HEARTBEAT);
    master_dispatch (&master, "q", NULL, "on", 2, 0);
    do
        master_await (&master, RM_MSG_HEARTBEAT);
    while (master.msg.heartbeat.report.upto != 1);
    uint64_t silent_ms = rm_clock_ms ();
    master.answers = false;
    int status = await_process (pid);
    cr_assert (WIFEXITED (status));
    cr_assert_eq (WEXITSTATUS (status), 1);
    uint64_t took_ms = rm_clock_ms () - silent_ms;
    cr_assert_geq (took_ms, 1000 - 250, "its last answered heartbeat is at most that old");
}

/* ---- the choice of a master ------------------------------------------------------------------------------------ */

TestSuite (worker_masters, .timeout = 60);

Test (worker_masters, they_are_tried_in_turn_until_one_answers)
{
    char masters[300];
    master_open (&master);
    snprintf (masters, sizeof masters, "127.0.0.1:1,%s", master_endpoint (&master));
    make_worker (masters);
    serve ("echo", "builtin:echo");
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    stop_and_leave ();
    close_both ();
}

Test (worker_masters, one_that_does_not_lead_names_the_one_that_does)
{
    rm_route_t from;
    rm_frame_t frame = {0};
    master_open (&master);
    rm_socket_t *follower = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, "127.0.0.1", 0, NULL);
    cr_assert (follower);
    make_worker (rm_socket_endpoint (follower)->text);
    serve ("echo", "builtin:echo");
    begin ();
    rm_poll_t item = {.socket = follower, .fd = -1};
    cr_assert_eq (rm_poll (&item, 1, WAIT_MS), 1);
    cr_assert_eq (rm_socket_recv (follower, &from, &frame), 1);
    master_send (
        follower, &from,
        &(rm_msg_t){.type = RM_MSG_NOT_LEADER, .not_leader = {.leader = master_text (master_endpoint (&master))}});
    master_await (&master, RM_MSG_HEARTBEAT);
    stop_and_leave ();
    rm_frame_close (&frame);
    rm_socket_close (&follower);
    close_both ();
}

Test (worker_masters, stopped_while_it_looks_for_one_it_just_ends)
{
    master_open (&master);
    master.welcomes = false;
    make_worker (master_endpoint (&master));
    serve ("echo", "builtin:echo");
    begin ();
    stop_and_leave ();
    close_both ();
}

/* ---- settings -------------------------------------------------------------------------------------------------- */

TestSuite (worker_settings, .timeout = 60);

Test (worker_settings, what_is_not_allowed_is_refused_with_a_sentence)
{
    cr_assert_null (rm_worker_new ("not an endpoint"));
    worker = rm_worker_new ("127.0.0.1:5550");
    cr_assert (worker);
    cr_assert_str_empty (rm_worker_error (worker));
    cr_assert_eq (rm_worker_run (worker), RM_EINVAL);
    cr_assert (strstr (rm_worker_error (worker), "nothing to serve"));
    static const char *const bad[][2] = {{"name", "a b"},     {"name", ""},     {"pool", "a/b"},
                                         {"threads", "0"},    {"quiet", "2"},   {"jobs", "0"},
                                         {"threads", "9999"}, {"threads", "x"}, {"colour", "red"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq (rm_worker_set (worker, bad[i][0], bad[i][1]), RM_EINVAL, "%s", bad[i][0]);
        cr_assert_not (strstr (rm_worker_error (worker), "nothing to serve"), "%s", bad[i][0]);
    }
    cr_assert_eq (rm_worker_handle_named (worker, "q", "builtin:nothing"), RM_EINVAL);
    cr_assert_eq (rm_worker_handle_named (worker, "q", "exec:"), RM_EINVAL);
    cr_assert_eq (rm_worker_handle_named (worker, "a b", "builtin:echo"), RM_EINVAL);
    cr_assert_eq (rm_worker_handle (worker, "q", NULL, NULL), RM_EINVAL);
    cr_assert_eq (rm_worker_handle_named (worker, "q", "builtin:echo"), 0);
    cr_assert_eq (rm_worker_handle_named (worker, "q", "builtin:fail"), RM_ESTATE);
    rm_worker_destroy (&worker);
    cr_assert_null (worker);
    rm_worker_destroy (&worker);
}

Test (worker_settings, names_may_be_as_long_as_the_limit_and_no_longer)
{
    char name[RM_WORKER_NAME_BYTES_MAX + 2];
    memset (name, 'n', sizeof name);
    name[RM_WORKER_NAME_BYTES_MAX + 1] = 0;
    worker = rm_worker_new ("127.0.0.1:5550");
    cr_assert_eq (rm_worker_set (worker, "name", name), RM_EINVAL);
    name[RM_WORKER_NAME_BYTES_MAX] = 0;
    cr_assert_eq (rm_worker_set (worker, "name", name), 0);
    rm_worker_destroy (&worker);
}
