#include "master/raft_ledger.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master/raft_inside.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum {
    TICK_MS = 200,
    TICKS_PER_LOOK = 5, /* at the disk's free space */
    NEAR_ENTRIES = 64,  /* a follower that is so far behind has caught up */
    STUCK_MS_MAX = 10 * 1000
};

/* A proposal in flight; libraft holds on to the request until it is settled. */
typedef struct {
    struct raft_apply request;
    rm_ledger_t *ledger;
    uint64_t ticket;                               /* 0: it is a note */
    uint64_t number;                               /* of the batch */
    size_t bytes;                                  /* of the entry */
    void (*noted) (rm_ledger_t *self, int status); /* a note's; or NULL */
} proposal_t;

void rm_raft_ledger_fail (rm_ledger_t *self, const char *format, ...)
{
    if (self->broken)
        return;
    self->broken = true;
    va_list args;
    va_start (args, format);
    vsnprintf (self->error, sizeof self->error, format, args);
    va_end (args);
}

void rm_raft_ledger_mark (rm_ledger_t *self)
{
    while (self->unstored.count > 0 && self->unstored.places[self->unstored.first].index <= self->raft.last_stored) {
        self->stored = self->unstored.places[self->unstored.first].link;
        self->unstored.first = (self->unstored.first + 1) % RM_RAFT_UNSTORED_MAX;
        self->unstored.count--;
    }
    if (self->broken || self->mark.link.number >= self->stored.number)
        return;
    if (rm_raft_mark_move (&self->mark, &self->stored) != 0)
        rm_raft_ledger_fail (self, "cannot write %s/" RM_RAFT_MARK_NAME "; check the disk and start again",
                             self->config.dir);
}

static void look_at_disk (rm_ledger_t *self)
{
    if (rm_raft_dir_free_bytes (&self->dir, &self->free_bytes) != 0)
        self->free_bytes = 0;
}

/* By libraft's books; a leader of an earlier term has to be told that it was deposed in between. */
static bool leads_still (rm_ledger_t *self)
{
    return raft_state (&self->raft) == RAFT_LEADER && !self->broken &&
           (!self->leader || self->term == raft_current_term (&self->raft));
}

void rm_raft_ledger_step_down (rm_ledger_t *self)
{
    if (!self->leader || leads_still (self))
        return;
    self->leader = false;
    self->events.role (self->events.arg, false);
}

/* The chain goes on from the newest batch in the log, which must be known to be the last: a new leader first gets what older
   ones left in its log committed (libraft appends a barrier for that), and so applied. */
static void watch_role (rm_ledger_t *self)
{
    raft_term term = raft_current_term (&self->raft);
    bool leads = leads_still (self);
    rm_raft_ledger_step_down (self);
    raft_index behind = raft_last_index (&self->raft) - raft_last_applied (&self->raft);
    bool applied_all = behind == 0;
    if (leads && !self->leader && applied_all) {
        self->leader = true;
        self->term = term;
        self->caught_up = true;
        self->chained = self->applied;
        self->events.role (self->events.arg, true);
    }
    if (!self->caught_up && behind <= NEAR_ENTRIES) {
        raft_id id = 0;
        const char *address = NULL;
        raft_leader (&self->raft, &id, &address);
        self->caught_up = id != 0;
    }
}

static void free_all (rm_ledger_t *self)
{
    rm_raft_mark_close (&self->mark);
    rm_raft_dir_close (&self->dir);
    rm_free ((char *)self->config.dir);
    rm_free ((char *)self->config.address);
    rm_free ((char *)self->config.bind);
    if (self->config.secret)
        sodium_memzero ((void *)(uintptr_t)self->config.secret, self->config.secret_bytes);
    rm_free ((void *)(uintptr_t)self->config.secret);
    rm_free (self);
}

static void handle_closed (uv_handle_t *handle)
{
    rm_ledger_t *self = handle->data;
    if (--self->handles > 0)
        return;
    void (*closed) (void *arg) = self->closed;
    void *arg = self->closed_arg;
    free_all (self);
    closed (arg);
}

static void raft_closed (struct raft *raft)
{
    rm_ledger_t *self = raft->data;
    self->stage = RM_RAFT_CLOSED;
    raft_uv_close (&self->io);
    uv_close ((uv_handle_t *)&self->prepare, handle_closed);
    uv_close ((uv_handle_t *)&self->check, handle_closed);
    uv_close ((uv_handle_t *)&self->timer, handle_closed);
}

void rm_raft_ledger_shut (rm_ledger_t *self)
{
    if (self->taking.sealing || self->checking.sealing || self->stage >= RM_RAFT_CLOSING)
        return;
    self->stage = RM_RAFT_CLOSING;
    uv_timer_stop (&self->timer);
    rm_raft_change_close (self);
    raft_close (&self->raft, raft_closed);
}

/* Everything that libraft does not tell of is seen here, before and after each wait of the loop. */
static void look (rm_ledger_t *self, bool polled)
{
    rm_raft_peers_pulse (self, polled);
    if (self->stage == RM_RAFT_LOOKING && !self->closed && !self->broken)
        rm_raft_found_step (self);
    if (self->stage == RM_RAFT_OPEN && !self->closed) {
        watch_role (self);
        rm_raft_ledger_mark (self); /* of a follower; a leader's is there before anything is settled */
        rm_raft_snapshot_arm (self);
        rm_raft_change_look (self);
    }
    if (self->stage >= RM_RAFT_LOOKING && !self->closed && self->broken && !self->told) {
        self->told = true;
        self->events.failed (self->events.arg, self->error);
    }
    if (self->closed)
        rm_raft_ledger_shut (self);
}

static void on_prepare (uv_prepare_t *prepare)
{
    look (prepare->data, false);
}

static void on_check (uv_check_t *check)
{
    look (check->data, true);
}

/* Once there is a log, there must always be one; once there were others, they have what is lost here. */
static void note_membership (rm_ledger_t *self)
{
    rm_raft_identity_t *identity = &self->identity;
    bool member = identity->membership == RM_RAFT_JOINED && self->raft.last_stored > 0;
    bool grouped = !identity->grouped && self->raft.configuration.n > 1;
    if (!member && !grouped)
        return;
    identity->membership = member ? RM_RAFT_MEMBER : identity->membership;
    identity->grouped = true;
    rm_raft_open_identify (self);
}

/* libraft answers a failed write with silence. Time in which we did not run (stopped, or starved) is no fault of the disk's,
   so a late tick counts for two at most. */
static void watch_disk (rm_ledger_t *self)
{
    uint64_t now = uv_now (self->loop);
    uint64_t passed = now - self->ticked_ms < 2 * TICK_MS ? now - self->ticked_ms : 2 * TICK_MS;
    raft_index stored = self->raft.last_stored;
    bool writing = stored < raft_last_index (&self->raft) && !self->raft.snapshot.installing;
    self->ticked_ms = now;
    self->waited_ms = !writing || self->watched != stored ? 0 : self->waited_ms + passed;
    self->watched = stored;
    if (++self->ticks % TICKS_PER_LOOK == 0)
        look_at_disk (self);
    if (self->waited_ms > self->config.stuck_ms)
        rm_raft_ledger_fail (self,
                             "a write to %s did not finish in %u ms%s%s: the disk is full, stuck or failing; nothing "
                             "acknowledged is lost, check the disk and start again",
                             self->config.dir, self->config.stuck_ms, *self->io.errmsg ? ", " : "", self->io.errmsg);
}

static void on_tick (uv_timer_t *timer)
{
    rm_ledger_t *self = timer->data;
    if (self->stage == RM_RAFT_OPEN && !self->closed && !self->broken) {
        watch_disk (self);
        note_membership (self);
        rm_raft_change_step (self);
        rm_raft_transport_review (&self->transport);
        rm_raft_digest_step (self);
    }
    look (self, false);
}

static int compare_members (const void *one, const void *two)
{
    const rm_raft_member_t *a = one, *b = two;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* Those of the peers that can be; raft_open.c tells if that is not all of them. */
static void copy_peers (rm_ledger_t *self, const rm_ledger_config_t *config)
{
    rm_raft_roster_t *listed = &self->listed;
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6];
    for (size_t i = 0; i < config->peer_count && listed->count < RM_RAFT_MEMBERS_MAX; i++) {
        const rm_ledger_peer_t *peer = &config->peers[i];
        if (!peer->id || rm_raft_roster_find (listed, peer->id) || !rm_raft_address_split (peer->address, host, port))
            continue;
        rm_raft_member_t *member = &listed->members[listed->count++];
        *member = (rm_raft_member_t){.id = peer->id};
        strcpy (member->address, peer->address);
    }
    qsort (listed->members, listed->count, sizeof *listed->members, compare_members);
}

static int copy_config (rm_ledger_t *self, const rm_ledger_config_t *config)
{
    copy_peers (self, config);
    const rm_raft_member_t *listed = rm_raft_roster_find (&self->listed, config->id);
    const char *address = listed ? listed->address : config->address ? config->address : "";
    self->config = *config;
    self->config.peers = NULL; /* they are in `listed` */
    self->config.dir = rm_strndup (config->dir, strlen (config->dir));
    self->config.address = rm_strndup (address, strlen (address));
    self->config.bind = config->bind ? rm_strndup (config->bind, strlen (config->bind)) : NULL;
    self->config.secret = config->secret_bytes ? rm_memdup (config->secret, config->secret_bytes) : NULL;
    if (!self->config.snapshot_bytes)
        self->config.snapshot_bytes = RM_LEDGER_SNAPSHOT_BYTES;
    if (!self->config.segment_bytes)
        self->config.segment_bytes = RM_LEDGER_SEGMENT_BYTES;
    if (!self->config.digest_bytes)
        self->config.digest_bytes = RM_LEDGER_DIGEST_BYTES;
    if (!self->config.format_max || self->config.format_max > RM_LEDGER_FORMAT)
        self->config.format_max = RM_LEDGER_FORMAT;
    if (!self->config.stuck_ms)
        self->config.stuck_ms = RM_LEDGER_STUCK_MS;
    if (self->config.stuck_ms > STUCK_MS_MAX)
        self->config.stuck_ms = STUCK_MS_MAX;
    bool whole = self->config.dir && self->config.address && (!config->bind || self->config.bind) &&
                 (!config->secret_bytes || self->config.secret);
    return whole ? 0 : RM_ENOMEM;
}

rm_ledger_t *rm_ledger_new (struct uv_loop_s *loop, const rm_ledger_config_t *config, const rm_ledger_events_t *events)
{
    rm_ledger_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->loop = loop;
    self->events = *events;
    self->mark.file = self->dir.fd = self->dir.lock = -1;
    if (copy_config (self, config) != 0) {
        free_all (self);
        return NULL;
    }
    return self;
}

const char *rm_ledger_error (const rm_ledger_t *self)
{
    return self->error;
}

void rm_raft_ledger_watch (rm_ledger_t *self)
{
    uv_prepare_init (self->loop, &self->prepare);
    uv_check_init (self->loop, &self->check);
    uv_timer_init (self->loop, &self->timer);
    self->prepare.data = self->check.data = self->timer.data = self;
    self->handles = 3;
    look_at_disk (self);
    self->ticked_ms = uv_now (self->loop);
    uv_prepare_start (&self->prepare, on_prepare);
    uv_check_start (&self->check, on_check);
    uv_timer_start (&self->timer, on_tick, TICK_MS, TICK_MS);
}

static void on_settled (struct raft_apply *request, int status, void *result)
{
    proposal_t *proposal = (proposal_t *)request;
    rm_ledger_t *self = proposal->ledger;
    (void)result;
    if (status == 0)
        rm_raft_ledger_mark (self);
    bool sure = status == 0 && !self->broken && self->applied.number >= proposal->number;
    proposal_t was = *proposal;
    self->inflight_bytes -= was.bytes;
    rm_free (proposal);
    if (was.ticket) {
        RM_ASSERT (was.ticket == self->settled + 1);
        self->settled = was.ticket;
        self->events.settled (self->events.arg, was.ticket, sure ? 0 : RM_ETIMEDOUT);
    } else if (was.noted)
        was.noted (self, sure ? 0 : RM_ETIMEDOUT);
}

static int may_propose (const rm_ledger_t *self, size_t bytes)
{
    if (self->broken || self->closed)
        return RM_EIO;
    if (!self->leader || raft_state ((struct raft *)(uintptr_t)&self->raft) != RAFT_LEADER ||
        raft_current_term ((struct raft *)(uintptr_t)&self->raft) != self->term)
        return RM_ESTATE;
    if (self->changing.kind == RM_RAFT_TRANSFERRING)
        return RM_EBUSY;
    bool much = self->inflight_bytes > 0 && self->inflight_bytes + bytes > RM_LEDGER_INFLIGHT_BYTES_MAX;
    return much ? RM_EBUSY : 0;
}

/* Hands a sealed entry, whose place is `link`, to libraft. Both belong to it then, or are freed. */
static int append (rm_ledger_t *self, uint8_t *entry, proposal_t *proposal, const rm_raft_link_t *link)
{
    struct raft_buffer buffer = {.base = entry, .len = proposal->bytes};
    size_t bytes = proposal->bytes;
    proposal->ledger = self;
    proposal->number = link->number;
    int rc = raft_apply (&self->raft, &proposal->request, &buffer, 1, on_settled);
    if (rc != 0) {
        /* Only where the entry was not looked at is it sure that libraft has not freed it. */
        rm_free (proposal);
        if (rc == RAFT_NOTLEADER) {
            raft_free (entry);
            return RM_ESTATE;
        }
        rm_raft_ledger_fail (self, "cannot write to the ledger in %s: %s; check the disk and start again",
                             self->config.dir, *self->io.errmsg ? self->io.errmsg : raft_strerror (rc));
        return RM_EIO;
    }
    self->chained = *link;
    self->inflight_bytes += bytes;
    return 0;
}

/* Room for an entry of so many bytes and for its proposal, if one may be made now. */
static int prepare (rm_ledger_t *self, size_t bytes, proposal_t **proposal_p, uint8_t **entry_p)
{
    int rc = may_propose (self, bytes);
    if (rc != 0)
        return rc;
    proposal_t *proposal = rm_calloc (1, sizeof *proposal);
    uint8_t *entry = raft_malloc (bytes);
    if (!proposal || !entry) {
        rm_free (proposal);
        raft_free (entry);
        return RM_ENOMEM;
    }
    *proposal_p = proposal;
    *entry_p = entry;
    return 0;
}

int rm_ledger_propose (rm_ledger_t *self, const void *batch, size_t size, uint64_t *ticket)
{
    if (size > RM_LEDGER_BATCH_BYTES_MAX)
        return RM_ETOOBIG;
    size_t bytes = rm_raft_batch_bytes (size);
    proposal_t *proposal;
    uint8_t *entry;
    int rc = prepare (self, bytes, &proposal, &entry);
    if (rc != 0)
        return rc;
    rm_raft_link_t link;
    if (size > 0)
        memcpy (entry + RM_RAFT_BATCH_HEADER_BYTES, batch, size);
    rm_raft_batch_seal (entry, size, &self->chained, &link);
    *proposal = (proposal_t){.ticket = self->issued + 1, .bytes = bytes};
    rc = append (self, entry, proposal, &link);
    if (rc == 0)
        *ticket = ++self->issued;
    return rc;
}

int rm_raft_ledger_note (rm_ledger_t *self, const rm_raft_note_t *note, void (*noted) (rm_ledger_t *self, int status))
{
    size_t bytes = rm_raft_batch_bytes (RM_RAFT_NOTE_BYTES);
    proposal_t *proposal;
    uint8_t *entry;
    int rc = prepare (self, bytes, &proposal, &entry);
    if (rc != 0)
        return rc;
    rm_raft_link_t link;
    rm_raft_note_seal (entry, note, &self->chained, &link);
    *proposal = (proposal_t){.bytes = bytes, .noted = noted};
    return append (self, entry, proposal, &link);
}

bool rm_ledger_full (const rm_ledger_t *self)
{
    /* The next snapshot is at most the last one and what was logged since; two are kept. */
    uint64_t snapshots = 2 * (self->snapshot_bytes + self->log_bytes);
    uint64_t needed = 4 * self->config.segment_bytes + snapshots + self->config.spare_bytes;
    return self->free_bytes < needed || self->log_bytes > 4 * self->config.snapshot_bytes;
}

uint64_t rm_ledger_format (const rm_ledger_t *self)
{
    return self->applied.format ? self->applied.format : 1;
}

void rm_ledger_status (const rm_ledger_t *self, rm_ledger_status_t *status)
{
    raft_id leader = 0;
    const char *name = NULL;
    bool open = self->stage == RM_RAFT_OPEN;
    if (open)
        raft_leader ((struct raft *)(uintptr_t)&self->raft, &leader, &name);
    *status = (rm_ledger_status_t){
        .leader = self->leader,
        .applied = self->applied.number,
        .inflight = self->issued - self->settled,
        .inflight_bytes = self->inflight_bytes,
        .log_bytes = self->log_bytes,
        .snapshots = self->snapshots,
        .snapshot_bytes = self->snapshot_bytes,
        .free_bytes = self->free_bytes,
        .seeking = self->stage == RM_RAFT_LOOKING,
        .term = open ? raft_current_term (&self->raft) : 0,
        .leader_id = leader,
        .port = self->transport.port,
        .generation = self->identity.generation,
        .restored = self->installed,
        .sent = self->sent,
        .format = rm_ledger_format (self),
        .verified = self->checking.verified,
    };
    if (leader && name)
        snprintf (status->leader_address, sizeof status->leader_address, "%.*s", (int)strcspn (name, "#"), name);
    memcpy (status->cluster, self->identity.cluster, sizeof status->cluster);
}

void rm_ledger_close (rm_ledger_t **self_p, void (*closed) (void *arg), void *arg)
{
    rm_ledger_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    RM_ASSERT (!self->backup);
    if (self->stage == RM_RAFT_NEW) {
        free_all (self);
        closed (arg);
        return;
    }
    self->closed = closed;
    self->closed_arg = arg;
}
