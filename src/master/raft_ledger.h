/*  The ledger: an ordered, durable log of batches of bytes, agreed on by a Raft group of masters (or of one), and the
 *  snapshots that keep it short. It knows nothing of what is in a batch.
 *
 *  What it promises: a batch that was settled with 0 was synced to the disks of a majority and applied, and comes again, in
 *  the same place, after any crash. Batches are applied in one order, each exactly once in the life of a state. A directory
 *  in which an acknowledged batch cannot be read is not served (docs/architecture.md, "The disk").
 *
 *  Groups: `peers` names the masters that found a cluster together. Each starts with an empty directory and the same list;
 *  once all of them are there, the one of the lowest id makes the cluster's id, and the log begins with all as voters.
 *  Whoever has an empty directory later waits: a list never makes a second cluster beside a first, and a master that lost its
 *  directory is told so, since it has forgotten its votes and what it acknowledged. It is removed, and added under a new id:
 *  rm_ledger_add invites a master that waits with an empty directory. Until it belongs to a group, a ledger is no leader,
 *  knows no batches and takes none; status.seeking says so.
 *
 *  Thread rule: everything is called, and calls back, on the loop's thread. Only rm_ledger_close, rm_ledger_propose and what
 *  only looks may be called from inside `settled`, `role`, `failed` and `said`; nothing from inside the others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;

typedef struct rm_ledger rm_ledger_t;

enum {
    RM_LEDGER_BATCH_BYTES_MAX = 64 << 20,    /* of one batch; a frame's worth of jobs with room to spare */
    RM_LEDGER_INFLIGHT_BYTES_MAX = 16 << 20, /* proposed and not settled, unless it is a single batch */
    RM_LEDGER_SNAPSHOT_BYTES = 64 << 20,     /* of log between snapshots, unless configured */
    RM_LEDGER_SEGMENT_BYTES = 8 << 20,       /* of a file of the log, unless configured; three are set aside at start */
    RM_LEDGER_DIGEST_BYTES = 64 << 20, /* of log between two comparisons of the masters' states, unless configured */
    RM_LEDGER_FORMAT = 3,              /* of a log, the highest that this version reads and writes */
    RM_LEDGER_STUCK_MS = 2000,         /* a write may take this long, unless configured */
    RM_LEDGER_ELECTION_MS = 400,       /* without a word: followers elect (1 to 2 times that), a leader steps down */
    RM_LEDGER_MEMBERS_MAX = 16,        /* of a group, and of a list of peers */
    RM_LEDGER_ADDRESS_BYTES = 256,     /* of a master's address, with its end */
    RM_LEDGER_CLUSTER_BYTES = 16,      /* of a cluster's id */
    RM_LEDGER_SECRET_BYTES_MIN = 16    /* of a secret, if there is one */
};

/* A piece of a snapshot. */
typedef struct {
    const void *data;
    size_t size;
} rm_ledger_part_t;

/* What the ledger tells its owner. All are needed. */
typedef struct {
    void *arg; /* the first argument of each */

    /* A committed batch, in order. The bytes are aligned to 8 and live until it returns. Anything but 0: the batch cannot be
       applied, the ledger stops with failed (), or rm_ledger_start fails. */
    int (*apply) (void *arg, const void *batch, size_t size);

    /* Replaces the whole state by a snapshot's, before the batches after it are applied. As for apply. It comes at the start,
       and later where a master is so far behind that the leader sends a snapshot instead of batches. */
    int (*restore) (void *arg, const void *snapshot, size_t size);

    /* Takes a snapshot of the state as it is now: `count` pieces that nobody changes until snapshot_done. They are read by
       another thread and not copied, so this should only collect references. Up to three may be out at a time (one for the
       disk, one for a digest, one for a backup). Equal states must have equal snapshots, whatever version of the program
       takes them, as long as the ledger is of one format. Anything but 0: not now; asked again later. */
    int (*snapshot) (void *arg, rm_ledger_part_t **parts, size_t *count);

    /* The pieces are no longer read, whether they were written or not. */
    void (*snapshot_done) (void *arg, rm_ledger_part_t *parts, size_t count);

    /* What became of a proposal, once for each ticket: 0, it is durable and was applied; RM_ETIMEDOUT, its fate is unknown
       (leadership was lost, or the ledger stops), it may yet be applied. */
    void (*settled) (void *arg, uint64_t ticket, int status);

    /* Proposals are accepted from now on, or no longer. A new leader has applied all that was committed before. A leader that
       has not heard from a majority for RM_LEDGER_ELECTION_MS is none any more soon; rm_ledger_has_quorum knows at once. */
    void (*role) (void *arg, bool leader);

    /* The ledger has stopped, for the reason given in a sentence; nothing is settled with 0 any more. The owner tells the
       sentence and ends the process with _exit (1): libraft cannot always be closed after a failed write, and exit () waits
       for a thread that may be stuck in one. Nothing acknowledged is lost by that. */
    void (*failed) (void *arg, const char *sentence);

    /* Something for the log: who was refused, and why. Seldom, whatever strangers do. NULL: nothing is said. */
    void (*said) (void *arg, const char *sentence);
} rm_ledger_events_t;

/* A master of the list that a cluster is founded with. */
typedef struct {
    uint64_t id;         /* from 1 */
    const char *address; /* host:port or [host]:port at which the others reach it */
} rm_ledger_peer_t;

/* Strings are copied. A zero takes the default. */
typedef struct {
    const char *dir;     /* the data directory; created if absent */
    uint64_t id;         /* of this master in its group, from 1; the same for as long as the directory lives */
    const char *address; /* host:port by which other masters will know it, unless it is among the peers */
    const char *bind;    /* host:port to listen at for them, port 0 for any; NULL: its address if there are peers, else
                                a group of one does not listen */
    const rm_ledger_peer_t
        *peers;              /* all that found the cluster, this one among them; ignored once there is a cluster */
    size_t peer_count;       /* 0 or 1: a group of one is founded at once */
    const void *secret;      /* known to all masters of the cluster; without one only loopback is talked to */
    size_t secret_bytes;     /* 0, or at least RM_LEDGER_SECRET_BYTES_MIN */
    uint64_t snapshot_bytes; /* of log after which a snapshot is taken */
    uint64_t segment_bytes;  /* of a file of the log */
    uint64_t spare_bytes;    /* kept free on the disk on top of what the ledger needs for itself */
    uint64_t digest_bytes;   /* of log after which the states of all masters are compared */
    uint64_t format_max;     /* the highest format that it reads, for tests of an upgrade; else 0 */
    unsigned stuck_ms;       /* a write that takes longer stops the ledger */
} rm_ledger_config_t;

/* For the status page. */
typedef struct {
    bool leader;
    uint64_t applied;                             /* number of the newest batch in the state */
    uint64_t inflight;                            /* proposals not settled */
    uint64_t inflight_bytes;                      /* in them */
    uint64_t log_bytes;                           /* of log since the newest snapshot */
    uint64_t snapshots;                           /* written since the start */
    uint64_t snapshot_bytes;                      /* of the newest one */
    uint64_t free_bytes;                          /* on the disk, at the last look (each second) */
    bool seeking;                                 /* it belongs to no group yet */
    uint64_t term;                                /* Raft's own; it says who was elected later, nothing else */
    uint64_t leader_id;                           /* 0: none is known */
    char leader_address[RM_LEDGER_ADDRESS_BYTES]; /* where the other masters reach it; empty: none is known */
    uint64_t format;                              /* of what is logged now, from 1; rm_ledger_upgrade raises it */
    uint64_t verified;                        /* the newest batch after which the state was the leader's; 0: none yet */
    unsigned port;                            /* it listens on for other masters; 0: it does not */
    uint64_t generation;                      /* of the cluster: 1, and one more for each restore from a backup */
    uint8_t cluster[RM_LEDGER_CLUSTER_BYTES]; /* its id; zeros: none yet */
    uint64_t restored;                        /* snapshots that came from a leader since the start */
    uint64_t sent;                            /* snapshots sent to others since the start */
} rm_ledger_status_t;

typedef enum {
    RM_LEDGER_STANDBY, /* gets the log, and does not count */
    RM_LEDGER_VOTER,
    RM_LEDGER_SPARE /* on its way in */
} rm_ledger_role_t;

/* A master of the group, as this one knows it. */
typedef struct {
    uint64_t id;
    char address[RM_LEDGER_ADDRESS_BYTES];
    rm_ledger_role_t role;
    bool leader;
    bool self;
    uint64_t heard_ms; /* ago, by the leader; UINT64_MAX: never, or this one does not lead */
    uint64_t behind;   /* entries that it has not acknowledged yet, to the leader; UINT64_MAX: as above */
} rm_ledger_member_t;

/* What became of a change of the group: 0; RM_ETIMEDOUT, not known (leadership was lost: look at the group); or, nothing was
   changed, RM_EUNREACHABLE, RM_EDENIED (the other has a cluster), RM_ECONFLICT (its id or address is taken), RM_ESTATE (not
   the leader any more), RM_EBUSY. `sentence` says it, and lives until it returns. */
typedef void rm_ledger_changed_fn (void *arg, int status, const char *sentence);

/* A ledger that is not started. NULL when memory has run out. The loop must outlive it. */
rm_ledger_t *rm_ledger_new (struct uv_loop_s *loop, const rm_ledger_config_t *config, const rm_ledger_events_t *events);

/* Locks the directory, verifies all that is in it, and replays it: restore and apply run inside (a member of a group replays
   the newest snapshot here, and what came after it once a leader says how much of that counts). 0, or RM_E… with the
   sentence in rm_ledger_error: RM_EBUSY (in use), RM_EINVAL, RM_EDENIED, RM_ECORRUPT (something acknowledged is lost or
   damaged; nothing was changed), RM_EIO, RM_ENOMEM. It is to be closed in any case. */
int rm_ledger_start (rm_ledger_t *self);

/* Why it could not start, or has failed; empty if neither. Lives as long as the ledger. */
const char *rm_ledger_error (const rm_ledger_t *self);

/* Proposes a batch; it is copied, and settled later under `ticket`. Tickets count from 1 without a gap, and are settled in
   that order. 0, RM_ESTATE (not the leader), RM_EBUSY (too much is in flight, or the leadership is being transferred),
   RM_ETOOBIG, RM_ENOMEM, RM_EIO (stopping). */
int rm_ledger_propose (rm_ledger_t *self, const void *batch, size_t size, uint64_t *ticket);

/* Whether new work should be answered busy: the disk has no room for the segments and snapshots to come, or a snapshot is
   overdue by far. Proposals that free or finish something are better still made. */
bool rm_ledger_full (const rm_ledger_t *self);

/* Fills in how it is now. */
void rm_ledger_status (const rm_ledger_t *self, rm_ledger_status_t *status);

/* Whether it leads and has heard from a majority within RM_LEDGER_ELECTION_MS, by a clock that goes on while the process is
   stopped. Only then may leases be renewed and work handed out. */
bool rm_ledger_has_quorum (const rm_ledger_t *self);
/* Of what is logged now. */
uint64_t rm_ledger_format (const rm_ledger_t *self);

/* The masters of the group, oldest first, at most `max` (RM_LEDGER_MEMBERS_MAX is enough); how many. 0 while it seeks. */
size_t rm_ledger_group (const rm_ledger_t *self, rm_ledger_member_t *members, size_t max);

/* Changes of the group, one at a time. 0: `done` is called once, later; or RM_ESTATE (not the leader; add: it does not
   listen), RM_EBUSY (another change is under way), RM_EINVAL, RM_ECONFLICT (add: it is there), RM_EUNKNOWN (remove,
   transfer: it is not), RM_ETOOBIG, RM_ENOMEM, RM_EIO (stopping), and it is not called.

   Adding asks the master at that address, which must wait with an empty directory, to join. It is done when all know of it
   (a standby); it votes as soon as it has caught up, which this and later leaders see to by themselves.

   Removing refuses with RM_ESTATE to remove the leader (transfer first), or so many that those that are heard of would be no
   majority of the rest.

   Transferring (to the one whose log is the longest if `id` is 0) is done when that one leads. Proposals are refused with
   RM_EBUSY meanwhile, for a second or two at most.

   Upgrading makes the log one of that format (at most RM_LEDGER_FORMAT) from a certain place on, and there is no way back:
   versions that do not read it stop there. So it is refused with RM_EDENIED as long as one of the masters, this one included,
   does not, with RM_EUNREACHABLE as long as one has not said, and with RM_EINVAL if the log is of that format or a higher
   one. A new ledger is of format 1. Format 2 has digests: now and then all masters compute one of their states after the same
   batch, and one whose state differs from the leader's stops with failed (). */
int rm_ledger_add (rm_ledger_t *self, uint64_t id, const char *address, rm_ledger_changed_fn *done, void *arg);
int rm_ledger_remove (rm_ledger_t *self, uint64_t id, rm_ledger_changed_fn *done, void *arg);
int rm_ledger_transfer (rm_ledger_t *self, uint64_t id, rm_ledger_changed_fn *done, void *arg);
int rm_ledger_upgrade (rm_ledger_t *self, uint64_t format, rm_ledger_changed_fn *done, void *arg);

/* A backup: the state as it is here and now, after one of the batches, to be read while the ledger goes on. Any master of the
   group can give one, be it a follower, of which the newest batches may be missing. One is taken at a time. 0, RM_ESTATE (it
   seeks), RM_EBUSY (another one is not destroyed yet, or the owner had no snapshot to give), RM_ENOMEM, RM_EIO (stopping). */
typedef struct rm_ledger_backup rm_ledger_backup_t;
int rm_ledger_backup_new (rm_ledger_t *self, rm_ledger_backup_t **backup_p);
/* Its size in bytes. */
uint64_t rm_ledger_backup_bytes (const rm_ledger_backup_t *self);
/* Any thread, one at a time. Seals it, which reads all of it, and fills in the XXH3_64 of all its bytes. 0 or RM_ENOMEM. */
int rm_ledger_backup_seal (rm_ledger_backup_t *self, uint64_t *checksum);
/* Any thread, one at a time; only of one that is sealed. Copies up to `size` of its bytes from `at` on; how many, 0 at
 * its end. */
size_t rm_ledger_backup_read (rm_ledger_backup_t *self, uint64_t at, void *to, size_t size);
/* The loop's thread, when no other reads it any more, and before the ledger is closed. Nulls the pointer. */
void rm_ledger_backup_destroy (rm_ledger_backup_t **self_p);

/* Stops and frees it, and nulls the pointer. What is in flight is settled as unknown before `closed` is called, once, from
   the loop (or before this returns, if the ledger never started). The loop must go on running until then. */
void rm_ledger_close (rm_ledger_t **self_p, void (*closed) (void *arg), void *arg);

/* A restore that is asked for. */
typedef struct {
    const char *file; /* a backup */
    const char *dir;
    uint64_t id; /* of the master that the directory becomes, and its address */
    const char *address;
    void *arg;
    /* Makes of the owner's bytes those with which the new cluster begins: 0, or RM_E… if they are no state. They live until
       `renewed` is called. */
    int (*renew) (void *arg, const void *snapshot, size_t size, rm_ledger_part_t **parts, size_t *count);
    void (*renewed) (void *arg, rm_ledger_part_t *parts, size_t count);
    void (*say) (void *arg, const char *sentence); /* what was done, or why not */
} rm_ledger_restore_t;

/* Makes a data directory from a backup: of a new cluster with an id of its own, one generation later, of the newest format,
   that has one master; others are added. Masters of the old cluster do not talk to it. The directory must be absent or
   empty, and stays empty unless the backup is whole. No loop is needed. 0, RM_ESTATE (there is something in the directory),
   RM_ECORRUPT (the file is damaged or none), RM_EDENIED (it is of a newer version), what `renew` answered, or as
   rm_ledger_start; after RM_EIO the directory may be of no use, and says so if it is started. */
int rm_ledger_restore (const rm_ledger_restore_t *asked);

/* Takes what can be read in a group of one's data directory for the truth (one of several masters is refused: what it lost,
   the others have): moves what cannot to DIR/damaged-N/, keeps the batches before the damage, and sets the mark to the last
   of them. Says what it did and what was lost, a sentence at a time. No loop is needed, and no master may run there. 0, or
   RM_E… as rm_ledger_start after a sentence with the reason. */
int rm_ledger_repair (const char *dir, void (*say) (void *arg, const char *sentence), void *arg);
