#include "master/raft_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "master/raft_bytes.h"
#include "master/raft_mark.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* How far the batches have been followed. */
typedef struct {
    bool chained;        /* `link` is known */
    rm_raft_link_t link; /* the newest batch read */
    uint64_t term;       /* the highest one of an entry */
} place_t;

/* What is known while the segments are read one after the other. */
typedef struct {
    rm_raft_scan_t *scan;
    const rm_raft_dir_t *dir;
    const rm_raft_link_t *mark; /* NULL: unknown */
    uint64_t base;              /* index of the snapshot, 0 without one */
    uint64_t next;              /* index of the entry that comes next; 0: the first segment says it */
    place_t at;                 /* after the newest entry */
    place_t sure;               /* after the last whole group of entries */
    place_t before;             /* where the newest closed segment began … */
    size_t newest;              /* … and which that is; NONE: there is none, or it was not whole */
    bool ended;                 /* nothing after this can follow on */
    const char *torn;           /* the open segment that is damaged, if one is */
    size_t torn_at;             /* where */
    const char *torn_why;
} reading_t;

#define NONE SIZE_MAX

/* The first problem is the one that is told: what comes later mostly follows from it. */
static void problem (rm_raft_scan_t *self, const char *format, ...)
{
    if (*self->problem)
        return;
    va_list args;
    va_start (args, format);
    vsnprintf (self->problem, sizeof self->problem, format, args);
    va_end (args);
}

static int unreadable (rm_raft_scan_t *self, const rm_raft_dir_t *dir, const char *name, int rc)
{
    *self->problem = 0;
    problem (self, "cannot read %s/%s: %s", dir->path, name, rc == RM_ENOMEM ? "memory ran out" : strerror (errno));
    return rc;
}

/* libraft has no checksum here; what can be told is that a term fits those in the log. */
static int read_metadata (rm_raft_scan_t *self, const rm_raft_dir_t *dir, uint64_t *newest_term)
{
    uint64_t versions[2] = {0};
    *newest_term = 0;
    for (int i = 0; i < 2; i++) {
        if (!self->files.metadata[i])
            continue;
        const char *name = i ? "metadata2" : "metadata1";
        uint8_t *data;
        size_t size;
        int rc = rm_raft_dir_read (dir, name, &data, &size);
        if (rc != 0)
            return unreadable (self, dir, name, rc);
        bool whole = size == 32 && rm_raft_get64 (data) == 1 && rm_raft_get64 (data + 8) != 0;
        if (!whole && size >= 32) { /* a shorter one is what a crash leaves of a new file: the other one counts */
            self->metadata_is_bad = true;
            problem (self, "%s/%s is damaged", dir->path, name);
        }
        if (whole) {
            versions[i] = rm_raft_get64 (data + 8);
            if (versions[i] > versions[!i])
                *newest_term = rm_raft_get64 (data + 16);
        }
        rm_free (data);
    }
    if (versions[0] && versions[0] == versions[1]) {
        self->metadata_is_bad = true;
        problem (self, "%s/metadata1 or %s/metadata2 is damaged: both say they are number %llu", dir->path, dir->path,
                 (unsigned long long)versions[0]);
    }
    return 0;
}

/* The body's checksum, read in pieces since a snapshot may be large. NULL, or what is wrong. */
static const char *check_body (int file, const rm_raft_snapshot_head_t *head)
{
    enum { PIECE = 1 << 20 };
    const char *damage = "memory ran out";
    XXH3_state_t *state = XXH3_createState ();
    uint8_t *piece = rm_malloc (PIECE);
    if (state && piece) {
        uint64_t size = 0;
        ssize_t got;
        XXH3_64bits_reset (state);
        while ((got = read (file, piece, PIECE)) > 0) {
            XXH3_64bits_update (state, piece, got);
            size += got;
        }
        damage = got < 0                                        ? "it cannot be read"
                 : size != head->size                           ? "it is cut short"
                 : XXH3_64bits_digest (state) != head->checksum ? "its checksum does not match"
                                                                : NULL;
    }
    rm_free (piece);
    XXH3_freeState (state);
    return damage;
}

static const char *check_snapshot (const rm_raft_dir_t *dir, const char *name, rm_raft_snapshot_head_t *head)
{
    int file = openat (dir->fd, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return "it cannot be read";
    uint8_t header[RM_RAFT_SNAPSHOT_HEADER_BYTES];
    ssize_t got = read (file, header, sizeof header);
    const char *damage = got < 0 ? "it cannot be read" : rm_raft_snapshot_open (header, got, head);
    if (!damage)
        damage = check_body (file, head);
    close (file);
    return damage;
}

/* libraft's own file about a snapshot: format, CRC, index of the configuration, its size; then the configuration. */
static const char *check_meta (const rm_raft_dir_t *dir, const char *name)
{
    enum { HEADER = 32, COVERED = 16 };
    uint8_t *data;
    size_t size;
    if (rm_raft_dir_read (dir, name, &data, &size) != 0)
        return "it cannot be read";
    const char *damage = NULL;
    if (size < HEADER || rm_raft_get64 (data + 24) == 0 || rm_raft_get64 (data + 24) > size - HEADER)
        damage = "it is cut short";
    else if (rm_raft_get64 (data) != 1)
        damage = "it does not begin as it should";
    else if (rm_raft_crc (0, data + COVERED, HEADER - COVERED + rm_raft_get64 (data + 24)) != rm_raft_get32 (data + 8))
        damage = "its checksum does not match";
    rm_free (data);
    return damage;
}

/* Finds the newest readable snapshot. libraft would take a damaged one's word, or silently an older one. */
static void read_snapshots (reading_t *self)
{
    rm_raft_scan_t *scan = self->scan;
    for (size_t i = scan->files.snapshot_count; i-- > 0;) {
        const rm_raft_snapshot_t *snapshot = &scan->files.snapshots[i];
        char meta[RM_RAFT_NAME_BYTES + 8];
        rm_raft_snapshot_head_t head;
        snprintf (meta, sizeof meta, "%s.meta", snapshot->name);
        const char *name = meta;
        const char *damage = check_meta (self->dir, meta);
        if (!damage) {
            name = snapshot->name;
            damage = check_snapshot (self->dir, name, &head);
        }
        if (!damage) {
            scan->snapshot = head.link;
            scan->snapshot_bytes = head.size + RM_RAFT_SNAPSHOT_HEADER_BYTES;
            self->base = snapshot->index;
            self->at.term = self->sure.term = snapshot->term;
            return;
        }
        scan->snapshots[i] = RM_RAFT_DROP;
        problem (scan, "%s/%s is damaged: %s", self->dir->path, name, damage);
    }
}

/* Whether a batch may stand here. */
static const char *check_place (const reading_t *self, const rm_raft_batch_t *batch)
{
    static const char broken[] = "a batch does not follow the one before";
    const rm_raft_link_t *snapshot = &self->scan->snapshot;
    const rm_raft_link_t *before = self->at.chained ? &self->at.link : snapshot;
    uint64_t number = batch->link.number;
    if (self->at.chained || number == snapshot->number + 1) {
        if (number != before->number + 1 || batch->previous != before->hash)
            return broken;
    } else if (number > snapshot->number || number == 0 || (number == 1 && batch->previous != 0))
        return broken;
    if (number == snapshot->number && batch->link.hash != snapshot->hash)
        return "a batch is not the one that the snapshot was taken after";
    if (self->mark && number == self->mark->number && batch->link.hash != self->mark->hash)
        return "a batch is not the one that was acknowledged";
    return NULL;
}

static const char *accept_entry (void *arg, const rm_raft_entry_t *entry)
{
    reading_t *self = arg;
    if (!entry) {
        self->sure = self->at;
        return NULL;
    }
    if (entry->term == 0)
        return "an entry has no term";
    if (entry->term > self->at.term)
        self->at.term = entry->term;
    if (entry->kind != RM_RAFT_ENTRY_COMMAND)
        return NULL;
    rm_raft_batch_t batch;
    const char *damage = rm_raft_batch_open (entry->data, entry->size, &batch);
    if (!damage)
        damage = check_place (self, &batch);
    if (damage)
        return damage;
    self->at.chained = true;
    self->at.link = batch.link;
    return NULL;
}

/* Reads one segment, and takes back what the accepting of a damaged group has changed. */
static int read_segment (reading_t *self, size_t i, rm_raft_segment_read_t *read)
{
    const char *name = self->scan->files.segments[i].name;
    rm_raft_segment_fate_t *fate = &self->scan->segments[i];
    int rc = rm_raft_segment_read (self->dir, name, accept_entry, self, read);
    if (rc != 0)
        return unreadable (self->scan, self->dir, name, rc);
    self->at = self->sure;
    fate->first = self->next;
    fate->entries = read->entries;
    fate->good_bytes = read->good_bytes;
    self->next += read->entries;
    return 0;
}

/* Whether the closed segment goes on where the one before ended. Older ones that end early are left over from a snapshot
   that was taken; libraft begins after the gap then, and so do we. */
static bool joins (reading_t *self, const rm_raft_segment_t *segment)
{
    if (segment->first <= self->next || segment->last < segment->first)
        return segment->first == self->next && segment->last >= segment->first;
    if (segment->first > self->base + 1)
        return false;
    self->next = segment->first;
    self->at.chained = self->sure.chained = false; /* the snapshot holds the chain together across the gap */
    return true;
}

/* A closed segment that begins with the same entry as the one before it: a repair was killed that had kept the good part of
   a damaged file, and had not yet moved the file away. The one with more entries is the log, the other one goes. */
static int read_twin (reading_t *self, size_t i, rm_raft_segment_read_t *read)
{
    rm_raft_segment_fate_t *fates = self->scan->segments;
    const rm_raft_segment_t *segments = self->scan->files.segments;
    uint64_t next = self->next;
    place_t place = self->sure;
    problem (self->scan, "%s/%s and %s begin with the same entry", self->dir->path, segments[self->newest].name,
             segments[i].name);
    self->next = segments[i].first;
    self->at = self->sure = self->before;
    int rc = read_segment (self, i, read);
    if (rc != 0)
        return rc;
    size_t worse = read->entries > fates[self->newest].entries ? self->newest : i;
    fates[worse].fate = RM_RAFT_DROP;
    fates[worse].harmed = true;
    if (worse == i) {
        self->next = next;
        self->at = self->sure = place;
    }
    return 0;
}

static bool is_twin (const reading_t *self, const rm_raft_segment_t *segment)
{
    return self->newest != NONE && self->scan->files.segments[self->newest].first == segment->first &&
           segment->last >= segment->first;
}

/* A closed segment that follows on nothing. What comes after it follows on nothing either, unless a snapshot has all that
   could be in it. */
static void drop_apart (reading_t *self, const rm_raft_segment_t *segment, rm_raft_segment_fate_t *fate)
{
    fate->fate = RM_RAFT_DROP;
    fate->harmed = true;
    if (self->ended)
        return;
    problem (self->scan, "a file is missing in %s: %s does not follow entry %llu, with which the log before it ends",
             self->dir->path, segment->name, (unsigned long long)(self->next ? self->next - 1 : self->base));
    self->ended = segment->last > self->base || segment->last < segment->first;
    if (!self->ended) {
        self->next = 0;
        self->newest = NONE;
    }
}

static int read_closed (reading_t *self, size_t i)
{
    const rm_raft_segment_t *segment = &self->scan->files.segments[i];
    rm_raft_segment_fate_t *fate = &self->scan->segments[i];
    rm_raft_segment_read_t read;
    int rc;
    if (!self->ended && is_twin (self, segment)) {
        rc = read_twin (self, i, &read);
        if (rc != 0 || fate->fate == RM_RAFT_DROP)
            return rc;
    } else if (self->ended || !joins (self, segment)) {
        drop_apart (self, segment, fate);
        return 0;
    } else {
        self->before = self->sure;
        rc = read_segment (self, i, &read);
        if (rc != 0)
            return rc;
    }
    self->newest = i;
    uint64_t wanted = segment->last - segment->first + 1;
    if (!read.damage && (read.entries != wanted || read.good_bytes != read.bytes))
        read.damage = read.entries < wanted ? "it is cut short" : "more is in it than its name says";
    if (read.damage) {
        problem (self->scan, "%s/%s is damaged at byte %zu: %s", self->dir->path, segment->name, read.good_bytes,
                 read.damage);
        fate->fate = read.entries ? RM_RAFT_CUT : RM_RAFT_DROP;
        fate->harmed = true;
        self->newest = NONE;
        self->ended = segment->last > self->base;
        if (!self->ended) { /* the snapshot has all that was in it, and the next one may begin anew */
            fate->fate = RM_RAFT_DROP;
            self->next = 0;
        }
    }
    return 0;
}

static const char *accept_anything (void *arg, const rm_raft_entry_t *entry)
{
    (void)arg;
    (void)entry;
    return NULL;
}

/* An open segment that cannot follow on: empty ones are of no account, others were written after what is damaged. */
static int read_cut_off (reading_t *self, size_t i)
{
    const char *name = self->scan->files.segments[i].name;
    rm_raft_segment_fate_t *fate = &self->scan->segments[i];
    rm_raft_segment_read_t read;
    int rc = rm_raft_segment_read (self->dir, name, accept_anything, NULL, &read);
    if (rc != 0)
        return unreadable (self->scan, self->dir, name, rc);
    fate->fate = RM_RAFT_DROP;
    fate->harmed = read.entries || read.damage;
    if (fate->harmed && self->torn)
        problem (self->scan, "%s/%s is damaged at byte %zu: %s, and %s comes after it", self->dir->path, self->torn,
                 self->torn_at, self->torn_why, name);
    return 0;
}

static int read_open (reading_t *self, size_t i)
{
    if (self->ended)
        return read_cut_off (self, i);
    rm_raft_segment_fate_t *fate = &self->scan->segments[i];
    rm_raft_segment_read_t read;
    if (self->next == 0)
        self->next = self->base + 1;
    int rc = read_segment (self, i, &read);
    if (rc != 0)
        return rc;
    fate->fate = read.entries ? RM_RAFT_CLOSE : RM_RAFT_DROP;
    if (read.damage) {
        fate->harmed = true;
        self->torn = self->scan->files.segments[i].name;
        self->torn_at = read.good_bytes;
        self->torn_why = read.damage;
        self->ended = true;
    }
    return 0;
}

/* Compares what was read with what was promised. */
static void judge (reading_t *self, uint64_t metadata_term)
{
    rm_raft_scan_t *scan = self->scan;
    scan->last_index = self->next > self->base ? self->next - 1 : self->base;
    scan->term = self->at.term > metadata_term ? self->at.term : metadata_term;
    scan->end = self->at.chained && self->at.link.number > scan->snapshot.number ? self->at.link : scan->snapshot;
    if (!scan->fresh && metadata_term < self->at.term + (self->at.term == 0)) {
        scan->metadata_is_bad = true;
        problem (scan, "%s/metadata1 is damaged or missing", self->dir->path);
    }
    if (!self->mark)
        return;
    unsigned long long end = scan->end.number, acked = self->mark->number;
    if (end < acked && self->torn)
        problem (scan,
                 "%s/%s is damaged at byte %zu: %s, and so the ledger ends at batch %llu where %llu was acknowledged",
                 self->dir->path, self->torn, self->torn_at, self->torn_why, end, acked);
    else if (end < acked)
        problem (scan, "files are missing or empty in %s: the ledger ends at batch %llu where %llu was acknowledged",
                 self->dir->path, end, acked);
    else if (acked && acked == scan->snapshot.number && self->mark->hash != scan->snapshot.hash)
        problem (scan, "the snapshot in %s was not taken after the batch %llu that was acknowledged", self->dir->path,
                 acked);
}

int rm_raft_scan_read (rm_raft_scan_t *self, const rm_raft_dir_t *dir, const rm_raft_link_t *mark)
{
    uint64_t metadata_term;
    *self = (rm_raft_scan_t){0};
    int rc = rm_raft_files_list (&self->files, dir);
    if (rc != 0)
        return unreadable (self, dir, "", rc);
    self->segments = rm_calloc (self->files.segment_count + 1, sizeof *self->segments);
    self->snapshots = rm_calloc (self->files.snapshot_count + 1, sizeof *self->snapshots);
    if (!self->segments || !self->snapshots)
        return unreadable (self, dir, "", RM_ENOMEM);
    self->fresh = self->files.segment_count == 0 && self->files.snapshot_count == 0 && (!mark || mark->number == 0);
    if (self->fresh)
        return 0;
    reading_t reading = {.scan = self, .dir = dir, .mark = mark, .newest = NONE};
    rc = read_metadata (self, dir, &metadata_term);
    if (rc != 0)
        return rc;
    read_snapshots (&reading);
    for (size_t i = 0; i < self->files.segment_count && rc == 0; i++)
        rc = self->files.segments[i].open ? read_open (&reading, i) : read_closed (&reading, i);
    if (rc == 0)
        judge (&reading, metadata_term);
    return rc;
}

int rm_raft_scan_finish (const rm_raft_scan_t *self, const rm_raft_dir_t *dir)
{
    int rc = 0;
    for (size_t i = 0; i < self->files.segment_count && rc == 0; i++) {
        const char *name = self->files.segments[i].name;
        const rm_raft_segment_fate_t *fate = &self->segments[i];
        if (fate->fate == RM_RAFT_CLOSE)
            rc = rm_raft_segment_cut (dir, name, fate->first, fate->entries, fate->good_bytes);
        else if (fate->fate == RM_RAFT_DROP && unlinkat (dir->fd, name, 0) != 0)
            rc = RM_EIO;
    }
    if (rc == 0)
        rc = rm_raft_dir_sync (dir);
    return rc;
}

void rm_raft_scan_close (rm_raft_scan_t *self)
{
    rm_raft_files_close (&self->files);
    rm_free (self->segments);
    rm_free (self->snapshots);
    self->segments = NULL;
    self->snapshots = NULL;
}
