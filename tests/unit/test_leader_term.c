/*  A new master: what it may believe, what it waits for, what it takes over (DESIGN §6, "who may hold"). */
#include <stdio.h>

#include "leader_fixture.h"

TestSuite (leader_term, .init = cluster_begin, .fini = cluster_end);

enum { KEYS = 40, REMOVED_AFTER_MS = RM_LEASE_MS + RM_GRACE_MS + RM_MARGIN_MS };

static bool at (uint64_t id, const worker_t *worker)
{
    const rm_record_t *record = record_of (id);
    return rm_record_peer (record) && rm_record_peer (record) == peer_of (worker);
}

static rm_slot_state_t slot_state (const char *key)
{
    return state->pools->lead->slots[slot_of (key)].state;
}

Test (leader_term, each_leader_raises_the_term_with_its_first_entry)
{
    uint64_t term = state->term;
    restart_from_log (0);
    cr_assert_eq (state->term, term + 1);
    failover (0);
    cr_assert_eq (state->term, term + 2);
}

Test (leader_term, nothing_is_decided_before_the_barrier_is_applied)
{
    join_settled ("w", 2);
    uint64_t id = put (NULL, "a");
    crash_master (0);
    flush_once ();
    disk_slow = true;
    after (2000);
    cr_assert_eq (state->member_count, 1);
    cr_assert (!rm_record_peer (record_of (id)));
    disk_slow = false;
    disk ();
    turn ();
    cr_assert (leader->leading);
}

Test (leader_term, every_worker_has_a_fresh_lease_with_a_new_master)
{
    worker_t *worker = join_settled ("w", 1);
    worker->silent = true;
    beat (worker);
    after (REMOVED_AFTER_MS - 30);
    restart_from_log (0);
    after (REMOVED_AFTER_MS - 10);
    cr_assert (rm_state_member (state, worker->inc));
    after (10);
    cr_assert_null (rm_state_member (state, worker->inc));
}

Test (leader_term, jobs_that_workers_hold_are_taken_over_and_not_dispatched_again)
{
    worker_t *first = join_settled ("w", 10), *second = join_settled ("x", 10);
    uint64_t keyed = put (key_of (first, 0), "a"), other = put (key_of (second, 0), "b"), unkeyed = put (NULL, "c");
    worker_t *holder = at (unkeyed, first) ? first : second;
    held_t held[] = {*holds (first, keyed), *holds (second, other), *holds (holder, unkeyed)};
    uint32_t received = first->received + second->received;
    restart_from_log (0);
    settle ();
    cr_assert (at (keyed, first) && at (other, second) && at (unkeyed, holder));
    cr_assert_eq (first->received + second->received, received);
    finish (first, keyed); /* under the token of the leader before */
    finish (second, other);
    finish (holder, unkeyed);
    for (int i = 0; i < 3; i++)
        cr_assert_eq (outcome_of (held[i].id), RM_OUTCOME_DONE);
}

Test (leader_term, a_finished_job_that_is_still_held_is_answered_committed_and_is_not_in_flight)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put ("key", "a"), next = put ("key", "b");
    held_t held = *holds (worker, id);
    worker->dead = true; /* never hears that it is committed */
    say_done (worker, id, held.token, held.attempt, RM_VERDICT_OK, "ok");
    turn ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
    restart_from_log (0);
    mark ();
    lose_frames (worker);
    worker->dead = false;
    beat (worker); /* an old term: shown the sync, then it reports what it holds */
    turn ();
    cr_assert (told_committed (worker, id));
    settle ();
    cr_assert (!holds (worker, id));
    cr_assert (at (next, worker));
    cr_assert_eq (peer_of (worker)->flight_count, 1);
}

Test (leader_term, a_slot_is_dispatched_again_only_when_every_holder_has_reported)
{
    worker_t *first = join_settled ("w", 100);
    char keys[KEYS][16];
    uint64_t ids[KEYS];
    for (int i = 0; i < KEYS; i++) {
        snprintf (keys[i], sizeof keys[i], "key%d", i);
        ids[i] = put (keys[i], "a");
    }
    first->manual = true;
    worker_t *second = join ("x", 100);
    after (RM_RESIZE_WINDOW_MS); /* moved slots have two holders now */
    first->manual = false;
    first->dead = second->dead = true;
    restart_from_log (0);
    int moved = -1, stays = -1;
    for (int i = 0; i < KEYS; i++)
        if (owner_of (keys[i]) == second)
            moved = i;
        else
            stays = i;
    cr_assert (moved >= 0 && stays >= 0);
    cr_assert_eq (slot_state (keys[stays]), RM_SLOT_UNKNOWN);
    cr_assert_eq (slot_state (keys[moved]), RM_SLOT_UNKNOWN);
    uint64_t free_moved = put (key_of (second, 30), "new"), free_stays = put (key_of (first, 30), "new");
    second->dead = false;
    after (300);
    cr_assert (peer_of (second)->reported && !peer_of (first)->reported);
    cr_assert (!rm_record_peer (record_of (free_moved)), "its target has reported, its owner has not");
    cr_assert (!rm_record_peer (record_of (free_stays)));
    cr_assert (!rm_record_peer (record_of (ids[moved])));
    first->dead = false;
    after (300);
    cr_assert (at (free_moved, second));
    cr_assert (at (free_stays, first));
    cr_assert (at (ids[moved], first), "it runs there still, and its slot waits for it");
    cr_assert_eq (slot_state (keys[moved]), RM_SLOT_CLOSED);
    finish (first, ids[moved]);
    cr_assert_eq (slot_state (keys[moved]), RM_SLOT_OPEN);
}

Test (leader_term, a_slot_whose_holder_is_silent_is_dispatched_when_that_one_is_removed_after_its_lease)
{
    worker_t *first = join_settled ("w", 10), *second = join_settled ("x", 10);
    uint64_t held = put (key_of (first, 0), "a"), waits = put (key_of (first, 0), "b");
    die (first);
    uint64_t begun = now.mono_ms;
    restart_from_log (0);
    while (!rm_record_peer (record_of (held))) {
        cr_assert_lt (now.mono_ms, begun + 5000);
        cr_assert (!at (waits, second));
        after (10);
    }
    cr_assert_geq (now.mono_ms, begun + REMOVED_AFTER_MS);
    cr_assert (at (held, second));
    cr_assert_null (rm_state_member (state, first->inc));
}

Test (leader_term, a_worker_gets_nothing_before_it_has_reported)
{
    worker_t *worker = join_settled ("w", 10);
    die (worker);
    restart_from_log (0);
    uint64_t id = put (NULL, "accepted after the barrier");
    after (500);
    cr_assert (!rm_record_peer (record_of (id)));
    worker->dead = false;
    beat (worker);
    turn ();
    cr_assert (at (id, worker));
}

Test (leader_term, unkeyed_jobs_older_than_the_barrier_wait_until_all_have_reported)
{
    worker_t *first = join_settled ("w", 1), *second = join_settled ("x", 1);
    uint64_t held = put (NULL, "a"), also_held = put (NULL, "b"), older = put (NULL, "c");
    worker_t *holder = at (held, first) ? first : second, *other = holder == first ? second : first;
    cr_assert (at (also_held, other));
    die (holder);
    restart_from_log (0);
    uint64_t newer = put (NULL, "d");
    after (300);
    cr_assert (peer_of (other)->reported);
    finish (other, also_held);
    cr_assert (at (newer, other), "accepted after the barrier: nobody can hold it");
    finish (other, newer);
    cr_assert (!rm_record_peer (record_of (held)) && !rm_record_peer (record_of (older)),
               "the silent one might hold either");
    after (REMOVED_AFTER_MS + 10);
    settle ();
    cr_assert_null (rm_state_member (state, holder->inc));
    cr_assert (at (held, other) || at (older, other));
    cr_assert_eq (record_of (held)->crashes, 0, "nobody knows that it was in flight there");
}

Test (leader_term, unkeyed_jobs_of_another_pool_do_not_wait_for_this_ones_workers)
{
    worker_t *silent = join_settled ("w", 1);
    worker_t *other = worker_new ("x", 1);
    strcpy (other->pool, "elsewhere");
    other->queues[0] = "r";
    say_join (other);
    turn ();
    settle ();
    uint64_t busy = put_job (&client, job_of ("r", NULL, "a")), id = put_job (&client, job_of ("r", NULL, "b"));
    die (silent);
    restart_from_log (0);
    after (300);
    finish (other, busy);
    cr_assert (at (id, other));
}

Test (leader_term, a_resize_that_was_running_is_resumed_at_phase_1_in_the_new_term)
{
    worker_t *first = join_settled ("w", 100);
    uint64_t keyed = put ("key", "a");
    first->manual = true;
    worker_t *second = join ("x", 100);
    after (RM_RESIZE_WINDOW_MS);
    say_sync1 (first);
    turn ();
    cr_assert_eq (leader->resize.state, RM_RESIZE_PHASE2);
    uint64_t epoch = state->epoch;
    mark ();
    restart_from_log (0);
    cr_assert_eq (leader->resize.state, RM_RESIZE_PHASE1);
    cr_assert_eq (state->epoch, epoch);
    cr_assert_eq (published (1)->msg.sync.epoch, epoch);
    cr_assert_eq (published (1)->msg.sync.term, state->term);
    cr_assert_null (published (2));
    rm_msg_t late = {.type = RM_MSG_SYNC};
    late.sync = (rm_msg_sync_t){.name = {"w", 1}, .phase = 2, .term = state->term - 1, .epoch = epoch, .ok = true};
    late.sync.report = report_of (first);
    late.sync.report.term = state->term - 1;
    tell (first, &late);
    cr_assert (!peer_of (first)->settled);
    first->manual = false;
    after (200);
    if (holds (first, keyed))
        finish (first, keyed);
    settle ();
    cr_assert_eq (state->committed_epoch, epoch);
    cr_assert_eq (state->epoch, epoch);
    (void)second;
}

Test (leader_term, phase_2_of_a_resumed_resize_waits_until_every_slot_is_known)
{
    worker_t *first = join_settled ("w", 1), *second = join_settled ("x", 1);
    die (second);
    mark ();
    restart_from_log (0);
    after (500);
    cr_assert (peer_of (first)->synced);
    cr_assert_null (published (2));
    second->dead = false;
    settle ();
    cr_assert (published (2));
}

Test (leader_term, a_new_master_without_a_resize_asks_all_and_commits_nothing)
{
    join_settled ("w", 1);
    uint64_t epoch = state->epoch;
    restart_from_log (0);
    settle ();
    cr_assert_eq (state->epoch, epoch);
    cr_assert_eq (state->committed_epoch, epoch);
    cr_assert (published (3));
}

Test (leader_term, who_joined_after_the_newest_begin_gets_its_slots_from_the_next_master)
{
    join_settled ("w", 1);
    worker_t *late = join ("x", 1);
    cr_assert (!rm_state_member (state, late->inc)->in_ring);
    restart_from_log (0);
    settle ();
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, late->inc)->number), RM_SLOTS / 2);
}

Test (leader_term, a_removal_that_reached_the_log_without_its_new_epoch_is_made_good_by_the_next_master)
{
    worker_t *first = join_settled ("w", 1), *second = join_settled ("x", 1);
    rm_buf_t batch = {0};
    rm_entry_batch (&batch, now.wall_ms);
    rm_entry_member_remove (&batch, &(rm_entry_remove_t){second->inc, NULL, 0});
    second->dead = true;
    crash_master (0);
    cr_assert_eq (rm_state_apply (state, batch.data, batch.size), 0);
    rm_buf_close (&batch);
    turn ();
    settle ();
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, first->inc)->number), RM_SLOTS);
}

Test (leader_term, a_leaver_is_let_go_by_the_next_master_too)
{
    worker_t *first = join_settled ("w", 2), *second = join_settled ("x", 2);
    uint64_t id = put (key_of (first, 0), "a");
    say_leave (first);
    after (100);
    cr_assert (rm_state_member (state, first->inc)->leaving);
    restart_from_log (0);
    after (200);
    uint64_t unkeyed = put (NULL, "b");
    cr_assert (at (unkeyed, second));
    finish (first, id);
    settle ();
    after (20);
    cr_assert (first->left);
    cr_assert_eq (state->member_count, 1);
}

Test (leader_term, a_leader_that_steps_down_forgets_what_it_believed_and_answers_nobody)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t keyed = put ("key", "a"), unkeyed = put (NULL, "b"), waits = put ("key", "c");
    ask_wait ("waiter", &keyed, 1, 60000);
    rm_submit_job_t job = job_of ("q", NULL, "never applied");
    job.seq = client.seq + 1;
    submit_jobs (&client, &job, 1);
    flush_once ();
    mark ();
    failover (0); /* checks that nothing is left in its books */
    cr_assert_null (sent ("client", RM_MSG_ACCEPTED));
    cr_assert_null (sent ("waiter", RM_MSG_RESULT));
    settle ();
    cr_assert (at (keyed, worker) && at (unkeyed, worker));
    cr_assert (!rm_record_peer (record_of (waits)));
    finish (worker, keyed);
    cr_assert (at (waits, worker));
    cr_assert_null (sent ("waiter", RM_MSG_RESULT), "who waited asks the next leader");
}

Test (leader_term, what_made_it_to_the_log_counts_under_the_next_master_though_nobody_was_answered)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t id = put ("key", "a"), next = put ("key", "b");
    disk_slow = true;
    finish (worker, id);
    cr_assert_eq (unapplied (), 1);
    disk_slow = false;
    failover (1);
    settle ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
    cr_assert (at (next, worker));
    cr_assert (!holds (worker, id), "it was told when it reported");
}

Test (leader_term, what_did_not_make_it_to_the_log_is_said_again)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t id = put ("key", "a"), next = put ("key", "b");
    disk_slow = true;
    finish (worker, id);
    disk_slow = false;
    restart_from_log (0);
    settle ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE);
    cr_assert (at (id, worker), "it still holds it");
    cr_assert (!rm_record_peer (record_of (next)));
    finish (worker, id); /* sent again in the new term */
    cr_assert (at (next, worker));
}

Test (leader_term, a_dispatch_of_an_older_leader_is_numbered_anew_by_the_next)
{
    worker_t *worker = join_settled ("w", 10);
    for (int i = 0; i < 5; i++)
        put (NULL, "a");
    cr_assert_eq (peer_of (worker)->last_seq, 5);
    restart_from_log (0);
    settle ();
    uint64_t id = put (NULL, "b");
    cr_assert_eq (record_of (id)->lead.flight->seq, 1);
    cr_assert_eq (worker->upto, 1);
    cr_assert_eq (peer_of (worker)->flight_count, 6);
    while (worker->held_count)
        finish (worker, worker->held[0].id);
}

Test (leader_term, a_failed_jobs_delay_outlives_its_master)
{
    config.retry.jitter = RM_JITTER_NONE;
    config.retry.delay_ms = 3000;
    reconfigure ();
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a"), next = put (NULL, "b");
    fail (worker, id, RM_VERDICT_RETRY);
    restart_from_log (0);
    settle ();
    finish (worker, next);
    after (2000);
    cr_assert (!rm_record_peer (record_of (id)));
    after (1500);
    cr_assert (at (id, worker));
}
