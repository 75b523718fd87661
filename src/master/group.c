#include "master/group.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "net/peer_address.h"
#include "ringmaster/error.h"

void rm_group_init (rm_group_desk_t *self, rm_ledger_t *ledger, rm_group_answer_fn *answer, void *arg)
{
    *self = (rm_group_desk_t){.ledger = ledger, .answer = answer, .arg = arg};
}

/* ---- where the masters are --------------------------------------------------------------------------------------- */

rm_group_t rm_group_look (rm_group_desk_t *self)
{
    rm_ledger_member_t members[RM_LEDGER_MEMBERS_MAX];
    size_t count = rm_ledger_group (self->ledger, members, RM_LEDGER_MEMBERS_MAX);
    rm_group_t group = {.masters = self->names};
    for (size_t i = 0; count > 1 && i < count; i++) {
        rm_endpoint_t *jobs = &self->masters[group.count];
        if (rm_peer_address_parse (jobs, members[i].address, NULL))
            continue;
        self->names[group.count++] = rm_bytes (jobs->text);
        if (members[i].leader) {
            self->leader = *jobs;
            group.leader = rm_bytes (self->leader.text);
        }
    }
    return group;
}

static json_t *integer (uint64_t value)
{
    return value == UINT64_MAX ? json_null () : json_integer ((json_int_t)value);
}

static json_t *member_json (const rm_ledger_member_t *member)
{
    static const char *const roles[] = {"standby", "voter", "joining"};
    rm_endpoint_t jobs;
    bool known = !rm_peer_address_parse (&jobs, member->address, NULL);
    return json_pack ("{s:o, s:s?, s:s, s:s, s:b, s:o, s:o}", "id", integer (member->id), "jobs",
                      known ? jobs.text : NULL, "ledger", member->address, "role", roles[member->role], "leader",
                      member->leader, "heard_ms", integer (member->heard_ms), "behind", integer (member->behind));
}

json_t *rm_group_json (const rm_ledger_t *ledger)
{
    rm_ledger_status_t status;
    rm_ledger_member_t members[RM_LEDGER_MEMBERS_MAX];
    char cluster[2 * RM_LEDGER_CLUSTER_BYTES + 1];
    uint64_t self = 0;
    json_t *list = json_array ();
    rm_ledger_status (ledger, &status);
    size_t count = rm_ledger_group (ledger, members, RM_LEDGER_MEMBERS_MAX);
    for (size_t i = 0; i < count; i++) {
        json_array_append_new (list, member_json (&members[i]));
        if (members[i].self)
            self = members[i].id;
    }
    for (int i = 0; i < RM_LEDGER_CLUSTER_BYTES; i++)
        snprintf (cluster + 2 * i, 3, "%02x", status.cluster[i]);
    return json_pack ("{s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "self", integer (self), "leader",
                      integer (status.leader_id), "raft_term", integer (status.term), "cluster", cluster, "generation",
                      integer (status.generation), "format", integer (status.format), "masters", list);
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static const char *outcome (const rm_change_t *change, char *text, size_t size);

/* What was so before it was asked for; asked again after a lost answer, too. */
static const char *is_already (const rm_change_t *change, char *text, size_t size)
{
    unsigned long long id = change->id;
    if (change->kind == RM_CHANGE_ADD)
        snprintf (text, size,
                  "master %llu belongs to the group already; if it has lost its disk, remove it and add another number",
                  id);
    else if (change->kind == RM_CHANGE_REMOVE)
        snprintf (text, size, "master %llu does not belong to the group", id);
    else
        return outcome (change, text, size);
    return text;
}

/* What is so after a change. */
static const char *outcome (const rm_change_t *change, char *text, size_t size)
{
    unsigned long long id = change->id;
    switch (change->kind) {
    case RM_CHANGE_ADD:
        snprintf (text, size, "master %llu belongs to the group, and votes once it has caught up", id);
        break;
    case RM_CHANGE_REMOVE:
        snprintf (text, size, "master %llu belongs to the group no longer, and can be stopped", id);
        break;
    case RM_CHANGE_TRANSFER:
        if (id)
            snprintf (text, size, "master %llu leads", id);
        else
            snprintf (text, size, "another master leads");
        break;
    default:
        snprintf (text, size, "the ledger's format is %llu", id);
    }
    return text;
}

/* RM_EUNREACHABLE would mean to the client that there was no answer. */
static void tell (rm_group_desk_t *self, const rm_address_t *to, int status, const char *sentence)
{
    if (!to->size)
        return;
    self->answer (self->arg, to, status == RM_EUNREACHABLE ? RM_ESTATE : status, sentence);
}

static void on_changed (void *arg, int status, const char *sentence)
{
    rm_group_desk_t *self = arg;
    char text[128];
    rm_change_t change = self->change;
    self->change.kind = RM_CHANGE_NONE;
    tell (self, &self->from, status, status ? sentence : outcome (&change, text, sizeof text));
}

/* Reads what is asked for. False: it is nothing that there is; the sentence says why. */
static bool read_change (rm_change_t *self, const rm_msg_change_t *asked, char *sentence, size_t size)
{
    static const char *const kinds[] = {"", "add", "remove", "transfer", "upgrade"};
    *self = (rm_change_t){.id = asked->id};
    for (int i = RM_CHANGE_ADD; i <= RM_CHANGE_UPGRADE; i++)
        if (rm_bytes_equal (asked->what, rm_bytes (kinds[i])))
            self->kind = (rm_change_kind_t)i;
    if (self->kind == RM_CHANGE_NONE) {
        snprintf (sentence, size, "masters can be added, removed, transferred to and upgraded, not '%.*s'",
                  (int)asked->what.size, (const char *)asked->what.data);
        return false;
    }
    if (self->kind == RM_CHANGE_ADD) {
        char text[RM_ENDPOINT_BYTES_MAX + 1];
        rm_endpoint_t jobs;
        snprintf (text, sizeof text, "%.*s", (int)asked->at.size, asked->at.size ? (const char *)asked->at.data : "");
        if (rm_endpoint_parse (&jobs, text, NULL) ||
            !rm_peer_address_write (&jobs, self->address, sizeof self->address)) {
            snprintf (sentence, size,
                      "'%s' is not where a master can be: its jobs endpoint is HOST:PORT, with four more ports behind",
                      text);
            return false;
        }
    }
    return true;
}

/* Whether it is so already, as when an answer was lost. */
static bool is_so (const rm_ledger_t *ledger, const rm_change_t *change)
{
    rm_ledger_member_t members[RM_LEDGER_MEMBERS_MAX];
    rm_ledger_status_t status;
    size_t count = rm_ledger_group (ledger, members, RM_LEDGER_MEMBERS_MAX), i = 0;
    while (i < count && members[i].id != change->id)
        i++;
    switch (change->kind) {
    case RM_CHANGE_ADD:
        return i < count && !strcmp (members[i].address, change->address);
    case RM_CHANGE_REMOVE:
        return count && i == count;
    case RM_CHANGE_TRANSFER:
        return i < count && members[i].leader;
    default:
        rm_ledger_status (ledger, &status);
        return status.format == change->id;
    }
}

/* Whether one is the other asked for once more. */
static bool is_same (const rm_change_t *a, const rm_change_t *b)
{
    return a->kind == b->kind && a->id == b->id && !strcmp (a->address, b->address);
}

static int begin (rm_group_desk_t *self)
{
    rm_change_t *change = &self->change;
    switch (change->kind) {
    case RM_CHANGE_ADD:
        return rm_ledger_add (self->ledger, change->id, change->address, on_changed, self);
    case RM_CHANGE_REMOVE:
        return rm_ledger_remove (self->ledger, change->id, on_changed, self);
    case RM_CHANGE_TRANSFER:
        return rm_ledger_transfer (self->ledger, change->id, on_changed, self);
    default:
        return rm_ledger_upgrade (self->ledger, change->id, on_changed, self);
    }
}

/* Why a change did not begin. */
static const char *refusal (const rm_change_t *change, int rc)
{
    static const struct {
        rm_change_kind_t kind; /* RM_CHANGE_NONE: of any */
        int rc;
        const char *sentence;
    } table[] = {
        {RM_CHANGE_ADD, RM_ESTATE,
         "this master cannot take others in: it leads no longer, or was started without --peers"},
        {RM_CHANGE_ADD, RM_EINVAL, "a master's number is 1 or more, and its address one that can be connected to"},
        {RM_CHANGE_ADD, RM_ETOOBIG, "the group has as many masters as it can have"},
        {RM_CHANGE_REMOVE, RM_ESTATE,
         "it leads, and has to let another one lead first (ringctl master transfer), or too few would be left that are "
         "heard of"},
        {RM_CHANGE_TRANSFER, RM_EINVAL, "that master cannot lead: it does not vote yet, or leads already"},
        {RM_CHANGE_TRANSFER, RM_EUNKNOWN, "there is no such master, or no other that could lead"},
        {RM_CHANGE_UPGRADE, RM_EINVAL, "there is no such format, or the ledger is beyond it"},
        {RM_CHANGE_UPGRADE, RM_EDENIED, "one of the masters cannot read that format"},
        {RM_CHANGE_UPGRADE, RM_EUNREACHABLE, "one of the masters has not said yet which formats it reads"},
        {RM_CHANGE_NONE, RM_ESTATE, "this master leads no longer: look at ringctl masters"},
        {RM_CHANGE_NONE, RM_EBUSY, "another change of the masters is under way"},
        {RM_CHANGE_NONE, RM_EUNKNOWN, "there is no such master"},
        {RM_CHANGE_NONE, RM_ECONFLICT, "that number or that address is another master's"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].rc == rc && (table[i].kind == change->kind || table[i].kind == RM_CHANGE_NONE))
            return table[i].sentence;
    return rm_strerror (rc);
}

void rm_group_change (rm_group_desk_t *self, const rm_address_t *from, const rm_msg_change_t *asked)
{
    rm_change_t change;
    char sentence[512];
    if (!read_change (&change, asked, sentence, sizeof sentence)) {
        self->answer (self->arg, from, RM_EINVAL, sentence);
        return;
    }
    if (self->change.kind != RM_CHANGE_NONE) {
        if (!is_same (&self->change, &change))
            self->answer (self->arg, from, RM_EBUSY, refusal (&change, RM_EBUSY));
        else
            self->from = *from;
        return;
    }
    if (is_so (self->ledger, &change)) {
        self->answer (self->arg, from, 0, is_already (&change, sentence, sizeof sentence));
        return;
    }
    self->change = change;
    self->from = *from;
    int rc = begin (self);
    if (rc) {
        self->change.kind = RM_CHANGE_NONE;
        tell (self, from, rc, refusal (&change, rc));
    }
}

void rm_group_begin (rm_group_desk_t *self)
{
    int rc = RM_EDENIED;
    if (self->begun || self->change.kind != RM_CHANGE_NONE)
        return;
    self->from = (rm_address_t){0};
    for (uint64_t format = RM_LEDGER_FORMAT; rc == RM_EDENIED && format > 1; format--) {
        self->change = (rm_change_t){.kind = RM_CHANGE_UPGRADE, .id = format};
        rc = begin (self);
    }
    if (rc)
        self->change.kind = RM_CHANGE_NONE;
    self->begun = rc == RM_EDENIED || rc == RM_EINVAL; /* there is none, or the log is of it already */
}
