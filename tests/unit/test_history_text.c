/* A history in a file: what is written is what the judge reads, and lines of each kind mean what they say. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "history_pen.h"
#include "ringmaster/client.h"

static history_t *history;
static char path[] = "/tmp/ringmaster-history-XXXXXX";

static void set_up (void)
{
    history = history_new ();
    close (mkstemp (path));
}

static void tear_down (void)
{
    history_destroy (&history);
    unlink (path);
}

TestSuite (history_text, .init = set_up, .fini = tear_down, .timeout = 10);

static history_pen_t pen_of (const char *who)
{
    history_pen_t pen;
    cr_assert_eq (history_pen_open (&pen, path, who), 0);
    return pen;
}

static void lines (const char *const *all)
{
    for (; *all; all++)
        cr_assert (history_line (history, *all), "%s", *all);
}

#define LINES(...) lines ((const char *const[]){__VA_ARGS__, NULL})

/* The judge finds just that; NULL: nothing. */
static void finds (const char *words)
{
    char *text;
    size_t size;
    FILE *out = open_memstream (&text, &size);
    size_t faults = history_check (history, out);
    fclose (out);
    cr_expect_eq (faults, words ? 1 : 0, "%zu faults: %s", faults, text);
    cr_expect (!words || strstr (text, words), "not '%s', but: %s", words, text);
    free (text);
}

/* Job 1 of q/a, which process 7 runs. */
#define ACCEPTED "accepted 5 2 c1 1 q/a ab:1 6 2 - right"
#define DONE     "outcome 90 2 c1 1 done 1 right "
#define DONE_2   "outcome 90 2 c1 1 done 2 right "

Test (history_text, what_is_written_is_read)
{
    history_pen_t pen = pen_of ("c1");
    history_job_t job = {.session = "00ff",
                         .seq = 3,
                         .id = 17,
                         .key = "q/a",
                         .may_end = 1 << RM_DIED,
                         .may_die_of = HISTORY_OF_ITSELF,
                         .bytes = "right"};
    history_outcome_t outcome = {.id = 17, .outcome = RM_DIED, .attempt = 2, .reason = "told to\nfail"};
    history_pen_accepted (&pen, &job);
    history_pen_write (&pen, "# whatever");
    history_pen_outcome (&pen, &outcome);
    cr_assert_eq (history_read (history, path), 3);
    finds (NULL);
    history_tally_t tally = history_tally (history);
    cr_expect_eq (tally.jobs, 1);
    cr_expect_eq (tally.died_itself, 1);
}

Test (history_text, every_field_of_an_acceptance_counts)
{
    history_pen_t pen = pen_of ("c1");
    history_job_t job = {.session = "00ff",
                         .seq = 3,
                         .id = 17,
                         .key = "q/a",
                         .may_end = 1 << RM_DONE,
                         .at_most_once = true,
                         .bytes = "b"};
    history_pen_accepted (&pen, &job);
    cr_assert_eq (history_read (history, path), 1);
    LINES ("start 10 7 w 17 q/a 1 1", "died 20 7 w", "start 30 8 x 17 q/a 2 2", "end 31 8 x 17 q/a 2 2 ok",
           "outcome 40 2 c1 17 done 2 b ");
    finds ("at-most-once");
}

Test (history_text, a_complaint_is_a_fault)
{
    history_pen_t pen = pen_of ("c1");
    history_pen_complaint (&pen, "a submit is refused: %d", 4);
    cr_assert_eq (history_read (history, path), 1);
    finds ("c1: a submit is refused: 4");
}

Test (history_text, a_job_dies_only_of_what_it_may)
{
    LINES (ACCEPTED, "outcome 90 2 c1 1 dead 3 - crashed");
    finds (NULL);
}

Test (history_text, a_job_that_dies_of_something_else_is_a_fault)
{
    LINES (ACCEPTED, "outcome 90 2 c1 1 dead 3 - told to fail");
    finds ("had no reason to be");
}

Test (history_text, being_overtaken_is_a_fault)
{
    LINES (ACCEPTED, "start 10 7 w 1 q/a 1 1", "end 20 7 w 1 q/a 1 1 ok", DONE, "overtaken 50 2 c1 1 2");
    finds ("job 2 had ended before job 1");
}

Test (history_text, a_stopped_process_is_excused_until_it_has_gone_on_for_a_while)
{
    LINES (ACCEPTED, "start 10 7 w 1 q/a 1 1", "stop 20 7 w", "start 50 8 x 1 q/a 2 2", "end 60 8 x 1 q/a 2 2 ok",
           DONE_2, "cont 70 7 w", "end 80 7 w 1 q/a 1 1 cancelled");
    finds (NULL);
}

Test (history_text, who_was_not_stopped_any_more_is_not_excused)
{
    LINES (ACCEPTED, "start 10 7 w 1 q/a 1 1", "stop 20 7 w", "cont 30 7 w", "start 2000000 8 x 1 q/a 2 2",
           "end 2000001 8 x 1 q/a 2 2 ok", DONE_2, "end 2000002 7 w 1 q/a 1 1 cancelled");
    finds ("ran twice at a time");
}

/* A number is a process's own only until it dies. */
Test (history_text, a_stop_ends_with_the_process)
{
    LINES (ACCEPTED, "stop 1 7 w", "died 2 7 w", "start 3000000 7 y 1 q/a 1 1", "start 3000050 8 x 1 q/a 2 2",
           "end 3000060 8 x 1 q/a 2 2 ok", "end 3000070 7 y 1 q/a 1 1 cancelled", DONE_2);
    finds ("ran twice at a time");
}

Test (history_text, whoever_slept_is_excused)
{
    LINES (ACCEPTED, "start 10 7 w 1 q/a 1 1", "slept 60 7 w 20", "start 50 8 x 1 q/a 2 2", "end 60 8 x 1 q/a 2 2 ok",
           DONE_2, "end 80 7 w 1 q/a 1 1 cancelled");
    finds (NULL);
}

Test (history_text, a_command_is_excused_with_its_worker)
{
    LINES (ACCEPTED, "start 10 71 w 1 q/a 1 1 7", "stop 20 7 w", "start 50 8 x 1 q/a 2 2", "end 60 8 x 1 q/a 2 2 ok",
           DONE_2, "cont 70 7 w", "died 80 71 w");
    finds (NULL);
}

Test (history_text, a_command_is_not_excused_with_another_worker)
{
    LINES (ACCEPTED, "start 10 71 w 1 q/a 1 1 6", "stop 20 7 w", "start 50 8 x 1 q/a 2 2", "end 60 8 x 1 q/a 2 2 ok",
           DONE_2, "cont 70 7 w", "died 80 71 w");
    finds ("ran twice at a time");
}

/* One that began long before and ends late, and many in between. */
Test (history_text, an_old_run_that_has_not_ended_overlaps)
{
    LINES (ACCEPTED, "start 10 7 w 1 q/a 1 1", "end 100 7 w 1 q/a 1 1 ok", DONE);
    for (int i = 2; i < 4; i++) {
        char text[4][128];
        snprintf (text[0], sizeof text[0], "accepted 5 2 c1 %d q/a ab:%d 6 2 - right", i, i);
        snprintf (text[1], sizeof text[1], "start %d 8 x %d q/a %d 1", i * 40, i, i);
        snprintf (text[2], sizeof text[2], "end %d 8 x %d q/a %d 1 ok", i * 40 + 5, i, i);
        snprintf (text[3], sizeof text[3], "outcome 200 2 c1 %d done 1 right ", i);
        LINES (text[0], text[1], text[2], text[3]);
    }
    finds ("job 1 in process 7 from 10 to 100, job 2 in process 8");
}

Test (history_text, the_longest_time_without_an_acceptance_is_told)
{
    LINES ("accepted 1000 2 c1 1 - ab:1 6 0 - -", "accepted 9000 2 c1 2 - ab:2 6 0 - -",
           "accepted 8000 3 c2 3 - cd:1 6 0 - -", "accepted 12000 2 c1 4 - ab:3 6 0 - -");
    cr_expect_eq (history_tally (history).gap_us, 8000);
}

Test (history_text, what_is_no_line_of_a_history_is_refused)
{
    static const char *const bad[] = {
        "",
        "start",
        "start x 7 w 1 q/a 1 1",
        "start 10 7 w 1 q/a 1",
        "start 10 7 w 1 q/a 1 1 me",
        "end 20 7 w 1 q/a 1 1 ok",
        "accepted 5 2 c1 1 q/a ab:1 6 2 -",
        "outcome 5 2 c1 1 perhaps 1 - ",
        "cont 5 7 w",
        "slept 5 7 w 6",
        "complaint 5 7 w",
        "began 5 7 w",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not (history_line (history, bad[i]), "%s", bad[i]);
}

/* The end of a run that was given up does not count, even if it would have brought the same. */
Test (history_text, the_end_of_an_attempt_that_was_given_up_does_not_count)
{
    LINES (ACCEPTED, "start 10 7 w 1 q/a 1 1", "end 20 7 w 1 q/a 1 1 ok", DONE_2);
    finds ("done in attempt 2, but no run of that came to its end");
}

/* ---- leases ------------------------------------------------------------------------------------------------------ */

Test (history_text, who_is_cut_off_stops_in_time)
{
    LINES (ACCEPTED, "start 10 7 w 1 q/a 1 1", "cut 20 0 w", "end 1500000 7 w 1 q/a 1 1 ok", "uncut 3000000 0 w", DONE);
    finds (NULL);
}

Test (history_text, who_is_cut_off_and_runs_on_is_found)
{
    LINES (ACCEPTED, "start 10 7 w 1 q/a 1 1", "cut 20 0 w", "end 1800000 7 w 1 q/a 1 1 ok", "uncut 3000000 0 w", DONE);
    finds ("job 1 of q/a ran in process 7 at 1750020, although w was cut off since 20");
}

Test (history_text, who_is_cut_off_and_starts_something_is_found)
{
    LINES (ACCEPTED, "cut 20 0 w", "start 2000000 7 w 1 q/a 1 1", "end 2000001 7 w 1 q/a 1 1 ok", "uncut 3000000 0 w",
           DONE);
    finds ("although w was cut off");
}

Test (history_text, a_cut_is_of_one_worker_and_for_its_time)
{
    LINES (ACCEPTED, "start 10 7 w 1 q/a 1 1", "cut 20 0 v", "cut 30 0 w", "uncut 1700000 0 w", "uncut 3000000 0 v",
           "end 4000000 7 w 1 q/a 1 1 ok", DONE);
    finds (NULL);
}

Test (history_text, who_stood_still_while_it_was_cut_off_is_excused)
{
    LINES (ACCEPTED, "start 10 7 w 1 q/a 1 1", "cut 20 0 w", "stop 30 7 w", "cont 2000000 7 w",
           "end 2000100 7 w 1 q/a 1 1 ok", "uncut 3000000 0 w", DONE);
    finds (NULL);
}
