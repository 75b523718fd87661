#include "work_fixture.h"

#include <stdlib.h>

#include "proto/alloc.h"

TestSuite (work_jobs, .init = make_leased, .fini = destroy);

Test (work_jobs, a_dispatch_is_offered_once_with_all_it_says)
{
    dispatch (1, keyed (3, "bob", 7));
    turn ();
    rm_work_job_t *offer = offered (3);
    cr_assert (offer);
    cr_assert_eq (offer->token, TERM * 1000 + 3);
    cr_assert_eq (offer->attempt, 1);
    cr_assert_eq (offer->queue, 0);
    cr_assert_eq (offer->result_bytes_max, 1000);
    cr_assert_str_eq (offer->key.data, "bob");
    cr_assert_eq (offer->data.size, 7);
    cr_assert_str_eq (offer->data.data, "payload");
    turn ();
    cr_assert_null (effects->starts);
}

Test (work_jobs, a_doubled_dispatch_is_dropped)
{
    dispatch (1, job (3));
    turn ();
    dispatch (1, job (3));
    turn ();
    cr_assert_null (effects->starts);
    cr_assert_eq (rm_work_held_count (half), 1);
}

Test (work_jobs, behind_a_gap_nothing_is_taken_until_all_is_sent_again)
{
    dispatch (2, job (4));
    turn ();
    cr_assert_null (effects->starts);
    rm_dispatch_job_t both[] = {job (3), job (4)};
    give (dispatch_of (TERM, EPOCH, INC, 1, both, 2));
    after (250);
    cr_assert (offered (3) && offered (4));
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.upto, 2);
}

Test (work_jobs, the_part_of_a_message_that_is_new_is_taken)
{
    dispatch (1, job (3));
    rm_dispatch_job_t more[] = {job (3), job (4)};
    give (dispatch_of (TERM, EPOCH, INC, 1, more, 2));
    cr_assert_eq (rm_work_held_count (half), 2);
}

Test (work_jobs, every_report_says_what_is_held_in_the_order_it_came)
{
    dispatch (1, job (9));
    dispatch (2, job (4));
    after (250);
    const rm_report_t *report = &said (RM_MSG_HEARTBEAT)->heartbeat.report;
    cr_assert_eq (report->term, TERM);
    cr_assert_eq (report->inc, INC);
    cr_assert_eq (report->upto, 2);
    cr_assert_eq (report->held_count, 2);
    cr_assert_eq (report->held[0], 9);
    cr_assert_eq (report->held[1], 4);
}

Test (work_jobs, a_job_starts_once)
{
    dispatch (1, job (3));
    turn ();
    rm_work_job_t *running = start (3);
    cr_assert_not (rm_work_try_start (half, running, now));
    finish (running);
}

Test (work_jobs, the_next_of_a_key_starts_only_when_the_one_before_is_committed)
{
    rm_dispatch_job_t jobs[] = {keyed (3, "bob", 7), keyed (4, "bob", 7)};
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 2));
    turn ();
    cr_assert_null (offered (4));
    finish (start (3));
    turn ();
    cr_assert (reported (3));
    cr_assert_null (effects->starts, "finished is not committed");
    committed (3);
    turn ();
    finish (start (4));
}

Test (work_jobs, other_keys_other_queues_and_no_key_do_not_wait_for_each_other)
{
    rm_dispatch_job_t jobs[] = {keyed (3, "bob", 7), keyed (4, "eve", 7), keyed (5, "bob", 7), job (6), job (7)};
    jobs[2].queue = BYTES ("r");
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 5));
    turn ();
    for (uint64_t id = 3; id <= 7; id++)
        cr_assert (offered (id), "job %lu", (unsigned long)id);
}

Test (work_jobs, a_result_is_told_with_what_it_was)
{
    dispatch (1, job (3));
    turn ();
    finish (start (3));
    turn ();
    const rm_done_job_t *done = reported (3);
    cr_assert_eq (done->token, TERM * 1000 + 3);
    cr_assert_eq (done->attempt, 1);
    cr_assert_eq (done->verdict, RM_VERDICT_OK);
    cr_assert_eq (done->ran_us, 3);
    cr_assert_eq (done->data.size, 6);
    cr_assert_arr_eq (done->data.data, "result", 6);
    cr_assert (holds (&said (RM_MSG_DONE)->done.report, 3), "a finished job is held until it is committed");
}

Test (work_jobs, a_result_is_kept_and_told_each_second_until_it_is_committed)
{
    dispatch (1, job (3));
    turn ();
    finish (start (3));
    turn ();
    cr_assert (reported (3));
    unsigned told = 0;
    for (int i = 0; i < 50; i++) { /* 2.5 s */
        after (50);
        told += reported (3) != NULL;
        if (said (RM_MSG_HEARTBEAT))
            answer_heartbeat ();
    }
    cr_assert_eq (told, 2);
    committed (3);
    cr_assert_eq (rm_work_held_count (half), 0);
    for (int i = 0; i < 50; i++) {
        after (50);
        cr_assert_null (reported (3));
        if (said (RM_MSG_HEARTBEAT))
            answer_heartbeat ();
    }
}

Test (work_jobs, a_new_connection_is_told_all_results_again)
{
    dispatch (1, job (3));
    turn ();
    finish (start (3));
    turn ();
    rm_work_disconnected (half);
    turn ();
    cr_assert_eq (effects->send_count, 0, "nobody is there to be told");
    rm_work_connected (half, now);
    turn ();
    cr_assert (reported (3));
    cr_assert (said (RM_MSG_HEARTBEAT));
}

Test (work_jobs, a_connection_that_replaces_another_is_told_all_results_again_too)
{
    dispatch (1, job (3));
    turn ();
    finish (start (3));
    turn ();
    rm_work_connected (half, now);
    turn ();
    cr_assert (reported (3));
}

Test (work_jobs, committed_concerns_only_what_has_finished)
{
    dispatch (1, job (3));
    dispatch (2, job (4));
    turn ();
    rm_work_job_t *running = start (3);
    committed (3);
    committed (4);
    committed (99);
    cr_assert_eq (rm_work_held_count (half), 2);
    finish (running);
    committed (3);
    cr_assert_eq (rm_work_held_count (half), 1);
}

static void stop (uint64_t term, uint64_t id, uint32_t attempt)
{
    give ((rm_msg_t){.type = RM_MSG_STOP,
                     .stop = {.term = term, .inc = INC, .jobs = &(rm_stop_job_t){id, attempt}, .job_count = 1}});
}

Test (work_jobs, what_is_stopped_before_it_began_is_handed_back_and_told_at_once)
{
    dispatch (1, job (3));
    dispatch (2, job (4));
    turn ();
    stop (TERM, 3, 1);
    turn ();
    cr_assert (said (RM_MSG_HEARTBEAT));
    const rm_report_t *report = &said (RM_MSG_HEARTBEAT)->heartbeat.report;
    cr_assert (report->upto == 2 && !holds (report, 3) && holds (report, 4));
}

Test (work_jobs, what_is_stopped_while_it_runs_is_cancelled_and_dead)
{
    dispatch (1, job (3));
    turn ();
    rm_work_job_t *running = start (3);
    stop (TERM, 3, 1);
    turn ();
    cr_assert_eq (effects->cancels, running);
    cr_assert (atomic_load (&running->cancelled));
    stop (TERM, 3, 1);
    turn ();
    cr_assert_null (effects->cancels, "once is enough");
    finish_with (running, RM_VERDICT_RETRY, "interrupted");
    turn ();
    cr_assert_eq (reported (3)->verdict, RM_VERDICT_DEAD);
}

Test (work_jobs, what_succeeds_although_it_is_stopped_has_succeeded)
{
    dispatch (1, job (3));
    turn ();
    rm_work_job_t *running = start (3);
    stop (TERM, 3, 1);
    finish (running);
    turn ();
    cr_assert_eq (reported (3)->verdict, RM_VERDICT_OK);
}

Test (work_jobs, a_stop_of_another_attempt_term_or_job_stops_nothing)
{
    dispatch (1, job (3));
    turn ();
    rm_work_job_t *running = start (3);
    stop (TERM, 3, 2);
    stop (TERM - 1, 3, 1);
    stop (TERM, 99, 1);
    turn ();
    cr_assert (!atomic_load (&running->cancelled));
}

Test (work_jobs, all_results_of_a_turn_go_in_one_message)
{
    rm_dispatch_job_t jobs[] = {job (3), job (4), job (5)};
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 3));
    turn ();
    rm_work_job_t *running[] = {start (3), start (4), start (5)};
    for (int i = 0; i < 3; i++)
        finish (running[i]);
    turn ();
    cr_assert_eq (said (RM_MSG_DONE)->done.job_count, 3);
    cr_assert_null (said_nth (RM_MSG_DONE, 1));
}

Test (work_jobs, large_results_are_spread_over_messages)
{
    static char large[200 << 10];
    memset (large, 'x', sizeof large - 1);
    rm_dispatch_job_t jobs[] = {job (3), job (4), job (5)};
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 3));
    turn ();
    rm_work_job_t *running[] = {start (3), start (4), start (5)};
    for (int i = 0; i < 3; i++)
        finish_with (running[i], RM_VERDICT_OK, large);
    turn ();
    cr_assert (said_nth (RM_MSG_DONE, 2));
    for (uint64_t id = 3; id <= 5; id++)
        cr_assert_eq (reported (id)->data.size, sizeof large - 1);
}

Test (work_jobs, a_failure_hands_back_those_behind_it_since_it_may_be_tried_again)
{
    rm_dispatch_job_t jobs[] = {keyed (3, "bob", 7), keyed (4, "bob", 7), keyed (5, "bob", 7), keyed (6, "eve", 7)};
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 4));
    turn ();
    rm_work_job_t *running = start (3);
    finish_with (running, RM_VERDICT_RETRY, "bank is down");
    turn ();
    const rm_report_t *report = &said (RM_MSG_DONE)->done.report;
    cr_assert_eq (reported (3)->verdict, RM_VERDICT_RETRY);
    cr_assert_eq (report->upto, 4);
    cr_assert (holds (report, 3) && holds (report, 6));
    cr_assert_not (holds (report, 4) || holds (report, 5));
    committed (3);
    turn ();
    cr_assert_null (effects->starts);
}

Test (work_jobs, behind_a_failure_nothing_of_its_key_is_taken)
{
    dispatch (1, keyed (3, "bob", 7));
    turn ();
    finish_with (start (3), RM_VERDICT_RETRY, "bank is down");
    turn ();
    dispatch (2, keyed (4, "bob", 7));
    turn ();
    const rm_report_t *report = &said (RM_MSG_HEARTBEAT)->heartbeat.report;
    cr_assert_eq (report->upto, 2);
    cr_assert_not (holds (report, 4));
}

Test (work_jobs, behind_a_job_that_is_dead_the_next_goes_on)
{
    rm_dispatch_job_t jobs[] = {keyed (3, "bob", 7), keyed (4, "bob", 7)};
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 2));
    turn ();
    finish_with (start (3), RM_VERDICT_DEAD, "no account");
    committed (3);
    turn ();
    finish (start (4));
}

Test (work_jobs, the_next_attempt_of_a_job_means_that_the_one_before_is_committed)
{
    dispatch (1, keyed (3, "bob", 7));
    turn ();
    finish_with (start (3), RM_VERDICT_RETRY, "bank is down");
    turn ();
    rm_dispatch_job_t again = keyed (3, "bob", 7);
    again.attempt = 2;
    again.token++;
    dispatch (2, again);
    turn ();
    rm_work_job_t *running = start (3);
    cr_assert_eq (running->attempt, 2);
    cr_assert_eq (running->token, again.token);
    finish (running);
}

Test (work_jobs, a_job_that_runs_is_not_run_beside_itself)
{
    dispatch (1, job (3));
    turn ();
    rm_work_job_t *running = start (3);
    rm_dispatch_job_t again = job (3);
    again.token++;
    dispatch (2, again);
    turn ();
    cr_assert_null (effects->starts);
    cr_assert_eq (running->token, again.token - 1);
    finish (running);
    turn ();
    cr_assert_eq (reported (3)->token, again.token - 1);
}

Test (work_jobs, a_job_that_has_not_started_takes_the_newer_token)
{
    dispatch (1, job (3));
    turn ();
    rm_work_job_t *offer = offered (3);
    rm_dispatch_job_t again = job (3);
    again.token++;
    dispatch (2, again);
    turn ();
    cr_assert_null (effects->starts);
    cr_assert_eq (offer->token, again.token);
    cr_assert_eq (rm_work_held_count (half), 1);
}

Test (work_jobs, a_queue_that_is_not_served_is_handed_back)
{
    rm_dispatch_job_t foreign = job (3);
    foreign.queue = BYTES ("other");
    dispatch (1, foreign);
    after (250);
    cr_assert_null (effects->starts);
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.upto, 1);
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.held_count, 0);
}

Test (work_jobs, a_timeout_cancels_and_decides_the_verdict)
{
    rm_dispatch_job_t brief = job (3);
    brief.timeout_ms = 100;
    dispatch (1, brief);
    turn ();
    rm_work_job_t *running = start (3);
    cr_assert_eq (rm_work_timeout_at (half), now + 100);
    cr_assert_eq (rm_work_effects (half, now)->deadline_ms, now + 100);
    after (99);
    cr_assert_not (running->cancelled);
    after (1);
    cr_assert (running->cancelled);
    cr_assert_eq (effects->cancels, running);
    after (10);
    cr_assert_null (effects->cancels, "told once");
    finish (running);
    turn ();
    cr_assert_eq (reported (3)->verdict, RM_VERDICT_TIMEOUT);
    cr_assert_eq (reported (3)->data.size, 0);
    cr_assert_gt (reported (3)->reason.size, 0);
    live (1000);
    cr_assert_eq (effects->end, RM_WORK_GOES_ON);
}

Test (work_jobs, a_handler_that_ignores_its_timeout_ends_the_process_after_handing_back)
{
    rm_dispatch_job_t jobs[] = {job (3), job (4), job (5)};
    jobs[0].timeout_ms = 100;
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 3));
    turn ();
    rm_work_job_t *hung = start (3), *good = start (4);
    after (100);
    cr_assert (hung->cancelled);
    cr_assert_eq (effects->deadline_ms <= now + 250, true);
    after (249);
    cr_assert_eq (effects->end, RM_WORK_GOES_ON);
    finish (good);
    after (1);
    cr_assert_eq (effects->end, RM_WORK_END_HUNG);
    cr_assert (reported (4), "what is known is told");
    cr_assert_null (said (RM_MSG_HEARTBEAT), "it must not be given more, nor longer");
    const rm_report_t *report = &said (RM_MSG_LEAVE)->leave.report;
    cr_assert (holds (report, 3), "the hung one still runs: nobody else may have it before the process is gone");
    cr_assert_not (holds (report, 5));
    cr_assert_not (rm_work_try_start (half, effects->withdrawn, now));
}

Test (work_jobs, the_earliest_timeout_of_all_is_the_deadline)
{
    rm_dispatch_job_t jobs[] = {job (3), job (4), job (5)};
    jobs[0].timeout_ms = 150;
    jobs[1].timeout_ms = 50;
    jobs[2].timeout_ms = 0;
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 3));
    turn ();
    rm_work_job_t *running[] = {start (3), start (4), start (5)};
    cr_assert_eq (rm_work_timeout_at (half), now + 50);
    after (50);
    finish (running[1]);
    after (60);
    cr_assert_eq (effects->deadline_ms, now + 40);
    after (40);
    cr_assert (running[0]->cancelled);
    cr_assert_not (running[2]->cancelled, "0 is no timeout");
    finish (running[0]);
    finish (running[2]);
}

Test (work_jobs, a_declined_job_is_offered_again_and_a_withdrawn_one_is_not)
{
    dispatch (1, job (3));
    dispatch (2, keyed (4, "bob", 7));
    turn ();
    rm_work_job_t *a = offered (3), *b = offered (4);
    rm_work_declined (half, a);
    phase_1 (TERM, EPOCH + 1);
    phase_2 (TERM, EPOCH + 1, 7, 7);
    turn ();
    cr_assert_eq (effects->starts, a);
    cr_assert_eq (effects->withdrawn, b);
    cr_assert_not (rm_work_try_start (half, b, now));
    rm_work_declined (half, b);
    turn ();
    cr_assert_null (effects->starts);
}

Test (work_jobs, no_more_is_held_than_a_report_can_name)
{
    for (uint64_t id = 1; id <= RM_WORKER_HELD_MAX + 1; id++)
        dispatch (id, job (id));
    cr_assert_eq (rm_work_held_count (half), RM_WORKER_HELD_MAX);
    after (250);
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.upto, RM_WORKER_HELD_MAX,
                  "the last one is asked for again");
}

static int allocations_left = -1; /* -1: as many as wanted */

static void *stingy_resize (void *memory, size_t size)
{
    if (!allocations_left)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    return realloc (memory, size);
}

static const rm_allocator_t stingy = {.resize = stingy_resize, .release = free};

Test (work_jobs, without_memory_a_dispatch_is_asked_for_again_and_a_result_told_later)
{
    rm_alloc_set (&stingy);
    unsigned refused = 0;
    for (int grant = 0; grant < 6; grant++) {
        uint64_t id = 100 + (uint64_t)grant;
        allocations_left = grant;
        dispatch ((uint64_t)grant + 1, job (id));
        turn ();
        if (!offered (id)) {
            refused++;
            allocations_left = -1;
            dispatch ((uint64_t)grant + 1, job (id));
            turn ();
        }
        rm_work_job_t *running = start (id);
        allocations_left = 0;
        rm_work_finished (half, running);
        for (int i = 0; i < 3; i++) {
            allocations_left = i;
            turn ();
        }
        allocations_left = -1;
        live (1500);
        committed (id);
        cr_assert_eq (rm_work_held_count (half), 0, "grant %d", grant);
    }
    cr_assert_eq (refused, 1);
    rm_alloc_set (NULL);
}
