/* The checker of the integration tests must accept what may happen, and reject each kind of what may not. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "ringmaster/client.h"

enum { DONE = 1 << RM_DONE, DEAD = 1 << RM_DIED };

static history_t *history;

static void set_up (void)
{
    history = history_new ();
}

static void tear_down (void)
{
    history_destroy (&history);
}

TestSuite (history, .init = set_up, .fini = tear_down, .timeout = 10);

static void accepted (uint64_t id, const char *key, unsigned may_end)
{
    history_job_t job = {.session = "aa", .seq = id, .id = id, .may_end = may_end, .bytes = "right"};
    snprintf (job.key, sizeof job.key, "%s", key);
    history_accepted (history, &job);
}

static void ended (uint64_t id, int outcome, const char *bytes)
{
    history_outcome_t end = {.id = id, .outcome = outcome, .attempt = 1};
    snprintf (end.bytes, sizeof end.bytes, "%s", bytes);
    history_ended (history, &end);
}

/* Done in its second attempt. */
static void done_at_last (uint64_t id)
{
    history_outcome_t end = {.id = id, .outcome = RM_DONE, .attempt = 2, .bytes = "right"};
    history_ended (history, &end);
}

static void line (const char *text)
{
    cr_assert (history_line (history, text), "%s", text);
}

/* A job of queue "q" that process 7 ran from `from` to `to` with token == id. */
static void simple (uint64_t id, const char *key, unsigned from, unsigned to)
{
    char text[128];
    accepted (id, key, DONE);
    snprintf (text, sizeof text, "start %u 7 w %u %s %u 1", from, (unsigned)id, key, (unsigned)id);
    line (text);
    snprintf (text, sizeof text, "end %u 7 w %u %s %u 1 ok", to, (unsigned)id, key, (unsigned)id);
    line (text);
    ended (id, RM_DONE, "right");
}

/* The checker finds just this. */
static void finds (const char *words)
{
    char *text;
    size_t size;
    FILE *out = open_memstream (&text, &size);
    size_t faults = history_check (history, out);
    fclose (out);
    cr_expect_eq (faults, 1, "%zu faults: %s", faults, text);
    cr_expect (strstr (text, words), "not '%s', but: %s", words, text);
    free (text);
}

static void finds_nothing (void)
{
    char *text;
    size_t size;
    FILE *out = open_memstream (&text, &size);
    size_t faults = history_check (history, out);
    fclose (out);
    cr_expect_eq (faults, 0, "%s", text);
    free (text);
}

Test (history, order_one_at_a_time_and_neighbours_at_once_are_right)
{
    simple (1, "q/a", 10, 20);
    simple (2, "q/a", 20, 30);
    simple (3, "q/b", 15, 25);
    simple (4, "-", 10, 40);
    simple (5, "-", 10, 40);
    finds_nothing ();
}

Test (history, a_killed_worker_and_a_second_start_are_right)
{
    accepted (1, "q/a", DONE);
    line ("start 10 7 w 1 q/a 1 1");
    history_died (history, 7, 50);
    line ("start 60 8 x 1 q/a 2 2");
    line ("end 70 8 x 1 q/a 2 2 ok");
    done_at_last (1);
    done_at_last (1);
    finds_nothing ();
}

Test (history, a_job_may_be_told_dead_after_it_failed)
{
    accepted (1, "q/a", DEAD);
    line ("start 10 7 w 1 q/a 1 1");
    line ("end 20 7 w 1 q/a 1 1 failed");
    ended (1, RM_DIED, "");
    finds_nothing ();
}

Test (history, a_job_without_an_outcome_is_lost)
{
    accepted (1, "q/a", DONE);
    finds ("has no outcome");
}

Test (history, the_wrong_outcome_is_found)
{
    accepted (1, "q/a", DONE);
    ended (1, RM_DIED, "");
    finds ("is dead (), which it must not be");
}

Test (history, two_outcomes_are_found)
{
    simple (1, "q/a", 10, 20);
    history_outcome_t other = {.id = 1, .outcome = RM_DONE, .attempt = 2, .bytes = "right"};
    history_ended (history, &other);
    finds ("has two outcomes");
}

Test (history, other_bytes_for_another_asker_are_found)
{
    simple (1, "q/a", 10, 20);
    ended (1, RM_DONE, "wrong");
    finds ("has two outcomes");
}

Test (history, wrong_bytes_are_found)
{
    accepted (1, "q/a", DONE);
    line ("start 10 7 w 1 q/a 1 1");
    line ("end 20 7 w 1 q/a 1 1 ok");
    ended (1, RM_DONE, "wrong");
    finds ("brought 'wrong'");
}

Test (history, done_without_a_run_is_found)
{
    accepted (1, "q/a", DONE);
    ended (1, RM_DONE, "right");
    finds ("no run of that came to its end");
}

Test (history, done_after_a_failed_run_only_is_found)
{
    accepted (1, "q/a", DONE);
    line ("start 10 7 w 1 q/a 1 1");
    line ("end 20 7 w 1 q/a 1 1 cancelled");
    ended (1, RM_DONE, "right");
    finds ("no run of that came to its end");
}

Test (history, an_outcome_of_nobody_is_found)
{
    simple (2, "q/a", 10, 20);
    ended (1, RM_DONE, "right");
    finds ("job 1 has an outcome, but was not accepted");
}

Test (history, a_later_outcome_of_nobody_is_found)
{
    simple (2, "q/a", 10, 20);
    ended (3, RM_DONE, "right");
    finds ("job 3 has an outcome, but was not accepted");
}

Test (history, one_request_as_two_jobs_is_found)
{
    simple (1, "q/a", 10, 20);
    simple (2, "q/a", 20, 30);
    history_job_t job = {.session = "bb", .seq = 9, .id = 1, .key = "q/a", .may_end = DONE};
    history_job_t again = {.session = "bb", .seq = 9, .id = 2, .key = "q/a", .may_end = DONE};
    history_destroy (&history);
    history = history_new ();
    history_accepted (history, &job);
    history_accepted (history, &again);
    for (unsigned id = 1; id <= 2; id++) {
        char text[64];
        snprintf (text, sizeof text, "start %u0 7 w %u q/a %u 1", id, id, id);
        line (text);
        snprintf (text, sizeof text, "end %u5 7 w %u q/a %u 1 ok", id, id, id);
        line (text);
        ended (id, RM_DONE, "right");
    }
    finds ("request bb:9 is two jobs, 1 and 2");
}

Test (history, two_requests_as_one_job_are_found)
{
    simple (1, "q/a", 10, 20);
    history_job_t job = {.session = "bb", .seq = 9, .id = 1, .key = "q/a", .may_end = DONE};
    history_accepted (history, &job);
    finds ("job 1 is two requests");
}

Test (history, the_same_acceptance_told_twice_is_right)
{
    simple (1, "q/a", 10, 20);
    accepted (1, "q/a", DONE);
    finds_nothing ();
}

Test (history, an_overtaken_outcome_is_found)
{
    simple (1, "q/a", 10, 20);
    simple (2, "q/a", 20, 30);
    history_overtaken (history, 1, 2);
    finds ("job 2 had ended before job 1");
}

Test (history, a_key_out_of_order_is_found)
{
    accepted (1, "q/a", DONE);
    accepted (2, "q/a", DONE);
    line ("start 10 7 w 2 q/a 1 1");
    line ("end 20 7 w 2 q/a 1 1 ok");
    line ("start 30 7 w 1 q/a 2 1");
    line ("end 40 7 w 1 q/a 2 1 ok");
    ended (1, RM_DONE, "right");
    ended (2, RM_DONE, "right");
    finds ("job 1 started after job 2 had");
}

Test (history, a_key_twice_at_a_time_is_found)
{
    simple (1, "q/a", 10, 30);
    simple (2, "q/a", 29, 40);
    finds ("q/a ran twice at a time");
}

Test (history, an_overlap_with_an_earlier_run_than_the_last_is_found)
{
    simple (1, "q/a", 10, 90);
    accepted (2, "q/a", DONE);
    accepted (3, "q/a", DONE);
    history_stopped (history, 8, 15, 16); /* excuses job 2 */
    line ("start 20 8 x 2 q/a 2 1");
    line ("end 30 8 x 2 q/a 2 1 ok");
    line ("start 50 9 y 3 q/a 3 1");
    line ("end 60 9 y 3 q/a 3 1 ok");
    ended (2, RM_DONE, "right");
    ended (3, RM_DONE, "right");
    finds ("job 3 in process 9 from 50");
}

Test (history, the_same_job_in_two_processes_is_found)
{
    accepted (1, "-", DONE);
    line ("start 10 7 w 1 - 1 1");
    line ("start 20 8 x 1 - 2 2");
    line ("end 30 8 x 1 - 2 2 ok");
    line ("end 40 7 w 1 - 1 1 ok");
    ended (1, RM_DONE, "right");
    finds ("a job without a key ran twice at a time");
}

Test (history, a_successor_before_the_death_is_found)
{
    accepted (1, "q/a", DONE);
    line ("start 10 7 w 1 q/a 1 1");
    history_died (history, 7, 50);
    line ("start 49 8 x 1 q/a 2 2");
    line ("end 70 8 x 1 q/a 2 2 ok");
    done_at_last (1);
    finds ("q/a ran twice at a time");
}

Test (history, the_death_of_another_process_ends_nothing)
{
    accepted (1, "q/a", DONE);
    line ("start 10 7 w 1 q/a 1 1");
    history_died (history, 9, 20);
    line ("start 49 8 x 1 q/a 2 2");
    line ("end 70 8 x 1 q/a 2 2 ok");
    done_at_last (1);
    finds ("q/a ran twice at a time");
}

Test (history, a_stopped_process_may_overlap_with_its_successor)
{
    accepted (1, "q/a", DONE);
    line ("start 10 7 w 1 q/a 1 1");
    history_stopped (history, 7, 20, 100);
    line ("start 60 8 x 1 q/a 2 2");
    line ("end 70 8 x 1 q/a 2 2 ok");
    line ("end 120 7 w 1 q/a 1 1 cancelled");
    done_at_last (1);
    finds_nothing ();
}

Test (history, a_stop_excuses_nobody_else)
{
    accepted (1, "q/a", DONE);
    line ("start 10 7 w 1 q/a 1 1");
    history_stopped (history, 9, 20, 100);
    line ("start 60 8 x 1 q/a 2 2");
    line ("end 70 8 x 1 q/a 2 2 ok");
    line ("end 120 7 w 1 q/a 1 1 cancelled");
    done_at_last (1);
    finds ("q/a ran twice at a time");
}

Test (history, a_stop_excuses_nothing_before_it_and_long_after_it)
{
    uint64_t late = 200 + (HISTORY_WAKE_MS + 1) * 1000;
    simple (1, "q/a", 10, 90);
    history_stopped (history, 7, 100, 200);
    accepted (2, "q/a", DONE);
    char text[128];
    line ("start 95 7 w 2 q/a 2 1");
    snprintf (text, sizeof text, "start %llu 8 x 2 q/a 3 2", (unsigned long long)late);
    line (text);
    snprintf (text, sizeof text, "end %llu 8 x 2 q/a 3 2 ok", (unsigned long long)late + 5);
    line (text);
    snprintf (text, sizeof text, "end %llu 7 w 2 q/a 2 1 cancelled", (unsigned long long)late + 6);
    line (text);
    done_at_last (2);
    finds ("q/a ran twice at a time");
}

Test (history, a_token_that_does_not_grow_is_found)
{
    accepted (1, "q/a", DONE);
    accepted (2, "q/a", DONE);
    line ("start 10 7 w 1 q/a 5 1");
    line ("end 20 7 w 1 q/a 5 1 ok");
    line ("start 30 8 x 2 q/a 5 1");
    line ("end 40 8 x 2 q/a 5 1 ok");
    ended (1, RM_DONE, "right");
    ended (2, RM_DONE, "right");
    finds ("job 2 has token 5, after 5");
}

Test (history, at_most_once_started_twice_is_found)
{
    history_job_t job = {.session = "aa", .seq = 1, .id = 1, .key = "q/a", .may_end = DONE, .at_most_once = true};
    history_accepted (history, &job);
    line ("start 10 7 w 1 q/a 1 1");
    history_died (history, 7, 20);
    line ("start 30 8 x 1 q/a 2 2");
    line ("end 40 8 x 1 q/a 2 2 ok");
    done_at_last (1);
    finds ("is at-most-once, and was started again");
}

Test (history, a_restart_without_a_reason_is_found)
{
    accepted (1, "-", DONE);
    line ("start 10 7 w 1 - 1 1");
    line ("end 20 7 w 1 - 1 1 failed");
    line ("start 30 8 x 1 - 2 2");
    line ("end 40 8 x 1 - 2 2 ok");
    done_at_last (1);
    finds_nothing ();
    history_forbid_restarts (history);
    finds ("job 1 had no reason for it, and was started again");
}

Test (history, a_run_of_nobodys_job_is_found)
{
    simple (1, "q/a", 10, 20);
    line ("start 30 7 w 9 q/b 1 1");
    line ("end 40 7 w 9 q/b 1 1 ok");
    finds ("job 9 of q/b ran, but was not accepted");
}

Test (history, a_run_under_another_key_is_found)
{
    accepted (1, "q/a", DONE);
    line ("start 30 7 w 1 q/b 1 1");
    line ("end 40 7 w 1 q/b 1 1 ok");
    ended (1, RM_DONE, "right");
    finds ("job 1 of q/a ran as one of q/b");
}

Test (history, lines_that_are_none_are_refused)
{
    line ("start 10 7 w 1 q/a 1 1");
    static const char *const bad[] = {
        "",
        "start 10 7 w 1 q/a 1",
        "start 10 7 w 1 q/a 1 1 ok",
        "end 10 7 w 1 q/a 1 1",
        "end 10 7 w 1 q/a 1 1 well",
        "end 10 7 w 2 q/a 1 1 ok",
        "end 10 8 w 1 q/a 1 1 ok",
        "end 10 7 w 1 q/a 2 1 ok",
        "begin 10 7 w 1 q/a 1 1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not (history_line (history, bad[i]), "%s", bad[i]);
    line ("end 10 7 w 1 q/a 1 1 ok");
    cr_expect_not (history_line (history, "end 10 7 w 1 q/a 1 1 ok"), "twice");
}
