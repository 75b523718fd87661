/*  Makes a data directory from a backup (rm_ledger_restore): one that looks as if its only master had just taken a snapshot.
 *  The identity is written first, and the mark last, so that a directory that was made by half is refused by the next start.
 */
#include <errno.h>
#include <fcntl.h>
#include <raft.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "master/raft_backup.h"
#include "master/raft_bytes.h"
#include "master/raft_files.h"
#include "master/raft_identity.h"
#include "master/raft_mark.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* Where the new log begins, behind the snapshot; the chain of batches goes on. */
enum { FIRST_TERM = 1, FIRST_INDEX = 1, PIECE_BYTES = 1 << 20 };

typedef struct {
    const char *file;
    int source; /* the backup, open */
    rm_raft_dir_t dir;
    rm_raft_backup_t backup;
    rm_raft_identity_t identity;
    char name[RM_RAFT_NAME_BYTES]; /* of the snapshot */
    void (*say) (void *arg, const char *sentence);
    void *arg;
} restore_t;

static void say (const restore_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

static void say (const restore_t *self, const char *format, ...)
{
    char sentence[3072];
    va_list args;
    va_start (args, format);
    vsnprintf (sentence, sizeof sentence, format, args);
    va_end (args);
    self->say (self->arg, sentence);
}

static int failed (const restore_t *self, const char *name)
{
    say (self, "cannot write %s/%s: %s", self->dir.path, name, strerror (errno));
    return RM_EIO;
}

static int open_backup (restore_t *self)
{
    uint8_t header[RM_RAFT_BACKUP_HEADER_BYTES];
    self->source = open (self->file, O_RDONLY | O_CLOEXEC);
    ssize_t got = self->source >= 0 ? read (self->source, header, sizeof header) : -1;
    if (got < 0) {
        say (self, "cannot read the backup %s: %s", self->file, strerror (errno));
        return RM_EIO;
    }
    const char *wrong = rm_raft_backup_open (header, got, &self->backup);
    if (wrong)
        say (self, "the backup %s cannot be restored: %s", self->file, wrong);
    return !wrong ? 0 : wrong == rm_raft_newer ? RM_EDENIED : RM_ECORRUPT;
}

/* Nothing of a ledger may be there. */
static int check_empty (const restore_t *self)
{
    rm_raft_files_t files;
    rm_raft_identity_t identity;
    rm_raft_mark_t mark;
    int rc = rm_raft_files_list (&files, &self->dir);
    if (rc != 0)
        return failed (self, "");
    bool empty = files.segment_count == 0 && files.snapshot_count == 0 && !files.metadata[0] && !files.metadata[1];
    rm_raft_files_close (&files);
    empty = empty && rm_raft_identity_read (&identity, &self->dir) == RM_EUNKNOWN;
    if (empty) {
        empty = rm_raft_mark_open (&mark, &self->dir) == RM_EUNKNOWN;
        rm_raft_mark_close (&mark);
    }
    if (!empty)
        say (self, "there is a ledger, or a part of one, in %s; a backup is restored into an empty directory",
             self->dir.path);
    return empty ? 0 : RM_ESTATE;
}

static int write_identity (restore_t *self, uint64_t id, const char *address)
{
    rm_raft_identity_t *identity = &self->identity;
    *identity = (rm_raft_identity_t){
        .membership = RM_RAFT_MEMBER, .id = id, .generation = self->backup.generation + 1, .founders.count = 1};
    randombytes_buf (identity->disk, sizeof identity->disk);
    randombytes_buf (identity->cluster, sizeof identity->cluster);
    rm_raft_member_t *only = &identity->founders.members[0];
    only->id = id;
    memcpy (only->disk, identity->disk, sizeof only->disk);
    strcpy (only->address, address);
    return rm_raft_identity_write (identity, &self->dir) == 0 ? 0 : failed (self, RM_RAFT_IDENTITY_NAME);
}

/* The body, in pieces, since it may be large. RM_ECORRUPT: it is not what the header says. */
static int copy_body (const restore_t *self, int file, uint8_t *piece, XXH3_state_t *state)
{
    const rm_raft_snapshot_head_t *head = &self->backup.snapshot;
    uint64_t size = 0;
    ssize_t got;
    XXH3_64bits_reset (state);
    while ((got = read (self->source, piece, PIECE_BYTES)) > 0) {
        XXH3_64bits_update (state, piece, got);
        size += got;
        if (!rm_raft_dir_put (file, piece, got))
            return failed (self, self->name);
    }
    bool whole = got == 0 && size == head->size && XXH3_64bits_digest (state) == head->checksum;
    if (!whole)
        say (self, "the backup %s cannot be restored: %s", self->file,
             got < 0              ? strerror (errno)
             : size != head->size ? "it is cut short, or goes on after its end"
                                  : "its checksum does not match");
    return whole ? 0 : RM_ECORRUPT;
}

static int write_snapshot (restore_t *self)
{
    uint8_t header[RM_RAFT_SNAPSHOT_HEADER_BYTES];
    snprintf (self->name, sizeof self->name, "snapshot-%d-%d-%llu", FIRST_TERM, FIRST_INDEX,
              (unsigned long long)time (NULL) * 1000);
    rm_raft_snapshot_seal (header, &self->backup.snapshot);
    int file = openat (self->dir.fd, self->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 || !rm_raft_dir_put (file, header, sizeof header)) {
        int rc = failed (self, self->name);
        if (file >= 0)
            close (file);
        return rc;
    }
    XXH3_state_t *state = XXH3_createState ();
    uint8_t *piece = rm_malloc (PIECE_BYTES);
    int rc = state && piece ? copy_body (self, file, piece, state) : RM_ENOMEM;
    if (rc == RM_ENOMEM)
        say (self, "memory ran out");
    if (rc == 0 && fsync (file) != 0)
        rc = failed (self, self->name);
    rm_free (piece);
    XXH3_freeState (state);
    close (file);
    return rc;
}

/* What libraft wants to know of a snapshot: format, CRC of what follows, index of the group, its size; then the group. */
static int write_meta (const restore_t *self)
{
    enum { HEADER = 32, COVERED = 16 };
    char name[RM_RAFT_NAME_BYTES + 8];
    uint8_t bytes[1024] = {0};
    struct raft_configuration group;
    struct raft_buffer encoded = {0};
    int rc = rm_raft_roster_configure (&self->identity.founders, &group);
    if (rc == 0) {
        rc = raft_configuration_encode (&group, &encoded) == 0 ? 0 : RM_ENOMEM;
        raft_configuration_close (&group);
    }
    if (rc != 0 || encoded.len > sizeof bytes - HEADER) {
        raft_free (encoded.base);
        say (self, "memory ran out");
        return RM_ENOMEM;
    }
    rm_raft_put64 (bytes, 1);
    rm_raft_put64 (bytes + 16, FIRST_INDEX);
    rm_raft_put64 (bytes + 24, encoded.len);
    memcpy (bytes + HEADER, encoded.base, encoded.len);
    rm_raft_put32 (bytes + 8, rm_raft_crc (0, bytes + COVERED, HEADER - COVERED + encoded.len));
    snprintf (name, sizeof name, "%s.meta", self->name);
    rc = rm_raft_dir_write (&self->dir, name, bytes, HEADER + encoded.len);
    raft_free (encoded.base);
    return rc == 0 ? 0 : failed (self, name);
}

/* libraft's notes (it has seen that term, and voted for nobody), and the mark. */
static int write_rest (const restore_t *self)
{
    uint8_t notes[32] = {0};
    rm_raft_put64 (notes, 1);
    rm_raft_put64 (notes + 8, 1);
    rm_raft_put64 (notes + 16, FIRST_TERM);
    if (rm_raft_dir_write (&self->dir, "metadata1", notes, sizeof notes) != 0)
        return failed (self, "metadata1");
    return rm_raft_mark_create (&self->dir, &self->backup.snapshot.link) == 0 ? 0 : failed (self, RM_RAFT_MARK_NAME);
}

static int restore (restore_t *self, uint64_t id, const char *address)
{
    int rc = check_empty (self);
    if (rc == 0)
        rc = write_identity (self, id, address);
    if (rc == 0)
        rc = write_snapshot (self);
    if (rc == 0)
        rc = write_meta (self);
    if (rc == 0)
        rc = write_rest (self);
    if (rc == 0)
        say (self,
             "%s was made from %s: the state after batch %llu, generation %llu of the cluster, with master %llu; add "
             "the "
             "others to it",
             self->dir.path, self->file, (unsigned long long)self->backup.snapshot.link.number,
             (unsigned long long)self->identity.generation, (unsigned long long)id);
    return rc;
}

int rm_ledger_restore (const char *file, const char *dir, uint64_t id, const char *address,
                       void (*told) (void *arg, const char *sentence), void *arg)
{
    restore_t self = {.file = file, .source = -1, .dir = {.fd = -1, .lock = -1}, .say = told, .arg = arg};
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6], error[1024];
    if (id == 0 || !rm_raft_address_split (address, host, port)) {
        say (&self, "a master has a number from 1 on, and an address HOST:PORT");
        return RM_EINVAL;
    }
    int rc = sodium_init () < 0 ? RM_EIO : open_backup (&self);
    if (rc == 0) {
        rc = rm_raft_dir_open (&self.dir, dir, error, sizeof error);
        if (rc != 0)
            say (&self, "%s", error);
    }
    if (rc == 0)
        rc = restore (&self, id, address);
    rm_raft_dir_close (&self.dir);
    if (self.source >= 0)
        close (self.source);
    return rc;
}
