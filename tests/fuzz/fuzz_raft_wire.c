/*  libraft's messages as another master sends them: preamble, header, payload. What is refused leaves nothing behind; what
 *  is taken lies within what was sent, can be cut anywhere between its entries, and a snapshot's head is spelt again as it was.
 *  The first byte of an input says whether it comes over a line for snapshots.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "master/raft_roster.h"
#include "master/raft_wire.h"

enum { PAYLOAD_MAX = 64 << 10 }; /* longer ones are not made up here */

/* So many bytes of the input, in a block of that size: a sanitizer sees every read past its end. Zeros where it is over. */
static uint8_t *block (fuzz_input_t *input, size_t size)
{
    size_t there = size;
    const uint8_t *bytes = fuzz_bytes (input, &there);
    uint8_t *copy = raft_calloc (1, size ? size : 1);
    CLAIM (copy);
    if (there)
        memcpy (copy, bytes, there);
    return copy;
}

static size_t bytes_of (const struct raft_append_entries *args)
{
    size_t size = 0;
    uint64_t before = args->prev_log_term;
    for (unsigned i = 0; i < args->n_entries; i++) {
        const struct raft_entry *entry = &args->entries[i];
        CLAIM (entry->buf.len && entry->buf.len % 8 == 0 && entry->term >= before && entry->term <= args->term);
        CLAIM (entry->buf.base == (uint8_t *)args->entries[0].batch + size);
        before = entry->term;
        size += entry->buf.len;
    }
    return size;
}

static void cut (struct raft_message *message, unsigned count, size_t size)
{
    const struct raft_append_entries *args = &message->append_entries;
    struct raft_message rest;
    uint64_t after = args->prev_log_index + args->n_entries;
    CLAIM (!rm_raft_wire_cut (message, count, &rest));
    CLAIM (args->n_entries == count && rest.append_entries.n_entries > 0);
    CLAIM (rest.append_entries.prev_log_index + rest.append_entries.n_entries == after);
    CLAIM (bytes_of (args) + bytes_of (&rest.append_entries) == size);
    rm_raft_wire_drop (&rest);
}

static void spell_again (const struct raft_install_snapshot *snapshot)
{
    size_t size;
    uint64_t payload;
    struct raft_message again;
    uint8_t *bytes = rm_raft_wire_ship (snapshot, &size);
    CLAIM (bytes && rm_raft_wire_begin (bytes, true) == size - RM_RAFT_PREAMBLE_BYTES);
    CLAIM (
        !rm_raft_wire_header (bytes, bytes + RM_RAFT_PREAMBLE_BYTES, size - RM_RAFT_PREAMBLE_BYTES, &again, &payload));
    const struct raft_install_snapshot *read = &again.install_snapshot;
    CLAIM (payload == snapshot->data.len && read->term == snapshot->term && read->last_index == snapshot->last_index);
    CLAIM (read->last_term == snapshot->last_term && read->conf_index == snapshot->conf_index);
    CLAIM (rm_raft_group_voters (&read->conf) == rm_raft_group_voters (&snapshot->conf));
    rm_raft_wire_drop (&again);
    raft_free (bytes);
}

/* The header was taken. */
static void take (fuzz_input_t *input, struct raft_message *message, uint64_t payload_size)
{
    const struct raft_append_entries *args = &message->append_entries;
    bool entries = message->type == RAFT_APPEND_ENTRIES;
    CLAIM (!entries || args->n_entries <= RM_RAFT_ENTRIES_MAX);
    CLAIM (payload_size || message->type != RAFT_INSTALL_SNAPSHOT);
    if (message->type == RAFT_INSTALL_SNAPSHOT)
        spell_again (&message->install_snapshot);
    if (payload_size > PAYLOAD_MAX) {
        rm_raft_wire_drop (message);
        return;
    }
    uint32_t count = fuzz_byte (input);
    uint8_t *payload = payload_size ? block (input, payload_size) : NULL;
    const char *wrong = rm_raft_wire_payload (message, payload);
    CLAIM (!wrong || *wrong);
    if (entries && !wrong)
        CLAIM (bytes_of (args) == payload_size);
    if (entries && !wrong && args->n_entries > 1)
        cut (message, 1 + count % (args->n_entries - 1), payload_size);
    rm_raft_wire_drop (message);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuzz_input_t input = {data, data + size};
    struct raft_message message;
    uint64_t payload_size;
    bool shipped = fuzz_byte (&input) & 1;
    uint8_t *preamble = block (&input, RM_RAFT_PREAMBLE_BYTES);
    size_t header_size = rm_raft_wire_begin (preamble, shipped);
    CLAIM (header_size <= RM_RAFT_HEADER_BYTES_MAX);
    if (header_size) {
        uint8_t *header = block (&input, header_size);
        const char *wrong = rm_raft_wire_header (preamble, header, header_size, &message, &payload_size);
        CLAIM (!wrong || *wrong);
        if (!wrong)
            take (&input, &message, payload_size);
        raft_free (header);
    }
    raft_free (preamble);
    return 0;
}
