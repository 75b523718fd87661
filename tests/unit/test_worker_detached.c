/* Jobs that outlive their handlers: detached, and finished later by another thread. */
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker_thread.h"

enum { DETACHED_MAX = 8 };

/* What handlers have detached, in the order they did. */
static rm_job_t *_Atomic detached[DETACHED_MAX];
static atomic_uint detached_count;

/* Whatever it returns then is no verdict. */
static int detach (rm_job_t *job, void *arg)
{
    (void)arg;
    if (!strcmp (rm_job_text (job), "at once"))
        return rm_job_replyf (job, "done");
    if (rm_job_detach (job))
        return rm_job_fail (job, RM_DEAD, "cannot be detached");
    detached[atomic_fetch_add (&detached_count, 1)] = job;
    return 7;
}

static rm_job_t *await_detached (unsigned at)
{
    uint64_t end_ms = rm_clock_ms () + WAIT_MS;
    for (; !detached[at]; master_turn (&master, 10))
        cr_assert_lt (rm_clock_ms (), end_ms, "job %u was not detached", at);
    return detached[at];
}

static void await_cancelled (const rm_job_t *job)
{
    uint64_t end_ms = rm_clock_ms () + WAIT_MS;
    for (; !rm_job_cancelled (job); master_turn (&master, 10))
        cr_assert_lt (rm_clock_ms (), end_ms, "the job was not cancelled");
}

static void open_detached (void)
{
    open_both ();
    cr_assert_eq (rm_worker_set (worker, "jobs", "3"), 0);
    cr_assert_eq (rm_worker_set (worker, "threads", "1"), 0);
    cr_assert_eq (rm_worker_handle (worker, "q", detach, NULL), 0);
    begin ();
    master_await (&master, RM_MSG_JOIN);
    cr_assert_eq (master.msg.join.threads, 3, "that is what the master may count on");
    master_await (&master, RM_MSG_HEARTBEAT);
}

TestSuite (worker_detached, .init = open_detached, .fini = close_both, .timeout = 60);

static uint64_t dispatch (const char *key, const char *payload, uint32_t timeout_ms)
{
    return master_dispatch (&master, "q", key, payload, strlen (payload), timeout_ms);
}

static void finish (rm_job_t *job)
{
    cr_assert_eq (rm_job_finish (&job), 0);
    cr_assert_null (job);
}

Test (worker_detached, it_says_how_far_it_is_and_has_its_time_again)
{
    uint64_t id = dispatch (NULL, "1", 1000), begun_ms = rm_clock_ms ();
    rm_job_t *job = await_detached (0);
    cr_assert_eq (rm_job_progress (job, 1001, NULL), RM_EINVAL);
    cr_assert_eq (rm_job_progress (job, 0, NULL), 0);
    master_await (&master, RM_MSG_PROGRESS);
    cr_assert_eq (master.msg.progress.jobs[0].id, id);
    cr_assert_eq (master.msg.progress.jobs[0].permille, 0);
    for (uint32_t i = 1; rm_clock_ms () < begun_ms + 2500; i++) {
        cr_assert_eq (rm_job_progress (job, i % 1000, "%u", i), 0);
        master_turn (&master, 10);
        cr_assert_not (rm_job_cancelled (job));
    }
    await_cancelled (job);
    cr_assert_eq (rm_job_replyf (job, "too late"), 0);
    cr_assert_eq (rm_job_progress (job, 1, NULL), RM_ESTATE);
    finish (job);
    cr_assert_eq (master_outcome (&master, id).verdict, RM_VERDICT_TIMEOUT);
    stop_and_leave ();
}

Test (worker_detached, its_thread_is_free_and_it_ends_when_it_is_finished)
{
    uint64_t first = dispatch ("bob", "1", 60000);
    rm_job_t *job = await_detached (0);
    cr_assert_str_eq (master_run (&master, "q", NULL, "at once").data, "done", "the one thread is free");
    uint64_t second = dispatch (NULL, "2", 60000), third = dispatch (NULL, "3", 60000);
    cr_assert_eq (rm_job_replyf (await_detached (1), "two"), 0);
    finish (detached[1]);
    cr_assert_str_eq (master_outcome (&master, second).data, "two", "not in the order they came");
    cr_assert_eq (rm_job_fail (await_detached (2), RM_DEAD, "no luck"), 0);
    finish (detached[2]);
    outcome_t outcome = master_outcome (&master, third);
    cr_assert_eq (outcome.verdict, RM_VERDICT_DEAD);
    cr_assert_str_eq (outcome.reason, "no luck");

    cr_assert_str_eq (rm_job_key (job), "bob");
    cr_assert_str_eq (rm_job_text (job), "1");
    cr_assert_str_eq (rm_job_queue (job), "q");
    cr_assert_eq (rm_job_id (job), first);
    cr_assert_eq (rm_job_detach (job), RM_ESTATE);
    finish (job);
    outcome = master_outcome (&master, first);
    cr_assert_eq (outcome.verdict, RM_VERDICT_OK, "what its handler returned is no verdict");
    cr_assert_eq (outcome.size, 0);
    stop_and_leave ();
}

Test (worker_detached, its_key_waits_and_no_more_than_jobs_are_under_way)
{
    uint64_t ids[5] = {dispatch ("bob", "1", 60000)};
    await_detached (0);
    static const char *const then[][2] = {{"bob", "2"}, {"tim", "3"}, {"joe", "4"}, {"ann", "5"}};
    for (int i = 0; i < 4; i++)
        ids[1 + i] = dispatch (then[i][0], then[i][1], 60000);
    cr_assert_str_eq (rm_job_text (await_detached (1)), "3");
    cr_assert_str_eq (rm_job_text (await_detached (2)), "4");
    for (unsigned at = master.heartbeats; master.heartbeats < at + 2;)
        master_turn (&master, 50);
    cr_assert_eq (detached_count, 3);
    finish (detached[2]);
    cr_assert_str_eq (rm_job_text (await_detached (3)), "5");
    master_outcome (&master, ids[3]);
    finish (detached[0]);
    master_outcome (&master, ids[0]);
    finish (detached[1]);
    master_outcome (&master, ids[2]);
    cr_assert_str_eq (rm_job_text (await_detached (4)), "2");
    finish (detached[3]);
    master_outcome (&master, ids[4]);
    finish (detached[4]);
    master_outcome (&master, ids[1]);
    stop_and_leave ();
}

Test (worker_detached, its_timeout_and_a_cancel_are_seen_by_whoever_has_it)
{
    uint64_t timed = dispatch (NULL, "1", 100), wanted = dispatch (NULL, "2", 60000);
    await_cancelled (await_detached (0));
    finish (detached[0]);
    cr_assert_eq (master_outcome (&master, timed).verdict, RM_VERDICT_TIMEOUT);
    cr_assert_not (rm_job_cancelled (await_detached (1)));
    rm_stop_job_t job = {wanted, 1};
    master_to_worker (&master,
                      (rm_msg_t){.type = RM_MSG_STOP,
                                 .stop = {.term = MASTER_TERM, .inc = master.inc, .jobs = &job, .job_count = 1}});
    await_cancelled (detached[1]);
    cr_assert_eq (rm_job_fail (detached[1], RM_RETRY, "was told to"), 0);
    finish (detached[1]);
    cr_assert_eq (master_outcome (&master, wanted).verdict, RM_VERDICT_DEAD);
    stop_and_leave ();
}

Test (worker_detached, a_stopped_worker_waits_for_it)
{
    uint64_t id = dispatch (NULL, "1", 60000);
    await_detached (0);
    rm_worker_stop (worker);
    master_await (&master, RM_MSG_LEAVE);
    cr_assert_eq (master.msg.leave.report.held_count, 1);
    for (unsigned at = master.heartbeats; master.heartbeats < at + 2;)
        master_turn (&master, 50);
    cr_assert_not (atomic_load (&run_over));
    cr_assert_str_eq (rm_job_text (detached[0]), "1");
    finish (detached[0]);
    cr_assert_eq (master_outcome (&master, id).verdict, RM_VERDICT_OK);
    cr_assert_eq (await_end (), 0);
}

Test (worker_detached, a_removed_worker_joins_as_another_when_it_is_finished)
{
    uint64_t inc = master.inc;
    dispatch (NULL, "1", 60000);
    await_detached (0);
    master_to_worker (&master, (rm_msg_t){.type = RM_MSG_REJOIN, .rejoin = {.term = MASTER_TERM, .inc = inc}});
    await_cancelled (detached[0]);
    cr_assert_eq (master.inc, inc);
    finish (detached[0]);
    master_await (&master, RM_MSG_JOIN);
    cr_assert_neq (master.inc, inc);
    cr_assert_str_eq (master_run (&master, "q", NULL, "at once").data, "done");
    stop_and_leave ();
}

Test (worker_detached, a_lost_lease_interrupts_it)
{
    uint64_t id = dispatch (NULL, "1", 0);
    await_detached (0);
    master.answers = false;
    await_cancelled (detached[0]);
    cr_assert_eq (rm_job_replyf (detached[0], "too late"), 0);
    finish (detached[0]);
    master.answers = true;
    cr_assert_eq (master_outcome (&master, id).verdict, RM_VERDICT_INTERRUPTED);
    stop_and_leave ();
}

Test (worker_detached, a_worker_that_was_drained_ends_when_it_is_finished)
{
    dispatch (NULL, "1", 60000);
    await_detached (0);
    master_to_worker (&master, (rm_msg_t){.type = RM_MSG_LEFT, .left = {.term = MASTER_TERM, .inc = master.inc}});
    for (unsigned i = 0; i < 10 && !atomic_load (&run_over); i++)
        master_turn (&master, 10);
    cr_assert_not (atomic_load (&run_over));
    cr_assert_str_eq (rm_job_text (detached[0]), "1");
    finish (detached[0]);
    cr_assert_eq (await_end (), 0);
}

TestSuite (worker_detached_hung, .init = open_both, .fini = close_both, .timeout = 60);

Test (worker_detached_hung, one_that_nobody_finishes_after_its_timeout_ends_the_process)
{
    pid_t pid = fork ();
    cr_assert_geq (pid, 0);
    if (!pid) {
        prctl (PR_SET_PDEATHSIG, SIGKILL);
        rm_worker_handle (worker, "q", detach, NULL);
        _exit (rm_worker_run (worker) ? 99 : 0);
    }
    master_await (&master, RM_MSG_HEARTBEAT);
    dispatch (NULL, "1", 100);
    int status;
    for (uint64_t end_ms = rm_clock_ms () + WAIT_MS; !waitpid (pid, &status, WNOHANG); master_turn (&master, 10))
        cr_assert_lt (rm_clock_ms (), end_ms, "the process does not end");
    cr_assert (WIFEXITED (status));
    cr_assert_eq (WEXITSTATUS (status), 1);
}

static int finish_at_once (rm_job_t *job, void *arg)
{
    (void)arg;
    rm_job_t *same = job;
    if (rm_job_finish (&same) != RM_ESTATE || same != job)
        return rm_job_fail (job, RM_DEAD, "finished without being detached");
    rm_job_replyf (job, "said before");
    rm_job_detach (job);
    rm_job_finish (&job);
    return 7;
}

Test (worker_detached_hung, its_own_handler_may_finish_it)
{
    cr_assert_eq (rm_worker_handle (worker, "q", finish_at_once, NULL), 0);
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    for (int i = 0; i < 20; i++)
        cr_assert_str_eq (master_run (&master, "q", NULL, "x").data, "said before");
    rm_job_t *none = NULL;
    cr_assert_eq (rm_job_finish (NULL), 0);
    cr_assert_eq (rm_job_finish (&none), 0);
    stop_and_leave ();
}

Test (worker_detached_hung, a_worker_that_gives_up_its_masters_waits_for_it)
{
    enum { LONGER_THAN_ITS_PATIENCE_MS = 12000 };
    cr_assert_eq (rm_worker_handle (worker, "q", detach, NULL), 0);
    master.lease_ms = 60000; /* outlasts that patience */
    begin ();
    master_await (&master, RM_MSG_HEARTBEAT);
    dispatch (NULL, "1", 60000);
    await_detached (0);
    rm_worker_stop (worker);
    master_await (&master, RM_MSG_LEAVE);
    rm_poll (NULL, 0, LONGER_THAN_ITS_PATIENCE_MS); /* the master says nothing any more */
    cr_assert_not (atomic_load (&run_over), "its job and all it works with are still in use");
    cr_assert_str_eq (rm_job_text (detached[0]), "1");
    finish (detached[0]);
    pthread_join (thread, NULL);
    cr_assert_eq (atomic_load (&run_rc), RM_EUNREACHABLE);
}
