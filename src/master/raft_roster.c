#include "master/raft_roster.h"

#include <stdio.h>
#include <string.h>

#include "master/raft_bytes.h"
#include "ringmaster/error.h"

size_t rm_raft_roster_put (const rm_raft_roster_t *self, uint8_t *bytes)
{
    uint8_t *cursor = bytes;
    rm_raft_put64 (cursor, self->count);
    cursor += 8;
    for (size_t i = 0; i < self->count; i++) {
        const rm_raft_member_t *member = &self->members[i];
        size_t size = strlen (member->address);
        rm_raft_put64 (cursor, member->id);
        memcpy (cursor + 8, member->disk, RM_RAFT_DISK_BYTES);
        rm_raft_put64 (cursor + 8 + RM_RAFT_DISK_BYTES, size);
        memcpy (cursor + 16 + RM_RAFT_DISK_BYTES, member->address, size);
        cursor += 16 + RM_RAFT_DISK_BYTES + size;
    }
    return cursor - bytes;
}

static bool get_member (rm_raft_member_t *member, const uint8_t **cursor, size_t *left)
{
    const size_t fixed = 16 + RM_RAFT_DISK_BYTES;
    if (*left < fixed)
        return false;
    uint64_t size = rm_raft_get64 (*cursor + 8 + RM_RAFT_DISK_BYTES);
    if (size > RM_RAFT_ADDRESS_BYTES_MAX || size > *left - fixed)
        return false;
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6];
    *member = (rm_raft_member_t){.id = rm_raft_get64 (*cursor)};
    memcpy (member->disk, *cursor + 8, RM_RAFT_DISK_BYTES);
    memcpy (member->address, *cursor + fixed, size);
    *cursor += fixed + size;
    *left -= fixed + size;
    return member->id != 0 && strlen (member->address) == size && rm_raft_address_split (member->address, host, port);
}

bool rm_raft_roster_get (rm_raft_roster_t *self, const uint8_t *bytes, size_t size)
{
    *self = (rm_raft_roster_t){0};
    if (size < 8 || rm_raft_get64 (bytes) > RM_RAFT_MEMBERS_MAX)
        return false;
    size_t count = rm_raft_get64 (bytes), left = size - 8;
    bytes += 8;
    while (self->count < count) {
        rm_raft_member_t *member = &self->members[self->count];
        if (!get_member (member, &bytes, &left) || rm_raft_roster_find (self, member->id))
            return false;
        self->count++;
    }
    return left == 0;
}

const rm_raft_member_t *rm_raft_roster_find (const rm_raft_roster_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->members[i].id == id)
            return &self->members[i];
    return NULL;
}

int rm_raft_roster_configure (const rm_raft_roster_t *self, struct raft_configuration *group)
{
    char name[RM_RAFT_NAME_OF_MEMBER_BYTES];
    int rc = 0;
    raft_configuration_init (group);
    for (size_t i = 0; i < self->count && rc == 0; i++) {
        rm_raft_member_name (name, self->members[i].address, self->members[i].disk);
        rc = raft_configuration_add (group, self->members[i].id, name, RAFT_VOTER);
    }
    if (rc == 0)
        return 0;
    raft_configuration_close (group);
    return RM_ENOMEM;
}

void rm_raft_member_name (char name[RM_RAFT_NAME_OF_MEMBER_BYTES], const char *address, const uint8_t *disk)
{
    int size = snprintf (name, RM_RAFT_NAME_OF_MEMBER_BYTES, "%.*s#", RM_RAFT_ADDRESS_BYTES_MAX, address);
    for (size_t i = 0; i < RM_RAFT_DISK_BYTES; i++)
        snprintf (name + size + 2 * i, 3, "%02x", disk[i]);
}

void rm_raft_member_parse (rm_raft_member_t *member, uint64_t id, const char *name)
{
    *member = (rm_raft_member_t){.id = id};
    snprintf (member->address, sizeof member->address, "%.*s", (int)strcspn (name, "#"), name);
    const char *hex = strchr (name, '#');
    for (size_t i = 0; hex && i < RM_RAFT_DISK_BYTES; i++) {
        unsigned byte;
        if (sscanf (hex + 1 + 2 * i, "%2x", &byte) != 1) {
            memset (member->disk, 0, sizeof member->disk);
            return;
        }
        member->disk[i] = byte;
    }
}

const struct raft_server *rm_raft_group_find (const struct raft_configuration *group, uint64_t id)
{
    for (unsigned i = 0; i < group->n; i++)
        if (group->servers[i].id == id)
            return &group->servers[i];
    return NULL;
}

unsigned rm_raft_group_voters (const struct raft_configuration *group)
{
    unsigned voters = 0;
    for (unsigned i = 0; i < group->n; i++)
        voters += group->servers[i].role == RAFT_VOTER;
    return voters;
}

/* One byte of format (1), the count, then for each the id, the string with its end, and the role; zeros up to a multiple
   of 8. */
bool rm_raft_group_is_valid (const uint8_t *bytes, size_t size)
{
    if (size < 9 || bytes[0] != 1 || rm_raft_get64 (bytes + 1) > RM_RAFT_MEMBERS_MAX)
        return false;
    uint64_t count = rm_raft_get64 (bytes + 1);
    size_t at = 9;
    for (uint64_t i = 0; i < count; i++) {
        if (size - at < 8 || rm_raft_get64 (bytes + at) == 0)
            return false;
        at += 8;
        const uint8_t *end = memchr (bytes + at, 0, size - at);
        if (!end || end - (bytes + at) >= RM_RAFT_NAME_OF_MEMBER_BYTES || (size_t)(end - bytes) + 2 > size ||
            end[1] > 2)
            return false;
        at = end - bytes + 2;
    }
    return count > 0 && size - at < 8;
}
