/*  What two masters say to each other before a byte reaches libraft, as bytes. Both prove that they know the cluster's
 *  secret before they say anything of themselves:
 *
 *      dials ──greeting: magic, version, nonce──────────────────────────────────────────────▶ listens
 *      dials ◀──proof: magic, version, nonce, MAC of both nonces──────────────────────────── listens
 *      dials ──statement: what it wants, who it is; MAC of the nonces and of it──────────────▶ listens
 *      dials ◀──statement: the verdict, who it is; MAC of the nonces, of the MAC before, of it─ listens
 *
 *  The MACs are BLAKE2b with a key that is the hash of the secret; each begins with its own label, so that none can be sent
 *  back as another. Without a secret the key is known to everyone, and the transport keeps to this machine. What follows
 *  after the hello is neither encrypted nor signed: it belongs on a network that is trusted to that extent.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/raft_roster.h"

enum {
    RM_RAFT_HELLO_VERSION = 1,
    RM_RAFT_KEY_BYTES = 32,
    RM_RAFT_NONCE_BYTES = 32,
    RM_RAFT_MAC_BYTES = 32,
    RM_RAFT_GREETING_BYTES = 12 + RM_RAFT_NONCE_BYTES,
    RM_RAFT_PROOF_BYTES = RM_RAFT_GREETING_BYTES + RM_RAFT_MAC_BYTES,
    RM_RAFT_STATEMENT_FIXED_BYTES = 96, /* before the address */
    RM_RAFT_STATEMENT_BYTES_MAX =
        RM_RAFT_STATEMENT_FIXED_BYTES + RM_RAFT_ADDRESS_BYTES_MAX + RM_RAFT_ROSTER_BYTES_MAX + RM_RAFT_MAC_BYTES
};

/* What the one that dials wants. */
typedef enum {
    RM_RAFT_TALK = 1, /* send libraft's messages */
    RM_RAFT_SHIP,     /* send one snapshot */
    RM_RAFT_ASK,      /* know which cluster there is; the founders come with the answer */
    RM_RAFT_INVITE    /* have the other one join, and know its disk */
} rm_raft_wish_t;

/* What the other one thinks of it. */
typedef enum {
    RM_RAFT_WELCOME = 1,
    RM_RAFT_ALSO_NEW,      /* it has no cluster, either */
    RM_RAFT_OTHER_PEERS,   /* neither has one, but their lists of peers differ */
    RM_RAFT_OTHER_CLUSTER, /* or another generation of the same */
    RM_RAFT_NOT_MEMBER,    /* the group has no master of that id */
    RM_RAFT_OTHER_DISK,    /* the group knows that id with another disk */
    RM_RAFT_NOT_ME,        /* somebody else was meant */
    RM_RAFT_NOT_READY      /* later, please */
} rm_raft_verdict_t;

/* What a master says of itself. */
typedef struct {
    rm_raft_member_t member;
    uint8_t cluster[RM_RAFT_DISK_BYTES]; /* zeros: it has none yet */
    uint64_t generation;                 /* of the cluster */
    uint64_t group_index;                /* of the newest configuration in its log; 0: it has none */
    uint64_t peers_hash;                 /* of the list that it was started with */
    uint64_t format;                     /* the highest one that it reads */
} rm_raft_facts_t;

/* A statement, as made or as read. */
typedef struct {
    unsigned code; /* rm_raft_wish_t or rm_raft_verdict_t */
    uint64_t to;   /* the id that is meant */
    rm_raft_facts_t facts;
    rm_raft_roster_t founders; /* with a verdict on RM_RAFT_ASK; else empty */
} rm_raft_statement_t;

/* Both sides' view of one hello. */
typedef struct {
    uint8_t nonces[2][RM_RAFT_NONCE_BYTES]; /* of the one that dials, of the one that listens */
    uint8_t mac[RM_RAFT_MAC_BYTES];         /* of the first statement */
} rm_raft_hello_t;

/* Makes the key of a secret; `size` 0: the one that everyone knows. */
void rm_raft_hello_key (uint8_t key[RM_RAFT_KEY_BYTES], const void *secret, size_t size);

/* The one that dials makes a greeting, with a fresh nonce. */
void rm_raft_hello_greet (rm_raft_hello_t *self, uint8_t greeting[RM_RAFT_GREETING_BYTES]);

/* The one that listens reads it and makes the proof, with a nonce of its own. NULL, or what is wrong in a few words. */
const char *rm_raft_hello_prove (rm_raft_hello_t *self, const uint8_t *key,
                                 const uint8_t greeting[RM_RAFT_GREETING_BYTES], uint8_t proof[RM_RAFT_PROOF_BYTES]);

/* The one that dials reads the proof; as above. */
const char *rm_raft_hello_check (rm_raft_hello_t *self, const uint8_t *key, const uint8_t proof[RM_RAFT_PROOF_BYTES]);

/* Makes a statement of at most RM_RAFT_STATEMENT_BYTES_MAX; how many bytes it has. `verdict`: the one that listens does. */
size_t rm_raft_hello_state (rm_raft_hello_t *self, const uint8_t *key, bool verdict,
                            const rm_raft_statement_t *statement, uint8_t *bytes);

/* How many bytes a statement has that begins with these four; 0: more or fewer than one can have. */
size_t rm_raft_hello_size (const uint8_t bytes[4]);

/* Reads a statement of that size. NULL, or what is wrong in a few words. */
const char *rm_raft_hello_read (rm_raft_hello_t *self, const uint8_t *key, bool verdict, const uint8_t *bytes,
                                size_t size, rm_raft_statement_t *statement);
