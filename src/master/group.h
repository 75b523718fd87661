/*  The group of masters as clients and operators see it: where its masters are, who leads, and changes of it.
 *
 *  Who the masters are is known to the ledger; a master's jobs endpoint follows from its ledger's address (net/peer_address.h).
 *  One change is under way at a time. It takes seconds, and its client asks again meanwhile: the one that asked last for
 *  the same change is answered.
 *  Thread rule: the loop's thread. In-place struct, which must stay where it is.
 */
#pragma once

#include <jansson.h>

#include "core/leader.h"
#include "master/raft_ledger.h"
#include "net/endpoint.h"

/* What became of a change: 0 or RM_E…, in a sentence, which lives until it returns. */
typedef void rm_group_answer_fn (void *arg, const rm_address_t *to, int status, const char *sentence);

typedef enum {
    RM_CHANGE_NONE,
    RM_CHANGE_ADD,
    RM_CHANGE_REMOVE,
    RM_CHANGE_TRANSFER,
    RM_CHANGE_UPGRADE
} rm_change_kind_t;

typedef struct {
    rm_change_kind_t kind;
    uint64_t id;                           /* of the master; of an upgrade: the format */
    char address[RM_LEDGER_ADDRESS_BYTES]; /* of the ledger of the one to be added */
} rm_change_t;

typedef struct {
    rm_ledger_t *ledger;
    rm_group_answer_fn *answer;
    void *arg;
    rm_endpoint_t leader, masters[RM_LEDGER_MEMBERS_MAX]; /* jobs endpoints */
    rm_bytes_t names[RM_LEDGER_MEMBERS_MAX];              /* their text */
    rm_change_t change;                                   /* the one under way */
    rm_address_t from;                                    /* who is told what came of it; empty: nobody */
    bool begun;                                           /* rm_group_begin has nothing to do any more */
} rm_group_desk_t;

void rm_group_init (rm_group_desk_t *self, rm_ledger_t *ledger, rm_group_answer_fn *answer, void *arg);

/* A new cluster's log gets the newest format that all its masters read, as soon as all have said so. To be called again
 * and again by its first leader. */
void rm_group_begin (rm_group_desk_t *self);

/* Where the masters are now. What is in it lives until the next look. Nothing in a group of one. */
rm_group_t rm_group_look (rm_group_desk_t *self);

/* {"self", "leader", "term", "cluster", "generation", "format", "masters":[…]}; NULL: memory ran out. */
json_t *rm_group_json (const rm_ledger_t *ledger);

/* Begins a change, or goes on with it; `answer` is called for `from`, perhaps at once. */
void rm_group_change (rm_group_desk_t *self, const rm_address_t *from, const rm_msg_change_t *asked);
