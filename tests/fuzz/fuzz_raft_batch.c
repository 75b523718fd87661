/*  The headers of the ledger's batches and snapshots, as they lie in libraft's files: refused, or a body that lies within
 *  what was read; and what is sealed can be opened, but not with one byte changed.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "master/raft_batch.h"

static void seal_and_open (const uint8_t *data, size_t size)
{
    size_t bytes = rm_raft_batch_bytes (size);
    uint8_t *entry = malloc (bytes);
    rm_raft_link_t after = {size, size * 77}, link;
    rm_raft_batch_t batch;
    CLAIM (entry && bytes % 8 == 0);
    if (size)
        memcpy (entry + RM_RAFT_BATCH_HEADER_BYTES, data, size);
    rm_raft_batch_seal (entry, size, &after, &link);
    CLAIM (!rm_raft_batch_open (entry, bytes, &batch));
    CLAIM (batch.size == size && batch.previous == after.hash && batch.link.number == after.number + 1);
    CLAIM (batch.link.hash == link.hash && (!size || !memcmp (batch.body, data, size)));
    size_t at = (size ? data[0] : 0) % (RM_RAFT_BATCH_HEADER_BYTES + size);
    entry[at] ^= (uint8_t)(1 + (size > 1 ? data[1] : 0) % 255);
    CLAIM (rm_raft_batch_open (entry, bytes, &batch), "byte %zu does not count", at);
    free (entry);
}

static void seal_and_open_head (const uint8_t *data, size_t size)
{
    fuzz_input_t input = {data, data + size};
    uint8_t header[RM_RAFT_SNAPSHOT_HEADER_BYTES];
    rm_raft_snapshot_head_t head = {{fuzz_number (&input, 8), fuzz_number (&input, 8)},
                                    fuzz_number (&input, 8),
                                    fuzz_number (&input, 8)},
                            again;
    rm_raft_snapshot_seal (header, &head);
    CLAIM (!rm_raft_snapshot_open (header, sizeof header, &again));
    CLAIM (!memcmp (&head, &again, sizeof head));
    header[fuzz_below (&input, sizeof header)] ^= 0x10;
    CLAIM (rm_raft_snapshot_open (header, sizeof header, &again), "a changed byte does not count");
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    rm_raft_batch_t batch;
    rm_raft_snapshot_head_t head;
    const char *wrong = rm_raft_batch_open (data, size, &batch);
    CLAIM (!wrong || *wrong);
    if (!wrong)
        CLAIM (batch.body == data + RM_RAFT_BATCH_HEADER_BYTES && batch.size <= size - RM_RAFT_BATCH_HEADER_BYTES);
    wrong = rm_raft_snapshot_open (data, size, &head);
    CLAIM (!wrong || *wrong);
    seal_and_open (data, size);
    seal_and_open_head (data, size);
    return 0;
}
