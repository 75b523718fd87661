/*  A backup that is taken while the ledger runs: the owner hands over references, and another thread reads what they are to.
 */
#include <string.h>
#include <xxhash.h>

#include "master/raft_inside.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

struct rm_ledger_backup {
    rm_ledger_t *ledger;
    rm_raft_backup_t head;
    rm_ledger_part_t *parts; /* the owner's */
    size_t part_count;
    uint8_t header[RM_RAFT_BACKUP_HEADER_BYTES];
    size_t part; /* the newest that was read from … */
    uint64_t at; /* … and where in the backup it begins */
};

int rm_ledger_backup_new (rm_ledger_t *self, rm_ledger_backup_t **backup_p)
{
    if (self->broken || self->closed)
        return RM_EIO;
    if (self->stage != RM_RAFT_OPEN)
        return RM_ESTATE;
    if (self->backup)
        return RM_EBUSY;
    rm_ledger_backup_t *backup = rm_calloc (1, sizeof *backup);
    if (!backup)
        return RM_ENOMEM;
    if (self->events.snapshot (self->events.arg, &backup->parts, &backup->part_count) != 0) {
        rm_free (backup);
        return RM_EBUSY;
    }
    backup->ledger = self;
    backup->head = (rm_raft_backup_t){.generation = self->identity.generation, .snapshot.link = self->applied};
    memcpy (backup->head.cluster, self->identity.cluster, sizeof backup->head.cluster);
    for (size_t i = 0; i < backup->part_count; i++)
        backup->head.snapshot.size += backup->parts[i].size;
    *backup_p = self->backup = backup;
    return 0;
}

uint64_t rm_ledger_backup_bytes (const rm_ledger_backup_t *self)
{
    return sizeof self->header + self->head.snapshot.size;
}

static uint64_t sum (XXH3_state_t *state, const rm_ledger_backup_t *self, size_t header_bytes)
{
    XXH3_64bits_reset (state);
    XXH3_64bits_update (state, self->header, header_bytes);
    for (size_t i = 0; i < self->part_count; i++)
        XXH3_64bits_update (state, self->parts[i].data, self->parts[i].size);
    return XXH3_64bits_digest (state);
}

/* The header has the checksum of what follows it, so both come before the first byte is read. */
int rm_ledger_backup_seal (rm_ledger_backup_t *self, uint64_t *checksum)
{
    XXH3_state_t *state = XXH3_createState ();
    if (!state)
        return RM_ENOMEM;
    self->head.snapshot.checksum = sum (state, self, 0);
    rm_raft_backup_seal (self->header, &self->head);
    *checksum = sum (state, self, sizeof self->header);
    XXH3_freeState (state);
    return 0;
}

/* Parts are read one after the other, and looked for from the start only by who goes back. */
size_t rm_ledger_backup_read (rm_ledger_backup_t *self, uint64_t at, void *to, size_t size)
{
    if (at < sizeof self->header) {
        size_t piece = size < sizeof self->header - at ? size : sizeof self->header - at;
        memcpy (to, self->header + at, piece);
        return piece;
    }
    if (at < self->at || self->at == 0) {
        self->part = 0;
        self->at = sizeof self->header;
    }
    while (self->part < self->part_count && at - self->at >= self->parts[self->part].size)
        self->at += self->parts[self->part++].size;
    if (self->part == self->part_count)
        return 0;
    const rm_ledger_part_t *part = &self->parts[self->part];
    size_t left = part->size - (at - self->at), piece = size < left ? size : left;
    memcpy (to, (const uint8_t *)part->data + (at - self->at), piece);
    return piece;
}

void rm_ledger_backup_destroy (rm_ledger_backup_t **self_p)
{
    rm_ledger_backup_t *self = *self_p;
    *self_p = NULL;
    RM_ASSERT (self->ledger->backup == self);
    self->ledger->backup = NULL;
    self->ledger->events.snapshot_done (self->ledger->events.arg, self->parts, self->part_count);
    rm_free (self);
}
