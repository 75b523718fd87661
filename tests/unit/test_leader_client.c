/*  What the leader owes clients: sessions, order of answers, overload, long polls, what is forgotten. */
#include <stdio.h>

#include "leader_fixture.h"

TestSuite (leader_client, .init = cluster_begin, .fini = cluster_end);
TestSuite (leader_full, .init = cluster_prepare, .fini = cluster_end);

static rm_submit_job_t request (uint64_t seq, const char *data)
{
    rm_submit_job_t job = job_of ("q", NULL, data);
    job.seq = seq;
    return job;
}

static void ask_for (uint64_t seq, const char *data)
{
    rm_submit_job_t job = request (seq, data);
    mark ();
    submit_jobs (&client, &job, 1);
}

static uint64_t accepted_id (void)
{
    const rm_msg_t *msg = sent ("client", RM_MSG_ACCEPTED);
    return msg ? msg->accepted.jobs[0].id : 0;
}

static int error_code (void)
{
    const rm_msg_t *msg = sent ("client", RM_MSG_ERROR);
    return msg ? msg->error.code : 0;
}

static const char *error_text (void)
{
    static char text[512];
    const rm_msg_t *msg = sent ("client", RM_MSG_ERROR);
    snprintf (text, sizeof text, "%.*s", msg ? (int)msg->error.text.size : 0,
              msg ? (const char *)msg->error.text.data : "");
    return text;
}

/* ---- accepted --------------------------------------------------------------------------------------------------- */

Test (leader_client, accepted_is_said_only_after_its_batch_is_applied)
{
    ask_for (1, "a");
    flush_once ();
    cr_assert_eq (unapplied (), 1);
    cr_assert_null (sent ("client", RM_MSG_ACCEPTED));
    flush_once ();
    cr_assert_null (sent ("client", RM_MSG_ACCEPTED));
    disk ();
    const rm_msg_t *msg = sent ("client", RM_MSG_ACCEPTED);
    cr_assert (msg);
    cr_assert_eq (msg->accepted.job_count, 1);
    cr_assert_eq (msg->accepted.jobs[0].seq, 1);
    cr_assert_eq (msg->accepted.jobs[0].id, 1);
    cr_assert (!memcmp (&msg->accepted.session, &client.session, sizeof client.session));
}

Test (leader_client, a_repeat_of_a_request_that_is_not_applied_yet_is_not_answered_before_it_is)
{
    ask_for (1, "a");
    flush_once ();
    rm_submit_job_t job = request (1, "a");
    submit_jobs (&client, &job, 1);
    flush_once ();
    cr_assert_null (sent ("client", RM_MSG_ACCEPTED));
    turn ();
    disk ();
    cr_assert_eq (sent_count ("client", RM_MSG_ACCEPTED), 2);
    cr_assert_eq (sent_nth ("client", RM_MSG_ACCEPTED, 1)->accepted.jobs[0].id, 1);
    cr_assert_eq (state->last_id, 1);
}

Test (leader_client, the_same_request_gets_the_same_id_while_pending_and_after_it_is_done)
{
    uint64_t id = put (NULL, "a");
    ask_for (1, "a");
    cr_assert_eq (accepted_id (), id, "pending: answered at once, from the table");
    worker_t *worker = join_settled ("w", 1);
    finish (worker, id);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
    ask_for (1, "a");
    cr_assert_eq (accepted_id (), id);
    cr_assert_eq (state->last_id, 1);
}

Test (leader_client, the_same_request_gets_the_same_id_from_the_next_master)
{
    uint64_t id = put (NULL, "a");
    restart_from_log (0);
    ask_for (1, "a");
    turn ();
    cr_assert_eq (accepted_id (), id);
    cr_assert_eq (state->last_id, 1);
}

Test (leader_client, what_was_not_answered_accepted_may_be_lost_with_its_master_and_is_accepted_anew)
{
    put (NULL, "a");
    ask_for (2, "b");
    flush_once ();
    restart_from_log (0);
    cr_assert_eq (state->last_id, 1);
    ask_for (2, "b");
    turn ();
    cr_assert_eq (accepted_id (), 2);
}

Test (leader_client, a_request_at_or_below_the_floor_is_stale)
{
    put (NULL, "a");
    put (NULL, "b");
    client.floor = 1;
    put (NULL, "c");
    client.floor = 0;
    ask_for (1, "a");
    turn ();
    cr_assert_eq (error_code (), RM_ESTALE);
    ask_for (2, "b");
    cr_assert_eq (accepted_id (), 2);
    cr_assert_eq (state->last_id, 3);
}

Test (leader_client, a_request_at_or_below_the_floor_it_brings_itself_is_stale)
{
    put (NULL, "a");
    client.floor = 2;
    ask_for (2, "b");
    turn ();
    cr_assert_eq (error_code (), RM_ESTALE);
    cr_assert_eq (state->last_id, 1, "nothing was accepted that is answered by an error");
}

/* After a restore from a backup. What was answered before would be known to be so; what was not may have run. */
Test (leader_client, a_session_that_a_restore_ended_is_told_so)
{
    put (NULL, "a");
    rm_session_raise_floor (rm_state_session (state, &client.session), RM_SESSION_ENDED);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        ask_for (seq, "a");
        turn ();
        cr_assert_eq (error_code (), RM_ESTATE);
        cr_assert (strstr (error_text (), "began anew from a backup"));
    }
    cr_assert_eq (state->last_id, 1);
}

Test (leader_client, a_session_that_is_not_known_soon_after_a_restore_may_be_of_before)
{
    state->last_id = state->skipped_count = 1;
    state->restored_ms = state->time_ms;
    ask_for (2, "a");
    cr_assert_eq (error_code (), RM_ESTATE);
    after (config.session_ttl_ms);
    turn ();
    put_job (&(client_t){.address = "other", .session = {{9}}}, job_of ("q", NULL, "makes the ledger's time go on"));
    ask_for (2, "a");
    cr_assert_eq (error_code (), RM_EEXPIRED);
}

Test (leader_client, the_same_number_with_another_payload_is_a_conflict)
{
    put (NULL, "a");
    ask_for (1, "b");
    turn ();
    cr_assert_eq (error_code (), RM_ECONFLICT);
    cr_assert_eq (state->last_id, 1);
}

Test (leader_client, a_conflict_with_a_pending_request_is_found_when_that_is_applied)
{
    put (NULL, "x");
    ask_for (2, "a");
    rm_submit_job_t other = request (2, "b");
    submit_jobs (&client, &other, 1);
    turn ();
    cr_assert_eq (accepted_id (), 2);
    cr_assert_eq (error_code (), RM_ECONFLICT);
    cr_assert_eq (state->last_id, 2);
}

Test (leader_client, an_unknown_session_is_accepted_only_with_its_first_request)
{
    ask_for (2, "b");
    turn ();
    cr_assert_eq (error_code (), RM_EEXPIRED);
    cr_assert_eq (state->last_id, 0);
    ask_for (1, "a");
    turn ();
    cr_assert_eq (accepted_id (), 1);
}

Test (leader_client, a_second_request_need_not_wait_for_the_answer_to_the_one_that_opens_the_session)
{
    rm_submit_job_t first = request (1, "a"), second = request (2, "b");
    mark ();
    submit_jobs (&client, &first, 1);
    submit_jobs (&client, &second, 1);
    turn ();
    cr_assert_eq (sent_count ("client", RM_MSG_ACCEPTED), 2);
    cr_assert_eq (sent_nth ("client", RM_MSG_ACCEPTED, 1)->accepted.jobs[0].id, 2);
}

static void ask_after (uint64_t number, uint64_t seq, const char *data)
{
    rm_submit_job_t job = request (seq, data);
    client.after = number;
    submit_jobs (&client, &job, 1);
    client.after = 0;
}

Test (leader_client, a_request_that_is_to_come_after_one_on_its_way_is_accepted_behind_it)
{
    put (NULL, "a");
    mark ();
    ask_after (1, 2, "b");
    ask_after (2, 3, "c");
    flush_once ();
    ask_after (3, 4, "d");
    turn ();
    cr_assert_eq (sent_count ("client", RM_MSG_ACCEPTED), 3);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq (sent_nth ("client", RM_MSG_ACCEPTED, i)->accepted.jobs[0].id, 2 + i);
    ask_after (4, 5, "e");
    turn ();
    cr_assert_eq (state->last_id, 5, "what was accepted counts, too");
}

Test (leader_client, a_request_behind_a_gap_is_dropped_without_an_answer)
{
    put (NULL, "a");
    mark ();
    ask_after (2, 3, "c");
    turn ();
    cr_assert_eq (sent_count ("client", RM_MSG_ACCEPTED) + sent_count ("client", RM_MSG_ERROR), 0);
    cr_assert_eq (state->last_id, 1);
    client.floor = 2;
    ask_after (2, 3, "c");
    turn ();
    cr_assert_eq (state->last_id, 2, "a number that was given up is no gap");
}

Test (leader_client, a_request_behind_one_that_was_refused_is_dropped)
{
    config.payload_bytes_max = 3;
    reconfigure ();
    put (NULL, "a");
    mark ();
    ask_after (1, 2, "four");
    ask_after (2, 3, "for");
    turn ();
    cr_assert_eq (error_code (), RM_ETOOBIG);
    cr_assert_eq (state->last_id, 1);
}

Test (leader_client, a_request_on_its_way_that_was_lost_with_its_master_is_a_gap)
{
    put (NULL, "a");
    ask_after (1, 2, "b");
    flush_once ();
    failover (0);
    ask_after (2, 3, "c");
    turn ();
    cr_assert_eq (state->last_id, 1);
    ask_after (1, 2, "b");
    ask_after (2, 3, "c");
    turn ();
    cr_assert_eq (state->last_id, 3);
}

Test (leader_client, a_message_is_refused_whole)
{
    put (NULL, "a");
    rm_submit_job_t jobs[] = {request (1, "other"), request (2, "b"), request (3, "c")};
    mark ();
    submit_jobs (&client, jobs, 3);
    turn ();
    cr_assert_eq (error_code (), RM_ECONFLICT);
    cr_assert_eq (sent ("client", RM_MSG_ERROR)->error.seq, 1);
    cr_assert_null (sent ("client", RM_MSG_ACCEPTED));
    cr_assert_eq (state->last_id, 1);
}

Test (leader_client, a_number_used_twice_in_one_message_refuses_it_whole)
{
    rm_submit_job_t jobs[] = {request (1, "a"), request (2, "b"), request (1, "other")};
    mark ();
    submit_jobs (&client, jobs, 3);
    turn ();
    cr_assert_eq (error_code (), RM_EPROTO);
    cr_assert_eq (state->last_id, 0);
}

Test (leader_client, a_message_of_old_and_new_requests_names_all_their_ids_in_order)
{
    put (NULL, "a");
    rm_submit_job_t jobs[] = {request (1, "a"), request (2, "b"), request (3, "c")};
    mark ();
    submit_jobs (&client, jobs, 3);
    cr_assert_null (sent ("client", RM_MSG_ACCEPTED));
    turn ();
    const rm_msg_accepted_t *accepted = &sent ("client", RM_MSG_ACCEPTED)->accepted;
    cr_assert_eq (accepted->job_count, 3);
    for (uint64_t i = 0; i < 3; i++) {
        cr_assert_eq (accepted->jobs[i].seq, i + 1);
        cr_assert_eq (accepted->jobs[i].id, i + 1);
    }
}

Test (leader_client, a_message_larger_than_a_batch_is_accepted_when_all_of_it_is_applied)
{
    static char data[100001];
    memset (data, 'x', 100000);
    rm_submit_job_t jobs[8];
    for (uint64_t i = 0; i < 8; i++)
        jobs[i] = request (i + 1, data);
    mark ();
    submit_jobs (&client, jobs, 8);
    flush_once ();
    cr_assert_gt (unapplied (), 2);
    turn ();
    disk ();
    cr_assert_eq (sent ("client", RM_MSG_ACCEPTED)->accepted.job_count, 8);
    cr_assert_eq (sent_count ("client", RM_MSG_ACCEPTED), 1);
}

Test (leader_client, a_payload_over_the_limit_is_refused)
{
    config.payload_bytes_max = 3;
    reconfigure ();
    ask_for (1, "four");
    turn ();
    cr_assert_eq (error_code (), RM_ETOOBIG);
    ask_for (1, "for");
    turn ();
    cr_assert_eq (accepted_id (), 1);
}

Test (leader_full, who_does_not_lead_says_so)
{
    stand ();
    ask_for (1, "a");
    cr_assert (sent ("client", RM_MSG_NOT_LEADER));
    turn ();
    cr_assert_eq (state->last_id, 0);
    ask_for (1, "a");
    turn ();
    cr_assert_eq (accepted_id (), 1);
}

/* ---- busy ------------------------------------------------------------------------------------------------------- */

static bool busy_for (client_t *who, const char *queue, uint32_t count, const char *data)
{
    rm_submit_job_t jobs[16];
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = job_of (queue, NULL, data);
        jobs[i].seq = who->seq + 1 + i;
    }
    mark ();
    submit_jobs (who, jobs, count);
    const rm_msg_t *msg = sent (who->address, RM_MSG_BUSY);
    cr_assert (!msg || msg->busy.retry_after_ms == config.busy_ms);
    if (!msg)
        who->seq += count;
    return msg;
}

Test (leader_full, too_many_jobs_in_all_are_busy_and_pending_ones_count)
{
    config.jobs_max = 5;
    cluster_begin ();
    client_t other = client_make ("other");
    cr_assert (!busy_for (&client, "q", 3, "x"));
    cr_assert (busy_for (&other, "q", 3, "x"), "three are on their way into the ledger");
    turn ();
    cr_assert (busy_for (&other, "q", 3, "x"));
    cr_assert (!busy_for (&other, "q", 2, "x"));
    turn ();
    cr_assert_eq (state->waiting_count, 5);
    worker_t *worker = join_settled ("w", 5);
    finish (worker, 1);
    cr_assert (!busy_for (&other, "q", 1, "x"), "one ended, one fits again");
}

Test (leader_full, too_many_bytes_in_all_are_busy_and_pending_ones_count)
{
    config.bytes_max = 10;
    cluster_begin ();
    client_t other = client_make ("other");
    cr_assert (!busy_for (&client, "q", 1, "123456"));
    cr_assert (busy_for (&other, "q", 1, "12345"));
    turn ();
    cr_assert (busy_for (&other, "q", 1, "12345"));
    cr_assert (!busy_for (&other, "q", 1, "1234"));
}

Test (leader_full, too_many_jobs_of_a_client_are_busy_for_it_alone)
{
    config.client_jobs_max = 3;
    cluster_begin ();
    client_t other = client_make ("other");
    cr_assert (busy_for (&client, "q", 4, "x"), "also when the session is new");
    cr_assert (!busy_for (&client, "q", 2, "x"));
    turn ();
    cr_assert (!busy_for (&client, "q", 1, "x"));
    cr_assert (busy_for (&client, "q", 1, "x"), "one is pending");
    turn ();
    cr_assert (busy_for (&client, "q", 1, "x"));
    cr_assert (!busy_for (&other, "q", 1, "x"));
}

Test (leader_full, too_many_bytes_of_a_client_are_busy_for_it_alone)
{
    config.client_bytes_max = 8;
    cluster_begin ();
    client_t other = client_make ("other");
    cr_assert (busy_for (&client, "q", 1, "123456789"));
    cr_assert (!busy_for (&client, "q", 1, "12345"));
    turn ();
    cr_assert (!busy_for (&client, "q", 1, "123"));
    cr_assert (busy_for (&client, "q", 1, "1"));
    cr_assert (!busy_for (&other, "q", 1, "12345678"));
}

Test (leader_full, too_many_jobs_of_a_queue_are_busy_for_it_alone)
{
    config.queue_jobs_max = 3;
    cluster_begin ();
    client_t other = client_make ("other");
    cr_assert (busy_for (&client, "q", 4, "x"), "also when the queue is new");
    cr_assert (!busy_for (&client, "q", 2, "x"));
    cr_assert (busy_for (&other, "q", 2, "x"), "two are pending");
    turn ();
    cr_assert (busy_for (&other, "q", 2, "x"));
    cr_assert (!busy_for (&other, "r", 3, "x"));
    turn ();
    cr_assert (!busy_for (&other, "q", 1, "x"));
}

Test (leader_full, jobs_of_several_queues_in_one_message_count_for_their_own_queue)
{
    config.queue_jobs_max = 2;
    cluster_begin ();
    rm_submit_job_t jobs[] = {request (1, "a"), request (2, "b"), job_of ("r", NULL, "c"), job_of ("r", NULL, "d")};
    jobs[2].seq = 3;
    jobs[3].seq = 4;
    mark ();
    submit_jobs (&client, jobs, 4);
    turn ();
    cr_assert_null (sent ("client", RM_MSG_BUSY));
    cr_assert_eq (state->last_id, 4);
}

Test (leader_full, too_many_bytes_of_a_queue_are_busy_for_it_alone)
{
    config.queue_bytes_max = 8;
    cluster_begin ();
    cr_assert (!busy_for (&client, "q", 1, "12345"));
    turn ();
    cr_assert (busy_for (&client, "q", 1, "1234"));
    cr_assert (!busy_for (&client, "r", 1, "1234"));
}

Test (leader_full, a_full_disk_is_busy_for_new_jobs_and_takes_outcomes)
{
    cluster_begin ();
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    leader->disk_full = true;
    cr_assert (busy_for (&client, "q", 1, "x"));
    finish (worker, id);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
    leader->disk_full = false;
    cr_assert (!busy_for (&client, "q", 1, "x"));
}

Test (leader_full, a_request_that_is_known_is_never_busy)
{
    config.jobs_max = 1;
    cluster_begin ();
    uint64_t id = put (NULL, "a");
    ask_for (1, "a");
    cr_assert_eq (accepted_id (), id);
}

Test (leader_full, requests_that_were_repeated_while_pending_leave_nothing_behind_in_the_limits)
{
    config.client_jobs_max = 3;
    config.client_bytes_max = 100;
    cluster_begin ();
    rm_submit_job_t first = request (1, "1234567890");
    submit_jobs (&client, &first, 1);
    flush_once ();
    submit_jobs (&client, &first, 1); /* the session is not known yet: in a batch of its own */
    flush_once ();
    turn ();
    disk ();
    worker_t *worker = join_settled ("w", 1);
    finish (worker, 1);
    client.seq = 1;
    cr_assert (!busy_for (&client, "q", 1, "1"));
    turn ();
    finish (worker, 2);
    rm_ledger_session_t *session = rm_state_session (state, &client.session);
    cr_assert_eq (session->lead.pending_count, 0);
    cr_assert_eq (session->lead.pending_bytes, 0);
    cr_assert_eq (leader->pending_count, 0);
    cr_assert_eq (leader->pending_bytes, 0);
    cr_assert (!busy_for (&client, "q", 3, "1234567890"));
}

Test (leader_full, more_long_polls_than_allowed_are_busy)
{
    config.waiters_max = 1;
    cluster_begin ();
    uint64_t id = put (NULL, "a");
    ask_wait ("one", &id, 1, 1000);
    ask_wait ("two", &id, 1, 1000);
    cr_assert_null (sent ("one", RM_MSG_BUSY));
    cr_assert (sent ("two", RM_MSG_BUSY));
}

/* ---- waits ------------------------------------------------------------------------------------------------------ */

Test (leader_client, a_wait_is_answered_when_the_job_ends_with_its_bytes)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    mark ();
    ask_wait ("client", &id, 1, 60000);
    turn ();
    cr_assert_null (sent ("client", RM_MSG_RESULT));
    finish (worker, id);
    const rm_msg_t *msg = sent ("client", RM_MSG_RESULT);
    cr_assert (msg);
    cr_assert_eq (msg->result.job_count, 1);
    cr_assert_eq (msg->result.jobs[0].id, id);
    cr_assert_eq (msg->result.jobs[0].outcome, RM_OUTCOME_DONE);
    cr_assert_eq (msg->result.jobs[0].attempt, 1);
    cr_assert (!memcmp (msg->result.jobs[0].data.data, "ok", 2));
    mark ();
    ask_wait ("other", &id, 1, 60000);
    msg = sent ("other", RM_MSG_RESULT);
    cr_assert (msg, "once it has ended, at once");
    cr_assert_eq (msg->result.jobs[0].data.size, 2);
}

Test (leader_client, a_result_is_told_only_after_it_is_applied)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    ask_wait ("client", &id, 1, 60000);
    mark ();
    disk_slow = true;
    finish (worker, id);
    cr_assert_null (sent ("client", RM_MSG_RESULT));
    cr_assert (!told_committed (worker, id));
    ask_wait ("other", &id, 1, 0);
    cr_assert_eq (sent ("other", RM_MSG_RESULT)->result.jobs[0].outcome, RM_OUTCOME_NONE);
    disk ();
    turn ();
    cr_assert (sent ("client", RM_MSG_RESULT));
    cr_assert (told_committed (worker, id));
}

Test (leader_client, a_wait_is_answered_at_its_timeout_with_none)
{
    uint64_t id = put (NULL, "a");
    mark ();
    ask_wait ("client", &id, 1, 500);
    after (490);
    cr_assert_null (sent ("client", RM_MSG_RESULT));
    after (10);
    const rm_msg_t *msg = sent ("client", RM_MSG_RESULT);
    cr_assert (msg);
    cr_assert_eq (msg->result.jobs[0].outcome, RM_OUTCOME_NONE);
    cr_assert_eq (msg->result.jobs[0].attempt, 0, "no attempt has begun");
    after (1000);
    cr_assert_eq (sent_count ("client", RM_MSG_RESULT), 1);
}

Test (leader_client, a_wait_for_several_ids_is_answered_when_all_have_ended)
{
    worker_t *worker = join_settled ("w", 2);
    uint64_t ids[] = {put (NULL, "a"), put (NULL, "b"), 0, 0};
    ids[2] = ids[0];
    mark ();
    ask_wait ("client", ids, 3, 60000);
    finish (worker, ids[0]);
    cr_assert_null (sent ("client", RM_MSG_RESULT));
    finish (worker, ids[1]);
    const rm_msg_t *msg = sent ("client", RM_MSG_RESULT);
    cr_assert (msg);
    cr_assert_eq (msg->result.job_count, 3);
    for (int i = 0; i < 3; i++)
        cr_assert_eq (msg->result.jobs[i].id, ids[i]);
}

Test (leader_client, a_wait_for_any_of_several_ids_is_answered_when_one_has_ended)
{
    worker_t *worker = join_settled ("w", 2);
    uint64_t ids[] = {put (NULL, "a"), put (NULL, "b")};
    mark ();
    ask_wait_any ("client", ids, 2);
    cr_assert_null (sent ("client", RM_MSG_RESULT));
    finish (worker, ids[1]);
    const rm_msg_t *msg = sent ("client", RM_MSG_RESULT);
    cr_assert (msg);
    cr_assert_eq (msg->result.job_count, 2);
    cr_assert_eq (msg->result.jobs[0].outcome, RM_OUTCOME_NONE);
    cr_assert_eq (msg->result.jobs[1].outcome, RM_OUTCOME_DONE);
    mark ();
    finish (worker, ids[0]);
    cr_assert_null (sent ("client", RM_MSG_RESULT), "it was answered already");
}

Test (leader_client, a_wait_for_any_is_answered_at_once_if_one_has_ended)
{
    worker_t *worker = join_settled ("w", 2);
    uint64_t ids[] = {put (NULL, "a"), put (NULL, "b")};
    finish (worker, ids[0]);
    mark ();
    ask_wait_any ("client", ids, 2);
    cr_assert (sent ("client", RM_MSG_RESULT));
}

/* The ids of the last result that was sent, and how many there were. */
static void told (const uint64_t *ids, uint32_t count, bool ended)
{
    const rm_msg_t *msg = sent ("client", RM_MSG_RESULT);
    cr_assert (msg);
    cr_assert_eq (msg->result.job_count, count);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq (msg->result.jobs[i].id, ids[i]);
        cr_assert_eq (msg->result.jobs[i].outcome, ended ? RM_OUTCOME_DONE : RM_OUTCOME_NONE);
    }
    cr_assert_eq (sent_count ("client", RM_MSG_RESULT), 1);
    mark ();
}

Test (leader_client, a_wait_for_each_tells_once_of_every_job_as_it_ends)
{
    worker_t *worker = join_settled ("w", 3);
    uint64_t ids[] = {put (NULL, "a"), put (NULL, "b"), put (NULL, "c")};
    finish (worker, ids[1]);
    mark ();
    ask_wait_each ("client", ids, 3, 60000);
    told (&ids[1], 1, true);
    finish (worker, ids[2]);
    told (&ids[2], 1, true);
    cr_assert_eq (leader->polls.count, 1);
    finish (worker, ids[0]);
    told (&ids[0], 1, true);
    cr_assert_eq (leader->polls.count, 0, "all have ended, so it is over");
    after (60000);
    cr_assert_null (sent ("client", RM_MSG_RESULT));
}

Test (leader_client, a_wait_for_each_tells_at_its_timeout_which_are_left)
{
    worker_t *worker = join_settled ("w", 3);
    uint64_t ids[] = {put (NULL, "a"), put (NULL, "b"), put (NULL, "c")};
    mark ();
    ask_wait_each ("client", ids, 3, 500);
    finish (worker, ids[1]);
    told (&ids[1], 1, true);
    after (500);
    told ((uint64_t[]){ids[0], ids[2]}, 2, false);
    finish (worker, ids[0]);
    cr_assert_null (sent ("client", RM_MSG_RESULT), "it is over");
}

Test (leader_client, jobs_that_end_in_one_batch_are_told_in_one_message)
{
    worker_t *worker = join_settled ("w", 3);
    uint64_t ids[] = {put (NULL, "a"), put (NULL, "b"), put (NULL, "c")};
    mark ();
    ask_wait_each ("client", ids, 3, 60000);
    for (int i = 0; i < 2; i++)
        say_done (worker, ids[i], holds (worker, ids[i])->token, 1, RM_VERDICT_OK, "ok");
    turn ();
    told (ids, 2, true);
}

Test (leader_client, a_job_that_was_never_accepted_is_unknown)
{
    uint64_t ids[] = {77, 0};
    ask_wait ("client", ids, 1, 60000);
    cr_assert_eq (sent ("client", RM_MSG_RESULT)->result.jobs[0].outcome, RM_OUTCOME_UNKNOWN);
}

Test (leader_client, a_dead_job_tells_its_reason_and_how_many_attempts_there_were)
{
    worker_t *worker = join_settled ("w", 1);
    rm_submit_job_t job = job_of ("q", NULL, "a");
    job.tries = 2;
    uint64_t id = put_job (&client, job);
    fail (worker, id, RM_VERDICT_RETRY);
    after (2000);
    fail (worker, id, RM_VERDICT_RETRY);
    ask_wait ("client", &id, 1, 0);
    const rm_result_job_t *result = sent ("client", RM_MSG_RESULT)->result.jobs;
    cr_assert_eq (result->outcome, RM_OUTCOME_DEAD);
    cr_assert_eq (result->attempt, 2);
    cr_assert (!memcmp (result->reason.data, "it failed", 9));
}

/* ---- what is forgotten ------------------------------------------------------------------------------------------ */

Test (leader_client, an_outcome_is_gone_when_its_keep_is_over_and_not_before)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    finish (worker, id);
    rm_queue_t *queue = record_of (id)->queue;
    queue->keep_ms = 5000;
    after (4900);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
    after (2000);
    cr_assert_null (rm_state_record (state, id));
    cr_assert_eq (queue->ended_count, 0);
    cr_assert_eq (queue->ended_bytes, 0);
    mark ();
    ask_wait ("client", &id, 1, 1000);
    cr_assert_eq (sent ("client", RM_MSG_RESULT)->result.jobs[0].outcome, RM_OUTCOME_GONE);
    ask_for (1, "a");
    cr_assert_eq (accepted_id (), id, "the request is still known, and is not run again");
}

Test (leader_client, outcomes_over_the_bytes_to_keep_are_forgotten_oldest_first)
{
    worker_t *worker = join_settled ("w", 4);
    uint64_t ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] = put (NULL, "a");
    for (int i = 0; i < 4; i++)
        finish (worker, ids[i]);
    record_of (ids[0])->queue->keep_bytes = 5; /* of 2 bytes each */
    after (2100);
    cr_assert_null (rm_state_record (state, ids[0]));
    cr_assert_null (rm_state_record (state, ids[1]));
    cr_assert_eq (outcome_of (ids[2]), RM_OUTCOME_DONE);
    cr_assert_eq (outcome_of (ids[3]), RM_OUTCOME_DONE);
}

Test (leader_client, what_expires_is_counted_once_when_the_disk_is_slow)
{
    worker_t *worker = join_settled ("w", 4);
    uint64_t ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] = put (NULL, "a");
    finish (worker, ids[0]);
    finish (worker, ids[1]);
    record_of (ids[0])->queue->keep_ms = 1000;
    jump (1000);
    disk_slow = true;
    after (1500);
    finish (worker, ids[2]);
    finish (worker, ids[3]);
    after (1500);
    disk_slow = false;
    disk ();
    cr_assert_null (rm_state_record (state, ids[1]));
    cr_assert_eq (outcome_of (ids[2]), RM_OUTCOME_DONE, "a second sweep would count the same two once more");
}

Test (leader_client, a_session_unheard_of_for_its_ttl_expires_and_is_told_so)
{
    config.session_ttl_ms = 10000;
    reconfigure ();
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    finish (worker, id);
    after (9000);
    cr_assert (rm_state_session (state, &client.session));
    after (3000);
    cr_assert_null (rm_state_session (state, &client.session));
    ask_for (2, "b");
    turn ();
    cr_assert_eq (error_code (), RM_EEXPIRED);
    cr_assert_eq (state->last_id, 1, "rather than run again");
}

Test (leader_client, a_calendar_that_is_set_forward_makes_nothing_be_forgotten)
{
    config.session_ttl_ms = 10000;
    reconfigure ();
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    finish (worker, id);
    now.wall_ms += 3600000;
    after (3000);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
    restart_from_log (0);
    after (3000);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE, "it is an hour later on the calendar alone");
    ask_for (1, "a");
    turn ();
    cr_assert_eq (accepted_id (), id, "or the request would run again");
}

Test (leader_client, a_session_lives_while_its_jobs_wait_or_its_client_asks)
{
    config.session_ttl_ms = 10000;
    reconfigure ();
    uint64_t id = put (NULL, "a");
    after (30000);
    cr_assert (rm_state_session (state, &client.session), "its job waits");
    worker_t *worker = join_settled ("w", 1);
    finish (worker, id);
    after (10);
    for (int i = 0; i < 5; i++) {
        rm_msg_t msg = {.type = RM_MSG_WAIT};
        msg.wait = (rm_msg_wait_t){.session = client.session, .ids = &id, .id_count = 1};
        rm_leader_from_client (leader, now, &(rm_address_t){.size = 1, .data = "c"}, &msg);
        after (6000);
    }
    cr_assert (rm_state_session (state, &client.session), "its client asks");
    after (12000);
    cr_assert_null (rm_state_session (state, &client.session));
}
