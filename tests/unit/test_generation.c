/*  A new generation: nothing of a backup is lost or run twice by it, and nothing that came after the backup is taken for its
 *  own.
 */
#include "ledger_fixture.h"

#include "core/generation.h"
#include "counting_alloc.h"
#include "ledger_check.h"

enum { RESTORED_MS = 777000 };

/* Jobs 1 to 4: waits, is held by 11 after a crash, may have begun at 11 at most once, is done. 12 is on its way in. */
static void fill (void)
{
    ledger_open ();
    rm_entry_lead (ledger_begin_batch ());
    ledger_apply ();
    ledger_join (11, "default", "bank");
    ledger_begin (1, (uint64_t[]){11}, 1, 0);
    ledger_commit (1);
    ledger_join (12, "default", "bank");
    ledger_begin (2, (uint64_t[]){11, 12}, 2, 0);
    ledger_submit (1, 1, "bank", "bob", "one");
    ledger_submit (1, 2, "bank", "bob", "two");
    ledger_fail (2, 11, 1, RM_VERDICT_INTERRUPTED, "");
    ledger.job_flags = RM_JOB_AT_MOST_ONCE;
    ledger_submit (2, 1, "bank", NULL, "once");
    ledger.job_flags = 0;
    ledger_start (3, 11);
    ledger_submit (2, 2, "bank", "eve", "four");
    ledger_done (4, 11, 1, "result");
}

TestSuite (generation, .init = fill, .fini = ledger_close);

static void check_all (void)
{
    claim_t broken = check_state (&ledger.state);
    cr_assert_null (broken, "%s", broken);
}

static void begin_generation (void)
{
    cr_assert_eq (rm_generation_begin (&ledger.state, RESTORED_MS), 0);
    check_all ();
}

Test (generation, what_had_not_ended_waits_and_outcomes_stay)
{
    begin_generation ();
    cr_assert_eq (ledger.state.waiting_count, 2);
    cr_assert_eq (ledger_record (1)->outcome, RM_OUTCOME_NONE);
    cr_assert_eq (ledger_record (1)->crashes, 0);
    cr_assert_eq (ledger_record (2)->crashes, 1, "it is not the job's fault");
    cr_assert_eq (ledger_record (4)->outcome, RM_OUTCOME_DONE);
    cr_assert (blob_is (ledger_record (4)->result, "result"));
    cr_assert_eq (rm_state_accepted_count (&ledger.state), 4);
}

Test (generation, an_at_most_once_job_that_may_have_begun_is_lost)
{
    begin_generation ();
    cr_assert_eq (ledger_record (3)->outcome, RM_OUTCOME_DEAD);
    cr_assert (blob_is (ledger_record (3)->reason, "lost"));
}

Test (generation, there_are_no_members_and_none_of_them_comes_back)
{
    begin_generation ();
    cr_assert_eq (ledger.state.member_count, 0);
    ledger_join (11, "default", "bank");
    ledger_done (1, 11, 1, "late");
    cr_assert_eq (ledger.state.member_count, 0);
    cr_assert_eq (ledger_record (1)->outcome, RM_OUTCOME_NONE);
    ledger_join (13, "default", "bank");
    ledger_begin (ledger.state.epoch + 1, (uint64_t[]){13}, 1, 0);
    ledger_commit (ledger.state.epoch);
    ledger_done (1, 13, 1, "again");
    cr_assert_eq (ledger_record (1)->outcome, RM_OUTCOME_DONE);
    check_all ();
}

Test (generation, numbers_leave_a_gap)
{
    begin_generation ();
    cr_assert_eq (ledger.state.term, 1 + RM_GENERATION_TERMS);
    cr_assert_eq (ledger.state.epoch, 2 + (uint64_t)RM_GENERATION_EPOCHS);
    cr_assert_eq (ledger.state.committed_epoch, 1 + (uint64_t)RM_GENERATION_EPOCHS);
    cr_assert_eq (ledger.state.restored_ms, RESTORED_MS);
    cr_assert_eq (ledger_submit (3, 1, "bank", NULL, "new"), 5 + RM_GENERATION_IDS);
    check_all ();
    cr_assert (rm_state_gave (&ledger.state, 4));
    cr_assert (!rm_state_gave (&ledger.state, 5));
    cr_assert (!rm_state_gave (&ledger.state, 4 + RM_GENERATION_IDS));
    cr_assert (rm_state_gave (&ledger.state, 5 + RM_GENERATION_IDS));
    cr_assert (!rm_state_gave (&ledger.state, 6 + RM_GENERATION_IDS));
}

Test (generation, sessions_have_ended)
{
    begin_generation ();
    cr_assert_eq (ledger_submit (1, 1, "bank", "bob", "one"), 0);
    cr_assert_eq (ledger_submit (1, 3, "bank", "bob", "three"), 0);
    cr_assert_eq (ledger_submit (1, UINT64_MAX, "bank", "bob", "last"), 0);
    cr_assert_eq (rm_state_accepted_count (&ledger.state), 4);
}

static void cr_assert_survives (void)
{
    static rm_state_t other;
    rm_buf_t before = snapshot_of (&ledger.state);
    cr_assert_eq (before.data[0], 3);
    cr_assert_eq (rm_state_init (&other), 0);
    cr_assert_eq (rm_snapshot_restore (&other, before.data, before.size), 0);
    rm_buf_t after = snapshot_of (&other);
    cr_assert (same_bytes (&before, &after));
    cr_assert_null (check_state (&other));
    rm_buf_close (&before);
    rm_buf_close (&after);
    rm_state_close (&other);
}

Test (generation, one_follows_another_and_each_survives_a_snapshot)
{
    rm_buf_t first = snapshot_of (&ledger.state);
    cr_assert_eq (first.data[0], 2, "who was never restored is spelled as before");
    rm_buf_close (&first);
    begin_generation ();
    cr_assert_survives ();
    cr_assert_eq (ledger_submit (3, 1, "bank", NULL, "new"), 5 + RM_GENERATION_IDS);
    begin_generation ();
    cr_assert_survives ();
    cr_assert_eq (ledger_submit (4, 1, "bank", NULL, "newer"), 6 + 2 * RM_GENERATION_IDS);
    cr_assert_eq (rm_state_accepted_count (&ledger.state), 6);
    check_all ();
}

/* The three numbers stand behind the six of every state, behind the head; nothing here is large. */
Test (generation, a_gap_that_cannot_be_is_refused)
{
    static const struct {
        int number;
        uint64_t value;
    } wrong[] = {{0, 0},          {0, RM_GENERATION_IDS + 1}, {0, UINT64_MAX}, {1, 3}, {1, 5},
                 {1, UINT64_MAX}, {2, RESTORED_MS + 1}};
    static rm_state_t other;
    begin_generation ();
    rm_buf_t good = snapshot_of (&ledger.state);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rm_buf_t bad = {0};
        rm_buf_put (&bad, good.data, good.size);
        memcpy (bad.data + 9 + 8 * (6 + wrong[i].number), &wrong[i].value, sizeof wrong[i].value);
        cr_assert_eq (rm_state_init (&other), 0);
        cr_assert_eq (rm_snapshot_restore (&other, bad.data, bad.size), RM_ECORRUPT, "case %zu", i);
        rm_state_close (&other);
        rm_buf_close (&bad);
    }
    rm_buf_close (&good);
}

Test (generation, numbers_that_would_run_out_are_refused)
{
    ledger.state.term = INT64_MAX;
    cr_assert_eq (rm_generation_begin (&ledger.state, RESTORED_MS), RM_ETOOBIG);
    ledger.state.term = 1;
    int restores = 0;
    while (rm_generation_begin (&ledger.state, RESTORED_MS) == 0 && restores < 1000) {
        restores++;
        cr_assert_eq (ledger.state.term << 40 >> 40, ledger.state.term, "a token has room for the term");
    }
    cr_assert_eq (restores, 167);
}

Test (generation, memory_that_runs_out_is_told)
{
    static rm_state_t other;
    rm_buf_t all = snapshot_of (&ledger.state);
    int rc = RM_ENOMEM;
    long granted = -1;
    while (rc) {
        cr_assert_eq (rm_state_init (&other), 0);
        cr_assert_eq (rm_snapshot_restore (&other, all.data, all.size), 0);
        count_allocations (++granted);
        rc = rm_generation_begin (&other, RESTORED_MS);
        count_no_more ();
        cr_assert (!rc || rc == RM_ENOMEM, "after %ld", granted);
        rm_state_close (&other);
    }
    cr_assert_gt (granted, 1);
    rm_buf_close (&all);
}
