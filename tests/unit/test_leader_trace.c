/*  A job's life: every step in order, with its time where it is known, and said to be unknown where it is not. */
#include <stdio.h>

#include "leader_fixture.h"

static void begin (void)
{
    cluster_prepare ();
    state_format = RM_STATE_FORMAT;
    config.retry.jitter = RM_JITTER_NONE;
    cluster_begin ();
    turn ();
}

TestSuite (leader_trace, .init = begin, .fini = cluster_end);

static char life[4096];
static uint64_t began_ms, newest_ms;

static void add (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
static void add (const char *format, ...)
{
    size_t used = strlen (life);
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (life + used, sizeof life - used, format, arguments);
    va_end (arguments);
}

/* Times never go back in a life, but for those that are not known: these have a question mark. */
static void tell_step (void *arg, const rm_step_t *step)
{
    (void)arg;
    add ("%s%s%s", *life ? ", " : "", rm_step_name (step->kind), step->at_ms ? "" : "?");
    if (step->attempt)
        add (" %u", step->attempt);
    if (step->worker)
        add (" %s", step->worker);
    if (step->how)
        add (" %s", rm_attempt_how (step->how));
    if (step->kind == RM_STEP_ENDED)
        add (" %d", (int)step->outcome);
    if (step->until_ms)
        add (" +%d", (int)(step->until_ms - began_ms));
    if (step->other_id)
        add (" (%d)", (int)step->other_id);
    cr_assert (!step->at_ms || step->at_ms >= newest_ms, "the time goes back at: %s", life);
    newest_ms = step->at_ms ? step->at_ms : newest_ms;
}

static const char *life_of (uint64_t id)
{
    *life = 0;
    newest_ms = 0;
    cr_assert (rm_leader_life (leader, id, tell_step, NULL));
    return life;
}

Test (leader_trace, a_job_that_succeeds_at_once)
{
    worker_t *w1 = join_settled ("w1", 1);
    uint64_t id = put ("bob", "x");
    cr_assert_str_eq (life_of (id), "accepted, given 1 w1");
    after (100);
    finish (w1, id);
    cr_assert_str_eq (life_of (id), "accepted, given 1 w1, ended 1");
    cr_assert_not (rm_leader_life (leader, id + 1, tell_step, NULL));
}

Test (leader_trace, attempts_that_fail_and_crash_until_it_is_done_elsewhere)
{
    worker_t *w1 = join_settled ("w1", 1);
    began_ms = now.wall_ms;
    uint64_t id = put ("bob", "x");
    turn ();
    fail (w1, id, RM_VERDICT_RETRY);
    after (1500);
    die_and_be_removed (w1);
    worker_t *w2 = join_settled ("w2", 1);
    turn ();
    finish (w2, id);
    cr_assert_str_eq (life_of (id), "accepted, given 1 w1, failed 1 w1 failed +1000, given 2 w1, failed 2 w1 crashed, "
                                    "given 3 w2, ended 1");
}

Test (leader_trace, a_delay_a_stop_and_a_kick)
{
    rm_submit_job_t job = job_of ("q", NULL, "x");
    job.options.delay_ms = 2000;
    worker_t *w1 = join_settled ("w1", 1);
    began_ms = now.wall_ms;
    uint64_t id = put_job (&client, job);
    cr_assert_str_eq (life_of (id), "accepted, delayed +2000");
    after (2500);
    rm_msg_t order = {.type = RM_MSG_ORDER};
    order.order = (rm_msg_order_t){.what = rm_bytes ("bury"), .id = id};
    rm_leader_from_client (leader, now, &(rm_address_t){4, "boss"}, &order);
    turn ();
    cr_assert_str_eq (life_of (id), "accepted, delayed +2000, given 1 w1, stopping 1");
    fail (w1, id, RM_VERDICT_RETRY);
    order.order.what = rm_bytes ("kick");
    rm_leader_from_client (leader, now, &(rm_address_t){4, "boss"}, &order);
    turn ();
    cr_assert_str_eq (life_of (id), "accepted, given 1 w1, stopping 1, failed 1 w1 failed, ended 2, kicked (2)");
    cr_assert_str_eq (life_of (2), "accepted (1), given 1 w1");
}

Test (leader_trace, what_another_leader_handed_out_is_said_to_be_unknown)
{
    worker_t *w1 = join_settled ("w1", 1);
    began_ms = now.wall_ms;
    uint64_t id = put ("bob", "x");
    turn ();
    fail (w1, id, RM_VERDICT_RETRY);
    after (1500);
    cr_assert_str_eq (life_of (id), "accepted, given 1 w1, failed 1 w1 failed +1000, given 2 w1");
    failover (unapplied ());
    after (500);
    cr_assert_str_eq (life_of (id), "accepted, given? 1 w1, failed 1 w1 failed +1000, given? 2 w1");
    finish (w1, id);
    cr_assert_str_eq (life_of (id), "accepted, given? 1 w1, failed 1 w1 failed +1000, given? 2, ended 1");
}

Test (leader_trace, attempts_that_are_kept_no_longer_are_counted)
{
    worker_t *w1 = join_settled ("w1", 1);
    rm_submit_job_t job = job_of ("q", NULL, "x");
    job.tries = 20;
    job.options.retry_delay_ms = 1;
    job.options.retry_cap_ms = 1;
    uint64_t id = put_job (&client, job);
    for (int i = 0; i < RM_ATTEMPTS_KEPT + 3; i++) {
        turn ();
        fail (w1, id, RM_VERDICT_RETRY);
        after (500);
    }
    cr_assert_eq (strncmp (life_of (id), "accepted, forgotten? 3, given 4 w1, failed 4 w1 failed", 54), 0, "%s", life);
}
