#include "master/raft_batch.h"

#include <string.h>
#include <xxhash.h>

#include "master/raft_bytes.h"
#include "master/raft_ledger.h"

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
    SNAPSHOT_LOG = 48, /* the log's format; 0, as it was written once, is 1 */
    SNAPSHOT_HEADER = 56
};

enum { SNAPSHOT_FORMAT_NOW = 1 }; /* of the header */

const char rm_raft_newer[] = "it was written by a newer version";

static const char batch_magic[8] = "RMBATCH";
static const char note_magic[8] = "RMNOTE";
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

static void seal (uint8_t *entry, size_t size, const char magic[8], const rm_raft_link_t *after, rm_raft_link_t *link)
{
    size_t bytes = rm_raft_batch_bytes (size);
    memset (entry + RM_RAFT_BATCH_HEADER_BYTES + size, 0, bytes - RM_RAFT_BATCH_HEADER_BYTES - size);
    memcpy (entry + BATCH_MAGIC, magic, sizeof batch_magic);
    link->format = after->format ? after->format : 1;
    rm_raft_put64 (entry + BATCH_FORMAT, link->format);
    rm_raft_put64 (entry + BATCH_NUMBER, after->number + 1);
    rm_raft_put64 (entry + BATCH_PREVIOUS, after->hash);
    rm_raft_put64 (entry + BATCH_SIZE, size);
    link->hash = batch_hash (entry, size);
    link->number = after->number + 1;
    rm_raft_put64 (entry + BATCH_HASH, link->hash);
}

void rm_raft_batch_seal (uint8_t *entry, size_t size, const rm_raft_link_t *after, rm_raft_link_t *link)
{
    seal (entry, size, batch_magic, after, link);
}

void rm_raft_note_seal (uint8_t *entry, const rm_raft_note_t *note, const rm_raft_link_t *after, rm_raft_link_t *link)
{
    uint8_t *body = entry + RM_RAFT_BATCH_HEADER_BYTES;
    rm_raft_put64 (body, note->kind);
    rm_raft_put64 (body + 8, note->number);
    rm_raft_put64 (body + 16, note->value);
    seal (entry, RM_RAFT_NOTE_BYTES, note_magic, after, link);
    if (note->kind == RM_RAFT_UPGRADE)
        link->format = note->value;
}

/* False: it is no note that this format knows. */
static bool read_note (rm_raft_batch_t *batch)
{
    if (batch->size != RM_RAFT_NOTE_BYTES)
        return false;
    uint64_t kind = rm_raft_get64 (batch->body);
    batch->note = (rm_raft_note_t){.kind = (rm_raft_note_kind_t)kind,
                                   .number = rm_raft_get64 (batch->body + 8),
                                   .value = rm_raft_get64 (batch->body + 16)};
    if (kind == RM_RAFT_UPGRADE) {
        batch->link.format = batch->note.value;
        return batch->note.value > batch->format;
    }
    return batch->format >= 2 && (kind == RM_RAFT_CHECK || kind == RM_RAFT_DIGEST);
}

const char *rm_raft_batch_open (const uint8_t *entry, size_t entry_size, rm_raft_batch_t *batch)
{
    if (entry_size < RM_RAFT_BATCH_HEADER_BYTES)
        return "an entry is not a batch of this ledger";
    bool note = memcmp (entry, note_magic, sizeof note_magic) == 0;
    if (!note && memcmp (entry, batch_magic, sizeof batch_magic) != 0)
        return "an entry is not a batch of this ledger";
    uint64_t size = rm_raft_get64 (entry + BATCH_SIZE);
    if (size > entry_size - RM_RAFT_BATCH_HEADER_BYTES || rm_raft_batch_bytes (size) != entry_size)
        return "a batch's size does not fit its entry";
    *batch = (rm_raft_batch_t){
        .link = {rm_raft_get64 (entry + BATCH_NUMBER), rm_raft_get64 (entry + BATCH_HASH),
                 rm_raft_get64 (entry + BATCH_FORMAT)},
        .format = rm_raft_get64 (entry + BATCH_FORMAT),
        .previous = rm_raft_get64 (entry + BATCH_PREVIOUS),
        .body = entry + RM_RAFT_BATCH_HEADER_BYTES,
        .size = size,
    };
    if (batch_hash (entry, size) != batch->link.hash)
        return "a batch's hash does not match";
    if (batch->format > RM_LEDGER_FORMAT)
        return rm_raft_newer;
    if (batch->format == 0 || (note && !read_note (batch)))
        return "an entry is not a batch of this ledger";
    return batch->link.format > RM_LEDGER_FORMAT ? rm_raft_newer : NULL;
}

void rm_raft_snapshot_seal (uint8_t *header, const rm_raft_snapshot_head_t *head)
{
    memset (header, 0, RM_RAFT_SNAPSHOT_HEADER_BYTES);
    memcpy (header + SNAPSHOT_MAGIC, snapshot_magic, sizeof snapshot_magic);
    rm_raft_put64 (header + SNAPSHOT_FORMAT, SNAPSHOT_FORMAT_NOW);
    rm_raft_put64 (header + SNAPSHOT_NUMBER, head->link.number);
    rm_raft_put64 (header + SNAPSHOT_HASH, head->link.hash);
    rm_raft_put64 (header + SNAPSHOT_SIZE, head->size);
    rm_raft_put64 (header + SNAPSHOT_BODY, head->checksum);
    rm_raft_put64 (header + SNAPSHOT_LOG, head->link.format);
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
    head->link.format = rm_raft_get64 (header + SNAPSHOT_LOG);
    head->link.format = head->link.format ? head->link.format : 1;
    if (rm_raft_get64 (header + SNAPSHOT_FORMAT) > SNAPSHOT_FORMAT_NOW || head->link.format > RM_LEDGER_FORMAT)
        return rm_raft_newer;
    head->link.number = rm_raft_get64 (header + SNAPSHOT_NUMBER);
    head->link.hash = rm_raft_get64 (header + SNAPSHOT_HASH);
    head->size = rm_raft_get64 (header + SNAPSHOT_SIZE);
    head->checksum = rm_raft_get64 (header + SNAPSHOT_BODY);
    return NULL;
}
