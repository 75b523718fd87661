#include "master/raft_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "master/raft_bytes.h"
#include "ringmaster/error.h"

/* Each slot has a block of its own, so that a write that is torn by a power cut spoils one of them at most. */
enum { SLOT_BYTES = 40, SLOT_DISTANCE = 4096, SLOT_CHECKSUM = 32 };

static const char magic[8] = "RMACKED";

static void encode (uint8_t *slot, uint64_t generation, const rm_raft_link_t *link)
{
    memcpy (slot, magic, sizeof magic);
    rm_raft_put64 (slot + 8, generation);
    rm_raft_put64 (slot + 16, link->number);
    rm_raft_put64 (slot + 24, link->hash);
    rm_raft_put64 (slot + SLOT_CHECKSUM, XXH3_64bits (slot, SLOT_CHECKSUM));
}

static bool slot_is_whole (const uint8_t *slot)
{
    return memcmp (slot, magic, sizeof magic) == 0 &&
           rm_raft_get64 (slot + SLOT_CHECKSUM) == XXH3_64bits (slot, SLOT_CHECKSUM);
}

int rm_raft_mark_open (rm_raft_mark_t *self, const rm_raft_dir_t *dir)
{
    *self = (rm_raft_mark_t){.file = openat (dir->fd, RM_RAFT_MARK_NAME, O_RDWR | O_CLOEXEC)};
    if (self->file < 0)
        return errno == ENOENT ? RM_EUNKNOWN : RM_EIO;
    bool found = false;
    for (int i = 0; i < 2; i++) {
        uint8_t slot[SLOT_BYTES];
        ssize_t got = pread (self->file, slot, sizeof slot, (off_t)i * SLOT_DISTANCE);
        if (got != (ssize_t)sizeof slot || !slot_is_whole (slot))
            continue;
        uint64_t generation = rm_raft_get64 (slot + 8);
        if (found && generation <= self->generation)
            continue;
        self->generation = generation;
        self->link = (rm_raft_link_t){.number = rm_raft_get64 (slot + 16), .hash = rm_raft_get64 (slot + 24)};
        found = true;
    }
    if (found)
        return 0;
    rm_raft_mark_close (self);
    return RM_ECORRUPT;
}

int rm_raft_mark_create (const rm_raft_dir_t *dir, const rm_raft_link_t *link)
{
    uint8_t file[SLOT_DISTANCE + SLOT_BYTES] = {0};
    encode (file, 0, link);
    encode (file + SLOT_DISTANCE, 1, link);
    return rm_raft_dir_write (dir, RM_RAFT_MARK_NAME, file, sizeof file);
}

int rm_raft_mark_move (rm_raft_mark_t *self, const rm_raft_link_t *link)
{
    uint8_t slot[SLOT_BYTES];
    uint64_t generation = self->generation + 1;
    encode (slot, generation, link);
    if (pwrite (self->file, slot, sizeof slot, generation % 2 * SLOT_DISTANCE) != (ssize_t)sizeof slot)
        return RM_EIO;
    self->generation = generation;
    self->link = *link;
    return 0;
}

void rm_raft_mark_close (rm_raft_mark_t *self)
{
    if (self->file >= 0)
        close (self->file);
    self->file = -1;
}
