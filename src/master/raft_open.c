/*  How a ledger starts: everything in the directory is verified before libraft sees it, and what libraft has read must be
 *  what was verified.
 */
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/raft_inside.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum {
    HEARTBEAT_MS = 50,
    /* libraft tries a failed write again after this long, through the wrong timer, which crashes. A write that fails has to
       be given up before: the ledger stops after stuck_ms. */
    DISK_RETRY_MS = 30 * 1000,
    CONNECT_RETRY_MS = 100,
    INSTALL_MS = 60 * 1000, /* a snapshot that did not arrive is sent again */
    ROUND_MS = 60 * 1000    /* a standby that is to vote has at most this long for what is left */
};

static int refuse (rm_ledger_t *self, const char *problem)
{
    if (self->identity.grouped)
        rm_raft_ledger_fail (
            self,
            "%s; nothing was changed; the other masters have what is lost here: remove master %llu from "
            "the group, and start one with an empty directory and a new number in its place",
            problem, (unsigned long long)self->config.id);
    else
        rm_raft_ledger_fail (
            self, "%s; nothing was changed; to go on with what can still be read, run: ringmaster --data %s --repair",
            problem, self->config.dir);
    return RM_ECORRUPT;
}

int rm_raft_open_identify (rm_ledger_t *self)
{
    int rc = rm_raft_identity_write (&self->identity, &self->dir);
    if (rc != 0)
        rm_raft_ledger_fail (self, "cannot write to data directory %s", self->config.dir);
    return rc;
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

/* Nothing of a log is there: that is well before there was one. */
static int verify_empty (rm_ledger_t *self, int mark)
{
    char problem[RM_RAFT_SENTENCE_BYTES];
    if (self->identity.membership == RM_RAFT_MEMBER) {
        snprintf (problem, sizeof problem, "files are missing in %s: there was a ledger", self->config.dir);
        return refuse (self, problem);
    }
    if (self->identity.membership == RM_RAFT_JOINED && mark == 0)
        return 0;
    rm_raft_mark_close (&self->mark);
    return make_new (self);
}

static int verify (rm_ledger_t *self, rm_raft_scan_t *scan)
{
    char problem[RM_RAFT_SENTENCE_BYTES];
    int mark = rm_raft_mark_open (&self->mark, &self->dir);
    int rc = rm_raft_scan_read (scan, &self->dir, mark == 0 ? &self->mark.link : NULL);
    bool no_notes = !scan->files.metadata[0] && !scan->files.metadata[1];
    if (rc != 0) {
        rm_raft_ledger_fail (self, "%s", scan->problem);
        return rc;
    }
    if (scan->newer) {
        rm_raft_ledger_fail (self, "%s: " RM_RAFT_NEWER_ADVICE, scan->problem);
        return RM_EDENIED;
    }
    if (mark == RM_EUNKNOWN && scan->fresh && no_notes)
        return verify_empty (self, mark);
    if (mark != 0) {
        snprintf (problem, sizeof problem, "%s/" RM_RAFT_MARK_NAME " is %s", self->config.dir,
                  mark == RM_EUNKNOWN   ? "missing"
                  : mark == RM_ECORRUPT ? "damaged"
                                        : "not readable");
        return refuse (self, problem);
    }
    if (*scan->problem)
        return refuse (self, scan->problem);
    if (scan->fresh)
        return verify_empty (self, mark);
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
    rm_raft_peers_init (self);
    if (raft_uv_init (&self->io, self->loop, self->config.dir, &self->face) != 0)
        return refused_by_libraft (self, self->io.errmsg);
    raft_uv_set_auto_recovery (&self->io, false); /* it throws acknowledged batches away */
    raft_uv_set_segment_size (&self->io, self->config.segment_bytes);
    raft_uv_set_disk_retry (&self->io, DISK_RETRY_MS);
    raft_uv_set_connect_retry_delay (&self->io, CONNECT_RETRY_MS);
    raft_uv_set_tracer (&self->io, NULL); /* it would format a message for each step, and drop it */
    rm_raft_machine_init (self);
    rm_raft_parcels_interpose (self);
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
    raft_set_election_timeout (&self->raft, RM_LEDGER_ELECTION_MS);
    raft_set_heartbeat_timeout (&self->raft, HEARTBEAT_MS);
    raft_set_pre_vote (&self->raft, true);
    raft_set_max_inflight_entries (&self->raft, RM_RAFT_ENTRIES_MAX);
    raft_set_install_snapshot_timeout (&self->raft, INSTALL_MS);
    raft_set_max_catch_up_round_duration (&self->raft, ROUND_MS);
    raft_set_snapshot_threshold (&self->raft, UINT_MAX); /* raft_snapshot.c says when */
    raft_set_capacity_threshold (&self->raft, 0);        /* rm_ledger_full says when */
    return 0;
}

/* ---- who it is -------------------------------------------------------------------------------------------------- */

static int belongs_to_another (rm_ledger_t *self)
{
    rm_raft_ledger_fail (self, "data directory %s belongs to another master than number %llu of its group",
                         self->config.dir, (unsigned long long)self->config.id);
    return RM_EINVAL;
}

/* The group at the end of the log, to be closed; false: there is none. */
static bool read_group (const rm_raft_scan_t *scan, struct raft_configuration *group)
{
    const struct raft_buffer bytes = {scan->group, scan->group_bytes};
    return scan->group && rm_raft_group_is_valid (scan->group, scan->group_bytes) &&
           raft_configuration_decode (&bytes, group) == 0;
}

/* There is no ledger yet, or one of a version that knew no groups. */
static int make_identity (rm_ledger_t *self, const rm_raft_scan_t *scan)
{
    struct raft_configuration group;
    self->identity = (rm_raft_identity_t){
        .membership = scan->fresh ? RM_RAFT_SEEKING : RM_RAFT_MEMBER, .id = self->config.id, .generation = 1};
    randombytes_buf (self->identity.disk, sizeof self->identity.disk);
    if (!scan->fresh && read_group (scan, &group)) {
        bool member = rm_raft_group_find (&group, self->config.id) != NULL;
        raft_configuration_close (&group);
        if (!member)
            return belongs_to_another (self);
        randombytes_buf (self->identity.cluster, sizeof self->identity.cluster);
    }
    return rm_raft_open_identify (self);
}

static int read_identity (rm_ledger_t *self)
{
    char problem[RM_RAFT_SENTENCE_BYTES];
    int rc = rm_raft_identity_read (&self->identity, &self->dir);
    if (rc == RM_EUNKNOWN)
        return 0;
    if (rc != 0) {
        snprintf (problem, sizeof problem, "%s/" RM_RAFT_IDENTITY_NAME " is %s", self->config.dir,
                  rc == RM_ECORRUPT ? "damaged" : "not readable");
        return refuse (self, problem);
    }
    return self->identity.id == self->config.id ? 0 : belongs_to_another (self);
}

/* A group of one that listens now, or elsewhere than before: its entry in its own log must say where. It alone decides. */
static int mend_address (rm_ledger_t *self, const rm_raft_scan_t *scan)
{
    struct raft_configuration group, mended;
    char name[RM_RAFT_NAME_OF_MEMBER_BYTES];
    int rc = 0;
    if (!read_group (scan, &group))
        return 0;
    rm_raft_member_name (name, self->config.address, self->identity.disk);
    if (group.n == 1 && group.servers[0].id == self->config.id && self->transport.port > 0 &&
        strcmp (group.servers[0].address, name) != 0) {
        raft_configuration_init (&mended);
        rc = raft_configuration_add (&mended, self->config.id, name, RAFT_VOTER);
        if (rc == 0)
            rc = raft_recover (&self->raft, &mended);
        raft_configuration_close (&mended);
        if (rc != 0)
            rc = refused_by_libraft (self, *self->io.errmsg ? self->io.errmsg : raft_strerror (rc));
    }
    raft_configuration_close (&group);
    return rc;
}

/* ---- the beginning ---------------------------------------------------------------------------------------------- */

static int bootstrap (rm_ledger_t *self)
{
    struct raft_configuration group;
    int rc = rm_raft_roster_configure (&self->identity.founders, &group);
    if (rc == 0) {
        rc = raft_bootstrap (&self->raft, &group);
        raft_configuration_close (&group);
    }
    return rc == 0 ? 0 : refused_by_libraft (self, *self->io.errmsg ? self->io.errmsg : raft_strerror (rc));
}

/* Replays; what libraft has read must be what was verified. A member of a group has read it, and applies it later. */
static int load (rm_ledger_t *self, const rm_raft_link_t *end)
{
    int rc = raft_start (&self->raft);
    if (self->broken)
        return RM_ECORRUPT;
    if (rc != 0)
        return refused_by_libraft (self, *raft_errmsg (&self->raft) ? raft_errmsg (&self->raft) : raft_strerror (rc));
    const struct raft_configuration *group = &self->raft.configuration;
    if (raft_role (&self->raft) == -1 && !self->identity.grouped)
        return belongs_to_another (self);
    self->alone = raft_role (&self->raft) == RAFT_VOTER && rm_raft_group_voters (group) == 1;
    bool reached = self->applied.number == end->number && self->applied.hash == end->hash;
    if (self->alone ? !reached : self->applied.number > end->number) {
        rm_raft_ledger_fail (self, "the ledger in %s was replayed up to batch %llu where %llu was read",
                             self->config.dir, (unsigned long long)self->applied.number,
                             (unsigned long long)end->number);
        return RM_ECORRUPT;
    }
    return 0;
}

int rm_raft_open_begin (rm_ledger_t *self, bool fresh, const rm_raft_link_t *end)
{
    bool founding = self->identity.membership == RM_RAFT_FOUNDING;
    int rc = founding && fresh ? bootstrap (self) : 0;
    if (rc == 0 && founding) {
        self->identity.membership = RM_RAFT_MEMBER;
        rc = rm_raft_open_identify (self);
    }
    if (rc == 0)
        rc = load (self, end);
    if (rc != 0)
        return rc;
    self->stage = RM_RAFT_OPEN;
    rm_raft_ledger_mark (self);
    return 0;
}

/* Port 0 means whichever it got. */
static int settle_address (rm_ledger_t *self)
{
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6], settled[RM_RAFT_ADDRESS_BYTES_MAX + 16];
    if (!rm_raft_address_split (self->config.address, host, port) || strtoul (port, NULL, 10) != 0)
        return 0;
    snprintf (settled, sizeof settled, strchr (host, ':') ? "[%s]:%u" : "%s:%u", host, self->transport.port);
    char *copy = rm_strndup (settled, strlen (settled));
    if (!copy) {
        rm_raft_ledger_fail (self, "memory ran out");
        return RM_ENOMEM;
    }
    rm_free ((char *)self->config.address);
    self->config.address = copy;
    return 0;
}

static int open_transport (rm_ledger_t *self)
{
    char error[512];
    const char *bind = self->config.bind;
    if (!bind && self->listed.count > 1)
        bind = self->config.address;
    if (!bind)
        return 0;
    int rc = rm_raft_transport_open (&self->transport, bind, error, sizeof error);
    if (rc != 0)
        rm_raft_ledger_fail (self, "%s", error);
    return rc == 0 ? settle_address (self) : rc;
}

/* What is wrong with what the ledger was given, apart from its directory. */
static int check_config (rm_ledger_t *self)
{
    char host[RM_RAFT_ADDRESS_BYTES_MAX + 1], port[6];
    const char *wrong = NULL;
    if (self->config.peer_count > RM_LEDGER_MEMBERS_MAX)
        wrong = "there are more than 16 peers";
    else if (self->config.id == 0)
        wrong = "a master's number is 1 or more";
    else if (self->listed.count < self->config.peer_count)
        wrong = "a peer's number is 0 or named twice, or its address is not HOST:PORT";
    else if (self->listed.count > 0 && !rm_raft_roster_find (&self->listed, self->config.id))
        wrong = "this master is not among its peers";
    else if (!rm_raft_address_split (self->config.address, host, port))
        wrong = "this master's address is not HOST:PORT";
    else if (self->config.secret_bytes > 0 && self->config.secret_bytes < RM_LEDGER_SECRET_BYTES_MIN)
        wrong = "a cluster secret has at least 16 bytes";
    if (wrong)
        rm_raft_ledger_fail (self, "%s", wrong);
    return wrong ? RM_EINVAL : 0;
}

static int open_dir (rm_ledger_t *self)
{
    int rc = rm_raft_dir_open (&self->dir, self->config.dir, self->error, sizeof self->error);
    self->broken = rc != 0;
    return rc;
}

int rm_ledger_start (rm_ledger_t *self)
{
    RM_ASSERT (self->stage == RM_RAFT_NEW && !self->broken);
    rm_raft_scan_t scan = {0};
    int rc = check_config (self);
    if (rc == 0)
        rc = open_dir (self);
    if (rc == 0)
        rc = read_identity (self);
    if (rc != 0)
        return rc;
    rc = verify (self, &scan);
    if (rc == 0 && !self->identity.membership)
        rc = make_identity (self, &scan);
    if (rc == 0)
        rc = open_libraft (self);
    if (rc == 0) {
        rm_raft_ledger_watch (self);
        rc = open_transport (self);
    }
    if (rc == 0 && !scan.fresh)
        rc = mend_address (self, &scan);
    if (rc == 0 && self->identity.membership == RM_RAFT_SEEKING) {
        self->stage = RM_RAFT_LOOKING;
        if (self->listed.count <= 1)
            rc = rm_raft_found_begin (self, NULL);
    } else if (rc == 0)
        rc = rm_raft_open_begin (self, scan.fresh, &scan.end);
    rm_raft_scan_close (&scan);
    return rc != 0 ? rc : self->broken ? RM_EIO : 0;
}
