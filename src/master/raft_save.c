/*  How a backup is written while the ledger runs: the owner hands over references, another thread does the rest. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "master/raft_inside.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

static int checksum (rm_raft_saving_t *saving)
{
    XXH3_state_t *state = XXH3_createState ();
    if (!state)
        return RM_ENOMEM;
    XXH3_64bits_reset (state);
    for (size_t i = 0; i < saving->part_count; i++)
        XXH3_64bits_update (state, saving->parts[i].data, saving->parts[i].size);
    saving->head.snapshot.checksum = XXH3_64bits_digest (state);
    XXH3_freeState (state);
    return 0;
}

static bool put_all (const rm_raft_saving_t *saving, int file)
{
    uint8_t header[RM_RAFT_BACKUP_HEADER_BYTES];
    rm_raft_backup_seal (header, &saving->head);
    bool good = rm_raft_dir_put (file, header, sizeof header);
    for (size_t i = 0; i < saving->part_count && good; i++)
        good = rm_raft_dir_put (file, saving->parts[i].data, saving->parts[i].size);
    return good && fsync (file) == 0;
}

/* A new name survives a power cut. */
static bool sync_folder (const char *file)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s", file);
    int folder = open (dirname (path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = folder >= 0 && fsync (folder) == 0;
    if (folder >= 0)
        close (folder);
    return good;
}

/* Another thread: the owner promised that nobody changes the parts. */
static void write_down (uv_work_t *work)
{
    rm_ledger_t *self = work->data;
    rm_raft_saving_t *saving = &self->saving;
    char part[PATH_MAX];
    saving->status = checksum (saving);
    if (saving->status != 0)
        return;
    snprintf (part, sizeof part, "%s.part", saving->file);
    int file = open (part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = file >= 0 && put_all (saving, file) && rename (part, saving->file) == 0 && sync_folder (saving->file);
    saving->error = errno;
    if (file >= 0)
        close (file);
    if (!good && file >= 0)
        unlink (part);
    saving->status = good ? 0 : RM_EIO;
}

static void written (uv_work_t *work, int status)
{
    rm_ledger_t *self = work->data;
    rm_raft_saving_t saving = self->saving;
    char sentence[PATH_MAX + 256];
    self->saving = (rm_raft_saving_t){0};
    self->events.snapshot_done (self->events.arg, saving.parts, saving.part_count);
    if (status == 0 && saving.status == 0)
        snprintf (sentence, sizeof sentence, "%s holds the state after batch %llu, in %llu bytes", saving.file,
                  (unsigned long long)saving.head.snapshot.link.number,
                  (unsigned long long)(saving.head.snapshot.size + RM_RAFT_BACKUP_HEADER_BYTES));
    else
        snprintf (sentence, sizeof sentence, "cannot write the backup %s: %s", saving.file,
                  saving.status == RM_EIO ? strerror (saving.error) : "memory ran out");
    saving.done (saving.done_arg, status == 0 ? saving.status : RM_EIO, sentence);
    rm_free (saving.file);
    if (self->closed)
        rm_raft_ledger_shut (self);
}

int rm_ledger_backup (rm_ledger_t *self, const char *file, rm_ledger_changed_fn *done, void *arg)
{
    rm_raft_saving_t *saving = &self->saving;
    if (self->broken || self->closed)
        return RM_EIO;
    if (self->stage != RM_RAFT_OPEN)
        return RM_ESTATE;
    if (saving->writing)
        return RM_EBUSY;
    if (strlen (file) + sizeof ".part" > PATH_MAX)
        return RM_EINVAL;
    *saving = (rm_raft_saving_t){.file = rm_strndup (file, strlen (file)), .done = done, .done_arg = arg};
    if (!saving->file)
        return RM_ENOMEM;
    saving->head = (rm_raft_backup_t){.generation = self->identity.generation, .snapshot.link = self->applied};
    memcpy (saving->head.cluster, self->identity.cluster, sizeof saving->head.cluster);
    int rc = self->events.snapshot (self->events.arg, &saving->parts, &saving->part_count) == 0 ? 0 : RM_EBUSY;
    if (rc == 0) {
        for (size_t i = 0; i < saving->part_count; i++)
            saving->head.snapshot.size += saving->parts[i].size;
        saving->work.data = self;
        saving->writing = uv_queue_work (self->loop, &saving->work, write_down, written) == 0;
        if (saving->writing)
            return 0;
        self->events.snapshot_done (self->events.arg, saving->parts, saving->part_count);
        rc = RM_ENOMEM;
    }
    rm_free (saving->file);
    saving->file = NULL;
    return rc;
}
