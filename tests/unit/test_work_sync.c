#include "work_fixture.h"

TestSuite (work_sync, .init = make_leased, .fini = destroy);

enum { NEXT = EPOCH + 1, KEPT = 9000, LOST = 7 }; /* epochs; slots; KEPT moves too, but between others */

Test (work_sync, phase_1_is_answered_with_what_was_received_and_is_held)
{
    dispatch (1, job (9));
    dispatch (2, job (4));
    phase_1 (TERM, NEXT);
    turn ();
    const rm_msg_sync_t *answer = answered (1);
    cr_assert_eq (answer->term, TERM);
    cr_assert_eq (answer->epoch, NEXT);
    cr_assert_eq (answer->report.inc, INC);
    cr_assert_eq (answer->current_job, 9, "the highest, not the last");
    cr_assert_eq (answer->report.upto, 2);
    cr_assert (holds (&answer->report, 9) && holds (&answer->report, 4));
    cr_assert_not (answer->from_master);
    cr_assert_arr_eq (answer->name.data, "w", 1);
}

Test (work_sync, current_job_is_frozen_at_the_first_answer_and_the_report_is_not)
{
    dispatch (1, job (9));
    phase_1 (TERM, NEXT);
    turn ();
    dispatch (2, job (12));
    phase_1 (TERM, NEXT);
    turn ();
    cr_assert_eq (answered (1)->current_job, 9);
    cr_assert_eq (answered (1)->report.upto, 2);
    phase_1 (TERM, NEXT + 1);
    turn ();
    cr_assert_eq (answered (1)->current_job, 12);
}

Test (work_sync, what_was_received_and_handed_back_counts_as_received)
{
    rm_work_stop (half, now);
    dispatch (1, job (9));
    phase_1 (TERM, NEXT);
    turn ();
    cr_assert_eq (answered (1)->current_job, 9);
    cr_assert_eq (answered (1)->report.held_count, 0);
}

Test (work_sync, phase_2_counts_only_after_its_own_phase_1)
{
    dispatch (1, keyed (3, "bob", LOST));
    turn ();
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    cr_assert_null (answered (2));
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT + 1, LOST, LOST);
    turn ();
    cr_assert_null (answered (2), "the phase 1 of another epoch is not its own");
    cr_assert_eq (rm_work_held_count (half), 1);
}

Test (work_sync, what_has_not_started_in_a_lost_slot_is_handed_back_at_once)
{
    rm_dispatch_job_t jobs[] = {keyed (3, "bob", LOST), keyed (4, "bob", LOST), keyed (5, "eve", KEPT), job (6)};
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 4));
    turn ();
    rm_work_job_t *lost = offered (3);
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    const rm_msg_sync_t *answer = answered (2);
    cr_assert (answer->ok, "nothing of them runs");
    cr_assert_eq (answer->returned_count, 2);
    cr_assert_eq (answer->returned[0], 3);
    cr_assert_eq (answer->returned[1], 4);
    cr_assert_eq (answer->report.upto, 4);
    cr_assert_eq (answer->report.held_count, 2);
    cr_assert (holds (&answer->report, 5) && holds (&answer->report, 6));
    cr_assert_not (rm_work_try_start (half, lost, now), "handed back is final");
}

Test (work_sync, it_drains_until_what_runs_in_a_lost_slot_is_committed_and_says_ok_unasked)
{
    rm_dispatch_job_t jobs[] = {keyed (3, "bob", LOST), keyed (4, "bob", LOST)};
    give (dispatch_of (TERM, EPOCH, INC, 1, jobs, 2));
    turn ();
    rm_work_job_t *running = start (3);
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST + 1);
    turn ();
    cr_assert_not (answered (2)->ok);
    cr_assert_eq (answered (2)->returned_count, 1);
    cr_assert_not (running->cancelled, "a resize stops nothing");
    finish (running);
    phase_2 (TERM, NEXT, LOST, LOST + 1);
    turn ();
    cr_assert (reported (3));
    cr_assert_not (answered (2)->ok, "finished is not committed");
    cr_assert_eq (answered (2)->returned_count, 1, "a repeat is answered in the same words");
    committed (3);
    turn ();
    cr_assert (answered (2)->ok);
    cr_assert_eq (answered (2)->epoch, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST + 1);
    turn ();
    cr_assert (answered (2)->ok);
    turn ();
    cr_assert_null (answered (2), "and is not said for ever");
}

Test (work_sync, slots_that_do_not_move_go_on)
{
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    dispatch (1, keyed (3, "bob", KEPT));
    rm_dispatch_job_t free = job (4);
    give (dispatch_of (TERM, EPOCH, INC, 2, &free, 1));
    turn ();
    rm_work_job_t *running[] = {start (3), start (4)};
    finish (running[0]);
    finish (running[1]);
    turn ();
    cr_assert (reported (3) && reported (4));
}

Test (work_sync, a_dispatch_of_an_older_epoch_into_a_closed_slot_is_refused_and_that_is_told_at_once)
{
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    dispatch (1, keyed (3, "bob", LOST)); /* of EPOCH */
    turn ();
    cr_assert_null (effects->starts);
    const rm_report_t *report = &said (RM_MSG_HEARTBEAT)->heartbeat.report;
    cr_assert_eq (report->upto, 1);
    cr_assert_not (holds (report, 3));
}

Test (work_sync, a_dispatch_that_is_sent_again_in_the_closing_epoch_is_refused_too)
{
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    cr_assert (answered (2)->ok);
    rm_dispatch_job_t one = keyed (3, "bob", LOST);
    give (dispatch_of (TERM, NEXT, INC, 1, &one, 1));
    turn ();
    cr_assert_null (effects->starts, "it has said that nothing is left there");
    const rm_report_t *report = &said (RM_MSG_HEARTBEAT)->heartbeat.report;
    cr_assert_eq (report->upto, 1);
    cr_assert_not (holds (report, 3));
}

Test (work_sync, a_dispatch_of_a_later_epoch_opens_the_slot_again)
{
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    rm_dispatch_job_t one = keyed (3, "bob", LOST), two = keyed (4, "eve", LOST);
    give (dispatch_of (TERM, NEXT + 1, INC, 1, &one, 1));
    turn ();
    rm_work_job_t *running = start (3);
    give (dispatch_of (TERM, EPOCH, INC, 2, &two, 1)); /* late, but to a slot that is this worker's again */
    turn ();
    finish (start (4));
    finish (running);
}

Test (work_sync, a_slot_stays_closed_after_the_commit_and_in_the_next_term)
{
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    phase_3 (TERM, NEXT);
    phase_1 (TERM + 1, NEXT);
    turn ();
    rm_dispatch_job_t one = keyed (3, "bob", LOST);
    give (dispatch_of (TERM + 1, EPOCH, INC, 1, &one, 1));
    turn ();
    cr_assert_null (effects->starts);
    cr_assert_eq (rm_work_held_count (half), 0);
}

Test (work_sync, a_worker_that_is_not_among_the_members_rejoins)
{
    rm_sync_member_t other = {BYTES ("w"), INC + 1};
    phase_1 (TERM, NEXT);
    give ((rm_msg_t){
        .type = RM_MSG_SYNC,
        .sync = {.from_master = true, .phase = 2, .term = TERM, .epoch = NEXT, .members = &other, .member_count = 1}});
    cr_assert_eq (rm_work_state (half), RM_WORK_REJOIN, "the name is another process's, the incarnation counts");
}

Test (work_sync, the_resize_that_ran_when_it_joined_need_not_know_it)
{
    rm_sync_member_t other = {BYTES ("other"), 1};
    phase_1 (TERM, EPOCH);
    give ((rm_msg_t){
        .type = RM_MSG_SYNC,
        .sync = {.from_master = true, .phase = 2, .term = TERM, .epoch = EPOCH, .members = &other, .member_count = 1}});
    turn ();
    cr_assert_eq (rm_work_state (half), RM_WORK_LEASED);
    cr_assert_null (answered (2));
}

Test (work_sync, a_newer_epoch_supersedes_and_the_older_one_changes_nothing_any_more)
{
    dispatch (1, keyed (3, "bob", LOST));
    turn ();
    rm_work_job_t *running = start (3);
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    phase_1 (TERM, NEXT + 1);
    turn ();
    cr_assert_eq (answered (1)->epoch, NEXT + 1);
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, KEPT, KEPT);
    phase_3 (TERM, NEXT);
    turn ();
    cr_assert_eq (effects->send_count, 0);
    phase_2 (TERM, NEXT + 1, LOST, LOST);
    turn ();
    cr_assert_not (answered (2)->ok, "slots that drain keep draining");
    finish (running);
    committed (3);
    turn ();
    cr_assert_eq (answered (2)->epoch, NEXT + 1);
    cr_assert (answered (2)->ok);
}

Test (work_sync, a_slot_that_a_newer_epoch_gives_back_is_not_waited_for)
{
    dispatch (1, keyed (3, "bob", LOST));
    turn ();
    rm_work_job_t *running = start (3);
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    phase_1 (TERM, NEXT + 1);
    phase_2 (TERM, NEXT + 1, 1, 0);
    turn ();
    cr_assert (answered (2)->ok);
    finish (running);
}

Test (work_sync, a_newer_term_supersedes_the_same_epoch)
{
    dispatch (1, keyed (3, "bob", LOST));
    turn ();
    rm_work_job_t *running = start (3);
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    phase_2 (TERM + 1, NEXT, LOST, LOST);
    turn ();
    cr_assert_null (answered (2), "the new leader has not asked for its phase 1 yet");
    phase_1 (TERM + 1, NEXT);
    turn ();
    cr_assert_eq (answered (1)->term, TERM + 1);
    phase_2 (TERM + 1, NEXT, LOST, LOST);
    turn ();
    cr_assert_not (answered (2)->ok);
    phase_1 (TERM, NEXT + 5);
    turn ();
    cr_assert_null (answered (1), "the old one is heard no more");
    finish (running);
}

/* Dispatches are numbered anew in each term: under the older one, `upto` would mean other jobs. */
Test (work_sync, a_phase_of_an_older_term_is_not_answered_when_its_slots_are_empty_at_last)
{
    dispatch (1, keyed (3, "bob", LOST));
    turn ();
    rm_work_job_t *running = start (3);
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    cr_assert_not (answered (2)->ok);
    rm_dispatch_job_t other = job (4);
    give (dispatch_of (TERM + 1, NEXT, INC, 1, &other, 1));
    finish (running);
    turn ();
    give ((rm_msg_t){
        .type = RM_MSG_COMMITTED,
        .committed = {.term = TERM + 1, .inc = INC, .jobs = (rm_committed_job_t[]){{3, 1}}, .job_count = 1}});
    turn ();
    cr_assert_null (answered (2));
    phase_1 (TERM + 1, NEXT);
    phase_2 (TERM + 1, NEXT, LOST, LOST);
    turn ();
    cr_assert (answered (2)->ok);
    cr_assert_eq (answered (2)->term, TERM + 1);
}

Test (work_sync, a_sync_of_an_older_term_than_a_dispatch_is_not_heard)
{
    rm_dispatch_job_t one = job (3);
    give (dispatch_of (TERM + 2, EPOCH, INC, 1, &one, 1));
    turn ();
    phase_1 (TERM + 1, NEXT);
    turn ();
    cr_assert_null (answered (1));
    phase_1 (TERM + 2, EPOCH);
    turn ();
    cr_assert (answered (1));
}

Test (work_sync, phase_3_is_answered_and_late_repeats_are_not)
{
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    phase_3 (TERM, NEXT);
    turn ();
    cr_assert (answered (3)->ok);
    cr_assert_null (answered (2), "the resize is over");
    dispatch (1, keyed (3, "eve", KEPT));
    turn ();
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, KEPT, KEPT);
    turn ();
    cr_assert_eq (effects->send_count, 0);
    cr_assert_eq (rm_work_held_count (half), 1);
    phase_3 (TERM, NEXT);
    turn ();
    cr_assert (answered (3));
}

Test (work_sync, what_has_come_again_is_not_named_as_handed_back)
{
    dispatch (1, keyed (3, "bob", LOST));
    dispatch (2, keyed (4, "eve", LOST));
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    cr_assert_eq (answered (2)->returned_count, 2);
    rm_dispatch_job_t again = keyed (3, "bob", LOST);
    give (dispatch_of (TERM, NEXT + 1, INC, 3, &again, 1)); /* the news of that epoch is slower */
    phase_2 (TERM, NEXT, LOST, LOST);
    turn ();
    cr_assert (holds (&answered (2)->report, 3));
    cr_assert_eq (answered (2)->returned_count, 1);
    cr_assert_eq (answered (2)->returned[0], 4);
}

Test (work_sync, it_answers_without_a_lease_too)
{
    after (1000);
    cr_assert_eq (rm_work_state (half), RM_WORK_UNLEASED);
    rm_work_connected (half, now);
    phase_1 (TERM, NEXT);
    turn ();
    cr_assert (answered (1));
}

Test (work_sync, a_lost_lease_while_it_drains_ends_in_a_report_and_ok)
{
    dispatch (1, keyed (3, "bob", LOST));
    turn ();
    rm_work_job_t *running = start (3);
    phase_1 (TERM, NEXT);
    phase_2 (TERM, NEXT, LOST, LOST);
    after (1000);
    cr_assert (running->cancelled);
    finish (running);
    rm_work_connected (half, now);
    turn ();
    answer_heartbeat ();
    turn ();
    cr_assert_eq (reported (3)->verdict, RM_VERDICT_INTERRUPTED);
    committed (3);
    turn ();
    cr_assert (answered (2)->ok);
}
