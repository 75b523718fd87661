/*  What the leader says to people: refusals, `why`, and the warning of a pool whose workers serve different queues. */
#include <stdio.h>

#include "leader_fixture.h"

TestSuite (leader_says, .init = cluster_begin, .fini = cluster_end);
TestSuite (leader_limits, .init = cluster_prepare, .fini = cluster_end);

static char warned[1024]; /* the newest warning */
static int warnings;

static void on_warn (void *arg, const char *line)
{
    (void)arg;
    warnings++;
    snprintf (warned, sizeof warned, "%s", line);
}

static void hear_warnings (void)
{
    leader->out.warn = on_warn;
}

static const char *text_of (const rm_msg_t *msg)
{
    static char text[RM_TEXT_BYTES_MAX + 1];
    cr_assert_not_null (msg, "nothing was answered");
    snprintf (text, sizeof text, "%.*s", (int)msg->error.text.size, (const char *)msg->error.text.data);
    return text;
}

/* The client's submit of one job is refused with this code and sentence, of this request. */
static void refused (rm_submit_job_t job, int code, const char *sentence)
{
    mark ();
    submit_jobs (&client, &job, 1);
    turn ();
    const rm_msg_t *msg = sent (client.address, RM_MSG_ERROR);
    cr_assert_str_eq (text_of (msg), sentence);
    cr_assert_eq (msg->error.code, code);
    cr_assert_eq (msg->error.seq, job.seq);
}

static rm_submit_job_t request (uint64_t seq, const char *data)
{
    rm_submit_job_t job = job_of ("mail", NULL, data);
    job.seq = seq;
    return job;
}

static void is_why (uint64_t id, const char *sentence)
{
    char text[1024];
    cr_assert (rm_leader_why (leader, now, id, text, sizeof text));
    cr_assert_str_eq (text, sentence);
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

Test (leader_limits, a_payload_over_the_limit_is_told_both_sizes)
{
    config.payload_bytes_max = 4;
    cluster_begin ();
    refused (request (1, "12345"), RM_ETOOBIG,
             "the payload of 5 bytes for the queue mail is over the limit of 4: send less, or raise the master's "
             "--max-payload");
}

Test (leader_says, a_conflict_names_the_request)
{
    put_job (&client, request (1, "one"));
    refused (request (1, "two"), RM_ECONFLICT,
             "request 1 of this session was another job before: give each job a number of its own");
}

Test (leader_says, an_unknown_session_is_told_how_to_begin)
{
    refused (
        request (7, "x"), RM_EEXPIRED,
        "the session of request 7 is unknown, or was silent for 900 s and is forgotten, so nothing was run: begin a "
        "new session, with request 1");
}

Test (leader_says, a_number_too_far_above_the_floor_is_named)
{
    put_job (&client, request (1, "x"));
    refused (request (RM_SESSION_WINDOW + 1, "x"), RM_EINVAL,
             "request 1048577 is more than 1048576 above its session's floor: raise the floor to what was answered");
}

Test (leader_says, a_reply_that_was_received_is_not_given_again)
{
    put_job (&client, request (1, "x"));
    client.floor = 1;
    put_job (&client, request (2, "x"));
    refused (request (1, "x"), RM_ESTALE,
             "request 1 is at or below its session's floor: its reply was received, and is forgotten");
}

Test (leader_says, a_message_that_is_not_a_clients_is_named)
{
    rm_msg_t msg = {.type = RM_MSG_LEFT, .left = {1, 1}};
    rm_address_t from = {.size = 6, .data = "client"};
    mark ();
    rm_leader_from_client (leader, now, &from, &msg);
    cr_assert_str_eq (text_of (sent ("client", RM_MSG_ERROR)), "a client does not send the message `left`");
}

Test (leader_says, a_worker_of_the_wrong_pool_is_told_the_right_one)
{
    join_settled ("w1", 1);
    worker_t *other = worker_new ("w2", 1);
    strcpy (other->pool, "gpu");
    mark ();
    say_join (other);
    turn ();
    cr_assert_str_eq (text_of (sent (other->address, RM_MSG_ERROR)),
                      "the queue q belongs to the pool default: give the worker --pool default");
}

/* ---- queues ----------------------------------------------------------------------------------------------------- */

/* Submits to a queue of that number; whether it was accepted. */
static bool is_accepted_in (uint32_t number)
{
    char name[16];
    snprintf (name, sizeof name, "q%u", number);
    rm_submit_job_t job = job_of (name, NULL, "x");
    job.seq = client.seq + 1;
    mark ();
    submit_jobs (&client, &job, 1);
    turn ();
    if (sent (client.address, RM_MSG_BUSY))
        return false;
    client.seq++;
    return sent (client.address, RM_MSG_ACCEPTED) != NULL;
}

static void have_queues (uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[16];
        int size = snprintf (name, sizeof name, "q%u", i);
        cr_assert_not_null (rm_state_add_queue (state, (rm_bytes_t){name, (uint32_t)size}));
    }
}

Test (leader_says, names_of_queues_do_not_fill_the_memory, .timeout = 60)
{
    have_queues (RM_QUEUES_MAX);
    cr_assert_not (is_accepted_in (RM_QUEUES_MAX), "one queue more than there may be");
    cr_assert (is_accepted_in (0), "a queue that is there already");
    worker_t *fresh = worker_new ("w1", 1);
    mark ();
    say_join (fresh);
    turn ();
    cr_assert_eq (sent (fresh->address, RM_MSG_ERROR)->error.code, RM_EBUSY);
    fresh->queues[0] = "q0";
    mark ();
    say_join (fresh);
    turn ();
    cr_assert_not_null (sent (fresh->address, RM_MSG_JOINED), "of a queue that is there already");
}

static worker_t *serving (const char *name, const char *first, const char *second)
{
    worker_t *worker = worker_new (name, 1);
    worker->queues[0] = first;
    worker->queues[1] = second;
    worker->queue_count = second ? 2 : 1;
    return worker;
}

Test (leader_says, workers_bring_no_more_queues_than_there_may_be, .timeout = 60)
{
    have_queues (RM_QUEUES_MAX - 1);
    worker_t *two = serving ("two", "new1", "new2"), *mixed = serving ("mixed", "q0", "new1");
    mark ();
    say_join (two);
    turn ();
    cr_assert_not_null (strstr (text_of (sent (two->address, RM_MSG_ERROR)), "more queues than the 16384"));
    worker_t *late = serving ("late", "new2", NULL);
    mark ();
    say_join (mixed);
    say_join (late); /* while the other one is on its way */
    cr_assert_not_null (sent (late->address, RM_MSG_ERROR));
    cr_assert_not (is_accepted_in (RM_QUEUES_MAX), "likewise a job");
    cr_assert_not_null (sent (mixed->address, RM_MSG_JOINED));
    cr_assert_eq (state->queue_count, RM_QUEUES_MAX);
}

/* ---- why -------------------------------------------------------------------------------------------------------- */

Test (leader_says, one_attempt_is_not_attempts)
{
    worker_t *w1 = join_settled ("w1", 1);
    uint64_t one = put (NULL, "x");
    turn ();
    finish (w1, one);
    is_why (one, "Job 1 is done, after 1 attempt.");
}

Test (leader_says, two_attempts_are)
{
    worker_t *w1 = join_settled ("w1", 1);
    uint64_t one = put (NULL, "x");
    turn ();
    fail (w1, one, RM_VERDICT_RETRY);
    after (config.retry.cap_ms);
    finish (w1, one);
    is_why (one, "Job 1 is done, after 2 attempts.");
}

Test (leader_says, a_dead_job_has_no_next_attempt)
{
    worker_t *w1 = join_settled ("w1", 1);
    uint64_t one = put (NULL, "x");
    turn ();
    fail (w1, one, RM_VERDICT_DEAD);
    cr_assert_eq (rm_record_attempt (rm_state_record (leader->state, one)), 1);
}

Test (leader_says, one_failure_and_no_crashes)
{
    worker_t *w1 = join_settled ("w1", 1);
    uint64_t one = put (NULL, "x");
    turn ();
    fail (w1, one, RM_VERDICT_DEAD);
    char text[1024];
    cr_assert (rm_leader_why (leader, now, one, text, sizeof text));
    cr_assert_not_null (strstr (text, "is dead after 1 failure and 0 crashes: "), "%s", text);
}

/* ---- mixed pools ------------------------------------------------------------------------------------------------ */

Test (leader_says, a_worker_that_serves_less_than_its_pool_is_warned_of)
{
    hear_warnings ();
    worker_t *w1 = worker_new ("w1", 1), *w2 = worker_new ("w2", 1);
    w1->queues[w1->queue_count++] = "greet";
    say_join (w1);
    turn ();
    cr_assert_eq (warnings, 0, "%s", warned);
    say_join (w2);
    turn ();
    cr_assert_eq (warnings, 1);
    cr_assert_not_null (strstr (warned, "event=mixed_pool pool=default worker=w2 queue=greet not_served_by=w2 advice="),
                        "%s", warned);
}

Test (leader_says, a_worker_that_serves_more_than_its_pool_is_warned_of)
{
    hear_warnings ();
    join_settled ("w1", 1);
    worker_t *w2 = worker_new ("w2", 1);
    w2->queues[w2->queue_count++] = "greet";
    say_join (w2);
    turn ();
    cr_assert_eq (warnings, 1);
    cr_assert_not_null (strstr (warned, "worker=w2 queue=greet not_served_by=w1"), "%s", warned);
}

Test (leader_says, workers_that_are_alike_or_of_other_pools_are_not)
{
    hear_warnings ();
    join_settled ("w1", 1);
    join_settled ("w2", 1);
    worker_t *w3 = worker_new ("w3", 1);
    w3->queues[0] = "greet";
    strcpy (w3->pool, "gpu");
    say_join (w3);
    turn ();
    cr_assert_eq (warnings, 0, "%s", warned);
}
