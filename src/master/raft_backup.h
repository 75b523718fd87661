/*  What a backup's file begins with. A snapshot as it lies in a data directory follows: its header, and the owner's bytes.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "master/raft_batch.h"
#include "master/raft_ledger.h"

enum {
    RM_RAFT_BACKUP_OWN_BYTES = 48, /* magic, format, generation, cluster, checksum of all before it */
    RM_RAFT_BACKUP_HEADER_BYTES = RM_RAFT_BACKUP_OWN_BYTES + RM_RAFT_SNAPSHOT_HEADER_BYTES
};

typedef struct {
    uint8_t cluster[RM_LEDGER_CLUSTER_BYTES]; /* it was taken from */
    uint64_t generation;                      /* of that */
    rm_raft_snapshot_head_t snapshot;
} rm_raft_backup_t;

/* Fills in RM_RAFT_BACKUP_HEADER_BYTES. */
void rm_raft_backup_seal (uint8_t *header, const rm_raft_backup_t *backup);

/* Reads them from a file's first bytes. NULL, or what is wrong in a few words. The body's checksum is for the caller. */
const char *rm_raft_backup_open (const uint8_t *header, size_t size, rm_raft_backup_t *backup);
