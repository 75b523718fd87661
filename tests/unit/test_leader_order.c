/*  What a job may ask for, and what people may order about jobs and queues (docs/protocol.md, `submit` and `order`). */
#include "core/share.h"
#include "leader_orders.h"

TestSuite (leader_order, .init = orders_begin, .fini = cluster_end);

static uint64_t put_with (const char *key, rm_job_options_t options)
{
    rm_submit_job_t job = job_of ("q", key, "a");
    job.options = options;
    return put_job (&client, job);
}

static const char *text_of_kick (uint32_t limit)
{
    mark ();
    say_order ("kick", 0, "q", "", limit);
    turn ();
    return text_of (answer_to_order ());
}

static uint64_t die_at_once (const char *key, worker_t *worker)
{
    uint64_t id = put (key, "a");
    fail (worker, id, RM_VERDICT_DEAD);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DEAD);
    return id;
}

/* ---- options ---------------------------------------------------------------------------------------------------- */

Test (leader_order, a_delayed_job_is_not_handed_out_before_its_time)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t late = put_with (NULL, (rm_job_options_t){.delay_ms = 500}), soon = put (NULL, "b");
    cr_assert (at (soon, worker));
    after (490);
    cr_assert (!at (late, worker));
    after (30);
    cr_assert (at (late, worker));
}

Test (leader_order, a_delayed_job_of_a_key_keeps_its_place)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t late = put_with ("key", (rm_job_options_t){.delay_ms = 300}), behind = put ("key", "b");
    cr_assert (!at (late, worker) && !at (behind, worker));
    after (320);
    cr_assert (at (late, worker) && !at (behind, worker));
    finish (worker, late);
    cr_assert (at (behind, worker));
}

Test (leader_order, a_delay_survives_a_new_leader)
{
    uint64_t late = put_with (NULL, (rm_job_options_t){.delay_ms = 5000});
    restart_from_log (99);
    worker_t *worker = join_settled ("w", 1);
    cr_assert (!at (late, worker));
    after (5000);
    cr_assert (at (late, worker));
}

Test (leader_order, urgent_jobs_go_first_whosever_they_are)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t busy = put (NULL, "a"), normal = put (NULL, "b"), low = put_with (NULL, (rm_job_options_t){.priority = 1}),
             high = put_with (NULL, (rm_job_options_t){.priority = 9}),
             of_key = put_with ("key", (rm_job_options_t){.priority = 8}),
             second = put_with ("key", (rm_job_options_t){.priority = 9});
    uint64_t unkeyed[] = {high, normal, low};
    finish (worker, busy);
    int next = 0;
    for (int i = 0; i < 5; i++) {
        uint64_t id = next < 3 && at (unkeyed[next], worker) ? unkeyed[next++] : at (of_key, worker) ? of_key : second;
        cr_assert (at (id, worker), "after %d", i);
        cr_assert (id != second || outcome_of (of_key) == RM_OUTCOME_DONE, "never within a key");
        finish (worker, id);
    }
    cr_assert_eq (next, 3);
}

Test (leader_order, what_waits_past_its_deadline_expires)
{
    uint64_t id = put_with (NULL, (rm_job_options_t){.deadline_ms = 400}), other = put (NULL, "b");
    after (390);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE);
    after (30);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_EXPIRED);
    cr_assert_str_eq (reason_of (id), "past its deadline");
    cr_assert_eq (outcome_of (other), RM_OUTCOME_NONE);
}

Test (leader_order, a_deadline_survives_a_new_leader)
{
    uint64_t id = put_with (NULL, (rm_job_options_t){.deadline_ms = 400});
    restart_from_log (99);
    after (420);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_EXPIRED);
}

Test (leader_order, what_runs_past_its_deadline_is_stopped_and_expires_when_its_worker_lets_go)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put_with ("key", (rm_job_options_t){.deadline_ms = 400}), behind = put ("key", "b");
    mark ();
    after (420);
    const rm_msg_t *msg = sent (worker->address, RM_MSG_STOP);
    cr_assert (msg && msg->stop.jobs[0].id == id && msg->stop.jobs[0].attempt == 1);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE);
    cr_assert (!at (behind, worker), "it may run still");
    fail (worker, id, RM_VERDICT_DEAD);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_EXPIRED);
    cr_assert (at (behind, worker));
}

Test (leader_order, a_job_has_one_name_in_its_queue)
{
    config.keep_ms = 3000;
    reconfigure ();
    worker_t *worker = join_settled ("w", 2);
    rm_job_options_t named = {.uid = rm_bytes ("mine")};
    uint64_t id = put_with (NULL, named);
    cr_assert_eq (put_with ("key", named), id, "another request, the same job");
    rm_submit_job_t job = job_of ("r", NULL, "a");
    job.options = named;
    cr_assert_neq (put_job (&client, job), id, "another queue, another job");
    finish (worker, id);
    cr_assert_eq (put_with (NULL, named), id, "while it is kept");
    restart_from_log (99);
    cr_assert_eq (put_with (NULL, named), id);
    after (config.keep_ms + 2000);
    cr_assert_neq (put_with (NULL, named), id, "it is forgotten");
}

Test (leader_order, a_job_may_say_how_its_attempts_are_spaced)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put_with (NULL, (rm_job_options_t){.retry_delay_ms = 70, .retry_permille = 3000, .retry_jitter = 1});
    fail (worker, id, RM_VERDICT_RETRY);
    cr_assert_eq (record_of (id)->not_before_ms, now.wall_ms + 70);
    for (int i = 0; i < 20 && !holds (worker, id); i++)
        after (10);
    fail (worker, id, RM_VERDICT_RETRY);
    cr_assert_eq (record_of (id)->not_before_ms, now.wall_ms + 210);
}

static void cr_assert_refused (rm_job_options_t options, const char *words)
{
    rm_submit_job_t job = job_of ("q", NULL, "a");
    job.options = options;
    job.seq = client.seq + 1;
    mark ();
    submit_jobs (&client, &job, 1);
    turn ();
    const rm_msg_t *msg = sent (client.address, RM_MSG_ERROR);
    cr_assert (msg && msg->error.text.size, "accepted, though %s", words);
    cr_assert_eq (msg->error.code, RM_EINVAL);
    cr_assert (memmem (msg->error.text.data, msg->error.text.size, words, strlen (words)), "%.*s",
               (int)msg->error.text.size, (const char *)msg->error.text.data);
}

Test (leader_order, options_that_cannot_be_are_refused)
{
    cr_assert_refused ((rm_job_options_t){.delay_ms = RM_AHEAD_MS_MAX + 1}, "366 days");
    cr_assert_refused ((rm_job_options_t){.deadline_ms = RM_AHEAD_MS_MAX + 1}, "366 days");
    cr_assert_refused ((rm_job_options_t){.delay_ms = 10, .deadline_ms = 10}, "over before");
    cr_assert_refused ((rm_job_options_t){.retry_permille = 2000}, "where that begins");
    cr_assert_refused ((rm_job_options_t){.retry_delay_ms = 10, .retry_permille = 1000}, "backoff");
    cr_assert_refused ((rm_job_options_t){.retry_delay_ms = 10, .retry_jitter = 6}, "no such jitter");
    cr_assert_refused ((rm_job_options_t){.retry_delay_ms = 10, .retry_cap_ms = 9}, "cap");
}

/* ---- cancel ----------------------------------------------------------------------------------------------------- */

Test (leader_order, what_waits_is_cancelled_at_once)
{
    uint64_t id = put (NULL, "a"), first = put ("key", "b"), second = put ("key", "c");
    SAYS (text_of_order ("cancel", id, "", ""), "\"state\": \"cancelled\"");
    SAYS (text_of_order ("cancel", second, "", ""), "\"state\": \"cancelled\"");
    SAYS (text_of_order ("cancel", second, "", ""), "\"state\": \"cancelled\"");
    cr_assert_eq (outcome_of (first), RM_OUTCOME_NONE);
    worker_t *worker = join_settled ("w", 10);
    cr_assert (at (first, worker));
    SAYS (text_of_order ("cancel", 99, "", ""), "no job 99");
}

Test (leader_order, what_is_on_offer_is_cancelled_and_the_next_of_its_key_is_offered)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t busy = put (NULL, "a"), head = put ("key", "b"), behind = put ("key", "c"), unkeyed = put (NULL, "d");
    ordered ("cancel", head, "", "");
    ordered ("cancel", unkeyed, "", "");
    cr_assert_eq (outcome_of (head), RM_OUTCOME_CANCELLED);
    cr_assert_eq (outcome_of (unkeyed), RM_OUTCOME_CANCELLED);
    finish (worker, busy);
    cr_assert (at (behind, worker));
}

Test (leader_order, what_is_on_offer_keeps_its_place_whatever_happens_behind_it)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t busy = put (NULL, "a"), head = put ("key", "b"), other = put ("other", "c"), behind = put ("key", "d");
    ordered ("cancel", behind, "", "");
    cr_assert_eq (outcome_of (behind), RM_OUTCOME_CANCELLED);
    finish (worker, busy);
    finish (worker, at (head, worker) ? head : other);
    cr_assert_eq (outcome_of (head), RM_OUTCOME_DONE);
    cr_assert (at (other, worker));
}

Test (leader_order, what_is_on_offer_keeps_its_place_whatever_its_queue_is_set_to)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t first = put ("key", "a"), behind = put ("key", "b"), others[20];
    for (uint32_t i = 0; i < 20; i++)
        others[i] = put (key_of (worker, i), "c");
    finish (worker, first); /* the one behind it stands behind all others */
    ordered ("set", 0, "q", "tries=7 paused=off");
    finish (worker, others[0]);
    cr_assert (!at (behind, worker));
    ordered ("set", 0, "q", "paused=on");
    ordered ("set", 0, "q", "paused=off");
    for (uint32_t i = 1; i < 20 && !at (behind, worker); i++)
        finish (worker, others[i]);
    cr_assert (at (behind, worker), "all is offered again");
}

/* A handful more than one message has room for. */
Test (leader_order, each_job_that_is_to_stop_is_told_once_and_then_again_in_turns)
{
    enum { JOBS = RM_DISPATCH_JOBS + 20 };
    worker_t *worker = join_settled ("w", JOBS);
    uint64_t ids[JOBS];
    uint32_t told[JOBS] = {0};
    for (int i = 0; i < JOBS; i++)
        ids[i] = put (NULL, "a");
    worker->silent = true;
    mark ();
    for (int i = 0; i < JOBS; i++)
        say_order ("cancel", ids[i], "", "", 0);
    turn ();
    cr_assert_eq (sent_count (worker->address, RM_MSG_STOP), JOBS);
    for (uint32_t n = 0; n < JOBS; n++)
        cr_assert_eq (sent_nth (worker->address, RM_MSG_STOP, n)->stop.job_count, 1, "of %u, only the new one", n);
    mark ();
    for (int i = 0; i < 4; i++)
        beat (worker);
    for (uint32_t n = 0; n < sent_count (worker->address, RM_MSG_STOP); n++) {
        const rm_msg_stop_t *stop = &sent_nth (worker->address, RM_MSG_STOP, n)->stop;
        for (uint32_t i = 0; i < stop->job_count; i++)
            told[stop->jobs[i].id - ids[0]]++;
    }
    for (int i = 0; i < JOBS; i++)
        cr_assert_eq (told[i], 2, "job %d of %d was told %u times", i, JOBS, told[i]);
}

Test (leader_order, what_runs_is_stopped_and_its_key_waits_until_its_worker_lets_go)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t id = put ("key", "a"), behind = put ("key", "b");
    SAYS (text_of_order ("cancel", id, "", ""), "\"state\": \"stopping\"");
    cr_assert_not_null (sent (worker->address, RM_MSG_STOP));
    SAYS (text_of_order ("cancel", id, "", ""), "\"state\": \"stopping\"");
    mark ();
    after (300);
    cr_assert_geq (sent_count (worker->address, RM_MSG_STOP), 1, "told again with a heartbeat");
    cr_assert (!at (behind, worker));
    fail (worker, id, RM_VERDICT_RETRY);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_CANCELLED);
    cr_assert_str_eq (reason_of (id), "cancelled");
    cr_assert (at (behind, worker));
}

Test (leader_order, what_succeeds_before_it_stops_is_done)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    ordered ("cancel", id, "", "");
    finish (worker, id);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
    cr_assert_eq (state->stopping_count, 0);
}

Test (leader_order, what_had_not_started_is_handed_back_and_ends)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put ("key", "a");
    ordered ("cancel", id, "", "");
    drop (worker, id);
    beat (worker);
    turn ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_CANCELLED);
}

Test (leader_order, what_is_being_stopped_ends_when_its_worker_dies)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put ("key", "a");
    ordered ("cancel", id, "", "");
    die_and_be_removed (worker);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_CANCELLED);
    cr_assert_eq (record_of (id)->crashes, 1);
}

Test (leader_order, a_new_leader_goes_on_stopping)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put ("key", "a"), unkeyed = put (NULL, "b");
    bool first = at (id, worker);
    ordered ("cancel", id, "", "");
    ordered ("cancel", unkeyed, "", "");
    restart_from_log (99);
    mark ();
    after (600);
    cr_assert_not_null (sent (worker->address, RM_MSG_STOP));
    fail (worker, first ? id : unkeyed, RM_VERDICT_DEAD);
    after (300);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_CANCELLED);
    cr_assert_eq (outcome_of (unkeyed), RM_OUTCOME_CANCELLED);
}

Test (leader_order, before_all_have_reported_a_job_is_not_ended_under_a_worker_that_may_have_it)
{
    worker_t *worker = join_settled ("w", 2);
    uint64_t id = put ("key", "a"), unkeyed = put (NULL, "b");
    worker->silent = worker->manual = true;
    restart_from_log (99);
    SAYS (text_of_order ("cancel", id, "", ""), "\"state\": \"stopping\"");
    SAYS (text_of_order ("cancel", unkeyed, "", ""), "\"state\": \"stopping\"");
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE);
    die_and_be_removed (worker);
    after (100);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_CANCELLED);
    cr_assert_eq (outcome_of (unkeyed), RM_OUTCOME_CANCELLED);
}

Test (leader_order, an_at_most_once_job_is_cancelled_wherever_it_is)
{
    worker_t *worker = join_settled ("w", 1);
    rm_submit_job_t job = job_of ("q", NULL, "a");
    job.flags = RM_JOB_AT_MOST_ONCE;
    uint64_t running = put_job (&client, job), waiting = put_job (&client, job);
    ordered ("cancel", waiting, "", "");
    cr_assert_eq (outcome_of (waiting), RM_OUTCOME_CANCELLED);
    ordered ("cancel", running, "", "");
    drop (worker, running); /* it had not begun */
    beat (worker);
    turn ();
    cr_assert_eq (outcome_of (running), RM_OUTCOME_CANCELLED);
}

/* ---- bury and kick ---------------------------------------------------------------------------------------------- */

Test (leader_order, what_is_buried_is_dead_for_the_reason_given)
{
    uint64_t id = put (NULL, "a");
    SAYS (text_of_order ("bury", id, "", "not today"), "\"state\": \"dead\"");
    cr_assert_str_eq (reason_of (id), "not today");
}

Test (leader_order, a_dead_job_is_kicked_once)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = die_at_once ("key", worker);
    SAYS (text_of_order ("kick", id, "", ""), "\"kicked_as\": 2");
    SAYS (text_of_order ("kick", id, "", ""), "\"kicked_as\": 2");
    cr_assert_eq (state->last_id, 2);
    cr_assert (at (2, worker));
    cr_assert_str_eq (holds (worker, 2)->key, "key");
    cr_assert_str_eq (holds (worker, 2)->data, "a");
    finish (worker, 2);
    cr_assert_eq (outcome_of (2), RM_OUTCOME_DONE);
    SAYS (text_of_order ("kick", 2, "", ""), "only a dead one");
}

Test (leader_order, the_dead_of_a_queue_are_kicked_together)
{
    worker_t *worker = join_settled ("w", 1);
    for (int i = 0; i < 3; i++)
        die_at_once (NULL, worker);
    restart_from_log (99);
    SAYS (text_of_order ("kick", 0, "q", ""), "\"kicked\": 3, \"left\": 0");
    SAYS (text_of_order ("kick", 0, "q", ""), "\"kicked\": 0");
    SAYS (text_of_order ("kick", 0, "nowhere", ""), "no queue nowhere");
    cr_assert_eq (state->last_id, 6);
}

Test (leader_order, a_queue_takes_no_more_kicked_jobs_than_it_may_hold)
{
    worker_t *worker = join_settled ("w", 1);
    for (int i = 0; i < 5; i++)
        die_at_once (NULL, worker);
    ordered ("set", 0, "q", "jobs-max=3");
    SAYS (text_of_kick (0), "\"kicked\": 3, \"left\": 2, \"full\": \"the queue holds as many jobs as it may\"");
    SAYS (text_of_kick (0), "the queue holds as many jobs as it may");
    cr_assert_not_null (sent ("o", RM_MSG_BUSY), "as a submit is");
    SAYS (text_of_order ("kick", 5, "", ""), "the queue holds as many jobs as it may");
    cr_assert_eq (state->queues->waiting_count, 3);
    finish (worker, 6);
    SAYS (text_of_order ("kick", 5, "", ""), "\"kicked_as\": 9");
    ordered ("set", 0, "q", "jobs-max=default bytes-max=3B");
    SAYS (text_of_kick (0), "the queue holds as many bytes as it may");
}

static bool is_busy (client_t *self, uint32_t count, const char *data)
{
    rm_submit_job_t jobs[8];
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = job_of ("q", NULL, data);
        jobs[i].seq = self->seq + 1 + i;
    }
    mark ();
    submit_jobs (self, jobs, count);
    const rm_msg_t *busy = sent (self->address, RM_MSG_BUSY);
    if (!busy)
        self->seq += count;
    return busy;
}

Test (leader_order, a_queue_takes_no_more_of_one_client_than_it_is_set_to)
{
    client_t other = client_make ("other");
    ordered ("set", 0, "q", "client-jobs-max=3");
    cr_assert (is_busy (&client, 4, "x"), "all in one request");
    cr_assert (!is_busy (&client, 2, "x"));
    cr_assert (!is_busy (&client, 1, "x"));
    cr_assert (is_busy (&client, 1, "x"), "what is on its way counts");
    turn ();
    cr_assert (is_busy (&client, 1, "x"));
    cr_assert (!is_busy (&other, 3, "x"), "it is full for one client only");
    turn ();
    cr_assert_eq (rm_share_of (state->queues, rm_state_session (state, &client.session))->count, 3);
    finish (join_settled ("w", 1), 1);
    cr_assert (!is_busy (&client, 1, "x"), "one is done");
    turn ();
    restart_from_log (unapplied ());
    cr_assert (is_busy (&client, 1, "x"), "counted after a restart");
    ordered ("set", 0, "q", "client-jobs-max=default client-bytes-max=5");
    cr_assert (is_busy (&client, 1, "xxx"));
    cr_assert (!is_busy (&client, 1, "xx"), "counted from the setting on, what waited before it too");
    turn ();
    ordered ("set", 0, "q", "client-bytes-max=default");
    cr_assert (!is_busy (&client, 8, "xxxxxxxx"));
}

Test (leader_order, the_master_and_the_client_of_kicked_jobs_have_limits_too)
{
    worker_t *worker = join_settled ("w", 1);
    for (int i = 0; i < 6; i++)
        die_at_once (NULL, worker);
    config.jobs_max = 2;
    reconfigure ();
    SAYS (text_of_kick (0), "\"kicked\": 2, \"left\": 4, \"full\": \"the master");
    config = rm_leader_defaults ();
    config.client_jobs_max = 3;
    reconfigure ();
    SAYS (text_of_kick (0), "\"kicked\": 1, \"left\": 3, \"full\": \"this client");
}

Test (leader_order, an_order_kicks_at_most_so_many)
{
    worker_t *worker = join_settled ("w", 1);
    for (int i = 0; i < 3; i++)
        die_at_once (NULL, worker);
    SAYS (text_of_kick (2), "\"kicked\": 2, \"left\": 1}");
    SAYS (text_of_kick (RM_MESSAGE_JOBS_MAX + 1), "at most 4096 jobs");
    SAYS (text_of_kick (RM_MESSAGE_JOBS_MAX), "\"kicked\": 1, \"left\": 0}");
}

/* Two operators at once: each is told what came of its own order, and what is on its way fills the queue already. */
Test (leader_order, what_was_kicked_is_counted_once_it_is)
{
    worker_t *worker = join_settled ("w", 1);
    for (int i = 0; i < 4; i++)
        die_at_once (NULL, worker);
    ordered ("set", 0, "q", "jobs-max=3");
    mark ();
    disk_slow = true;
    say_order ("kick", 0, "q", "", 2);
    say_order ("kick", 2, "", "", 0);
    say_order ("kick", 0, "q", "", 0);
    turn ();
    cr_assert_null (sent ("o", RM_MSG_ANSWER), "nothing of it is in the ledger");
    disk_slow = false;
    disk ();
    turn ();
    SAYS (text_of (sent_nth ("o", RM_MSG_ANSWER, 0)), "\"kicked\": 2, \"left\": 2}");
    SAYS (text_of (sent_nth ("o", RM_MSG_ANSWER, 1)), "\"kicked_as\": 6");
    SAYS (text_of (sent_nth ("o", RM_MSG_ANSWER, 2)), "\"kicked\": 1, \"left\": 1, \"full\":");
    cr_assert_eq (state->last_id, 7);
    cr_assert (!leader->order_count && !leader->pending_count && !leader->rooms);
}

Test (leader_order, what_is_forgotten_before_it_is_kicked_does_not_count)
{
    config.keep_ms = 3000;
    reconfigure ();
    worker_t *worker = join_settled ("w", 1);
    die_at_once (NULL, worker);
    after (2000);
    die_at_once (NULL, worker);
    mark ();
    disk_slow = true;
    while (!unapplied ())
        after (10); /* the first one's end of being kept is logged */
    say_order ("kick", 0, "q", "", 0);
    turn ();
    disk_slow = false;
    disk ();
    turn ();
    SAYS (text_of (answer_to_order ()), "\"kicked\": 1, \"left\": 0}");
    cr_assert_eq (state->last_id, 3);
}

Test (leader_order, no_more_orders_are_under_way_than_may_be)
{
    uint64_t first = put (NULL, "a"), second = put (NULL, "b");
    config.orders_max = 1;
    reconfigure ();
    disk_slow = true;
    mark ();
    say_order ("cancel", first, "", "", 0);
    say_order ("cancel", second, "", "", 0);
    cr_assert_not_null (sent ("o", RM_MSG_BUSY));
    disk_slow = false;
    disk ();
    turn ();
    SAYS (text_of_order ("cancel", second, "", ""), "\"state\": \"cancelled\"");
}

Test (leader_order, a_kicked_job_takes_its_name_along)
{
    worker_t *worker = join_settled ("w", 1);
    rm_job_options_t named = {.uid = rm_bytes ("mine")};
    uint64_t id = put_with (NULL, named);
    fail (worker, id, RM_VERDICT_DEAD);
    cr_assert_eq (put_with (NULL, named), id);
    ordered ("kick", id, "", "");
    cr_assert_eq (put_with (NULL, named), id + 1);
}

/* ---- queues ----------------------------------------------------------------------------------------------------- */

Test (leader_order, nothing_of_a_paused_queue_is_handed_out)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t busy = put (NULL, "a"), unkeyed = put (NULL, "b"), keyed = put ("key", "c");
    SAYS (text_of_order ("set", 0, "q", "paused=on"), "\"paused\": \"on\"");
    finish (worker, busy);
    uint64_t later = put (NULL, "d");
    after (100);
    cr_assert (!at (unkeyed, worker) && !at (keyed, worker) && !at (later, worker));
    restart_from_log (99);
    after (600);
    cr_assert (!at (unkeyed, worker) && !at (keyed, worker) && !at (later, worker));
    ordered ("set", 0, "q", "paused=off");
    after (20);
    cr_assert (at (unkeyed, worker) || at (keyed, worker));
}

Test (leader_order, a_queue_is_set_whole_or_not_at_all)
{
    SAYS (text_of_order ("set", 0, "q", "tries=7 backoff=1"), "'backoff' is a number above 1");
    SAYS (text_of_order ("set", 0, "q", ""), "no queue q");
    SAYS (text_of_order ("set", 0, "q", "tries=7 timeout=90s keep=1h delay=100ms backoff=1.5 cap=5s jitter=equal"),
          "\"tries\": \"7\", \"timeout\": \"90s\", \"keep\": \"1h\"");
    SAYS (text_of_order ("set", 0, "q", ""),
          "\"delay\": \"100ms\", \"backoff\": \"1.5\", \"cap\": \"5s\", \"jitter\": \"equal\"");
    SAYS (text_of_order ("set", 0, "q", "colour=red"), "no setting 'colour'");
    SAYS (text_of_order ("set", 0, "q", "tries"), "NAME=VALUE");
    SAYS (text_of_order ("set", 0, "", "tries=1"), "which queue");
}

/* However much is to be written in the same turn. */
Test (leader_order, the_settings_of_an_order_are_in_the_ledger_together_or_not_at_all)
{
    static const char text[] = "tries=7 timeout=90s keep=1h delay=100ms backoff=1.5 cap=5s jitter=equal";
    static char data[RM_BATCH_BYTES_MAX];
    for (uint32_t size = 1; size <= 640; size += 16) {
        disk_slow = true;
        memset (data, 'a', sizeof data);
        data[sizeof data - size] = 0; /* so many bytes of the batch are left, less what an entry has beside it */
        rm_submit_job_t job = job_of ("q", NULL, data);
        job.seq = ++client.seq;
        submit_jobs (&client, &job, 1);
        say_order ("set", 0, "q", text, 0);
        flush_once ();
        disk_slow = false;
        failover (1); /* the second batch is lost */
        const rm_queue_t *queue = rm_state_queue (state, rm_bytes ("q"));
        cr_assert_eq (queue->tries == 7, queue->retry.jitter != 0, "cut in two at %u", size);
        ordered ("set", 0, "q", "tries=3 jitter=default cap=default backoff=default delay=default");
    }
}

Test (leader_order, a_queue_too_many_is_refused_as_that)
{
    char name[16];
    for (int i = 0; i < RM_QUEUES_MAX; i++) {
        snprintf (name, sizeof name, "q%d", i);
        say_order ("set", 0, name, "tries=1", 0);
        if (i % 1024 == 1023)
            turn ();
    }
    cr_assert_eq (state->queue_count, RM_QUEUES_MAX);
    SAYS (text_of_order ("set", 0, "one-more", "tries=1"), "as many queues as it may");
    SAYS (text_of_order ("set", 0, "one-more", ""), "no queue one-more");
    SAYS (text_of_order ("set", 0, "q7", "tries=2"), "\"tries\": \"2\"");
}

Test (leader_order, a_queue_has_limits_of_its_own)
{
    ordered ("set", 0, "q", "jobs-max=1");
    put (NULL, "a");
    rm_submit_job_t job = job_of ("q", NULL, "b");
    job.seq = client.seq + 1;
    mark ();
    submit_jobs (&client, &job, 1);
    cr_assert_not_null (sent (client.address, RM_MSG_BUSY));
}

Test (leader_order, a_queue_says_how_its_attempts_are_spaced)
{
    worker_t *worker = join_settled ("w", 1);
    ordered ("set", 0, "q", "delay=30ms jitter=none");
    uint64_t id = put (NULL, "a");
    fail (worker, id, RM_VERDICT_RETRY);
    cr_assert_eq (record_of (id)->not_before_ms, now.wall_ms + 30);
}

Test (leader_order, what_a_queue_does_not_say_of_its_spacing_is_as_the_masters)
{
    worker_t *worker = join_settled ("w", 1);
    ordered ("set", 0, "q", "jitter=none");
    uint64_t id = put (NULL, "a");
    fail (worker, id, RM_VERDICT_RETRY);
    cr_assert_eq (record_of (id)->not_before_ms, now.wall_ms + (uint64_t)config.retry.delay_ms);
}

Test (leader_order, a_queue_is_not_set_to_a_cap_below_its_delay)
{
    SAYS (text_of_order ("set", 0, "q", "cap=1ms"), "cap must not be less than delay");
    SAYS (text_of_order ("set", 0, "q", "delay=2s cap=1s"), "cap must not be less than delay");
    SAYS (text_of_order ("set", 0, "q", "cap=2s delay=1s"), "\"cap\": \"2s\"");
    SAYS (text_of_order ("set", 0, "q", "delay=3s"), "cap must not be less than delay");
    SAYS (text_of_order ("set", 0, "q", ""), "\"delay\": \"1s\"");
}

Test (leader_order, there_is_no_other_order)
{
    SAYS (text_of_order ("fly", 0, "", ""), "no order 'fly'");
}

/* ---- formats ---------------------------------------------------------------------------------------------------- */

TestSuite (leader_order_before, .init = cluster_begin, .fini = cluster_end);

Test (leader_order_before, while_an_older_master_reads_the_log_nothing_of_it_is_written)
{
    uint64_t id = put (NULL, "a");
    SAYS (text_of_order ("cancel", id, "", ""), "upgrade 3");
    rm_submit_job_t job = job_of ("q", NULL, "b");
    job.options.priority = 9;
    job.seq = client.seq + 1;
    mark ();
    submit_jobs (&client, &job, 1);
    turn ();
    cr_assert_eq (sent (client.address, RM_MSG_ERROR)->error.code, RM_EDENIED);
    cr_assert_eq (state->format, 1);
    leader->rising = true;
    SAYS (text_of_order ("cancel", id, "", ""), "the ledger is new");
    mark ();
    submit_jobs (&client, &job, 1);
    turn ();
    cr_assert_not_null (sent (client.address, RM_MSG_BUSY));
    cr_assert_eq (state->format, 1);
    leader->format = 2;
    turn ();
    cr_assert_eq (state->format, 2);
    SAYS (text_of_order ("cancel", id, "", ""), "\"state\": \"cancelled\"");
}
