#include "master/raft_ledger.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "master/raft_inside.h"
#include "master/raft_transport.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum {
    TICK_MS = 200,
    TICKS_PER_LOOK = 5, /* at the disk's free space */
    ELECTION_MS = 400,  /* drawn from 1 to 2 times that, so that a new leader is there within a second */
    HEARTBEAT_MS = 50,
    /* libraft tries a failed write again after this long, through the wrong timer, which crashes. A write that fails has to
       be given up before: the ledger stops after stuck_ms. */
    DISK_RETRY_MS = 30 * 1000,
    STUCK_MS_MAX = 10 * 1000
};

/* A proposal in flight; libraft holds on to the request until it is settled. */
typedef struct {
    struct raft_apply request;
    rm_ledger_t *ledger;
    uint64_t ticket;
    uint64_t number; /* of the batch */
    size_t bytes;    /* of the entry */
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

/* Moves the mark up to the newest applied batch, or fails. */
static void move_mark (rm_ledger_t *self)
{
    if (self->broken || self->mark.link.number >= self->applied.number)
        return;
    if (rm_raft_mark_move (&self->mark, &self->applied) != 0)
        rm_raft_ledger_fail (self, "cannot write %s/" RM_RAFT_MARK_NAME "; check the disk and start again",
                             self->config.dir);
}

static void look_at_disk (rm_ledger_t *self)
{
    if (rm_raft_dir_free_bytes (&self->dir, &self->free_bytes) != 0)
        self->free_bytes = 0;
}

/* The chain goes on from the newest batch in the log, which must be known to be the last: a new leader first gets what older
   ones left in its log committed (libraft appends a barrier for that), and so applied. */
static void watch_role (rm_ledger_t *self)
{
    raft_term term = raft_current_term (&self->raft);
    bool leads = raft_state (&self->raft) == RAFT_LEADER && !self->broken && (!self->leader || self->term == term);
    bool applied_all = raft_last_applied (&self->raft) == raft_last_index (&self->raft);
    if (leads && !self->leader && applied_all) {
        self->leader = true;
        self->term = term;
        self->caught_up = true;
        self->chained = self->applied;
        self->events.role (self->events.arg, true);
    } else if (!leads && self->leader) {
        self->leader = false;
        self->events.role (self->events.arg, false);
    }
    if (!self->caught_up && applied_all) {
        raft_id id = 0;
        const char *address = NULL;
        raft_leader (&self->raft, &id, &address);
        self->caught_up = id != 0;
    }
}

static void handle_closed (uv_handle_t *handle)
{
    rm_ledger_t *self = handle->data;
    if (--self->handles > 0)
        return;
    void (*closed) (void *arg) = self->closed;
    void *arg = self->closed_arg;
    rm_raft_mark_close (&self->mark);
    rm_raft_dir_close (&self->dir);
    rm_free ((char *)self->config.dir);
    rm_free ((char *)self->config.address);
    rm_free (self);
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
    if (self->taking.sealing || self->stage >= RM_RAFT_CLOSING)
        return;
    self->stage = RM_RAFT_CLOSING;
    uv_timer_stop (&self->timer);
    raft_close (&self->raft, raft_closed);
}

/* Everything that libraft does not tell of is seen here, before and after each wait of the loop. */
static void look (rm_ledger_t *self)
{
    if (self->stage == RM_RAFT_OPEN && !self->closed) {
        watch_role (self);
        move_mark (self); /* of a follower; a leader's is there before anything is settled */
        rm_raft_snapshot_arm (self);
        if (self->broken && !self->told) {
            self->told = true;
            self->events.failed (self->events.arg, self->error);
        }
    }
    if (self->closed)
        rm_raft_ledger_shut (self);
}

static void on_prepare (uv_prepare_t *prepare)
{
    look (prepare->data);
}

static void on_check (uv_check_t *check)
{
    look (check->data);
}

/* libraft answers a failed write with silence. Time in which we did not run (stopped, or starved) is no fault of the disk's,
   so a late tick counts for two at most. */
static void on_tick (uv_timer_t *timer)
{
    rm_ledger_t *self = timer->data;
    uint64_t now = uv_now (self->loop);
    uint64_t passed = now - self->ticked_ms < 2 * TICK_MS ? now - self->ticked_ms : 2 * TICK_MS;
    self->ticked_ms = now;
    self->waited_ms = self->issued == self->settled || self->watched != self->settled ? 0 : self->waited_ms + passed;
    self->watched = self->settled;
    if (++self->ticks % TICKS_PER_LOOK == 0)
        look_at_disk (self);
    if (self->waited_ms > self->config.stuck_ms)
        rm_raft_ledger_fail (self,
                             "a write to %s did not finish in %u ms%s%s: the disk is full, stuck or failing; nothing "
                             "acknowledged is lost, check the disk and start again",
                             self->config.dir, self->config.stuck_ms, *self->io.errmsg ? ", " : "", self->io.errmsg);
    look (self);
}

static int copy_config (rm_ledger_t *self, const rm_ledger_config_t *config)
{
    self->config = *config;
    self->config.dir = rm_strndup (config->dir, strlen (config->dir));
    self->config.address = rm_strndup (config->address, strlen (config->address));
    if (!self->config.snapshot_bytes)
        self->config.snapshot_bytes = RM_LEDGER_SNAPSHOT_BYTES;
    if (!self->config.segment_bytes)
        self->config.segment_bytes = RM_LEDGER_SEGMENT_BYTES;
    if (!self->config.stuck_ms)
        self->config.stuck_ms = RM_LEDGER_STUCK_MS;
    if (self->config.stuck_ms > STUCK_MS_MAX)
        self->config.stuck_ms = STUCK_MS_MAX;
    return self->config.dir && self->config.address ? 0 : RM_ENOMEM;
}

static void free_unstarted (rm_ledger_t *self)
{
    rm_raft_mark_close (&self->mark);
    rm_raft_dir_close (&self->dir);
    rm_free ((char *)self->config.dir);
    rm_free ((char *)self->config.address);
    rm_free (self);
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
        free_unstarted (self);
        return NULL;
    }
    return self;
}

const char *rm_ledger_error (const rm_ledger_t *self)
{
    return self->error;
}

static int refuse (rm_ledger_t *self, const char *problem)
{
    rm_raft_ledger_fail (
        self, "%s; nothing was changed; to go on with what can still be read, run: ringmaster --data %s --repair",
        problem, self->config.dir);
    return RM_ECORRUPT;
}

/* A directory in which there is no ledger yet; what there may be is from one that was killed while it was being made. */
static int make_new (rm_ledger_t *self)
{
    const rm_raft_link_t start = {0};
    unlinkat (self->dir.fd, "metadata1", 0);
    unlinkat (self->dir.fd, "metadata2", 0);
    int rc = rm_raft_mark_create (&self->dir, &start);
    if (rc == 0)
        rc = rm_raft_mark_open (&self->mark, &self->dir);
    if (rc != 0)
        rm_raft_ledger_fail (self, "cannot write to data directory %s", self->config.dir);
    return rc;
}

static int verify (rm_ledger_t *self, rm_raft_scan_t *scan)
{
    char problem[RM_RAFT_SENTENCE_BYTES];
    int mark = rm_raft_mark_open (&self->mark, &self->dir);
    int rc = rm_raft_scan_read (scan, &self->dir, mark == 0 ? &self->mark.link : NULL);
    if (rc != 0) {
        rm_raft_ledger_fail (self, "%s", scan->problem);
        return rc;
    }
    if (mark == RM_EUNKNOWN && scan->fresh && !scan->files.metadata[0] && !scan->files.metadata[1])
        return make_new (self);
    if (mark != 0) {
        snprintf (problem, sizeof problem, "%s/" RM_RAFT_MARK_NAME " is %s", self->config.dir,
                  mark == RM_EUNKNOWN   ? "missing"
                  : mark == RM_ECORRUPT ? "damaged"
                                        : "not readable");
        return refuse (self, problem);
    }
    if (*scan->problem)
        return refuse (self, scan->problem);
    if (scan->fresh) {
        rm_raft_mark_close (&self->mark);
        return make_new (self);
    }
    rc = rm_raft_scan_finish (scan, &self->dir);
    if (rc != 0)
        rm_raft_ledger_fail (self, "cannot write to data directory %s", self->config.dir);
    return rc;
}

/* libraft's own words, for what only it knows: that the file system lacks what it needs, or that it cannot read. */
static int refused_by_libraft (rm_ledger_t *self, const char *words)
{
    rm_raft_ledger_fail (self, "data directory %s cannot keep the ledger: %s", self->config.dir, words);
    return RM_EIO;
}

static int open_libraft (rm_ledger_t *self)
{
    rm_raft_transport_init (&self->transport);
    if (raft_uv_init (&self->io, self->loop, self->config.dir, &self->transport) != 0)
        return refused_by_libraft (self, self->io.errmsg);
    raft_uv_set_auto_recovery (&self->io, false); /* it throws acknowledged batches away */
    raft_uv_set_segment_size (&self->io, self->config.segment_bytes);
    raft_uv_set_disk_retry (&self->io, DISK_RETRY_MS);
    raft_uv_set_tracer (&self->io, NULL); /* it would format a message for each step, and drop it */
    rm_raft_machine_init (self);
    if (raft_init (&self->raft, &self->io, &self->fsm, self->config.id, self->config.address) != 0) {
        rm_raft_ledger_fail (
            self,
            "data directory %s cannot keep the ledger: %s; what is needed is asynchronous I/O of Linux's "
            "kernel, on ext4, xfs or tmpfs",
            self->config.dir, self->raft.errmsg);
        raft_uv_close (&self->io);
        return RM_EIO;
    }
    self->stage = RM_RAFT_LOADING;
    self->raft.data = self;
    self->raft.tracer = NULL;
    raft_set_election_timeout (&self->raft, ELECTION_MS);
    raft_set_heartbeat_timeout (&self->raft, HEARTBEAT_MS);
    raft_set_pre_vote (&self->raft, true);
    raft_set_snapshot_threshold (&self->raft, UINT_MAX); /* raft_snapshot.c says when */
    raft_set_capacity_threshold (&self->raft, 0);        /* rm_ledger_full says when */
    return 0;
}

static void open_handles (rm_ledger_t *self)
{
    uv_prepare_init (self->loop, &self->prepare);
    uv_check_init (self->loop, &self->check);
    uv_timer_init (self->loop, &self->timer);
    self->prepare.data = self->check.data = self->timer.data = self;
    self->handles = 3;
    uv_prepare_start (&self->prepare, on_prepare);
    uv_check_start (&self->check, on_check);
}

static int bootstrap (rm_ledger_t *self)
{
    struct raft_configuration group;
    raft_configuration_init (&group);
    int rc = raft_configuration_add (&group, self->config.id, self->config.address, RAFT_VOTER);
    if (rc == 0)
        rc = raft_bootstrap (&self->raft, &group);
    raft_configuration_close (&group);
    return rc == 0 ? 0 : refused_by_libraft (self, *self->io.errmsg ? self->io.errmsg : raft_strerror (rc));
}

/* Replays; what libraft has read must be what was verified. */
static int load (rm_ledger_t *self, const rm_raft_link_t *end)
{
    int rc = raft_start (&self->raft);
    if (self->broken)
        return RM_ECORRUPT;
    if (rc != 0)
        return refused_by_libraft (self, *raft_errmsg (&self->raft) ? raft_errmsg (&self->raft) : raft_strerror (rc));
    if (raft_role (&self->raft) == -1) {
        rm_raft_ledger_fail (self, "data directory %s belongs to another master than number %llu of its group",
                             self->config.dir, (unsigned long long)self->config.id);
        return RM_EINVAL;
    }
    if (self->applied.number != end->number || self->applied.hash != end->hash) {
        rm_raft_ledger_fail (self, "the ledger in %s was replayed up to batch %llu where %llu was read",
                             self->config.dir, (unsigned long long)self->applied.number,
                             (unsigned long long)end->number);
        return RM_ECORRUPT;
    }
    return 0;
}

int rm_ledger_start (rm_ledger_t *self)
{
    RM_ASSERT (self->stage == RM_RAFT_NEW && !self->broken);
    rm_raft_scan_t scan = {0};
    int rc = rm_raft_dir_open (&self->dir, self->config.dir, self->error, sizeof self->error);
    if (rc != 0) {
        self->broken = true;
        return rc;
    }
    rc = verify (self, &scan);
    if (rc == 0)
        rc = open_libraft (self);
    if (rc == 0) {
        open_handles (self);
        rc = scan.fresh ? bootstrap (self) : 0;
    }
    if (rc == 0)
        rc = load (self, &scan.end);
    rm_raft_scan_close (&scan);
    if (rc != 0)
        return rc;
    move_mark (self);
    look_at_disk (self);
    self->stage = RM_RAFT_OPEN;
    self->ticked_ms = uv_now (self->loop);
    uv_timer_start (&self->timer, on_tick, TICK_MS, TICK_MS);
    return self->broken ? RM_EIO : 0;
}

static void on_settled (struct raft_apply *request, int status, void *result)
{
    proposal_t *proposal = (proposal_t *)request;
    rm_ledger_t *self = proposal->ledger;
    (void)result;
    if (status == 0)
        move_mark (self);
    bool sure = status == 0 && !self->broken && self->mark.link.number >= proposal->number;
    uint64_t ticket = proposal->ticket;
    RM_ASSERT (ticket == self->settled + 1);
    self->settled = ticket;
    self->inflight_bytes -= proposal->bytes;
    rm_free (proposal);
    self->events.settled (self->events.arg, ticket, sure ? 0 : RM_ETIMEDOUT);
}

int rm_ledger_propose (rm_ledger_t *self, const void *batch, size_t size, uint64_t *ticket)
{
    if (size > RM_LEDGER_BATCH_BYTES_MAX)
        return RM_ETOOBIG;
    if (self->broken || self->closed)
        return RM_EIO;
    if (!self->leader || raft_state (&self->raft) != RAFT_LEADER || raft_current_term (&self->raft) != self->term)
        return RM_ESTATE;
    size_t bytes = rm_raft_batch_bytes (size);
    if (self->inflight_bytes > 0 && self->inflight_bytes + bytes > RM_LEDGER_INFLIGHT_BYTES_MAX)
        return RM_EBUSY;
    proposal_t *proposal = rm_calloc (1, sizeof *proposal);
    uint8_t *entry = raft_malloc (bytes);
    if (!proposal || !entry) {
        rm_free (proposal);
        raft_free (entry);
        return RM_ENOMEM;
    }
    rm_raft_link_t link;
    if (size > 0)
        memcpy (entry + RM_RAFT_BATCH_HEADER_BYTES, batch, size);
    rm_raft_batch_seal (entry, size, &self->chained, &link);
    *proposal = (proposal_t){.ledger = self, .ticket = self->issued + 1, .number = link.number, .bytes = bytes};
    struct raft_buffer buffer = {.base = entry, .len = bytes};
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
    self->chained = link;
    self->issued++;
    self->inflight_bytes += bytes;
    *ticket = self->issued;
    return 0;
}

bool rm_ledger_full (const rm_ledger_t *self)
{
    /* The next snapshot is at most the last one and what was logged since; two are kept. */
    uint64_t snapshots = 2 * (self->snapshot_bytes + self->log_bytes);
    uint64_t needed = 4 * self->config.segment_bytes + snapshots + self->config.spare_bytes;
    return self->free_bytes < needed || self->log_bytes > 4 * self->config.snapshot_bytes;
}

void rm_ledger_status (const rm_ledger_t *self, rm_ledger_status_t *status)
{
    *status = (rm_ledger_status_t){
        .leader = self->leader,
        .applied = self->applied.number,
        .inflight = self->issued - self->settled,
        .inflight_bytes = self->inflight_bytes,
        .log_bytes = self->log_bytes,
        .snapshots = self->snapshots,
        .snapshot_bytes = self->snapshot_bytes,
        .free_bytes = self->free_bytes,
    };
}

void rm_ledger_close (rm_ledger_t **self_p, void (*closed) (void *arg), void *arg)
{
    rm_ledger_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->stage == RM_RAFT_NEW) {
        free_unstarted (self);
        closed (arg);
        return;
    }
    self->closed = closed;
    self->closed_arg = arg;
}
