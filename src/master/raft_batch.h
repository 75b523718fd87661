/*  What the ledger writes around its owner's bytes: the header of a batch (one Raft entry), and that of a snapshot.
 *
 *  Batches are numbered from 1 without a gap. Each carries the hash of the one before it and its own, which covers that:
 *  two ledgers that agree on one hash agree on everything up to it, and a batch cannot be lost, changed or put elsewhere
 *  without breaking the chain. libraft's own checksums cannot tell a missing batch from one that never was.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RM_RAFT_BATCH_HEADER_BYTES = 48, /* magic, format, number, previous, size, hash */
    RM_RAFT_SNAPSHOT_HEADER_BYTES =
        64,                 /* magic, format, number, hash, size, checksum of the body, format of the log, checksum */
    RM_RAFT_NOTE_BYTES = 24 /* of a note's body: kind, number, value */
};

/* A place in the chain: the batch of that number, and the hash of all up to it. {0, 0} is before the first. */
typedef struct {
    uint64_t number;
    uint64_t hash;
    uint64_t format; /* of what comes after it; 0 is 1. A mark does not have it */
} rm_raft_link_t;

/* A batch of the ledger's own, in the same chain. Of format 2 and later, but for the first of them. */
typedef enum {
    RM_RAFT_NO_NOTE,
    RM_RAFT_UPGRADE, /* what comes after it is of the format `value` */
    RM_RAFT_CHECK,   /* every master computes the digest of its state, as it is here */
    RM_RAFT_DIGEST   /* it was `value` at the leader, at the RM_RAFT_CHECK of that number */
} rm_raft_note_kind_t;

typedef struct {
    rm_raft_note_kind_t kind;
    uint64_t number;
    uint64_t value;
} rm_raft_note_t;

/* A batch as read; `body` points into what was read. */
typedef struct {
    rm_raft_link_t link; /* its place */
    uint64_t format;     /* its own */
    uint64_t previous;   /* the hash of the batch before it */
    rm_raft_note_t note; /* RM_RAFT_NO_NOTE: it is the owner's */
    const uint8_t *body; /* the owner's bytes, aligned to 8 if the entry is */
    size_t size;         /* how many */
} rm_raft_batch_t;

/* A snapshot's header as read. */
typedef struct {
    rm_raft_link_t link; /* the newest batch in it */
    uint64_t size;       /* bytes of the body that follows */
    uint64_t checksum;   /* XXH3_64 of the body */
} rm_raft_snapshot_head_t;

/* Bytes of the entry that holds `size` bytes of the owner's: header and padding included, a multiple of 8, since libraft
   silently loses entries that are not. */
size_t rm_raft_batch_bytes (size_t size);

/* Fills in the header and the padding of an entry of rm_raft_batch_bytes (size) bytes, whose body is in its place after
   the header. The batch follows `after`, and has its format; `link` is its own place. */
void rm_raft_batch_seal (uint8_t *entry, size_t size, const rm_raft_link_t *after, rm_raft_link_t *link);

/* The same for an entry of rm_raft_batch_bytes (RM_RAFT_NOTE_BYTES) bytes, with the body. */
void rm_raft_note_seal (uint8_t *entry, const rm_raft_note_t *note, const rm_raft_link_t *after, rm_raft_link_t *link);

/* What is wrong with something whose format is above RM_LEDGER_FORMAT; told apart by its address. */
extern const char rm_raft_newer[];

/* Reads an entry. NULL, or what is wrong with it in a few words. Whether it follows the one before is for the caller. */
const char *rm_raft_batch_open (const uint8_t *entry, size_t entry_size, rm_raft_batch_t *batch);

/* Fills in a snapshot's header of RM_RAFT_SNAPSHOT_HEADER_BYTES. */
void rm_raft_snapshot_seal (uint8_t *header, const rm_raft_snapshot_head_t *head);

/* Reads a snapshot's header from a file's first bytes. NULL, or what is wrong with it in a few words. The body's checksum
   is for the caller, who may have it in pieces. */
const char *rm_raft_snapshot_open (const uint8_t *header, size_t size, rm_raft_snapshot_head_t *head);
