/*  To whom jobs go, and how many: credit, load, fairness. */
#include <stdio.h>
#include <stdlib.h>

#include "leader_fixture.h"

TestSuite (leader_handout, .init = cluster_begin, .fini = cluster_end);

static void end_quickly (worker_t *worker, uint64_t id, uint64_t ran_us)
{
    held_t *held = holds (worker, id);
    rm_done_job_t done = {.id = id, .token = held->token, .attempt = held->attempt, .ran_us = ran_us};
    rm_msg_t msg = {.type = RM_MSG_DONE};
    msg.done = (rm_msg_done_t){report_of (worker), &done, 1};
    tell (worker, &msg);
    turn ();
}

static void put_many (client_t *who, const char *queue, uint32_t count)
{
    rm_submit_job_t *jobs = calloc (count, sizeof *jobs);
    for (uint32_t i = 0; i < count; i++) {
        jobs[i] = job_of (queue, NULL, "x");
        jobs[i].seq = ++who->seq;
    }
    submit_jobs (who, jobs, count);
    turn ();
    free (jobs);
}

Test (leader_handout, a_worker_gets_no_more_jobs_than_it_has_threads_while_its_jobs_are_long)
{
    worker_t *worker = join_settled ("w", 3);
    put_many (&client, "q", 20);
    cr_assert_eq (worker->held_count, 3);
    for (int i = 0; i < 5; i++) {
        end_quickly (worker, worker->held[0].id, 1000000);
        cr_assert_eq (worker->held_count, 3);
        cr_assert_eq (peer_of (worker)->window, 3);
    }
}

Test (leader_handout, short_jobs_are_prefetched_up_to_the_window_and_never_more)
{
    worker_t *worker = join_settled ("w", 2);
    put_many (&client, "q", 4000);
    for (int i = 0; i < 40; i++) {
        end_quickly (worker, worker->held[0].id, 10);
        cr_assert_eq (worker->held_count, peer_of (worker)->window);
        cr_assert_leq (worker->held_count, 2 + RM_PREFETCH_MAX);
    }
    cr_assert_gt (worker->held_count, 500);
    uint32_t before = peer_of (worker)->window;
    for (int i = 0; i < 40; i++)
        end_quickly (worker, worker->held[0].id, 1000000);
    cr_assert_lt (peer_of (worker)->window, before);
    cr_assert_eq (peer_of (worker)->window, 2, "long jobs: no prefetch");
}

Test (leader_handout, jobs_without_a_key_go_to_the_least_loaded_worker)
{
    worker_t *first = join_settled ("w", 4);
    put_many (&client, "q", 3);
    cr_assert_eq (first->held_count, 3);
    worker_t *second = join_settled ("x", 4);
    put_many (&client, "q", 1);
    cr_assert_eq (second->held_count, 1);
    put_many (&client, "q", 2);
    cr_assert_eq (second->held_count, 3);
    put_many (&client, "q", 2);
    cr_assert_eq (first->held_count, 4);
    cr_assert_eq (second->held_count, 4);
    put_many (&client, "q", 1);
    cr_assert_eq (first->held_count + second->held_count, 8, "nobody has credit");
}

Test (leader_handout, a_slot_is_dispatched_only_to_its_owner)
{
    worker_t *workers[] = {join_settled ("w", 50), join_settled ("x", 50), join_settled ("y", 50)};
    char key[16];
    for (int i = 0; i < 90; i++) {
        snprintf (key, sizeof key, "key%d", i);
        uint64_t id = put (key, "a");
        const worker_t *owner = owner_of (key);
        for (int w = 0; w < 3; w++)
            cr_assert_eq (holds (workers[w], id) != NULL, workers[w] == owner);
    }
}

Test (leader_handout, a_keyed_job_waits_for_its_owner_even_if_others_are_idle)
{
    worker_t *busy = join_settled ("w", 1), *idle = join_settled ("x", 1);
    put (key_of (busy, 0), "a");
    uint64_t id = put (key_of (busy, 1), "b");
    cr_assert_null (rm_record_peer (record_of (id)));
    cr_assert_eq (idle->held_count, 0);
}

Test (leader_handout, an_owner_that_does_not_serve_a_queue_yet_does_not_get_its_jobs)
{
    worker_t *owner = join_settled ("w", 4);
    worker_t *newer = worker_new ("x", 4);
    newer->queues[newer->queue_count++] = "new";
    say_join (newer);
    turn ();
    settle ();
    uint64_t id = put_job (&client, job_of ("new", key_of (owner, 0), "a"));
    cr_assert_null (rm_record_peer (record_of (id)));
    char why[256];
    cr_assert (rm_leader_why (leader, now, id, why, sizeof why));
    cr_assert (strstr (why, "w owns slot"), "%s", why);
    uint64_t other = put_job (&client, job_of ("new", NULL, "a"));
    cr_assert (holds (newer, other));
    die_and_be_removed (owner);
    settle ();
    cr_assert (holds (newer, id));
}

Test (leader_handout, a_flood_in_one_queue_starves_no_other)
{
    worker_t *worker = worker_new ("w", 1);
    worker->queues[worker->queue_count++] = "r";
    say_join (worker);
    turn ();
    settle ();
    put_many (&client, "q", 1000);
    put_many (&client, "r", 10);
    for (int i = 0; i < 30; i++)
        finish (worker, worker->held[0].id);
    cr_assert_eq (rm_state_queue (state, (rm_bytes_t){"r", 1})->done_count, 10);
}

Test (leader_handout, a_flood_of_one_client_starves_no_other)
{
    worker_t *worker = join_settled ("w", 1);
    client_t other = client_make ("other");
    put_many (&client, "q", 1000);
    put_many (&other, "q", 10);
    uint32_t of_other = 0;
    for (int i = 0; i < 30; i++) {
        of_other += record_of (worker->held[0].id)->id > 1000;
        finish (worker, worker->held[0].id);
    }
    cr_assert_eq (of_other, 10);
}

Test (leader_handout, keyed_and_unkeyed_jobs_starve_neither)
{
    worker_t *worker = join_settled ("w", 1);
    char key[16];
    put_many (&client, "q", 100);
    for (int i = 0; i < 20; i++) {
        snprintf (key, sizeof key, "key%d", i);
        put (key, "a");
    }
    uint32_t keyed = 0;
    for (int i = 0; i < 44; i++) {
        keyed += holds (worker, worker->held[0].id)->slot < RM_SLOTS;
        finish (worker, worker->held[0].id);
    }
    cr_assert_geq (keyed, 18);
    cr_assert_leq (keyed, 26);
}

Test (leader_handout, one_clients_unkeyed_jobs_are_handed_out_in_accept_order)
{
    worker_t *worker = join_settled ("w", 1);
    put_many (&client, "q", 20);
    for (uint64_t id = 1; id <= 20; id++) {
        cr_assert_eq (worker->held[0].id, id);
        finish (worker, id);
    }
}

Test (leader_handout, a_dispatch_carries_everything_the_job_was_given)
{
    worker_t *worker = join_settled ("w", 1);
    rm_submit_job_t job = job_of ("q", "key", "data");
    job.timeout_ms = 1234;
    mark ();
    uint64_t id = put_job (&client, job);
    mark ();
    beat (worker);
    worker->dead = true;
    drop (worker, id);
    beat (worker);
    turn ();
    const rm_msg_dispatch_t *dispatch = &sent (worker->address, RM_MSG_DISPATCH)->dispatch;
    cr_assert_eq (dispatch->term, state->term);
    cr_assert_eq (dispatch->epoch, state->epoch);
    cr_assert_eq (dispatch->inc, worker->inc);
    cr_assert_eq (dispatch->seq, 2);
    const rm_dispatch_job_t *sent_job = &dispatch->jobs[0];
    cr_assert_eq (sent_job->id, id);
    cr_assert_eq (sent_job->token, state->term << 40 | 2);
    cr_assert_eq (sent_job->slot, slot_of ("key"));
    cr_assert_eq (sent_job->attempt, 1);
    cr_assert_eq (sent_job->timeout_ms, 1234);
    cr_assert (!memcmp (sent_job->queue.data, "q", 1) && !memcmp (sent_job->key.data, "key", 3));
    cr_assert (!memcmp (sent_job->data.data, "data", 4));
}
