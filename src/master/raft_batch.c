#include "master/raft_batch.h"

#include <string.h>
#include <xxhash.h>

#include "master/raft_bytes.h"

/* Where the fields of a batch's header lie; the hash covers all before it, and the body. */
enum { BATCH_MAGIC = 0, BATCH_FORMAT = 8, BATCH_NUMBER = 16, BATCH_PREVIOUS = 24, BATCH_SIZE = 32, BATCH_HASH = 40 };

/* Where the fields of a snapshot's header lie; the last covers all before it. */
enum {
    SNAPSHOT_MAGIC = 0,
    SNAPSHOT_FORMAT = 8,
    SNAPSHOT_NUMBER = 16,
    SNAPSHOT_HASH = 24,
    SNAPSHOT_SIZE = 32,
    SNAPSHOT_BODY = 40,
    SNAPSHOT_RESERVED = 48,
    SNAPSHOT_HEADER = 56
};

static const char batch_magic[8] = "RMBATCH";
static const char snapshot_magic[8] = "RMSTATE";

size_t rm_raft_batch_bytes (size_t size)
{
    return RM_RAFT_BATCH_HEADER_BYTES + ((size + 7) & ~(size_t)7);
}

static uint64_t batch_hash (const uint8_t *entry, size_t size)
{
    uint8_t both[BATCH_HASH + 8];
    memcpy (both, entry, BATCH_HASH);
    rm_raft_put64 (both + BATCH_HASH, XXH3_64bits (entry + RM_RAFT_BATCH_HEADER_BYTES, size));
    return XXH3_64bits (both, sizeof both);
}

void rm_raft_batch_seal (uint8_t *entry, size_t size, const rm_raft_link_t *after, rm_raft_link_t *link)
{
    size_t bytes = rm_raft_batch_bytes (size);
    memset (entry + RM_RAFT_BATCH_HEADER_BYTES + size, 0, bytes - RM_RAFT_BATCH_HEADER_BYTES - size);
    memcpy (entry + BATCH_MAGIC, batch_magic, sizeof batch_magic);
    rm_raft_put64 (entry + BATCH_FORMAT, RM_RAFT_FORMAT);
    rm_raft_put64 (entry + BATCH_NUMBER, after->number + 1);
    rm_raft_put64 (entry + BATCH_PREVIOUS, after->hash);
    rm_raft_put64 (entry + BATCH_SIZE, size);
    link->hash = batch_hash (entry, size);
    link->number = after->number + 1;
    rm_raft_put64 (entry + BATCH_HASH, link->hash);
}

const char *rm_raft_batch_open (const uint8_t *entry, size_t entry_size, rm_raft_batch_t *batch)
{
    if (entry_size < RM_RAFT_BATCH_HEADER_BYTES || memcmp (entry, batch_magic, sizeof batch_magic) != 0)
        return "an entry is not a batch of this ledger";
    if (rm_raft_get64 (entry + BATCH_FORMAT) > RM_RAFT_FORMAT)
        return "a batch was written by a newer version";
    uint64_t size = rm_raft_get64 (entry + BATCH_SIZE);
    if (size > entry_size - RM_RAFT_BATCH_HEADER_BYTES || rm_raft_batch_bytes (size) != entry_size)
        return "a batch's size does not fit its entry";
    batch->link.number = rm_raft_get64 (entry + BATCH_NUMBER);
    batch->link.hash = rm_raft_get64 (entry + BATCH_HASH);
    batch->previous = rm_raft_get64 (entry + BATCH_PREVIOUS);
    batch->body = entry + RM_RAFT_BATCH_HEADER_BYTES;
    batch->size = size;
    if (batch_hash (entry, size) != batch->link.hash)
        return "a batch's hash does not match";
    return NULL;
}

void rm_raft_snapshot_seal (uint8_t *header, const rm_raft_snapshot_head_t *head)
{
    memset (header, 0, RM_RAFT_SNAPSHOT_HEADER_BYTES);
    memcpy (header + SNAPSHOT_MAGIC, snapshot_magic, sizeof snapshot_magic);
    rm_raft_put64 (header + SNAPSHOT_FORMAT, RM_RAFT_FORMAT);
    rm_raft_put64 (header + SNAPSHOT_NUMBER, head->link.number);
    rm_raft_put64 (header + SNAPSHOT_HASH, head->link.hash);
    rm_raft_put64 (header + SNAPSHOT_SIZE, head->size);
    rm_raft_put64 (header + SNAPSHOT_BODY, head->checksum);
    rm_raft_put64 (header + SNAPSHOT_HEADER, XXH3_64bits (header, SNAPSHOT_HEADER));
}

const char *rm_raft_snapshot_open (const uint8_t *header, size_t size, rm_raft_snapshot_head_t *head)
{
    if (size < RM_RAFT_SNAPSHOT_HEADER_BYTES)
        return "it is cut short";
    if (memcmp (header, snapshot_magic, sizeof snapshot_magic) != 0)
        return "it is not a snapshot of this ledger";
    if (rm_raft_get64 (header + SNAPSHOT_HEADER) != XXH3_64bits (header, SNAPSHOT_HEADER))
        return "its header's checksum does not match";
    if (rm_raft_get64 (header + SNAPSHOT_FORMAT) > RM_RAFT_FORMAT)
        return "it was written by a newer version";
    head->link.number = rm_raft_get64 (header + SNAPSHOT_NUMBER);
    head->link.hash = rm_raft_get64 (header + SNAPSHOT_HASH);
    head->size = rm_raft_get64 (header + SNAPSHOT_SIZE);
    head->checksum = rm_raft_get64 (header + SNAPSHOT_BODY);
    return NULL;
}
