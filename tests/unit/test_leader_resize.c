/*  The three phases, as the leader drives them: who moves, who waits for what, who is waited for (DESIGN §6). */
#include <stdio.h>

#include "leader_fixture.h"

TestSuite (leader_resize, .init = cluster_begin, .fini = cluster_end);

enum { KEYS = 40, REMOVED_AFTER_MS = RM_LEASE_MS + RM_GRACE_MS + RM_MARGIN_MS };

static char keys[KEYS][16];
static uint64_t ids[KEYS];

/* One job in flight for each of many keys. */
static void load_keys (void)
{
    for (int i = 0; i < KEYS; i++) {
        snprintf (keys[i], sizeof keys[i], "key%d", i);
        ids[i] = put (keys[i], "a");
        cr_assert (rm_record_peer (record_of (ids[i])));
    }
}

static bool at (uint64_t id, const worker_t *worker)
{
    const rm_record_t *record = record_of (id);
    return rm_record_peer (record) && rm_record_peer (record) == peer_of (worker);
}

/* The n-th key whose slot is to go from one worker to another in the present resize. */
static int moving (const worker_t *from, const worker_t *to, int n)
{
    for (int i = 0; i < KEYS; i++)
        if (holds ((worker_t *)from, ids[i]) && owner_of (keys[i]) == to && !n--)
            return i;
    cr_assert (false, "too few keys move");
    return -1;
}

static rm_resize_state_t phase (void)
{
    return leader->resize.state;
}

/* A loaded worker that does not answer by itself, and one that joins: the resize has begun. */
static worker_t *begin_with_manual (worker_t *first)
{
    first->manual = true;
    worker_t *second = join ("x", 100);
    second->manual = true;
    after (RM_RESIZE_WINDOW_MS);
    cr_assert_eq (phase (), RM_RESIZE_PHASE1);
    return second;
}

static void both_report (worker_t *first, worker_t *second)
{
    say_sync1 (first);
    say_sync1 (second);
    turn ();
    cr_assert_eq (phase (), RM_RESIZE_PHASE2);
}

/* ---- what begins one -------------------------------------------------------------------------------------------- */

Test (leader_resize, two_joins_within_the_window_are_one_resize)
{
    worker_t *first = join ("w", 1);
    after (RM_RESIZE_WINDOW_MS - 20);
    cr_assert_eq (state->epoch, 0);
    worker_t *second = join ("x", 1);
    after (20);
    cr_assert_eq (state->epoch, 1);
    settle ();
    cr_assert_eq (state->epoch, 1);
    cr_assert_eq (state->committed_epoch, 1);
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, first->inc)->number), RM_SLOTS / 2);
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, second->inc)->number), RM_SLOTS / 2);
}

Test (leader_resize, a_join_during_a_resize_waits_for_its_commit)
{
    worker_t *first = join_settled ("w", 1);
    worker_t *second = begin_with_manual (first);
    uint64_t epoch = state->epoch;
    join ("y", 1);
    after (500);
    cr_assert_eq (state->epoch, epoch);
    both_report (first, second);
    say_sync2 (first, true);
    say_sync2 (second, true);
    mark ();
    turn ();
    cr_assert_eq (published (3)->msg.sync.epoch, epoch, "it was not superseded");
    cr_assert_eq (state->epoch, epoch + 1, "and the next one begins at once");
}

Test (leader_resize, a_join_during_a_resize_that_hangs_supersedes_it_after_a_second)
{
    worker_t *first = join_settled ("w", 1);
    begin_with_manual (first);
    uint64_t epoch = state->epoch;
    worker_t *third = join ("y", 1);
    after (RM_RESIZE_PATIENCE_MS - 20);
    cr_assert_eq (state->epoch, epoch);
    after (40);
    cr_assert_eq (state->epoch, epoch + 1);
    cr_assert_lt (state->committed_epoch, epoch);
    cr_assert_eq (phase (), RM_RESIZE_PHASE1);
    cr_assert (rm_state_member (state, third->inc)->in_ring);
}

Test (leader_resize, leaves_and_joins_together_are_one_resize)
{
    worker_t *first = join_settled ("w", 1), *second = join_settled ("x", 1);
    uint64_t epoch = state->epoch;
    say_leave (first);
    say_leave (second);
    worker_t *third = join ("y", 1);
    settle ();
    after (20);
    cr_assert_eq (state->epoch, epoch + 1);
    cr_assert_eq (state->member_count, 1);
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, third->inc)->number), RM_SLOTS);
    cr_assert (first->left && second->left);
}

/* ---- what goes on meanwhile ------------------------------------------------------------------------------------- */

Test (leader_resize, slots_that_do_not_move_are_dispatched_all_through_it)
{
    worker_t *first = join_settled ("w", 200);
    load_keys ();
    worker_t *second = begin_with_manual (first);
    int stays = moving (first, first, 0);
    for (int round = 0; round < 4; round++) {
        uint64_t next = put (keys[stays], "b"), unkeyed = put (NULL, "c");
        cr_assert (rm_record_peer (record_of (unkeyed)), "in %s", rm_resize_state_name (phase ()));
        finish (first, ids[stays]);
        cr_assert (at (next, first), "in %s", rm_resize_state_name (phase ()));
        ids[stays] = next;
        if (round == 1)
            both_report (first, second);
    }
}

Test (leader_resize, a_moved_slot_with_nothing_in_flight_opens_at_once)
{
    worker_t *first = join_settled ("w", 200);
    load_keys ();
    worker_t *second = begin_with_manual (first);
    uint64_t id = put (key_of (second, 50), "a");
    cr_assert_eq (phase (), RM_RESIZE_PHASE1);
    cr_assert (at (id, second));
    cr_assert (holds (second, id));
}

Test (leader_resize, a_moved_slot_waits_for_the_job_that_runs_in_it_and_for_nothing_else)
{
    worker_t *first = join_settled ("w", 200);
    load_keys ();
    worker_t *second = begin_with_manual (first);
    both_report (first, second);
    int one = moving (first, second, 0), other = moving (first, second, 1);
    uint64_t next = put (keys[one], "b"), blocked = put (keys[other], "b");
    cr_assert (!rm_record_peer (record_of (next)) && !rm_record_peer (record_of (blocked)));
    finish (first, ids[one]);
    cr_assert (at (next, second), "though others still drain, and nobody has said ok");
    cr_assert (!rm_record_peer (record_of (blocked)));
    cr_assert_eq (phase (), RM_RESIZE_PHASE2);
}

Test (leader_resize, a_moved_slot_stays_closed_until_the_end_of_its_job_is_in_the_ledger)
{
    worker_t *first = join_settled ("w", 200);
    load_keys ();
    worker_t *second = begin_with_manual (first);
    int one = moving (first, second, 0);
    uint64_t next = put (keys[one], "b");
    disk_slow = true;
    finish (first, ids[one]);
    cr_assert (!rm_record_peer (record_of (next)));
    disk_slow = false;
    disk ();
    turn ();
    cr_assert (at (next, second));
}

/* The starts of at-most-once jobs and the begin of the epoch that moves them are on the disk at the same time. */
Test (leader_resize, what_was_chosen_before_an_epoch_goes_out_as_of_the_one_before)
{
    worker_t *first = join_settled ("w", 200);
    join ("x", 100);
    disk_slow = true;
    for (int i = 0; i < KEYS; i++) {
        snprintf (keys[i], sizeof keys[i], "key%d", i);
        rm_submit_job_t job = job_of ("q", keys[i], "a");
        job.flags = RM_JOB_AT_MOST_ONCE;
        job.seq = ++client.seq;
        submit_jobs (&client, &job, 1);
    }
    turn ();
    disk ();
    flush_once ();
    jump (RM_RESIZE_WINDOW_MS);
    flush_once ();
    uint64_t epoch = state->epoch;
    mark ();
    disk ();
    turn ();
    cr_assert_eq (state->epoch, epoch + 1);
    uint32_t moved = 0;
    for (uint32_t n = 0; sent_nth (first->address, RM_MSG_DISPATCH, n); n++) {
        const rm_msg_dispatch_t *dispatch = &sent_nth (first->address, RM_MSG_DISPATCH, n)->dispatch;
        for (uint32_t i = 0; i < dispatch->job_count; i++) {
            const rm_pool_t *pool = state->pools;
            bool stays = state->members[pool->target[dispatch->jobs[i].slot]]->inc == first->inc;
            cr_assert (stays || dispatch->epoch == epoch);
            moved += !stays;
        }
    }
    cr_assert_gt (moved, 0);
}

Test (leader_resize, jobs_handed_back_in_phase_2_go_to_the_new_owner)
{
    worker_t *first = join_settled ("w", 200);
    load_keys ();
    worker_t *second = begin_with_manual (first);
    both_report (first, second);
    int one = moving (first, second, 0);
    hand_back (first, ids[one]);
    say_sync2 (first, false);
    turn ();
    cr_assert (at (ids[one], second));
    cr_assert_eq (record_of (ids[one])->crashes, 0);
}

/* ---- the phases ------------------------------------------------------------------------------------------------- */

Test (leader_resize, phase_2_comes_when_all_have_reported_and_not_before)
{
    worker_t *first = join_settled ("w", 200);
    load_keys ();
    mark ();
    worker_t *second = begin_with_manual (first);
    cr_assert (published (1));
    cr_assert_eq (published (1)->msg.sync.epoch, state->epoch);
    cr_assert_eq (published (1)->msg.sync.term, state->term);
    say_sync1 (first);
    after (300);
    cr_assert_eq (phase (), RM_RESIZE_PHASE1);
    cr_assert_null (published (2));
    say_sync1 (second);
    turn ();
    cr_assert_eq (phase (), RM_RESIZE_PHASE2);
    cr_assert (published (2));
}

Test (leader_resize, sync_to_is_the_highest_current_job)
{
    worker_t *first = join_settled ("w", 200);
    load_keys ();
    worker_t *second = begin_with_manual (first);
    first->current_job = 17;
    second->current_job = 33;
    mark ();
    both_report (first, second);
    cr_assert_eq (published (2)->msg.sync.sync_to, 33);
}

Test (leader_resize, current_job_is_frozen_at_a_workers_first_answer)
{
    worker_t *first = join_settled ("w", 200);
    worker_t *second = begin_with_manual (first);
    first->current_job = 17;
    say_sync1 (first);
    first->current_job = 99;
    mark ();
    both_report (first, second);
    cr_assert_eq (published (2)->msg.sync.sync_to, 17);
}

Test (leader_resize, phase_2_is_the_same_to_the_byte_however_often_it_is_said)
{
    worker_t *first = join_settled ("w", 200);
    load_keys ();
    worker_t *second = begin_with_manual (first);
    mark ();
    both_report (first, second);
    rm_buf_t said = published (2)->bytes;
    put (NULL, "later");
    say_sync1 (first);
    finish (first, ids[moving (first, first, 0)]);
    join ("y", 1); /* lives, but is not part of it */
    mark ();
    after (400);
    cr_assert_geq (published_count (2), 3);
    cr_assert_eq (published (2)->bytes.size, said.size);
    cr_assert (!memcmp (published (2)->bytes.data, said.data, said.size));
    const rm_msg_t *direct = sent (first->address, RM_MSG_SYNC);
    cr_assert (direct, "and after a heartbeat");
    rm_buf_t again = {0};
    cr_assert_eq (rm_msg_encode (direct, &again), 0);
    cr_assert_eq (again.size, said.size);
    cr_assert (!memcmp (again.data, said.data, said.size));
    rm_buf_close (&again);
}

static bool lists (const rm_msg_sync_t *sync, const worker_t *worker)
{
    for (uint32_t i = 0; i < sync->member_count; i++)
        if (sync->members[i].inc == worker->inc)
            return true;
    return false;
}

Test (leader_resize, phase_2_lists_every_live_incarnation_and_leavers_too)
{
    worker_t *first = join_settled ("w", 1), *second = join_settled ("x", 1);
    second->manual = true;
    say_leave (first);
    after (RM_RESIZE_WINDOW_MS);
    mark ();
    say_sync1 (second);
    turn ();
    const rm_msg_sync_t *sync = &published (2)->msg.sync;
    cr_assert_eq (sync->member_count, 2);
    cr_assert (lists (sync, first) && lists (sync, second));
    cr_assert_eq (sync->moved_count, 1);
    cr_assert_eq (sync->moved[0].from, first->inc);
    cr_assert_eq (sync->moved[0].to, second->inc);
    cr_assert_eq (sync->moved[0].last - sync->moved[0].first + 1, RM_SLOTS / 2);
    cr_assert (!memcmp (sync->moved[0].pool.data, "default", 7));
}

Test (leader_resize, a_worker_that_joins_during_phase_1_is_asked_and_waited_for_too)
{
    worker_t *first = join_settled ("w", 1);
    worker_t *second = begin_with_manual (first);
    worker_t *third = worker_new ("y", 1);
    third->manual = true;
    say_join (third);
    turn ();
    say_sync1 (first);
    say_sync1 (second);
    turn ();
    cr_assert_eq (phase (), RM_RESIZE_PHASE1);
    mark ();
    beat (third);
    cr_assert_eq (sent (third->address, RM_MSG_SYNC)->sync.phase, 1);
    turn ();
    say_sync1 (third);
    turn ();
    cr_assert_eq (phase (), RM_RESIZE_PHASE2);
    cr_assert (lists (&published (2)->msg.sync, third));
}

Test (leader_resize, commit_waits_for_every_ok)
{
    worker_t *first = join_settled ("w", 1);
    worker_t *second = begin_with_manual (first);
    both_report (first, second);
    say_sync2 (second, true);
    say_sync2 (first, false);
    after (500);
    cr_assert_eq (phase (), RM_RESIZE_PHASE2);
    mark ();
    say_sync2 (first, true);
    turn ();
    cr_assert_eq (state->committed_epoch, state->epoch);
    cr_assert (published (3));
    cr_assert_eq (phase (), RM_RESIZE_IDLE);
}

Test (leader_resize, commit_waits_until_the_masters_own_table_is_clean)
{
    worker_t *first = join_settled ("w", 200);
    load_keys ();
    worker_t *second = begin_with_manual (first);
    both_report (first, second);
    say_sync2 (first, true); /* says so, but what it holds says otherwise */
    say_sync2 (second, true);
    after (100);
    cr_assert_eq (phase (), RM_RESIZE_PHASE2);
    for (int i = 0; i < KEYS; i++)
        if (owner_of (keys[i]) == second && at (ids[i], first))
            finish (first, ids[i]);
    cr_assert_eq (state->committed_epoch, state->epoch);
}

Test (leader_resize, phase_3_is_said_after_the_commit_is_in_the_ledger_and_is_not_waited_for)
{
    worker_t *first = join_settled ("w", 1);
    worker_t *second = begin_with_manual (first);
    both_report (first, second);
    say_sync2 (first, true);
    say_sync2 (second, true);
    disk_slow = true;
    mark ();
    turn ();
    cr_assert_eq (phase (), RM_RESIZE_COMMIT);
    cr_assert_null (published (3));
    disk_slow = false;
    disk ();
    cr_assert_eq (published_count (3), 1);
    cr_assert_eq (phase (), RM_RESIZE_IDLE);
    after (500);
    cr_assert_eq (published_count (3), 1);
    first->manual = second->manual = false;
    join_settled ("y", 1);
}

Test (leader_resize, a_phase_that_is_not_answered_is_broadcast_again_and_sent_after_a_heartbeat)
{
    worker_t *first = join_settled ("w", 1);
    worker_t *second = begin_with_manual (first);
    for (uint32_t phase_number = 1; phase_number <= 2; phase_number++) {
        mark ();
        after (config.resync_ms * 3);
        cr_assert_geq (published_count (phase_number), 2);
        cr_assert_leq (published_count (phase_number), 4);
        mark ();
        beat (first);
        const rm_msg_t *direct = sent (first->address, RM_MSG_SYNC);
        cr_assert (direct, "phase %u", phase_number);
        cr_assert_eq (direct->sync.phase, phase_number);
        if (phase_number == 1)
            say_sync1 (first);
        else
            say_sync2 (first, true);
        mark ();
        beat (first);
        cr_assert_null (sent (first->address, RM_MSG_SYNC), "who has answered is not asked again");
        say_sync1 (second);
        turn ();
    }
}

Test (leader_resize, answers_to_an_older_epoch_do_not_count)
{
    worker_t *first = join_settled ("w", 1);
    worker_t *second = begin_with_manual (first);
    both_report (first, second);
    first->phase_epoch--;
    say_sync2 (first, true);
    first->phase_epoch++;
    say_sync2 (second, true);
    after (100);
    cr_assert_eq (phase (), RM_RESIZE_PHASE2);
}

/* ---- death ------------------------------------------------------------------------------------------------------ */

static void check_death_in (rm_resize_state_t wanted)
{
    worker_t *first = join_settled ("w", 200);
    worker_t *third = join_settled ("z", 200);
    load_keys ();
    worker_t *second = begin_with_manual (first);
    int one = moving (first, second, 0);
    uint64_t next = put (keys[one], "b");
    if (wanted == RM_RESIZE_PHASE2)
        both_report (first, second);
    cr_assert_eq (phase (), wanted);
    uint64_t epoch = state->epoch;
    second->manual = false;
    after (100);
    die (first);
    uint64_t heard = peer_of (first)->heard_ms;
    while (now.mono_ms < heard + REMOVED_AFTER_MS - 10)
        after (10);
    cr_assert_eq (state->epoch, epoch, "nothing supersedes it before the lease is over");
    disk_slow = true;
    after (10);
    cr_assert_eq (unapplied (), 1, "the removal and the new epoch are one batch");
    cr_assert_eq (phase (), RM_RESIZE_BEGIN);
    cr_assert (at (ids[one], first), "and until it is applied nothing is given to anyone");
    disk_slow = false;
    disk ();
    turn ();
    cr_assert_eq (state->epoch, epoch + 1);
    cr_assert_null (rm_state_member (state, first->inc));
    for (int i = 0; i < KEYS; i++)
        cr_assert_eq (outcome_of (ids[i]), RM_OUTCOME_NONE);
    const worker_t *owner = owner_of (keys[one]);
    cr_assert (owner == second || owner == third);
    for (int i = 0; i < 500 && outcome_of (next) == RM_OUTCOME_NONE; i++) {
        cr_assert (outcome_of (ids[one]) == RM_OUTCOME_DONE || !rm_record_peer (record_of (next)),
                   "the head comes first");
        worker_t *workers[] = {second, third};
        for (int w = 0; w < 2; w++)
            if (workers[w]->held_count)
                finish (workers[w], workers[w]->held[0].id);
    }
    cr_assert_eq (outcome_of (next), RM_OUTCOME_DONE);
    cr_assert_eq (record_of (ids[one])->crashes, 1);
}

Test (leader_resize, a_death_in_phase_1_begins_anew_in_one_batch_and_its_jobs_go_back_to_the_head)
{
    check_death_in (RM_RESIZE_PHASE1);
}

Test (leader_resize, a_death_in_phase_2_begins_anew_in_one_batch_and_its_jobs_go_back_to_the_head)
{
    check_death_in (RM_RESIZE_PHASE2);
}

Test (leader_resize, a_death_while_the_commit_is_logged_begins_anew)
{
    worker_t *first = join_settled ("w", 1);
    worker_t *second = begin_with_manual (first);
    both_report (first, second);
    second->manual = false;
    second->silent = true;
    beat (second);
    after (REMOVED_AFTER_MS - 20);
    say_sync2 (first, true);
    say_sync2 (second, true);
    disk_slow = true;
    turn ();
    cr_assert_eq (phase (), RM_RESIZE_COMMIT);
    after (30);
    cr_assert_eq (phase (), RM_RESIZE_BEGIN);
    first->manual = false;
    disk_slow = false;
    disk ();
    turn ();
    settle ();
    cr_assert_null (rm_state_member (state, second->inc));
    cr_assert_eq (state->committed_epoch, state->epoch);
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, first->inc)->number), RM_SLOTS);
}

Test (leader_resize, slots_that_drain_keep_draining_when_it_is_superseded)
{
    worker_t *first = join_settled ("w", 200);
    load_keys ();
    worker_t *second = begin_with_manual (first);
    both_report (first, second);
    int one = moving (first, second, 0);
    uint64_t next = put (keys[one], "b");
    die (second);
    worker_t *third = join ("y", 200);
    first->manual = false;
    after (REMOVED_AFTER_MS);
    cr_assert_null (rm_state_member (state, second->inc));
    const rm_slot_t *slot = &state->pools->lead->slots[slot_of (keys[one])];
    if (owner_of (keys[one]) == first)
        cr_assert_eq (slot->state, RM_SLOT_OPEN, "it came back");
    else
        cr_assert_eq (slot->state, RM_SLOT_CLOSED);
    cr_assert_eq (slot->in_flight, 1);
    cr_assert (at (ids[one], first));
    cr_assert (!rm_record_peer (record_of (next)));
    finish (first, ids[one]);
    cr_assert (at (next, owner_of (keys[one])));
    for (int i = 0; i < KEYS; i++)
        if (holds (first, ids[i]))
            finish (first, ids[i]);
    settle ();
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, third->inc)->number), RM_SLOTS / 2);
}

Test (leader_resize, a_change_that_would_need_a_seventh_holder_waits_for_the_commit)
{
    worker_t *first = join_settled ("w", 200), *newest = NULL;
    load_keys ();
    uint64_t epoch = state->epoch;
    char name[16];
    for (int i = 0; i < 10; i++) { /* the same slots wander from one to the next, and the first still runs their jobs */
        if (newest)
            say_leave (newest);
        snprintf (name, sizeof name, "x%d", i);
        newest = join (name, 1);
        after (RM_RESIZE_PATIENCE_MS + 100);
    }
    cr_assert_eq (state->epoch, epoch + RM_HOLDERS_MAX - 1);
    cr_assert_lt (state->committed_epoch, state->epoch);
    for (int i = 0; i < KEYS; i++)
        finish (first, ids[i]);
    settle ();
    after (20);
    cr_assert_eq (state->member_count, 2);
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, first->inc)->number), RM_SLOTS / 2);
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, newest->inc)->number), RM_SLOTS / 2);
}

Test (leader_resize, a_leaver_that_could_not_give_a_slot_away_for_want_of_room_does_so_after_the_commit)
{
    worker_t *first = join_settled ("w", 200), *bystander = join_settled ("z", 200), *newest = NULL;
    worker_t *others[] = {first, bystander};
    load_keys ();
    char name[16];
    for (int i = 0; i < RM_HOLDERS_MAX; i++) {
        if (newest)
            say_leave (newest);
        snprintf (name, sizeof name, "x%d", i);
        newest = join (name, 1);
        after (RM_RESIZE_PATIENCE_MS + 100);
    }
    say_leave (newest);
    join ("y", 1);
    join ("v", 1);
    die (bystander); /* which does not wait for room */
    after (REMOVED_AFTER_MS + 10);
    for (int i = 0; i < 2; i++)
        while (others[i]->held_count && !others[i]->dead)
            finish (others[i], others[i]->held[0].id);
    settle ();
    after (20);
    settle ();
    cr_assert_eq (state->member_count, 3);
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        cr_assert_neq (state->pools->owner[slot], RM_RING_NOBODY);
}

/* ---- leaving ---------------------------------------------------------------------------------------------------- */

Test (leader_resize, a_leaver_finishes_what_it_holds_and_gets_left_after_its_last_committed)
{
    worker_t *first = join_settled ("w", 200), *second = join_settled ("x", 200);
    uint64_t id = put (key_of (first, 0), "a");
    cr_assert (at (id, first));
    mark ();
    say_leave (first);
    after (100);
    uint64_t unkeyed = put (NULL, "b");
    cr_assert (at (unkeyed, second), "a leaver gets nothing new");
    after (500);
    cr_assert (rm_state_member (state, first->inc), "not while something of it is in flight");
    cr_assert_lt (state->committed_epoch, state->epoch);
    finish (first, id);
    after (50);
    cr_assert_null (rm_state_member (state, first->inc));
    const rm_msg_t *left = sent (first->address, RM_MSG_LEFT);
    cr_assert (left);
    cr_assert_eq (left->left.inc, first->inc);
    cr_assert (told_committed (first, id));
    cr_assert_gt (frame_index (left), frame_index (sent (first->address, RM_MSG_COMMITTED)));
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, second->inc)->number), RM_SLOTS);
}

Test (leader_resize, a_leaver_stays_until_what_it_holds_without_a_key_is_done)
{
    worker_t *worker = join_settled ("w", 2);
    uint64_t id = put (NULL, "a");
    worker_t *other = join_settled ("x", 2);
    say_leave (worker);
    settle ();
    after (300);
    cr_assert_eq (state->committed_epoch, state->epoch, "its slots are gone");
    cr_assert (rm_state_member (state, worker->inc));
    finish (worker, id);
    after (20);
    cr_assert_null (rm_state_member (state, worker->inc));
    cr_assert (worker->left);
    (void)other;
}

Test (leader_resize, a_leave_that_is_said_twice_is_one_leave)
{
    worker_t *first = join_settled ("w", 1);
    join_settled ("x", 1);
    uint64_t epoch = state->epoch;
    for (int i = 0; i < 5; i++)
        say_leave (first);
    settle ();
    after (200);
    cr_assert_eq (state->epoch, epoch + 1);
    mark ();
    say_leave (first);
    cr_assert (sent (first->address, RM_MSG_REJOIN), "it is gone: whoever missed `left` learns it from this");
}

Test (leader_resize, an_operator_takes_a_worker_out_in_good_order)
{
    worker_t *first = join_settled ("w", 1), *second = join_settled ("x", 1);
    cr_assert_eq (rm_leader_drain (leader, now, (rm_bytes_t){"nobody", 6}), 0);
    cr_assert_eq (rm_leader_drain (leader, now, (rm_bytes_t){"w", 1}), 1);
    after (RM_RESIZE_WINDOW_MS);
    settle ();
    after (20);
    cr_assert (first->left);
    cr_assert_eq (state->member_count, 1);
    cr_assert_eq (rm_pool_share (state->pools, rm_state_member (state, second->inc)->number), RM_SLOTS);
}

Test (leader_resize, a_leaver_that_dies_is_removed_like_any_other_and_not_told_that_it_left)
{
    worker_t *first = join_settled ("w", 1), *second = join_settled ("x", 1);
    uint64_t id = put (key_of (first, 0), "a");
    say_leave (first);
    after (100);
    mark ();
    die_and_be_removed (first);
    settle ();
    cr_assert_null (sent (first->address, RM_MSG_LEFT));
    cr_assert (at (id, second));
    cr_assert_eq (record_of (id)->crashes, 1);
}

Test (leader_resize, no_member_at_all_is_an_assignment_too)
{
    worker_t *only = join_settled ("w", 1);
    say_leave (only);
    settle ();
    after (20);
    cr_assert_eq (state->member_count, 0);
    cr_assert_eq (state->committed_epoch, state->epoch);
    uint64_t keyed = put ("key", "a"), unkeyed = put (NULL, "b");
    after (100);
    cr_assert (!rm_record_peer (record_of (keyed)) && !rm_record_peer (record_of (unkeyed)));
    worker_t *next = join_settled ("x", 2);
    cr_assert (at (keyed, next) && at (unkeyed, next));
}
