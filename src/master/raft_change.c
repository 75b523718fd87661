/*  Changes of the group: one at a time, asked for by the owner or by ourselves (a standby that has caught up votes). libraft
 *  changes one master at a time, too, and says so by an answer that comes when the change is committed.
 */
#include <string.h>

#include "master/raft_inside.h"
#include "ringmaster/error.h"

enum {
    /* A standby that is so many entries behind may vote: libraft waits for the rest, and under load there always is some. */
    BEHIND_MAX = 4096,
    DRAIN_MS = 1000 /* a master that is to lead has so long to get what is under way */
};

static void finish (rm_ledger_t *self, int status, const char *sentence)
{
    rm_raft_changing_t *changing = &self->changing;
    rm_ledger_changed_fn *done = changing->done;
    if (!changing->kind)
        return;
    changing->kind = RM_RAFT_NO_CHANGE;
    changing->done = NULL;
    if (done)
        done (changing->done_arg, status, sentence);
}

static void finish_by_libraft (rm_ledger_t *self, int status)
{
    switch (status) {
    case 0:
        finish (self, 0, "done");
        break;
    case RAFT_NOTLEADER:
        finish (self, RM_ESTATE, "this master does not lead any more, nothing was changed");
        break;
    case RAFT_CANTCHANGE:
        finish (self, RM_EBUSY, "another change of the group is under way");
        break;
    case RAFT_DUPLICATEID:
    case RAFT_DUPLICATEADDRESS:
        finish (self, RM_ECONFLICT, "the group has a master of that number, or at that address");
        break;
    case RAFT_NOCONNECTION:
        finish (self, RM_EUNREACHABLE, "that master did not catch up");
        break;
    case RAFT_NOMEM:
        finish (self, RM_ENOMEM, "memory ran out");
        break;
    default:
        finish (self, RM_ETIMEDOUT, "this master does not lead any more, and does not know what became of it");
    }
}

static rm_ledger_t *ledger_of_change (struct raft_change *request)
{
    return (rm_ledger_t *)((char *)request - offsetof (rm_ledger_t, changing.request));
}

static void on_changed (struct raft_change *request, int status)
{
    finish_by_libraft (ledger_of_change (request), status);
}

/* Whether libraft is in the middle of a change, its own idea of it included. */
static bool is_changing (const rm_ledger_t *self)
{
    return self->changing.kind || self->raft.configuration_uncommitted_index != 0 ||
           self->raft.leader_state.promotee_id != 0 || self->raft.leader_state.transferee != 0;
}

static int begin (rm_ledger_t *self, rm_raft_change_kind_t kind, uint64_t id, rm_ledger_changed_fn *done, void *arg)
{
    if (self->broken || self->closed)
        return RM_EIO;
    if (!self->leader || raft_state (&self->raft) != RAFT_LEADER)
        return RM_ESTATE;
    if (is_changing (self))
        return RM_EBUSY;
    self->changing = (rm_raft_changing_t){.kind = kind, .id = id, .done = done, .done_arg = arg};
    return 0;
}

/* An answer that libraft gives at once is the caller's, and `done` is not called. */
static int answer (rm_ledger_t *self, int status)
{
    if (status == 0)
        return 0;
    self->changing.kind = RM_RAFT_NO_CHANGE;
    switch (status) {
    case RAFT_NOTLEADER:
        return RM_ESTATE;
    case RAFT_CANTCHANGE:
        return RM_EBUSY;
    case RAFT_NOMEM:
        return RM_ENOMEM;
    default:
        return RM_EINVAL;
    }
}

/* ---- add -------------------------------------------------------------------------------------------------------- */

static void on_added (struct raft_change *request, int status)
{
    rm_ledger_t *self = ledger_of_change (request);
    if (status == 0 && self->changing.kind == RM_RAFT_ADDING)
        status = raft_assign (&self->raft, &self->changing.request, self->changing.id, RAFT_STANDBY, on_changed);
    else if (self->changing.kind != RM_RAFT_ADDING)
        return;
    if (status != 0)
        finish_by_libraft (self, status);
}

static void on_invited (void *arg, const rm_raft_dialled_t *result)
{
    rm_ledger_t *self = arg;
    rm_raft_changing_t *changing = &self->changing;
    char name[RM_RAFT_NAME_OF_MEMBER_BYTES];
    if (changing->kind != RM_RAFT_ADDING)
        return;
    if (self->broken || self->closed)
        finish (self, RM_EIO, "this master is stopping");
    else if (!result->verdict)
        finish (self, RM_EUNREACHABLE,
                "no master answers there, or none that knows this cluster's secret: start it first, and look at the "
                "address");
    else if (result->verdict == RM_RAFT_NOT_READY)
        finish (self, RM_EUNREACHABLE, "the master there is not ready; try again");
    else if (result->verdict != RM_RAFT_WELCOME)
        finish (self, RM_EDENIED,
                result->verdict == RM_RAFT_NOT_ME
                    ? "the master there has another number"
                    : "the master there belongs to another cluster; one that is added starts with an empty directory");
    else if (result->statement->facts.format < self->applied.format)
        finish (self, RM_EDENIED, "the master there is of an older version, which cannot read this ledger");
    else if (raft_state (&self->raft) != RAFT_LEADER)
        finish_by_libraft (self, RAFT_NOTLEADER);
    else {
        rm_raft_member_name (name, changing->address, result->statement->facts.member.disk);
        int rc = raft_add (&self->raft, &changing->request, changing->id, name, on_added);
        if (rc != 0)
            finish_by_libraft (self, rc);
    }
}

static bool is_taken (const rm_ledger_t *self, uint64_t id, const char *address)
{
    const struct raft_configuration *group = &self->raft.configuration;
    rm_raft_member_t member;
    for (unsigned i = 0; i < group->n; i++) {
        rm_raft_member_parse (&member, group->servers[i].id, group->servers[i].address);
        if (member.id == id || strcmp (member.address, address) == 0)
            return true;
    }
    return false;
}

int rm_ledger_add (rm_ledger_t *self, uint64_t id, const char *address, rm_ledger_changed_fn *done, void *arg)
{
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6];
    int rc = begin (self, RM_RAFT_ADDING, id, done, arg);
    if (rc != 0)
        return rc;
    if (!self->transport.port)
        rc = RM_ESTATE;
    else if (id == 0 || !rm_raft_address_split (address, host, port))
        rc = RM_EINVAL;
    else if (is_taken (self, id, address))
        rc = RM_ECONFLICT;
    else if (self->raft.configuration.n >= RM_RAFT_MEMBERS_MAX)
        rc = RM_ETOOBIG;
    if (rc == 0) {
        strcpy (self->changing.address, address);
        rc = rm_raft_transport_dial (&self->transport, RM_RAFT_INVITE, id, address, NULL, on_invited, self);
        rc = rc == 0 || rc == RM_ENOMEM ? rc : RM_EINVAL;
    }
    if (rc != 0)
        self->changing.kind = RM_RAFT_NO_CHANGE;
    return rc;
}

/* ---- remove, transfer ------------------------------------------------------------------------------------------- */

/* Whether those that are heard of are a majority once it is gone: else nothing could be committed any more, this included. */
static bool can_do_without (const rm_ledger_t *self, uint64_t id)
{
    const struct raft_configuration *group = &self->raft.configuration;
    unsigned voters = 0, heard = 0;
    for (unsigned i = 0; i < group->n; i++) {
        const struct raft_server *server = &group->servers[i];
        if (server->role != RAFT_VOTER || server->id == id)
            continue;
        voters++;
        heard += rm_raft_peers_hears (self, server->id);
    }
    return heard > voters / 2;
}

int rm_ledger_remove (rm_ledger_t *self, uint64_t id, rm_ledger_changed_fn *done, void *arg)
{
    int rc = begin (self, RM_RAFT_REMOVING, id, done, arg);
    if (rc != 0)
        return rc;
    if (!rm_raft_group_find (&self->raft.configuration, id))
        rc = RM_EUNKNOWN;
    else if (id == self->config.id || !can_do_without (self, id))
        rc = RM_ESTATE;
    if (rc != 0) {
        self->changing.kind = RM_RAFT_NO_CHANGE;
        return rc;
    }
    return answer (self, raft_remove (&self->raft, &self->changing.request, id, on_changed));
}

static void on_transferred (struct raft_transfer *request)
{
    rm_ledger_t *self = (rm_ledger_t *)((char *)request - offsetof (rm_ledger_t, changing.transfer));
    raft_id leader = 0;
    const char *address;
    if (self->changing.kind != RM_RAFT_TRANSFERRING)
        return;
    raft_leader (&self->raft, &leader, &address);
    if (leader == self->changing.id)
        finish (self, 0, "done");
    else if (leader == self->config.id)
        finish (self, RM_EUNREACHABLE, "that master did not take over in time; this one still leads");
    else
        finish_by_libraft (self, RAFT_LEADERSHIPLOST);
}

/* How far another voter's log is; 0: it is none, or is not heard of. */
static raft_index reach (const rm_ledger_t *self, const struct raft_server *server)
{
    raft_index match = 0;
    bool can = server->id != self->config.id && server->role == RAFT_VOTER && rm_raft_peers_hears (self, server->id);
    return can && raft_match_index (&self->raft, server->id, &match) == 0 ? match : 0;
}

/* The voter whose log is the longest; 0: there is none. */
static uint64_t best_voter (const rm_ledger_t *self)
{
    const struct raft_configuration *group = &self->raft.configuration;
    uint64_t best = 0;
    raft_index longest = 0;
    for (unsigned i = 0; i < group->n; i++)
        if (reach (self, &group->servers[i]) > longest) {
            best = group->servers[i].id;
            longest = reach (self, &group->servers[i]);
        }
    return best;
}

int rm_ledger_transfer (rm_ledger_t *self, uint64_t id, rm_ledger_changed_fn *done, void *arg)
{
    int rc = begin (self, RM_RAFT_TRANSFERRING, id, done, arg);
    if (rc != 0)
        return rc;
    const struct raft_server *server = rm_raft_group_find (&self->raft.configuration, id ? id : best_voter (self));
    if (!server)
        rc = RM_EUNKNOWN;
    else if (server->role != RAFT_VOTER || server->id == self->config.id)
        rc = RM_EINVAL;
    if (rc != 0) {
        self->changing.kind = RM_RAFT_NO_CHANGE;
        return rc;
    }
    self->changing.id = server->id;
    self->changing.draining = true;
    self->changing.begun_ms = uv_now (self->loop);
    return 0;
}

/* libraft tells the other to take over as soon as it has anything new, and that one declines unless it has all: so nothing new
   is begun until it has. */
void rm_raft_change_look (rm_ledger_t *self)
{
    rm_raft_changing_t *changing = &self->changing;
    if (changing->kind != RM_RAFT_TRANSFERRING || !changing->draining)
        return;
    const struct raft_server *server = rm_raft_group_find (&self->raft.configuration, changing->id);
    if (raft_state (&self->raft) != RAFT_LEADER || !server)
        finish_by_libraft (self, RAFT_NOTLEADER);
    else if (reach (self, server) == raft_last_index (&self->raft)) {
        changing->draining = false;
        int rc = raft_transfer (&self->raft, &changing->transfer, changing->id, on_transferred);
        if (rc != 0)
            finish_by_libraft (self, rc);
    } else if (uv_now (self->loop) - changing->begun_ms > DRAIN_MS)
        finish (self, RM_EUNREACHABLE, "that master does not catch up; this one still leads");
}

/* ---- upgrade ---------------------------------------------------------------------------------------------------- */

static void on_upgraded (rm_ledger_t *self, int status)
{
    if (self->changing.kind == RM_RAFT_UPGRADING)
        finish_by_libraft (self, status == 0 ? 0 : RAFT_LEADERSHIPLOST);
}

/* Whether all others have said that they read that format: 0, RM_EUNREACHABLE (one was not heard of yet) or RM_EDENIED. */
static int all_read (const rm_ledger_t *self, uint64_t format)
{
    const struct raft_configuration *group = &self->raft.configuration;
    for (unsigned i = 0; i < group->n; i++) {
        uint64_t reads = 0;
        if (group->servers[i].id == self->config.id)
            continue;
        for (size_t j = 0; j < sizeof self->peers / sizeof *self->peers; j++)
            if (self->peers[j].id == group->servers[i].id)
                reads = self->peers[j].format;
        if (reads < format)
            return reads == 0 ? RM_EUNREACHABLE : RM_EDENIED;
    }
    return 0;
}

int rm_ledger_upgrade (rm_ledger_t *self, uint64_t format, rm_ledger_changed_fn *done, void *arg)
{
    const rm_raft_note_t note = {.kind = RM_RAFT_UPGRADE, .value = format};
    int rc = begin (self, RM_RAFT_UPGRADING, 0, done, arg);
    if (rc != 0)
        return rc;
    if (format < 2 || format <= self->applied.format)
        rc = RM_EINVAL;
    else if (format > self->config.format_max)
        rc = RM_EDENIED;
    else
        rc = all_read (self, format);
    if (rc == 0)
        rc = rm_raft_ledger_note (self, &note, on_upgraded);
    if (rc != 0)
        self->changing.kind = RM_RAFT_NO_CHANGE;
    return rc;
}

/* ---- by ourselves ----------------------------------------------------------------------------------------------- */

static bool has_caught_up (const rm_ledger_t *self, uint64_t id)
{
    raft_index match = 0;
    return rm_raft_peers_hears (self, id) && raft_match_index (&self->raft, id, &match) == 0 &&
           raft_last_index ((struct raft *)(uintptr_t)&self->raft) - match <= BEHIND_MAX;
}

void rm_raft_change_step (rm_ledger_t *self)
{
    const struct raft_configuration *group = &self->raft.configuration;
    if (!self->leader || raft_state (&self->raft) != RAFT_LEADER || is_changing (self))
        return;
    for (unsigned i = 0; i < group->n; i++) {
        uint64_t id = group->servers[i].id;
        int role = group->servers[i].role;
        if (role == RAFT_VOTER || (role == RAFT_STANDBY && !has_caught_up (self, id)))
            continue;
        self->changing = (rm_raft_changing_t){.kind = RM_RAFT_PROMOTING, .id = id};
        int next = role == RAFT_SPARE ? RAFT_STANDBY : RAFT_VOTER;
        if (raft_assign (&self->raft, &self->changing.request, id, next, on_changed) != 0)
            self->changing.kind = RM_RAFT_NO_CHANGE;
        return;
    }
}

void rm_raft_change_close (rm_ledger_t *self)
{
    finish (self, self->changing.kind == RM_RAFT_ADDING ? RM_ETIMEDOUT : RM_EIO, "this master is stopping");
}

static void describe_member (const rm_ledger_t *self, const struct raft_server *server, raft_id leader,
                             rm_ledger_member_t *member)
{
    rm_raft_member_t parsed;
    raft_index match = 0;
    rm_raft_member_parse (&parsed, server->id, server->address);
    *member = (rm_ledger_member_t){.id = server->id,
                                   .role = server->role == RAFT_VOTER     ? RM_LEDGER_VOTER
                                           : server->role == RAFT_STANDBY ? RM_LEDGER_STANDBY
                                                                          : RM_LEDGER_SPARE,
                                   .leader = server->id == leader,
                                   .self = server->id == self->config.id,
                                   .heard_ms = UINT64_MAX,
                                   .behind = UINT64_MAX};
    strcpy (member->address, parsed.address);
    if (raft_state ((struct raft *)(uintptr_t)&self->raft) != RAFT_LEADER)
        return;
    if (raft_match_index (&self->raft, server->id, &match) == 0)
        member->behind = raft_last_index ((struct raft *)(uintptr_t)&self->raft) - match;
    member->heard_ms = rm_raft_peers_heard_ms (self, server->id);
}

size_t rm_ledger_group (const rm_ledger_t *self, rm_ledger_member_t *members, size_t max)
{
    raft_id leader = 0;
    const char *address;
    if (self->stage != RM_RAFT_OPEN)
        return 0;
    /* What is not committed yet may still be undone. */
    const struct raft_configuration *group = &self->raft.configuration;
    if (self->raft.configuration_uncommitted_index && self->raft.configuration_committed.n > 0)
        group = &self->raft.configuration_committed;
    raft_leader ((struct raft *)(uintptr_t)&self->raft, &leader, &address);
    size_t count = 0;
    for (unsigned i = 0; i < group->n && count < max; i++)
        describe_member (self, &group->servers[i], leader, &members[count++]);
    return count;
}
