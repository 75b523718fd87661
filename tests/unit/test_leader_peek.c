/*  A look at a payload: of a job, or of the one of a queue whose turn comes first; and nothing is changed by it. */
#include "leader_fixture.h"

static void begin (void)
{
    cluster_prepare ();
    state_format = 2;
    cluster_begin ();
}

TestSuite (leader_peek, .init = begin, .fini = cluster_end);

#define PEEKS(CODE, ID, ...) peeks ((rm_msg_query_t){__VA_ARGS__}, CODE, ID)

static void peeks (rm_msg_query_t query, int code, uint64_t id)
{
    const rm_record_t *record = NULL;
    int rc = rm_leader_peek (leader, now, &query, &record);
    cr_assert_eq (rc, code, "it is %d, not %d", rc, code);
    cr_assert_eq (rc ? 0 : record->id, id, "it is job %d, not %d", rc ? 0 : (int)record->id, (int)id);
    cr_assert (rc || record->data, "without its payload");
}

static uint64_t put_so (const char *key, rm_job_options_t options)
{
    rm_submit_job_t job = job_of ("q", key, "x");
    job.options = options;
    return put_job (&client, job);
}

Test (leader_peek, a_job_has_its_payload_until_it_ends_or_is_kicked)
{
    worker_t *w1 = join_settled ("w1", 1);
    uint64_t done = put (NULL, "x"), dead = put (NULL, "x");
    PEEKS (0, done, .id = done);
    turn ();
    PEEKS (0, done, .id = done); /* it runs */
    finish (w1, done);
    PEEKS (RM_EGONE, 0, .id = done);
    turn ();
    fail (w1, dead, RM_VERDICT_DEAD);
    PEEKS (0, dead, .id = dead);
    PEEKS (RM_EUNKNOWN, 0, .id = dead + 1);
}

Test (leader_peek, the_next_one_is_the_most_urgent_that_waits_for_nothing_but_a_worker)
{
    uint64_t first = put ("bob", "x");
    put_so ("bob", (rm_job_options_t){.priority = 9}); /* behind the other of its key */
    PEEKS (0, first, .queue = rm_bytes ("q"));
    put (NULL, "x");
    PEEKS (0, first, .queue = rm_bytes ("q"));
    uint64_t urgent = put_so (NULL, (rm_job_options_t){.priority = 8});
    put_so (NULL, (rm_job_options_t){.priority = 8});
    PEEKS (0, urgent, .queue = rm_bytes ("q"), .state = rm_bytes ("waiting"));
    join_settled ("w1", 1);
    turn ();
    PEEKS (0, urgent + 1, .queue = rm_bytes ("q")); /* the other one runs */
    PEEKS (RM_EUNKNOWN, 0, .queue = rm_bytes ("q"), .state = rm_bytes ("dead"));
    PEEKS (RM_EUNKNOWN, 0, .queue = rm_bytes ("none"));
    PEEKS (RM_EUNKNOWN, 0, .id = 0);
    PEEKS (RM_EINVAL, 0, .queue = rm_bytes ("q"), .state = rm_bytes ("asleep"));
}

Test (leader_peek, of_the_delayed_it_is_the_one_whose_time_comes_first)
{
    put_so (NULL, (rm_job_options_t){.delay_ms = 9000});
    uint64_t soon = put_so (NULL, (rm_job_options_t){.delay_ms = 3000});
    put_so (NULL, (rm_job_options_t){.delay_ms = 6000});
    PEEKS (RM_EUNKNOWN, 0, .queue = rm_bytes ("q"));
    PEEKS (0, soon, .queue = rm_bytes ("q"), .state = rm_bytes ("delayed"));
    after (4000);
    PEEKS (0, soon, .queue = rm_bytes ("q"));
    PEEKS (0, soon + 1, .queue = rm_bytes ("q"), .state = rm_bytes ("delayed"));
}

Test (leader_peek, of_the_dead_it_is_the_one_that_died_first)
{
    worker_t *w1 = join_settled ("w1", 2);
    uint64_t first = put (NULL, "x"), second = put (NULL, "x");
    turn ();
    fail (w1, second, RM_VERDICT_DEAD);
    fail (w1, first, RM_VERDICT_DEAD);
    PEEKS (0, second, .queue = rm_bytes ("q"), .state = rm_bytes ("dead"));
}

Test (leader_peek, no_more_are_looked_at_than_there_is_time_for)
{
    config.list_looks_max = 2;
    reconfigure ();
    uint64_t first = put ("bob", "x");
    put ("bob", "x");
    put_so (NULL, (rm_job_options_t){.priority = 9});
    PEEKS (0, first, .queue = rm_bytes ("q"));
}
