/*  What workers tell of jobs that run: who follows is told at once, who asks sees it, and it belongs to an attempt. */
#include "leader_fixture.h"

TestSuite (leader_progress, .init = cluster_begin, .fini = cluster_end);

static uint64_t stamp; /* of the newest result */

static void follow_any (const uint64_t *ids, uint32_t count)
{
    rm_msg_t msg = {.type = RM_MSG_WAIT};
    msg.wait = (rm_msg_wait_t){
        .ids = (uint64_t *)ids, .id_count = count, .timeout_ms = 60000, .any = 1, .follow = 1, .stamp = stamp};
    mark ();
    rm_leader_from_client (leader, now, &(rm_address_t){6, "client"}, &msg);
}

static void follow (uint64_t id)
{
    follow_any (&id, 1);
}

/* What was answered of its first job; NULL: nothing was. */
static const rm_result_job_t *told (void)
{
    const rm_msg_t *msg = sent ("client", RM_MSG_RESULT);
    if (!msg)
        return NULL;
    stamp = msg->result.stamp;
    cr_assert_eq (sent_count ("client", RM_MSG_RESULT), 1);
    return msg->result.jobs;
}

static bool is (const rm_result_job_t *job, uint32_t permille, const char *note)
{
    return job && job->outcome == RM_OUTCOME_NONE && job->progress == permille + 1 &&
           rm_bytes_equal (job->note, rm_bytes (note));
}

static const char *why (uint64_t id)
{
    static char text[RM_REASON_BYTES_MAX + 512];
    cr_assert (rm_leader_why (leader, now, id, text, sizeof text));
    return text;
}

/* A job that runs at the one worker. */
static worker_t *run_one (uint64_t *id)
{
    worker_t *worker = join_settled ("w", 2);
    stamp = 0;
    *id = put (NULL, "x");
    turn ();
    return worker;
}

Test (leader_progress, who_follows_is_told_at_once_and_of_what_is_new_only)
{
    uint64_t id;
    worker_t *worker = run_one (&id);
    follow (id);
    cr_assert_null (told ());
    say_progress (worker, id, 1, 0, "begins");
    cr_assert (is (told (), 0, "begins"));
    follow (id);
    cr_assert_null (told (), "that is known");
    say_progress (worker, id, 1, 0, "begins");
    cr_assert_null (told (), "a worker that repeats itself is no news");
    say_progress (worker, id, 1, 420, "");
    cr_assert (is (told (), 420, ""));
    stamp = 0;
    follow (id);
    cr_assert (is (told (), 420, ""), "who is new is told at once what is known");
    stamp = UINT64_MAX;
    follow (id);
    cr_assert (is (told (), 420, ""), "as is who comes from other masters");
}

Test (leader_progress, each_of_several_is_told_of)
{
    uint64_t ids[2];
    worker_t *worker = run_one (&ids[0]);
    ids[1] = put (NULL, "y");
    turn ();
    follow_any (ids, 2);
    say_progress (worker, ids[1], 1, 10, "second");
    cr_assert (told () && is (told () + 1, 10, "second"));
    cr_assert_eq (told ()->progress, 0);
    follow_any (ids, 2);
    cr_assert_null (told ());
    say_progress (worker, ids[0], 1, 20, "first");
    cr_assert (is (told (), 20, "first"));
}

Test (leader_progress, who_only_waits_is_not_woken_but_sees_it)
{
    uint64_t id;
    worker_t *worker = run_one (&id);
    mark ();
    ask_wait ("client", &id, 1, 500);
    say_progress (worker, id, 1, 420, "page 5");
    cr_assert_null (told ());
    after (500);
    cr_assert (is (told (), 420, "page 5"));
    cr_assert_eq (stamp, 0, "nobody asked for it");
    cr_assert_str_eq (why (id), "Job 1 is at the worker w, attempt 1: 42.0 % done, page 5.");
}

Test (leader_progress, it_is_of_one_attempt_at_one_worker)
{
    uint64_t id;
    worker_t *worker = run_one (&id), *other = join_settled ("o", 1);
    say_progress (worker, id, 2, 420, "an attempt that is not");
    say_progress (other, id, 1, 420, "somebody else");
    say_progress (worker, id + 1, 1, 420, "a job that is not");
    cr_assert_null (rm_leader_progress (record_of (id)));
    say_progress (worker, id, 1, 420, "it");
    cr_assert (rm_leader_progress (record_of (id)));
    die (other);
    fail (worker, id, RM_VERDICT_RETRY);
    cr_assert_null (rm_leader_progress (record_of (id)), "nothing runs");
    after (config.retry.delay_ms);
    cr_assert_null (rm_leader_progress (record_of (id)), "the next attempt begins with nothing");
    say_progress (worker, id, 1, 999, "late");
    cr_assert_null (rm_leader_progress (record_of (id)));
    say_progress (worker, id, 2, 1, "again");
    cr_assert_eq (rm_leader_progress (record_of (id))->permille, 1);
    finish (worker, id);
    follow (id);
    cr_assert_eq (told ()->outcome, RM_OUTCOME_DONE);
    cr_assert_eq (told ()->progress, 0);
}

Test (leader_progress, a_new_leader_knows_it_once_it_is_told_and_its_stamps_are_higher)
{
    uint64_t id;
    worker_t *worker = run_one (&id);
    follow (id);
    say_progress (worker, id, 1, 420, "page 5");
    cr_assert (is (told (), 420, "page 5"));
    failover (0);
    cr_assert_null (rm_leader_progress (record_of (id)));
    settle ();
    follow (id);
    cr_assert_null (told ());
    say_progress (worker, id, 1, 420, "page 5");
    cr_assert (is (told (), 420, "page 5"));
    finish (worker, id);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
}

Test (leader_progress, a_watcher_sees_it)
{
    uint64_t id, next, lost;
    worker_t *worker = run_one (&id);
    rm_msg_query_t query = {0};
    cr_assert_eq (rm_leader_events (leader, now, &query, NULL, NULL, &next, &lost), 0);
    say_progress (worker, id, 1, 420, "page 5");
    cr_assert_eq (leader->journal.last, next + 1);
    const rm_event_t *event = rm_journal_event (&leader->journal, next + 1);
    cr_assert (event->kind == RM_EVENT_PROGRESS && event->outcome == 420 && event->id == id);
    cr_assert_str_eq (rm_event_name (event->kind), "progress");
}
