/*  What workers tell of jobs that run: who follows is told at once, who asks sees it, and it belongs to an attempt. */
#include <stdio.h>

#include "leader_fixture.h"

TestSuite (leader_progress, .init = cluster_begin, .fini = cluster_end);

static uint64_t stamp;       /* of the newest result */
static uint32_t follows = 1; /* how */

static void follow_any (const uint64_t *ids, uint32_t count)
{
    rm_msg_t msg = {.type = RM_MSG_WAIT};
    msg.wait = (rm_msg_wait_t){
        .ids = (uint64_t *)ids, .id_count = count, .timeout_ms = 60000, .any = 1, .follow = follows, .stamp = stamp};
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
    follows = 1;
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

/* ---- partial results -------------------------------------------------------------------------------------------- */

/* "1.1:a 1.2:b": what the newest answer has of them. */
static const char *partials (void)
{
    static char text[4096];
    const rm_msg_t *msg = sent ("client", RM_MSG_RESULT);
    *text = 0;
    told ();
    for (uint32_t i = 0; msg && i < msg->result.partial_count; i++) {
        const rm_partial_t *partial = &msg->result.partials[i];
        snprintf (text + strlen (text), sizeof text - strlen (text), "%s%u.%u:%.*s", i ? " " : "", partial->attempt,
                  (unsigned)partial->n, partial->data.size < 9 ? (int)partial->data.size : 0,
                  (const char *)partial->data.data);
    }
    return text;
}

Test (leader_progress, partial_results_come_once_and_in_order_to_who_asks_for_them)
{
    uint64_t id;
    worker_t *worker = run_one (&id);
    say_partial (worker, id, 1, 1, "a");
    say_partial (worker, id, 1, 2, "b");
    say_partial (worker, id, 1, 2, "b");
    follow (id);
    cr_assert_null (told (), "who follows the progress only is not told");
    follows = 2;
    follow (id);
    cr_assert_str_eq (partials (), "1.1:a 1.2:b");
    follow (id);
    cr_assert_null (told ());
    say_partial (worker, id, 1, 1, "late");
    cr_assert_null (told (), "out of its turn");
    say_partial (worker, id, 1, 4, "d");
    cr_assert_str_eq (partials (), "1.4:d");
    say_progress (worker, id, 1, 500, "half");
    follow (id);
    cr_assert_str_eq (partials (), "");
    cr_assert (is (told (), 500, "half"));
}

Test (leader_progress, partial_results_outlive_their_job_for_a_moment)
{
    uint64_t id;
    worker_t *worker = run_one (&id);
    follows = 2;
    say_partial (worker, id, 1, 1, "a");
    finish (worker, id);
    follow (id);
    cr_assert_str_eq (partials (), "1.1:a");
    cr_assert_eq (told ()->outcome, RM_OUTCOME_DONE);
    after (RM_PARTIALS_LINGER_MS);
    stamp = 0;
    follow (id);
    cr_assert_str_eq (partials (), "");
    cr_assert_eq (leader->partial_bytes, 0);
    cr_assert_null (record_of (id)->lead.progress);
}

Test (leader_progress, another_attempt_begins_anew_and_a_new_leader_with_nothing)
{
    uint64_t id;
    worker_t *worker = run_one (&id);
    follows = 2;
    say_partial (worker, id, 1, 1, "a");
    fail (worker, id, RM_VERDICT_RETRY);
    after (config.retry.delay_ms);
    say_partial (worker, id, 1, 2, "late");
    say_partial (worker, id, 2, 1, "again");
    follow (id);
    cr_assert_str_eq (partials (), "2.1:again");
    failover (0);
    settle ();
    say_partial (worker, id, 2, 2, "b");
    follow (id);
    cr_assert_str_eq (partials (), "2.2:b");
    finish (worker, id);
}

Test (leader_progress, of_many_partial_results_the_newest_are_kept)
{
    static char large[RM_PARTIAL_BYTES_MAX + 1];
    uint64_t id;
    worker_t *worker = run_one (&id);
    follows = 2;
    memset (large, 'x', RM_PARTIAL_BYTES_MAX);
    for (uint64_t n = 1; n <= 100; n++)
        say_partial (worker, id, 1, n, large);
    cr_assert_leq (leader->partial_bytes, RM_PARTIALS_BYTES_MAX);
    follow (id);
    cr_assert_str_eq (partials (), "1.98: 1.99: 1.100:");
    finish (worker, id);
}
