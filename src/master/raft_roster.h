/*  Who belongs to a group of masters. libraft keeps that in its log as an id and a string for each; the string is ours:
 *  the address, then "#" and the disk id in hex. The disk id is made with a data directory and dies with it, so that a
 *  master that lost its disk cannot come back as itself: it has forgotten how it voted and what it acknowledged, and the
 *  others would count both twice. Since the disk id is in the log, all who know the master know its disk.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/raft_address.h"

enum {
    RM_RAFT_MEMBERS_MAX = 16, /* of one group */
    RM_RAFT_DISK_BYTES = 16,  /* of a disk id, and of a cluster's */
    RM_RAFT_NAME_OF_MEMBER_BYTES = RM_RAFT_ADDRESS_BYTES_MAX + 1 + 2 * RM_RAFT_DISK_BYTES + 1, /* with its end */
    RM_RAFT_ROSTER_BYTES_MAX = 8 + RM_RAFT_MEMBERS_MAX * (8 + RM_RAFT_DISK_BYTES + 8 + RM_RAFT_ADDRESS_BYTES_MAX)
};

/* A master of a group. */
typedef struct {
    uint64_t id;                      /* never 0 */
    uint8_t disk[RM_RAFT_DISK_BYTES]; /* zeros: not known (a group of one of an older version) */
    char address[RM_RAFT_ADDRESS_BYTES_MAX + 1];
} rm_raft_member_t;

/* Those with which a cluster began. */
typedef struct {
    rm_raft_member_t members[RM_RAFT_MEMBERS_MAX];
    size_t count;
} rm_raft_roster_t;

/* Writes it at `bytes`, which hold RM_RAFT_ROSTER_BYTES_MAX; how many it took. */
size_t rm_raft_roster_put (const rm_raft_roster_t *self, uint8_t *bytes);

/* Reads one that takes exactly `size` bytes; false if it is none, or has a member twice. */
bool rm_raft_roster_get (rm_raft_roster_t *self, const uint8_t *bytes, size_t size);

/* The member of that id; NULL: none. */
const rm_raft_member_t *rm_raft_roster_find (const rm_raft_roster_t *self, uint64_t id);

/* libraft's configuration with all of them as voters; 0 or RM_ENOMEM. To be closed with raft_configuration_close. */
int rm_raft_roster_configure (const rm_raft_roster_t *self, struct raft_configuration *group);

/* The string that libraft keeps. */
void rm_raft_member_name (char name[RM_RAFT_NAME_OF_MEMBER_BYTES], const char *address, const uint8_t *disk);

/* What is in such a string. One without a disk id has zeros for it; what is too long is cut. */
void rm_raft_member_parse (rm_raft_member_t *member, uint64_t id, const char *name);

/* libraft's entry for an id; NULL: none. */
const struct raft_server *rm_raft_group_find (const struct raft_configuration *group, uint64_t id);

/* How many of them vote. */
unsigned rm_raft_group_voters (const struct raft_configuration *group);

/* Whether the bytes are a configuration as libraft writes it. Its own decoder does not look where they end. */
bool rm_raft_group_is_valid (const uint8_t *bytes, size_t size);
