/*  What comes from other masters, and who they are. Here and in raft_parcels.c our functions stand before libraft's own, since
 *  libraft 0.22
 *
 *  - goes on with a term or a vote that could not be written (set_term, set_vote): the ledger stops;
 *  - takes an error of `send` for one of the whole step, and forgets the rest of it: ours never fails, messages get lost;
 *  - sends heartbeats ahead of a snapshot that is still being read, takes their rejection for the snapshot's, and sends it
 *    again, and again: rejections do not count while one is on its way;
 *  - waits for a minute if a snapshot did not arrive, or was not wanted just then, and a newer one was taken meanwhile;
 *  - names a snapshot's term after another snapshot, if a new one was finished while it was being read;
 *  - frees what it never set, if a snapshot cannot be read (snapshot_get);
 *  - crashes if a snapshot arrives while it takes one of its own, and loses the memory of one that arrives while it installs
 *    another: those do not reach it, and are sent again;
 *  - takes back what was committed, if a late message ends before it (and would file the next snapshot under that index): such
 *    a message does not speak of commitment here;
 *  - notes the wrong index for a change of the group that comes behind other new entries of its message: such a message is
 *    cut in two;
 *  - does not let a master vote that does not know yet that it may, though it counts for those who know: with the leader gone
 *    before it was told, nobody could be elected any more. It votes here: who counts is for the candidate to know;
 *  - holds on to a leader that is silent for longer than it should, and votes for nobody meanwhile;
 *  - has asserts where a log contradicts what is committed, and Debian builds it without: the ledger stops.
 *
 *  Thread rule: the loop's thread.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "master/raft_batch.h"
#include "master/raft_inside.h"
#include "ringmaster/error.h"

enum {
    STOPPED_MS = 200,        /* libraft wakes up every 50 ms: a longer gap means that the process did not run */
    DEAF_MS = 50,            /* after such a gap, that long */
    SHIPPED_MS = 500,        /* rejections that were on their way when a snapshot had left */
    INSTALLED_MS = 10 * 1000 /* to write it down and take it over */
};

static uint64_t now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

rm_raft_peer_t *rm_raft_peer (rm_ledger_t *self, uint64_t id)
{
    rm_raft_peer_t *free_one = NULL;
    for (size_t i = 0; i < sizeof self->peers / sizeof *self->peers; i++) {
        rm_raft_peer_t *peer = &self->peers[i];
        if (peer->id == id)
            return peer;
        bool idle = !peer->shipping && !peer->queued_bytes && !peer->asked;
        bool unused = !peer->id || (idle && !rm_raft_group_find (&self->raft.configuration, peer->id) &&
                                    !rm_raft_roster_find (&self->listed, peer->id));
        if (unused && (!free_one || free_one->id))
            free_one = peer;
    }
    if (free_one)
        *free_one = (rm_raft_peer_t){.id = id};
    return free_one;
}

/* ---- who is heard of -------------------------------------------------------------------------------------------- */

/* How long a turn of the loop takes is not ours to say: only once the loop has read what there was, what it reads is new. */
void rm_raft_peers_pulse (rm_ledger_t *self, bool polled)
{
    uint64_t now = now_ns ();
    if (polled && self->deaf_polls > 0)
        self->deaf_polls--;
    if (self->alive_ns && now - self->alive_ns > STOPPED_MS * 1000000ull) {
        for (size_t i = 0; i < sizeof self->peers / sizeof *self->peers; i++)
            self->peers[i].heard_ns = 0;
        self->deaf_ns = now + DEAF_MS * 1000000ull;
        self->deaf_polls = 2;
    }
    self->alive_ns = now;
}

uint64_t rm_raft_peers_heard_ms (const rm_ledger_t *self, uint64_t id)
{
    if (id == self->config.id)
        return 0;
    for (size_t i = 0; i < sizeof self->peers / sizeof *self->peers; i++)
        if (self->peers[i].id == id && self->peers[i].heard_ns)
            return (now_ns () - self->peers[i].heard_ns) / 1000000;
    return UINT64_MAX;
}

bool rm_raft_peers_hears (const rm_ledger_t *self, uint64_t id)
{
    return rm_raft_peers_heard_ms (self, id) < RM_LEDGER_ELECTION_MS;
}

bool rm_ledger_has_quorum (const rm_ledger_t *self)
{
    if (!self->leader || self->broken || raft_state ((struct raft *)(uintptr_t)&self->raft) != RAFT_LEADER)
        return false;
    const struct raft_configuration *group = &self->raft.configuration;
    unsigned heard = 0;
    for (unsigned i = 0; i < group->n; i++) {
        const struct raft_server *server = &group->servers[i];
        if (server->role == RAFT_VOTER)
            heard += rm_raft_peers_hears (self, server->id);
    }
    return heard > rm_raft_group_voters (group) / 2;
}

/* ---- who is who ------------------------------------------------------------------------------------------------- */

static uint64_t group_index (const rm_ledger_t *self)
{
    const struct raft *raft = &self->raft;
    if (self->stage != RM_RAFT_OPEN)
        return 0;
    return raft->configuration_uncommitted_index ? raft->configuration_uncommitted_index
                                                 : raft->configuration_committed_index;
}

static void describe (void *arg, rm_raft_facts_t *mine)
{
    const rm_ledger_t *self = arg;
    uint8_t list[RM_RAFT_ROSTER_BYTES_MAX];
    *mine = (rm_raft_facts_t){.format = self->config.format_max,
                              .generation = self->identity.generation,
                              .group_index = group_index (self),
                              .peers_hash = XXH3_64bits (list, rm_raft_roster_put (&self->listed, list))};
    mine->member.id = self->config.id;
    memcpy (mine->member.disk, self->identity.disk, sizeof mine->member.disk);
    strcpy (mine->member.address, self->config.address);
    memcpy (mine->cluster, self->identity.cluster, sizeof mine->cluster);
}

/* A peer that has a newer group than ours in its log knows better. */
static rm_raft_verdict_t standing (const rm_ledger_t *self, const rm_raft_facts_t *peer)
{
    static const uint8_t unknown[RM_RAFT_DISK_BYTES];
    const struct raft_server *server = rm_raft_group_find (&self->raft.configuration, peer->member.id);
    rm_raft_member_t member;
    if (peer->group_index > group_index (self))
        return RM_RAFT_WELCOME;
    if (!server)
        return RM_RAFT_NOT_MEMBER;
    rm_raft_member_parse (&member, server->id, server->address);
    bool same = memcmp (member.disk, peer->member.disk, sizeof member.disk) == 0;
    return same || memcmp (member.disk, unknown, sizeof unknown) == 0 ? RM_RAFT_WELCOME : RM_RAFT_OTHER_DISK;
}

static rm_raft_verdict_t judge_while_looking (rm_ledger_t *self, rm_raft_wish_t wish, const rm_raft_facts_t *peer)
{
    rm_raft_facts_t mine;
    describe (self, &mine);
    if (wish == RM_RAFT_ASK)
        return peer->peers_hash == mine.peers_hash ? RM_RAFT_ALSO_NEW : RM_RAFT_OTHER_PEERS;
    if (wish == RM_RAFT_INVITE && peer->group_index > 0 && self->identity.membership == RM_RAFT_SEEKING)
        return rm_raft_found_join (self, peer) ? RM_RAFT_WELCOME : RM_RAFT_NOT_READY;
    return RM_RAFT_NOT_READY;
}

/* What it reads decides whether the log may get a newer format. */
static void note_format (rm_ledger_t *self, const rm_raft_facts_t *facts)
{
    rm_raft_peer_t *peer =
        rm_raft_group_find (&self->raft.configuration, facts->member.id) ? rm_raft_peer (self, facts->member.id) : NULL;
    if (peer)
        peer->format = facts->format;
}

static rm_raft_verdict_t judge (void *arg, rm_raft_wish_t wish, const rm_raft_facts_t *peer, rm_raft_roster_t *founders)
{
    rm_ledger_t *self = arg;
    if (self->closed || self->broken || self->stage < RM_RAFT_LOOKING || self->stage > RM_RAFT_OPEN)
        return RM_RAFT_NOT_READY;
    if (self->stage == RM_RAFT_LOOKING)
        return judge_while_looking (self, wish, peer);
    if (wish == RM_RAFT_ASK) {
        *founders = self->identity.founders;
        return group_index (self) > 0 ? standing (self, peer) : RM_RAFT_NOT_READY;
    }
    if (memcmp (peer->cluster, self->identity.cluster, sizeof peer->cluster) != 0 ||
        peer->generation != self->identity.generation)
        return RM_RAFT_OTHER_CLUSTER;
    if (wish > RM_RAFT_INVITE)
        return RM_RAFT_NOT_READY;
    rm_raft_verdict_t verdict = standing (self, peer);
    if (verdict == RM_RAFT_WELCOME)
        note_format (self, peer);
    return verdict;
}

/* libraft's words for an id: those in the log, so that it does not take it for a move to another address. */
static const char *name_of (const rm_ledger_t *self, const rm_raft_facts_t *peer,
                            char name[RM_RAFT_NAME_OF_MEMBER_BYTES])
{
    const struct raft_server *server = rm_raft_group_find (&self->raft.configuration, peer->member.id);
    if (server)
        snprintf (name, RM_RAFT_NAME_OF_MEMBER_BYTES, "%s", server->address);
    else
        rm_raft_member_name (name, peer->member.address, peer->member.disk);
    return name;
}

static bool knows (void *arg, uint64_t id)
{
    rm_ledger_t *self = arg;
    raft_id leader = 0;
    const char *address;
    raft_leader (&self->raft, &leader, &address);
    return id == leader || rm_raft_group_find (&self->raft.configuration, id);
}

/* ---- what comes ------------------------------------------------------------------------------------------------- */

/* The term of an entry in libraft's log; 0: it is not there any more, or not yet. As its own trail has it. */
static raft_term term_of (const struct raft_trail *trail, raft_index index)
{
    if (index == trail->snapshot.index)
        return trail->snapshot.term;
    if (index <= trail->offset)
        return 0;
    for (unsigned i = trail->front; i != trail->back; i = (i + 1) % trail->size)
        if (index <= trail->records[i].index)
            return trail->records[i].term;
    return 0;
}

/* Whether a leader's entries are others than those that were committed here, or it leads in our own term. Neither can be,
   unless a master came back with an old copy of its directory. */
static bool contradicts (rm_ledger_t *self, const struct raft_message *message)
{
    struct raft *raft = &self->raft;
    const struct raft_append_entries *args = &message->append_entries;
    bool snapshot = message->type == RAFT_INSTALL_SNAPSHOT;
    raft_term term = snapshot ? message->install_snapshot.term : args->term;
    bool wrong = term == raft_current_term (raft) && raft_state (raft) == RAFT_LEADER;
    if (!snapshot && term >= raft_current_term (raft) && !raft->snapshot.installing) {
        for (unsigned i = 0; i <= args->n_entries && !wrong; i++) {
            raft_index index = args->prev_log_index + i;
            raft_term theirs = i == 0 ? args->prev_log_term : args->entries[i - 1].term;
            raft_term ours = index ? term_of (&raft->trail, index) : 0;
            wrong = ours && ours != theirs && index <= raft_commit_index (raft);
        }
    }
    if (wrong)
        rm_raft_ledger_fail (
            self,
            "master %llu sent what contradicts the ledger in %s: one of the two was started with an old "
            "copy of its data directory; remove that one from the group, and add it with an empty "
            "directory under a new number",
            (unsigned long long)message->server_id, self->config.dir);
    return wrong;
}

static void deliver (rm_ledger_t *self, struct raft_message *message)
{
    if (self->broken || self->closed)
        rm_raft_wire_drop (message);
    else
        self->recv (&self->io, message);
}

static void deliver_some_entries (rm_ledger_t *self, struct raft_message *message)
{
    struct raft_append_entries *args = &message->append_entries;
    raft_index committed = raft_commit_index (&self->raft);
    if (args->prev_log_index + args->n_entries < committed && args->leader_commit > committed)
        args->leader_commit = committed;
    deliver (self, message);
}

/* A change of the group is the first entry of its message, where libraft gets its index right. */
static void deliver_entries (rm_ledger_t *self, struct raft_message *message)
{
    struct raft_message now = *message, rest;
    for (unsigned i = 1; i < now.append_entries.n_entries;) {
        if (now.append_entries.entries[i].type != RAFT_CHANGE) {
            i++;
            continue;
        }
        if (rm_raft_wire_cut (&now, i, &rest) != 0) {
            rm_raft_wire_drop (&now);
            return;
        }
        deliver_some_entries (self, &now);
        now = rest;
        i = 1;
    }
    deliver_some_entries (self, &now);
}

/* A rejection, while a snapshot is or was on its way. libraft asks for an entry that is in no log but the leader's, to see
   whether the snapshot is there. */
static void mend_rejection (rm_ledger_t *self, rm_raft_peer_t *peer, struct raft_append_entries_result *result)
{
    uint64_t since = uv_now (self->loop) - peer->shipped_ms;
    if (self->loading > 0 || peer->shipping || (peer->shipped_ms && since < SHIPPED_MS)) {
        if (result->rejected != self->raft.trail.snapshot.index)
            return;
        result->rejected = 1; /* stale, to libraft: it counts as a sign of life only */
        result->last_log_index = 0;
        return;
    }
    /* One that is installing it has a log that ends with it. Any other has not got it, or has no use for it: libraft is told in
       the words it understands, and sends what it has now. */
    bool installs = result->last_log_index == peer->shipped && since < INSTALLED_MS;
    if (!peer->shipped_as || installs)
        return;
    result->rejected = peer->shipped_as;
    if (result->last_log_index >= result->rejected)
        result->last_log_index = result->rejected - 1;
    peer->shipped_as = 0;
}

static void deliver_result (rm_ledger_t *self, struct raft_message *message)
{
    struct raft_append_entries_result *result = &message->append_entries_result;
    rm_raft_peer_t *peer = rm_raft_peer (self, message->server_id);
    if (result->term == 0) /* from redial */
        return;
    if (peer && raft_state (&self->raft) == RAFT_LEADER && result->term == raft_current_term (&self->raft)) {
        if (self->alive_ns >= self->deaf_ns && self->deaf_polls == 0)
            peer->heard_ns = self->alive_ns;
        if (result->rejected)
            mend_rejection (self, peer, result);
    }
    deliver (self, message);
}

/* libraft forgets a leader only when it wants to be one itself, up to twice the election timeout after the leader's last word,
   and one that does not vote never: until then it would vote for nobody. */
static void forget_silent_leader (rm_ledger_t *self)
{
    struct raft *raft = &self->raft;
    if (raft_state (raft) != RAFT_FOLLOWER || self->alive_ns - self->led_ns < RM_LEDGER_ELECTION_MS * 1000000ull)
        return;
    raft->follower_state.current_leader.id = 0;
    raft_free (raft->follower_state.current_leader.address);
    raft->follower_state.current_leader.address = NULL;
}

/* libraft looks at its own role, and at nothing else, before it votes. */
static void deliver_vote_request (rm_ledger_t *self, struct raft_message *message)
{
    const struct raft_server *found = rm_raft_group_find (&self->raft.configuration, self->config.id);
    struct raft_server *us = (struct raft_server *)(uintptr_t)found;
    int role = us ? us->role : RAFT_VOTER;
    forget_silent_leader (self);
    if (us)
        us->role = RAFT_VOTER;
    deliver (self, message);
    if (us)
        us->role = role;
}

static bool is_whole (const struct raft_install_snapshot *args)
{
    rm_raft_snapshot_head_t head;
    const uint8_t *bytes = args->data.base;
    const char *wrong = rm_raft_snapshot_open (bytes, args->data.len, &head);
    if (wrong == rm_raft_newer) /* the ledger will say so, and stop */
        return true;
    return !wrong && head.size == args->data.len - RM_RAFT_SNAPSHOT_HEADER_BYTES &&
           head.checksum == XXH3_64bits (bytes + RM_RAFT_SNAPSHOT_HEADER_BYTES, head.size);
}

static void deliver_snapshot (rm_ledger_t *self, struct raft_message *message)
{
    bool busy = self->taking.active || self->raft.snapshot.installing;
    bool whole = !busy && is_whole (&message->install_snapshot);
    if (whole) {
        deliver (self, message);
        return;
    }
    if (!busy)
        rm_raft_transport_say (&self->transport, "a snapshot from master %llu was damaged on its way",
                               (unsigned long long)message->server_id);
    rm_raft_wire_drop (message);
}

static void receive (void *arg, const rm_raft_facts_t *peer, struct raft_message *message)
{
    rm_ledger_t *self = arg;
    char name[RM_RAFT_NAME_OF_MEMBER_BYTES];
    rm_raft_peers_pulse (self, false);
    message->server_id = peer->member.id;
    bool may = self->stage == RM_RAFT_OPEN && !self->broken && !self->closed;
    if (may && (message->type == RAFT_APPEND_ENTRIES || message->type == RAFT_INSTALL_SNAPSHOT))
        may = !contradicts (self, message);
    if (may && message->type == RAFT_REQUEST_VOTE)
        may = message->request_vote.candidate_id == peer->member.id;
    if (!may) {
        rm_raft_wire_drop (message);
        return;
    }
    message->server_address = name_of (self, peer, name);
    if (message->type == RAFT_APPEND_ENTRIES || message->type == RAFT_INSTALL_SNAPSHOT)
        self->led_ns = self->alive_ns;
    switch (message->type) {
    case RAFT_APPEND_ENTRIES:
        deliver_entries (self, message);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        deliver_result (self, message);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        deliver_snapshot (self, message);
        break;
    case RAFT_REQUEST_VOTE:
        deliver_vote_request (self, message);
        break;
    default:
        deliver (self, message);
    }
}

/* ---- the transport ----------------------------------------------------------------------------------------------- */

static void said (void *arg, const char *sentence)
{
    rm_ledger_t *self = arg;
    if (self->events.said && !self->closed)
        self->events.said (self->events.arg, sentence);
}

static void gone (void *arg, uint64_t id)
{
    rm_raft_parcels_redial (arg, id);
}

void rm_raft_peers_init (rm_ledger_t *self)
{
    const rm_raft_transport_events_t events = {self, describe, judge, knows, receive, gone, said};
    rm_raft_transport_init (&self->transport, self->loop, &events, self->config.secret, self->config.secret_bytes,
                            &self->face);
}
