/*  Makes a data directory from a backup (rm_ledger_restore): one that looks as if its only master had just taken a snapshot.
 *  Nothing is written before the backup has been found whole. The identity is written first, and the mark last, so that a
 *  directory that was made by half is refused by the next start.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <raft.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

/* Where the new log begins, behind the snapshot; the chain of batches goes on. Not with index 1: libraft takes a snapshot
 * of that for the log's first entry, which it has not got, and a master that is added would be sent neither. */
enum { FIRST_TERM = 1, FIRST_INDEX = 2 };

typedef struct {
    const rm_ledger_restore_t *asked;
    int source; /* the backup, open */
    rm_raft_dir_t dir;
    rm_raft_backup_t backup;
    rm_raft_identity_t identity;
    uint8_t *body;           /* of the backup */
    rm_ledger_part_t *parts; /* what becomes of it; NULL: nothing yet */
    size_t part_count;
    char name[RM_RAFT_NAME_BYTES]; /* of the snapshot */
} restore_t;

static void say (const restore_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

static void say (const restore_t *self, const char *format, ...)
{
    char sentence[3072];
    va_list args;
    va_start (args, format);
    vsnprintf (sentence, sizeof sentence, format, args);
    va_end (args);
    self->asked->say (self->asked->arg, sentence);
}

static int failed (const restore_t *self, const char *name)
{
    say (self, "cannot write %s/%s: %s", self->dir.path, name, strerror (errno));
    return RM_EIO;
}

static int open_backup (restore_t *self)
{
    uint8_t header[RM_RAFT_BACKUP_HEADER_BYTES];
    self->source = open (self->asked->file, O_RDONLY | O_CLOEXEC);
    ssize_t got = self->source >= 0 ? read (self->source, header, sizeof header) : -1;
    if (got < 0) {
        say (self, "cannot read the backup %s: %s", self->asked->file, strerror (errno));
        return RM_EIO;
    }
    const char *wrong = rm_raft_backup_open (header, got, &self->backup);
    if (wrong)
        say (self, "the backup %s cannot be restored: %s", self->asked->file, wrong);
    return !wrong ? 0 : wrong == rm_raft_newer ? RM_EDENIED : RM_ECORRUPT;
}

/* Nothing may be there, but for what the lock and a file system of its own bring along. */
static int check_empty (const restore_t *self)
{
    DIR *dir = opendir (self->dir.path);
    const struct dirent *entry = NULL;
    if (!dir)
        return failed (self, "");
    while ((entry = readdir (dir))) {
        const char *name = entry->d_name;
        if (strcmp (name, ".") && strcmp (name, "..") && strcmp (name, "lock") && strcmp (name, "lost+found"))
            break;
    }
    if (entry)
        say (self,
             "there is something in %s (%s); a backup is restored into an empty directory, "
             "and one that was made from it goes on without --restore",
             self->dir.path, entry->d_name);
    closedir (dir);
    return entry ? RM_ESTATE : 0;
}

/* All of it, since what becomes of it is made from it as a whole. RM_ECORRUPT: it is not what the header says. */
static int read_body (restore_t *self)
{
    const rm_raft_snapshot_head_t *head = &self->backup.snapshot;
    struct stat found;
    uint64_t size = 0;
    ssize_t got = 1;
    const char *wrong = NULL;
    if (fstat (self->source, &found) == 0 && (uint64_t)found.st_size != head->size + RM_RAFT_BACKUP_HEADER_BYTES)
        wrong = "it is cut short, or goes on after its end";
    else if (!(self->body = rm_malloc (head->size + 1))) {
        say (self, "memory ran out");
        return RM_ENOMEM;
    }
    while (!wrong && size < head->size && (got = read (self->source, self->body + size, head->size - size)) > 0)
        size += got;
    if (!wrong && got < 0)
        wrong = strerror (errno);
    else if (!wrong && (size != head->size || XXH3_64bits (self->body, size) != head->checksum))
        wrong = "its checksum does not match";
    if (wrong)
        say (self, "the backup %s cannot be restored: %s", self->asked->file, wrong);
    return wrong ? RM_ECORRUPT : 0;
}

/* What the owner makes of it. */
static int renew (restore_t *self)
{
    rm_raft_snapshot_head_t *head = &self->backup.snapshot;
    int rc = self->asked->renew (self->asked->arg, self->body, head->size, &self->parts, &self->part_count);
    if (rc != 0) {
        say (self, "the backup %s cannot be restored: %s", self->asked->file,
             rc == RM_ECORRUPT ? "what is in it is no state"
             : rc == RM_ETOOBIG
                 ? "its cluster was restored so often that the numbers of its terms or jobs run out: begin "
                   "with an empty directory, and submit again what waited"
                 : rm_strerror (rc));
        return rc;
    }
    XXH3_state_t *state = XXH3_createState ();
    if (!state) {
        say (self, "memory ran out");
        return RM_ENOMEM;
    }
    XXH3_64bits_reset (state);
    head->size = 0;
    for (size_t i = 0; i < self->part_count; i++) {
        XXH3_64bits_update (state, self->parts[i].data, self->parts[i].size);
        head->size += self->parts[i].size;
    }
    head->checksum = XXH3_64bits_digest (state);
    head->link.format = RM_LEDGER_FORMAT; /* nobody of an older version is there */
    XXH3_freeState (state);
    return 0;
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

static int write_snapshot (restore_t *self)
{
    uint8_t header[RM_RAFT_SNAPSHOT_HEADER_BYTES];
    snprintf (self->name, sizeof self->name, "snapshot-%d-%d-%llu", FIRST_TERM, FIRST_INDEX,
              (unsigned long long)time (NULL) * 1000);
    rm_raft_snapshot_seal (header, &self->backup.snapshot);
    int file = openat (self->dir.fd, self->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = file >= 0 && rm_raft_dir_put (file, header, sizeof header);
    for (size_t i = 0; i < self->part_count && good; i++)
        good = rm_raft_dir_put (file, self->parts[i].data, self->parts[i].size);
    int rc = good && fsync (file) == 0 ? 0 : failed (self, self->name);
    if (file >= 0)
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

static int restore (restore_t *self)
{
    int rc = check_empty (self);
    if (rc == 0)
        rc = read_body (self);
    if (rc == 0)
        rc = renew (self);
    if (rc == 0)
        rc = write_identity (self, self->asked->id, self->asked->address);
    if (rc == 0)
        rc = write_snapshot (self);
    if (rc == 0)
        rc = write_meta (self);
    if (rc == 0)
        rc = write_rest (self);
    if (rc == 0)
        say (self, "%s was made from %s: the state after batch %llu, generation %llu of the cluster, with master %llu",
             self->dir.path, self->asked->file, (unsigned long long)self->backup.snapshot.link.number,
             (unsigned long long)self->identity.generation, (unsigned long long)self->asked->id);
    return rc;
}

int rm_ledger_restore (const rm_ledger_restore_t *asked)
{
    restore_t self = {.asked = asked, .source = -1, .dir = {.fd = -1, .lock = -1}};
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6], error[1024];
    if (asked->id == 0 || !rm_raft_address_split (asked->address, host, port)) {
        say (&self, "a master has a number from 1 on, and an address HOST:PORT");
        return RM_EINVAL;
    }
    int rc = sodium_init () < 0 ? RM_EIO : open_backup (&self);
    if (rc == 0) {
        rc = rm_raft_dir_open (&self.dir, asked->dir, error, sizeof error);
        if (rc != 0)
            say (&self, "%s", error);
    }
    if (rc == 0)
        rc = restore (&self);
    if (self.parts)
        asked->renewed (asked->arg, self.parts, self.part_count);
    rm_free (self.body);
    rm_raft_dir_close (&self.dir);
    if (self.source >= 0)
        close (self.source);
    return rc;
}
