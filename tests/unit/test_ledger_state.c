/*  Masters whose states are compared, whose log gets a newer format, and that are saved and restored. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "ledger_group.h"
#include "ledger_node.h"
#include "master/raft_batch.h"
#include "ringmaster/error.h"

static group_t group;

static void open_three (void)
{
    group_init (&group, 3);
    group.config.digest_bytes = 64 << 10;
}

static void clean (void)
{
    group_close (&group);
}

TestSuite (ledger_state, .init = open_three, .fini = clean, .timeout = 120);

/* Just after it was started, a master may not have said yet what it reads. */
static int upgrade (uint64_t format)
{
    int rc = RM_EUNREACHABLE;
    for (uint64_t until = group_now_ms () + 10000; rc == RM_EUNREACHABLE && group_now_ms () < until; group_rest ())
        rc = group_change (&group, SEAT_UPGRADE, format, NULL);
    return rc;
}

static bool all_verified (uint64_t least)
{
    for (size_t i = 0; i < 3; i++)
        if (group.seats[i].page->verified < least)
            return false;
    return true;
}

static bool has_failed (size_t seat, const char *text)
{
    return waitpid (group.seats[seat].pid, NULL, WNOHANG) != 0 && strstr (group.seats[seat].page->failure, text);
}

static void goes_on (void)
{
    uint64_t acked = group_acked (&group);
    WAIT_FOR (group_acked (&group) > acked + 200, 20000);
}

/* ---- digests ---------------------------------------------------------------------------------------------------- */

Test (ledger_state, states_are_compared_again_and_again_and_one_that_differs_stops)
{
    size_t leader = group_start (&group), spoilt = (leader + 1) % 3;
    group_load (&group, 500);
    WAIT_FOR (group_acked (&group) > 500, 10000);
    cr_assert_eq (group.seats[leader].page->verified, 0, "format 1 has no digests");
    cr_assert_eq (upgrade (2), 0);
    WAIT_FOR (all_verified (1), 10000);
    uint64_t before = group.seats[leader].page->verified;
    WAIT_FOR (all_verified (before + 1000), 30000);
    cr_assert_eq (seat_ask (&group, spoilt, SEAT_SPOIL, 0, NULL), 0);
    WAIT_FOR (has_failed (spoilt, "is another one than the leader's"), 20000);
    group.seats[spoilt].pid = 0;
    uint64_t verified = group.seats[leader].page->verified;
    WAIT_FOR (group.seats[leader].page->verified > verified, 20000);
    goes_on ();
}

Test (ledger_state, states_are_the_same_after_snapshots_restarts_and_other_leaders)
{
    group.config.snapshot_bytes = 512 << 10;
    group.filler = 200000;
    group_start (&group);
    group_load (&group, 900);
    cr_assert_eq (upgrade (2), 0);
    for (int round = 0; round < 6; round++) {
        size_t leader = group_leader (&group), killed = round % 2 ? leader : (leader + 1) % 3;
        uint64_t verified = group.seats[leader].page->verified;
        WAIT_FOR (all_verified (verified + 500), 30000);
        seat_kill (&group, killed);
        WAIT_FOR (group.seats[group_leader (&group)].page->verified > verified + 1500, 30000);
        seat_start (&group, killed);
        cr_assert_eq (group.seats[killed].page->started, 0, "%s", group.seats[killed].page->failure);
    }
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

/* ---- formats ---------------------------------------------------------------------------------------------------- */

Test (ledger_state, one_that_reads_the_format_before_holds_an_upgrade_back_until_it_is_replaced)
{
    group.formats[2] = 1;
    group_start (&group);
    group_load (&group, 300);
    goes_on ();
    cr_assert_eq (upgrade (2), RM_EDENIED);
    cr_assert_eq (group.seats[2].page->format, 1);
    for (uint64_t until = group_now_ms () + 10000; !group.seats[2].page->leader && group_now_ms () < until;)
        group_change (&group, SEAT_TRANSFER, 3, NULL);
    WAIT_FOR (group.seats[2].page->quorum, 5000);
    cr_assert_eq (upgrade (2), RM_EDENIED, "it leads itself");
    goes_on ();
    seat_kill (&group, 2);
    group.formats[2] = 0;
    seat_start (&group, 2);
    int rc = RM_EDENIED; /* until it was heard of */
    for (uint64_t until = group_now_ms () + 10000; rc == RM_EDENIED && group_now_ms () < until; group_rest ())
        rc = upgrade (2);
    cr_assert_eq (rc, 0, "%s", rm_strerror (rc));
    cr_assert_eq (upgrade (2), RM_EINVAL, "it is of that format");
    cr_assert_eq (upgrade (RM_LEDGER_FORMAT + 1), RM_EDENIED);
    WAIT_FOR (group.seats[0].page->format == 2 && group.seats[1].page->format == 2 && group.seats[2].page->format == 2,
              10000);
    goes_on ();

    seat_kill (&group, 1); /* there is no way back */
    group.formats[1] = 1;
    seat_start (&group, 1);
    WAIT_FOR (has_failed (1, "is of a newer format than this version reads"), 10000);
    goes_on ();
    group.formats[1] = 0;
    seat_start (&group, 1);
    cr_assert_eq (group.seats[1].page->started, 0, "%s", group.seats[1].page->failure);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

Test (ledger_state, the_format_is_kept_in_snapshots_and_for_those_that_are_added)
{
    group.config.snapshot_bytes = 256 << 10;
    size_t leader = group_start (&group);
    group_load (&group, 900);
    cr_assert_eq (upgrade (2), 0);
    WAIT_FOR (group.seats[leader].page->snapshots >= 2, 20000);
    group.formats[3] = 1;
    seat_start (&group, 3);
    cr_assert_eq (group_change (&group, SEAT_ADD, 4, group.seats[3].address), RM_EDENIED);
    seat_kill (&group, 3);
    seat_wipe (&group, 3);
    group.formats[3] = 0;
    seat_start (&group, 3);
    cr_assert_eq (group_change (&group, SEAT_ADD, 4, group.seats[3].address), 0);
    WAIT_FOR (group.seats[3].page->restored > 0, 20000);
    WAIT_FOR (group.seats[3].page->format == 2, 5000);
    WAIT_FOR (group.seats[3].page->verified > 0, 20000);
    group_load (&group, 0);
    group_agree (&group, group_acked (&group));
}

static void hear (void *arg, const char *sentence)
{
    snprintf (arg, 4096, "%s", sentence);
}

/* Seals the header of the newest snapshot again, as a later version would. */
static void make_newer (const char *dir)
{
    char path[PATH_MAX] = "";
    uint8_t header[RM_RAFT_SNAPSHOT_HEADER_BYTES];
    rm_raft_snapshot_head_t head;
    char command[2 * PATH_MAX];
    snprintf (command, sizeof command, "ls %s/snapshot-* | grep -v meta | tail -n 1", dir);
    FILE *names = popen (command, "r");
    cr_assert_eq (fscanf (names, "%s", path), 1);
    pclose (names);
    FILE *file = fopen (path, "r+");
    cr_assert_eq (fread (header, 1, sizeof header, file), sizeof header);
    cr_assert_null (rm_raft_snapshot_open (header, sizeof header, &head));
    head.link.format = RM_LEDGER_FORMAT + 1;
    rm_raft_snapshot_seal (header, &head);
    rewind (file);
    cr_assert_eq (fwrite (header, 1, sizeof header, file), sizeof header);
    fclose (file);
}

Test (ledger_state, what_a_newer_version_wrote_is_neither_served_nor_repaired)
{
    const rm_ledger_config_t config = {.segment_bytes = 256 << 10, .snapshot_bytes = 64 << 10};
    node_t one = {0}, again = {0};
    char dir[PATH_MAX], said[4096] = "";
    node_directory (dir);
    cr_assert_eq (node_open (&one, dir, &config), 0);
    rm_ledger_status_t status = {0};
    for (int i = 0; i < 100 && status.snapshots == 0; i++) {
        cr_assert (node_put (&one, 50, 1000));
        rm_ledger_status (one.ledger, &status);
    }
    node_close (&one);
    make_newer (dir);
    node_shell ("cp -r %s %s-before", dir, dir);
    cr_assert_eq (node_begin (&again, dir, &config), RM_EDENIED);
    cr_assert_not_null (strstr (again.failure, "start a newer version"), "%s", again.failure);
    node_close (&again);
    cr_assert_eq (rm_ledger_repair (dir, hear, said), RM_EDENIED);
    cr_assert_not_null (strstr (said, "start a newer version"), "%s", said);
    node_shell ("diff -r %s %s-before && rm -rf %s-before", dir, dir, dir);
    node_remove (dir);
}

/* ---- backups ---------------------------------------------------------------------------------------------------- */

/* The state as it is. */
static int keep (void *arg, const void *snapshot, size_t size, rm_ledger_part_t **parts, size_t *count)
{
    static rm_ledger_part_t part;
    (void)arg;
    part = (rm_ledger_part_t){snapshot, size};
    *parts = &part;
    *count = 1;
    return 0;
}

static void kept (void *arg, rm_ledger_part_t *parts, size_t count)
{
    (void)arg, (void)parts, (void)count;
}

static int restore (const char *file, const char *dir, uint64_t id, const char *address, char *said)
{
    return rm_ledger_restore (&(rm_ledger_restore_t){file, dir, id, address, said, keep, kept, hear});
}

/* Seat 3 begins with the backup, as the only master of its cluster. */
static void start_restored (const char *file)
{
    char said[4096] = "";
    group_t alone = group;
    cr_assert_eq (restore (file, group.seats[3].dir, 4, group.seats[3].address, said), 0, "%s", said);
    alone.listed = 0;
    alone.listens = true;
    seat_start (&alone, 3);
    group.seats[3].pid = alone.seats[3].pid;
    cr_assert_eq (group.seats[3].page->started, 0, "%s", group.seats[3].page->failure);
    WAIT_FOR (group.seats[3].page->quorum, 5000);
}

Test (ledger_state, a_backup_of_any_master_begins_a_cluster_that_the_old_one_cannot_mix_with)
{
    char file[PATH_MAX + 8];
    group.config.snapshot_bytes = 1 << 20;
    group.filler = 3000000;
    size_t leader = group_start (&group), follower = (leader + 1) % 3;
    group_load (&group, 900);
    cr_assert_eq (upgrade (2), 0);
    WAIT_FOR (group.seats[follower].page->snapshots > 0, 20000);
    snprintf (file, sizeof file, "%s/saved", group.seats[5].dir);
    for (int round = 0; round < 5; round++) {
        uint64_t before = group.seats[follower].page->state;
        cr_assert_eq (seat_ask (&group, follower, SEAT_BACKUP, 0, file), 0);
        if (round > 0)
            seat_kill (&group, 3);
        seat_wipe (&group, 3);
        start_restored (file);
        cr_assert_geq (group.seats[3].page->state, before);
        WAIT_FOR (group.seats[3].page->generation == 2 && group.seats[3].page->format == RM_LEDGER_FORMAT, 2000);
    }
    cr_assert_neq (memcmp ((const void *)group.seats[3].page->cluster, (const void *)group.seats[leader].page->cluster,
                           RM_LEDGER_CLUSTER_BYTES),
                   0);

    /* Nobody of the old ones is taken in, and it does not take in anybody of them; both go on. */
    uint64_t restored = group.seats[3].page->state, old = group.seats[leader].page->state;
    cr_assert_eq (seat_ask (&group, leader, SEAT_ADD, 4, group.seats[3].address), RM_EDENIED);
    cr_assert_eq (seat_ask (&group, 3, SEAT_ADD, group.seats[follower].id, group.seats[follower].address), RM_EDENIED);
    WAIT_FOR (group.seats[3].page->state > restored + 300 && group.seats[leader].page->state > old + 300, 20000);

    /* It grows like any other, with masters whose directories are empty, and outlives a restart. */
    for (size_t i = 0; i < 3; i++)
        seat_kill (&group, i);
    seat_start (&group, 4);
    cr_assert_eq (seat_ask (&group, 3, SEAT_ADD, 5, group.seats[4].address), 0);
    WAIT_FOR (group_votes (&group, 5), 20000);
    group_load (&group, 0);
    group_agree (&group, restored);
}

Test (ledger_state, a_backup_that_is_damaged_is_not_restored_and_a_ledger_is_not_overwritten)
{
    char dir[PATH_MAX], to[PATH_MAX], file[PATH_MAX + 8], said[4096] = "";
    group_t *one = &group;
    node_directory (dir);
    node_directory (to);
    snprintf (file, sizeof file, "%s/saved", dir);
    one->filler = 50000;
    one->listed = 1;
    seat_start (one, 0);
    group_load (one, 500);
    WAIT_FOR (group_acked (one) > 300, 10000);
    cr_assert_eq (seat_ask (one, 0, SEAT_BACKUP, 0, file), 0);
    for (unsigned at = 3; at < 50000; at += at < 112 ? 13 : 9001) {
        node_shell ("cp %s %s.bad && printf '\\%%o' $(( $(od -An -tu1 -j%u -N1 %s) ^ 4 )) | "
                    "dd of=%s.bad bs=1 seek=%u conv=notrunc status=none",
                    file, file, at, file, file, at);
        char bad[PATH_MAX + 16];
        snprintf (bad, sizeof bad, "%s.bad", file);
        cr_assert_eq (restore (bad, to, 1, "127.0.0.1:7411", said), RM_ECORRUPT, "byte %u: %s", at, said);
        node_shell ("test -z \"$(ls -A %s | grep -vx lock)\"", to);
    }
    node_shell ("head -c 30000 %s > %s.cut", file, file);
    char cut[PATH_MAX + 16];
    snprintf (cut, sizeof cut, "%s.cut", file);
    cr_assert_eq (restore (cut, to, 1, "127.0.0.1:7411", said), RM_ECORRUPT);
    cr_assert_eq (restore ("/nowhere", to, 1, "127.0.0.1:7411", said), RM_EIO);
    cr_assert_eq (restore (file, to, 0, "127.0.0.1:7411", said), RM_EINVAL);
    seat_kill (one, 0);
    cr_assert_eq (restore (file, one->seats[0].dir, 1, "127.0.0.1:7411", said), RM_ESTATE, "%s", said);
    node_remove (dir);
    node_remove (to);
}
