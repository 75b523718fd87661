#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/pirate.h"
#include "ringmaster/error.h"

/* A client, its masters' ear, and a clock that the test moves. */
static struct {
    rm_pirate_t pirate;
    rm_pirate_effects_t effects; /* of the last step */
    rm_msg_t sent;               /* the last frame it sent, decoded */
    rm_buf_t frame;              /* … which that aliases */
    bool was_sent;               /* sent is valid */
    int sends;                   /* in all */
    char at[300];                /* the endpoint its socket is connected to; "": none */
    uint64_t now_ms, random;
} t;

static const char *const MASTERS[] = {"tcp://a:1", "tcp://b:1", "tcp://c:1"};

static rm_session_id_t session (uint8_t first)
{
    return (rm_session_id_t){{first, 2, 3}};
}

static void step (const rm_pirate_event_t *event)
{
    rm_pirate_step (&t.pirate, event, t.now_ms, t.random, &t.effects);
    if (t.effects.close)
        *t.at = 0;
    if (t.effects.open)
        snprintf (t.at, sizeof t.at, "%s", t.effects.open);
    if (!t.effects.send)
        return;
    cr_assert (*t.at, "a frame needs a socket");
    if (t.was_sent)
        rm_msg_close (&t.sent);
    rm_buf_clear (&t.frame);
    rm_buf_put (&t.frame, t.effects.frame.data, t.effects.frame.size);
    cr_assert_eq (rm_msg_decode (&t.sent, t.frame.data, t.frame.size, NULL), 0);
    t.was_sent = true;
    t.sends++;
}

static void begin_silent (const rm_msg_t *request, uint64_t timeout_ms, uint64_t silence_ms)
{
    static uint8_t spare = 100;
    rm_session_id_t id = session (spare++);
    rm_pirate_event_t event = {.type = RM_PIRATE_BEGIN, .msg = request, .spare = &id, .silence_ms = silence_ms};
    event.deadline_ms = timeout_ms == RM_PIRATE_FOREVER ? timeout_ms : t.now_ms + timeout_ms;
    step (&event);
}

static void begin (const rm_msg_t *request, uint64_t timeout_ms)
{
    begin_silent (request, timeout_ms, RM_PIRATE_FOREVER);
}

static void submit (const char *data, uint64_t timeout_ms)
{
    static rm_submit_job_t job;
    static rm_msg_t request;
    job = (rm_submit_job_t){.queue = rm_bytes ("q"), .data = rm_bytes (data)};
    request = (rm_msg_t){.type = RM_MSG_SUBMIT, .submit = {.jobs = &job, .job_count = 1}};
    begin (&request, timeout_ms);
}

/* Submits three jobs at once. */
static void submit_three (uint64_t timeout_ms)
{
    static rm_submit_job_t jobs[3];
    static rm_msg_t request;
    for (int i = 0; i < 3; i++)
        jobs[i] = (rm_submit_job_t){.queue = rm_bytes ("q"), .data = rm_bytes (i ? "b" : "a")};
    request = (rm_msg_t){.type = RM_MSG_SUBMIT, .submit = {.jobs = jobs, .job_count = 3}};
    begin (&request, timeout_ms);
}

static const rm_msg_t *wait_for (uint64_t id)
{
    static uint64_t ids[1];
    static rm_msg_t request;
    ids[0] = id;
    request = (rm_msg_t){.type = RM_MSG_WAIT, .wait = {.ids = ids, .id_count = 1}};
    return &request;
}

static void reply (const rm_msg_t *msg)
{
    step (&(rm_pirate_event_t){.type = RM_PIRATE_REPLY, .msg = msg});
}

static void accept_as (rm_session_id_t id, uint64_t seq, uint64_t job)
{
    rm_accepted_job_t jobs[] = {{.seq = seq, .id = job}};
    reply (&(rm_msg_t){.type = RM_MSG_ACCEPTED, .accepted = {.session = id, .jobs = jobs, .job_count = 1}});
}

static void accept_it (uint64_t job)
{
    accept_as (t.sent.submit.session, t.sent.submit.jobs[0].seq, job);
}

static void result (uint64_t id, rm_outcome_t outcome)
{
    rm_result_job_t jobs[] = {{.id = id, .outcome = outcome}};
    reply (&(rm_msg_t){.type = RM_MSG_RESULT, .result = {.jobs = jobs, .job_count = 1}});
}

static void busy (uint32_t retry_after_ms)
{
    reply (
        &(rm_msg_t){.type = RM_MSG_BUSY, .busy = {.retry_after_ms = retry_after_ms, .text = rm_bytes ("queue\nfull")}});
}

static void not_leader (const char *leader)
{
    reply (&(rm_msg_t){.type = RM_MSG_NOT_LEADER, .not_leader = {.leader = rm_bytes (leader)}});
}

static void error (int code, uint64_t seq)
{
    reply (&(rm_msg_t){.type = RM_MSG_ERROR, .error = {.code = code, .seq = seq, .text = rm_bytes ("no\033way")}});
}

/* Lets time go by until the client acts or ends; how long that took. */
static uint64_t silence (void)
{
    uint64_t from_ms = t.now_ms;
    int sends = t.sends;
    while (!t.effects.ended && t.sends == sends) {
        cr_assert_gt (t.effects.until_ms, t.now_ms, "a deadline lies ahead");
        cr_assert_neq (t.effects.until_ms, RM_PIRATE_FOREVER);
        t.now_ms = t.effects.until_ms;
        step (&(rm_pirate_event_t){.type = RM_PIRATE_TIME});
    }
    return t.now_ms - from_ms;
}

static uint64_t sent_seq (void)
{
    return t.sent.submit.jobs[0].seq;
}

static void set_up (void)
{
    memset (&t, 0, sizeof t);
    t.now_ms = 5000;
    rm_session_id_t id = session (1);
    cr_assert_eq (rm_pirate_init (&t.pirate, MASTERS, 3, &id, t.now_ms), 0);
}

static void tear_down (void)
{
    if (t.was_sent)
        rm_msg_close (&t.sent);
    rm_buf_close (&t.frame);
    rm_pirate_close (&t.pirate);
}

TestSuite (pirate, .init = set_up, .fini = tear_down, .timeout = 20);

/* A client that was given one master alone. */
static void know_one (void)
{
    rm_session_id_t id = session (1);
    rm_pirate_close (&t.pirate);
    cr_assert_eq (rm_pirate_init (&t.pirate, MASTERS, 1, &id, t.now_ms), 0);
}

Test (pirate, the_timeout_doubles_up_to_its_cap)
{
    know_one ();
    submit ("x", 600000);
    const uint64_t growth_ms[] = {250, 500, 1000, 2000, 4000, 8000, 8000};
    for (size_t i = 0; i < sizeof growth_ms / sizeof *growth_ms; i++)
        cr_expect_eq (silence (), growth_ms[i], "try %zu", i);
}

Test (pirate, where_another_master_may_lead_no_timeout_outgrows_an_election)
{
    submit ("x", 600000);
    const uint64_t growth_ms[] = {250, 400, 400, 400};
    for (size_t i = 0; i < sizeof growth_ms / sizeof *growth_ms; i++)
        cr_expect_eq (silence (), growth_ms[i], "try %zu", i);
}

Test (pirate, a_first_timeout_above_an_elections_is_kept)
{
    rm_backoff_t policy = rm_line_policy ();
    policy.delay_ms = 3000;
    cr_assert_eq (rm_pirate_configure (&t.pirate, &policy, NULL), 0);
    submit ("x", 600000);
    cr_expect_eq (silence (), 3000);
    cr_expect_eq (silence (), 3000);
}

Test (pirate, jitter_spreads_each_timeout_over_as_long_again)
{
    uint64_t least_ms = UINT64_MAX, most_ms = 0;
    for (uint64_t random = 0; random < 1000; random++) {
        t.random = random * 0x9e3779b97f4a7c15;
        submit ("x", 600000);
        uint64_t took_ms = t.effects.until_ms - t.now_ms;
        least_ms = took_ms < least_ms ? took_ms : least_ms;
        most_ms = took_ms > most_ms ? took_ms : most_ms;
        accept_it (1);
    }
    cr_expect (least_ms >= 250 && least_ms < 260, "%lu", least_ms);
    cr_expect (most_ms <= 500 && most_ms > 490, "%lu", most_ms);
}

Test (pirate, a_retry_is_the_same_request_on_a_fresh_socket_to_the_next_master)
{
    submit ("x", 60000);
    cr_expect_str_eq (t.at, "tcp://a:1");
    rm_session_id_t id = t.sent.submit.session;
    for (int i = 1; i < 7; i++) {
        silence ();
        cr_expect (t.effects.close && t.effects.open, "a REQ that waits is never reused");
        cr_expect_str_eq (t.at, MASTERS[i % 3]);
        cr_expect_eq (sent_seq (), 1);
        cr_expect_eq (t.sent.submit.floor, 0);
        cr_expect (!memcmp (&id, &t.sent.submit.session, sizeof id));
    }
}

Test (pirate, the_next_request_has_the_next_seq_and_says_what_was_received)
{
    submit ("x", 1000);
    accept_it (7);
    cr_expect (t.effects.ended && !t.effects.error && t.effects.reply);
    submit ("x", 1000);
    cr_expect_null (t.effects.open, "the socket that was answered is used again");
    cr_expect_eq (sent_seq (), 2);
    cr_expect_eq (t.sent.submit.floor, 1);
}

Test (pirate, the_same_spec_after_an_error_is_the_same_request)
{
    submit ("x", 1000);
    while (!t.effects.ended)
        silence ();
    cr_expect_eq (t.effects.error, RM_EUNREACHABLE);
    cr_expect (t.effects.close, "nobody waits on that socket any more");
    submit ("x", 1000);
    cr_expect_eq (sent_seq (), 1);
    cr_expect_eq (t.sent.submit.floor, 0);
    accept_it (3);
    submit ("x", 1000);
    cr_expect_eq (sent_seq (), 2, "once accepted, the same spec is a new job");
}

Test (pirate, another_spec_after_an_error_gives_the_old_request_up)
{
    submit ("w", 1000);
    accept_it (3);
    submit ("x", 300);
    while (!t.effects.ended)
        silence ();
    submit ("y", 1000);
    cr_expect_eq (sent_seq (), 3);
    cr_expect_eq (t.sent.submit.floor, 2, "a late copy of the old one is refused as stale");
}

Test (pirate, a_refused_number_is_used_for_the_next_request)
{
    submit ("x", 1000);
    error (RM_ETOOBIG, 1);
    cr_expect_eq (t.effects.error, RM_ETOOBIG);
    cr_expect_str_eq (rm_pirate_text (&t.pirate), "no way", "what the wire says is fit for a terminal");
    submit ("y", 1000);
    cr_expect_eq (sent_seq (), 1, "a session that the master does not know begins with 1");
}

Test (pirate, busy_waits_what_it_was_told_and_asks_the_same_master)
{
    submit ("x", 5000);
    busy (700);
    cr_expect_eq (t.effects.until_ms, t.now_ms + 700);
    cr_expect_eq (silence (), 700);
    cr_expect (!t.effects.open && !t.effects.close);
    cr_expect_eq (sent_seq (), 1);
    t.random = UINT64_MAX;
    busy (700);
    uint64_t took_ms = silence ();
    cr_expect (took_ms >= 700 && took_ms <= 875, "never early, and not all at once: %lu", took_ms);
    accept_it (1);
    cr_expect_eq (t.effects.error, 0);
}

Test (pirate, busy_counts_against_the_deadline)
{
    submit ("x", 1000);
    busy (400);
    silence ();
    busy (400);
    silence ();
    busy (400);
    cr_expect (t.effects.ended);
    cr_expect_eq (t.effects.error, RM_EBUSY);
    cr_expect_str_eq (rm_pirate_text (&t.pirate), "queue full");
    submit ("x", 1000);
    cr_expect_eq (sent_seq (), 1, "it may be asked again");
}

Test (pirate, busy_without_a_time_does_not_spin)
{
    submit ("x", 1000);
    busy (0);
    cr_expect_geq (silence (), 10);
}

static void hello (uint64_t timeout_ms)
{
    static const rm_msg_t request = {.type = RM_MSG_HELLO};
    begin (&request, timeout_ms);
}

Test (pirate, a_hello_does_not_wait_long_for_one_of_several)
{
    hello (5000);
    cr_expect_eq (silence (), RM_LINE_GLANCE_MS);
    cr_expect_str_eq (t.at, MASTERS[1]);
    cr_expect_eq (silence (), RM_LINE_GLANCE_MS);
    cr_expect_str_eq (t.at, MASTERS[2]);
    cr_expect_eq (silence (), 250, "nobody is left who was not asked");
    cr_expect_str_eq (t.at, MASTERS[0], "and the first may have been slow");
    cr_expect_geq (silence (), 250);
}

Test (pirate, who_did_not_answer_a_hello_at_once_is_followed_to_and_given_time)
{
    hello (5000);
    silence ();
    not_leader (MASTERS[0]);
    cr_expect_str_eq (t.at, MASTERS[0]);
    cr_expect_eq (silence (), 250);
}

Test (pirate, a_hello_that_may_be_sent_so_often_is_not_sent_sooner)
{
    rm_backoff_t policy = rm_line_policy ();
    policy.tries = 3;
    cr_assert_eq (rm_pirate_configure (&t.pirate, &policy, NULL), 0);
    hello (5000);
    cr_expect_eq (silence (), 250);
}

Test (pirate, one_that_is_up_without_a_majority_is_named)
{
    hello (2000);
    silence ();
    while (!t.effects.ended) {
        if (!strcmp (t.at, MASTERS[1]))
            not_leader ("");
        silence ();
    }
    cr_expect_eq (t.effects.error, RM_EUNREACHABLE);
    cr_expect_str_eq (rm_pirate_text (&t.pirate),
                      "no master led for 1.9 s: the one at tcp://b:1 is up, but leads and follows nobody, since no "
                      "majority of the masters answers it (asked tcp://a:1, tcp://b:1, tcp://c:1)");
    hello (2000);
    not_leader ("");
    silence ();
    not_leader (MASTERS[2]); /* another one has heard of a leader since */
    while (!t.effects.ended)
        silence ();
    cr_expect_null (strstr (rm_pirate_text (&t.pirate), "is up"), "%s", rm_pirate_text (&t.pirate));
}

Test (pirate, not_leader_is_followed_at_once)
{
    submit ("x", 5000);
    not_leader ("tcp://z:9");
    cr_expect_str_eq (t.at, "tcp://z:9");
    cr_expect_eq (t.sends, 2);
    accept_it (1);
    submit ("y", 5000);
    cr_expect_str_eq (t.at, "tcp://z:9", "the leader is remembered");
    silence ();
    cr_expect_str_eq (t.at, MASTERS[0], "until it does not answer");
}

Test (pirate, a_leader_among_the_masters_becomes_the_one_in_turn)
{
    submit ("x", 5000);
    not_leader (MASTERS[2]);
    cr_expect_str_eq (t.at, MASTERS[2]);
    silence ();
    cr_expect_str_eq (t.at, MASTERS[0]);
}

/* It is killed; the others name it until one of them is elected. */
Test (pirate, a_leader_that_is_silent_is_not_followed_to_while_the_others_may_not_have_missed_it)
{
    submit ("x", 60000);
    uint64_t from_ms = t.now_ms;
    silence ();
    cr_expect_str_eq (t.at, MASTERS[1]);
    for (int i = 0; t.now_ms < from_ms + 800; i++) {
        cr_assert_lt (i, 20);
        not_leader (i % 2 ? "" : MASTERS[0]);
        cr_expect_leq (silence (), 110, "it is asked for the new one soon");
        cr_expect_str_eq (t.at, i % 2 ? MASTERS[1] : MASTERS[2], "the silent one is not asked");
    }
    not_leader (MASTERS[2]);
    cr_expect_str_eq (t.at, MASTERS[2], "the new one is followed to at once");
}

/* Its disk hangs, or its machine is overloaded: it leads, and needs longer than the timeouts. */
Test (pirate, a_slow_leader_is_given_more_time_once_the_others_have_confirmed_it)
{
    submit ("x", 60000);
    silence ();
    for (uint64_t expected_ms = 500; expected_ms <= 4000; expected_ms *= 2) {
        for (int i = 0; strcmp (t.at, MASTERS[0]); i++) {
            cr_assert_lt (i, 100);
            not_leader (MASTERS[0]);
            if (strcmp (t.at, MASTERS[0]))
                silence ();
        }
        cr_expect_eq (silence (), expected_ms);
    }
}

Test (pirate, redirects_in_a_circle_end_in_a_pause)
{
    submit ("x", 5000);
    for (int i = 0; i < RM_LINE_REDIRECTS_MAX; i++)
        not_leader (i % 2 ? "tcp://y:9" : "tcp://z:9");
    cr_expect_eq (t.sends, 1 + RM_LINE_REDIRECTS_MAX);
    not_leader ("tcp://y:9");
    cr_expect_eq (t.sends, 1 + RM_LINE_REDIRECTS_MAX);
    cr_expect_eq (silence (), 25);
    cr_expect_str_eq (t.at, "tcp://y:9", "the one behind it");
}

Test (pirate, the_group_that_a_master_names_is_asked_too)
{
    rm_bytes_t group[] = {rm_bytes ("tcp://x:1"), rm_bytes (MASTERS[1]), rm_bytes ("tcp://y:1")};
    submit ("x", 60000);
    reply (&(rm_msg_t){.type = RM_MSG_NOT_LEADER, .not_leader = {.masters = group, .master_count = 3}});
    const char *const asked[] = {MASTERS[1], MASTERS[2], "tcp://x:1", "tcp://y:1", MASTERS[0]};
    for (int i = 0; i < 5; i++) {
        silence ();
        cr_expect_str_eq (t.at, asked[i]);
    }
}

Test (pirate, an_unknown_leader_is_awaited_with_pauses_that_grow_with_the_outage)
{
    submit ("x", 600000);
    uint64_t from_ms = t.now_ms, pause_ms = 0;
    for (int i = 0; pause_ms < RM_LINE_CAP_MS; i++) {
        not_leader ("");
        uint64_t share_ms = (t.now_ms - from_ms) / 8;
        pause_ms = share_ms < 25 ? 25 : share_ms < RM_LINE_CAP_MS ? share_ms : RM_LINE_CAP_MS;
        cr_expect_eq (silence (), pause_ms);
        cr_expect_str_eq (t.at, MASTERS[(i + 1) % 3]);
    }
    for (int i = 0; i < 20; i++) {
        t.random = (uint64_t)i * 0x9e3779b97f4a7c15;
        not_leader ("");
        uint64_t took_ms = silence ();
        cr_expect (took_ms >= RM_LINE_CAP_MS && took_ms <= 2 * RM_LINE_CAP_MS, "%lu", took_ms);
    }
}

Test (pirate, few_tries_are_not_spent_within_one_election)
{
    rm_backoff_t policy = rm_line_policy ();
    policy.tries = 4;
    cr_assert_eq (rm_pirate_configure (&t.pirate, &policy, NULL), 0);
    submit ("x", 60000);
    const uint64_t growth_ms[] = {250, 500, 1000};
    for (int i = 0; i < 3; i++) {
        not_leader ("");
        cr_expect_eq (silence (), growth_ms[i]);
    }
    not_leader ("");
    cr_expect_eq (t.effects.error, RM_EUNREACHABLE);
}

Test (pirate, a_redirect_to_nonsense_is_not_followed)
{
    submit ("x", 5000);
    not_leader ("ipc:///etc/passwd");
    cr_expect_eq (t.sends, 1);
    cr_expect_eq (silence (), 25);
}

Test (pirate, the_deadline_ends_it)
{
    submit ("x", 2000);
    uint64_t from_ms = t.now_ms;
    while (!t.effects.ended)
        silence ();
    cr_expect_eq (t.now_ms - from_ms, 2000);
    cr_expect_eq (t.effects.error, RM_EUNREACHABLE);
    cr_expect_str_eq (rm_pirate_text (&t.pirate),
                      "no master answered for 2.0 s (asked tcp://a:1, tcp://b:1, tcp://c:1)");
}

Test (pirate, tries_bound_the_sends)
{
    rm_backoff_t policy = rm_line_policy ();
    policy.tries = 3;
    cr_assert_eq (rm_pirate_configure (&t.pirate, &policy, NULL), 0);
    submit ("x", RM_PIRATE_FOREVER);
    while (!t.effects.ended)
        silence ();
    cr_expect_eq (t.sends, 3);
    cr_expect_eq (t.effects.error, RM_EUNREACHABLE);
}

Test (pirate, a_submit_is_not_sent_again_after_half_the_ttl)
{
    uint64_t from_ms = t.now_ms, last_ms = 0;
    submit ("x", RM_PIRATE_FOREVER);
    while (!t.effects.ended) {
        last_ms = t.now_ms;
        silence ();
    }
    cr_expect_lt (last_ms - from_ms, RM_SESSION_TTL_MS / 2);
    cr_expect_eq (t.effects.error, RM_EEXPIRED);
    cr_expect (strstr (rm_pirate_text (&t.pirate), "may have been accepted"));
    rm_session_id_t old = t.sent.submit.session;
    submit ("x", 1000);
    cr_expect (memcmp (&old, &t.sent.submit.session, sizeof old), "what comes next has a session of its own");
    cr_expect_eq (sent_seq (), 1);
}

Test (pirate, the_age_of_a_request_counts_across_calls)
{
    submit ("x", 1000);
    while (!t.effects.ended)
        silence ();
    t.now_ms += RM_SESSION_TTL_MS / 2;
    submit ("x", 1000);
    cr_expect (t.effects.ended && !t.effects.send);
    cr_expect_eq (t.effects.error, RM_EEXPIRED);
}

Test (pirate, who_follows_a_job_is_told_what_is_new_and_asks_on_from_there)
{
    rm_result_job_t job = {.id = 4, .outcome = RM_OUTCOME_NONE, .progress = 421};
    rm_msg_t msg = {.type = RM_MSG_RESULT, .result = {.jobs = &job, .job_count = 1, .stamp = 7}};
    rm_msg_t request = *wait_for (4);
    request.wait.follow = 1;
    begin (&request, RM_PIRATE_FOREVER);
    cr_expect (t.sent.wait.follow && !t.sent.wait.stamp && !t.effects.told);
    t.now_ms += 100;
    reply (&msg);
    cr_expect (t.effects.told == &msg && t.effects.send);
    cr_expect_eq (t.sent.wait.stamp, 7);
    t.now_ms += RM_LINE_ASK_MS;
    reply (&msg);
    cr_expect (!t.effects.told && t.effects.send, "that is known");
    msg.result.stamp = 3;
    t.now_ms += RM_LINE_ASK_MS;
    reply (&msg);
    cr_expect (t.effects.told == &msg, "those masters began anew");
    cr_expect_eq (t.sent.wait.stamp, 3);
}

Test (pirate, a_wait_has_no_age)
{
    begin (wait_for (4), RM_PIRATE_FOREVER);
    for (int i = 0; i < 200; i++) {
        t.now_ms += RM_LINE_ASK_MS;
        result (4, RM_OUTCOME_NONE);
    }
    t.now_ms += RM_SESSION_TTL_MS;
    result (4, RM_OUTCOME_NONE);
    cr_expect (!t.effects.ended);
}

Test (pirate, a_forgotten_session_is_replaced_without_a_word)
{
    submit ("x", 1000);
    accept_it (1);
    submit ("y", 1000);
    rm_session_id_t old = t.sent.submit.session;
    error (RM_EEXPIRED, 2);
    cr_expect (!t.effects.ended && t.effects.send);
    cr_expect (memcmp (&old, &t.sent.submit.session, sizeof old));
    cr_expect_eq (sent_seq (), 1);
    cr_expect_eq (t.sent.submit.floor, 0);
    accept_it (2);
    cr_expect (t.effects.ended && !t.effects.error);
}

Test (pirate, a_request_of_before_a_restore_is_not_sent_again_and_the_next_one_begins_anew)
{
    submit ("x", 1000);
    accept_it (1);
    submit ("y", 1000);
    rm_session_id_t old = t.sent.submit.session;
    error (RM_ESTATE, 2);
    cr_expect (t.effects.ended && !t.effects.send);
    cr_expect_eq (t.effects.error, RM_ESTATE);
    submit ("z", 1000);
    cr_expect (t.effects.send);
    cr_expect (memcmp (&old, &t.sent.submit.session, sizeof old));
    cr_expect_eq (sent_seq (), 1);
}

/* It has begun the spare session itself: there is no third one, and the second one may not look like new again. */
Test (pirate, a_session_that_was_begun_by_the_request_is_not_begun_again)
{
    submit ("x", 1000);
    while (!t.effects.ended)
        silence ();
    t.now_ms += RM_SESSION_TTL_MS / 2;
    submit ("x", 1000);
    cr_assert_eq (t.effects.error, RM_EEXPIRED);
    submit ("x", 1000);
    cr_assert (t.effects.send);
    error (RM_EEXPIRED, 1);
    cr_expect (t.effects.ended && !t.effects.send);
    cr_expect_eq (t.effects.error, RM_EEXPIRED);
}

Test (pirate, an_inherited_request_of_a_forgotten_session_is_not_run_again)
{
    char text[RM_SEQS_TEXT_BYTES];
    submit ("x", 1000);
    cr_assert_eq (rm_seqs_save (&t.pirate.seqs, (int64_t)t.now_ms, 1700000000000, text, sizeof text), 0);
    tear_down ();
    set_up ();
    cr_assert_eq (rm_seqs_load (&t.pirate.seqs, text, (int64_t)t.now_ms, 1700000001000), 0);
    submit ("x", 1000);
    cr_expect_eq (t.sent.submit.session.bytes[0], 1, "the session of the one before");
    error (RM_EEXPIRED, 1);
    cr_expect (t.effects.ended);
    cr_expect_eq (t.effects.error, RM_EEXPIRED);
}

Test (pirate, replies_to_other_requests_are_no_answer)
{
    submit ("x", 1000);
    accept_it (1);
    submit ("y", 1000);
    uint64_t until_ms = t.effects.until_ms;
    accept_as (t.sent.submit.session, 1, 1);
    cr_expect (!t.effects.ended, "the one before");
    accept_as (session (99), 2, 2);
    cr_expect (!t.effects.ended, "another session");
    error (RM_EINVAL, 1);
    cr_expect (!t.effects.ended, "an error of the one before");
    result (5, RM_OUTCOME_DONE);
    cr_expect (!t.effects.ended, "a result nobody asked for");
    reply (&(rm_msg_t){.type = RM_MSG_ANSWER, .answer = {rm_bytes ("{}")}});
    cr_expect (!t.effects.ended, "an answer nobody asked for");
    cr_expect_eq (t.effects.until_ms, until_ms, "none of them moves the deadline");
    accept_it (2);
    cr_expect (t.effects.ended && !t.effects.error);
    accept_it (2);
    cr_expect (!t.effects.ended && !t.effects.send, "a doubled reply finds nobody");
}

/* A REQ socket hears one reply, and that was not ours. */
Test (pirate, behind_a_reply_to_something_else_the_same_is_asked_at_once_on_another_socket)
{
    submit ("x", 1000);
    accept_it (1);
    submit ("y", 1000);
    for (int strays = 0; strays < 2; strays++) {
        accept_as (t.sent.submit.session, 1, 1);
        cr_assert (t.effects.close && t.effects.open && t.effects.send);
        cr_expect_str_eq (t.at, MASTERS[0], "the same master");
        cr_expect_eq (t.sent.submit.jobs[0].seq, 2, "the same request");
    }
    reply (NULL);
    cr_expect (t.effects.close && t.effects.send, "what cannot be read is no answer either");
    int sends = t.sends;
    for (int strays = 0; strays < 1000; strays++)
        reply (NULL);
    cr_expect_leq (t.sends - sends, RM_RETRY_TOKENS_MAX, "a flood of them is answered with no flood");
    accept_it (2);
    cr_expect (t.effects.ended && !t.effects.error);
}

Test (pirate, a_wait_is_answered_running_before_it_times_out_and_asks_again_at_once)
{
    begin (wait_for (4), RM_PIRATE_FOREVER);
    cr_expect_eq (t.sent.wait.ids[0], 4);
    for (int i = 0; i < 20; i++) {
        cr_expect_lt (t.now_ms + t.sent.wait.timeout_ms, t.effects.until_ms);
        t.now_ms += t.sent.wait.timeout_ms;
        result (4, RM_OUTCOME_NONE);
        cr_expect (t.effects.send && !t.effects.open && !t.effects.close);
        cr_expect_eq (t.sends, i + 2);
    }
    result (3, RM_OUTCOME_DONE);
    cr_expect (!t.effects.ended, "another job's");
    result (4, RM_OUTCOME_DEAD);
    cr_expect (t.effects.ended && !t.effects.error && t.effects.reply);
}

Test (pirate, a_wait_forgets_its_failures_when_it_is_answered)
{
    begin (wait_for (4), RM_PIRATE_FOREVER);
    silence ();
    silence ();
    t.now_ms += 20;
    result (4, RM_OUTCOME_NONE);
    cr_expect_eq (silence (), RM_LINE_ASK_MS + 250);
}

Test (pirate, a_master_that_does_not_wait_is_not_asked_in_a_tight_loop)
{
    uint64_t from_ms = t.now_ms;
    begin (wait_for (4), RM_PIRATE_FOREVER);
    for (int i = 0; i < 100; i++) {
        result (4, RM_OUTCOME_NONE);
        cr_assert (!t.effects.send && !t.effects.ended);
        silence ();
    }
    cr_expect_geq (t.now_ms - from_ms, 1000);
}

Test (pirate, a_long_poll_uses_no_tries_up)
{
    rm_backoff_t policy = rm_line_policy ();
    policy.tries = 2;
    cr_assert_eq (rm_pirate_configure (&t.pirate, &policy, NULL), 0);
    begin (wait_for (4), RM_PIRATE_FOREVER);
    for (int i = 0; i < 5; i++) {
        t.now_ms += t.sent.wait.timeout_ms;
        result (4, RM_OUTCOME_NONE);
    }
    silence ();
    cr_expect (!t.effects.ended, "one send was unanswered");
    silence ();
    cr_expect_eq (t.effects.error, RM_EUNREACHABLE);
}

Test (pirate, a_wait_ends_at_its_deadline_with_the_job_not_ended)
{
    uint64_t from_ms = t.now_ms;
    begin (wait_for (4), 1500);
    while (!t.effects.ended) {
        cr_assert_lt (t.sends, 20);
        t.now_ms += t.sent.wait.timeout_ms;
        result (4, RM_OUTCOME_NONE);
    }
    cr_expect_eq (t.effects.error, RM_ETIMEDOUT);
    cr_expect (t.now_ms - from_ms <= 1500 && t.now_ms - from_ms >= 1480);
}

Test (pirate, a_wait_of_no_time_is_one_question)
{
    begin (wait_for (4), 0);
    cr_expect_eq (t.sent.wait.timeout_ms, 0);
    cr_expect_gt (t.effects.until_ms, t.now_ms, "the answer is given the time to come");
    t.now_ms += 3;
    result (4, RM_OUTCOME_NONE);
    cr_expect_eq (t.effects.error, RM_ETIMEDOUT);
}

Test (pirate, a_wait_without_end_ends_when_no_master_answers)
{
    uint64_t from_ms = t.now_ms;
    begin_silent (wait_for (4), RM_PIRATE_FOREVER, 10000);
    t.now_ms += 1000;
    result (4, RM_OUTCOME_NONE);
    while (!t.effects.ended)
        silence ();
    cr_expect_eq (t.effects.error, RM_EUNREACHABLE);
    cr_expect_eq (t.now_ms - from_ms, 11000);
}

Test (pirate, what_is_gone_or_was_never_there_is_an_error)
{
    begin (wait_for (4), 1000);
    result (4, RM_OUTCOME_GONE);
    cr_expect_eq (t.effects.error, RM_EGONE);
    begin (wait_for (4), 1000);
    result (4, RM_OUTCOME_UNKNOWN);
    cr_expect_eq (t.effects.error, RM_EUNKNOWN);
}

Test (pirate, only_a_session_the_master_knows_is_kept_alive_by_waits)
{
    const rm_session_id_t none = {{0}};
    begin (wait_for (4), 1000);
    cr_expect (!memcmp (&t.sent.wait.session, &none, sizeof none));
    result (4, RM_OUTCOME_DONE);
    submit ("x", 1000);
    rm_session_id_t mine = t.sent.submit.session;
    accept_it (5);
    begin (wait_for (5), 1000);
    cr_expect (!memcmp (&t.sent.wait.session, &mine, sizeof mine));
}

Test (pirate, jobs_of_one_submit_have_numbers_in_a_row_and_are_accepted_together)
{
    submit_three (60000);
    cr_assert_eq (t.sent.submit.job_count, 3);
    for (uint64_t i = 0; i < 3; i++)
        cr_assert_eq (t.sent.submit.jobs[i].seq, i + 1);
    rm_session_id_t id = t.sent.submit.session;
    rm_accepted_job_t jobs[] = {{1, 7}, {2, 8}, {3, 9}, {4, 10}};
    rm_msg_t accepted = {.type = RM_MSG_ACCEPTED, .accepted = {.session = id, .jobs = jobs, .job_count = 2}};
    reply (&accepted);
    cr_assert_not (t.effects.ended, "two of three are no answer");
    accepted.accepted.job_count = 4;
    reply (&accepted);
    cr_assert_not (t.effects.ended, "nor are four");
    accepted.accepted.job_count = 3;
    jobs[2].seq = 2;
    reply (&accepted);
    cr_assert_not (t.effects.ended, "nor is another number");
    jobs[2].seq = 3;
    reply (&accepted);
    cr_assert (t.effects.ended);
    cr_assert_eq (t.effects.error, 0);
    submit ("next", 60000);
    cr_assert_eq (sent_seq (), 4);
    cr_assert_eq (t.sent.submit.floor, 3);
}

Test (pirate, several_jobs_that_are_given_up_take_their_numbers_along)
{
    submit ("first", 60000);
    accept_it (7);
    submit_three (1000);
    while (!t.effects.ended)
        silence ();
    cr_assert_eq (t.effects.error, RM_EUNREACHABLE);
    submit ("another", 60000);
    cr_assert_eq (sent_seq (), 5);
    cr_assert_eq (t.sent.submit.floor, 4);
    error (RM_EBUSY, 5);
    cr_assert_eq (t.effects.error, RM_EBUSY);
}

static void results_of (const uint64_t *ids, const rm_outcome_t *outcomes, uint32_t count)
{
    rm_result_job_t jobs[3];
    for (uint32_t i = 0; i < count; i++)
        jobs[i] = (rm_result_job_t){.id = ids[i], .outcome = outcomes[i]};
    reply (&(rm_msg_t){.type = RM_MSG_RESULT, .result = {.jobs = jobs, .job_count = count}});
}

Test (pirate, a_wait_for_any_ends_with_the_first_that_has_ended_whatever_became_of_it)
{
    static uint64_t ids[] = {7, 8, 9};
    static rm_msg_t request = {.type = RM_MSG_WAIT, .wait = {.ids = ids, .id_count = 3, .any = 1}};
    static const uint64_t others[] = {7, 9, 8};
    begin (&request, 60000);
    cr_assert_eq (t.sent.wait.any, 1);
    results_of (others, (rm_outcome_t[]){RM_OUTCOME_DONE, RM_OUTCOME_DONE, RM_OUTCOME_DONE}, 3);
    cr_assert_not (t.effects.ended, "these are not in the order asked");
    t.now_ms += 1000;
    results_of (ids, (rm_outcome_t[]){RM_OUTCOME_NONE, RM_OUTCOME_NONE, RM_OUTCOME_NONE}, 3);
    cr_assert_not (t.effects.ended, "none has ended: it asks on");
    results_of (ids, (rm_outcome_t[]){RM_OUTCOME_NONE, RM_OUTCOME_GONE}, 2);
    cr_assert (t.effects.ended);
    cr_assert_eq (t.effects.error, 0);
    begin (&request, 0);
    results_of (ids, (rm_outcome_t[]){RM_OUTCOME_NONE, RM_OUTCOME_NONE, RM_OUTCOME_NONE}, 3);
    cr_assert_eq (t.effects.error, RM_ETIMEDOUT);
    cr_assert_str_eq (rm_pirate_text (&t.pirate), "none of 3 jobs has ended after 0.0 s");
}

Test (pirate, an_error_number_from_the_wire_is_one_of_ours)
{
    submit ("x", 1000);
    error (-4711, 0);
    cr_expect_eq (t.effects.error, RM_EPROTO);
    submit ("x", 1000);
    error (17, 0);
    cr_expect_eq (t.effects.error, RM_EPROTO);
}

Test (pirate, re_sends_are_a_bounded_part_of_the_traffic)
{
    uint64_t from_ms = t.now_ms;
    int slow = 0, requests = 100;
    for (int i = 0; i < requests; i++) { /* every request needs a second send */
        submit ("x", 60000);
        slow += silence () > 250;
        accept_it (1);
    }
    uint64_t seconds = (t.now_ms - from_ms) / 1000;
    cr_expect_gt (slow, requests / 2, "%d", slow);
    cr_expect_leq ((uint64_t)(t.sends - requests),
                   RM_RETRY_TOKENS_MAX + requests / 10 + seconds * RM_RETRY_FLOOR_PER_S + 1);
    for (int i = 0; i < 20; i++) { /* those that need none earn what others need */
        submit ("x", 60000);
        accept_it (1);
    }
    submit ("x", 60000);
    cr_expect_eq (silence (), 250);
}
