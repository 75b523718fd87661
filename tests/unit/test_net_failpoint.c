#include "net/failpoint.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/clock.h"
#include "ringmaster/error.h"

static const char *const names[] = {"dispatch.before_send", "dispatch.sent", "done", NULL};

static int arm (const char *settings, rm_fault_t *fault)
{
    setenv ("RM_FAILPOINTS", settings, 1);
    return rm_failpoint_table (names, fault);
}

Test (net_failpoint, nothing_set_does_nothing)
{
    unsetenv ("RM_FAILPOINTS");
    cr_assert_eq (rm_failpoint_table (names, NULL), 0);
    cr_assert_not (rm_failpoints_armed);
    rm_failpoint ("done");
    cr_assert_eq (arm ("", NULL), 0);
    cr_assert_not (rm_failpoints_armed);
}

Test (net_failpoint, good_settings_are_read)
{
    static const char *const good[] = {"done=kill", "done=stop@1", "done=delay:1", "done=delay:1000000@1000000",
                                       "done=kill@2,done=delay:5@1,dispatch.sent=stop"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        rm_fault_t fault = {0};
        cr_assert_eq (arm (good[i], &fault), 0, "%s: %s", good[i], fault.text);
        cr_assert (rm_failpoints_armed);
    }
}

Test (net_failpoint, a_malformed_setting_is_a_sentence_that_shows_it)
{
    static const char *const bad[] = {
        "done",        "done=",      "done=explode",   "done=kill@",   "done=kill@0",           "done=kill@x",
        "done=killer", "done=delay", "done=delay:",    "done=delay:x", "done=delay:0",          "done=kill@1@2",
        "done=kill:5", "done=stop,", "done=delay:5ms", ",done=stop",   "done=kill@99999999999", "done=delay:-5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rm_fault_t fault = {0};
        cr_assert_eq (arm (bad[i], &fault), RM_EINVAL, "'%s' was taken", bad[i]);
        cr_assert (strstr (fault.text, "write NAME=kill, NAME=stop or NAME=delay:MS, perhaps with @COUNT behind it"),
                   "%s", fault.text);
        cr_assert_not (rm_failpoints_armed);
    }
    rm_fault_t fault = {0};
    cr_assert_eq (arm ("done=stop,done=bang,done=kill", &fault), RM_EINVAL);
    cr_assert (strstr (fault.text, "RM_FAILPOINTS has 'done=bang': "), "%s", fault.text);
}

Test (net_failpoint, an_unknown_name_is_a_sentence_that_shows_it)
{
    rm_fault_t fault = {0};
    cr_assert_eq (arm ("done=stop,dispatch=kill", &fault), RM_EINVAL);
    cr_assert_str_eq (fault.text, "RM_FAILPOINTS names 'dispatch', which is no fail point (see --list-failpoints)");
}

Test (net_failpoint, the_list_has_one_name_a_line)
{
    char text[256] = "";
    FILE *out = fmemopen (text, sizeof text, "w");
    cr_assert_eq (rm_failpoint_table (names, NULL), 0);
    rm_failpoint_list (out);
    fclose (out);
    cr_assert_str_eq (text, "dispatch.before_send\ndispatch.sent\ndone\n");
}

/* A child that passes `done` `hits` times with these settings and says each time "passed" on its stderr. */
static pid_t child (const char *settings, int hits, int *err)
{
    int fds[2];
    cr_assert_eq (pipe (fds), 0);
    pid_t pid = fork ();
    if (!pid) {
        prctl (PR_SET_PDEATHSIG, SIGKILL); /* it must not outlive a test that fails while it is stopped */
        dup2 (fds[1], STDERR_FILENO);
        close (fds[0]);
        setenv ("RM_LOG", "error", 1); /* must not hide the line */
        if (arm (settings, NULL))
            _exit (9);
        for (int i = 0; i < hits; i++) {
            rm_failpoint ("dispatch.sent");
            rm_failpoint ("done");
            fprintf (stderr, "passed\n");
        }
        _exit (0);
    }
    close (fds[1]);
    *err = fds[0];
    return pid;
}

/* All that comes from `err`, which is closed afterwards. */
static void read_all (int err, char *text, size_t room)
{
    size_t used = 0;
    for (ssize_t got; used < room - 1 && (got = read (err, text + used, room - 1 - used)) > 0;)
        used += (size_t)got;
    text[used] = 0;
    close (err);
}

static int await_end (pid_t pid, int err, char *text, size_t room)
{
    read_all (err, text, room);
    int status;
    cr_assert_eq (waitpid (pid, &status, 0), pid);
    return status;
}

static int count_of (const char *text, const char *what)
{
    int count = 0;
    while ((text = strstr (text, what))) {
        count++;
        text += strlen (what);
    }
    return count;
}

Test (net_failpoint, kill_kills_at_exactly_the_count_and_says_so_before, .timeout = 60)
{
    char text[4096];
    int err;
    pid_t pid = child ("done=kill@3", 10, &err);
    int status = await_end (pid, err, text, sizeof text);
    cr_assert (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
    cr_assert_eq (count_of (text, "passed\n"), 2);
    cr_assert_eq (count_of (text, "level=warn event=failpoint name=done action=kill\n"), 1);
}

Test (net_failpoint, without_a_count_the_first_hit_kills, .timeout = 60)
{
    char text[4096];
    int err;
    pid_t pid = child ("done=kill", 10, &err);
    int status = await_end (pid, err, text, sizeof text);
    cr_assert (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
    cr_assert_eq (count_of (text, "passed\n"), 0);
}

Test (net_failpoint, stop_stops_and_can_be_continued, .timeout = 60)
{
    char text[4096];
    int err, status;
    pid_t pid = child ("done=stop@2", 3, &err);
    cr_assert_eq (waitpid (pid, &status, WUNTRACED), pid);
    cr_assert (WIFSTOPPED (status) && WSTOPSIG (status) == SIGSTOP);
    kill (pid, SIGCONT);
    cr_assert_eq (waitpid (pid, &status, WUNTRACED), pid);
    cr_assert_not (WIFSTOPPED (status), "it stopped again");
    read_all (err, text, sizeof text);
    cr_assert (WIFEXITED (status) && WEXITSTATUS (status) == 0);
    cr_assert_eq (count_of (text, "passed\n"), 3);
    cr_assert_eq (count_of (text, "action=stop\n"), 1);
}

Test (net_failpoint, delay_delays_each_time_or_at_its_count, .timeout = 60)
{
    uint64_t begin_ms = rm_clock_ms ();
    cr_assert_eq (arm ("done=delay:40", NULL), 0);
    rm_failpoint ("done");
    rm_failpoint ("done");
    cr_assert_geq (rm_clock_ms () - begin_ms, 79);
    cr_assert_eq (arm ("done=delay:300@2", NULL), 0);
    begin_ms = rm_clock_ms ();
    rm_failpoint ("done");
    rm_failpoint ("dispatch.sent");
    cr_assert_lt (rm_clock_ms () - begin_ms, 300);
    rm_failpoint ("done");
    cr_assert_geq (rm_clock_ms () - begin_ms, 299);
}

Test (net_failpoint, settings_of_two_places_do_not_disturb_each_other, .timeout = 60)
{
    char text[4096];
    int err;
    pid_t pid = child ("dispatch.sent=delay:1@1,done=delay:1@2,dispatch.sent=kill@4", 10, &err);
    int status = await_end (pid, err, text, sizeof text);
    cr_assert (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
    cr_assert_eq (count_of (text, "passed\n"), 3);
    cr_assert_eq (count_of (text, "name=dispatch.sent action=delay\n"), 1);
    cr_assert_eq (count_of (text, "name=done action=delay\n"), 1);
}

static void *hit (void *arg)
{
    pthread_barrier_wait (arg);
    for (int i = 0; i < 240000; i++)
        rm_failpoint ("done");
    return arg;
}

Test (net_failpoint, hits_of_all_threads_are_counted, .timeout = 60)
{
    pid_t pid = fork ();
    if (!pid) {
        arm ("done=kill@960001", NULL);
        pthread_barrier_t together;
        pthread_barrier_init (&together, NULL, 4);
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            pthread_create (&threads[i], NULL, hit, &together);
        for (int i = 0; i < 4; i++)
            pthread_join (threads[i], NULL);
        close (STDERR_FILENO);
        rm_failpoint ("done"); /* the 960001st */
        _exit (0);
    }
    int status;
    cr_assert_eq (waitpid (pid, &status, 0), pid);
    cr_assert (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
}
