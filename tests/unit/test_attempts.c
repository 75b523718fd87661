/*  How attempts ended that were no success: kept with the job, the newest few, and through a snapshot. */
#include "ledger_fixture.h"

#include "core/snapshot_layout.h"
#include "ledger_check.h"

static void begin (void)
{
    ledger_open ();
    rm_entry_format (ledger_begin_batch (), RM_STATE_FORMAT);
    ledger_apply ();
    for (uint64_t inc = 11; inc <= 13; inc++)
        ledger_join (inc, "default", "bank");
    ledger.job_tries = 100;
}

TestSuite (attempts, .init = begin, .fini = ledger_close);

static const rm_attempts_t *attempts_of (uint64_t id)
{
    const rm_record_t *record = ledger_record (id);
    return record->extra ? record->extra->attempts : NULL;
}

static void is (const rm_attempt_t *attempt, const char *how, const char *worker, const char *reason, uint64_t ended_ms,
                uint64_t next_ms)
{
    cr_assert_str_eq (rm_attempt_how (attempt->how), how);
    cr_assert (blob_is (attempt->worker, worker), "at another worker");
    cr_assert (*reason ? blob_is (attempt->reason, reason) : !attempt->reason, "for another reason");
    cr_assert (attempt->ended_ms == ended_ms && attempt->next_ms == next_ms, "at another time");
}

/* Restores it, and checks what comes out. */
static void restores (void)
{
    static rm_state_t other;
    rm_buf_t before = snapshot_of (&ledger.state);
    cr_assert_eq (rm_state_init (&other), 0);
    cr_assert_eq (rm_snapshot_restore (&other, before.data, before.size), 0);
    claim_t broken = check_state (&other);
    cr_assert_null (broken, "%s", broken);
    rm_buf_t after = snapshot_of (&other);
    cr_assert (same_bytes (&before, &after));
    rm_buf_close (&before);
    rm_buf_close (&after);
    rm_state_close (&other);
}

Test (attempts, each_is_kept_with_its_time_its_worker_and_its_reason)
{
    ledger_submit (1, 1, "bank", "bob", "ten");
    cr_assert_null (ledger_record (1)->extra, "who never failed pays nothing");
    ledger_fail (1, 11, 1, RM_VERDICT_RETRY, "down");
    ledger.now_ms = 2000;
    ledger_fail (1, 12, 2, RM_VERDICT_TIMEOUT, "");
    ledger.now_ms = 3000;
    ledger_fail (1, 13, 3, RM_VERDICT_INTERRUPTED, "lost its lease");
    ledger.now_ms = 4000;
    ledger_remove (13, 1);
    ledger.now_ms = 5000;
    ledger_fail (1, 11, 5, RM_VERDICT_DEAD, "no such account");
    cr_assert_eq (ledger_record (1)->outcome, RM_OUTCOME_DEAD);
    const rm_attempts_t *attempts = attempts_of (1);
    cr_assert_eq (attempts->count, 5);
    is (&attempts->list[0], "failed", "w11", "down", 1000, 1500);
    is (&attempts->list[1], "timed out", "w12", "", 2000, 2500);
    is (&attempts->list[2], "interrupted", "w13", "lost its lease", 3000, 0);
    is (&attempts->list[3], "crashed", "w13", "", 4000, 0);
    is (&attempts->list[4], "failed for good", "w11", "no such account", 5000, 0);
    cr_assert_null (check_state (&ledger.state));
    restores ();
}

Test (attempts, a_success_after_them_leaves_them_there_until_the_job_is_forgotten)
{
    ledger_submit (1, 1, "bank", NULL, "ten");
    ledger_fail (1, 11, 1, RM_VERDICT_RETRY, "down");
    ledger_done (1, 11, 2, "ok");
    cr_assert_eq (attempts_of (1)->count, 1);
    cr_assert_eq (ledger_queue ("bank")->ended_bytes, strlen ("ok") + strlen ("down") + strlen ("w11"));
    restores ();
    ledger_expire_results ("bank", 1);
    cr_assert_eq (ledger_queue ("bank")->ended_bytes, 0);
}

Test (attempts, one_whose_start_was_logged_is_lost_with_its_worker)
{
    ledger.job_flags = RM_JOB_AT_MOST_ONCE;
    ledger_submit (1, 1, "bank", NULL, "ten");
    ledger_start (1, 12);
    ledger_remove (12, 0);
    cr_assert (blob_is (ledger_record (1)->reason, "lost"));
    is (&attempts_of (1)->list[0], "crashed", "w12", "", 1000, 0);
}

Test (attempts, the_newest_are_kept_and_no_more)
{
    ledger_submit (1, 1, "bank", "bob", "ten");
    for (uint32_t attempt = 1; attempt <= RM_ATTEMPTS_KEPT + 3; attempt++) {
        char reason[16];
        snprintf (reason, sizeof reason, "time %u", attempt);
        ledger_fail (1, 11, attempt, RM_VERDICT_RETRY, reason);
    }
    const rm_attempts_t *attempts = attempts_of (1);
    cr_assert_eq (attempts->count, RM_ATTEMPTS_KEPT);
    cr_assert (blob_is (attempts->list[0].reason, "time 4"));
    cr_assert (blob_is (attempts->list[RM_ATTEMPTS_KEPT - 1].reason, "time 11"));
    restores ();
}

Test (attempts, a_long_reason_is_cut_but_not_within_a_letter)
{
    char reason[RM_ATTEMPT_REASON_BYTES_MAX + 8];
    memset (reason, 'x', sizeof reason);
    memcpy (reason + RM_ATTEMPT_REASON_BYTES_MAX - 2, "\xe2\x82\xac", 3); /* the euro's sign stands over the limit */
    reason[sizeof reason - 1] = 0;
    ledger_submit (1, 1, "bank", NULL, "ten");
    ledger_fail (1, 11, 1, RM_VERDICT_RETRY, reason);
    cr_assert_eq (ledger_record (1)->reason->size, sizeof reason - 1, "the newest is kept whole");
    cr_assert_eq (attempts_of (1)->list[0].reason->size, RM_ATTEMPT_REASON_BYTES_MAX - 2);
    memset (reason + RM_ATTEMPT_REASON_BYTES_MAX - 4, 0x80, 8);
    ledger_fail (1, 11, 2, RM_VERDICT_RETRY, reason);
    cr_assert_eq (attempts_of (1)->list[1].reason->size, RM_ATTEMPT_REASON_BYTES_MAX, "it is no letter");
    restores ();
}

Test (attempts, a_state_of_the_format_before_keeps_none)
{
    ledger_close ();
    ledger_open ();
    ledger_join (11, "default", "bank");
    ledger_submit (1, 1, "bank", NULL, "ten");
    ledger_fail (1, 11, 1, RM_VERDICT_RETRY, "down");
    cr_assert_null (ledger_record (1)->extra);
}

/* ---- in a snapshot ---------------------------------------------------------------------------------------------- */

/* How one attempt is spelled. */
static rm_buf_t spelled (void)
{
    rm_buf_t want = {0};
    rm_write_u8 (&want, 1);
    rm_write_u8 (&want, RM_VERDICT_RETRY);
    rm_write_u64 (&want, 1000);
    rm_write_u64 (&want, 1500);
    rm_write_bytes (&want, rm_bytes ("w11"));
    rm_write_bytes (&want, rm_bytes ("down"));
    return want;
}

/* A snapshot in which the byte at `at` of the spelled attempts, or (a negative one) before them, is another one. */
static int restores_with (int at, uint8_t byte)
{
    static rm_state_t other;
    rm_buf_t all = snapshot_of (&ledger.state), want = spelled ();
    uint8_t *place = memmem (all.data, all.size, want.data, want.size);
    cr_assert_not_null (place, "it is spelled in another way");
    place[at] = byte;
    cr_assert_eq (rm_state_init (&other), 0);
    int rc = rm_snapshot_restore (&other, all.data, all.size);
    rm_state_close (&other);
    rm_buf_close (&all);
    rm_buf_close (&want);
    return rc;
}

Test (attempts, they_are_spelled_as_documented_and_nothing_else_is_read)
{
    ledger_submit (1, 1, "bank", NULL, "ten");
    ledger_fail (1, 11, 1, RM_VERDICT_RETRY, "down");
    cr_assert_eq (restores_with (0, 1), 0);
    for (uint8_t how = 0; how < 10; how++)
        cr_assert_eq (restores_with (1, how), how >= 1 && how <= RM_ATTEMPT_CRASHED ? 0 : RM_ECORRUPT, "how %d", how);
    cr_assert_eq (restores_with (0, 0), RM_ECORRUPT, "no attempts are not written");
    cr_assert_eq (restores_with (9, 1), RM_ECORRUPT, "after the ledger's time");
    cr_assert_eq (restores_with (22, ' '), RM_ECORRUPT, "no name");
}

Test (attempts, more_than_there_were_or_than_are_kept_are_corrupt)
{
    ledger_submit (1, 1, "bank", NULL, "ten");
    for (uint32_t attempt = 1; attempt <= 2; attempt++)
        ledger_fail (1, 11, attempt, RM_VERDICT_RETRY, "down");
    rm_record_t *record = ledger_record (1);
    restores ();
    record->failures = 1;
    static rm_state_t other;
    for (int i = 0; i < 2; i++) {
        rm_buf_t all = snapshot_of (&ledger.state);
        cr_assert_eq (rm_state_init (&other), 0);
        cr_assert_eq (rm_snapshot_restore (&other, all.data, all.size), i ? 0 : RM_ECORRUPT);
        rm_state_close (&other);
        rm_buf_close (&all);
        record->failures = 2;
    }
}
