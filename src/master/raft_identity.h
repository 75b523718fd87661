/*  Who this master is: the file `identity` in its data directory. It says which cluster the data belongs to, and carries the
 *  disk id (raft_roster.h), which is made with the directory.
 *
 *      (no file) ──start──▶ SEEKING ──all peers are new, too──▶ FOUNDING ──the log has begun──▶ MEMBER
 *          │                   │                                    ▲                              ▲
 *          │                   ├──a peer has founded a cluster with this disk in it─┘              │
 *          │                   └──a leader invites──▶ JOINED ──an entry was received───────────────┘
 *          └──a group of one──▶ FOUNDING
 *
 *  Only in MEMBER must there be a log; without one it is refused, as with any other loss.
 *
 *  Thread rule: one thread at a time.
 */
#pragma once

#include "master/raft_dir.h"
#include "master/raft_roster.h"

#define RM_RAFT_IDENTITY_NAME "identity"

typedef enum {
    RM_RAFT_SEEKING = 1, /* of no cluster yet */
    RM_RAFT_FOUNDING,    /* the cluster is known, and the log is being begun with `founders` */
    RM_RAFT_JOINED,      /* the cluster is known, the log comes from its leader */
    RM_RAFT_MEMBER       /* there is a log */
} rm_raft_membership_t;

typedef struct {
    rm_raft_membership_t membership;
    uint64_t id;                         /* of this master */
    uint8_t disk[RM_RAFT_DISK_BYTES];    /* of this directory */
    uint8_t cluster[RM_RAFT_DISK_BYTES]; /* zeros: none yet */
    uint64_t generation;                 /* 1, and one more each time the cluster was restored from a backup */
    bool grouped;                        /* there were ever other masters in it */
    rm_raft_roster_t founders;           /* with whom the cluster began; empty where that is not known */
} rm_raft_identity_t;

/* Reads it. 0, RM_EUNKNOWN (there is none), RM_ECORRUPT, RM_EIO or RM_ENOMEM. */
int rm_raft_identity_read (rm_raft_identity_t *self, const rm_raft_dir_t *dir);

/* Writes it durably in place of what is there; 0 or RM_EIO. */
int rm_raft_identity_write (const rm_raft_identity_t *self, const rm_raft_dir_t *dir);
