/*  A data directory, read before libraft reads it: segments, snapshots, metadata and the mark, with right checksums where
 *  decisions do not want them wrong, and raw files between them. It lies in $TMPDIR, else in memory (/dev/shm).
 *
 *  An undamaged ledger is served to its last batch. Whatever else lies there is judged without a crash: what may be served
 *  reaches the mark; what may not is repaired, and what was repaired may be served.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "fuzz.h"
#include "master/raft_bytes.h"
#include "master/raft_ledger.h"
#include "master/raft_mark.h"
#include "master/raft_scan.h"
#include "proto/buf.h"
#include "ringmaster/error.h"

enum { FILES_MAX = 32, STEPS_MAX = 40, SENTENCE_BYTES = 4096 };

static char folder[128];

/* The ledger that is being written. */
static struct {
    rm_raft_link_t link;                       /* the newest batch */
    uint64_t index, term, counter;             /* of the newest entry; of the newest open segment */
    bool honest;                               /* nothing but the following was damaged, left out or made up */
    bool broken;                               /* a batch does not follow on the one before */
    uint32_t flips;                            /* bytes changed in files that were written … */
    bool flipped_closed;                       /* … and one of them in a closed segment */
    bool opened;                               /* there is an open segment: no closed one can follow */
    bool metadata, marked;                     /* they are there */
    char names[FILES_MAX][RM_RAFT_NAME_BYTES]; /* what was written, to be damaged later */
    uint32_t count;
} world;

/* ---- files ------------------------------------------------------------------------------------------------------ */

static void clear_folder (const char *path)
{
    DIR *listing = opendir (path);
    CLAIM (listing, "%s", path);
    for (struct dirent *entry; (entry = readdir (listing));) {
        char name[512];
        if (!strcmp (entry->d_name, ".") || !strcmp (entry->d_name, ".."))
            continue;
        snprintf (name, sizeof name, "%s/%s", path, entry->d_name);
        if (!unlink (name))
            continue;
        clear_folder (name);
        rmdir (name);
    }
    closedir (listing);
}

static void leave (void)
{
    clear_folder (folder);
    rmdir (folder);
}

static void enter (void)
{
    if (*folder) {
        clear_folder (folder);
        return;
    }
    const char *base = getenv ("TMPDIR");
    if (!base || strlen (base) > sizeof folder / 2)
        base = access ("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
    snprintf (folder, sizeof folder, "%s/ringmaster-fuzz-XXXXXX", base);
    CLAIM (mkdtemp (folder));
    atexit (leave);
}

static void path_of (char *path, size_t size, const char *name)
{
    snprintf (path, size, "%s/%s", folder, name);
}

static void write_file (const char *name, const void *data, size_t size)
{
    char path[256];
    path_of (path, sizeof path, name);
    FILE *file = fopen (path, "wb");
    CLAIM (file && fwrite (data, 1, size, file) == size && !fclose (file), "%s", path);
    if (world.count < FILES_MAX)
        snprintf (world.names[world.count++], RM_RAFT_NAME_BYTES, "%s", name);
}

static void put64 (rm_buf_t *out, uint64_t value)
{
    uint8_t bytes[8];
    rm_raft_put64 (bytes, value);
    rm_buf_put (out, bytes, sizeof bytes);
}

/* ---- segments --------------------------------------------------------------------------------------------------- */

/* The data of an entry, mostly the next batch of the chain. */
static void put_data (fuzz_input_t *input, int kind, rm_buf_t *data)
{
    uint8_t how = fuzz_byte (input), body[48] = {how};
    size_t size = how % sizeof body;
    uint8_t entry[RM_RAFT_BATCH_HEADER_BYTES + sizeof body];
    if (kind != RM_RAFT_ENTRY_COMMAND) {
        put64 (data, how);
        return;
    }
    memcpy (entry + RM_RAFT_BATCH_HEADER_BYTES, body, size);
    rm_raft_link_t after = world.link;
    if (how >= 250) {
        after.number += how - 252;
        after.hash ^= how == 252;
        world.broken = true;
    }
    rm_raft_batch_seal (entry, size, &after, &world.link);
    rm_buf_put (data, entry, rm_raft_batch_bytes (size));
    if (how >= 240 && how < 250 && data->size) {
        data->data[data->size - 1 - how % 8] ^= 0x40;
        world.honest = false; /* or harmless, in the padding */
    }
}

/* A group of entries with the checksums that fit. How many. */
static uint64_t put_group (fuzz_input_t *input, rm_buf_t *out)
{
    rm_buf_t head = {0}, data = {0};
    uint8_t how = fuzz_byte (input);
    uint64_t count = 1 + how % 3;
    put64 (&head, count);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t what = fuzz_byte (input);
        int kind = what & 1 ? RM_RAFT_ENTRY_COMMAND : what & 2 ? RM_RAFT_ENTRY_BARRIER : RM_RAFT_ENTRY_CHANGE;
        size_t before = data.size;
        world.term += what >> 2 & 1;
        put_data (input, kind, &data);
        if (what >= 250) {
            kind = what & 7;
            world.honest = false;
        }
        put64 (&head, world.term);
        put64 (&head, (uint64_t)(data.size - before) << 32 | (uint64_t)kind);
        world.index++;
    }
    uint64_t crcs = rm_raft_crc (0, head.data, head.size) | (uint64_t)rm_raft_crc (0, data.data, data.size) << 32;
    put64 (out, crcs);
    rm_buf_put (out, head.data, head.size);
    rm_buf_put (out, data.data, data.size);
    rm_buf_close (&head);
    rm_buf_close (&data);
    return count;
}

static void write_segment (fuzz_input_t *input, bool open)
{
    char name[RM_RAFT_NAME_BYTES];
    uint8_t how = fuzz_byte (input);
    rm_buf_t out = {0};
    uint64_t first = world.index + 1, count = 0;
    open = open || world.opened;
    put64 (&out, 1);
    for (int left = open ? how & 3 : 1 + (how & 3); left; left--)
        count += put_group (input, &out);
    static const uint8_t zeros[512];
    if (open)
        rm_buf_put (&out, zeros, how);
    if (open)
        snprintf (name, sizeof name, "open-%llu", (unsigned long long)++world.counter);
    else
        rm_raft_files_segment_name (name, first, first + count - 1);
    write_file (name, out.data, out.size);
    rm_buf_close (&out);
    world.opened = open;
}

/* ---- the rest of a directory ------------------------------------------------------------------------------------ */

static void write_snapshot (fuzz_input_t *input)
{
    char name[RM_RAFT_NAME_BYTES], meta_name[RM_RAFT_NAME_BYTES + 8];
    uint8_t body[32] = {0}, header[RM_RAFT_SNAPSHOT_HEADER_BYTES];
    size_t size = fuzz_below (input, sizeof body);
    if (!world.index || !world.term)
        return;
    rm_raft_snapshot_head_t head = {world.link, size, XXH3_64bits (body, size)};
    rm_raft_snapshot_seal (header, &head);
    world.honest = world.honest && !world.broken; /* who knows what is read of the log before it */
    rm_buf_t data = {0}, meta = {0}, covered = {0};
    rm_buf_put (&data, header, sizeof header);
    rm_buf_put (&data, body, size);
    put64 (&covered, 1);
    put64 (&covered, 8);
    put64 (&covered, 77);
    put64 (&meta, 1);
    put64 (&meta, rm_raft_crc (0, covered.data, covered.size));
    rm_buf_put (&meta, covered.data, covered.size);
    snprintf (name, sizeof name, "snapshot-%llu-%llu-%u", (unsigned long long)world.term,
              (unsigned long long)world.index, fuzz_byte (input));
    snprintf (meta_name, sizeof meta_name, "%s.meta", name);
    write_file (name, data.data, data.size);
    write_file (meta_name, meta.data, meta.size);
    rm_buf_close (&data);
    rm_buf_close (&meta);
    rm_buf_close (&covered);
}

static void write_metadata (int which, uint64_t version, uint64_t term)
{
    rm_buf_t out = {0};
    put64 (&out, 1);
    put64 (&out, version);
    put64 (&out, term);
    put64 (&out, 0);
    write_file (which ? "metadata2" : "metadata1", out.data, out.size);
    rm_buf_close (&out);
    world.metadata = true;
}

static void write_mark (const rm_raft_link_t *link)
{
    rm_raft_dir_t dir = {.path = folder, .fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .lock = -1};
    CLAIM (dir.fd >= 0 && !rm_raft_mark_create (&dir, link));
    close (dir.fd);
    if (world.count < FILES_MAX)
        snprintf (world.names[world.count++], RM_RAFT_NAME_BYTES, RM_RAFT_MARK_NAME);
    world.marked = true;
}

static void write_raw (fuzz_input_t *input)
{
    static const char *const names[] = {"0000000000000001-0000000000000003",
                                        "0000000000000004-0000000000000002",
                                        "9999999999999999-18446744073709551615",
                                        "open-1",
                                        "open-99",
                                        "open-18446744073709551615",
                                        "snapshot-1-5-7",
                                        "snapshot-1-5-7.meta",
                                        "metadata1",
                                        "metadata2",
                                        "acked",
                                        "tmp-ringmaster",
                                        "foreign"};
    const char *name = names[fuzz_below (input, sizeof names / sizeof *names)];
    size_t size = fuzz_byte (input);
    const uint8_t *data = fuzz_bytes (input, &size);
    write_file (name, data, size);
    world.honest = false;
}

/* Changes a byte of a file that was written, cuts it, or removes it. */
static void damage (fuzz_input_t *input)
{
    char path[256];
    uint8_t how = fuzz_byte (input);
    uint32_t at = fuzz_below (input, 8192);
    if (!world.count)
        return;
    const char *name = world.names[fuzz_below (input, world.count)];
    path_of (path, sizeof path, name);
    struct stat info;
    if (how % 8 < 2)
        world.honest = false;
    if (how % 8 == 0)
        unlink (path);
    if (stat (path, &info) || !info.st_size)
        return;
    at %= (uint32_t)info.st_size;
    if (how % 8 == 1)
        CLAIM (!truncate (path, at));
    if (how % 8 < 2)
        return;
    int file = open (path, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    CLAIM (pread (file, &byte, 1, at) == 1);
    byte ^= how;
    CLAIM (pwrite (file, &byte, 1, at) == 1);
    close (file);
    world.flips++;
    world.flipped_closed = *name == '0';
}

static void build (fuzz_input_t *input)
{
    memset (&world, 0, sizeof world);
    world.honest = true;
    world.term = 1;
    for (int left = STEPS_MAX; left && fuzz_more (input); left--) {
        switch (fuzz_below (input, 10)) {
        case 0:
        case 1:
            write_segment (input, false);
            break;
        case 2:
        case 3:
            write_segment (input, true);
            break;
        case 4:
            write_snapshot (input);
            break;
        case 5:
            write_metadata (fuzz_below (input, 2), fuzz_below (input, 4), fuzz_below (input, 4));
            world.honest = false;
            break;
        case 6:
            write_mark (&world.link); /* what comes after it was never acknowledged */
            break;
        case 7:
            write_raw (input);
            break;
        case 8:
            world.honest = false; /* entries that are lost */
            world.index += fuzz_below (input, 3);
            break;
        default:
            damage (input);
        }
    }
    uint8_t last = fuzz_byte (input);
    if (!world.metadata && !(last & 1) && (world.count || world.marked))
        write_metadata (0, 1, world.term);
    else
        world.honest = false;
    if (!world.marked && !(last & 2))
        write_mark (&world.link);
    world.honest = world.honest && world.marked;
}

/* ---- reading it ------------------------------------------------------------------------------------------------- */

typedef struct {
    bool known; /* the mark can be read */
    rm_raft_link_t mark, end;
    char problem[RM_RAFT_SENTENCE_BYTES];
    int rc;
} reading_t;

static void look (const rm_raft_scan_t *scan)
{
    for (size_t i = 0; i < scan->files.segment_count; i++) {
        const rm_raft_segment_fate_t *fate = &scan->segments[i];
        struct stat info;
        char path[256];
        path_of (path, sizeof path, scan->files.segments[i].name);
        CLAIM (!stat (path, &info) && fate->good_bytes <= (size_t)info.st_size);
        CLAIM (fate->fate == RM_RAFT_DROP || fate->fate == RM_RAFT_KEEP || fate->entries);
    }
    CLAIM (strlen (scan->problem) < sizeof scan->problem);
}

/* Reads it as a start of the master does; if it may be served, also finishes what a crash left. */
static reading_t read_ledger (bool finish)
{
    reading_t self = {0};
    rm_raft_dir_t dir;
    rm_raft_mark_t mark;
    rm_raft_scan_t scan;
    char error[RM_RAFT_SENTENCE_BYTES];
    CLAIM (!rm_raft_dir_open_existing (&dir, folder, error, sizeof error), "%s", error);
    self.known = !rm_raft_mark_open (&mark, &dir);
    self.mark = mark.link;
    rm_raft_mark_close (&mark);
    self.rc = rm_raft_scan_read (&scan, &dir, self.known ? &self.mark : NULL);
    CLAIM (self.rc == 0 || (self.rc == RM_EIO && *scan.problem));
    memcpy (self.problem, scan.problem, sizeof self.problem);
    self.end = scan.end;
    if (!self.rc)
        look (&scan);
    if (finish && !self.rc && !*scan.problem)
        CLAIM (!rm_raft_scan_finish (&scan, &dir));
    rm_raft_scan_close (&scan);
    rm_raft_dir_close (&dir);
    return self;
}

static bool serves (const reading_t *reading)
{
    return !reading->rc && reading->known && !*reading->problem;
}

static void claim_reaches_mark (const reading_t *reading)
{
    CLAIM (reading->end.number >= reading->mark.number, "ends at %llu, acknowledged up to %llu",
           (unsigned long long)reading->end.number, (unsigned long long)reading->mark.number);
    bool there = reading->mark.number && reading->end.number == reading->mark.number;
    CLAIM (!there || reading->end.hash == reading->mark.hash);
}

static void hear (void *arg, const char *sentence)
{
    size_t *sentences = arg;
    CLAIM (*sentence && strlen (sentence) < SENTENCE_BYTES);
    if (getenv ("RM_FUZZ_TELL")) /* for whoever looks at a crash */
        fprintf (stderr, "repair: %s\n", sentence);
    ++*sentences;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuzz_input_t input = {data, data + size};
    size_t sentences = 0;
    enter ();
    build (&input);
    reading_t first = read_ledger (true);
    if (world.honest && !world.broken && !world.flips) {
        CLAIM (serves (&first), "refused though undamaged: %s", first.problem);
        CLAIM (first.end.number == world.link.number && first.end.hash == world.link.hash);
    }
    if (world.honest && world.flips == 1 && world.flipped_closed)
        CLAIM (!serves (&first), "a changed byte in a closed segment does not count");
    if (world.honest && world.broken && !world.flips)
        CLAIM (!serves (&first) || first.end.hash != world.link.hash, "a broken chain is followed to its end");
    if (serves (&first)) {
        claim_reaches_mark (&first);
    } else {
        CLAIM (!rm_ledger_repair (folder, hear, &sentences), "it cannot be repaired: %s", first.problem);
        CLAIM (sentences);
    }
    reading_t second = read_ledger (false);
    /* Nothing was there to begin with: neither is there now. */
    bool unborn = !second.known && !second.rc && !*second.problem && !second.end.number;
    CLAIM (serves (&second) || unborn, "after that it is refused: %s", second.problem);
    if (serves (&first))
        CLAIM (first.end.number == second.end.number && first.end.hash == second.end.hash);
    if (serves (&second))
        claim_reaches_mark (&second);
    return 0;
}
