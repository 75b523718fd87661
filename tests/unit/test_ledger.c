/*  The ledger's life: what is acknowledged comes again, in order, after any end. Damage is test_ledger_damage.c's. */
#include "ledger_node.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringmaster/error.h"

static char dir[PATH_MAX];

static void make (void)
{
    node_directory (dir);
}

static void clean (void)
{
    node_remove (dir);
}

static size_t count_files (const char *pattern)
{
    char path[2 * PATH_MAX];
    glob_t found;
    snprintf (path, sizeof path, "%s/%s", dir, pattern);
    size_t count = glob (path, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree (&found);
    return count;
}

TestSuite (ledger, .init = make, .fini = clean);

Test (ledger, a_fresh_directory_is_made_private_and_leads_at_once)
{
    char inner[PATH_MAX + 8];
    struct stat info;
    node_t node = {0};
    snprintf (inner, sizeof inner, "%s/data", dir);
    cr_assert_eq (node_open (&node, inner, NULL), 0, "%s", node.failure);
    cr_assert_eq (stat (inner, &info), 0);
    cr_assert_eq (info.st_mode & 0777, 0700);
    cr_assert (node.leader);
    cr_assert_eq (node.state, 0);
    node_close (&node);
}

Test (ledger, a_restart_replays_every_batch_in_order)
{
    uint64_t total = 0;
    for (int round = 0; round < 4; round++) {
        node_t node = {0};
        cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
        cr_assert_eq (node.state, total);
        cr_assert (node_put (&node, 100, 10 + 997 * round));
        total += 100;
        node_close (&node);
    }
}

Test (ledger, batches_of_any_size_come_back_as_they_were)
{
    const size_t sizes[] = {8, 9, 15, 16, 17, 4095, 4096, 4097, 65536, 300 << 10, 9 << 20};
    node_t node = {0}, again = {0};
    cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        cr_assert (node_put (&node, 1, sizes[i]), "%zu", sizes[i]);
    node_close (&node);
    cr_assert_eq (node_open (&again, dir, NULL), 0, "%s", again.failure);
    cr_assert_eq (again.state, sizeof sizes / sizeof *sizes);
    node_close (&again);
}

Test (ledger, pipelined_proposals_settle_in_order_after_they_were_applied)
{
    node_t node = {0};
    cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
    for (int i = 0; i < 500; i++)
        cr_assert_eq (node_propose (&node, 3000), 0);
    cr_assert_eq (node.settled, 0);
    cr_assert (node_wait (&node, &node.settled, 500));
    cr_assert_eq (node.state, 500);
    node_close (&node);
}

Test (ledger, too_much_in_flight_is_refused_as_busy_and_too_large_a_batch_as_such)
{
    static uint8_t batch[1 << 20];
    node_t node = {0};
    uint64_t ticket, one = 1;
    int rc = 0, taken = 0;
    cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
    cr_assert_eq (rm_ledger_propose (node.ledger, batch, RM_LEDGER_BATCH_BYTES_MAX + 1, &ticket), RM_ETOOBIG);
    node.refuse = 1; /* these batches are nobody's: what becomes of them does not matter here */
    memcpy (batch, &one, sizeof one);
    while (taken < 100 && (rc = rm_ledger_propose (node.ledger, batch, sizeof batch, &ticket)) == 0)
        taken++;
    cr_assert_eq (rc, RM_EBUSY);
    cr_assert_leq (taken, RM_LEDGER_INFLIGHT_BYTES_MAX / (int)sizeof batch);
    node_close (&node);
}

Test (ledger, a_snapshot_and_the_tail_after_it_are_restored)
{
    const rm_ledger_config_t config = {.segment_bytes = 256 << 10, .snapshot_bytes = 512 << 10};
    rm_ledger_status_t status;
    node_t node = {.filler = 3000000}, again = {.filler = 3000000};
    cr_assert_eq (node_open (&node, dir, &config), 0, "%s", node.failure);
    do {
        cr_assert (node_put (&node, 10, 8000));
        rm_ledger_status (node.ledger, &status);
    } while (status.snapshots < 3 && node.state < 10000);
    cr_assert_eq (status.snapshots, 3);
    cr_assert (node_put (&node, 7, 8000));
    node_close (&node);
    cr_assert_eq (node_open (&again, dir, &config), 0, "%s", again.failure);
    cr_assert_eq (again.restored, 1);
    cr_assert_eq (again.state, node.state);
    cr_assert (node_put (&again, 200, 8000));
    node_close (&again);
}

static uint64_t snapshots (const node_t *node)
{
    rm_ledger_status_t status;
    rm_ledger_status (node->ledger, &status);
    return status.snapshots;
}

/* Runs the loop until a snapshot has made the log shorter than that. */
static void wait_for_snapshot (node_t *node, uint64_t bytes)
{
    rm_ledger_status_t status = {0};
    for (int i = 0; i < 2000 && (status.snapshots == 0 || status.log_bytes >= bytes); i++) {
        uv_run (&node->loop, UV_RUN_ONCE);
        rm_ledger_status (node->ledger, &status);
    }
    cr_assert_gt (status.snapshots, 0);
    cr_assert_lt (status.log_bytes, bytes);
}

Test (ledger, snapshots_bound_the_log_in_bytes_whatever_the_size_of_batches)
{
    const size_t sizes[] = {100, 40000};
    const rm_ledger_config_t config = {.segment_bytes = 128 << 10, .snapshot_bytes = 1 << 20};
    node_t node = {0};
    cr_assert_eq (node_open (&node, dir, &config), 0, "%s", node.failure);
    for (int i = 0; i < 2; i++) {
        cr_assert (node_put (&node, (4 << 20) / sizes[i], sizes[i]));
        wait_for_snapshot (&node, config.snapshot_bytes);
        cr_assert_lt (count_files ("0*-0*"), (2 << 20) / (128 << 10), "%zu", count_files ("0*-0*"));
        uint64_t before = snapshots (&node);
        cr_assert (node_put (&node, config.snapshot_bytes / sizes[i] / 2, sizes[i]));
        cr_assert_eq (snapshots (&node), before);
    }
    cr_assert_leq (count_files ("snapshot-*.meta"), 3);
    node_close (&node);
}

Test (ledger, closing_during_a_snapshot_and_with_proposals_in_flight_loses_nothing_acknowledged)
{
    const rm_ledger_config_t config = {.segment_bytes = 256 << 10, .snapshot_bytes = 64 << 10};
    uint64_t least = 0;
    for (int round = 0; round < 20; round++) {
        node_t node = {.filler = 20000000};
        cr_assert_eq (node_open (&node, dir, &config), 0, "%s", node.failure);
        cr_assert_geq (node.state, least);
        uint64_t before = node.state;
        for (int i = 0; i < 10 + round; i++)
            cr_assert_eq (node_propose (&node, 8000), 0);
        for (int i = 0; i < round; i++)
            uv_run (&node.loop, UV_RUN_ONCE);
        node_close (&node);
        cr_assert_eq (node.settled + node.unknown, 10 + (uint64_t)round);
        least = before + node.settled;
    }
}

Test (ledger, a_batch_that_cannot_be_applied_stops_the_ledger_and_the_next_start)
{
    node_t node = {.refuse = 5}, again = {.refuse = 5};
    cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
    cr_assert (node_put (&node, 4, 100));
    for (int i = 0; i < 3; i++)
        cr_assert_eq (node_propose (&node, 100), 0);
    cr_assert (node_wait (&node, &node.unknown, 3));
    cr_assert_eq (node.settled, 4);
    cr_assert_eq (node.state, 4);
    cr_assert_not_null (strstr (node.failure, "batch 5 of the ledger in "), "%s", node.failure);
    cr_assert_eq (node_propose (&node, 100), RM_EIO);
    node_close (&node);
    cr_assert_eq (node_open (&again, dir, NULL), RM_ECORRUPT);
    cr_assert_not_null (strstr (again.failure, "cannot be applied"), "%s", again.failure);
    node_close (&again);
}

Test (ledger, a_second_master_is_refused_and_told_who_has_the_directory)
{
    node_t node = {0}, second = {0};
    char wanted[PATH_MAX + 128];
    cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
    cr_assert_eq (node_open (&second, dir, NULL), RM_EBUSY);
    snprintf (wanted, sizeof wanted,
              "data directory %s is in use by another master (pid %d); stop that one, or give --data another directory",
              dir, getpid ());
    cr_assert_str_eq (second.failure, wanted);
    node_close (&second);
    cr_assert (node_put (&node, 1, 100));
    node_close (&node);
}

static void nothing_to_say (void *arg, const char *sentence)
{
    snprintf (arg, 2048, "%s", sentence);
}

Test (ledger, repair_is_refused_while_a_master_runs_and_changes_nothing_that_is_whole)
{
    node_t node = {0}, again = {0};
    char said[2048] = "";
    cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
    cr_assert (node_put (&node, 10, 100));
    cr_assert_eq (rm_ledger_repair (dir, nothing_to_say, said), RM_EBUSY);
    cr_assert_not_null (strstr (said, "is in use by another master"), "%s", said);
    node_close (&node);
    cr_assert_eq (rm_ledger_repair (dir, nothing_to_say, said), 0);
    cr_assert_not_null (strstr (said, "needs repair: its ledger ends at batch 10"), "%s", said);
    cr_assert_eq (count_files ("damaged-*"), 0);
    cr_assert_eq (node_open (&again, dir, NULL), 0, "%s", again.failure);
    cr_assert_eq (again.state, 10);
    node_close (&again);
}

Test (ledger, another_masters_directory_is_refused)
{
    const rm_ledger_config_t other = {.id = 2, .segment_bytes = 256 << 10};
    node_t node = {0}, second = {0};
    cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
    node_close (&node);
    cr_assert_eq (node_open (&second, dir, &other), RM_EINVAL);
    cr_assert_not_null (strstr (second.failure, "belongs to another master than number 2"), "%s", second.failure);
    node_close (&second);
}

Test (ledger, what_is_no_directory_is_refused)
{
    char path[PATH_MAX + 16];
    node_t file = {0}, nowhere = {0}, long_name = {0};
    snprintf (path, sizeof path, "%s/file", dir);
    node_shell ("touch %s", path);
    cr_assert_eq (node_open (&file, path, NULL), RM_EINVAL);
    cr_assert_not_null (strstr (file.failure, "is not a directory"), "%s", file.failure);
    node_close (&file);
    snprintf (path, sizeof path, "%s/no/where", dir);
    cr_assert_eq (node_open (&nowhere, path, NULL), RM_EIO);
    cr_assert_not_null (strstr (nowhere.failure, "cannot create data directory "), "%s", nowhere.failure);
    node_close (&nowhere);
    memset (path, 'x', 1500);
    path[1500] = 0;
    cr_assert_neq (node_open (&long_name, path, NULL), 0);
    cr_assert_neq (*long_name.failure, 0);
    node_close (&long_name);
}

static int open_as_nobody (void *arg)
{
    node_t node = {0};
    if (geteuid () == 0 && setuid (65534) != 0)
        return 90;
    int rc = node_open (&node, arg, NULL);
    bool told = strstr (node.failure, "Permission denied") != NULL && strstr (node.failure, arg) != NULL;
    node_close (&node);
    return rc == RM_EDENIED && told ? 0 : 1;
}

Test (ledger, a_directory_without_permission_is_refused)
{
    cr_assert_eq (chmod (dir, 0), 0);
    cr_assert_eq (node_in_child (open_as_nobody, dir), 0);
}

/* Writes until the limit on a file's size makes one fail; how many were settled, if the failure was told. */
static int write_without_room (void *arg)
{
    node_t node = {0};
    signal (SIGXFSZ, SIG_IGN);
    if (node_open (&node, arg, NULL) != 0 || !node_put (&node, 1, 1000))
        return 0;
    const struct rlimit none = {128 << 10, 128 << 10};
    if (setrlimit (RLIMIT_FSIZE, &none) != 0)
        return 0;
    while (node_propose (&node, 30000) == 0)
        uv_run (&node.loop, UV_RUN_ONCE);
    bool told = strstr (node.failure, "did not finish in 2000 ms") && strstr (node.failure, arg);
    return told ? (int)node.settled : 0; /* without closing it, as the contract of failed () has it */
}

Test (ledger, a_write_that_does_not_finish_stops_the_ledger_and_loses_nothing, .timeout = 20)
{
    node_t node = {0};
    int settled = node_in_child (write_without_room, dir);
    cr_assert_gt (settled, 1);
    cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
    cr_assert_geq (node.state, (uint64_t)settled);
    node_close (&node);
}

Test (ledger, it_says_full_before_the_disk_is)
{
    const rm_ledger_config_t config = {.segment_bytes = 256 << 10, .spare_bytes = UINT64_MAX / 2};
    node_t room = {0}, tight = {0};
    cr_assert_eq (node_open (&room, dir, NULL), 0, "%s", room.failure);
    cr_assert_not (rm_ledger_full (room.ledger));
    node_close (&room);
    cr_assert_eq (node_open (&tight, dir, &config), 0, "%s", tight.failure);
    cr_assert (rm_ledger_full (tight.ledger));
    cr_assert (node_put (&tight, 1, 100), "what frees or finishes something is still taken");
    node_close (&tight);
}

static int report;

static void tell_parent (uint64_t batch)
{
    if (write (report, &batch, sizeof batch) != sizeof batch)
        _exit (3);
}

/* Proposes as fast as it can, in bursts, until it is killed. */
static int write_until_killed (void *arg)
{
    const rm_ledger_config_t config = {.segment_bytes = 256 << 10, .snapshot_bytes = 1 << 20};
    node_t node = {.filler = 100000, .acked = tell_parent};
    unsigned seed = getpid ();
    if (node_open (&node, arg, &config) != 0)
        return 1;
    uint64_t base = node.state;
    tell_parent (UINT64_MAX - base);
    for (;;) {
        for (int i = rand_r (&seed) % 20; i >= 0; i--)
            if (node_propose (&node, rand_r (&seed) % 20000) != 0)
                return 2;
        uv_run (&node.loop, UV_RUN_ONCE);
    }
}

/* Starts a writer, kills it after `delay_ms` or 1 ms after its first word, and adds up what it acknowledged. */
static uint64_t kill_a_writer (unsigned delay_ms)
{
    int ends[2];
    cr_assert_eq (pipe (ends), 0);
    pid_t child = fork ();
    if (child == 0) {
        close (ends[0]);
        report = ends[1];
        _exit (write_until_killed (dir));
    }
    close (ends[1]);
    uint64_t word, base = 0, acked = 0;
    uint64_t deadline = 0;
    while (read (ends[0], &word, sizeof word) == sizeof word) {
        if (word > UINT64_MAX / 2) {
            base = UINT64_MAX - word;
            deadline = uv_hrtime () + delay_ms * 1000000ull;
        } else {
            cr_assert_eq (word, acked + 1);
            acked = word;
        }
        if (deadline && uv_hrtime () >= deadline)
            kill (child, SIGKILL);
    }
    int status;
    waitpid (child, &status, 0);
    cr_assert (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL, "status %x", status);
    close (ends[0]);
    return base + acked;
}

Test (ledger, every_acknowledged_batch_is_there_after_kill_9_at_any_moment)
{
    unsigned seed = getpid ();
    uint64_t acked = 0;
    cr_log_info ("seed %u", seed);
    for (int round = 0; round < 12; round++) {
        uint64_t now = kill_a_writer (rand_r (&seed) % 150);
        cr_assert_geq (now, acked, "round %d, seed %u", round, (unsigned)getpid ());
        acked = now;
    }
    node_t node = {0};
    cr_assert_eq (node_open (&node, dir, NULL), 0, "%s", node.failure);
    cr_assert_geq (node.state, acked);
    cr_assert (node_put (&node, 10, 100));
    node_close (&node);
}
