#include "master/raft_identity.h"

#include <string.h>
#include <xxhash.h>

#include "master/raft_bytes.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* Where the fields lie; the founders follow, and the checksum of all before it. */
enum {
    AT_FORMAT = 8,
    AT_MEMBERSHIP = 16,
    AT_ID = 24,
    AT_DISK = 32,
    AT_CLUSTER = 48,
    AT_GENERATION = 64,
    AT_GROUPED = 72,
    AT_FOUNDERS = 80,
    FORMAT = 1
};

static const char magic[8] = "RMIDENT";

static bool decode (rm_raft_identity_t *self, const uint8_t *data, size_t size)
{
    if (size < AT_FOUNDERS + 8 || memcmp (data, magic, sizeof magic) != 0 ||
        rm_raft_get64 (data + size - 8) != XXH3_64bits (data, size - 8) || rm_raft_get64 (data + AT_FORMAT) != FORMAT)
        return false;
    uint64_t membership = rm_raft_get64 (data + AT_MEMBERSHIP);
    *self = (rm_raft_identity_t){.membership = (rm_raft_membership_t)membership,
                                 .id = rm_raft_get64 (data + AT_ID),
                                 .generation = rm_raft_get64 (data + AT_GENERATION),
                                 .grouped = rm_raft_get64 (data + AT_GROUPED) != 0};
    memcpy (self->disk, data + AT_DISK, sizeof self->disk);
    memcpy (self->cluster, data + AT_CLUSTER, sizeof self->cluster);
    return membership >= RM_RAFT_SEEKING && membership <= RM_RAFT_MEMBER &&
           rm_raft_roster_get (&self->founders, data + AT_FOUNDERS, size - AT_FOUNDERS - 8);
}

int rm_raft_identity_read (rm_raft_identity_t *self, const rm_raft_dir_t *dir)
{
    uint8_t *data;
    size_t size;
    *self = (rm_raft_identity_t){0};
    int rc = rm_raft_dir_read (dir, RM_RAFT_IDENTITY_NAME, &data, &size);
    if (rc != 0)
        return rc;
    rc = decode (self, data, size) ? 0 : RM_ECORRUPT;
    rm_free (data);
    return rc;
}

int rm_raft_identity_write (const rm_raft_identity_t *self, const rm_raft_dir_t *dir)
{
    uint8_t data[AT_FOUNDERS + RM_RAFT_ROSTER_BYTES_MAX + 8] = {0};
    memcpy (data, magic, sizeof magic);
    rm_raft_put64 (data + AT_FORMAT, FORMAT);
    rm_raft_put64 (data + AT_MEMBERSHIP, self->membership);
    rm_raft_put64 (data + AT_ID, self->id);
    memcpy (data + AT_DISK, self->disk, sizeof self->disk);
    memcpy (data + AT_CLUSTER, self->cluster, sizeof self->cluster);
    rm_raft_put64 (data + AT_GENERATION, self->generation);
    rm_raft_put64 (data + AT_GROUPED, self->grouped);
    size_t size = AT_FOUNDERS + rm_raft_roster_put (&self->founders, data + AT_FOUNDERS);
    rm_raft_put64 (data + size, XXH3_64bits (data, size));
    return rm_raft_dir_write (dir, RM_RAFT_IDENTITY_NAME, data, size + 8);
}
