/*  The state machine that libraft drives: batches in the order of the log, and a snapshot to begin from.
 *
 *  libraft frees the log twice when `apply` refuses an entry, so it never does: the ledger breaks instead, and swallows what
 *  still comes.
 */
#include "master/raft_inside.h"
#include "ringmaster/error.h"
#include <xxhash.h>

static const char *check_next (const rm_ledger_t *self, const struct raft_buffer *buffer, rm_raft_batch_t *batch)
{
    const char *damage = rm_raft_batch_open (buffer->base, buffer->len, batch);
    if (damage)
        return damage;
    if (batch->link.number != self->applied.number + 1 || batch->previous != self->applied.hash)
        return "a batch does not follow the one before";
    if (batch->format != (self->applied.format ? self->applied.format : 1))
        return "a batch has another format than the ledger at that place";
    return NULL;
}

static bool is_too_new (rm_ledger_t *self, uint64_t format)
{
    if (format > self->config.format_max)
        rm_raft_ledger_fail (
            self,
            "the ledger in %s is of a newer format than this version reads, which is %llu; nothing is lost "
            "by that, start a newer version",
            self->config.dir, (unsigned long long)self->config.format_max);
    return self->broken;
}

/* A batch may be committed by the others, and so applied, before it is on this disk. Only what is on this disk may be
 * marked. */
static void note_place (rm_ledger_t *self, raft_index index)
{
    unsigned count = self->unstored.count;
    if (count == 0 && index <= self->raft.last_stored)
        self->stored = self->applied;
    else if (count < RM_RAFT_UNSTORED_MAX) {
        unsigned at = (self->unstored.first + count) % RM_RAFT_UNSTORED_MAX;
        self->unstored.places[at].index = index;
        self->unstored.places[at].link = self->applied;
        self->unstored.count++;
    }
}

static int machine_apply (struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    rm_ledger_t *self = fsm->data;
    rm_raft_batch_t batch;
    *result = NULL;
    if (self->broken)
        return 0;
    rm_raft_ledger_step_down (self);
    const char *damage = check_next (self, buffer, &batch);
    if (is_too_new (self, damage == rm_raft_newer ? UINT64_MAX : damage ? 0 : batch.link.format))
        return 0;
    if (damage) {
        rm_raft_ledger_fail (self, "the ledger in %s is damaged after batch %llu: %s", self->config.dir,
                             (unsigned long long)self->applied.number, damage);
        return 0;
    }
    const rm_raft_link_t *mark = &self->mark.link;
    if (batch.link.number == mark->number && batch.link.hash != mark->hash) {
        rm_raft_ledger_fail (self, "batch %llu of the ledger in %s is not the one that was acknowledged",
                             (unsigned long long)mark->number, self->config.dir);
        return 0;
    }
    int rc = batch.note.kind ? 0 : self->events.apply (self->events.arg, batch.body, batch.size);
    if (rc != 0) {
        rm_raft_ledger_fail (self, "batch %llu of the ledger in %s cannot be applied: %s",
                             (unsigned long long)batch.link.number, self->config.dir, rm_strerror (rc));
        return 0;
    }
    self->applied = batch.link;
    note_place (self, self->raft.last_applied + 1);
    self->tail[batch.link.number % RM_RAFT_TAIL_BATCHES] = buffer->len;
    self->tail_count++;
    self->log_bytes += buffer->len;
    self->checking.bytes += buffer->len;
    if (batch.note.kind)
        rm_raft_digest_apply (self, batch.link.number, &batch.note);
    return 0;
}

static const char *check_snapshot (const struct raft_buffer *buffer, rm_raft_snapshot_head_t *head)
{
    const char *damage = rm_raft_snapshot_open (buffer->base, buffer->len, head);
    if (damage)
        return damage;
    const uint8_t *body = (const uint8_t *)buffer->base + RM_RAFT_SNAPSHOT_HEADER_BYTES;
    if (head->size != buffer->len - RM_RAFT_SNAPSHOT_HEADER_BYTES)
        return "it is cut short";
    if (head->checksum != XXH3_64bits (body, head->size))
        return "its checksum does not match";
    return NULL;
}

/* The buffer is ours if we answer 0. */
static int machine_restore (struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    rm_ledger_t *self = fsm->data;
    rm_raft_snapshot_head_t head;
    const char *damage = check_snapshot (buffer, &head);
    if (is_too_new (self, damage == rm_raft_newer ? UINT64_MAX : damage ? 0 : head.link.format))
        return RAFT_INVALID;
    if (damage) {
        rm_raft_ledger_fail (self, "the newest snapshot in %s is damaged: %s", self->config.dir, damage);
        return RAFT_CORRUPT;
    }
    const uint8_t *body = (const uint8_t *)buffer->base + RM_RAFT_SNAPSHOT_HEADER_BYTES;
    rm_raft_ledger_step_down (self);
    int rc = self->events.restore (self->events.arg, body, head.size);
    if (rc != 0) {
        rm_raft_ledger_fail (self, "the newest snapshot in %s cannot be restored: %s", self->config.dir,
                             rm_strerror (rc));
        return RAFT_INVALID;
    }
    self->applied = self->stored = head.link;
    self->unstored.count = 0;
    self->installed += self->stage == RM_RAFT_OPEN;
    self->snapshot_bytes = buffer->len;
    self->log_bytes = 0;
    self->tail_count = 0;
    raft_free (buffer->base);
    return 0;
}

void rm_raft_machine_init (rm_ledger_t *self)
{
    self->fsm = (struct raft_fsm){
        .version = 3,
        .data = self,
        .apply = machine_apply,
        .restore = machine_restore,
        .snapshot = rm_raft_snapshot_take,
        .snapshot_finalize = rm_raft_snapshot_done,
    };
}
