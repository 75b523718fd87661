/*  How a master with an empty directory comes to a cluster. Three things can happen, and a list of peers alone never makes a
 *  second cluster beside a first:
 *
 *  - All peers of the list say that they have no cluster either, and were started with the same list. Then the one of the
 *    lowest id, and no other, makes a cluster id, and begins the log with everyone's disk ids in it. If one of them does not
 *    answer, it waits: that one may have a cluster.
 *  - A peer has a cluster that was founded with this very disk. Then the log begins here as it began there.
 *  - A leader invites it. Then the log will come from that leader.
 *
 *  A master that lost its directory has a new disk id: no founder's list has it, no leader invites it under its old number,
 *  and those it asks tell it what to do.
 */
#include <sodium.h>
#include <string.h>

#include "master/raft_inside.h"
#include "ringmaster/error.h"

enum {
    ASK_MS = 200,
    NEW_MS = 2000 /* for so long it counts that a peer said it was new */
};

int rm_raft_found_begin (rm_ledger_t *self, const rm_raft_roster_t *founders)
{
    rm_raft_identity_t *identity = &self->identity;
    const rm_raft_link_t nothing = {0};
    identity->membership = RM_RAFT_FOUNDING;
    if (founders)
        identity->founders = *founders;
    else {
        rm_raft_member_t *only = &identity->founders.members[0];
        randombytes_buf (identity->cluster, sizeof identity->cluster);
        identity->generation = 1;
        identity->founders.count = 1;
        *only = (rm_raft_member_t){.id = self->config.id};
        memcpy (only->disk, identity->disk, sizeof only->disk);
        strcpy (only->address, self->config.address);
    }
    identity->grouped = identity->founders.count > 1;
    int rc = rm_raft_open_identify (self);
    return rc == 0 ? rm_raft_open_begin (self, true, &nothing) : rc;
}

bool rm_raft_found_join (rm_ledger_t *self, const rm_raft_facts_t *leader)
{
    self->identity.membership = RM_RAFT_JOINED;
    self->identity.grouped = true;
    self->identity.generation = leader->generation;
    memcpy (self->identity.cluster, leader->cluster, sizeof self->identity.cluster);
    return rm_raft_open_identify (self) == 0;
}

/* A cluster that a peer knows: it is ours if we are among its founders with this disk. */
static void consider (rm_ledger_t *self, const rm_raft_statement_t *statement)
{
    const rm_raft_member_t *us = rm_raft_roster_find (&statement->founders, self->config.id);
    if (!us || memcmp (us->disk, self->identity.disk, sizeof us->disk) != 0)
        return;
    memcpy (self->identity.cluster, statement->facts.cluster, sizeof self->identity.cluster);
    self->identity.generation = statement->facts.generation;
    rm_raft_found_begin (self, &statement->founders);
}

typedef struct {
    rm_ledger_t *ledger;
    uint64_t id;
} question_t;

static void on_answer (void *arg, const rm_raft_dialled_t *result)
{
    question_t *question = arg;
    rm_ledger_t *self = question->ledger;
    rm_raft_peer_t *peer = rm_raft_peer (self, question->id);
    raft_free (question);
    if (peer) {
        peer->asked = false;
        peer->new_ms = 0;
    }
    if (result->status != 0 || self->closed || self->broken || self->identity.membership != RM_RAFT_SEEKING)
        return;
    switch (result->verdict) {
    case RM_RAFT_ALSO_NEW:
        if (peer) {
            peer->new_ms = uv_now (self->loop);
            memcpy (peer->disk, result->statement->facts.member.disk, sizeof peer->disk);
        }
        break;
    case RM_RAFT_OTHER_PEERS:
        rm_raft_transport_say (&self->transport,
                               "master %llu was started with another list of peers; start all with the same one",
                               (unsigned long long)result->statement->facts.member.id);
        break;
    case RM_RAFT_WELCOME:
        consider (self, result->statement);
        break;
    default:
        break;
    }
}

static void ask (rm_ledger_t *self, const rm_raft_member_t *listed)
{
    rm_raft_peer_t *peer = rm_raft_peer (self, listed->id);
    question_t *question = peer && !peer->asked ? raft_malloc (sizeof *question) : NULL;
    if (!question)
        return;
    *question = (question_t){self, listed->id};
    peer->asked = true;
    if (rm_raft_transport_dial (&self->transport, RM_RAFT_ASK, listed->id, listed->address, NULL, on_answer,
                                question) != 0) {
        peer->asked = false;
        raft_free (question);
    }
}

/* The founders, if it is us to found, and all others are known to be new. */
static bool all_are_new (rm_ledger_t *self, rm_raft_roster_t *founders)
{
    uint64_t now = uv_now (self->loop);
    *founders = self->listed;
    for (size_t i = 0; i < founders->count; i++) {
        rm_raft_member_t *member = &founders->members[i];
        if (member->id < self->config.id)
            return false;
        if (member->id == self->config.id) {
            memcpy (member->disk, self->identity.disk, sizeof member->disk);
            continue;
        }
        const rm_raft_peer_t *peer = rm_raft_peer (self, member->id);
        if (!peer || !peer->new_ms || now - peer->new_ms > NEW_MS)
            return false;
        memcpy (member->disk, peer->disk, sizeof member->disk);
    }
    return true;
}

void rm_raft_found_step (rm_ledger_t *self)
{
    rm_raft_roster_t founders;
    if (self->identity.membership == RM_RAFT_JOINED) {
        const rm_raft_link_t nothing = {0};
        rm_raft_open_begin (self, true, &nothing);
        return;
    }
    if (all_are_new (self, &founders)) {
        randombytes_buf (self->identity.cluster, sizeof self->identity.cluster);
        self->identity.generation = 1;
        rm_raft_found_begin (self, &founders);
        return;
    }
    if (uv_now (self->loop) - self->asked_ms < ASK_MS)
        return;
    self->asked_ms = uv_now (self->loop);
    for (size_t i = 0; i < self->listed.count; i++)
        if (self->listed.members[i].id != self->config.id)
            ask (self, &self->listed.members[i]);
}
