#include "work_fixture.h"

TestSuite (work, .init = make_leased, .fini = destroy);
TestSuite (work_new, .init = make_new, .fini = destroy);

/* ---- joining --------------------------------------------------------------------------------------------------- */

Test (work_new, it_asks_to_join_until_it_is_answered)
{
    const rm_msg_join_t *join = &said (RM_MSG_JOIN)->join;
    cr_assert_eq (join->inc, INC);
    cr_assert_eq (join->threads, 4);
    cr_assert_eq (join->queue_count, 2);
    cr_assert_arr_eq (join->queues[1].data, "r", 1);
    cr_assert_arr_eq (join->name.data, "w", 1);
    cr_assert_arr_eq (join->pool.data, "default", 7);
    after (249);
    cr_assert_null (said (RM_MSG_JOIN));
    next_random = 1234;
    after (1);
    cr_assert_eq (said (RM_MSG_JOIN)->join.inc, INC, "the same worker asks again");
    give (joined (TERM, EPOCH, INC));
    after (250);
    cr_assert_null (said (RM_MSG_JOIN));
}

Test (work_new, the_first_lease_counts_from_the_send_of_the_first_join)
{
    after (300);
    cr_assert (said (RM_MSG_JOIN));
    give (joined (TERM, EPOCH, INC));
    turn ();
    cr_assert (effects->joined);
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
    after (699);
    cr_assert_not (effects->joined);
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
    after (1);
    cr_assert_eq (rm_work_state (half), RM_WORK_UNLEASED);
}

Test (work_new, a_joined_that_comes_too_late_grants_nothing_but_the_next_heartbeat_does)
{
    after (500);
    after (500);
    give (joined (TERM, EPOCH, INC));
    turn ();
    cr_assert_eq (rm_work_state (half), RM_WORK_JOINED);
    dispatch (1, job (3));
    answer_heartbeat ();
    turn ();
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
    finish (start (3));
}

Test (work_new, before_it_is_joined_it_takes_nothing)
{
    dispatch (1, job (3));
    phase_1 (TERM, EPOCH);
    give (heartbeat_ok (TERM, INC, 1, 0));
    give (joined (TERM, EPOCH, INC + 1));
    turn ();
    cr_assert_eq (rm_work_state (half), RM_WORK_NEW);
    cr_assert_eq (rm_work_held_count (half), 0);
    cr_assert_eq (effects->send_count, 0);
}

Test (work_new, a_rejoin_makes_it_ask_as_a_new_one_but_not_faster_than_heartbeats)
{
    next_random = 1234;
    give (rejoin (TERM, INC));
    turn ();
    cr_assert_null (said (RM_MSG_JOIN));
    after (250);
    cr_assert_eq (said (RM_MSG_JOIN)->join.inc, 1234);
}

Test (work_new, a_refusal_for_good_ends_it_with_the_masters_words)
{
    give ((rm_msg_t){.type = RM_MSG_ERROR, .error = {.code = RM_EDENIED, .text = BYTES ("not you")}});
    turn ();
    cr_assert_eq (effects->end, RM_WORK_END_REFUSED);
    cr_assert_eq (effects->end_code, RM_EDENIED);
    cr_assert_str_eq (effects->text, "not you");
}

Test (work_new, a_refusal_for_now_lets_it_ask_again)
{
    give ((rm_msg_t){.type = RM_MSG_ERROR, .error = {.code = RM_EBUSY, .text = BYTES ("later")}});
    after (250);
    cr_assert_eq (effects->end, RM_WORK_GOES_ON);
    cr_assert (said (RM_MSG_JOIN));
}

Test (work_new, without_any_master_it_gives_up_after_its_patience)
{
    for (int i = 0; i < 9; i++) {
        after (1000);
        cr_assert_eq (effects->end, RM_WORK_GOES_ON);
        rm_work_connected (half, now);
    }
    after (RM_WORK_PATIENCE_MS - 9000);
    cr_assert_eq (effects->end, RM_WORK_END_UNREACHABLE);
}

Test (work_new, a_master_that_does_not_answer_is_changed_for_another)
{
    after (2999);
    cr_assert_not (effects->reconnect);
    after (1);
    cr_assert (effects->reconnect);
    after (1000);
    cr_assert_not (effects->reconnect, "once is enough");
    cr_assert_eq (effects->send_count, 0);
    rm_work_connected (half, now);
    turn ();
    cr_assert_eq (said (RM_MSG_JOIN)->join.inc, INC);
}

Test (work_new, stopped_before_it_joined_it_just_ends)
{
    rm_work_stop (half, now);
    turn ();
    cr_assert_eq (effects->end, RM_WORK_END_LEFT);
}

/* ---- heartbeats and leases ------------------------------------------------------------------------------------- */

Test (work, heartbeats_are_numbered_and_carry_what_the_master_last_named)
{
    after (250);
    uint64_t n = said (RM_MSG_HEARTBEAT)->heartbeat.n;
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.seen, 0);
    give (heartbeat_ok (TERM, INC, n, 0));
    dispatch (1, job (3));
    turn ();
    after (250);
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.n, n + 1);
    give (heartbeat_ok (TERM, INC, n + 1, 1));
    after (250);
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.seen, 1);
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.upto, 1);
}

Test (work, a_gap_that_the_master_names_is_told_at_once_and_only_once)
{
    after (250);
    give (heartbeat_ok (TERM, INC, said (RM_MSG_HEARTBEAT)->heartbeat.n, 2));
    turn ();
    const rm_msg_heartbeat_t *gap = &said (RM_MSG_HEARTBEAT)->heartbeat;
    cr_assert_eq (gap->seen, 2);
    cr_assert_eq (gap->report.upto, 0);
    give (heartbeat_ok (TERM, INC, gap->n, 2));
    turn ();
    cr_assert_null (said (RM_MSG_HEARTBEAT));
}

Test (work, a_lease_counts_from_the_send_of_the_heartbeat_that_was_answered)
{
    after (250);
    uint64_t n = said (RM_MSG_HEARTBEAT)->heartbeat.n, sent = now;
    after (250);
    after (250);
    give (heartbeat_ok (TERM, INC, n, 0)); /* an answer to an old one is worth what that one was */
    after (sent + 999 - now);
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
    after (1);
    cr_assert_eq (rm_work_state (half), RM_WORK_UNLEASED);
}

Test (work, an_answer_to_another_term_or_incarnation_or_to_nothing_grants_no_lease)
{
    for (int i = 0; i < 4; i++) {
        after (250);
        uint64_t n = said (RM_MSG_HEARTBEAT)->heartbeat.n;
        give (heartbeat_ok (TERM - 1, INC, n, 0));
        give (heartbeat_ok (TERM + 1, INC, n, 0));
        give (heartbeat_ok (TERM, INC + 1, n, 0));
        give (heartbeat_ok (TERM, INC, n + 1, 0));
        turn ();
    }
    cr_assert_eq (rm_work_state (half), RM_WORK_UNLEASED);
}

Test (work, without_a_lease_nothing_is_started_and_what_runs_is_cancelled)
{
    dispatch (1, job (3));
    dispatch (2, job (4));
    turn ();
    rm_work_job_t *running = start (3), *waiting = offered (4);
    after (999);
    cr_assert_not (running->cancelled);
    cr_assert_not (rm_work_try_start (half, waiting, now + 1), "not even before the loop has noticed");
    after (1);
    cr_assert (running->cancelled);
    cr_assert_eq (effects->cancels, running);
    cr_assert_not (rm_work_try_start (half, waiting, now));
    rm_work_declined (half, waiting);
    dispatch (3, job (5));
    turn ();
    cr_assert_null (effects->starts);
    finish (running);
}

Test (work, what_a_lost_lease_interrupted_is_told_once_leased_again)
{
    dispatch (1, job (3));
    dispatch (2, job (4));
    turn ();
    rm_work_job_t *running = start (3), *waiting = offered (4);
    after (1000);
    finish (running); /* as if it had done well */
    rm_work_declined (half, waiting);
    rm_work_connected (half, now);
    turn ();
    cr_assert_null (reported (3));
    answer_heartbeat ();
    turn ();
    cr_assert_eq (reported (3)->verdict, RM_VERDICT_INTERRUPTED);
    cr_assert_eq (reported (3)->data.size, 0);
    cr_assert (offered (4), "what had not started may start now");
}

Test (work, a_handler_that_runs_on_past_the_grace_ends_the_process)
{
    dispatch (1, job (3));
    turn ();
    start (3);
    after (1000);
    after (249);
    cr_assert_eq (effects->end, RM_WORK_GOES_ON);
    cr_assert_leq (effects->deadline_ms, now + 1);
    after (1);
    cr_assert_eq (effects->end, RM_WORK_END_HUNG);
    cr_assert_null (said (RM_MSG_DONE));
}

Test (work, a_process_that_was_paused_gives_its_handlers_the_grace_it_could_not_give_in_time)
{
    dispatch (1, job (3));
    turn ();
    rm_work_job_t *running = start (3);
    after (60000);
    cr_assert (running->cancelled);
    cr_assert_eq (effects->end, RM_WORK_GOES_ON);
    after (250);
    cr_assert_eq (effects->end, RM_WORK_END_HUNG);
}

Test (work, a_lease_that_comes_back_in_time_ends_nothing)
{
    dispatch (1, job (3));
    turn ();
    rm_work_job_t *running = start (3);
    after (1000);
    rm_work_connected (half, now);
    turn ();
    answer_heartbeat ();
    live (2000);
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
    cr_assert (running->cancelled, "what was told to stop stays told");
    finish (running);
}

Test (work, a_silent_master_is_changed_for_another_after_a_lease)
{
    cr_assert_not (effects->reconnect);
    after (999);
    cr_assert_not (effects->reconnect);
    after (1);
    cr_assert (effects->reconnect);
    after (250);
    cr_assert_eq (effects->send_count, 0);
    rm_work_connected (half, now);
    turn ();
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.inc, INC, "it is still the same member");
    answer_heartbeat ();
    turn ();
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
}

/* ---- who is meant ---------------------------------------------------------------------------------------------- */

Test (work, messages_to_other_incarnations_are_dropped)
{
    rm_dispatch_job_t one = job (3);
    give (dispatch_of (TERM, EPOCH, INC + 1, 1, &one, 1));
    give (dispatch_of (TERM + 1, EPOCH, INC + 1, 1, &one, 1));
    give (rejoin (TERM, INC + 1));
    give (left (TERM, INC + 1));
    cr_assert_eq (rm_work_held_count (half), 0);
    cr_assert_eq (rm_work_term (half), TERM);
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
    dispatch (1, job (3));
    turn ();
    finish (start (3));
    give (committed_of (TERM, INC + 1, &(rm_committed_job_t){3, 1}, 1));
    cr_assert_eq (rm_work_held_count (half), 1);
}

Test (work, a_committed_of_an_earlier_attempt_leaves_the_later_one)
{
    rm_dispatch_job_t second = job (3);
    second.attempt = 2;
    dispatch (1, second);
    turn ();
    finish (start (3));
    give (committed_of (TERM, INC, &(rm_committed_job_t){3, 1}, 1));
    cr_assert_eq (rm_work_held_count (half), 1);
    give (committed_of (TERM, INC, &(rm_committed_job_t){3, 2}, 1));
    cr_assert_eq (rm_work_held_count (half), 0);
}

Test (work, messages_of_older_terms_are_dropped)
{
    rm_dispatch_job_t one = job (3);
    give (dispatch_of (TERM - 1, EPOCH, INC, 1, &one, 1));
    give (rejoin (TERM - 1, INC));
    give (left (TERM - 1, INC));
    phase_1 (TERM - 1, EPOCH + 1);
    turn ();
    cr_assert_eq (rm_work_held_count (half), 0);
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
    cr_assert_null (answered (1));
    dispatch (1, job (3));
    turn ();
    finish (start (3));
    give (committed_of (TERM - 1, INC, &(rm_committed_job_t){3, 1}, 1));
    cr_assert_eq (rm_work_held_count (half), 1);
}

/* Holds a finished and a running job, and has received two dispatches. */
static rm_work_job_t *some_work (void)
{
    dispatch (1, job (3));
    dispatch (2, job (4));
    turn ();
    rm_work_job_t *running = start (4);
    finish (start (3));
    turn ();
    cr_assert (reported (3));
    return running;
}

static void check_adopted (rm_work_job_t *running)
{
    cr_assert_eq (rm_work_term (half), TERM + 1);
    cr_assert (reported (3), "a result is told to each new term");
    const rm_report_t *report = &said (RM_MSG_HEARTBEAT)->heartbeat.report;
    cr_assert_eq (report->term, TERM + 1);
    cr_assert (holds (report, 3) && holds (report, 4));
    finish (running);
}

Test (work, a_newer_term_is_adopted_from_a_sync)
{
    rm_work_job_t *running = some_work ();
    phase_1 (TERM + 1, EPOCH);
    turn ();
    cr_assert_eq (answered (1)->report.upto, 0);
    cr_assert_eq (answered (1)->report.term, TERM + 1);
    check_adopted (running);
}

Test (work, a_newer_term_is_adopted_from_a_dispatch_and_numbers_begin_again)
{
    rm_work_job_t *running = some_work ();
    rm_dispatch_job_t one = job (5);
    give (dispatch_of (TERM + 1, EPOCH, INC, 1, &one, 1));
    turn ();
    cr_assert (offered (5));
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.upto, 1);
    check_adopted (running);
}

Test (work, a_newer_term_is_adopted_from_a_joined_and_a_repeated_one_changes_nothing)
{
    rm_work_job_t *running = some_work ();
    give (joined (TERM, EPOCH, INC));
    turn ();
    cr_assert_null (reported (3));
    cr_assert_not (effects->joined);
    give (joined (TERM + 1, EPOCH, INC));
    turn ();
    check_adopted (running);
    cr_assert_not (effects->joined);
}

/* ---- removed --------------------------------------------------------------------------------------------------- */

Test (work, told_to_rejoin_it_forgets_all_and_comes_back_as_another_once_its_handlers_have_ended)
{
    rm_work_job_t *running = some_work ();
    dispatch (3, keyed (5, "bob", 7));
    turn ();
    rm_work_job_t *waiting = offered (5);
    next_random = 1234;
    give (rejoin (TERM, INC));
    cr_assert_eq (rm_work_held_count (half), 0);
    turn ();
    cr_assert (running->cancelled);
    cr_assert_eq (effects->cancels, running);
    cr_assert_eq (effects->withdrawn, waiting);
    cr_assert_not (rm_work_try_start (half, waiting, now));
    cr_assert_eq (effects->send_count, 0, "the removed one has nothing to say");
    after (249);
    cr_assert_eq (rm_work_state (half), RM_WORK_REJOIN);
    rm_work_declined (half, waiting);
    finish (running);
    after (1);
    cr_assert_eq (said (RM_MSG_JOIN)->join.inc, 1234);
    give (joined (TERM, EPOCH + 1, 1234));
    turn ();
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.upto, 0);
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.held_count, 0);
    cr_assert_null (said (RM_MSG_DONE));
    cr_assert_not (effects->joined, "ready is said once");
}

Test (work, a_master_that_began_again_with_an_empty_ledger_is_joined_once_no_other_can_be_left)
{
    after (1000);
    cr_assert_eq (rm_work_state (half), RM_WORK_UNLEASED);
    give (rejoin (TERM - 1, INC));
    after (RM_WORK_PATIENCE_MS - 1);
    give (rejoin (TERM - 1, INC));
    turn ();
    cr_assert_eq (rm_work_state (half), RM_WORK_UNLEASED, "it may still be a leader of the past");
    after (1);
    rm_work_connected (half, now);
    next_random = 1234;
    give (rejoin (TERM - 1, INC));
    turn ();
    cr_assert_eq (said (RM_MSG_JOIN)->join.inc, 1234);
    give (joined (TERM - 1, 0, 1234));
    turn ();
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
    cr_assert_eq (rm_work_term (half), TERM - 1);
}

Test (work, a_handler_of_a_removed_incarnation_that_runs_on_ends_the_process)
{
    some_work ();
    give (rejoin (TERM, INC));
    turn ();
    after (249);
    cr_assert_eq (effects->end, RM_WORK_GOES_ON);
    after (1);
    cr_assert_eq (effects->end, RM_WORK_END_HUNG);
}

/* ---- leaving --------------------------------------------------------------------------------------------------- */

Test (work, a_stopped_worker_hands_back_finishes_what_runs_and_asks_until_it_has_left)
{
    rm_dispatch_job_t jobs[] = {keyed (3, "bob", 7), keyed (4, "bob", 7), job (5)};
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 3));
    turn ();
    rm_work_job_t *running = start (3), *waiting = offered (5);
    rm_work_stop (half, now);
    turn ();
    const rm_report_t *report = &said (RM_MSG_LEAVE)->leave.report;
    cr_assert_eq (report->upto, 3);
    cr_assert_eq (report->held_count, 1);
    cr_assert (holds (report, 3));
    cr_assert_not (rm_work_try_start (half, waiting, now));
    cr_assert_not (running->cancelled);
    finish (running);
    turn ();
    cr_assert (reported (3));
    committed (3);
    turn ();
    cr_assert (said (RM_MSG_LEAVE), "nothing keeps it any more: that is told at once");
    for (int i = 0; i < 3; i++) {
        after (250);
        cr_assert (said (RM_MSG_LEAVE));
        answer_heartbeat ();
    }
    cr_assert_eq (effects->end, RM_WORK_GOES_ON);
    give (left (TERM, INC));
    turn ();
    cr_assert_eq (effects->end, RM_WORK_END_LEFT);
}

Test (work, a_leaving_worker_takes_no_more_work)
{
    rm_work_stop (half, now);
    turn ();
    dispatch (1, job (3));
    turn ();
    cr_assert_null (said (RM_MSG_HEARTBEAT), "the two would play ball");
    after (250);
    cr_assert_null (effects->starts);
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.upto, 1);
    cr_assert_eq (said (RM_MSG_HEARTBEAT)->heartbeat.report.held_count, 0);
}

Test (work, left_without_having_asked_ends_it_in_good_order)
{
    give (left (TERM, INC));
    turn ();
    cr_assert_eq (effects->end, RM_WORK_END_LEFT);
}

Test (work, a_leaving_worker_that_was_removed_has_left)
{
    rm_work_job_t *running = some_work ();
    rm_work_stop (half, now);
    give (rejoin (TERM, INC));
    turn ();
    cr_assert (running->cancelled);
    cr_assert_eq (effects->end, RM_WORK_GOES_ON);
    finish (running);
    turn ();
    cr_assert_eq (effects->end, RM_WORK_END_LEFT);
}

Test (work, without_a_master_a_leaving_worker_that_holds_nothing_goes_when_its_lease_is_over)
{
    rm_work_stop (half, now);
    after (999);
    cr_assert_eq (effects->end, RM_WORK_GOES_ON);
    after (1);
    cr_assert_eq (effects->end, RM_WORK_END_LEFT);
}

Test (work, without_a_master_a_leaving_worker_keeps_its_results_for_its_patience)
{
    finish (some_work ());
    rm_work_stop (half, now);
    after (RM_WORK_PATIENCE_MS - 1);
    cr_assert_eq (effects->end, RM_WORK_GOES_ON);
    after (1);
    cr_assert_eq (effects->end, RM_WORK_END_UNREACHABLE);
}
