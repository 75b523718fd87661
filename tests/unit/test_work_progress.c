/*  What running jobs say of themselves, at the worker: it extends their timeout, and is told at a pace, and again to whoever
 *  does not know it.
 */
#include <stdio.h>

#include "work_fixture.h"

TestSuite (work_progress, .init = make_leased, .fini = destroy);

static rm_work_job_t *running; /* job 3, which may run for 100 ms */

static void run_brief (void)
{
    rm_dispatch_job_t brief = job (3);
    brief.timeout_ms = 100;
    dispatch (1, brief);
    turn ();
    running = start (3);
}

static void say (uint32_t permille, const char *note)
{
    rm_work_progress (half, running, permille, rm_bytes (note), now);
}

/* What the last turn says of the job; NULL: nothing. */
static const rm_progress_job_t *told (void)
{
    const rm_msg_t *msg = said (RM_MSG_PROGRESS);
    if (!msg)
        return NULL;
    cr_assert (msg->progress.inc == INC && msg->progress.term == rm_work_term (half));
    cr_assert_eq (msg->progress.job_count, 1);
    cr_assert (msg->progress.jobs->id == 3 && msg->progress.jobs->attempt == 1);
    return msg->progress.jobs;
}

Test (work_progress, what_is_said_in_time_gives_a_job_its_whole_time_again)
{
    run_brief ();
    for (int i = 0; i < 20; i++) {
        live (50);
        cr_assert_not (running->cancelled, "after %d times 50 ms", i);
        say (i, "goes on");
    }
    cr_assert_eq (running->timeout_at, now + 100);
    after (99);
    cr_assert_not (running->cancelled);
    cr_assert_eq (effects->deadline_ms, now + 1);
    after (1);
    cr_assert (running->cancelled, "and no longer");
    finish (running);
    turn ();
    cr_assert_eq (reported (3)->verdict, RM_VERDICT_TIMEOUT);
}

Test (work_progress, it_counts_from_when_it_was_said_and_not_if_that_was_too_late)
{
    run_brief ();
    now += 100;
    rm_work_progress (half, running, 1, rm_bytes ("just in time"), now - 1);
    turn ();
    cr_assert_not (running->cancelled);
    cr_assert_eq (running->timeout_at, now + 99);
    now += 99;
    say (2, "too late");
    turn ();
    cr_assert (running->cancelled);
    say (3, "stops");
    live (200);
    after (50);
    cr_assert_eq (effects->end, RM_WORK_END_HUNG, "who was told to stop is not saved by what it says");
}

Test (work_progress, a_job_without_a_timeout_gets_none)
{
    rm_dispatch_job_t endless = job (3);
    endless.timeout_ms = 0;
    dispatch (1, endless);
    turn ();
    running = start (3);
    say (1, "");
    live (100000);
    cr_assert_not (running->cancelled);
    finish (running);
}

Test (work_progress, the_newest_is_told_and_not_more_often_than_is_read)
{
    run_brief ();
    say (0, "begins");
    turn ();
    cr_assert (told ());
    cr_assert_eq (told ()->permille, 0);
    for (int i = 1; i <= 9; i++) {
        say (i, "goes on");
        after (10);
        cr_assert_null (told ());
    }
    say (2000, "page 12");
    cr_assert_eq (turn ()->deadline_ms, now + 10);
    after (10);
    cr_assert_eq (told ()->permille, RM_PERMILLE_MAX, "no more than all");
    cr_assert (rm_bytes_equal (told ()->note, rm_bytes ("page 12")));
    after (100);
    cr_assert_null (told (), "told once");
}

Test (work_progress, a_long_note_is_cut)
{
    char note[RM_NOTE_BYTES_MAX + 100];
    memset (note, 'n', sizeof note - 1);
    note[sizeof note - 1] = 0;
    run_brief ();
    say (1, note);
    turn ();
    cr_assert_eq (told ()->note.size, RM_NOTE_BYTES_MAX);
    say (1, "");
    after (100);
    cr_assert_eq (told ()->note.size, 0);
}

Test (work_progress, a_new_master_and_a_new_connection_are_told_again_behind_a_report)
{
    rm_dispatch_job_t long_one = job (3);
    dispatch (1, long_one);
    turn ();
    running = start (3);
    say (500, "half");
    turn ();
    phase_1 (TERM + 1, EPOCH);
    after (100);
    cr_assert (told () && told ()->permille == 500);
    cr_assert_gt (said (RM_MSG_PROGRESS), said (RM_MSG_HEARTBEAT), "whose job it is, it must know first");
    rm_work_disconnected (half);
    after (100);
    cr_assert_null (told ());
    rm_work_connected (half, now);
    turn ();
    cr_assert (told () && told ()->permille == 500);
}

Test (work_progress, without_a_lease_nothing_is_told_and_what_has_ended_is_not)
{
    rm_dispatch_job_t long_one = job (3);
    dispatch (1, long_one);
    turn ();
    running = start (3);
    after (1000);
    cr_assert_eq (rm_work_state (half), RM_WORK_UNLEASED);
    rm_work_connected (half, now);
    say (500, "half");
    after (100);
    cr_assert_null (told ());
    finish (running);
    after (250);
    answer_heartbeat ();
    turn ();
    cr_assert_null (told ());
    cr_assert (reported (3));
}

/* ---- partial results -------------------------------------------------------------------------------------------- */

static int say_partial (const char *text, size_t size)
{
    rm_work_partial_t *partial;
    int rc = rm_work_partial_new (half, running, text, size, &partial);
    if (!rc)
        rm_work_partial (half, partial);
    return rc;
}

/* "1:a 2:b ": those of the last turn. */
static const char *partials (void)
{
    static char text[256];
    *text = 0;
    for (unsigned m = 0; said_nth (RM_MSG_PARTIAL, m); m++) {
        const rm_msg_partial_t *msg = &said_nth (RM_MSG_PARTIAL, m)->partial;
        for (uint32_t i = 0; i < msg->partial_count; i++)
            snprintf (text + strlen (text), sizeof text - strlen (text), "%u:%.*s ", (unsigned)msg->partials[i].n,
                      (int)msg->partials[i].data.size, (const char *)msg->partials[i].data.data);
    }
    return text;
}

Test (work_progress, partial_results_are_told_once_in_order_and_before_the_end)
{
    run_brief ();
    say_partial ("a", 1);
    turn ();
    cr_assert_str_eq (partials (), "1:a ");
    say_partial ("b", 1);
    say_partial ("c", 1);
    after (50);
    cr_assert_str_eq (partials (), "", "not more often than is read");
    finish (running);
    turn ();
    cr_assert_str_eq (partials (), "2:b 3:c ");
    cr_assert_lt (said (RM_MSG_PARTIAL), said (RM_MSG_DONE));
    after (500);
    cr_assert_str_eq (partials (), "");
}

Test (work_progress, what_waits_to_be_told_is_bounded)
{
    static char large[RM_PARTIAL_BYTES_MAX + 1];
    run_brief ();
    rm_work_disconnected (half);
    cr_assert_eq (say_partial (large, sizeof large), RM_ETOOBIG);
    int taken = 0;
    while (!say_partial (large, RM_PARTIAL_BYTES_MAX))
        taken++;
    cr_assert (taken > 50 && taken < RM_WORKER_PARTIALS_BYTES_MAX / RM_PARTIAL_BYTES_MAX);
    cr_assert_eq (say_partial (large, RM_PARTIAL_BYTES_MAX), RM_EBUSY);
    rm_work_connected (half, now);
    turn ();
    uint32_t told_count = 0;
    for (unsigned m = 0; said_nth (RM_MSG_PARTIAL, m); m++)
        told_count += said_nth (RM_MSG_PARTIAL, m)->partial.partial_count;
    cr_assert_eq ((int)told_count, taken);
    turn ();
    cr_assert_eq (say_partial (large, RM_PARTIAL_BYTES_MAX), 0, "there is room again");
    give (rejoin (TERM, INC));
    turn ();
    cr_assert_str_eq (partials (), "", "an incarnation that was removed tells nothing");
    finish (running);
}
