/* Commands as handlers, through ringworker as a process: what they are given, how they end, and that nothing of them
 * outlives the job, the lease or the worker. */
#include "worker_master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "process.h"

static master_t master;
static process_t *worker;

/* Starts ringworker with these --queue values; up to four, the rest NULL. */
static void start (const char *a, const char *b, const char *c, const char *d, char *const environment[])
{
    const char *queues[] = {a, b, c, d};
    char *argv[32] = {RINGWORKER, "--master", (char *)master_endpoint (&master), "--name", "w1", "--threads", "2"};
    int count = 7;
    for (int i = 0; i < 4 && queues[i]; i++) {
        argv[count++] = "--queue";
        argv[count++] = (char *)queues[i];
    }
    worker = process_start ("w1", argv, environment);
    master_await (&master, RM_MSG_HEARTBEAT);
    cr_assert_str_eq (process_line (worker, "ready ", WAIT_MS), "ready name=w1");
}

/* Serves the worker until it has ended; its wait status. */
static int await_end (void)
{
    uint64_t end_ms = rm_clock_ms () + WAIT_MS;
    while (process_alive (worker)) {
        master_turn (&master, 10);
        cr_assert_lt (rm_clock_ms (), end_ms, "the worker does not end");
    }
    return process_wait (worker, WAIT_MS);
}

static void open_master (void)
{
    master_open (&master);
}

static void close_all (void)
{
    process_destroy (&worker);
    master_close (&master);
}

/* Waits, with the master at work, until no process of the group is left. */
static void await_death_of_group (pid_t group)
{
    uint64_t end_ms = rm_clock_ms () + WAIT_MS;
    while (!kill (-group, 0) || errno != ESRCH) {
        master_turn (&master, 10);
        cr_assert_lt (rm_clock_ms (), end_ms, "processes of group %d are left", (int)group);
    }
}

/* A command that writes its group to a file, and keeps a child. */
static char file[300], command[2000];

static void make_command (const char *queue)
{
    snprintf (file, sizeof file, "%s/group", scratch_dir ());
    snprintf (command, sizeof command, "%s=exec:sleep 1000 & echo $$ >%s.new; mv %s.new %s; sleep 1000", queue, file,
              file, file);
}

static pid_t await_group (void)
{
    uint64_t end_ms = rm_clock_ms () + WAIT_MS;
    int group = 0;
    for (;;) {
        FILE *from = fopen (file, "r");
        if (from) {
            cr_assert_eq (fscanf (from, "%d", &group), 1);
            fclose (from);
            return group;
        }
        master_turn (&master, 10);
        cr_assert_lt (rm_clock_ms (), end_ms, "the command was not started");
    }
}

TestSuite (worker_exec, .init = open_master, .fini = close_all, .timeout = 60);

/* ---- what a command is given, and how it ends ------------------------------------------------------------------ */

Test (worker_exec, a_command_reads_its_payload_and_its_output_is_the_result)
{
    start ("cat=exec:cat", "env=exec:echo $RM_JOB_ID $RM_QUEUE $RM_ATTEMPT $RM_TOKEN ${RM_KEY-unset}", NULL, NULL,
           NULL);
    outcome_t outcome = master_run (&master, "cat", NULL, "some\nlines");
    cr_assert_eq (outcome.verdict, RM_VERDICT_OK);
    cr_assert_str_eq (outcome.data, "some\nlines");
    cr_assert_str_eq (master_run (&master, "env", "bob smith", "").data, "2 env 1 3298534883330 bob smith\n");
    cr_assert_str_eq (master_run (&master, "env", NULL, "").data, "3 env 1 3298534883331 unset\n");
    process_signal (worker, SIGTERM);
    cr_assert_eq (await_end (), 0);
}

Test (worker_exec, its_exit_status_is_the_verdict_and_its_last_lines_of_stderr_the_reason)
{
    start ("again=exec:echo one >&2; echo busy >&2; exit 75", "dead=exec:seq 1 100000 >&2; echo no >&2; exit 3",
           "quiet=exec:exit 4", "killed=exec:kill -9 $$", NULL);
    outcome_t outcome = master_run (&master, "again", NULL, "");
    cr_assert_eq (outcome.verdict, RM_VERDICT_RETRY);
    cr_assert_str_eq (outcome.reason, "one\nbusy");
    outcome = master_run (&master, "dead", NULL, "");
    cr_assert_eq (outcome.verdict, RM_VERDICT_DEAD);
    cr_assert_str_eq (outcome.reason, "99997\n99998\n99999\n100000\nno");
    outcome = master_run (&master, "quiet", NULL, "");
    cr_assert_eq (outcome.verdict, RM_VERDICT_DEAD);
    cr_assert_str_eq (outcome.reason, "the command ended with exit status 4");
    outcome = master_run (&master, "killed", NULL, "");
    cr_assert_eq (outcome.verdict, RM_VERDICT_DEAD);
    cr_assert_str_eq (outcome.reason, "killed by signal 9");
}

Test (worker_exec, a_result_over_the_limit_fails_and_says_so)
{
    start ("all=exec:head -c 4096 /dev/zero", "more=exec:head -c 4097 /dev/zero", "endless=exec:cat /dev/zero", NULL,
           NULL);
    cr_assert_eq (master_run (&master, "all", NULL, "").size, 4096);
    outcome_t outcome = master_run (&master, "more", NULL, "");
    cr_assert_eq (outcome.verdict, RM_VERDICT_DEAD);
    cr_assert_str_eq (outcome.reason, "the command wrote more than the 4096 bytes a result may have");
    cr_assert_eq (master_run (&master, "endless", NULL, "").verdict, RM_VERDICT_DEAD);
}

Test (worker_exec, a_command_need_not_read_its_payload)
{
    static char large[900000];
    memset (large, 'x', sizeof large);
    start ("deaf=exec:echo fine", "count=exec:wc -c", NULL, NULL, NULL);
    uint64_t id = master_dispatch (&master, "deaf", NULL, large, sizeof large, 10000);
    outcome_t outcome = master_outcome (&master, id);
    cr_assert_eq (outcome.verdict, RM_VERDICT_OK);
    cr_assert_str_eq (outcome.data, "fine\n");
    id = master_dispatch (&master, "count", NULL, large, sizeof large, 10000);
    cr_assert_str_eq (master_outcome (&master, id).data, "900000\n");
}

/* ---- nothing is left ------------------------------------------------------------------------------------------- */

Test (worker_exec, what_a_command_leaves_running_ends_with_it)
{
    snprintf (command, sizeof command, "q=exec:sleep 1000 & echo $$");
    start (command, NULL, NULL, NULL, NULL);
    outcome_t outcome = master_run (&master, "q", NULL, "");
    cr_assert_eq (outcome.verdict, RM_VERDICT_OK, "it is not waited for");
    await_death_of_group (atoi (outcome.data));
}

Test (worker_exec, a_timeout_kills_the_whole_group)
{
    make_command ("q");
    start (command, NULL, NULL, NULL, NULL);
    uint64_t id = master_dispatch (&master, "q", NULL, "", 0, 500);
    pid_t group = await_group ();
    cr_assert_eq (master_outcome (&master, id).verdict, RM_VERDICT_TIMEOUT);
    await_death_of_group (group);
}

static void stop (uint64_t id)
{
    rm_stop_job_t job = {id, 1};
    master_to_worker (&master, (rm_msg_t){.type = RM_MSG_STOP, .stop = {MASTER_TERM, master.inc, &job, 1}});
}

Test (worker_exec, a_command_that_is_stopped_may_clean_up)
{
    snprintf (file, sizeof file, "%s/group", scratch_dir ());
    snprintf (command, sizeof command,
              "q=exec:trap 'rm %s; exit 3' TERM; echo $$ >%s.new; mv %s.new %s; sleep 1000 & wait", file, file, file,
              file);
    start (command, NULL, NULL, NULL, NULL);
    uint64_t id = master_dispatch (&master, "q", NULL, "", 0, 0);
    pid_t group = await_group ();
    stop (id);
    cr_assert_eq (master_outcome (&master, id).verdict, RM_VERDICT_DEAD);
    cr_assert_neq (access (file, F_OK), 0, "SIGTERM came first");
    await_death_of_group (group);
}

Test (worker_exec, a_command_that_does_not_want_to_stop_is_killed)
{
    snprintf (file, sizeof file, "%s/group", scratch_dir ());
    snprintf (command, sizeof command,
              "q=exec:trap '' TERM; echo $$ >%s.new; mv %s.new %s; while :; do sleep 0.1; done", file, file, file);
    start (command, NULL, NULL, NULL, NULL);
    uint64_t id = master_dispatch (&master, "q", NULL, "", 0, 0);
    pid_t group = await_group ();
    stop (id);
    cr_assert_eq (master_outcome (&master, id).verdict, RM_VERDICT_DEAD);
    await_death_of_group (group);
    cr_assert (process_alive (worker));
}

Test (worker_exec, a_lost_lease_kills_the_whole_group)
{
    make_command ("q");
    start (command, NULL, NULL, NULL, NULL);
    uint64_t id = master_dispatch (&master, "q", NULL, "", 0, 0);
    pid_t group = await_group ();
    master.answers = false;
    await_death_of_group (group);
    master.answers = true;
    cr_assert_eq (master_outcome (&master, id).verdict, RM_VERDICT_INTERRUPTED);
    cr_assert (process_alive (worker), "a command can be killed, so the worker need not end");
}

Test (worker_exec, a_worker_that_is_killed_takes_its_commands_along)
{
    make_command ("q");
    start (command, NULL, NULL, NULL, NULL);
    master_dispatch (&master, "q", NULL, "", 0, 0);
    pid_t group = await_group ();
    process_signal (worker, SIGKILL);
    await_death_of_group (group);
}

Test (worker_exec, a_second_signal_ends_it_at_once_and_its_commands_too)
{
    make_command ("q");
    start (command, NULL, NULL, NULL, NULL);
    master_dispatch (&master, "q", NULL, "", 0, 0);
    pid_t group = await_group ();
    process_signal (worker, SIGINT);
    master_await (&master, RM_MSG_LEAVE);
    cr_assert (process_alive (worker), "the first one lets it finish");
    process_signal (worker, SIGTERM);
    int status = await_end ();
    cr_assert (WIFEXITED (status));
    cr_assert_eq (WEXITSTATUS (status), 1);
    await_death_of_group (group);
}

/* ---- the program ----------------------------------------------------------------------------------------------- */

Test (worker_exec, a_fail_point_kills_it_after_its_word_has_left)
{
    char *environment[] = {"RM_FAILPOINTS=worker.sync1.after=kill", NULL};
    start ("q=builtin:echo", NULL, NULL, NULL, environment);
    master_send (master.sync, NULL,
                 &(rm_msg_t){.type = RM_MSG_SYNC,
                             .sync = {.from_master = true,
                                      .name = master_text ("Master"),
                                      .phase = 1,
                                      .term = MASTER_TERM,
                                      .epoch = MASTER_EPOCH + 1}});
    master_await (&master, RM_MSG_SYNC);
    cr_assert_eq (master.msg.sync.phase, 1);
    int status = await_end ();
    cr_assert (WIFSIGNALED (status));
    cr_assert_eq (WTERMSIG (status), SIGKILL);
}

static void check_exit (int code, char *const arguments[], char *const environment[])
{
    char *argv[16] = {RINGWORKER};
    for (int i = 0; arguments[i]; i++)
        argv[i + 1] = arguments[i];
    process_t *process = process_start ("usage", argv, environment);
    int status = process_wait (process, 2 * WAIT_MS);
    cr_assert (WIFEXITED (status));
    cr_expect_eq (WEXITSTATUS (status), code, "%s %s: %d", arguments[0], arguments[1], WEXITSTATUS (status));
    process_destroy (&process);
}

Test (worker_exec, a_wrong_command_line_is_exit_2_and_no_master_is_exit_3)
{
    check_exit (2, (char *[]){"--queue", "q", NULL}, NULL);
    check_exit (2, (char *[]){"--queue", "=builtin:echo", NULL}, NULL);
    check_exit (2, (char *[]){"--queue", "q=nothing", NULL}, NULL);
    check_exit (2, (char *[]){"--threads", "0", "--queue", "q=builtin:echo", NULL}, NULL);
    check_exit (2, (char *[]){"--name", "a b", "--queue", "q=builtin:echo", NULL}, NULL);
    check_exit (2, (char *[]){"--master", "nonsense", "--queue", "q=builtin:echo", NULL}, NULL);
    check_exit (2, (char *[]){"--colour", "red", NULL}, NULL);
    check_exit (2, (char *[]){"--quiet", NULL}, NULL);
    check_exit (2, (char *[]){"--queue", "q=builtin:echo", NULL}, (char *[]){"RM_FAILPOINTS=no.such=kill", NULL});
    check_exit (0, (char *[]){"--list-failpoints", NULL}, NULL);
    check_exit (0, (char *[]){"--help", NULL}, NULL);
    check_exit (0, (char *[]){"--version", NULL}, NULL);
    check_exit (3, (char *[]){"--master", "127.0.0.1:1", "--queue", "q=builtin:echo", NULL}, NULL);
}
