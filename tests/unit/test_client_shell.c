#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "net/clock.h"
#include "net/poll.h"
#include "net/socket.h"
#include "proto/msg.h"
#include "ringmaster/client.h"

/* ---- a master as a test wants it --------------------------------------------------------------------------------- */

typedef enum { ANSWER, IGNORE, DOUBLE, GARBAGE, NOISE, BUSY, REDIRECT, NO_LEADER, REFUSE } mood_t;

enum { MOODS_MAX = 16, ASKED_MAX = 64, JOBS_MAX = 8 };

/* Jobs are accepted by seq: seq n of any session is job 100 + n, so that the same request is the same job. */
typedef struct {
    pthread_t thread;
    rm_socket_t *socket;      /* the thread's, while it runs */
    char endpoint[300];       /* tcp://127.0.0.1:port */
    unsigned port;            /* 0 until it was bound first */
    mood_t moods[MOODS_MAX];  /* what to do with the n-th message; ANSWER after that */
    char leader[300];         /* REDIRECT: to there */
    char fellow[300];         /* the other master that a welcome names; empty: none */
    atomic_int greeted;       /* welcomes so far */
    int running_answers;      /* waits to be answered "running" before the result */
    rm_session_id_t session;  /* of the last submit */
    uint64_t seqs[ASKED_MAX]; /* of each submit that came, in order */
    uint64_t floor;           /* of the last submit */
    atomic_int asked, waits;  /* messages and waits so far */
    atomic_bool stop;
} master_t;

static void send_reply (master_t *self, const rm_route_t *route, const rm_msg_t *reply, bool twice)
{
    rm_buf_t buf = {0};
    cr_assert_eq (rm_msg_encode (reply, &buf), 0);
    for (int i = 0; i < 1 + twice; i++)
        (void)rm_socket_send (self->socket, route, buf.data, buf.size);
    rm_buf_close (&buf);
}

static void greet (master_t *self, const rm_route_t *route)
{
    rm_bytes_t masters[] = {rm_bytes (self->endpoint), rm_bytes (self->fellow)};
    rm_msg_t reply = {.type = RM_MSG_WELCOME, .welcome = {.term = 7, .payload_bytes_max = 1, .result_bytes_max = 1}};
    reply.welcome.work = rm_bytes ("tcp://127.0.0.1:1");
    reply.welcome.sync = rm_bytes ("tcp://127.0.0.1:2");
    reply.welcome.http = rm_bytes ("http://127.0.0.1:3");
    reply.welcome.masters = masters;
    reply.welcome.master_count = *self->fellow ? 2 : 0;
    self->greeted++;
    send_reply (self, route, &reply, false);
}

static void answer (master_t *self, const rm_route_t *route, const rm_msg_t *msg, bool twice)
{
    rm_accepted_job_t accepted[JOBS_MAX];
    rm_result_job_t result, results[JOBS_MAX];
    rm_msg_t reply = {0};
    if (msg->type == RM_MSG_SUBMIT) {
        for (uint32_t i = 0; i < msg->submit.job_count; i++)
            accepted[i] = (rm_accepted_job_t){msg->submit.jobs[i].seq, 100 + msg->submit.jobs[i].seq};
        reply = (rm_msg_t){
            .type = RM_MSG_ACCEPTED,
            .accepted = {.session = msg->submit.session, .jobs = accepted, .job_count = msg->submit.job_count}};
    } else if (msg->type == RM_MSG_WAIT && msg->wait.any) { /* every second one has ended */
        for (uint32_t i = 0; i < msg->wait.id_count; i++)
            results[i] =
                (rm_result_job_t){.id = msg->wait.ids[i], .outcome = i % 2 ? RM_OUTCOME_DONE : RM_OUTCOME_NONE};
        results[1].outcome = RM_OUTCOME_GONE;
        reply = (rm_msg_t){.type = RM_MSG_RESULT, .result = {.jobs = results, .job_count = msg->wait.id_count}};
    } else if (msg->type == RM_MSG_WAIT) {
        bool running = self->waits++ < self->running_answers;
        result = (rm_result_job_t){.id = msg->wait.ids[0], .attempt = 2};
        result.outcome = running ? RM_OUTCOME_NONE : RM_OUTCOME_DONE;
        if (!running)
            result.data = (rm_bytes_t){"a\0b", 3};
        reply = (rm_msg_t){.type = RM_MSG_RESULT, .result = {.jobs = &result, .job_count = 1}};
    } else {
        reply = (rm_msg_t){.type = RM_MSG_ANSWER, .answer = {rm_bytes ("{\"term\":7}")}};
    }
    send_reply (self, route, &reply, twice);
}

static void react (master_t *self, const rm_route_t *route, const rm_msg_t *msg)
{
    if (msg->type == RM_MSG_HELLO) { /* what a client asks first, whatever the mood */
        greet (self, route);
        return;
    }
    int n = self->asked++; /* before the reply, so that the test may look at it after that */
    if (msg->type == RM_MSG_SUBMIT && n < ASKED_MAX) {
        self->session = msg->submit.session;
        self->seqs[n] = msg->submit.jobs[0].seq;
        self->floor = msg->submit.floor;
    }
    rm_result_job_t result;
    rm_msg_t reply = {0};
    switch (n < MOODS_MAX ? self->moods[n] : ANSWER) {
    case ANSWER:
    case DOUBLE:
        answer (self, route, msg, n < MOODS_MAX && self->moods[n] == DOUBLE);
        break;
    case IGNORE:
        break;
    case GARBAGE:
        (void)rm_socket_send (self->socket, route, "\xc1garbage", 8);
        break;
    case NOISE: /* what cannot be read, and the answer to something else, and only then the answer */
        (void)rm_socket_send (self->socket, route, "\xc1garbage", 8);
        result = (rm_result_job_t){.id = 1, .outcome = RM_OUTCOME_DONE};
        reply = (rm_msg_t){.type = RM_MSG_RESULT, .result = {.jobs = &result, .job_count = 1}};
        send_reply (self, route, &reply, false);
        reply = (rm_msg_t){0}; /* sent */
        answer (self, route, msg, false);
        break;
    case BUSY:
        reply = (rm_msg_t){.type = RM_MSG_BUSY, .busy = {.retry_after_ms = 60, .text = rm_bytes ("the queue is full")}};
        break;
    case REDIRECT:
    case NO_LEADER:
        reply = (rm_msg_t){.type = RM_MSG_NOT_LEADER};
        if (self->moods[n] == REDIRECT)
            reply.not_leader.leader = rm_bytes (self->leader);
        break;
    case REFUSE:
        reply = (rm_msg_t){.type = RM_MSG_ERROR, .error = {.code = RM_ETOOBIG, .text = rm_bytes ("too big for me")}};
        break;
    }
    if (reply.type)
        send_reply (self, route, &reply, false);
}

static void *serve (void *arg)
{
    master_t *self = arg;
    rm_frame_t frame = {0};
    rm_route_t route;
    while (!self->stop) {
        rm_poll_t item = {.socket = self->socket, .fd = -1};
        rm_poll (&item, 1, 20);
        while (rm_socket_recv (self->socket, &route, &frame) == 1) {
            rm_msg_t msg;
            if (rm_msg_decode (&msg, rm_frame_data (&frame), rm_frame_size (&frame), NULL))
                continue;
            react (self, &route, &msg);
            rm_msg_close (&msg);
        }
    }
    rm_frame_close (&frame);
    rm_socket_close (&self->socket);
    return NULL;
}

static void master_start (master_t *self)
{
    rm_fault_t fault = {0};
    self->stop = false;
    self->socket = rm_socket_bind (RM_SOCKET_JOBS_ROUTER, "127.0.0.1", self->port, &fault);
    cr_assert (self->socket, "%s", fault.text);
    self->port = rm_socket_endpoint (self->socket)->port;
    snprintf (self->endpoint, sizeof self->endpoint, "%s", rm_socket_endpoint (self->socket)->text);
    cr_assert_eq (pthread_create (&self->thread, NULL, serve, self), 0);
}

static void master_stop (master_t *self)
{
    self->stop = true;
    pthread_join (self->thread, NULL);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static master_t master, other;
static rm_client_t *client;

static void set_up (void)
{
    cr_assert_eq (rm_net_init (), 0);
}

static void tear_down (void)
{
    rm_client_destroy (&client);
    if (master.port && !master.stop)
        master_stop (&master);
    if (other.port && !other.stop)
        master_stop (&other);
    rm_net_term ();
}

TestSuite (client, .init = set_up, .fini = tear_down, .timeout = 30);

static void connect_client (void)
{
    master_start (&master);
    client = rm_client_new (master.endpoint);
    cr_assert (client);
}

static uint64_t submit (const char *data)
{
    uint64_t id = 0;
    int error = rm_client_submit (client, rm_spec ("q", .data = data, .size = strlen (data)), 10000, &id);
    cr_assert_eq (error, 0, "%s", rm_client_error (client));
    return id;
}

Test (client, a_call_gives_the_bytes_of_the_result)
{
    master.running_answers = 2;
    connect_client ();
    rm_result_t *result = NULL;
    cr_assert_eq (rm_client_call (client, rm_spec ("q", .key = "k"), 5000, &result), 0);
    size_t size;
    cr_expect (!memcmp (rm_result_data (result, &size), "a\0b", 4), "all bytes, and a NUL behind them");
    cr_expect_eq (size, 3);
    cr_expect_eq (rm_result_id (result), 101);
    cr_expect_eq (rm_client_last_id (client), 101);
    cr_expect_eq (rm_result_outcome (result), RM_DONE);
    cr_expect_eq (rm_result_attempt (result), 2);
    cr_expect_str_empty (rm_result_reason (result));
    rm_result_destroy (&result);
    cr_expect_null (result);
}

Test (client, a_lost_reply_is_asked_for_with_the_same_seq)
{
    master.moods[0] = master.moods[1] = IGNORE;
    connect_client ();
    cr_expect_eq (submit ("x"), 101);
    cr_expect_eq (master.asked, 3);
    for (int i = 0; i < 3; i++)
        cr_expect_eq (master.seqs[i], 1);
    cr_expect_eq (submit ("x"), 102);
    cr_expect_eq (master.floor, 1);
}

Test (client, a_doubled_reply_answers_one_request)
{
    master.moods[0] = master.moods[1] = DOUBLE;
    connect_client ();
    cr_expect_eq (submit ("x"), 101);
    cr_expect_eq (submit ("y"), 102);
    cr_expect_eq (submit ("z"), 103);
    cr_expect_geq (master.asked, 3, "more if the machine was too slow for the first timeout");
}

Test (client, what_comes_before_the_answer_holds_up_nothing)
{
    master.moods[0] = master.moods[1] = NOISE;
    connect_client ();
    cr_assert_eq (rm_client_set (client, "cap", "60000"), 0); /* who waited for a try to time out would be too late */
    cr_assert_eq (rm_client_set (client, "initial", "60000"), 0);
    cr_expect_eq (submit ("x"), 101);
    cr_expect_eq (submit ("y"), 102);
    cr_expect_geq (master.asked, 4, "asked again at once behind each");
}

Test (client, garbage_is_no_answer)
{
    master.moods[0] = GARBAGE;
    connect_client ();
    cr_expect_eq (submit ("x"), 101);
    cr_expect_geq (master.asked, 2, "more if the machine was too slow for the first timeout");
}

Test (client, a_busy_master_is_asked_again_later)
{
    master.moods[0] = master.moods[1] = BUSY;
    connect_client ();
    uint64_t from_ms = rm_clock_ms ();
    cr_expect_eq (submit ("x"), 101);
    cr_expect_geq (rm_clock_ms () - from_ms, 120);
    cr_expect_eq (master.asked, 3);
}

Test (client, a_master_that_stays_busy_is_an_error_with_its_reason)
{
    for (int i = 0; i < MOODS_MAX; i++)
        master.moods[i] = BUSY;
    connect_client ();
    cr_expect_eq (rm_client_submit (client, rm_spec ("q"), 300, NULL), RM_EBUSY);
    cr_expect_str_eq (rm_client_error (client), "the queue is full");
}

Test (client, a_redirect_leads_to_the_leader_at_once)
{
    master_start (&other);
    snprintf (master.leader, sizeof master.leader, "%s", other.endpoint);
    master.moods[0] = REDIRECT;
    connect_client ();
    uint64_t from_ms = rm_clock_ms ();
    cr_expect_eq (submit ("x"), 101);
    cr_expect_lt (rm_clock_ms () - from_ms, 250, "no timeout was waited for");
    cr_expect_eq (submit ("y"), 102);
    cr_expect_eq (master.asked, 1);
    cr_expect_eq (other.asked, 2);
}

Test (client, the_next_master_is_asked_when_one_is_silent)
{
    char both[700];
    master_start (&other);
    master_start (&master);
    for (int i = 0; i < MOODS_MAX; i++)
        master.moods[i] = IGNORE;
    snprintf (both, sizeof both, "%s,%s", master.endpoint, other.endpoint);
    client = rm_client_new (both);
    cr_expect_eq (submit ("x"), 101);
    cr_expect_eq (other.seqs[0], 1);
    cr_expect_eq (other.asked, 1);
}

Test (client, the_others_are_learnt_from_one_that_dies_later)
{
    master_start (&other);
    snprintf (master.fellow, sizeof master.fellow, "%s", other.endpoint);
    connect_client ();
    cr_expect_eq (submit ("x"), 101);
    master_stop (&master);
    cr_expect_eq (submit ("y"), 102);
    cr_expect_eq (other.asked, 1);
}

Test (client, one_welcome_is_enough)
{
    for (int i = 0; i < 4; i++)
        master.moods[i] = BUSY;
    connect_client ();
    cr_expect_eq (rm_client_submit (client, rm_spec ("q"), 100, NULL), RM_EBUSY);
    submit ("x");
    submit ("y");
    cr_expect_eq (master.greeted, 1, "after a failure, too");
}

Test (client, a_long_job_is_no_failure)
{
    master.running_answers = 5; /* at once, each */
    connect_client ();
    rm_result_t *result = NULL;
    cr_expect_eq (rm_client_wait (client, 100, -1, &result), 0);
    cr_expect_eq (master.waits, 6);
    rm_result_destroy (&result);
}

Test (client, a_job_that_does_not_end_in_time_is_timed_out)
{
    master.running_answers = 1 << 30;
    connect_client ();
    rm_result_t *result = NULL;
    uint64_t from_ms = rm_clock_ms ();
    cr_expect_eq (rm_client_wait (client, 100, 150, &result), RM_ETIMEDOUT);
    cr_expect_lt (rm_clock_ms () - from_ms, 400);
    cr_expect_null (result);
}

static void *come_back (void *arg)
{
    (void)arg;
    while (master.asked < 3) /* a submit and two waits */
        rm_poll (NULL, 0, 5);
    master_stop (&master);
    rm_poll (NULL, 0, 300);
    master.running_answers = 0;
    master_start (&master);
    return NULL;
}

Test (client, a_master_that_comes_back_on_its_port_is_found_again)
{
    master.running_answers = 1;
    master.moods[2] = IGNORE;
    connect_client ();
    pthread_t thread;
    cr_assert_eq (pthread_create (&thread, NULL, come_back, NULL), 0);
    rm_result_t *result = NULL;
    cr_expect_eq (rm_client_call (client, rm_spec ("q"), 20000, &result), 0, "%s", rm_client_error (client));
    pthread_join (thread, NULL);
    cr_expect_eq (rm_result_id (result), 101);
    rm_result_destroy (&result);
}

Test (client, an_unreachable_master_is_told_in_time)
{
    connect_client ();
    master_stop (&master);
    uint64_t from_ms = rm_clock_ms ();
    cr_expect_eq (rm_client_submit (client, rm_spec ("q"), 600, NULL), RM_EUNREACHABLE);
    uint64_t took_ms = rm_clock_ms () - from_ms;
    cr_expect (took_ms >= 600 && took_ms < 1000, "%lu", took_ms);
    cr_expect (strstr (rm_client_error (client), master.endpoint), "%s", rm_client_error (client));
}

Test (client, a_refusal_is_told_in_the_master_s_words)
{
    master.moods[0] = REFUSE;
    connect_client ();
    cr_expect_eq (rm_client_submit (client, rm_spec ("q"), 600, NULL), RM_ETOOBIG);
    cr_expect_str_eq (rm_client_error (client), "too big for me");
    cr_expect_eq (submit ("y"), 101);
    cr_expect_str_empty (rm_client_error (client));
}

Test (client, another_process_goes_on_where_one_was_killed)
{
    char text[128];
    connect_client ();
    submit ("x");
    master.moods[1] = IGNORE;
    cr_assert_eq (rm_client_session (client, text, sizeof text), 0);
    cr_expect_eq (rm_client_submit (client, rm_spec ("q", .data = "y", .size = 1), 100, NULL), RM_EUNREACHABLE);
    rm_session_id_t session = master.session;
    rm_client_destroy (&client);
    client = rm_client_new (master.endpoint);
    cr_assert_eq (rm_client_resume (client, text), 0);
    cr_expect_eq (submit ("y"), 102);
    cr_expect_eq (master.seqs[1], 2);
    cr_expect (!memcmp (&session, &master.session, sizeof session));
    cr_expect_eq (rm_client_resume (client, text), RM_ESTATE, "too late");
}

Test (client, questions_are_answered_in_json)
{
    connect_client ();
    const char *json = NULL;
    cr_expect_eq (rm_client_query (client, "status", 0, NULL, 0, 1000, &json), 0);
    cr_expect_str_eq (json, "{\"term\":7}");
    cr_expect_eq (rm_client_drain (client, "w1", 1000, &json), 0);
    cr_expect_eq (rm_client_query (client, "endpoints", 0, NULL, 0, 1000, &json), 0);
    cr_expect_str_eq (
        json,
        "{\"term\":7,\"work\":\"tcp://127.0.0.1:1\",\"sync\":\"tcp://127.0.0.1:2\",\"http\":\"http://127.0.0.1:3\"}");
}

static atomic_int alarms;

static void on_alarm (int signal)
{
    (void)signal;
    alarms++;
}

Test (client, a_signal_runs_its_handler_and_the_wait_goes_on)
{
    sigset_t alarm_only;
    sigemptyset (&alarm_only);
    sigaddset (&alarm_only, SIGALRM);
    pthread_sigmask (SIG_BLOCK, &alarm_only, NULL); /* the master's thread is not to take it */
    master.moods[0] = IGNORE;
    connect_client ();
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction (SIGALRM, &action, NULL);
    pthread_sigmask (SIG_UNBLOCK, &alarm_only, NULL);
    struct itimerval timer = {.it_interval.tv_usec = 20000, .it_value.tv_usec = 20000};
    setitimer (ITIMER_REAL, &timer, NULL);
    cr_expect_eq (submit ("x"), 101);
    timer = (struct itimerval){0};
    setitimer (ITIMER_REAL, &timer, NULL);
    cr_expect_gt (alarms, 0);
}

Test (client, what_no_master_would_take_is_not_sent)
{
    connect_client ();
    char name[200], key[1100];
    memset (name, 'n', sizeof name - 1);
    memset (key, 'k', sizeof key - 1);
    name[sizeof name - 1] = key[sizeof key - 1] = 0;
    cr_expect_eq (rm_client_submit (client, NULL, 100, NULL), RM_EINVAL);
    cr_expect_eq (rm_client_submit (client, rm_spec (NULL), 100, NULL), RM_EINVAL);
    cr_expect_eq (rm_client_submit (client, rm_spec (""), 100, NULL), RM_EINVAL);
    cr_expect_eq (rm_client_submit (client, rm_spec ("a b"), 100, NULL), RM_EINVAL);
    cr_expect_eq (rm_client_submit (client, rm_spec (name), 100, NULL), RM_EINVAL);
    cr_expect_eq (rm_client_submit (client, rm_spec ("q", .key = key), 100, NULL), RM_ETOOBIG);
    cr_expect_eq (rm_client_submit (client, rm_spec ("q", .size = 1), 100, NULL), RM_EINVAL);
    cr_expect_eq (rm_client_submit (client, rm_spec ("q", .data = name, .size = 1 << 30), 100, NULL), RM_ETOOBIG);
    cr_expect_eq (rm_client_wait (client, 0, 100, NULL), RM_EINVAL);
    cr_expect_eq (rm_client_drain (client, "no such name", 100, NULL), RM_EINVAL);
    cr_expect_str_not_empty (rm_client_error (client));
    cr_expect_eq (master.asked, 0);
}

Test (client, a_bad_option_is_named)
{
    cr_expect_null (rm_client_new ("tcp://"));
    cr_expect_null (rm_client_new ("a,b"));
    client = rm_client_new ("127.0.0.1:1");
    cr_assert (client);
    const char *const bad[][2] = {{"speed", "1"},    {"initial", "0"},  {"initial", "x"}, {"initial", "-1"},
                                  {"factor", "1"},   {"factor", "nan"}, {"cap", "0"},     {"cap", "99999999999"},
                                  {"tries", "many"}, {"tries", ""},     {"", ""}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq (rm_client_set (client, bad[i][0], bad[i][1]), RM_EINVAL, "%s=%s", bad[i][0], bad[i][1]);
        cr_expect (strstr (rm_client_error (client), bad[i][0]));
    }
    cr_expect_eq (rm_client_set (client, "initial", "20"), 0);
    cr_expect_eq (rm_client_set (client, "factor", "1.5"), 0);
    cr_expect_eq (rm_client_set (client, "cap", "40"), 0);
    cr_expect_eq (rm_client_set (client, "tries", "2"), 0);
    uint64_t from_ms = rm_clock_ms ();
    cr_expect_eq (rm_client_submit (client, rm_spec ("q"), -1, NULL), RM_EUNREACHABLE);
    cr_expect_lt (rm_clock_ms () - from_ms, 400);
    cr_expect_eq (rm_client_set (client, "tries", "2"), RM_ESTATE, "too late");
}

Test (client, many_jobs_are_submitted_at_once_and_their_ids_come_in_order)
{
    master.moods[0] = IGNORE;
    connect_client ();
    const rm_spec_t specs[] = {*rm_spec ("q", .data = "a", .size = 1), *rm_spec ("q", .key = "k"), *rm_spec ("r")};
    uint64_t ids[3];
    cr_assert_eq (rm_client_submit_many (client, specs, 3, 10000, ids), 0, "%s", rm_client_error (client));
    for (uint64_t i = 0; i < 3; i++)
        cr_expect_eq (ids[i], 101 + i);
    cr_expect_eq (rm_client_last_id (client), 103);
    cr_expect_eq (master.seqs[1], master.seqs[0], "sent again, it was the same request");
    cr_expect_eq (submit ("next"), 104);
}

Test (client, a_wait_for_any_gives_the_results_there_are)
{
    connect_client ();
    const uint64_t ids[] = {101, 102, 103, 104};
    rm_result_t *results[4];
    cr_assert_eq (rm_client_wait_any (client, ids, 4, 5000, results), 0, "%s", rm_client_error (client));
    cr_assert_null (results[0]);
    cr_assert_null (results[2]);
    cr_assert_eq (rm_result_outcome (results[1]), RM_GONE);
    cr_assert_eq (rm_result_outcome (results[3]), RM_DONE);
    cr_assert_eq (rm_result_id (results[3]), 104);
    rm_result_destroy (&results[1]);
    rm_result_destroy (&results[3]);
}

Test (client, too_many_or_none_at_once_are_refused_with_a_sentence)
{
    connect_client ();
    static rm_spec_t specs[RM_CLIENT_MANY_MAX + 1];
    static uint64_t ids[RM_CLIENT_MANY_MAX + 1] = {1};
    static char large[16 << 20];
    rm_result_t *results[2];
    cr_expect_eq (rm_client_submit_many (client, specs, 0, 1000, ids), RM_EINVAL);
    cr_expect_eq (rm_client_submit_many (client, specs, RM_CLIENT_MANY_MAX + 1, 1000, ids), RM_EINVAL);
    specs[0] = *rm_spec ("q", .data = large, .size = sizeof large);
    specs[1] = *rm_spec ("");
    cr_expect_eq (rm_client_submit_many (client, specs, 2, 1000, ids), RM_EINVAL, "the second has no queue");
    specs[1] = *rm_spec ("q");
    cr_expect_eq (rm_client_submit_many (client, specs, 2, 1000, ids), RM_ETOOBIG);
    cr_expect_str_eq (rm_client_error (client), "2 jobs of 16777346 bytes in all are more than one message may have: "
                                                "submit fewer at once");
    cr_expect_eq (rm_client_wait_any (client, ids, 0, 1000, results), RM_EINVAL);
    cr_expect_eq (rm_client_wait_any (client, ids, 2, 1000, results), RM_EINVAL, "there is no job 0");
    cr_expect_eq (master.asked, 0, "nothing of it was sent");
}
