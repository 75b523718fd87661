/* The parts of ringctl map that only decide: commands, job log lines, halts, places of results, names, the bar. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/map/halt.h"
#include "ctl/map/journal.h"
#include "ctl/map/outcome.h"
#include "ctl/map/plan.h"
#include "ctl/map/progress.h"
#include "ctl/map/results.h"
#include "ringmaster/error.h"

static rm_buf_t buf;

static const char *text (void)
{
    return (const char *)buf.data;
}

static void close_buf (void)
{
    rm_buf_close (&buf);
}

TestSuite (map, .fini = close_buf);

/* ---- commands --------------------------------------------------------------------------------------------------- */

/* The command that `word` becomes with these arguments. */
static const char *expand (const char *word, const char *one, const char *other)
{
    rm_map_template_t template;
    const char *values[] = {one, other};
    char *words[] = {(char *)word};
    cr_assert_eq (rm_map_template_init (&template, words, 1), 0);
    rm_buf_clear (&buf);
    rm_map_template_expand (&template, values, other ? 2 : 1, 7, &buf);
    rm_map_template_close (&template);
    return text ();
}

Test (map, places_mean_parts_of_the_argument)
{
    cr_expect_str_eq (expand ("{} {.} {/} {//} {/.} {#}", "d.x/b.tar.gz", NULL),
                      "d.x/b.tar.gz d.x/b.tar b.tar.gz d.x b.tar 7");
    cr_expect_str_eq (expand ("{.}|{//}|{/}", "d.x/b", NULL), "d.x/b|d.x|b");
    cr_expect_str_eq (expand ("{//}", "/x", NULL), "/");
    cr_expect_str_eq (expand ("{//}", "a//b/", NULL), "a");
    cr_expect_str_eq (expand ("{//}", "x", NULL), ".");
}

Test (map, a_place_with_a_number_means_one_source)
{
    cr_expect_str_eq (expand ("{2}{1/}{-1} {} {3}.", "a/b", "c"), "cbc a/b c .");
    cr_expect_str_eq (expand ("{0} {1#} {-} {12345678901}", "a", NULL), "{0} {1#} {-} {12345678901} a",
                      "what is no place stays, and the argument is appended");
}

Test (map, an_argument_is_one_word_of_the_command)
{
    cr_expect_str_eq (expand ("cat", "a b", NULL), "cat 'a b'");
    cr_expect_str_eq (expand ("cat", "it's", NULL), "cat 'it'\"'\"'s'");
    cr_expect_str_eq (expand ("cat", "", NULL), "cat ''");
    cr_expect_str_eq (expand ("cat", "A-_.+/9z", NULL), "cat A-_.+/9z");
    cr_expect_str_eq (expand ("echo {#}", "a", NULL), "echo 7", "nothing is appended where there is a place");
}

Test (map, no_command_at_all_means_that_arguments_are_commands)
{
    rm_map_template_t template;
    const char *value = "echo $HOME; ls";
    cr_assert_eq (rm_map_template_init (&template, NULL, 0), 0);
    rm_map_template_expand (&template, &value, 1, 1, &buf);
    cr_assert_str_eq (text (), value);
    rm_map_template_close (&template);
}

/* ---- logs, codes, halts, places --------------------------------------------------------------------------------- */

Test (map, a_line_of_the_log_has_parallel_s_columns)
{
    rm_map_outcome_t outcome = {
        .exit = -1, .signal = 15, .start_ms = 1795855787034, .ran_ms = 12005, .received = 6, .host = ":"};
    rm_map_log_line (&outcome, 3, "echo a\tb", &buf);
    rm_buf_put (&buf, "", 1);
    cr_assert_str_eq (text (), "3\t:\t1795855787.034\t    12.005\t0\t6\t-1\t15\techo a\tb\n");
}

Test (map, the_exit_code_counts_failures_beside_ringctl_s_own_codes)
{
    static const int expected[][2] = {{0, 0}, {1, 1}, {2, 1}, {4, 1}, {5, 5}, {100, 100}, {101, 101}, {5000, 101}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        cr_expect_eq (rm_map_exit_code ((uint64_t)expected[i][0]), expected[i][1], "%d", expected[i][0]);
}

Test (map, a_halt_is_reached_at_its_number)
{
    rm_map_halt_t halt;
    cr_assert (rm_map_halt_read (&halt, "soon,fail=2"));
    cr_expect_eq (rm_map_halt_now (&halt, 1, 50, 100), RM_MAP_GO_ON);
    cr_expect_eq (rm_map_halt_now (&halt, 2, 0, 100), RM_MAP_HALT_SOON);
    cr_assert (rm_map_halt_read (&halt, "now,success=10%"));
    cr_expect_eq (rm_map_halt_now (&halt, 50, 9, 100), RM_MAP_GO_ON);
    cr_expect_eq (rm_map_halt_now (&halt, 50, 10, 100), RM_MAP_HALT_NOW);
    cr_assert (rm_map_halt_read (&halt, "now,done=3"));
    cr_expect_eq (rm_map_halt_now (&halt, 1, 1, 100), RM_MAP_GO_ON);
    cr_expect_eq (rm_map_halt_now (&halt, 1, 2, 100), RM_MAP_HALT_NOW);
    cr_assert (rm_map_halt_read (&halt, "never"));
    cr_expect_eq (rm_map_halt_now (&halt, 100, 0, 100), RM_MAP_GO_ON);
}

Test (map, what_is_no_halt_is_refused)
{
    static const char *const texts[] = {"",
                                        "now",
                                        "now,",
                                        "now,fail",
                                        "now,fail=",
                                        "now,fail=0",
                                        "now,fail=1x",
                                        "now,fail=101%",
                                        "later,fail=1",
                                        "now,fail=-1",
                                        "now,fail=9999999999",
                                        "Never"};
    rm_map_halt_t halt;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_expect_not (rm_map_halt_read (&halt, texts[i]), "%s", texts[i]);
}

Test (map, results_never_lie_outside_of_their_directory)
{
    const char *values[] = {"a/b", "..", "c\\d\te", "."};
    rm_map_results_path ("out", values, 4, &buf);
    cr_assert_str_eq (text (), "out/1/a\\_b/2/\\../3/c\\\\d\\te/4/\\.");
}

Test (map, the_bar_says_how_far_it_is)
{
    char line[256];
    rm_map_progress_t progress = {.all = 1000, .ended = 400, .before = 100, .failed = 2, .ran_ms = 3000};
    rm_map_progress_write (&progress, true, line, sizeof line);
    cr_expect_str_eq (line, "[############                  ] 40% 400/1000, 2 failed, 6 s left");
    progress = (rm_map_progress_t){.all = 3, .ended = 3, .ran_ms = 1};
    rm_map_progress_write (&progress, false, line, sizeof line);
    cr_expect_str_eq (line, "100% 3/3");
    progress = (rm_map_progress_t){0};
    rm_map_progress_write (&progress, false, line, sizeof line);
    cr_expect_str_eq (line, "100% 0/0");
}

/* ---- the plan and its journal ----------------------------------------------------------------------------------- */

static rm_map_sources_t sources;
static rm_map_template_t command;
static rm_map_plan_t plan;
static rm_map_journal_t journal;
static rm_fault_t fault;
static char path[] = "/tmp/ringmap-journal-XXXXXX";

/* A plan of `echo` for these words, as the command line has them. */
static void make_plan (char *const *words, size_t count)
{
    size_t before;
    cr_assert_eq (rm_map_sources_read (&sources, words, count, false, &before, &fault), 0, "%s", fault.text);
    cr_assert_eq (rm_map_template_init (&command, words, before), 0);
    cr_assert_eq (rm_map_plan_init (&plan, &sources, &command, NULL, "/here", &fault), 0);
}

static void close_plan (void)
{
    rm_map_plan_close (&plan);
    rm_map_template_close (&command);
    rm_map_sources_close (&sources);
}

static void set_up (void)
{
    close (mkstemp (path));
    journal.fd = -1;
}

static void tear_down (void)
{
    rm_map_journal_close (&journal);
    close_plan ();
    unlink (path);
}

TestSuite (map_journal, .init = set_up, .fini = tear_down);

#define PLAN(...) make_plan ((char *[]){__VA_ARGS__}, sizeof (char *[]){__VA_ARGS__} / sizeof (char *))

static int reopen (void)
{
    rm_map_journal_close (&journal);
    return rm_map_journal_open (&journal, path, "here", &plan, &fault);
}

Test (map_journal, several_sources_give_each_combination_the_last_one_fastest)
{
    PLAN ("echo", ":::", "a", "b", ":::", "x", "y");
    static const char *const expected[] = {"echo a x", "echo a y", "echo b x", "echo b y"};
    cr_assert_eq (plan.count, 4);
    for (size_t i = 0; i < 4; i++)
        cr_expect_str_eq (plan.jobs[i].command, expected[i]);
}

Test (map_journal, each_command_has_a_name_of_its_own_that_does_not_depend_on_its_place)
{
    PLAN ("echo", ":::", "a", "b", "a");
    rm_map_name_t names[3];
    char spelt[RM_MAP_NAME_BYTES];
    for (int i = 0; i < 3; i++)
        names[i] = plan.jobs[i].name;
    cr_assert (memcmp (&names[0], &names[1], sizeof names[0]));
    cr_assert (memcmp (&names[0], &names[2], sizeof names[0]), "the same text again is another command");
    close_plan ();
    PLAN ("echo", ":::", "new", "b", "a", "a");
    cr_assert_eq (rm_map_plan_find (&plan, &names[1])->number, 2);
    cr_assert_eq (rm_map_plan_find (&plan, &names[2])->number, 4);
    rm_map_name_t read;
    rm_map_name_write (&names[2], spelt);
    cr_assert (rm_map_name_read (&read, spelt));
    cr_assert_eq (memcmp (&read, &names[2], sizeof read), 0);
    cr_assert_not (rm_map_name_read (&read, "x"));
    cr_assert_not (rm_map_name_read (&read, strcat (spelt, "x")));
}

/* Submits and accepts the first two, ends the first one. */
static void tell_a_story (void)
{
    rm_map_job_t *both[] = {&plan.jobs[0], &plan.jobs[1]};
    cr_assert_eq (reopen (), 0, "%s", fault.text);
    cr_assert_eq (rm_map_journal_submit (&journal, "s:1:0:0:5", both, 2, &fault), 0);
    cr_assert_eq (rm_map_journal_accepted (&journal, (uint64_t[]){41, 42}, 2, &fault), 0);
    plan.jobs[0].outcome = (rm_map_outcome_t){.exit = 3, .start_ms = 10, .ran_ms = 20, .received = 30, .host = "box"};
    cr_assert_eq (rm_map_journal_ended (&journal, &plan.jobs[0], &fault), 0);
}

Test (map_journal, who_comes_after_knows_what_has_ended_and_what_is_under_way)
{
    PLAN ("echo", ":::", "a", "b", "c");
    tell_a_story ();
    close_plan ();
    PLAN ("echo", ":::", "c", "b", "a");
    cr_assert_eq (reopen (), 0, "%s", fault.text);
    cr_assert_str_empty (journal.session);
    cr_assert_eq (plan.jobs[0].state, RM_MAP_WAITS);
    cr_assert_eq (plan.jobs[1].state, RM_MAP_SENT);
    cr_assert_eq (plan.jobs[1].id, 42);
    cr_assert_eq (plan.jobs[2].state, RM_MAP_ENDED);
    cr_assert (plan.jobs[2].before);
    cr_assert_eq (plan.jobs[2].outcome.exit, 3);
    cr_assert_eq (plan.jobs[2].outcome.received, 30);
    cr_assert_str_eq (plan.jobs[2].outcome.host, "box");
    cr_assert_eq (journal.ended_count, 1);
}

Test (map_journal, a_submit_without_its_answer_is_pending_and_a_refused_one_is_not)
{
    PLAN ("echo", ":::", "a", "b", "c");
    tell_a_story ();
    rm_map_job_t *third = &plan.jobs[2];
    cr_assert_eq (rm_map_journal_submit (&journal, "s:3:2:0:9", &third, 1, &fault), 0);
    close_plan ();
    PLAN ("echo", ":::", "a", "b", "c");
    cr_assert_eq (reopen (), 0, "%s", fault.text);
    cr_assert_str_eq (journal.session, "s:3:2:0:9");
    cr_assert_eq (journal.pending_count, 1);
    cr_assert_eq (journal.pending[0], &plan.jobs[2]);
    cr_assert_not (journal.in_doubt);
    close_plan ();
    PLAN ("echo", ":::", "a", "b");
    cr_assert_eq (reopen (), 0, "%s", fault.text);
    cr_assert (journal.in_doubt, "one that is not wanted any more cannot be sent again");
    cr_assert_eq (rm_map_journal_refused (&journal, &fault), 0);
    close_plan ();
    PLAN ("echo", ":::", "a", "b", "c");
    cr_assert_eq (reopen (), 0, "%s", fault.text);
    cr_assert_str_empty (journal.session);
    cr_assert_eq (plan.jobs[2].state, RM_MAP_WAITS);
}

Test (map_journal, a_try_that_failed_is_not_under_way_any_more)
{
    PLAN ("echo", ":::", "a", "b", "c");
    tell_a_story ();
    plan.jobs[1].tries = 2;
    cr_assert_eq (rm_map_journal_again (&journal, &plan.jobs[1], &fault), 0);
    close_plan ();
    PLAN ("echo", ":::", "a", "b", "c");
    cr_assert_eq (reopen (), 0, "%s", fault.text);
    cr_assert_eq (plan.jobs[1].state, RM_MAP_WAITS);
    cr_assert_eq (plan.jobs[1].tries, 2);
}

Test (map_journal, a_torn_line_is_as_if_it_had_not_been_written)
{
    PLAN ("echo", ":::", "a", "b", "c");
    tell_a_story ();
    off_t whole = lseek (journal.fd, 0, SEEK_END);
    rm_map_job_t *third = &plan.jobs[2];
    cr_assert_eq (rm_map_journal_submit (&journal, "s:3:2:0:9", &third, 1, &fault), 0);
    for (off_t size = lseek (journal.fd, 0, SEEK_END) - 1; size >= whole; size--) {
        cr_assert_eq (truncate (path, size), 0);
        close_plan ();
        PLAN ("echo", ":::", "a", "b", "c");
        cr_assert_eq (reopen (), 0, "%s", fault.text);
        cr_assert_str_empty (journal.session);
        cr_assert_eq (plan.jobs[1].id, 42);
        cr_assert_eq (lseek (journal.fd, 0, SEEK_END), whole, "what follows begins a line of its own");
    }
}

Test (map_journal, what_it_cannot_be_used_for_is_refused_with_a_sentence)
{
    static rm_map_journal_t other;
    PLAN ("echo", ":::", "a");
    cr_assert_eq (reopen (), 0);
    cr_assert_eq (rm_map_journal_open (&other, path, "here", &plan, &fault), RM_ESTATE, "it is in use");
    rm_map_journal_close (&other);
    rm_map_journal_close (&journal);
    cr_assert_eq (rm_map_journal_open (&journal, path, "elsewhere", &plan, &fault), RM_ECONFLICT);
    rm_map_journal_close (&journal);
    FILE *file = fopen (path, "w");
    fputs ("something else\n", file);
    fclose (file);
    cr_assert_eq (reopen (), RM_ECORRUPT);
    file = fopen (path, "w");
    fputs ("map 1 here\nfoo\n", file);
    fclose (file);
    cr_assert_eq (reopen (), RM_ECORRUPT);
    cr_assert_not_null (strstr (fault.text, "line 2 of"), "%s", fault.text);
}
