/*  What becomes of jobs: the order of keys, failures, crashes, at-most-once (docs/guarantees.md). */
#include <stdio.h>

#include "leader_fixture.h"

TestSuite (leader_jobs, .init = cluster_begin, .fini = cluster_end);

static bool at (uint64_t id, const worker_t *worker)
{
    const rm_record_t *record = record_of (id);
    return rm_record_peer (record) && rm_record_peer (record) == peer_of (worker);
}

static uint64_t put_once (const char *key)
{
    rm_submit_job_t job = job_of ("q", key, "a");
    job.flags = RM_JOB_AT_MOST_ONCE;
    return put_job (&client, job);
}

/* ---- one key ---------------------------------------------------------------------------------------------------- */

Test (leader_jobs, jobs_of_one_key_are_handed_out_one_at_a_time_in_accept_order)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t ids[5];
    for (int i = 0; i < 5; i++)
        ids[i] = put ("key", "a");
    uint64_t other = put ("another", "a");
    cr_assert (at (other, worker), "other keys do not wait");
    for (int i = 0; i < 5; i++) {
        for (int j = i; j < 5; j++)
            cr_assert_eq (at (ids[j], worker), j == i, "job %d of the key while %d is in flight", j, i);
        finish (worker, ids[i]);
    }
}

Test (leader_jobs, the_next_of_a_key_is_handed_out_only_after_the_one_before_is_applied)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t first = put ("key", "a"), second = put ("key", "b");
    disk_slow = true;
    finish (worker, first);
    cr_assert (!rm_record_peer (record_of (second)));
    disk_slow = false;
    disk ();
    turn ();
    cr_assert (at (second, worker));
}

Test (leader_jobs, order_is_kept_per_queue_and_key)
{
    worker_t *worker = worker_new ("w", 10);
    worker->queues[worker->queue_count++] = "r";
    say_join (worker);
    turn ();
    settle ();
    rm_submit_job_t job = job_of ("r", "key", "b");
    uint64_t in_q = put ("key", "a"), in_r = put_job (&client, job);
    cr_assert (at (in_q, worker) && at (in_r, worker));
    cr_assert_eq (holds (worker, in_q)->slot, holds (worker, in_r)->slot, "one key meets at one worker");
}

Test (leader_jobs, a_failed_job_keeps_its_place_before_its_key_while_it_waits_for_its_next_attempt)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t first = put ("key", "a"), second = put ("key", "b");
    fail (worker, first, RM_VERDICT_RETRY);
    cr_assert_eq (record_of (first)->failures, 1);
    cr_assert_gt (record_of (first)->not_before_ms, now.wall_ms);
    for (int i = 0; i < 200 && !holds (worker, first); i++) {
        cr_assert (!at (second, worker));
        after (10);
    }
    cr_assert (holds (worker, first));
    cr_assert_geq (now.wall_ms, record_of (first)->not_before_ms, "not before its time");
    cr_assert_eq (holds (worker, first)->attempt, 2);
    finish (worker, first);
    cr_assert (at (second, worker));
}

Test (leader_jobs, a_failed_job_is_nobody_elses_before_its_worker_has_let_go_of_it)
{
    config.retry.delay_ms = 1;
    config.retry.cap_ms = 1;
    reconfigure ();
    worker_t *worker = join_settled ("w", 1);
    join_settled ("x", 1);
    worker->silent = true;
    uint64_t id = put (NULL, "a");
    worker_t *holder = at (id, worker) ? worker : NULL;
    cr_assert (holder || rm_record_peer (record_of (id)));
    while (!at (id, worker)) {
        rm_peer_t *peer = rm_record_peer (record_of (id));
        cr_assert (peer);
        uint64_t filler = id;
        id = put (NULL, "b");
        cr_assert_neq (filler, id);
    }
    held_t held = *holds (worker, id);
    worker->dead = true; /* it hears no committed and still holds its result */
    say_done (worker, id, held.token, held.attempt, RM_VERDICT_RETRY, "failed");
    turn ();
    after (100);
    turn ();
    cr_assert (at (id, worker), "it may still hold it");
    mark ();
    beat (worker);
    turn ();
    cr_assert (told_committed (worker, id), "a report that still holds it is told again");
    drop (worker, id);
    beat (worker);
    after (10);
    cr_assert_eq (record_of (id)->failures, 1);
    cr_assert_neq (record_of (id)->lead.at, RM_AT_FAILED);
}

Test (leader_jobs, a_key_goes_on_in_order_after_its_worker_died)
{
    worker_t *worker = join_settled ("w", 10);
    worker_t *other = join_settled ("x", 10);
    const char *key = key_of (worker, 0);
    uint64_t first = put (key, "a"), second = put (key, "b");
    cr_assert (at (first, worker));
    die_and_be_removed (worker);
    settle ();
    cr_assert (at (first, other));
    cr_assert (!rm_record_peer (record_of (second)));
    finish (other, first);
    finish (other, second);
}

Test (leader_jobs, a_job_that_was_handed_back_goes_before_the_rest_of_its_key)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t first = put ("key", "a"), second = put ("key", "b");
    drop (worker, first);
    beat (worker);
    turn ();
    cr_assert (at (first, worker));
    cr_assert (!rm_record_peer (record_of (second)));
}

Test (leader_jobs, a_key_goes_on_in_order_under_the_next_master)
{
    worker_t *worker = join_settled ("w", 10);
    uint64_t first = put ("key", "a"), second = put ("key", "b");
    restart_from_log (0);
    settle ();
    cr_assert (at (first, worker));
    cr_assert (!rm_record_peer (record_of (second)));
    finish (worker, first);
    finish (worker, second);
}

Test (leader_jobs, tokens_of_a_key_only_grow_over_attempts_workers_and_masters)
{
    worker_t *worker = join_settled ("w", 1), *other = join_settled ("x", 1);
    const char *key = key_of (worker, 0);
    uint64_t token = 0, id = 0;
    for (int i = 0; i < 6; i++) {
        if (i == 2)
            restart_from_log (0);
        if (i == 4)
            die_and_be_removed (worker);
        settle ();
        worker_t *owner = i < 4 ? worker : other;
        id = put (key, "a");
        cr_assert (at (id, owner));
        cr_assert_gt (holds (owner, id)->token, token);
        token = holds (owner, id)->token;
        if (i % 2) {
            drop (owner, id);
            beat (owner);
            turn ();
            cr_assert_gt (holds (owner, id)->token, token);
            token = holds (owner, id)->token;
        }
        finish (owner, id);
    }
    cr_assert_gt (token >> 40, 1);
}

/* ---- failures and crashes --------------------------------------------------------------------------------------- */

Test (leader_jobs, a_job_that_fails_as_often_as_it_may_is_dead_with_its_last_reason)
{
    worker_t *worker = join_settled ("w", 1);
    rm_submit_job_t job = job_of ("q", NULL, "a");
    job.tries = 2;
    uint64_t id = put_job (&client, job);
    fail (worker, id, RM_VERDICT_TIMEOUT);
    after (3000);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_NONE);
    fail (worker, id, RM_VERDICT_RETRY);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DEAD);
    cr_assert_str_eq (reason_of (id), "it failed");
}

Test (leader_jobs, a_wall_clock_that_goes_back_delays_nothing)
{
    config.retry.jitter = RM_JITTER_NONE;
    reconfigure ();
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    fail (worker, id, RM_VERDICT_RETRY);
    uint64_t ledger_ms = state->time_ms;
    now.wall_ms -= 3600000;
    after (1300);
    cr_assert (holds (worker, id));
    finish (worker, id);
    cr_assert_geq (state->time_ms, ledger_ms + 1000);
    now.wall_ms += 3600000;
    restart_from_log (0);
    cr_assert_geq (state->time_ms, ledger_ms + 1000);
}

Test (leader_jobs, a_job_that_fails_for_good_is_dead_at_once)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put ("key", "a"), next = put ("key", "b");
    fail (worker, id, RM_VERDICT_DEAD);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DEAD);
    cr_assert (at (next, worker));
}

Test (leader_jobs, an_interrupted_run_counts_as_a_crash_not_as_a_failure)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put (NULL, "a");
    fail (worker, id, RM_VERDICT_INTERRUPTED);
    cr_assert_eq (record_of (id)->crashes, 1);
    cr_assert_eq (record_of (id)->failures, 0);
    after (300);
    cr_assert (at (id, worker), "and is run again without a delay");
}

Test (leader_jobs, after_its_first_crash_a_job_is_run_alone_and_nothing_is_given_out_beside_it)
{
    worker_t *worker = join_settled ("w", 4);
    uint64_t poison = put ("poison", "a"), neighbour = put ("x", "b");
    cr_assert (at (poison, worker) && at (neighbour, worker));
    fail (worker, poison, RM_VERDICT_INTERRUPTED);
    after (300);
    cr_assert (!at (poison, worker), "not beside its neighbour");
    uint64_t keyed = put ("y", "c"), unkeyed = put (NULL, "d");
    after (300);
    cr_assert (!at (keyed, worker) && !at (unkeyed, worker), "the worker is let run dry");
    finish (worker, neighbour);
    cr_assert (at (poison, worker));
    cr_assert_eq (peer_of (worker)->flight_count, 1);
    uint64_t late = put ("z", "e");
    after (300);
    cr_assert_eq (peer_of (worker)->flight_count, 1, "nothing beside it");
    finish (worker, poison);
    cr_assert (at (keyed, worker) && at (unkeyed, worker) && at (late, worker));
}

Test (leader_jobs, a_crashed_job_without_a_key_sets_one_worker_aside_not_all)
{
    worker_t *first = join_settled ("w", 2), *second = join_settled ("x", 2);
    uint64_t ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] = put (NULL, "a");
    worker_t *holder = at (ids[0], first) ? first : second, *other = holder == first ? second : first;
    fail (holder, ids[0], RM_VERDICT_INTERRUPTED);
    after (300);
    cr_assert (!rm_record_peer (record_of (ids[0])));
    for (int i = 1; i < 4; i++)
        if (at (ids[i], other)) {
            finish (other, ids[i]); /* the other one has one left as well: the first was emptier before */
            break;
        }
    uint64_t more = put (NULL, "b");
    cr_assert (at (more, other), "the other worker goes on");
    for (int i = 1; i < 4; i++)
        if (at (ids[i], holder))
            finish (holder, ids[i]);
    cr_assert (at (ids[0], holder));
    cr_assert_eq (peer_of (holder)->flight_count, 1);
}

Test (leader_jobs, a_job_that_took_three_workers_along_is_dead_and_its_neighbours_finish)
{
    uint64_t poison = put ("poison", "a"), neighbour = put ("neighbour", "b");
    char name[8];
    for (int i = 0; i < 3; i++) {
        snprintf (name, sizeof name, "w%d", i);
        worker_t *worker = join_settled (name, 4);
        after (300);
        cr_assert (at (poison, worker), "round %d", i);
        if (i)
            cr_assert (!at (neighbour, worker) || peer_of (worker)->flight_count == 1);
        die_and_be_removed (worker);
    }
    cr_assert_eq (outcome_of (poison), RM_OUTCOME_DEAD);
    cr_assert_str_eq (reason_of (poison), "crashed");
    cr_assert_eq (record_of (poison)->crashes, 3);
    cr_assert_eq (record_of (neighbour)->crashes, 1, "blamed for the first one only");
    worker_t *last = join_settled ("last", 4);
    finish (last, neighbour);
}

/* ---- at most once ----------------------------------------------------------------------------------------------- */

Test (leader_jobs, at_most_once_is_logged_as_started_before_it_is_dispatched)
{
    worker_t *worker = join_settled ("w", 2);
    disk_slow = true;
    rm_submit_job_t job = job_of ("q", NULL, "a");
    job.flags = RM_JOB_AT_MOST_ONCE;
    job.seq = ++client.seq;
    submit_jobs (&client, &job, 1);
    turn ();
    disk ();
    flush_once ();
    cr_assert_eq (record_of (1)->lead.at, RM_AT_STARTING);
    turn ();
    cr_assert (!holds (worker, 1));
    cr_assert_eq (record_of (1)->started_inc, 0);
    disk ();
    cr_assert_eq (record_of (1)->started_inc, worker->inc);
    turn ();
    cr_assert (holds (worker, 1));
}

Test (leader_jobs, at_most_once_is_never_prefetched)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t quick = put (NULL, "a");
    held_t held = *holds (worker, quick);
    rm_done_job_t done = {.id = quick, .token = held.token, .attempt = 1, .ran_us = 1};
    rm_msg_t msg = {.type = RM_MSG_DONE};
    msg.done = (rm_msg_done_t){report_of (worker), &done, 1};
    tell (worker, &msg);
    turn ();
    cr_assert_gt (peer_of (worker)->window, 100, "short jobs: it prefetches");
    uint64_t running = put (NULL, "b"), once = put_once (NULL), prefetched = put (NULL, "c");
    cr_assert (at (running, worker));
    cr_assert (!rm_record_peer (record_of (once)));
    (void)prefetched;
    while (worker->held_count)
        finish (worker, worker->held[0].id);
    cr_assert_neq (outcome_of (running), RM_OUTCOME_NONE);
}

Test (leader_jobs, at_most_once_is_not_starved_by_prefetch)
{
    worker_t *worker = join_settled ("w", 2);
    rm_peer_t *peer = peer_of (worker);
    uint64_t once[] = {0, 0};
    for (int i = 0; i < 200; i++) {
        peer->window = 16; /* as if jobs were short */
        char key[16];
        snprintf (key, sizeof key, "key%d", i);
        put (key, "a");
        put (NULL, "a");
        if (i == 20) {
            once[0] = put_once ("once");
            once[1] = put_once (NULL);
        }
        if (once[0] && record_of (once[0])->started_inc && record_of (once[1])->started_inc)
            return;
        finish (worker, worker->held[0].id);
    }
    cr_assert (false, "flooded by others");
}

Test (leader_jobs, at_most_once_handed_back_is_logged_as_not_started_before_it_is_dispatched_again)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put_once ("key");
    cr_assert (at (id, worker));
    disk_slow = true;
    drop (worker, id);
    beat (worker);
    turn ();
    cr_assert_eq (record_of (id)->lead.at, RM_AT_UNSTARTING);
    cr_assert (!holds (worker, id));
    cr_assert_eq (record_of (id)->started_inc, worker->inc);
    disk ();
    cr_assert_eq (record_of (id)->started_inc, 0);
    turn ();
    cr_assert_eq (record_of (id)->lead.at, RM_AT_STARTING);
    disk_slow = false;
    disk ();
    turn ();
    cr_assert (holds (worker, id));
    finish (worker, id);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
}

Test (leader_jobs, at_most_once_whose_worker_died_is_dead_and_lost)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put_once ("key"), next = put ("key", "b");
    cr_assert (at (id, worker));
    worker_t *other = join ("x", 1);
    die_and_be_removed (worker);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DEAD);
    cr_assert_str_eq (reason_of (id), "lost");
    settle ();
    cr_assert (at (next, other), "its key goes on");
}

/* Between the start that is applied and the end of the turn, its worker's lease is found to be over. */
Test (leader_jobs, nothing_is_sent_to_a_worker_whose_removal_is_proposed)
{
    worker_t *worker = join_settled ("w", 1);
    disk_slow = true;
    rm_submit_job_t job = job_of ("q", NULL, "a");
    job.flags = RM_JOB_AT_MOST_ONCE;
    job.seq = ++client.seq;
    submit_jobs (&client, &job, 1);
    turn ();
    disk ();
    flush_once (); /* the start is proposed */
    worker->silent = true;
    while (now.mono_ms + 10 < peer_of (worker)->heard_ms + RM_LEASE_MS + RM_GRACE_MS + RM_MARGIN_MS) {
        jump (10);
        tick ();
    }
    mark ();
    disk ();
    cr_assert_eq (record_of (1)->lead.at, RM_AT_SENT);
    jump (10);
    tick ();
    cr_assert (peer_of (worker)->removing);
    flush_once ();
    cr_assert_null (sent (worker->address, RM_MSG_DISPATCH));
    disk ();
    cr_assert_null (rm_state_member (state, worker->inc));
    cr_assert_str_eq (reason_of (1), "lost");
}

Test (leader_jobs, at_most_once_that_was_interrupted_is_dead_and_lost)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put_once (NULL);
    fail (worker, id, RM_VERDICT_INTERRUPTED);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DEAD);
    cr_assert_str_eq (reason_of (id), "lost");
    cr_assert_eq (state->started_count, 0);
}

Test (leader_jobs, at_most_once_that_fails_is_tried_once_unless_it_says_more)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put_once (NULL);
    fail (worker, id, RM_VERDICT_RETRY);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DEAD);
    rm_submit_job_t job = job_of ("q", NULL, "a");
    job.flags = RM_JOB_AT_MOST_ONCE;
    job.tries = 2;
    id = put_job (&client, job);
    fail (worker, id, RM_VERDICT_RETRY);
    cr_assert_eq (record_of (id)->started_inc, 0);
    after (3000);
    cr_assert_eq (holds (worker, id)->attempt, 2);
    cr_assert_eq (record_of (id)->started_inc, worker->inc);
}

Test (leader_jobs, at_most_once_that_was_logged_but_never_reached_its_worker_is_lost_under_the_next_master)
{
    worker_t *worker = join_settled ("w", 1);
    worker->dead = true;
    uint64_t id = put_once ("key");
    cr_assert_eq (record_of (id)->started_inc, worker->inc);
    restart_from_log (0);
    lose_frames (worker);
    worker->dead = false;
    settle ();
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DEAD, "whether it ran cannot be known");
    cr_assert_str_eq (reason_of (id), "lost");
}

Test (leader_jobs, at_most_once_that_is_held_goes_on_under_the_next_master)
{
    worker_t *worker = join_settled ("w", 1);
    uint64_t id = put_once ("key");
    restart_from_log (0);
    settle ();
    cr_assert (at (id, worker));
    finish (worker, id);
    cr_assert_eq (outcome_of (id), RM_OUTCOME_DONE);
    cr_assert_eq (state->started_count, 0);
}

Test (leader_jobs, at_most_once_whose_slot_closed_while_its_start_was_logged_does_not_go_to_the_old_owner)
{
    worker_t *worker = join_settled ("w", 100);
    worker_t *other = join ("x", 100);
    uint64_t ids[40];
    uint32_t moved = 0;
    disk_slow = true;
    rm_submit_job_t jobs[40];
    char keys[40][16];
    for (int i = 0; i < 40; i++) {
        snprintf (keys[i], sizeof keys[i], "key%d", i);
        jobs[i] = job_of ("q", keys[i], "a");
        jobs[i].flags = RM_JOB_AT_MOST_ONCE;
        jobs[i].seq = (uint64_t)i + 1;
        ids[i] = (uint64_t)i + 1;
    }
    submit_jobs (&client, jobs, 40);
    turn ();
    disk ();
    jump (60);
    flush_once (); /* the new assignment and, behind it, the starts are on their way */
    disk_slow = false;
    disk ();
    turn ();
    for (int i = 0; i < 40; i++)
        moved += owner_of (keys[i]) == other;
    cr_assert (moved);
    cr_assert_eq (worker->received, 40 - moved, "only what stays");
    settle ();
    for (int i = 0; i < 40; i++)
        cr_assert (at (ids[i], owner_of (keys[i])));
}
