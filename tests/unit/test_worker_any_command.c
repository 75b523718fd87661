/* The shell queue, through ringworker as a process: what a payload may ask for, what comes back, and that nothing of a
 * command outlives its job or its worker. */
#include "worker_master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "proto/shell.h"

static master_t master;
static process_t *worker;
static rm_buf_t payload;
static outcome_t outcome; /* the last one */
static rm_shell_reply_t reply;

static void open_all (void)
{
    master_open (&master);
    char *argv[] = {RINGWORKER, "--master", (char *)master_endpoint (&master), "--name", "w1", "--shell", NULL};
    worker = process_start ("w1", argv, (char *[]){"GREETING=hello", "OTHER=left alone", NULL});
    master_await (&master, RM_MSG_HEARTBEAT);
}

static void close_all (void)
{
    process_destroy (&worker);
    master_close (&master);
    rm_buf_close (&payload);
}

TestSuite (worker_any_command, .init = open_all, .fini = close_all, .timeout = 60);

/* Runs what is in `payload`; how it ended is in `outcome`. */
static void run_payload (void)
{
    outcome = master_outcome (&master, master_dispatch (&master, "shell", NULL, payload.data, payload.size, 10000));
    rm_buf_clear (&payload);
}

/* The same, and it must have ended well: what came of it is in `reply`. */
static void run (const char *directory, const char *command, const char *spill, uint64_t timeout_ms)
{
    rm_shell_request_begin (&payload, directory, command, spill, timeout_ms);
    run_payload ();
    cr_assert_eq (outcome.verdict, RM_VERDICT_OK, "%s", outcome.reason);
    cr_assert (rm_shell_reply_read (&reply, outcome.data, outcome.size), "%s", outcome.data);
}

static bool is (rm_bytes_t bytes, const char *text)
{
    return rm_bytes_equal (bytes, rm_bytes (text));
}

Test (worker_any_command, output_errors_and_status_come_back_whether_it_succeeded_or_not)
{
    uint64_t now_ms = rm_clock_wall_ms ();
    run ("", "echo out; echo err >&2; exit 3", "", 0);
    cr_assert_eq (reply.exit, 3);
    cr_assert_eq (reply.signal, 0);
    cr_assert (is (reply.out, "out\n"));
    cr_assert (is (reply.err, "err\n"));
    cr_assert_geq (reply.start_ms, now_ms);
    cr_assert_leq (reply.start_ms, rm_clock_wall_ms ());
    run ("", "kill -15 $$", "", 0);
    cr_assert_eq (reply.signal, 15);
    cr_assert_eq (reply.exit, 0);
    run ("", "printf 'a\\0b'", "", 0);
    cr_assert_eq (reply.out.size, 3);
}

Test (worker_any_command, it_runs_in_its_directory_with_its_environment)
{
    rm_shell_request_begin (&payload, "/usr", "pwd; echo $GREETING $OTHER $ONE $RM_JOB_ID", "", 0);
    rm_shell_request_set (&payload, "GREETING", "good day");
    rm_shell_request_set (&payload, "ONE", "1");
    rm_shell_request_set (&payload, "RM_JOB_ID", "99");
    run_payload ();
    cr_assert (rm_shell_reply_read (&reply, outcome.data, outcome.size));
    cr_assert (is (reply.out, "/usr\ngood day left alone 1 1\n"), "%s", outcome.data);
    run ("/no/such", "echo hi", "", 0);
    cr_assert_eq (reply.exit, 127);
    cr_assert (is (reply.err, "cannot change to the directory /no/such\n"));
}

static void check_file (const char *ending, size_t size)
{
    char path[500];
    struct stat is_there;
    snprintf (path, sizeof path, "%s/%.*s%s", scratch_dir (), (int)reply.file.size, (const char *)reply.file.data,
              ending);
    cr_assert_eq (stat (path, &is_there), 0, "%s", path);
    cr_assert_eq (is_there.st_size, (off_t)size);
    cr_assert_eq (is_there.st_mode & 0777, 0600);
}

Test (worker_any_command, what_is_too_large_for_a_result_goes_into_files)
{
    run ("", "echo first >&2; head -c 3583 /dev/zero; echo >&2", scratch_dir (), 0);
    cr_assert_gt (reply.file.size, 0);
    check_file (".out", 3583);
    check_file (".err", 7);
    run ("", "head -c 3584 /dev/zero", scratch_dir (), 0);
    cr_assert_eq (reply.file.size, 0, "so much fits");
    cr_assert_eq (reply.out.size, 3584);
}

Test (worker_any_command, without_a_directory_for_it_too_large_output_fails_with_a_sentence)
{
    rm_shell_request_begin (&payload, "", "cat /dev/zero", "", 0);
    run_payload ();
    cr_assert_eq (outcome.verdict, RM_VERDICT_DEAD);
    cr_assert_str_eq (outcome.reason,
                      "the command wrote more than the 3584 bytes a result may have; name a directory for such output");
    rm_shell_request_begin (&payload, "", "cat /dev/zero", "/no/such", 0);
    run_payload ();
    cr_assert_eq (outcome.verdict, RM_VERDICT_DEAD);
    cr_assert_not_null (strstr (outcome.reason, "cannot be made for it: No such file or directory"), "%s",
                        outcome.reason);
}

Test (worker_any_command, a_payload_that_is_no_request_is_dead)
{
    rm_buf_put (&payload, "/tmp", 4);
    run_payload ();
    cr_assert_eq (outcome.verdict, RM_VERDICT_DEAD);
    cr_assert_str_eq (outcome.reason, "the payload must be a directory, a NUL and a command");
}

Test (worker_any_command, at_its_time_it_is_asked_to_stop_and_what_it_wrote_comes_back)
{
    run ("", "trap 'echo asked; exit 7' TERM; echo begun; sleep 1000 & wait", "", 300);
    cr_assert (reply.timed_out);
    cr_assert_eq (reply.exit, 7);
    cr_assert (is (reply.out, "begun\nasked\n"), "%s", outcome.data);
    run ("", "trap '' TERM; sleep 1000", "", 100);
    cr_assert (reply.timed_out);
    cr_assert_eq (reply.signal, SIGKILL, "who does not listen is killed");
}

Test (worker_any_command, a_worker_that_is_killed_takes_its_commands_along)
{
    char file[300], command[1200];
    snprintf (file, sizeof file, "%s/group", scratch_dir ());
    snprintf (command, sizeof command, "sleep 1000 & echo $$ >%s.new; mv %s.new %s; sleep 1000", file, file, file);
    rm_shell_request_begin (&payload, "", command, "", 0);
    master_dispatch (&master, "shell", NULL, payload.data, payload.size, 0);
    int group = 0;
    uint64_t end_ms = rm_clock_ms () + WAIT_MS;
    for (FILE *from; !group; master_turn (&master, 10)) {
        cr_assert_lt (rm_clock_ms (), end_ms, "the command was not started");
        if (!(from = fopen (file, "r")))
            continue;
        cr_assert_eq (fscanf (from, "%d", &group), 1);
        fclose (from);
    }
    process_signal (worker, SIGKILL);
    while (!kill (-group, 0) || errno != ESRCH) {
        cr_assert_lt (rm_clock_ms (), end_ms, "processes of group %d are left", group);
        master_turn (&master, 10);
    }
}

/* Starts a worker that must end; its exit code, and its log must have `said`. */
static int exit_of (char *const argv[], const char *said)
{
    process_t *process = process_start ("refused", argv, NULL);
    int status = process_wait (process, 2 * WAIT_MS);
    cr_expect (process_logged (process, said, 1000), "it does not say: %s", said);
    process_destroy (&process);
    return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

Test (worker_any_command, a_master_that_others_can_reach_is_refused_unless_told)
{
    cr_assert_eq (exit_of ((char *[]){RINGWORKER, "--shell", "--master", "127.0.0.1:1,192.0.2.1:5550", NULL},
                           "say --insecure if everyone who reaches it may run commands here"),
                  4);
    cr_assert_eq (
        exit_of ((char *[]){RINGWORKER, "--queue", "a=shell", "--master", "192.0.2.1:5550", NULL}, "say --insecure"), 4,
        "under whatever name");
    cr_assert_eq (exit_of ((char *[]){RINGWORKER, "--shell", "--insecure", "--master", "[2001:db8::1]:5550", NULL},
                           "answered for 10 s"),
                  3, "told, it tries");
}
