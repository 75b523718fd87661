/*  Lists of jobs: what a query asks for and nothing else, the newest first, a page at a time, and never more looks than the
 *  loop can afford. */
#include "leader_fixture.h"

TestSuite (leader_list, .init = cluster_begin, .fini = cluster_end);
TestSuite (leader_list_looks, .init = cluster_prepare, .fini = cluster_end);

enum { IDS_MAX = 64 };
static uint64_t ids[IDS_MAX];
static uint32_t id_count;

static void note_id (void *arg, const rm_record_t *record)
{
    (void)arg;
    cr_assert_lt (id_count, IDS_MAX);
    ids[id_count++] = record->id;
}

static uint64_t list (rm_msg_query_t query)
{
    id_count = 0;
    return rm_leader_list (leader, now, &query, note_id, NULL);
}

/* The query finds these ids in this order (0 ends them) and nothing more. */
static void finds (rm_msg_query_t query, const uint64_t *expected)
{
    cr_assert_eq (list (query), 0, "there may be more");
    for (uint32_t i = 0; i < id_count || expected[i]; i++)
        cr_assert_eq (i < id_count ? ids[i] : 0, expected[i], "number %u is %d, not %d", i,
                      i < id_count ? (int)ids[i] : 0, (int)expected[i]);
}

#define FINDS(QUERY, ...) finds ((rm_msg_query_t)QUERY, (const uint64_t[]){__VA_ARGS__, 0})
#define BY(...)                                                                                                        \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

Test (leader_list, each_filter_finds_its_jobs_and_no_others)
{
    config.retry.jitter = RM_JITTER_NONE;
    reconfigure ();
    worker_t *w1 = join_settled ("w1", 1);
    uint64_t dead = put ("bob", "x");
    turn ();
    fail (w1, dead, RM_VERDICT_DEAD);
    uint64_t done = put (NULL, "x");
    turn ();
    finish (w1, done);
    uint64_t delayed = put (NULL, "x");
    turn ();
    fail (w1, delayed, RM_VERDICT_RETRY);
    beat (w1); /* it has let go of it */
    uint64_t running = put ("bob", "x"), waiting = put ("bob", "x"),
             mail = put_job (&client, job_of ("mail", NULL, "x"));
    turn ();
    FINDS (BY (.what = rm_bytes ("jobs")), mail, waiting, running, delayed, done, dead);
    FINDS (BY (.queue = rm_bytes ("mail")), mail);
    FINDS (BY (.queue = rm_bytes ("none")), 0);
    FINDS (BY (.state = rm_bytes ("waiting")), mail, waiting);
    FINDS (BY (.state = rm_bytes ("delayed")), delayed);
    FINDS (BY (.state = rm_bytes ("running")), running);
    FINDS (BY (.state = rm_bytes ("done")), done);
    FINDS (BY (.state = rm_bytes ("dead")), dead);
    FINDS (BY (.state = rm_bytes ("asleep")), 0);
    FINDS (BY (.key = rm_bytes ("bob")), waiting, running, dead);
    FINDS (BY (.key = rm_bytes ("bo")), 0);
    FINDS (BY (.worker = rm_bytes ("w1")), running);
    FINDS (BY (.worker = rm_bytes ("w2")), 0);
    FINDS (BY (.queue = rm_bytes ("q"), .state = rm_bytes ("dead"), .key = rm_bytes ("bob")), dead);
    FINDS (BY (.before = running), delayed, done, dead);
    FINDS (BY (.before = UINT64_MAX), mail, waiting, running, delayed, done, dead);
    FINDS (BY (.before = 1), 0);
}

Test (leader_list, without_jobs_there_are_none)
{
    FINDS (BY (.what = rm_bytes ("jobs")), 0);
    FINDS (BY (.before = 7), 0);
}

Test (leader_list, pages_follow_each_other_without_a_gap)
{
    for (int i = 0; i < 7; i++)
        put (NULL, "x");
    uint64_t next = list ((rm_msg_query_t){.limit = 3});
    cr_assert (id_count == 3 && ids[0] == 7 && ids[2] == 5);
    next = list ((rm_msg_query_t){.limit = 3, .before = next});
    cr_assert (id_count == 3 && ids[0] == 4 && ids[2] == 2);
    cr_assert_eq (list ((rm_msg_query_t){.limit = 3, .before = next}), 0);
    cr_assert (id_count == 1 && ids[0] == 1);
}

Test (leader_list_looks, no_more_are_looked_at_than_there_is_time_for)
{
    config.list_looks_max = 4;
    cluster_begin ();
    put ("bob", "x");
    for (int i = 0; i < 9; i++)
        put (NULL, "x");
    rm_msg_query_t query = {.key = rm_bytes ("bob")};
    int asked = 0;
    do {
        query.before = list (query);
        asked++;
    } while (query.before && !id_count && asked < 10);
    cr_assert_eq (asked, 3, "10 jobs were looked at in %d turns of 4", asked);
    cr_assert (id_count == 1 && ids[0] == 1);
}

Test (leader_list_looks, a_place_whose_job_was_forgotten_is_gone_on_from)
{
    config.list_looks_max = 2;
    config.keep_ms = 1000;
    cluster_begin ();
    uint64_t first = put_job (&client, job_of ("mail", NULL, "x"));
    worker_t *w1 = join_settled ("w1", 1);
    for (int i = 0; i < 6; i++) {
        uint64_t id = put (NULL, "x");
        turn ();
        finish (w1, id);
    }
    after (5000);
    cr_assert_null (rm_state_record (state, 7), "it is kept still");
    rm_msg_query_t query = {.before = 7};
    int asked = 0;
    for (id_count = 0; !id_count && asked < 9; asked++)
        query.before = list (query);
    cr_assert (id_count == 1 && ids[0] == first);
    cr_assert_eq (asked, 1, "%d turns of 2 looks: what was forgotten costs none", asked);
}

/* As after a restore from a backup. */
Test (leader_list_looks, ids_that_a_restore_skipped_are_not_looked_at)
{
    books_off = true; /* they count ids one by one */
    config.list_looks_max = 4;
    cluster_begin ();
    uint64_t before = put ("bob", "x");
    state->skipped_after = state->last_id;
    state->skipped_count += RM_GENERATION_IDS;
    state->last_id += RM_GENERATION_IDS;
    uint64_t after = put ("bob", "x");
    cr_assert_eq (after, before + RM_GENERATION_IDS + 1);
    FINDS (BY (.before = after), before);
    FINDS (BY (.before = before + 2), before);
    FINDS (BY (.before = after + 1), after, before);
}

Test (leader_list, the_oldest_that_has_not_ended_leads_its_queues_line)
{
    worker_t *w1 = join_settled ("w1", 1);
    uint64_t first = put ("bob", "x"), second = put (NULL, "x");
    rm_queue_t *queue = rm_state_queue (state, rm_bytes ("q"));
    turn ();
    cr_assert_eq (RM_OWNER (rm_list_first (&queue->open), rm_record_t, open)->id, first);
    finish (w1, first);
    cr_assert_eq (RM_OWNER (rm_list_first (&queue->open), rm_record_t, open)->id, second);
    finish (w1, second);
    cr_assert (rm_list_empty (&queue->open));
    put ("bob", "x");
    restart_from_log (unapplied ());
    queue = rm_state_queue (state, rm_bytes ("q"));
    cr_assert_eq (RM_OWNER (rm_list_first (&queue->open), rm_record_t, open)->id, 3, "after a restart");
}
