/*  The rules of the ledger: outcomes, fencing, order, forgetting. Members and the ring: test_state_ring.c. */
#include "ledger_fixture.h"

#include "ledger_check.h"

static void close_checked (void)
{
    claim_t broken = check_state (&ledger.state);
    cr_assert_null (broken, "%s", broken);
    ledger_close ();
}

TestSuite (state, .init = ledger_open, .fini = close_checked);

static void cr_assert_waits (uint64_t id)
{
    cr_assert_eq (ledger_record (id)->outcome, RM_OUTCOME_NONE);
}

static void cr_assert_dead (uint64_t id, const char *reason)
{
    cr_assert_eq (ledger_record (id)->outcome, RM_OUTCOME_DEAD);
    cr_assert (blob_is (ledger_record (id)->reason, reason), "reason %s", ledger_record (id)->reason->data);
}

/* ---- submit ----------------------------------------------------------------------------------------------------- */

/* A million of them lie in memory. */
Test (state, a_record_is_no_larger_than_it_was)
{
    cr_assert_leq (sizeof (rm_record_t), 232);
}

Test (state, a_request_seen_twice_makes_one_job)
{
    uint64_t id = ledger_submit (1, 1, "bank", "bob", "10");
    cr_assert_eq (id, 1);
    cr_assert_eq (ledger_submit (1, 1, "bank", "bob", "10"), id);
    cr_assert_eq (ledger.state.last_id, 1);
    cr_assert_eq (ledger.state.waiting_count, 1);
    ledger_join (7, "default", "bank");
    ledger_done (id, 7, 1, "ok");
    cr_assert_eq (ledger_submit (1, 1, "bank", "bob", "10"), id, "not after it has ended either");
    cr_assert_eq (ledger.state.waiting_count, 0);
}

Test (state, the_same_seq_of_another_session_is_another_job)
{
    cr_assert_eq (ledger_submit (1, 1, "bank", "bob", "10"), 1);
    cr_assert_eq (ledger_submit (2, 1, "bank", "bob", "10"), 2);
}

Test (state, an_unknown_session_begins_with_seq_1_only)
{
    cr_assert_eq (ledger_submit (1, 2, "bank", NULL, "10"), 0);
    cr_assert_null (ledger_session (1));
    cr_assert_eq (ledger.state.last_id, 0);
    cr_assert_eq (ledger_submit (1, 1, "bank", NULL, "10"), 1);
    cr_assert_eq (ledger_submit (1, 2, "bank", NULL, "10"), 2);
}

Test (state, a_request_at_or_below_the_floor_makes_no_job)
{
    ledger_submit (1, 1, "bank", NULL, "a");
    ledger_submit (1, 2, "bank", NULL, "b");
    ledger_floor (1, 2);
    cr_assert_eq (ledger_submit (1, 1, "bank", NULL, "a"), 0);
    cr_assert_eq (ledger_submit (1, 2, "bank", NULL, "b"), 0);
    cr_assert_eq (ledger.state.last_id, 2);
    cr_assert_eq (ledger_submit (1, 3, "bank", NULL, "c"), 3);
}

Test (state, a_request_past_the_window_makes_no_job)
{
    ledger_submit (1, 1, "bank", NULL, "a");
    cr_assert_eq (ledger_submit (1, RM_SESSION_WINDOW + 1, "bank", NULL, "a"), 0);
    cr_assert_eq (ledger.state.last_id, 1);
    cr_assert_eq (ledger_submit (1, RM_SESSION_WINDOW, "bank", NULL, "a"), 2);
}

Test (state, another_request_with_a_used_seq_can_be_told)
{
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_submit (1, 1, "bank", "bob", "11");
    rm_submit_job_t asked = {.seq = 1, .queue = rm_bytes ("bank"), .key = rm_bytes ("bob"), .data = rm_bytes ("10")};
    const rm_request_t *request = rm_session_request (ledger_session (1), 1);
    cr_assert_eq (request->hash, rm_submit_hash (&asked));
    asked.data = rm_bytes ("11");
    cr_assert_neq (request->hash, rm_submit_hash (&asked));
    cr_assert (blob_is (ledger_record (1)->data, "10"), "the first one is kept");
}

Test (state, a_record_keeps_what_was_asked)
{
    rm_submit_job_t job = {1, rm_bytes ("bank"), rm_bytes ("bob"), rm_bytes ("10"), 5, 6000, RM_JOB_AT_MOST_ONCE, {0}};
    ledger.now_ms = 1234;
    rm_entry_submit (ledger_begin_batch (), &(rm_entry_submit_t){session_id (1), 0, &job, 1});
    ledger_apply ();
    const rm_record_t *record = ledger_record (1);
    cr_assert_eq (record->tries, 5);
    cr_assert_eq (record->timeout_ms, 6000);
    cr_assert_eq (record->flags, RM_JOB_AT_MOST_ONCE);
    cr_assert_eq (record->accepted_ms, 1234);
    cr_assert (blob_is (record->data, "10"));
    cr_assert (blob_is (record->key_bytes, "bob"));
    cr_assert_eq (record->session, ledger_session (1));
}

Test (state, an_empty_key_is_a_key)
{
    ledger_submit (1, 1, "bank", "", "10");
    ledger_submit (1, 2, "bank", NULL, "10");
    cr_assert_not_null (ledger_record (1)->key);
    cr_assert_null (ledger_record (2)->key);
}

/* ---- the order of a key ----------------------------------------------------------------------------------------- */

static void cr_assert_line (const uint64_t *ids, size_t count)
{
    const rm_key_t *key = ledger_record (ids[0])->key;
    const rm_link_t *link = &key->records;
    for (size_t i = 0; i < count; i++) {
        link = link->next;
        cr_assert_neq (link, &key->records, "%zu of %zu", i, count);
        cr_assert_eq (RM_OWNER (link, rm_record_t, line)->id, ids[i]);
    }
    cr_assert_eq (link->next, &key->records);
}

Test (state, a_key_keeps_accept_order_through_failures_and_crashes)
{
    ledger_join (7, "default", "bank");
    for (uint64_t seq = 1; seq <= 3; seq++)
        ledger_submit (1, seq, "bank", "bob", "10");
    ledger_submit (1, 4, "bank", "alice", "10");
    ledger_fail (1, 7, 1, RM_VERDICT_RETRY, "bank is down");
    cr_assert_line ((uint64_t[]){1, 2, 3}, 3);
    ledger_remove (7, 1);
    cr_assert_line ((uint64_t[]){1, 2, 3}, 3);
    ledger_bury (2, "not wanted");
    cr_assert_line ((uint64_t[]){1, 3}, 2);
}

Test (state, a_key_is_forgotten_with_its_last_job)
{
    ledger_submit (1, 1, "bank", "bob", "10");
    cr_assert_eq (HASH_COUNT (ledger_queue ("bank")->keys), 1);
    ledger_bury (1, "not wanted");
    cr_assert_eq (HASH_COUNT (ledger_queue ("bank")->keys), 0);
    cr_assert (blob_is (ledger_record (1)->key_bytes, "bob"), "the record still says whose it was");
}

Test (state, one_key_in_two_queues_is_two_lines)
{
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_submit (1, 2, "mail", "bob", "10");
    cr_assert_neq (ledger_record (1)->key, ledger_record (2)->key);
    cr_assert_eq (ledger_record (1)->key->slot, ledger_record (2)->key->slot);
}

/* ---- failures and crashes --------------------------------------------------------------------------------------- */

Test (state, failures_and_crashes_are_counted_apart)
{
    ledger_join (7, "default", "bank");
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_fail (1, 7, 1, RM_VERDICT_RETRY, "bank is down");
    ledger_fail (1, 7, 2, RM_VERDICT_INTERRUPTED, "lease lost");
    ledger_fail (1, 7, 3, RM_VERDICT_TIMEOUT, "too slow");
    cr_assert_waits (1);
    cr_assert_eq (ledger_record (1)->crashes, 1);
    cr_assert_eq (ledger_record (1)->failures, 2);
}

Test (state, a_failed_job_waits_for_its_time)
{
    ledger_join (7, "default", "bank");
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_fail (1, 7, 1, RM_VERDICT_RETRY, "bank is down");
    cr_assert_waits (1);
    cr_assert_eq (ledger_record (1)->not_before_ms, ledger.now_ms + 500);
    cr_assert (blob_is (ledger_record (1)->reason, "bank is down"));
    ledger_fail (1, 7, 2, RM_VERDICT_INTERRUPTED, "");
    cr_assert_eq (ledger_record (1)->not_before_ms, 0, "a crash is no fault of the job's: it waits for nothing");
}

Test (state, three_crashes_bury_a_job)
{
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_submit (1, 2, "bank", "bob", "10");
    for (uint64_t inc = 1; inc <= RM_CRASHES_MAX; inc++) {
        cr_assert_waits (1);
        ledger_join (inc, "default", "bank");
        ledger_remove (inc, 1);
    }
    cr_assert_dead (1, "crashed");
    cr_assert_waits (2);
}

Test (state, the_queues_tries_bury_a_job_with_the_handlers_reason)
{
    ledger_join (7, "default", "bank");
    ledger_submit (1, 1, "bank", "bob", "10");
    for (uint32_t attempt = 1; attempt <= RM_TRIES; attempt++) {
        cr_assert_waits (1);
        ledger_fail (1, 7, attempt, RM_VERDICT_RETRY, attempt == RM_TRIES ? "no account bob" : "bank is down");
    }
    cr_assert_dead (1, "no account bob");
}

Test (state, a_job_may_bring_its_own_tries)
{
    ledger_join (7, "default", "bank");
    ledger.job_tries = 1;
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_fail (1, 7, 1, RM_VERDICT_RETRY, "bank is down");
    cr_assert_dead (1, "bank is down");
}

Test (state, a_verdict_of_dead_ends_all_tries)
{
    ledger_join (7, "default", "bank");
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_fail (1, 7, 1, RM_VERDICT_DEAD, "no account bob");
    cr_assert_dead (1, "no account bob");
}

Test (state, a_job_that_is_done_lets_its_data_go)
{
    ledger_join (7, "default", "bank");
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_fail (1, 7, 1, RM_VERDICT_RETRY, "bank is down");
    ledger_done (1, 7, 2, "90");
    const rm_record_t *record = ledger_record (1);
    cr_assert_eq (record->outcome, RM_OUTCOME_DONE);
    cr_assert (blob_is (record->result, "90"));
    cr_assert_null (record->data);
    cr_assert_eq (record->data_size, 2);
    cr_assert_null (record->reason, "of an attempt that no longer matters");
    cr_assert_eq (record->ended_ms, ledger.now_ms);
    cr_assert_eq (ledger_queue ("bank")->ended_bytes, 2);
}

/* ---- fencing ---------------------------------------------------------------------------------------------------- */

Test (state, the_first_outcome_wins)
{
    ledger_join (7, "default", "bank");
    ledger_join (8, "default", "bank");
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_done (1, 7, 1, "first");
    ledger_done (1, 8, 1, "second");
    ledger_fail (1, 8, 1, RM_VERDICT_DEAD, "third");
    ledger_bury (1, "fourth");
    cr_assert_eq (ledger_record (1)->outcome, RM_OUTCOME_DONE);
    cr_assert (blob_is (ledger_record (1)->result, "first"));
    cr_assert_eq (ledger.state.done_count, 1);
    cr_assert_eq (ledger.state.dead_count, 0);
}

Test (state, a_removed_incarnation_completes_nothing)
{
    ledger_join (7, "default", "bank");
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_remove (7, 0);
    ledger_done (1, 7, 1, "late");
    cr_assert_waits (1);
    ledger_fail (1, 7, 1, RM_VERDICT_DEAD, "late");
    cr_assert_waits (1);
    cr_assert_eq (ledger_record (1)->failures, 0);
}

Test (state, a_past_attempt_completes_nothing)
{
    ledger_join (7, "default", "bank");
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_fail (1, 7, 1, RM_VERDICT_RETRY, "bank is down");
    ledger_done (1, 7, 1, "late");
    cr_assert_waits (1);
    ledger_done (1, 7, 3, "early");
    cr_assert_waits (1);
    ledger_done (1, 7, 2, "in time");
    cr_assert (blob_is (ledger_record (1)->result, "in time"));
}

static uint64_t refused_id, refused_inc;
static uint32_t refused_attempt;

static void on_refused (void *arg, uint64_t id, uint64_t inc, uint32_t attempt)
{
    (void)arg;
    refused_attempt = attempt;
    refused_id = id;
    refused_inc = inc;
}

Test (state, who_listens_hears_of_a_completion_that_changed_nothing)
{
    ledger_join (7, "default", "bank");
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger.state.listener.refused = on_refused;
    ledger_done (1, 7, 1, "ok");
    cr_assert_eq (refused_id, 0);
    ledger_done (1, 7, 1, "ok");
    cr_assert_eq (refused_id, 1);
    cr_assert_eq (refused_inc, 7);
    ledger_done (99, 8, 1, "of a job that never was");
    cr_assert_eq (refused_id, 99);
    cr_assert_eq (refused_inc, 8);
    cr_assert_eq (refused_attempt, 1);
}

/* ---- at most once ----------------------------------------------------------------------------------------------- */

static void submit_at_most_once (void)
{
    ledger.job_flags = RM_JOB_AT_MOST_ONCE;
    ledger_join (7, "default", "bank");
    ledger_join (8, "default", "bank");
    cr_assert_eq (ledger_submit (1, 1, "bank", "bob", "10"), 1);
}

Test (state, at_most_once_completes_only_where_its_start_was_logged)
{
    submit_at_most_once ();
    ledger_done (1, 7, 1, "not started");
    cr_assert_waits (1);
    ledger_start (1, 7);
    ledger_done (1, 8, 1, "started elsewhere");
    cr_assert_waits (1);
    ledger_done (1, 7, 1, "ok");
    cr_assert (blob_is (ledger_record (1)->result, "ok"));
    cr_assert_eq (ledger.state.started_count, 0);
}

Test (state, at_most_once_is_lost_with_its_worker)
{
    submit_at_most_once ();
    ledger_start (1, 7);
    ledger_remove (7, 1);
    cr_assert_dead (1, "lost");
}

Test (state, at_most_once_is_lost_also_if_the_removal_does_not_name_it)
{
    submit_at_most_once ();
    ledger_start (1, 7);
    ledger_remove (8, 0);
    cr_assert_waits (1);
    ledger_remove (7, 0);
    cr_assert_dead (1, "lost");
    cr_assert_eq (ledger.state.started_count, 0);
}

Test (state, at_most_once_is_lost_with_its_lease)
{
    submit_at_most_once ();
    ledger_start (1, 7);
    ledger_fail (1, 7, 1, RM_VERDICT_INTERRUPTED, "lease lost");
    cr_assert_dead (1, "lost");
}

Test (state, at_most_once_has_one_try_unless_it_says)
{
    submit_at_most_once ();
    ledger_start (1, 7);
    ledger_fail (1, 7, 1, RM_VERDICT_RETRY, "bank is down");
    cr_assert_dead (1, "bank is down");
}

Test (state, at_most_once_is_started_anew_for_each_try)
{
    ledger.job_tries = 2;
    submit_at_most_once ();
    ledger_start (1, 7);
    ledger_fail (1, 7, 1, RM_VERDICT_RETRY, "bank is down");
    cr_assert_waits (1);
    cr_assert_eq (ledger_record (1)->started_inc, 0);
    ledger_done (1, 7, 2, "not started");
    cr_assert_waits (1);
    ledger_start (1, 8);
    ledger_done (1, 8, 2, "ok");
    cr_assert (blob_is (ledger_record (1)->result, "ok"));
}

Test (state, at_most_once_that_came_back_may_start_elsewhere)
{
    submit_at_most_once ();
    ledger_start (1, 7);
    ledger_start (1, 8);
    cr_assert_eq (ledger_record (1)->started_inc, 7, "it has one holder at a time");
    ledger_unstart (1, 8);
    cr_assert_eq (ledger_record (1)->started_inc, 7, "only its holder hands it back");
    ledger_unstart (1, 7);
    ledger_start (1, 8);
    cr_assert_eq (ledger_record (1)->started_inc, 8);
    ledger_remove (7, 0);
    cr_assert_waits (1);
}

Test (state, a_removed_incarnation_is_no_member_again)
{
    ledger_join (7, "default", "bank");
    ledger_remove (7, 0);
    ledger_join (7, "default", "bank");
    cr_assert_null (rm_state_member (&ledger.state, 7));
    ledger_join (8, "default", "bank");
    cr_assert (rm_state_member (&ledger.state, 8));
}

Test (state, the_incarnations_removed_last_are_remembered)
{
    for (uint64_t inc = 1; inc <= RM_REMOVED_MAX + 2; inc++)
        rm_state_note_removed (&ledger.state, inc);
    cr_assert (!rm_state_was_removed (&ledger.state, 2));
    cr_assert (rm_state_was_removed (&ledger.state, 3));
    cr_assert (rm_state_was_removed (&ledger.state, RM_REMOVED_MAX + 2));
}

Test (state, a_removed_incarnation_starts_nothing)
{
    submit_at_most_once ();
    ledger_remove (7, 0);
    ledger_start (1, 7);
    cr_assert_eq (ledger_record (1)->started_inc, 0);
}

/* Else the death of its worker would count twice. */
Test (state, a_start_is_logged_for_at_most_once_only)
{
    ledger_join (7, "default", "bank");
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_start (1, 7);
    ledger_remove (7, 1);
    cr_assert_waits (1);
    cr_assert_eq (ledger_record (1)->crashes, 1);
}

/* ---- forgetting ------------------------------------------------------------------------------------------------- */

Test (state, a_session_with_waiting_jobs_does_not_expire)
{
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger_expire_session (1);
    cr_assert_not_null (ledger_session (1));
    ledger_bury (1, "not wanted");
    ledger_expire_session (1);
    cr_assert_null (ledger_session (1));
    cr_assert_eq (ledger_submit (1, 2, "bank", "bob", "10"), 0, "an expired session runs nothing again");
    cr_assert_not_null (ledger_record (1), "its outcomes stay for as long as promised");
}

Test (state, a_session_is_heard_of_with_each_submit)
{
    ledger_submit (1, 1, "bank", "bob", "10");
    ledger.now_ms += 5000;
    ledger_submit (1, 1, "bank", "bob", "10");
    cr_assert_eq (ledger_session (1)->heard_ms, ledger.now_ms);
}

Test (state, results_are_forgotten_in_the_order_they_came)
{
    for (uint64_t seq = 1; seq <= 4; seq++)
        ledger_submit (1, seq, "bank", NULL, "10");
    ledger_submit (1, 5, "mail", NULL, "10");
    ledger_bury (5, "");
    ledger_bury (3, "");
    ledger_bury (1, "");
    ledger_bury (2, "");
    ledger_expire_results ("bank", 2);
    cr_assert_null (ledger_record (3));
    cr_assert_null (ledger_record (1));
    cr_assert_not_null (ledger_record (2));
    cr_assert_not_null (ledger_record (5), "another queue's");
    ledger_expire_results ("bank", 100);
    cr_assert_null (ledger_record (2));
    cr_assert_waits (4);
    cr_assert_eq (ledger.state.dead_count, 4, "that they were is not forgotten");
}

Test (state, ledger_time_never_goes_back)
{
    ledger.now_ms = 5000;
    ledger_submit (1, 1, "bank", NULL, "10");
    ledger.now_ms = 4000;
    ledger_submit (1, 2, "bank", NULL, "10");
    cr_assert_eq (ledger.state.time_ms, 5000);
    cr_assert_eq (ledger_record (2)->accepted_ms, 5000);
}

Test (state, each_leader_raises_the_term)
{
    for (uint64_t leader = 1; leader <= 3; leader++) {
        rm_entry_lead (ledger_begin_batch ());
        ledger_apply ();
        cr_assert_eq (ledger.state.term, leader);
    }
}
