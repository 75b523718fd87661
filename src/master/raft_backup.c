#include "master/raft_backup.h"

#include <string.h>
#include <xxhash.h>

#include "master/raft_bytes.h"

/* Where the fields lie. */
enum { AT_FORMAT = 8, AT_GENERATION = 16, AT_CLUSTER = 24, AT_CHECKSUM = 40, FORMAT = 1 };

static const char magic[8] = "RMSAVED";

void rm_raft_backup_seal (uint8_t *header, const rm_raft_backup_t *backup)
{
    memcpy (header, magic, sizeof magic);
    rm_raft_put64 (header + AT_FORMAT, FORMAT);
    rm_raft_put64 (header + AT_GENERATION, backup->generation);
    memcpy (header + AT_CLUSTER, backup->cluster, sizeof backup->cluster);
    rm_raft_put64 (header + AT_CHECKSUM, XXH3_64bits (header, AT_CHECKSUM));
    rm_raft_snapshot_seal (header + RM_RAFT_BACKUP_OWN_BYTES, &backup->snapshot);
}

const char *rm_raft_backup_open (const uint8_t *header, size_t size, rm_raft_backup_t *backup)
{
    if (size < RM_RAFT_BACKUP_HEADER_BYTES || memcmp (header, magic, sizeof magic) != 0)
        return "it is no backup of a ledger";
    if (rm_raft_get64 (header + AT_CHECKSUM) != XXH3_64bits (header, AT_CHECKSUM))
        return "its header's checksum does not match";
    if (rm_raft_get64 (header + AT_FORMAT) > FORMAT)
        return rm_raft_newer;
    backup->generation = rm_raft_get64 (header + AT_GENERATION);
    memcpy (backup->cluster, header + AT_CLUSTER, sizeof backup->cluster);
    return rm_raft_snapshot_open (header + RM_RAFT_BACKUP_OWN_BYTES, size - RM_RAFT_BACKUP_OWN_BYTES,
                                  &backup->snapshot);
}
