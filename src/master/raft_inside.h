/*  The ledger's insides, shared by the files that make it: raft_ledger.c (its life), raft_open.c (how it starts), raft_found.c
 *  (how it comes to a cluster), raft_peers.c (what comes from other masters), raft_parcels.c (what goes to them), raft_change.c
 *  (who they are), raft_machine.c (what libraft calls), raft_snapshot.c (how a snapshot is taken), raft_digest.c (how states
 *  are compared) and raft_save.c (how a backup is written).
 *
 *  Thread rule: the loop's thread; `sealing` and `writing` say when another one reads the owner's parts.
 */
#pragma once

#include <raft.h>
#include <raft/uv.h>
#include <uv.h>

#include "master/raft_backup.h"
#include "master/raft_batch.h"
#include "master/raft_dir.h"
#include "master/raft_identity.h"
#include "master/raft_ledger.h"
#include "master/raft_mark.h"
#include "master/raft_scan.h"
#include "master/raft_transport.h"

enum {
    RM_RAFT_TAIL_BATCHES = 1 << 16, /* kept in the log behind a snapshot, at most */
    RM_RAFT_UNSTORED_MAX = 4096     /* batches applied before they were on this disk, whose places are remembered */
};

/*      NEW ──start──▶ LOADING ──▶ LOOKING ──▶ OPEN ──close──▶ CLOSING ──▶ CLOSED ──▶ freed
 *       │               │ └──────────┼─────────▲                 ▲
 *       └─close─▶ freed └─ close ────┴───────────────────────────┘
 */
typedef enum {
    RM_RAFT_NEW,     /* nothing of libraft's is there */
    RM_RAFT_LOADING, /* libraft is there, and reads or has read; start has not succeeded */
    RM_RAFT_LOOKING, /* for a cluster: libraft has not been started */
    RM_RAFT_OPEN,
    RM_RAFT_CLOSING, /* libraft is on its way down */
    RM_RAFT_CLOSED   /* libraft is gone; our handles are on their way */
} rm_raft_stage_t;

/* A snapshot that is being taken. */
typedef struct {
    bool active;             /* one is being taken */
    rm_ledger_part_t *parts; /* the owner's */
    size_t part_count;
    struct raft_buffer *buffers; /* the header and the parts in pieces, for libraft */
    unsigned buffer_count;
    uint8_t header[RM_RAFT_SNAPSHOT_HEADER_BYTES]; /* the first of the buffers */
    rm_raft_snapshot_head_t head;
    raft_index index;   /* of the newest entry in it */
    uint64_t log_bytes; /* logged since the snapshot before, when this one was taken */

    /* While another thread computes the checksum: what libraft asked for, to go on with. */
    bool sealing;
    uv_work_t work;
    unsigned trailing;
    struct raft_io_snapshot_put *request;
    const struct raft_snapshot *snapshot;
    raft_io_snapshot_put_cb done;
} rm_raft_taking_t;

/* What is known of another master. */
typedef struct {
    uint64_t id;                      /* 0: of none */
    uint64_t heard_ns;                /* when it last answered this leader, in this term; 0: never */
    uint64_t queued_bytes;            /* of entries, on their way to it */
    bool shipping;                    /* a snapshot is */
    uint64_t shipped_ms;              /* when the last one had left */
    uint64_t shipped;                 /* its newest entry */
    uint64_t shipped_as;              /* the snapshot that libraft takes it for; 0: it was told that it was lost */
    uint64_t format;                  /* the highest one that it reads, as it said last; 0: it never did */
    uint64_t new_ms;                  /* when it last said that it has no cluster either; 0: never */
    bool asked;                       /* it is being asked */
    uint8_t disk[RM_RAFT_DISK_BYTES]; /* as it said then */
} rm_raft_peer_t;

/* A change of the group that is under way. */
typedef enum {
    RM_RAFT_NO_CHANGE,
    RM_RAFT_ADDING,
    RM_RAFT_REMOVING,
    RM_RAFT_TRANSFERRING,
    RM_RAFT_PROMOTING,
    RM_RAFT_UPGRADING
} rm_raft_change_kind_t;

typedef struct {
    rm_raft_change_kind_t kind;
    uint64_t id;
    char address[RM_RAFT_ADDRESS_BYTES_MAX + 1];
    rm_ledger_changed_fn *done; /* NULL: nobody asked */
    void *done_arg;
    bool draining;     /* transferring: the other gets what is under way, nothing new is begun */
    uint64_t begun_ms; /* the same */
    struct raft_change request;
    struct raft_transfer transfer;
} rm_raft_changing_t;

/* The digest of the state, at the newest RM_RAFT_CHECK. */
typedef struct {
    bool sealing; /* another thread computes it */
    rm_ledger_part_t *parts;
    size_t part_count;
    uint64_t number;   /* of the RM_RAFT_CHECK; 0: there was none that could be looked at */
    uint64_t digest;   /* here, once it is known */
    bool known;        /* it is */
    bool told;         /* the leader's is logged, or on its way */
    uint64_t claimed;  /* the RM_RAFT_CHECK of which the leader's digest is known … */
    uint64_t claim;    /* … and that */
    uint64_t verified; /* the newest RM_RAFT_CHECK at which both were equal */
    uint64_t bytes;    /* of log since the newest RM_RAFT_CHECK */
    uint64_t reading;  /* the RM_RAFT_CHECK that the other thread is at, and what it has found */
    uint64_t found;
    bool failed; /* it had no memory */
    uv_work_t work;
} rm_raft_checking_t;

struct rm_ledger {
    uv_loop_t *loop;
    rm_ledger_events_t events;
    rm_ledger_config_t config; /* without zeros; its strings are owned */

    rm_raft_stage_t stage;
    bool broken;    /* `error` says why; nothing is applied or settled with 0 any more */
    bool told;      /* the owner knows it */
    bool leader;    /* as told to the owner */
    raft_term term; /* in which it leads */
    bool caught_up; /* snapshots may be taken */
    char error[RM_RAFT_SENTENCE_BYTES + 256];

    rm_raft_dir_t dir;
    rm_raft_mark_t mark;
    rm_raft_identity_t identity;
    rm_raft_roster_t listed; /* the peers it was started with, by id; their disks are not known */
    bool alone;              /* the group has one voter, this one */

    rm_raft_transport_t transport;
    rm_raft_peer_t peers[2 * RM_RAFT_MEMBERS_MAX];
    rm_raft_changing_t changing;
    uint64_t alive_ns;     /* the process was seen to run */
    uint64_t led_ns;       /* a leader's last word, in whatever term */
    uint64_t deaf_ns;      /* until then, what comes in may have waited while it was stopped … */
    unsigned deaf_polls;   /* … and until the loop has read so many times all there was to read */
    unsigned loading;      /* snapshots being read for others */
    uint64_t loaded_as;    /* what libraft takes the one for that was read last */
    raft_term loaded_term; /* and its term */
    uint64_t installed;    /* snapshots that came from a leader */
    uint64_t sent;         /* snapshots, to others */
    uint64_t asked_ms;     /* when the peers were asked last for a cluster */

    struct raft_uv_transport face;
    struct raft_io io;
    struct raft_fsm fsm;
    struct raft raft;
    struct raft_io theirs; /* libraft's own functions, where `io` has ours */
    raft_io_recv_cb recv;  /* takes messages */
    struct {               /* a snapshot from a leader, on its way to the disk */
        struct raft_io_snapshot_put request;
        struct raft_io_snapshot_put *original;
        raft_io_snapshot_put_cb done;
    } install;

    uv_prepare_t prepare; /* before and after each wait of the loop, to see what has changed */
    uv_check_t check;
    uv_timer_t timer;   /* to see what has not */
    unsigned handles;   /* of the three, not yet closed */
    uint64_t ticked_ms; /* when the timer fired last */
    unsigned ticks;

    rm_raft_link_t applied; /* the newest batch in the state */
    struct {                /* batches that were applied before this disk had them, oldest first */
        struct {
            raft_index index;
            rm_raft_link_t link;
        } places[RM_RAFT_UNSTORED_MAX];
        unsigned first, count;
    } unstored;
    rm_raft_link_t stored;  /* the newest batch that is applied and on this disk */
    rm_raft_link_t chained; /* the newest batch proposed: the next one follows it */
    uint64_t issued;        /* tickets given */
    uint64_t settled;       /* tickets settled */
    raft_index watched;     /* the newest entry on the disk, when the timer fired last */
    uint64_t waited_ms;     /* for it to grow */
    uint64_t inflight_bytes;

    uint64_t log_bytes;                  /* since the newest snapshot */
    uint32_t tail[RM_RAFT_TAIL_BATCHES]; /* bytes of the newest batches in the log, by number */
    uint64_t tail_count;                 /* how many of them are known */
    uint64_t snapshots;                  /* written */
    uint64_t snapshot_bytes;             /* of the newest one */
    uint64_t retry_bytes;                /* of log, before which no other snapshot is tried */
    uint64_t free_bytes;                 /* on the disk */
    rm_raft_taking_t taking;
    rm_raft_checking_t checking;
    rm_ledger_backup_t *backup; /* that is being taken; NULL: none */

    void (*closed) (void *arg); /* set: to be closed */
    void *closed_arg;
};

/* Stops applying and settling, for the reason given; the owner is told from the loop. The first reason counts. */
void rm_raft_ledger_fail (rm_ledger_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* Takes libraft down, once nobody reads a snapshot any more; the rest follows from the loop. */
void rm_raft_ledger_shut (rm_ledger_t *self);

/* Tells the owner that it leads no longer, if that is so: before anything of another leader's is applied. */
void rm_raft_ledger_step_down (rm_ledger_t *self);

/* Logs a note; as rm_ledger_propose, without a ticket. `noted`, unless NULL, hears 0 or RM_ETIMEDOUT later. */
int rm_raft_ledger_note (rm_ledger_t *self, const rm_raft_note_t *note, void (*noted) (rm_ledger_t *self, int status));

/* A note was applied. */
void rm_raft_digest_apply (rm_ledger_t *self, uint64_t number, const rm_raft_note_t *note);

/* The leader logs what is due; called again and again. */
void rm_raft_digest_step (rm_ledger_t *self);

/* Fills in what libraft calls: the state machine. */
void rm_raft_machine_init (rm_ledger_t *self);

/* Looks from now on at what libraft does not tell of. */
void rm_raft_ledger_watch (rm_ledger_t *self);

/* Moves the mark up to the newest batch that is applied and stored, or fails. */
void rm_raft_ledger_mark (rm_ledger_t *self);

/* Prepares the transport, and libraft's view of it. */
void rm_raft_peers_init (rm_ledger_t *self);

/* Puts our functions before libraft's own: raft_peers.c says why. */
void rm_raft_parcels_interpose (rm_ledger_t *self);

/* Has libraft dial a master again whose line to us is dead. */
void rm_raft_parcels_redial (rm_ledger_t *self, uint64_t id);

/* What is known of that master; a new place if it is not known. NULL: there is no room. */
rm_raft_peer_t *rm_raft_peer (rm_ledger_t *self, uint64_t id);

/* Notes that the process runs. If it did not for a while, nobody has been heard of, and what lies in the sockets is old.
   `polled`: the loop has just read what there was. */
void rm_raft_peers_pulse (rm_ledger_t *self, bool polled);

/* How long ago it was heard of; UINT64_MAX: never. */
uint64_t rm_raft_peers_heard_ms (const rm_ledger_t *self, uint64_t id);

/* Whether that master was heard of within the election timeout. */
bool rm_raft_peers_hears (const rm_ledger_t *self, uint64_t id);

/* Asks the peers of the list for a cluster, or founds one with them; called again and again while it looks. */
void rm_raft_found_step (rm_ledger_t *self);

/* Joins the cluster of a leader that asks for it; false: the disk refused. */
bool rm_raft_found_join (rm_ledger_t *self, const rm_raft_facts_t *leader);

/* A cluster of its own, or with the founders given; RM_E… with the sentence told. */
int rm_raft_found_begin (rm_ledger_t *self, const rm_raft_roster_t *founders);

/* Starts libraft on what was verified; the log begins with the founders if there is none and they are known. */
int rm_raft_open_begin (rm_ledger_t *self, bool fresh, const rm_raft_link_t *end);

/* Writes who it is; RM_EIO with the sentence told. */
int rm_raft_open_identify (rm_ledger_t *self);

/* Lets standbys vote that have caught up, and ends what cannot go on; called again and again. */
void rm_raft_change_step (rm_ledger_t *self);

/* Goes on with a transfer; called at each turn of the loop. */
void rm_raft_change_look (rm_ledger_t *self);

/* libraft goes down: what is under way ends. */
void rm_raft_change_close (rm_ledger_t *self);

/* Lets libraft take a snapshot at its next event, if enough was logged and none is being taken. */
void rm_raft_snapshot_arm (rm_ledger_t *self);

/* libraft's three calls about snapshots, and the one to its disk that waits for the checksum. */
int rm_raft_snapshot_take (struct raft_fsm *fsm, struct raft_buffer **buffers, unsigned *count);
int rm_raft_snapshot_done (struct raft_fsm *fsm, struct raft_buffer **buffers, unsigned *count);
int rm_raft_snapshot_put (struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *request,
                          const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done);
