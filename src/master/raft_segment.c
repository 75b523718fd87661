/*  Reads a segment of libraft's log:
 *
 *      segment:  [8] format, 1   then groups to its end; an open segment has zeros behind the last one
 *      group:    [4] CRC of the head  [4] CRC of the data  head  data
 *      head:     [8] entries in the group, and of each: [8] term  [1] kind  [3] zeros  [4] bytes of data
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "master/raft_bytes.h"
#include "master/raft_files.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

enum { FORMAT = 1, FORMAT_BYTES = 8, CRC_BYTES = 8, COUNT_BYTES = 8, ENTRY_BYTES = 16 };

static const char cut_short[] = "it is cut short";

static bool only_zeros (const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Checks the group at `group`, of which at most `room` bytes are in the file. NULL with its size, or what is wrong. */
static const char *check_group (const uint8_t *group, size_t room, size_t *size)
{
    if (room < CRC_BYTES + COUNT_BYTES)
        return cut_short;
    uint64_t count = rm_raft_get64 (group + CRC_BYTES);
    if (count == 0)
        return "a group of entries is empty";
    if (count > (room - CRC_BYTES - COUNT_BYTES) / ENTRY_BYTES)
        return "a group has more entries than the file has room for";
    size_t head_size = COUNT_BYTES + count * ENTRY_BYTES;
    const uint8_t *head = group + CRC_BYTES;
    if (rm_raft_crc (0, head, head_size) != rm_raft_get32 (group))
        return "a checksum does not match";
    size_t data_size = 0;
    for (uint64_t i = 0; i < count; i++)
        data_size += rm_raft_get32 (head + COUNT_BYTES + i * ENTRY_BYTES + 12);
    if (data_size > room - CRC_BYTES - head_size)
        return cut_short;
    if (rm_raft_crc (0, head + head_size, data_size) != rm_raft_get32 (group + 4))
        return "a checksum does not match";
    *size = CRC_BYTES + head_size + data_size;
    return NULL;
}

static const char *visit_group (const uint8_t *group, rm_raft_entry_fn *accept, void *arg, uint64_t *entries)
{
    uint64_t count = rm_raft_get64 (group + CRC_BYTES);
    const uint8_t *head = group + CRC_BYTES + COUNT_BYTES;
    const uint8_t *data = head + count * ENTRY_BYTES;
    for (uint64_t i = 0; i < count; i++, head += ENTRY_BYTES) {
        rm_raft_entry_t entry = {
            .term = rm_raft_get64 (head), .kind = head[8], .data = data, .size = rm_raft_get32 (head + 12)};
        if (entry.kind < RM_RAFT_ENTRY_COMMAND || entry.kind > RM_RAFT_ENTRY_CHANGE)
            return "an entry is of an unknown kind";
        if (entry.size % 8)
            return "an entry's size is not a multiple of 8";
        const char *damage = accept (arg, &entry);
        if (damage)
            return damage;
        data += entry.size;
    }
    *entries = count;
    return accept (arg, NULL);
}

static void read_groups (const uint8_t *file, rm_raft_entry_fn *accept, void *arg, rm_raft_segment_read_t *result)
{
    if (result->bytes < FORMAT_BYTES || rm_raft_get64 (file) != FORMAT) {
        if (!only_zeros (file, result->bytes))
            result->damage = result->bytes < FORMAT_BYTES ? cut_short : "it does not begin as a segment does";
        return;
    }
    result->good_bytes = FORMAT_BYTES;
    while (result->good_bytes < result->bytes) {
        const uint8_t *group = file + result->good_bytes;
        size_t room = result->bytes - result->good_bytes;
        size_t size;
        uint64_t entries = 0;
        const char *damage = check_group (group, room, &size);
        if (damage && only_zeros (group, room))
            return;
        if (!damage)
            damage = visit_group (group, accept, arg, &entries);
        if (damage) {
            result->damage = damage;
            return;
        }
        result->entries += entries;
        result->good_bytes += size;
    }
}

int rm_raft_segment_read (const rm_raft_dir_t *dir, const char *name, rm_raft_entry_fn *accept, void *arg,
                          rm_raft_segment_read_t *result)
{
    uint8_t *file;
    *result = (rm_raft_segment_read_t){0};
    int rc = rm_raft_dir_read (dir, name, &file, &result->bytes);
    if (rc != 0)
        return rc;
    read_groups (file, accept, arg, result);
    rm_free (file);
    return 0;
}

int rm_raft_segment_cut (const rm_raft_dir_t *dir, const char *name, uint64_t first, uint64_t entries, size_t bytes)
{
    char closed[RM_RAFT_NAME_BYTES];
    int file = openat (dir->fd, name, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return RM_EIO;
    int rc = ftruncate (file, bytes) == 0 && fsync (file) == 0 ? 0 : RM_EIO;
    close (file);
    rm_raft_files_segment_name (closed, first, first + entries - 1);
    if (rc == 0 && renameat (dir->fd, name, dir->fd, closed) != 0)
        rc = RM_EIO;
    return rc;
}
