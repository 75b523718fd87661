/*  Damage to the ledger's files: each is harmless or refused in one sentence, never a crash, never a loss without a word; and
 *  what was refused can be repaired. A start in a damaged directory runs in a child, so that a crash is seen as one.
 */
#include "ledger_node.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ringmaster/error.h"

enum { FILES_MAX = 128, STARTED = 10, REFUSED = 11, WRONG = 12 };

static const rm_ledger_config_t config = {.segment_bytes = 64 << 10, .snapshot_bytes = 400 << 10};
static char base[PATH_MAX];       /* holds both of these */
static char whole[PATH_MAX + 16]; /* a directory as a killed master left it */
static char hurt[PATH_MAX + 16];  /* a copy, damaged */
static uint64_t acked;            /* batches acknowledged in it */

static uint64_t last_words;

/* At the very moment when a batch is acknowledged, so that nothing can be made good afterwards. */
static void die_after_the_last (uint64_t batch)
{
    if (batch == last_words)
        kill (getpid (), SIGKILL);
}

static int write_and_die (void *arg)
{
    node_t node = {.filler = 5000, .acked = die_after_the_last};
    uint64_t batches = last_words = *(uint64_t *)arg;
    if (node_open (&node, whole, &config) != 0)
        return 1;
    while (node.settled < batches)
        if (!node_put (&node, node.settled + 7 > batches ? batches - node.settled : 7, 900 + node.settled % 1000))
            return 2;
    return 3;
}

/* A ledger of so many batches, with open segments, by a master that was killed. */
static void prepare (uint64_t batches)
{
    node_directory (base);
    snprintf (whole, sizeof whole, "%s/whole", base);
    snprintf (hurt, sizeof hurt, "%s/hurt", base);
    cr_assert_eq (node_in_child (write_and_die, &batches), -SIGKILL);
    acked = batches;
}

static void make_short (void)
{
    prepare (100);
}

static void make_long (void)
{
    prepare (1500);
}

static void clean (void)
{
    node_remove (base);
}

/* Starts in `hurt`: all that was acknowledged must be there, or a sentence that names a file or the directory. */
static int start (void *arg)
{
    node_t node = {0};
    uint64_t least = *(uint64_t *)arg;
    int rc = node_open (&node, hurt, &config);
    if (rc == 0 && node.state < least)
        return WRONG;
    if (rc == 0 && !node_put (&node, 3, 500))
        return WRONG;
    bool told = strstr (node.failure, hurt) && strlen (node.failure) > strlen (hurt) + 10;
    if (rc != 0 && !told)
        return WRONG;
    if (rc != 0)
        fprintf (stderr, "%s\n", node.failure);
    node_close (&node);
    return rc == 0 ? STARTED : REFUSED;
}

typedef struct {
    char last[4096]; /* what repair said at the end */
    unsigned sentences;
} said_t;

static void hear (void *arg, const char *sentence)
{
    said_t *said = arg;
    snprintf (said->last, sizeof said->last, "%s", sentence);
    said->sentences++;
}

/* How many acknowledged batches repair says are lost; UINT64_MAX: it cannot know. */
static uint64_t lost (const said_t *said)
{
    unsigned long long end, count;
    const char *from = strstr (said->last, "ends at batch ");
    cr_assert_not_null (from, "%s", said->last);
    if (strstr (from, "nothing acknowledged was lost"))
        return 0;
    if (strstr (from, "is not known"))
        return UINT64_MAX;
    cr_assert_eq (
        sscanf (from, "ends at batch %llu now; acknowledged batches after that, which are lost: %llu", &end, &count), 2,
        "%s", said->last);
    cr_assert_eq (end + count, acked, "%s", said->last);
    return count;
}

/* Starts, repairs if that is refused, and starts again. Answers whether it was refused; `gone` is what repair lost. */
static bool survive (const char *what, uint64_t *gone)
{
    uint64_t least = acked, none = 0;
    int outcome = node_in_child (start, &least);
    cr_assert (outcome == STARTED || outcome == REFUSED, "%s: %d", what, outcome);
    *gone = 0;
    if (outcome == STARTED)
        return false;
    cr_assert_eq (node_in_child (start, &least), REFUSED, "%s: refused once, accepted then", what);
    said_t said = {0};
    cr_assert_eq (rm_ledger_repair (hurt, hear, &said), 0, "%s: %s", what, said.last);
    *gone = lost (&said);
    least = *gone == UINT64_MAX ? none : acked - *gone;
    cr_assert_eq (node_in_child (start, &least), STARTED, "%s: after repair: %s", what, said.last);
    return true;
}

static void copy (void)
{
    node_shell ("rm -rf %s && cp -a --sparse=always %s %s", hurt, whole, hurt);
}

static void flip (const char *name, off_t offset, int bit)
{
    char path[2 * PATH_MAX];
    uint8_t byte;
    snprintf (path, sizeof path, "%s/%s", hurt, name);
    int file = open (path, O_RDWR);
    cr_assert_geq (file, 0);
    cr_assert_eq (pread (file, &byte, 1, offset), 1, "%s %ld", name, (long)offset);
    byte ^= 1 << bit;
    cr_assert_eq (pwrite (file, &byte, 1, offset), 1);
    close (file);
}

static void cut (const char *name, off_t size)
{
    char path[2 * PATH_MAX];
    snprintf (path, sizeof path, "%s/%s", hurt, name);
    cr_assert_eq (truncate (path, size), 0);
}

static off_t size_of (const char *name)
{
    char path[2 * PATH_MAX];
    struct stat info;
    snprintf (path, sizeof path, "%s/%s", whole, name);
    cr_assert_eq (stat (path, &info), 0);
    return info.st_size;
}

/* Bytes of an open segment that were written. */
static off_t written (const char *name)
{
    char path[2 * PATH_MAX];
    static uint8_t data[1 << 20];
    snprintf (path, sizeof path, "%s/%s", whole, name);
    int file = open (path, O_RDONLY);
    ssize_t size = read (file, data, sizeof data);
    close (file);
    while (size > 0 && data[size - 1] == 0)
        size--;
    return size;
}

static int names_in_order (const void *a, const void *b)
{
    return strcmp (a, b);
}

/* The files whose names begin so, in order. */
static size_t list (const char *prefix, char names[FILES_MAX][256])
{
    size_t count = 0;
    DIR *listing = opendir (whole);
    for (struct dirent *entry; (entry = readdir (listing)) && count < FILES_MAX;)
        if (entry->d_type == DT_REG && strncmp (entry->d_name, prefix, strlen (prefix)) == 0)
            snprintf (names[count++], 256, "%s", entry->d_name);
    closedir (listing);
    qsort (names, count, 256, names_in_order);
    return count;
}

/* The open segment that holds entries. */
static void find_open (char name[256])
{
    char names[FILES_MAX][256];
    size_t count = list ("open-", names);
    for (size_t i = 0; i < count; i++) {
        if (written (names[i]) > 0) {
            memcpy (name, names[i], sizeof names[i]);
            return;
        }
    }
    cr_assert_fail ("no open segment with entries");
}

/* Flips one bit at each of several places below `size`, spread and at random. Answers how many of them were refused. */
static unsigned flip_about (const char *name, off_t size, unsigned places, unsigned *seed, uint64_t *gone_most)
{
    unsigned refused = 0;
    *gone_most = 0;
    for (unsigned i = 0; i < places; i++) {
        off_t offset = i < places / 2 ? (off_t)i * 8 % size : rand_r (seed) % size;
        int bit = rand_r (seed) % 8;
        char what[512];
        uint64_t gone;
        snprintf (what, sizeof what, "%s with bit %d of byte %ld flipped", name, bit, (long)offset);
        copy ();
        flip (name, offset, bit);
        refused += survive (what, &gone);
        if (gone > *gone_most)
            *gone_most = gone;
    }
    return refused;
}

static unsigned cut_about (const char *name, off_t size, unsigned *seed, uint64_t *gone_most)
{
    const off_t sizes[] = {0, 1, 7, 8, 24, size / 2, size - 8, size - 1, rand_r (seed) % size, rand_r (seed) % size};
    unsigned refused = 0;
    *gone_most = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char what[512];
        uint64_t gone;
        snprintf (what, sizeof what, "%s cut to %ld bytes", name, (long)sizes[i]);
        copy ();
        cut (name, sizes[i]);
        refused += survive (what, &gone);
        if (gone > *gone_most)
            *gone_most = gone;
    }
    return refused;
}

TestSuite (ledger_damage, .init = make_short, .fini = clean);
TestSuite (ledger_damage_long, .init = make_long, .fini = clean);

Test (ledger_damage, an_open_segment_that_lost_something_acknowledged_is_refused)
{
    char name[256];
    unsigned seed = getpid ();
    uint64_t gone;
    find_open (name);
    off_t size = written (name);
    cr_assert_eq (flip_about (name, size, 30, &seed, &gone), 30, "every byte in it was acknowledged");
    cr_assert_gt (gone, 0);
    cr_assert_leq (gone, acked);
    cr_assert_eq (cut_about (name, size, &seed, &gone), 10);
    copy ();
    flip (name, size - 1, 0);
    cr_assert (survive ("the very last batch damaged", &gone));
    cr_assert_eq (gone, 1);
}

Test (ledger_damage, rubbish_behind_the_last_entry_is_harmless)
{
    char name[256];
    unsigned seed = getpid ();
    uint64_t gone;
    find_open (name);
    off_t end = written (name), size = size_of (name);
    end = (end + 7) / 8 * 8 + 8; /* the padding of the last entry may be zeros too */
    for (int i = 0; i < 12; i++) {
        copy ();
        flip (name, i < 8 ? end + 4 * i : end + rand_r (&seed) % (size - end), rand_r (&seed) % 8);
        cr_assert_not (survive ("rubbish", &gone));
    }
    copy ();
    cut (name, end + 5);
    cr_assert_not (survive ("cut behind the last entry", &gone));
}

/* What a write that a crash cut short leaves: an entry that nobody was told of, whole or in part. */
Test (ledger_damage, a_torn_write_that_was_not_acknowledged_is_harmless)
{
    char name[256], path[2 * PATH_MAX];
    uint64_t gone;
    find_open (name);
    copy ();
    uint8_t torn[64] = {1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
    snprintf (path, sizeof path, "%s/%s", hurt, name);
    int file = open (path, O_WRONLY);
    cr_assert_eq (pwrite (file, torn, sizeof torn, (written (name) + 7) / 8 * 8), sizeof torn);
    close (file);
    cr_assert_not (survive ("torn", &gone));
}

Test (ledger_damage, metadata_is_whole_or_refused_and_never_costs_a_batch)
{
    unsigned seed = getpid ();
    uint64_t gone;
    flip_about ("metadata1", 32, 24, &seed, &gone);
    cr_assert_eq (gone, 0);
    cr_assert_eq (cut_about ("metadata1", 32, &seed, &gone), 10);
    cr_assert_eq (gone, 0);
    copy ();
    node_shell ("rm %s/metadata1", hurt);
    cr_assert (survive ("no metadata", &gone));
    cr_assert_eq (gone, 0);
    copy ();
    node_shell ("head -c 10 %s/metadata1 > %s/metadata2", hurt, hurt);
    cr_assert_not (survive ("a second metadata file that a crash cut short", &gone));
    copy ();
    node_shell ("cp %s/metadata1 %s/metadata2", hurt, hurt);
    cr_assert (survive ("two metadata files of one number", &gone));
    cr_assert_eq (gone, 0);
}

Test (ledger_damage, one_damaged_slot_of_the_mark_is_harmless_and_two_are_refused)
{
    uint64_t gone;
    for (int byte = 0; byte < 40; byte += 3) {
        copy ();
        flip ("acked", byte, byte % 8);
        cr_assert_not (survive ("first slot", &gone));
        copy ();
        flip ("acked", 4096 + byte, byte % 8);
        cr_assert_not (survive ("second slot", &gone));
        copy ();
        flip ("acked", byte, 7 - byte % 8);
        flip ("acked", 4096 + byte, byte % 8);
        cr_assert (survive ("both slots", &gone));
        cr_assert_eq (gone, UINT64_MAX);
    }
    const off_t sizes[] = {0, 1, 39};
    for (int i = 0; i < 3; i++) {
        copy ();
        cut ("acked", sizes[i]);
        cr_assert (survive ("cut mark", &gone));
    }
    copy ();
    node_shell ("rm %s/acked", hurt);
    cr_assert (survive ("no mark", &gone));
}

Test (ledger_damage, a_log_that_is_gone_or_another_ledgers_is_refused)
{
    uint64_t gone;
    char name[256];
    find_open (name);
    copy ();
    node_shell ("rm %s/open-* %s/0*", hurt, hurt);
    cr_assert (survive ("no log", &gone));
    cr_assert_eq (gone, acked);
    copy ();
    node_shell ("rm %s/%s", hurt, name);
    cr_assert (survive ("no open segment", &gone));
    cr_assert_gt (gone, 0);

    /* Another ledger of more batches, with this one's mark: every checksum is right, the chain is not. */
    node_t other = {0};
    copy ();
    node_shell ("mkdir %s/other", base);
    char path[PATH_MAX + 16];
    snprintf (path, sizeof path, "%s/other", base);
    cr_assert_eq (node_open (&other, path, &config), 0, "%s", other.failure);
    cr_assert (node_put (&other, acked + 20, 333));
    node_close (&other);
    node_shell ("rm %s/open-* %s/0* && cp %s/0* %s", hurt, hurt, path, hurt);
    uint64_t least = acked;
    cr_assert_eq (node_in_child (start, &least), REFUSED);
}

Test (ledger_damage, rubbish_with_a_ledgers_name_is_refused)
{
    uint64_t gone;
    copy ();
    node_shell ("head -c 100000 /dev/urandom > %s/open-77", hurt);
    survive ("a random open segment", &gone);
    cr_assert_eq (gone, 0);
    copy ();
    node_shell ("head -c 100000 /dev/urandom > %s/0000000000000777-0000000000000999", hurt);
    cr_assert (survive ("a random closed segment", &gone));
    copy ();
    node_shell ("head -c 100000 /dev/urandom > %s/snapshot-1-50-77; head -c 99 /dev/urandom > %s/snapshot-1-50-77.meta",
                hurt, hurt);
    cr_assert (survive ("a random snapshot", &gone));
    cr_assert_eq (gone, 0);
}

Test (ledger_damage_long, closed_segments_are_whole_or_refused)
{
    char names[FILES_MAX][256];
    unsigned seed = getpid ();
    uint64_t gone;
    size_t count = list ("0", names);
    cr_assert_gt (count, 3);
    const char *last = names[count - 1], *first = names[0];
    cr_assert_eq (flip_about (last, size_of (last), 24, &seed, &gone), 24);
    cr_assert_gt (gone, 0);
    cr_assert_eq (cut_about (last, size_of (last), &seed, &gone), 10);
    cr_assert_eq (flip_about (first, size_of (first), 8, &seed, &gone), 8);
    cr_assert_eq (gone, 0, "the snapshot has what was in %s", first);
    copy ();
    node_shell ("rm %s/%s", hurt, names[count - 2]);
    cr_assert (survive ("a missing segment", &gone));
}

/* It was killed when it had cut a segment, as a leader's word demands: both files are there, and perhaps half of the
 * new one. */
Test (ledger_damage_long, a_cut_that_was_not_finished_is_no_damage)
{
    char names[FILES_MAX][256];
    uint64_t gone;
    size_t count = list ("0", names);
    for (size_t i = count - 2; i < count; i++) {
        unsigned long long first, end;
        cr_assert_eq (sscanf (names[i], "%llu-%llu", &first, &end), 2);
        const off_t sizes[] = {0, 8, size_of (names[i]) / 3, size_of (names[i]) - 100};
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            copy ();
            node_shell ("head -c %ld %s/%s > %s/%016llu-%016llu", (long)sizes[j], hurt, names[i], hurt, first, end - 2);
            cr_assert_not (survive ("cut by half", &gone), "%s to %ld bytes", names[i], (long)sizes[j]);
            cr_assert_eq (gone, 0);
        }
    }
}

/* It was killed when it had kept the good part of a file and not yet moved the file away: both begin with one entry. */
Test (ledger_damage_long, a_repair_that_was_killed_can_be_done_again)
{
    char names[FILES_MAX][256];
    uint64_t once, again;
    size_t count = list ("0", names);
    const char *last = names[count - 1];
    const off_t places[] = {size_of (last) / 2, size_of (last) / 3, size_of (last) - 9};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        copy ();
        flip (last, places[i], 3);
        cr_assert (survive ("damaged", &once));
        /* What it has kept is the closed segment that begins like the damaged one. */
        node_shell ("rm -rf %s/kept && mkdir %s/kept && cp %s/%.16s-* %s/kept", base, base, hurt, last, base);
        copy ();
        flip (last, places[i], 3);
        node_shell ("cp %s/kept/* %s", base, hurt);
        cr_assert (survive ("repaired by half", &again));
        cr_assert_eq (once, again, "%lu were lost, and %lu the second time", (unsigned long)once, (unsigned long)again);
        /* The part is worth more than what is left of the whole. */
        copy ();
        cut (last, 8);
        node_shell ("cp %s/kept/* %s", base, hurt);
        cr_assert (survive ("repaired by half, and nothing else is left", &again));
        cr_assert_eq (once, again, "%lu were lost, and %lu the second time", (unsigned long)once, (unsigned long)again);
    }
}

Test (ledger_damage_long, the_newest_snapshot_is_whole_or_refused)
{
    char names[FILES_MAX][256];
    unsigned seed = getpid ();
    uint64_t gone;
    size_t count = list ("snapshot-", names);
    cr_assert_geq (count, 4, "%zu", count);
    /* In the order of names; indexes may have more digits later. */
    char meta[256], data[256];
    uint64_t newest = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned long long index;
        if (sscanf (names[i], "snapshot-1-%llu-", &index) == 1 && index >= newest) {
            newest = index;
            snprintf (strstr (names[i], ".meta") ? meta : data, 256, "%s", names[i]);
        }
    }
    cr_assert_eq (flip_about (data, size_of (data), 20, &seed, &gone), 20);
    cr_assert_gt (gone, 0);
    cr_assert_eq (cut_about (data, size_of (data), &seed, &gone), 10);
    flip_about (meta, size_of (meta), 20, &seed, &gone);
    cut_about (meta, size_of (meta), &seed, &gone);
    copy ();
    node_shell ("rm %s/%s", hurt, data);
    cr_assert (survive ("no snapshot data", &gone));
    copy ();
    node_shell ("rm %s/%s", hurt, meta);
    cr_assert (survive ("no snapshot meta", &gone));
    copy ();
    node_shell ("rm %s/snapshot-*", hurt);
    cr_assert (survive ("no snapshot at all", &gone));
    cr_assert_eq (gone, acked);
}

static void damage_somewhere (const char *name, unsigned *seed)
{
    off_t size = size_of (name);
    switch (rand_r (seed) % 4) {
    case 0:
        cut (name, rand_r (seed) % size);
        break;
    case 1:
        node_shell ("rm %s/%s", hurt, name);
        break;
    default:
        flip (name, rand_r (seed) % size, rand_r (seed) % 8);
    }
}

/* Up to three files at once; not the mark, without which nobody can know what was lost. */
Test (ledger_damage_long, any_damage_is_survived)
{
    char names[FILES_MAX][256];
    unsigned seed = getpid ();
    size_t count = list ("", names);
    for (int round = 0; round < 40; round++) {
        unsigned start_seed = seed;
        uint64_t gone;
        copy ();
        size_t step = 1 + rand_r (&seed) % count;
        for (size_t i = rand_r (&seed) % count, n = 0; i < count && n < 3; i += step, n++)
            if (strcmp (names[i], "lock") != 0 && strcmp (names[i], "acked") != 0)
                damage_somewhere (names[i], &seed);
        char what[64];
        snprintf (what, sizeof what, "round %d, seed %u", round, start_seed);
        survive (what, &gone);
    }
}
