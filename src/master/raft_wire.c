#include "master/raft_wire.h"

#include <string.h>

#include "master/raft_bytes.h"
#include "master/raft_roster.h"
#include "ringmaster/error.h"

/* Terms and indexes are far from where adding to them goes round. */
#define NUMBER_MAX ((uint64_t)1 << 56)

enum {
    ENTRIES_FIXED = 40,  /* term, previous index, its term, commit index, count */
    ENTRY_HEADER = 16,   /* term, kind and padding, size */
    SNAPSHOT_FIXED = 40, /* term, index, its term, the group's index, the group's size */
    VERSIONS_MAX = 2
};

static bool is_number (uint64_t number)
{
    return number < NUMBER_MAX;
}

size_t rm_raft_wire_begin (const uint8_t preamble[RM_RAFT_PREAMBLE_BYTES], bool shipped)
{
    uint64_t size = rm_raft_get64 (preamble + 8);
    int type = preamble[0];
    bool known = type >= RAFT_APPEND_ENTRIES && type <= RAFT_TIMEOUT_NOW;
    return known && shipped == (type == RAFT_INSTALL_SNAPSHOT) && size >= 16 && size <= RM_RAFT_HEADER_BYTES_MAX ? size
                                                                                                                 : 0;
}

static bool read_entry (const uint8_t *bytes, uint64_t term_before, uint64_t term_max, struct raft_entry *entry)
{
    *entry =
        (struct raft_entry){.term = rm_raft_get64 (bytes), .type = bytes[8], .buf.len = rm_raft_get32 (bytes + 12)};
    return entry->term >= term_before && entry->term > 0 && entry->term <= term_max && entry->type >= RAFT_COMMAND &&
           entry->type <= RAFT_CHANGE && entry->buf.len > 0 && entry->buf.len % 8 == 0 &&
           entry->buf.len <= RM_RAFT_ENTRIES_BYTES_MAX;
}

static const char *read_entries (const uint8_t *header, size_t size, struct raft_append_entries *args,
                                 uint64_t *payload_size)
{
    static const char bad[] = "it sent entries that cannot be";
    if (size < ENTRIES_FIXED)
        return bad;
    uint64_t count = rm_raft_get64 (header + 32);
    args->term = rm_raft_get64 (header);
    args->prev_log_index = rm_raft_get64 (header + 8);
    args->prev_log_term = rm_raft_get64 (header + 16);
    args->leader_commit = rm_raft_get64 (header + 24);
    if (count > RM_RAFT_ENTRIES_MAX || size - ENTRIES_FIXED < count * ENTRY_HEADER || !is_number (args->term) ||
        !is_number (args->prev_log_index) || !is_number (args->leader_commit) || args->prev_log_term > args->term ||
        !args->prev_log_index != !args->prev_log_term)
        return bad;
    if (count == 0)
        return NULL;
    args->entries = raft_malloc (count * sizeof *args->entries);
    if (!args->entries)
        return "memory ran out";
    args->n_entries = count;
    uint64_t before = args->prev_log_term;
    for (uint64_t i = 0; i < count; i++) {
        if (!read_entry (header + ENTRIES_FIXED + i * ENTRY_HEADER, before, args->term, &args->entries[i])) {
            raft_free (args->entries);
            return bad;
        }
        before = args->entries[i].term;
        *payload_size += args->entries[i].buf.len;
    }
    /* One batch may be large, if it comes alone. */
    if (*payload_size <= RM_RAFT_ENTRIES_BYTES_MAX)
        return NULL;
    raft_free (args->entries);
    return bad;
}

static const char *read_snapshot (const uint8_t *header, size_t size, struct raft_install_snapshot *args,
                                  uint64_t *payload_size)
{
    static const char bad[] = "it sent a snapshot that cannot be";
    if (size < SNAPSHOT_FIXED + 8)
        return bad;
    uint64_t group_size = rm_raft_get64 (header + 32);
    args->term = rm_raft_get64 (header);
    args->last_index = rm_raft_get64 (header + 8);
    args->last_term = rm_raft_get64 (header + 16);
    args->conf_index = rm_raft_get64 (header + 24);
    if (!is_number (args->term) || !is_number (args->last_index) || args->last_index == 0 || args->last_term == 0 ||
        args->last_term > args->term || args->conf_index == 0 || args->conf_index > args->last_index ||
        group_size > size - SNAPSHOT_FIXED - 8 || !rm_raft_group_is_valid (header + SNAPSHOT_FIXED, group_size))
        return bad;
    *payload_size = rm_raft_get64 (header + SNAPSHOT_FIXED + group_size);
    if (*payload_size == 0 || *payload_size > RM_RAFT_SHIPPED_BYTES_MAX)
        return bad;
    const struct raft_buffer group = {(void *)(uintptr_t)(header + SNAPSHOT_FIXED), group_size};
    if (raft_configuration_decode (&group, &args->conf) != 0)
        return bad;
    args->data.len = *payload_size;
    return NULL;
}

static const char *read_short (int version, const uint8_t *header, size_t size, struct raft_message *message)
{
    static const char bad[] = "it sent a message that cannot be";
    const size_t least[] = {[RAFT_APPEND_ENTRIES_RESULT] = 32,
                            [RAFT_REQUEST_VOTE] = 40,
                            [RAFT_REQUEST_VOTE_RESULT] = 24,
                            [RAFT_TIMEOUT_NOW] = 24};
    if (size < least[message->type] || !is_number (rm_raft_get64 (header)))
        return bad;
    uint64_t term = rm_raft_get64 (header), second = rm_raft_get64 (header + 8);
    switch (message->type) {
    case RAFT_APPEND_ENTRIES_RESULT:
        message->append_entries_result =
            (struct raft_append_entries_result){.version = version,
                                                .term = term,
                                                .rejected = second,
                                                .last_log_index = rm_raft_get64 (header + 16),
                                                .features = header[24] | header[25] << 8,
                                                .capacity = header[26] | header[27] << 8};
        return is_number (second) && is_number (rm_raft_get64 (header + 16)) ? NULL : bad;
    case RAFT_REQUEST_VOTE:
        message->request_vote = (struct raft_request_vote){.version = version,
                                                           .term = term,
                                                           .candidate_id = second,
                                                           .last_log_index = rm_raft_get64 (header + 16),
                                                           .last_log_term = rm_raft_get64 (header + 24),
                                                           .disrupt_leader = header[32] & 1,
                                                           .pre_vote = header[32] >> 1 & 1};
        return is_number (rm_raft_get64 (header + 16)) && rm_raft_get64 (header + 24) <= term ? NULL : bad;
    case RAFT_REQUEST_VOTE_RESULT:
        message->request_vote_result = (struct raft_request_vote_result){.version = version,
                                                                         .term = term,
                                                                         .vote_granted = second != 0,
                                                                         .pre_vote = header[16] & 1,
                                                                         .features = header[18] | header[19] << 8,
                                                                         .capacity = header[20] | header[21] << 8};
        return NULL;
    default:
        message->timeout_now = (struct raft_timeout_now){
            .term = term, .last_log_index = second, .last_log_term = rm_raft_get64 (header + 16)};
        return NULL;
    }
}

const char *rm_raft_wire_header (const uint8_t preamble[RM_RAFT_PREAMBLE_BYTES], const uint8_t *header, size_t size,
                                 struct raft_message *message, uint64_t *payload_size)
{
    int version = preamble[2];
    *message = (struct raft_message){.type = preamble[0]};
    *payload_size = 0;
    if (version > VERSIONS_MAX)
        return "it runs a newer version";
    if (message->type == RAFT_APPEND_ENTRIES)
        return read_entries (header, size, &message->append_entries, payload_size);
    if (message->type == RAFT_INSTALL_SNAPSHOT)
        return read_snapshot (header, size, &message->install_snapshot, payload_size);
    return read_short (version, header, size, message);
}

const char *rm_raft_wire_payload (struct raft_message *message, uint8_t *payload)
{
    if (message->type == RAFT_INSTALL_SNAPSHOT)
        message->install_snapshot.data.base = payload;
    if (message->type != RAFT_APPEND_ENTRIES)
        return NULL;
    struct raft_append_entries *args = &message->append_entries;
    const char *bad = NULL;
    uint8_t *cursor = payload;
    for (unsigned i = 0; i < args->n_entries; i++) {
        struct raft_entry *entry = &args->entries[i];
        entry->batch = payload;
        entry->buf.base = cursor;
        cursor += entry->buf.len;
        if (entry->type == RAFT_CHANGE && !rm_raft_group_is_valid (entry->buf.base, entry->buf.len))
            bad = "it sent a group that cannot be";
    }
    return bad;
}

void rm_raft_wire_drop (struct raft_message *message)
{
    if (message->type == RAFT_APPEND_ENTRIES && message->append_entries.n_entries > 0) {
        raft_free (message->append_entries.entries[0].batch);
        raft_free (message->append_entries.entries);
    }
    if (message->type == RAFT_INSTALL_SNAPSHOT) {
        raft_free (message->install_snapshot.data.base);
        raft_configuration_close (&message->install_snapshot.conf);
    }
}

/* Entries with memory of their own. */
static struct raft_entry *copy_entries (const struct raft_entry *entries, unsigned count)
{
    size_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += entries[i].buf.len;
    struct raft_entry *copy = raft_malloc (count * sizeof *copy);
    uint8_t *batch = copy ? raft_malloc (size) : NULL;
    if (!batch) {
        raft_free (copy);
        return NULL;
    }
    uint8_t *cursor = batch;
    for (unsigned i = 0; i < count; i++) {
        copy[i] = entries[i];
        copy[i].batch = batch;
        copy[i].buf.base = cursor;
        memcpy (cursor, entries[i].buf.base, entries[i].buf.len);
        cursor += entries[i].buf.len;
    }
    return copy;
}

int rm_raft_wire_cut (struct raft_message *message, unsigned count, struct raft_message *rest)
{
    struct raft_append_entries *args = &message->append_entries, *others = &rest->append_entries;
    struct raft_entry *second = copy_entries (args->entries + count, args->n_entries - count);
    if (!second)
        return RM_ENOMEM;
    *rest = *message;
    others->entries = second;
    others->n_entries = args->n_entries - count;
    others->prev_log_index = args->prev_log_index + count;
    others->prev_log_term = args->entries[count - 1].term;
    args->n_entries = count;
    return 0;
}

uint8_t *rm_raft_wire_ship (const struct raft_install_snapshot *snapshot, size_t *size)
{
    struct raft_buffer group;
    if (raft_configuration_encode (&snapshot->conf, &group) != 0)
        return NULL;
    *size = RM_RAFT_PREAMBLE_BYTES + SNAPSHOT_FIXED + group.len + 16;
    uint8_t *bytes = raft_calloc (1, *size);
    if (bytes) {
        uint8_t *header = bytes + RM_RAFT_PREAMBLE_BYTES;
        bytes[0] = RAFT_INSTALL_SNAPSHOT;
        bytes[2] = snapshot->version;
        rm_raft_put64 (bytes + 8, *size - RM_RAFT_PREAMBLE_BYTES);
        rm_raft_put64 (header, snapshot->term);
        rm_raft_put64 (header + 8, snapshot->last_index);
        rm_raft_put64 (header + 16, snapshot->last_term);
        rm_raft_put64 (header + 24, snapshot->conf_index);
        rm_raft_put64 (header + 32, group.len);
        memcpy (header + SNAPSHOT_FIXED, group.base, group.len);
        rm_raft_put64 (header + SNAPSHOT_FIXED + group.len, snapshot->data.len);
    }
    raft_free (group.base);
    return bytes;
}
