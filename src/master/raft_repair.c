/*  Makes a directory servable again from what can be read in it (rm_ledger_repair). Nothing is deleted: what is not used any
 *  more goes to DIR/damaged-N/. What is kept is in its place before what it came from is moved away, so that a repair that
 *  is killed can be done again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/raft_bytes.h"
#include "master/raft_identity.h"
#include "master/raft_ledger.h"
#include "master/raft_mark.h"
#include "master/raft_scan.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

typedef struct {
    rm_raft_dir_t dir;
    char aside[32]; /* where things are moved to, in the directory; empty until it is needed */
    int mark_state; /* as rm_raft_mark_open said */
    rm_raft_link_t mark;
    int identity_state; /* as rm_raft_identity_read said */
    rm_raft_identity_t identity;
    rm_raft_scan_t scan;
    void (*say) (void *arg, const char *sentence);
    void *arg;
} repair_t;

static void say (const repair_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

static void say (const repair_t *self, const char *format, ...)
{
    char sentence[2 * RM_RAFT_SENTENCE_BYTES];
    va_list args;
    va_start (args, format);
    vsnprintf (sentence, sizeof sentence, format, args);
    va_end (args);
    self->say (self->arg, sentence);
}

static int failed (const repair_t *self, const char *what, const char *name)
{
    say (self, "cannot %s %s/%s: %s", what, self->dir.path, name, strerror (errno));
    return RM_EIO;
}

static int make_aside (repair_t *self)
{
    for (int n = 1; n < 10000; n++) {
        snprintf (self->aside, sizeof self->aside, "damaged-%d", n);
        if (mkdirat (self->dir.fd, self->aside, 0700) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    int rc = failed (self, "create", self->aside);
    *self->aside = 0;
    return rc;
}

static int move_aside (repair_t *self, const char *name)
{
    char to[2 * RM_RAFT_NAME_BYTES];
    int rc = *self->aside ? 0 : make_aside (self);
    if (rc != 0)
        return rc;
    snprintf (to, sizeof to, "%s/%s", self->aside, name);
    if (renameat (self->dir.fd, name, self->dir.fd, to) != 0)
        return failed (self, "move", name);
    say (self, "moved %s/%s to %s/%s", self->dir.path, name, self->dir.path, to);
    return 0;
}

/* Writes the good part of a segment under the name of what is in it; the whole file is moved away then. */
static int keep_part (repair_t *self, const char *name, const rm_raft_segment_fate_t *fate)
{
    char kept[RM_RAFT_NAME_BYTES];
    uint8_t *data;
    size_t size;
    if (rm_raft_dir_read (&self->dir, name, &data, &size) != 0)
        return failed (self, "read", name);
    rm_raft_files_segment_name (kept, fate->first, fate->first + fate->entries - 1);
    int rc = fate->good_bytes <= size ? rm_raft_dir_write (&self->dir, kept, data, fate->good_bytes) : RM_EIO;
    rm_free (data);
    if (rc != 0)
        return failed (self, "write", kept);
    say (self, "kept the first %llu entries of %s/%s as %s", (unsigned long long)fate->entries, self->dir.path, name,
         kept);
    return 0;
}

static int mend_segment (repair_t *self, const char *name, const rm_raft_segment_fate_t *fate)
{
    if (fate->fate == RM_RAFT_KEEP)
        return 0;
    if (fate->fate == RM_RAFT_CLOSE && !fate->harmed)
        return rm_raft_segment_cut (&self->dir, name, fate->first, fate->entries, fate->good_bytes) == 0
                   ? 0
                   : failed (self, "write", name);
    if (!fate->harmed) /* zeros */
        return unlinkat (self->dir.fd, name, 0) == 0 ? 0 : failed (self, "remove", name);
    int rc = fate->fate == RM_RAFT_DROP ? 0 : keep_part (self, name, fate);
    return rc == 0 ? move_aside (self, name) : rc;
}

static int mend_snapshot (repair_t *self, const char *name)
{
    char meta[RM_RAFT_NAME_BYTES + 8];
    snprintf (meta, sizeof meta, "%s.meta", name);
    int rc = move_aside (self, name);
    return rc == 0 ? move_aside (self, meta) : rc;
}

/* libraft's own notes: a term that fits the log, and no vote, of which a group of one has none. Where nothing is left of the
   log, they go too, and the next start begins anew. */
static int mend_metadata (repair_t *self)
{
    bool empty = self->scan.last_index == 0;
    if (!empty && !self->scan.metadata_is_bad)
        return 0;
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++)
        if (self->scan.files.metadata[i])
            rc = move_aside (self, i ? "metadata2" : "metadata1");
    if (rc != 0 || empty)
        return rc;
    uint8_t notes[32] = {0};
    rm_raft_put64 (notes, 1);
    rm_raft_put64 (notes + 8, 1);
    rm_raft_put64 (notes + 16, self->scan.term ? self->scan.term : 1);
    rc = rm_raft_dir_write (&self->dir, "metadata1", notes, sizeof notes);
    return rc == 0 ? 0 : failed (self, "write", "metadata1");
}

static int mend_mark (repair_t *self)
{
    int rc = self->mark_state == RM_EUNKNOWN ? 0 : move_aside (self, RM_RAFT_MARK_NAME);
    if (rc == 0 && rm_raft_mark_create (&self->dir, &self->scan.end) != 0)
        rc = failed (self, "write", RM_RAFT_MARK_NAME);
    return rc;
}

/* A group of one is whoever it says it is: the next start makes that up anew. */
static int mend_identity (repair_t *self)
{
    bool useless = self->identity_state != 0 || self->scan.last_index == 0;
    return self->identity_state != RM_EUNKNOWN && useless ? move_aside (self, RM_RAFT_IDENTITY_NAME) : 0;
}

static int mend (repair_t *self)
{
    const rm_raft_files_t *files = &self->scan.files;
    int rc = 0;
    for (size_t i = 0; i < files->segment_count && rc == 0; i++)
        rc = mend_segment (self, files->segments[i].name, &self->scan.segments[i]);
    for (size_t i = 0; i < files->snapshot_count && rc == 0; i++)
        if (self->scan.snapshots[i] == RM_RAFT_DROP)
            rc = mend_snapshot (self, files->snapshots[i].name);
    if (rc == 0)
        rc = mend_metadata (self);
    if (rc == 0)
        rc = mend_identity (self);
    if (rc == 0)
        rc = mend_mark (self);
    if (rc == 0 && rm_raft_dir_sync (&self->dir) != 0)
        rc = failed (self, "sync", "");
    return rc;
}

static void tell (const repair_t *self)
{
    unsigned long long end = self->scan.end.number, acked = self->mark.number;
    if (self->mark_state != 0)
        say (self,
             "the ledger in %s ends at batch %llu now; what was acknowledged after that is lost, and how much that is "
             "is not known, since the mark could not be read",
             self->dir.path, end);
    else if (acked > end)
        say (self, "the ledger in %s ends at batch %llu now; acknowledged batches after that, which are lost: %llu",
             self->dir.path, end, acked - end);
    else
        say (self, "the ledger in %s ends at batch %llu now; nothing acknowledged was lost", self->dir.path, end);
}

/* Whether start would refuse it, and the reading that shows what can be kept, which the mark must not limit. */
static int examine (repair_t *self, bool *needed)
{
    rm_raft_mark_t mark;
    self->mark_state = rm_raft_mark_open (&mark, &self->dir);
    self->mark = mark.link;
    rm_raft_mark_close (&mark);
    int rc = rm_raft_scan_read (&self->scan, &self->dir, self->mark_state == 0 ? &self->mark : NULL);
    bool metadata = self->scan.files.metadata[0] || self->scan.files.metadata[1];
    bool unborn = self->scan.fresh && (self->mark_state == 0 || (self->mark_state == RM_EUNKNOWN && !metadata));
    self->identity_state = rm_raft_identity_read (&self->identity, &self->dir);
    bool anonymous = self->identity_state != 0 && self->identity_state != RM_EUNKNOWN;
    bool emptied = self->scan.fresh && self->identity_state == 0 && self->identity.membership == RM_RAFT_MEMBER;
    *needed = rc != 0 || *self->scan.problem || (self->mark_state != 0 && !unborn) || anonymous || emptied;
    if (rc == 0 && *self->scan.problem) {
        say (self, "%s", self->scan.problem);
        rm_raft_scan_close (&self->scan);
        rc = rm_raft_scan_read (&self->scan, &self->dir, NULL);
    } else if (rc == 0 && *needed)
        say (self, emptied ? "there was a ledger in %s, and nothing of it is left" : "%s/%s cannot be read",
             self->dir.path, anonymous ? RM_RAFT_IDENTITY_NAME : RM_RAFT_MARK_NAME);
    if (rc != 0)
        say (self, "%s", self->scan.problem);
    return rc;
}

/* What such a one acknowledged counted for a majority: it may not forget a part of that and go on. */
static bool is_one_of_several (const repair_t *self)
{
    struct raft_configuration group;
    const struct raft_buffer bytes = {self->scan.group, self->scan.group_bytes};
    bool several = self->identity_state == 0 && self->identity.grouped;
    if (bytes.base && rm_raft_group_is_valid (bytes.base, bytes.len) &&
        raft_configuration_decode (&bytes, &group) == 0) {
        several = several || group.n > 1;
        raft_configuration_close (&group);
    }
    if (several)
        say (self,
             "%s belongs to one of several masters, and the others have what is damaged here: remove this master from "
             "the group, and add one with an empty directory under a new number",
             self->dir.path);
    return several;
}

int rm_ledger_repair (const char *dir, void (*say_to) (void *arg, const char *sentence), void *arg)
{
    repair_t self = {.say = say_to, .arg = arg};
    char error[RM_RAFT_SENTENCE_BYTES];
    bool needed;
    int rc = rm_raft_dir_open_existing (&self.dir, dir, error, sizeof error);
    if (rc != 0) {
        say (&self, "%s", error);
        return rc;
    }
    rc = examine (&self, &needed);
    if (rc == 0 && self.scan.newer) {
        say (&self, "%s: " RM_RAFT_NEWER_ADVICE, dir);
        rc = RM_EDENIED;
    } else if (rc == 0 && needed && is_one_of_several (&self))
        rc = RM_ESTATE;
    else if (rc == 0 && !needed)
        say (&self, "nothing in %s needs repair: its ledger ends at batch %llu", self.dir.path,
             (unsigned long long)self.scan.end.number);
    else if (rc == 0) {
        rc = mend (&self);
        if (rc == 0)
            tell (&self);
    }
    rm_raft_scan_close (&self.scan);
    rm_raft_dir_close (&self.dir);
    return rc;
}
