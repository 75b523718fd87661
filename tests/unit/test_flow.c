#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/flow.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

enum { SENT_MAX = 64, ENDED_MAX = 8192 };

/* A flow, its masters' ear, and a clock that the test moves. */
static struct {
    rm_flow_t flow;
    char at[300]; /* where its socket is connected to; "": none */
    rm_msg_t sent[SENT_MAX];
    rm_buf_t frames[SENT_MAX]; /* … which those alias */
    int sent_count, opens;
    struct {
        uint64_t tag, id;
        uint32_t outcome;
        char reason[128];
    } ended[ENDED_MAX];
    int ended_count;
    bool no_memory; /* for results */
    uint64_t now_ms;
} t;

static const char *const MASTERS[] = {"tcp://a:1", "tcp://b:1", "tcp://c:1"};

static void on_close (void *arg)
{
    (void)arg;
    *t.at = 0;
}

static void on_open (void *arg, const char *endpoint)
{
    (void)arg;
    snprintf (t.at, sizeof t.at, "%s", endpoint);
    t.opens++;
}

static void forget_sent (void)
{
    for (int i = 0; i < t.sent_count; i++) {
        rm_msg_close (&t.sent[i]);
        rm_buf_clear (&t.frames[i]);
    }
    t.sent_count = 0;
}

static void on_send (void *arg, rm_buf_t *frame)
{
    (void)arg;
    cr_assert (*t.at, "a frame needs a socket");
    if (t.sent_count == SENT_MAX)
        forget_sent ();
    rm_buf_put (&t.frames[t.sent_count], frame->data, frame->size);
    cr_assert_eq (rm_msg_decode (&t.sent[t.sent_count], t.frames[t.sent_count].data, t.frames[t.sent_count].size, NULL),
                  0);
    t.sent_count++;
}

static bool on_ended (void *arg, const rm_flow_job_t *job, const rm_result_job_t *row)
{
    (void)arg;
    if (t.no_memory)
        return false;
    cr_assert_lt (t.ended_count, ENDED_MAX);
    t.ended[t.ended_count].tag = job->tag;
    t.ended[t.ended_count].id = row->id;
    t.ended[t.ended_count].outcome = row->outcome;
    snprintf (t.ended[t.ended_count].reason, 128, "%.*s", (int)row->reason.size,
              row->reason.size ? (const char *)row->reason.data : "");
    t.ended_count++;
    return true;
}

static void open_with (uint32_t masters)
{
    const rm_session_id_t sessions[] = {{{1}}, {{2}}};
    const rm_flow_out_t out = {NULL, on_open, on_close, on_send, on_ended};
    t.now_ms = 1000;
    cr_assert_eq (rm_flow_init (&t.flow, MASTERS, masters, sessions, 7, &out, t.now_ms), 0);
}

static void open_one (void)
{
    open_with (1);
}

static void close_it (void)
{
    forget_sent ();
    for (int i = 0; i < SENT_MAX; i++)
        rm_buf_close (&t.frames[i]);
    rm_flow_close (&t.flow);
}

TestSuite (flow, .init = open_one, .fini = close_it);

static void add_bytes (uint64_t tag, const char *uid, uint32_t size)
{
    static char data[2 << 20];
    rm_submit_job_t job = {.queue = rm_bytes ("q"), .data = {data, size}, .options.uid = rm_bytes (uid)};
    cr_assert_eq (rm_flow_add (&t.flow, &job, tag, t.now_ms), 0);
}

/* Adds a job and lets it go, as a caller's send does. */
static void add (uint64_t tag)
{
    add_bytes (tag, NULL, 1);
    rm_flow_time (&t.flow, t.now_ms);
}

/* The newest message of that type since forget_sent, which must be there. */
static const rm_msg_t *newest (rm_msg_type_t type)
{
    for (int i = t.sent_count; i-- > 0;)
        if (t.sent[i].type == type)
            return &t.sent[i];
    cr_assert_fail ("no such message was sent");
    return NULL;
}

static int sends (rm_msg_type_t type)
{
    int count = 0;
    for (int i = 0; i < t.sent_count; i++)
        count += t.sent[i].type == type;
    return count;
}

static void reply (const rm_msg_t *msg)
{
    rm_flow_reply (&t.flow, msg, t.now_ms);
}

/* Answers that submit: seq n is job 100 + n. */
static void accept (const rm_msg_submit_t *submit)
{
    rm_accepted_job_t *rows = rm_calloc (submit->job_count, sizeof *rows);
    for (uint32_t i = 0; i < submit->job_count; i++)
        rows[i] = (rm_accepted_job_t){submit->jobs[i].seq, 100 + submit->jobs[i].seq};
    reply (&(rm_msg_t){.type = RM_MSG_ACCEPTED, .accepted = {submit->session, rows, submit->job_count}});
    rm_free (rows);
}

static void accept_newest (void)
{
    accept (&newest (RM_MSG_SUBMIT)->submit);
}

static void result (uint64_t id, uint32_t outcome)
{
    rm_result_job_t row = {.id = id, .outcome = outcome};
    reply (&(rm_msg_t){.type = RM_MSG_RESULT, .result = {.jobs = &row, .job_count = 1}});
}

static void error (int code, uint64_t seq)
{
    reply (&(rm_msg_t){.type = RM_MSG_ERROR, .error = {.code = code, .text = rm_bytes ("no\nway"), .seq = seq}});
}

static void busy (uint32_t ms)
{
    reply (&(rm_msg_t){.type = RM_MSG_BUSY, .busy = {.retry_after_ms = ms, .text = rm_bytes ("full")}});
}

static void not_leader (const char *leader)
{
    reply (&(rm_msg_t){.type = RM_MSG_NOT_LEADER, .not_leader = {.leader = rm_bytes (leader)}});
}

/* Lets time go by as a caller that waits does. */
static void pass (uint64_t ms)
{
    for (uint64_t end_ms = t.now_ms + ms; t.now_ms < end_ms;) {
        uint64_t until_ms = rm_flow_until (&t.flow);
        t.now_ms = until_ms > t.now_ms ? until_ms : t.now_ms + 1;
        t.now_ms = t.now_ms < end_ms ? t.now_ms : end_ms;
        rm_flow_time (&t.flow, t.now_ms);
    }
}

/* The numbers of a submit are those, in a row. */
static void numbers (const rm_msg_t *msg, uint64_t floor, uint64_t first, uint32_t count)
{
    cr_assert_eq (msg->submit.floor, floor);
    cr_assert_eq (msg->submit.job_count, count);
    for (uint32_t i = 0; i < count; i++)
        cr_assert_eq (msg->submit.jobs[i].seq, first + i);
}

/* ---- batches ---------------------------------------------------------------------------------------------------- */

Test (flow, a_job_leaves_at_once_where_nothing_is_under_way)
{
    add (1);
    cr_assert_str_eq (t.at, "tcp://a:1");
    cr_assert_eq (t.sent[0].type, RM_MSG_HELLO);
    numbers (newest (RM_MSG_SUBMIT), 0, 1, 1);
}

Test (flow, what_is_added_while_a_submit_is_under_way_is_one_message_when_that_is_answered)
{
    add (1);
    for (uint64_t tag = 2; tag <= 10; tag++)
        add (tag);
    cr_assert_eq (sends (RM_MSG_SUBMIT), 1);
    accept_newest ();
    numbers (newest (RM_MSG_SUBMIT), 1, 2, 9);
    cr_assert_eq (sends (RM_MSG_SUBMIT), 2);
}

Test (flow, a_message_holds_so_many_jobs_and_bytes)
{
    add (1);
    for (uint64_t tag = 2; tag < 6000; tag++)
        add_bytes (tag, NULL, 1);
    accept_newest ();
    cr_assert_eq (newest (RM_MSG_SUBMIT)->submit.job_count, RM_MESSAGE_JOBS_MAX);
    accept_newest ();
    cr_assert_eq (newest (RM_MSG_SUBMIT)->submit.job_count, 5999 - 1 - RM_MESSAGE_JOBS_MAX);
    for (uint64_t tag = 0; tag < 3; tag++)
        add_bytes (tag, NULL, RM_FLOW_FRAME_BYTES / 2);
    add_bytes (9, NULL, RM_FLOW_FRAME_BYTES + 1);
    const uint32_t counts[] = {1, 1, 1, 1};
    for (size_t i = 0; i < 4; i++) {
        accept_newest ();
        cr_assert_eq (newest (RM_MSG_SUBMIT)->submit.job_count, counts[i]);
    }
}

/* ---- results ---------------------------------------------------------------------------------------------------- */

Test (flow, what_is_accepted_is_waited_for_and_ends_in_any_order)
{
    add (1);
    add (2);
    add (3);
    accept_newest ();
    accept_newest ();
    cr_assert_eq (sends (RM_MSG_WAIT), 2);
    cr_assert_eq (newest (RM_MSG_WAIT)->wait.each, 1);
    cr_assert_eq (newest (RM_MSG_WAIT)->wait.id_count, 2);
    result (103, RM_OUTCOME_DONE);
    result (101, RM_OUTCOME_DEAD);
    result (103, RM_OUTCOME_DONE);
    cr_assert_eq (t.ended_count, 2, "a second copy is not a second end");
    cr_assert_eq (t.ended[0].tag, 3);
    cr_assert_eq (t.ended[1].tag, 1);
    cr_assert_eq (t.ended[1].outcome, RM_OUTCOME_DEAD);
    cr_assert_eq (t.flow.count, 1);
    result (102, RM_OUTCOME_GONE);
    cr_assert_eq (t.flow.count, 0);
    cr_assert_eq (rm_flow_until (&t.flow), RM_LINE_FOREVER, "an idle client asks for nothing");
}

Test (flow, waits_that_end_together_become_one)
{
    for (uint64_t tag = 1; tag <= 3; tag++) {
        add (tag);
        accept_newest ();
        pass (10);
    }
    cr_assert_eq (sends (RM_MSG_WAIT), 3);
    t.now_ms += RM_LINE_ASK_MS - 30;
    result (101, RM_OUTCOME_NONE);
    cr_assert_eq (sends (RM_MSG_WAIT), 4);
    cr_assert_eq (newest (RM_MSG_WAIT)->wait.id_count, 3);
    t.now_ms += 10;
    result (102, RM_OUTCOME_NONE);
    cr_assert_eq (sends (RM_MSG_WAIT), 4, "the end of the wait before says nothing about the one that stands");
}

Test (flow, two_jobs_of_one_name_end_both)
{
    add_bytes (1, "name", 1);
    add_bytes (2, "name", 1);
    rm_flow_time (&t.flow, t.now_ms);
    rm_accepted_job_t rows[] = {{1, 50}, {2, 50}};
    reply (&(rm_msg_t){.type = RM_MSG_ACCEPTED, .accepted = {{{1}}, rows, 2}});
    cr_assert_eq (newest (RM_MSG_WAIT)->wait.id_count, 1);
    result (50, RM_OUTCOME_DONE);
    cr_assert_eq (t.ended_count, 2);
    cr_assert_eq (t.ended[0].tag + t.ended[1].tag, 3);
    cr_assert_eq (t.flow.count, 0);
}

Test (flow, a_result_without_memory_comes_again)
{
    add (1);
    accept_newest ();
    t.no_memory = true;
    result (101, RM_OUTCOME_DONE);
    cr_assert_eq (sends (RM_MSG_WAIT), 2);
    t.no_memory = false;
    result (101, RM_OUTCOME_DONE);
    cr_assert_eq (t.ended_count, 1);
}

/* ---- several submits under way ---------------------------------------------------------------------------------- */

static void welcome (uint32_t ahead)
{
    reply (&(rm_msg_t){.type = RM_MSG_WELCOME, .welcome = {.ahead = ahead}});
}

/* One job is accepted, and the master takes several submits; then a submit of job 2 is under way, and one of 3 behind it. */
static void have_two_under_way (rm_msg_submit_t *first)
{
    add (1);
    accept_newest ();
    result (101, RM_OUTCOME_DONE);
    welcome (8);
    forget_sent ();
    add (2);
    add (3);
    cr_assert_eq (sends (RM_MSG_SUBMIT), 2);
    numbers (&t.sent[0], 1, 2, 1);
    numbers (&t.sent[1], 1, 3, 1);
    *first = t.sent[0].submit;
}

Test (flow, a_second_submit_goes_ahead_behind_the_first_where_the_master_takes_it)
{
    rm_msg_submit_t first;
    have_two_under_way (&first);
    cr_assert_eq (t.sent[0].submit.after, 0);
    cr_assert_eq (t.sent[1].submit.after, 2);
    add (4);
    add (5);
    cr_assert_eq (sends (RM_MSG_SUBMIT), RM_FLOW_SUBMITS_MAX, "no more than may be");
    accept (&first);
    numbers (newest (RM_MSG_SUBMIT), 2, 4, 2);
    cr_assert_eq (newest (RM_MSG_SUBMIT)->submit.after, 3);
}

Test (flow, a_master_that_does_not_say_so_gets_one_submit_at_a_time)
{
    add (1);
    welcome (8);
    add (2);
    cr_assert_eq (sends (RM_MSG_SUBMIT), 1, "the session is not known yet");
    accept_newest ();
    accept_newest ();
    not_leader ("tcp://z:1");
    forget_sent ();
    add (3);
    add (4);
    cr_assert_eq (sends (RM_MSG_SUBMIT), 1, "the next master has not said it");
}

Test (flow, an_error_about_the_second_submit_counts_when_the_first_is_answered)
{
    rm_msg_submit_t first;
    have_two_under_way (&first);
    error (RM_ETOOBIG, 3);
    cr_assert_eq (t.ended_count, 1);
    add (4);
    cr_assert_eq (sends (RM_MSG_SUBMIT), 2, "it stays alone");
    accept (&first);
    numbers (newest (RM_MSG_SUBMIT), 2, 3, 2);
    error (RM_ETOOBIG, 3);
    cr_assert_eq (t.ended_count, 2);
    cr_assert_eq (t.ended[1].tag, 3);
    numbers (newest (RM_MSG_SUBMIT), 4, 5, 1);
}

Test (flow, an_error_about_the_first_submit_gives_the_second_new_numbers)
{
    rm_msg_submit_t first;
    have_two_under_way (&first);
    error (RM_ETOOBIG, 2);
    cr_assert_eq (t.ended_count, 2);
    cr_assert_eq (t.ended[1].tag, 2);
    numbers (newest (RM_MSG_SUBMIT), 3, 4, 1);
}

Test (flow, an_error_that_names_no_number_is_of_nobody_while_two_are_under_way)
{
    rm_msg_submit_t first;
    have_two_under_way (&first);
    error (RM_EPROTO, 0);
    cr_assert_eq (t.ended_count, 1);
    accept (&first);
    cr_assert_eq (t.flow.count, 2);
}

Test (flow, a_busy_master_is_sent_one_submit_until_it_takes_that)
{
    rm_msg_submit_t first;
    have_two_under_way (&first);
    forget_sent ();
    busy (10);
    pass (40);
    cr_assert_eq (sends (RM_MSG_SUBMIT), 1);
    numbers (newest (RM_MSG_SUBMIT), 1, 2, 1);
    accept_newest ();
    numbers (newest (RM_MSG_SUBMIT), 2, 3, 1);
}

Test (flow, the_second_submit_has_its_time_from_the_answer_to_the_first)
{
    rm_msg_submit_t first;
    have_two_under_way (&first);
    t.now_ms += 50;
    accept (&first);
    uint64_t answered_ms = t.now_ms;
    cr_assert_geq (rm_flow_until (&t.flow), answered_ms + 50);
    pass (2 * RM_FLOW_PATIENCE_MS);
    numbers (newest (RM_MSG_SUBMIT), 2, 3, 1);
    cr_assert_gt (t.opens, 1, "what is not answered is sent elsewhere");
}

/* ---- loss ------------------------------------------------------------------------------------------------------- */

Test (flow, what_is_not_answered_goes_to_the_next_master_under_the_same_numbers)
{
    rm_flow_close (&t.flow);
    open_with (3);
    add (1);
    add (2);
    pass (2 * RM_LINE_GROUP_MS);
    cr_assert_geq (t.opens, 2);
    cr_assert_str_neq (t.at, "tcp://a:1");
    numbers (newest (RM_MSG_SUBMIT), 0, 1, 2);
    accept_newest ();
    accept (&(rm_msg_submit_t){.session = {{1}}, .jobs = (rm_submit_job_t[]){{.seq = 1}}, .job_count = 1});
    cr_assert_eq (newest (RM_MSG_WAIT)->wait.id_count, 2);
    result (101, RM_OUTCOME_DONE);
    result (102, RM_OUTCOME_DONE);
    cr_assert_eq (t.ended_count, 2);
}

Test (flow, waits_that_are_not_answered_are_asked_elsewhere)
{
    rm_flow_close (&t.flow);
    open_with (2);
    add (1);
    accept_newest ();
    forget_sent ();
    pass (RM_LINE_ASK_MS + 2 * RM_LINE_GROUP_MS);
    cr_assert_str_eq (t.at, "tcp://b:1");
    cr_assert_eq (newest (RM_MSG_WAIT)->wait.ids[0], 101);
    cr_assert_eq (sends (RM_MSG_SUBMIT), 0, "it is accepted");
}

Test (flow, a_master_that_says_other_things_meanwhile_is_slow_and_not_dead)
{
    add (1);
    accept_newest ();
    add (2);
    t.now_ms += 20;
    result (101, RM_OUTCOME_DONE);
    pass (900);
    cr_assert_eq (t.opens, 1);
    pass (RM_FLOW_PATIENCE_MS + 2000);
    cr_assert_gt (t.opens, 1, "but not for ever");
}

Test (flow, a_master_that_says_other_things_and_then_nothing_is_left_for_another)
{
    rm_flow_close (&t.flow);
    open_with (3);
    add (1);
    accept_newest ();
    add (2);
    t.now_ms += 20;
    result (101, RM_OUTCOME_DONE);
    forget_sent ();
    pass (2 * RM_LINE_GROUP_MS);
    cr_assert_str_neq (t.at, "tcp://a:1");
    cr_assert_eq (newest (RM_MSG_SUBMIT)->submit.jobs[0].seq, 2, "the same request");
}

Test (flow, what_was_sent_too_long_ago_is_not_sent_again)
{
    add (1);
    pass (RM_SESSION_TTL_MS / 2 + 60000);
    cr_assert_eq (t.ended_count, 1);
    cr_assert_eq (t.ended[0].outcome, RM_FLOW_UNSURE);
    forget_sent ();
    add (2);
    cr_assert_eq (newest (RM_MSG_SUBMIT)->submit.session.bytes[0], 2, "the session is left with it");
    cr_assert (t.flow.wants_spare);
}

/* ---- another leader --------------------------------------------------------------------------------------------- */

Test (flow, a_redirect_is_followed_at_once_with_everything_that_is_open)
{
    add (1);
    accept_newest ();
    add (2);
    forget_sent ();
    not_leader ("tcp://z:1");
    cr_assert_str_eq (t.at, "tcp://z:1");
    numbers (newest (RM_MSG_SUBMIT), 1, 2, 1);
    cr_assert_eq (newest (RM_MSG_WAIT)->wait.ids[0], 101);
}

Test (flow, where_nobody_leads_it_waits_a_moment)
{
    add (1);
    forget_sent ();
    not_leader (NULL);
    cr_assert_eq (t.sent_count, 0);
    add (2);
    cr_assert_eq (t.sent_count, 0);
    cr_assert_str_eq (t.at, "");
    pass (2 * 25 + 1);
    numbers (newest (RM_MSG_SUBMIT), 0, 1, 2);
    char text[200];
    rm_flow_tell (&t.flow, t.now_ms, text, sizeof text);
    cr_assert (strstr (text, "no master led"), "%s", text);
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

Test (flow, a_busy_master_is_asked_for_half_as_much_when_it_says_and_order_is_kept)
{
    add (1);
    for (uint64_t tag = 2; tag <= 9; tag++)
        add (tag);
    accept_newest ();
    numbers (newest (RM_MSG_SUBMIT), 1, 2, 8);
    forget_sent ();
    busy (200);
    add (10);
    pass (199);
    cr_assert_eq (sends (RM_MSG_SUBMIT), 0);
    pass (52);
    numbers (newest (RM_MSG_SUBMIT), 1, 2, 4);
    accept_newest ();
    numbers (newest (RM_MSG_SUBMIT), 5, 6, 5);
}

Test (flow, a_job_that_is_refused_ends_and_the_others_go_on_under_new_numbers)
{
    add (1);
    for (uint64_t tag = 2; tag <= 5; tag++)
        add (tag);
    accept_newest ();
    numbers (newest (RM_MSG_SUBMIT), 1, 2, 4);
    error (RM_ETOOBIG, 3);
    cr_assert_eq (t.ended_count, 1);
    cr_assert_eq (t.ended[0].tag, 3);
    cr_assert_eq (t.ended[0].outcome, RM_FLOW_REFUSED);
    cr_assert_str_eq (t.ended[0].reason, "no way");
    numbers (newest (RM_MSG_SUBMIT), 5, 6, 3);
}

Test (flow, where_nothing_is_accepted_yet_the_others_go_on_in_another_session)
{
    add_bytes (1, NULL, 1);
    add (2);
    error (RM_EINVAL, 2);
    cr_assert_eq (t.ended[0].tag, 2);
    numbers (newest (RM_MSG_SUBMIT), 0, 1, 1);
    cr_assert_eq (newest (RM_MSG_SUBMIT)->submit.session.bytes[0], 2);
}

Test (flow, an_error_about_a_number_that_is_not_under_way_is_of_before)
{
    add (1);
    error (RM_ETOOBIG, 7);
    cr_assert_eq (t.ended_count, 0);
}

Test (flow, a_forgotten_session_is_followed_by_another_and_nothing_is_lost)
{
    add (1);
    accept_newest ();
    result (101, RM_OUTCOME_DONE);
    add (2);
    error (RM_EEXPIRED, 2);
    numbers (newest (RM_MSG_SUBMIT), 0, 1, 1);
    cr_assert_eq (newest (RM_MSG_SUBMIT)->submit.session.bytes[0], 2);
    accept_newest ();
    result (101, RM_OUTCOME_DONE);
    cr_assert_eq (t.ended[1].tag, 2);
}

Test (flow, masters_that_began_anew_leave_it_unsure)
{
    add (1);
    error (RM_ESTATE, 1);
    cr_assert_eq (t.ended[0].outcome, RM_FLOW_UNSURE);
    cr_assert_eq (t.flow.count, 0);
}
