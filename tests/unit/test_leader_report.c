/*  What the leader makes of a worker's messages: reports, gaps, terms, incarnations, leases, completions
 *  (docs/protocol.md, the rules). */
#include <stdio.h>

#include "leader_fixture.h"

TestSuite (leader_report, .init = cluster_begin, .fini = cluster_end);

enum { REMOVED_AFTER_MS = RM_LEASE_MS + RM_GRACE_MS + RM_MARGIN_MS };

static rm_at_t where (uint64_t id)
{
    return record_of (id)->lead.at;
}

static bool at (uint64_t id, const worker_t *worker)
{
    const rm_record_t *record = record_of (id);
    return rm_record_peer (record) && rm_record_peer (record) == peer_of (worker);
}

/* ---- the watermark ---------------------------------------------------------------------------------------------- */

static void say_something (worker_t *worker, int kind)
{
    switch (kind) {
    case 0:
        beat (worker);
        break;
    case 1:
        say_done (worker, 999, 1, 1, RM_VERDICT_OK, "of no job");
        break;
    case 2:
        say_sync1 (worker);
        break;
    case 3:
        say_sync2 (worker, true);
        break;
    default:
        say_leave (worker);
    }
}

Test (leader_report, what_was_received_and_is_not_held_is_handed_back_in_whatever_message)
{
    worker_t *worker = join_settled ("w", 10);
    for (int kind = 0; kind < 5; kind++) {
        uint64_t kept = put (NULL, "a"), lost = put (NULL, "b");
        cr_assert (at (kept, worker) && at (lost, worker));
        drop (worker, lost);
        say_something (worker, kind);
        cr_assert (at (kept, worker), "kind %d", kind);
        cr_assert_eq (where (lost), RM_AT_READY, "kind %d", kind);
    }
}

Test (leader_report, a_lost_returned_does_no_harm)
{
    worker_t *first = join_settled ("w", 100);
    uint64_t ids[40];
    char key[16];
    for (int i = 0; i < 40; i++) {
        snprintf (key, sizeof key, "key%d", i);
        ids[i] = put (key, "a");
    }
    first->manual = true;
    join ("x", 1);
    after (60);
    receive (first);
    say_sync1 (first);
    turn ();
    cr_assert_eq (first->phase, 2);
    uint32_t moved = 0;
    for (int i = 0; i < 40; i++)
        if (first->lost[holds (first, ids[i])->slot]) {
            drop (first, ids[i]); /* handed back, but `returned` does not say so */
            moved++;
        }
    cr_assert (moved);
    say_sync2 (first, true);
    turn ();
    cr_assert_eq (leader->resize.state, RM_RESIZE_IDLE);
    cr_assert_eq (peer_of (first)->flight_count, 40 - moved);
}

Test (leader_report, a_report_that_comes_twice_changes_nothing_the_second_time)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    rm_report_t old = report_of (worker);
    rm_msg_t msg = {.type = RM_MSG_HEARTBEAT};
    drop (worker, id);
    old = report_of (worker);
    msg.heartbeat = (rm_msg_heartbeat_t){old, 1, 0};
    tell (worker, &msg);
    turn (); /* handed out again, under the next number */
    cr_assert (at (id, worker));
    uint64_t token = record_of (id)->lead.flight->token;
    cr_assert_eq (record_of (id)->lead.flight->seq, 2);
    msg.heartbeat.report.held_count = 0;
    tell (worker, &msg);
    turn ();
    cr_assert (at (id, worker));
    cr_assert_eq (record_of (id)->lead.flight->token, token);
}

Test (leader_report, an_older_report_is_ignored)
{
    worker_t *worker = join_settled ("w", 2);
    put (NULL, "a");
    rm_report_t old = report_of (worker);
    uint64_t id = put (NULL, "b");
    beat (worker);
    rm_msg_t msg = {.type = RM_MSG_HEARTBEAT};
    msg.heartbeat = (rm_msg_heartbeat_t){old, 9, 0};
    msg.heartbeat.report.held_count = 0;
    cr_assert_eq (msg.heartbeat.report.upto, 1);
    tell (worker, &msg);
    cr_assert_eq (peer_of (worker)->upto, 2);
    cr_assert (at (1, worker), "the old report did not hold it; it is older than what is known");
    cr_assert (at (id, worker));
}

Test (leader_report, what_was_sent_and_not_received_is_not_handed_back)
{
    worker_t *worker = join_settled ("w", 2);
    worker->dead = true; /* its connection swallows the dispatch */
    uint64_t id = put (NULL, "a");
    beat (worker);
    cr_assert_eq (worker->upto, 0);
    cr_assert (at (id, worker));
}

Test (leader_report, a_worker_cannot_have_received_more_than_was_sent)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    worker->upto = 77;
    drop (worker, id);
    beat (worker);
    cr_assert (at (id, worker));
    cr_assert_eq (peer_of (worker)->upto, 0);
}

Test (leader_report, a_gap_is_filled_with_the_same_jobs_under_the_same_numbers_in_order)
{
    worker_t *worker = join_settled ("w", 600);
    put (NULL, "a");
    beat (worker);
    worker->dead = true;
    rm_submit_job_t jobs[500];
    for (int i = 0; i < 500; i++) {
        jobs[i] = job_of ("q", i % 2 ? "key" : NULL, "x");
        jobs[i].seq = client.seq + 1 + (uint64_t)i;
    }
    submit_jobs (&client, jobs, 500);
    turn ();
    uint64_t last = peer_of (worker)->last_seq;
    cr_assert_eq (last, 252, "the unkeyed ones and the first of the key");
    uint64_t tokens[600];
    RM_LIST_EACH (&peer_of (worker)->flight, link) {
        const rm_record_t *record = RM_OWNER (link, rm_flight_t, link)->record;
        tokens[record->lead.flight->seq] = record->lead.flight->token;
    }
    mark ();
    beat (worker);
    cr_assert_null (sent (worker->address, RM_MSG_DISPATCH), "it has not seen that there is more");
    cr_assert_eq (sent (worker->address, RM_MSG_HEARTBEAT_OK)->heartbeat_ok.last_seq, last);
    worker->seen = last;
    mark ();
    beat (worker);
    uint64_t seq = 1;
    for (uint32_t n = 0; n < sent_count (worker->address, RM_MSG_DISPATCH); n++) {
        const rm_msg_dispatch_t *dispatch = &sent_nth (worker->address, RM_MSG_DISPATCH, n)->dispatch;
        cr_assert_eq (dispatch->seq, seq + 1);
        for (uint32_t i = 0; i < dispatch->job_count; i++)
            cr_assert_eq (dispatch->jobs[i].token, tokens[++seq]);
    }
    cr_assert_eq (seq, last);
    worker->dead = false;
    receive (worker);
    cr_assert_eq (worker->upto, last);
    cr_assert_eq (worker->held_count, 252);
}

Test (leader_report, an_old_heartbeat_that_comes_late_sends_nothing_again)
{
    worker_t *worker = join_settled ("w", 4);
    for (int i = 0; i < 4; i++)
        put (NULL, "a");
    rm_report_t old = report_of (worker);
    rm_msg_t msg = {.type = RM_MSG_HEARTBEAT};
    msg.heartbeat = (rm_msg_heartbeat_t){.report = {old.term, old.inc, 1, NULL, 0}, .n = 1, .seen = 3};
    beat (worker);
    finish (worker, 3);
    mark ();
    tell (worker, &msg);
    turn ();
    cr_assert_null (sent (worker->address, RM_MSG_DISPATCH));
    cr_assert_eq (peer_of (worker)->flight_count, 3);
}

/* ---- terms and incarnations ------------------------------------------------------------------------------------- */

Test (leader_report, a_heartbeat_of_an_older_term_is_shown_the_present_sync_and_neither_renews_nor_reports)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    worker->dead = true;
    restart_from_log (0);
    rm_peer_t *peer = peer_of (worker);
    uint64_t heard = peer->heard_ms;
    jump (100);
    mark ();
    beat (worker);
    cr_assert_null (sent (worker->address, RM_MSG_HEARTBEAT_OK));
    const rm_msg_t *sync = sent (worker->address, RM_MSG_SYNC);
    cr_assert (sync);
    cr_assert_eq (sync->sync.phase, 1);
    cr_assert_eq (sync->sync.term, state->term);
    cr_assert_eq (peer->heard_ms, heard);
    cr_assert (!peer->reported);
    cr_assert_eq (where (id), RM_AT_PARKED);
    worker->dead = false;
    turn ();
    cr_assert (peer->reported, "now it has adopted the term");
    cr_assert (at (id, worker));
}

Test (leader_report, other_messages_of_an_older_term_are_dropped)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    held_t held = *holds (worker, id);
    uint64_t term = worker->term;
    restart_from_log (0);
    settle ();
    worker->term = term;
    mark ();
    say_done (worker, id, held.token, held.attempt, RM_VERDICT_OK, "late");
    turn ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE);
    cr_assert (!told_committed (worker, id));
    say_leave (worker);
    cr_assert (!peer_of (worker)->leave_asked);
}

Test (leader_report, a_message_of_a_newer_term_than_the_masters_is_dropped)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t heard = peer_of (worker)->heard_ms;
    jump (100);
    mark ();
    beat_as (worker, worker->term + 1, worker->inc, 0);
    cr_assert_eq (peer_of (worker)->heard_ms, heard);
    cr_assert_null (sent (worker->address, RM_MSG_HEARTBEAT_OK));
}

Test (leader_report, an_incarnation_that_is_no_member_is_told_to_rejoin)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t inc = worker->inc;
    for (int kind = 0; kind < 5; kind++) {
        mark ();
        worker->inc = 4711;
        say_something (worker, kind);
        worker->inc = inc;
        const rm_msg_t *msg = sent (worker->address, RM_MSG_REJOIN);
        cr_assert (msg, "kind %d", kind);
        cr_assert_eq (msg->rejoin.inc, 4711);
        cr_assert_eq (msg->rejoin.term, state->term);
    }
}

Test (leader_report, a_restarted_worker_of_the_same_name_is_another_member)
{
    worker_t *before = join_settled ("w", 1);
    uint64_t id = put ("key", "a");
    held_t held = *holds (before, id);
    die (before);
    worker_t *after_restart = join ("w", 1);
    cr_assert_eq (state->member_count, 2);
    cr_assert_eq (after_restart->held_count, 0);
    cr_assert (at (id, before));
    after (REMOVED_AFTER_MS + 10);
    settle ();
    cr_assert_null (rm_state_member (state, before->inc));
    cr_assert (at (id, after_restart));
    mark ();
    say_done (before, id, held.token, held.attempt, RM_VERDICT_OK, "from the grave");
    turn ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE, "a late answer does not speak for its successor");
    cr_assert (sent (before->address, RM_MSG_REJOIN));
    finish (after_restart, id);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
}

Test (leader_report, who_was_removed_is_told_to_rejoin_and_is_no_member_again)
{
    worker_t *worker = worker_new ("w", 1);
    worker->silent = true; /* it hears nothing, not even that it has joined: so it asks again */
    say_join (worker);
    turn ();
    cr_assert_eq (state->member_count, 1);
    after (REMOVED_AFTER_MS + 10);
    cr_assert_eq (state->member_count, 0);
    for (int again = 0; again < 2; again++) {
        mark ();
        say_join (worker);
        turn ();
        cr_assert_eq (state->member_count, 0);
        cr_assert (!sent (worker->address, RM_MSG_JOINED));
        const rm_msg_t *msg = sent (worker->address, RM_MSG_REJOIN);
        cr_assert (msg && msg->rejoin.inc == worker->inc);
        restart_from_log (unapplied ());
    }
}

Test (leader_report, a_join_that_is_repeated_is_answered_and_makes_no_second_member)
{
    worker_t *worker = worker_new ("w", 1);
    say_join (worker);
    say_join (worker);
    turn ();
    say_join (worker);
    turn ();
    cr_assert_eq (state->member_count, 1);
    cr_assert_eq (sent_count (worker->address, RM_MSG_JOINED), 2);
    const rm_msg_joined_t *joined = &sent (worker->address, RM_MSG_JOINED)->joined;
    cr_assert_eq (joined->term, state->term);
    cr_assert_eq (joined->inc, worker->inc);
    cr_assert_eq (joined->lease_ms, RM_LEASE_MS);
}

Test (leader_report, joined_is_said_only_after_the_member_is_in_the_ledger)
{
    worker_t *worker = worker_new ("w", 1);
    say_join (worker);
    disk_slow = true;
    turn ();
    cr_assert_null (sent (worker->address, RM_MSG_JOINED));
    beat (worker);
    cr_assert_null (sent (worker->address, RM_MSG_REJOIN), "it is on its way in");
    disk ();
    cr_assert (sent (worker->address, RM_MSG_JOINED));
}

Test (leader_report, a_worker_of_another_pools_queue_is_refused)
{
    join_settled ("w", 1);
    worker_t *other = worker_new ("x", 1);
    strcpy (other->pool, "elsewhere");
    say_join (other);
    turn ();
    cr_assert_eq (sent (other->address, RM_MSG_ERROR)->error.code, RM_EDENIED);
    cr_assert_eq (state->member_count, 1);
}

Test (leader_report, what_a_worker_says_it_holds_and_never_got_is_not_believed)
{
    worker_t *owner = join_settled ("w", 1), *other = join_settled ("x", 1);
    uint64_t keyed = put (key_of (owner, 0), "a");
    rm_submit_job_t job = job_of ("elsewhere", NULL, "b");
    uint64_t poolless = put_job (&client, job);
    other->held[0] = (held_t){.id = keyed};
    other->held[1] = (held_t){.id = poolless};
    other->held_count = 2;
    owner->dead = true;
    restart_from_log (0);
    turn ();
    cr_assert (peer_of (other)->reported);
    cr_assert_null (rm_record_peer (record_of (poolless)));
    cr_assert_null (rm_record_peer (record_of (keyed)), "it was never a holder of the slot");
}

/* ---- leases ----------------------------------------------------------------------------------------------------- */

Test (leader_report, a_worker_is_removed_lease_grace_and_margin_after_its_last_heartbeat_and_not_before)
{
    worker_t *worker = join_settled ("w", 1);
    worker->silent = true;
    beat (worker);
    after (REMOVED_AFTER_MS - 10);
    cr_assert (rm_state_member (state, worker->inc));
    after (10);
    cr_assert_null (rm_state_member (state, worker->inc));
}

Test (leader_report, only_heartbeats_renew)
{
    worker_t *worker = join_settled ("w", 1);
    worker->silent = true;
    beat (worker);
    for (int i = 0; i < REMOVED_AFTER_MS / 10; i++) {
        after (10);
        if (peer_of (worker))
            say_done (worker, 999, 1, 1, RM_VERDICT_OK, "x");
    }
    cr_assert_null (rm_state_member (state, worker->inc));
}

Test (leader_report, a_master_that_slept_does_not_remove_everybody_at_once)
{
    worker_t *first = join_settled ("w", 1), *second = join_settled ("x", 1);
    jump (60000);
    tick ();
    turn ();
    cr_assert_eq (state->member_count, 2);
    second->silent = true;
    after (REMOVED_AFTER_MS + 10);
    cr_assert (rm_state_member (state, first->inc));
    cr_assert_null (rm_state_member (state, second->inc), "and who is dead is removed a lease later");
}

Test (leader_report, a_sleep_of_the_master_does_not_count_twice_for_who_was_heard_after_it)
{
    worker_t *worker = join_settled ("w", 1);
    jump (60000);
    beat (worker);
    worker->silent = true;
    tick ();
    after (REMOVED_AFTER_MS + 10);
    cr_assert_null (rm_state_member (state, worker->inc));
}

Test (leader_report, a_worker_whose_removal_is_on_its_way_is_not_answered_and_not_heard)
{
    worker_t *worker = join_settled ("w", 2);
    worker_t *other = join_settled ("x", 2);
    uint64_t id = put (key_of (worker, 0), "a");
    worker->silent = true;
    beat (worker);
    after (REMOVED_AFTER_MS - 10);
    disk_slow = true;
    after (10);
    cr_assert_gt (unapplied (), 0);
    mark ();
    held_t held = *holds (worker, id);
    drop (worker, id);
    beat (worker);
    turn ();
    cr_assert_null (sent (worker->address, RM_MSG_HEARTBEAT_OK), "its lease must not be renewed");
    cr_assert (at (id, worker), "what it holds is given to nobody before its removal is in the ledger");
    say_join (worker);
    cr_assert_null (sent (worker->address, RM_MSG_JOINED));
    say_done (worker, id, held.token, held.attempt, RM_VERDICT_OK, "late");
    disk_slow = false;
    turn ();
    disk ();
    turn ();
    settle ();
    cr_assert (at (id, other));
    cr_assert_eq (record_of (id)->crashes, 1);
}

Test (leader_report, a_completion_that_is_logged_before_its_workers_removal_counts)
{
    worker_t *worker = join_settled ("w", 2), *other = join_settled ("x", 2);
    uint64_t done = put (key_of (worker, 0), "a"), interrupted = put (key_of (worker, 1), "b");
    worker->silent = true;
    beat (worker);
    after (REMOVED_AFTER_MS - 10);
    disk_slow = true;
    held_t held = *holds (worker, interrupted);
    say_done (worker, interrupted, held.token, held.attempt, RM_VERDICT_INTERRUPTED, "lease");
    finish (worker, done);
    after (10);
    disk_slow = false;
    turn ();
    disk ();
    turn ();
    settle ();
    cr_assert_null (rm_state_member (state, worker->inc));
    cr_assert_eq (outcome_of (done), RM_OUTCOME_DONE);
    cr_assert (at (interrupted, other));
    cr_assert_eq (record_of (interrupted)->crashes, 1, "one run was interrupted, not two");
}

Test (leader_report, a_removed_workers_jobs_in_one_slot_all_wait_again)
{
    worker_t *worker = join_settled ("w", 4), *other = join_settled ("x", 4);
    char keys[2][16] = {"", ""};
    static uint32_t first_in_slot[RM_SLOTS];
    for (uint32_t i = 1; !*keys[0]; i++) {
        snprintf (keys[1], sizeof keys[1], "s%u", i);
        uint32_t slot = slot_of (keys[1]);
        if (owner_of (keys[1]) != worker)
            continue;
        if (first_in_slot[slot])
            snprintf (keys[0], sizeof keys[0], "s%u", first_in_slot[slot]);
        first_in_slot[slot] = i;
    }
    uint64_t ids[] = {put (keys[0], "a"), put (keys[1], "b"), put (keys[0], "c")};
    cr_assert (at (ids[0], worker) && at (ids[1], worker));
    die_and_be_removed (worker);
    settle ();
    cr_assert (at (ids[0], other) || at (ids[1], other));
    for (int i = 0; i < 2; i++) {
        uint64_t id = at (ids[0], other) ? ids[0] : ids[1];
        finish (other, id);
    }
    finish (other, ids[2]);
}

/* ---- completions ------------------------------------------------------------------------------------------------ */

Test (leader_report, every_completion_of_a_live_incarnation_is_answered_committed)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    held_t held = *holds (worker, id);
    mark ();
    finish (worker, id);
    cr_assert (told_committed (worker, id));
    mark ();
    say_done (worker, id, held.token, held.attempt, RM_VERDICT_OK, "again");
    turn ();
    cr_assert (told_committed (worker, id), "of a job that is done already");
    cr_assert (!memcmp (record_of (id)->result->data, "ok", 2));
    say_done (worker, 4711, 1, 1, RM_VERDICT_OK, "x");
    turn ();
    cr_assert (told_committed (worker, 4711), "of a job nobody knows");
}

Test (leader_report, a_completion_that_comes_twice_before_it_is_applied_is_logged_once_and_answered)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    held_t held = *holds (worker, id);
    disk_slow = true;
    mark ();
    say_done (worker, id, held.token, held.attempt, RM_VERDICT_RETRY, "one");
    say_done (worker, id, held.token, held.attempt, RM_VERDICT_RETRY, "two");
    turn ();
    cr_assert (!told_committed (worker, id));
    disk_slow = false;
    disk ();
    turn ();
    cr_assert (told_committed (worker, id));
    cr_assert_eq (record_of (id)->failures, 1);
}

Test (leader_report, a_completion_of_a_past_attempt_does_not_count)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    held_t old = *holds (worker, id);
    fail (worker, id, RM_VERDICT_RETRY);
    after (3000);
    cr_assert (at (id, worker));
    cr_assert_eq (holds (worker, id)->attempt, 2);
    mark ();
    say_done (worker, id, old.token, old.attempt, RM_VERDICT_OK, "late");
    turn ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE);
    cr_assert (told_committed (worker, id));
}

Test (leader_report, the_answer_to_a_copy_of_a_completion_settles_no_later_attempt)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    held_t old = *holds (worker, id);
    rm_done_job_t row = {.id = id, .token = old.token, .attempt = old.attempt, .verdict = RM_VERDICT_RETRY};
    rm_msg_t copy = {.type = RM_MSG_DONE, .done = {.report = report_of (worker), .jobs = &row, .job_count = 1}};
    fail (worker, id, RM_VERDICT_RETRY);
    after (3000);
    cr_assert_eq (holds (worker, id)->attempt, 2);
    cr_assert_gt (worker->upto, copy.done.report.upto);
    mark ();
    tell (worker, &copy);
    turn ();
    cr_assert_eq (told_committed (worker, id), 1, "it may have ended the second, whose completion is on its way");
    cr_assert (at (id, worker));
    finish (worker, id);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
}

Test (leader_report, a_completion_with_a_past_token_does_not_count)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    held_t old = *holds (worker, id);
    drop (worker, id);
    beat (worker);
    turn ();
    cr_assert (at (id, worker));
    cr_assert_gt (holds (worker, id)->token, old.token);
    cr_assert_eq (holds (worker, id)->attempt, old.attempt);
    mark ();
    say_done (worker, id, old.token, old.attempt, RM_VERDICT_OK, "late");
    turn ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE);
}

Test (leader_report, a_completion_of_a_job_that_is_at_another_worker_does_not_count)
{
    worker_t *worker = join_settled ("w", 1), *other = join_settled ("x", 1);
    uint64_t id = put (key_of (worker, 0), "a");
    held_t held = *holds (worker, id);
    mark ();
    say_done (other, id, held.token, held.attempt, RM_VERDICT_OK, "not mine");
    turn ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE);
    cr_assert (told_committed (other, id));
    finish (worker, id);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
}

static void apply_done_of (uint64_t id, uint64_t inc, uint32_t attempt, rm_verdict_t verdict)
{
    rm_buf_t batch = {0};
    rm_entry_batch (&batch, now.wall_ms);
    rm_entry_done (&batch, &(rm_entry_done_t){.id = id, .inc = inc, .attempt = attempt, .verdict = verdict});
    cr_assert_eq (rm_state_apply (state, batch.data, batch.size), 0);
    rm_buf_close (&batch);
}

Test (leader_report, the_ledger_itself_refuses_completions_of_removed_incarnations_and_past_attempts)
{
    worker_t *worker = join_settled ("w", 1), *other = join_settled ("x", 1);
    uint64_t id = put (key_of (worker, 0), "a");
    die_and_be_removed (worker);
    settle ();
    cr_assert (at (id, other));
    apply_done_of (id, worker->inc, 2, RM_VERDICT_OK);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE, "a removed incarnation");
    apply_done_of (id, other->inc, 1, RM_VERDICT_OK);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE, "a past attempt");
    apply_done_of (id, other->inc, 1, RM_VERDICT_RETRY);
    cr_assert_eq (record_of (id)->failures, 0);
    apply_done_of (id, other->inc, 2, RM_VERDICT_OK);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
    apply_done_of (id, other->inc, 2, RM_VERDICT_DEAD);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE, "the first valid one wins");
}

Test (leader_report, a_result_over_the_limit_ends_the_job_dead_with_the_reason)
{
    config.result_bytes_max = 3;
    reconfigure ();
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    held_t *held = holds (worker, id);
    say_done (worker, id, held->token, held->attempt, RM_VERDICT_OK, "four");
    turn ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DEAD);
    cr_assert_str_eq (reason_of (id), "the result is over the limit");
    cr_assert_eq (worker->held_count, 0);
}
