/*  The master's disk: a log of batches and one snapshot. A batch is there once its write is done; when the master is
 *  killed before that, the writes under way are done up to some batch and the rest is torn, which the next start takes for
 *  the log's end. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "story.h"

typedef struct {
    void *data;
    size_t size;
    uint64_t written_us; /* when it was stamped and handed to the disk */
} batch_t;

struct sim_disk {
    batch_t *batches; /* by index; those the snapshot stands for are kept for the checks, not for the master */
    uint64_t count, room;
    uint64_t synced;   /* batches on the disk */
    uint64_t busy_us;  /* when the write under way will be done … */
    uint64_t group_us; /* … and the one behind it, of all that comes meanwhile; not later: there is none */
    uint8_t *snapshot; /* NULL: none */
    size_t snapshot_size;
    uint64_t snapshot_index;
    uint64_t slow_us;
    bool full;
};

static void *must (void *memory)
{
    if (!memory)
        abort ();
    return memory;
}

sim_disk_t *sim_disk_new (void)
{
    return must (calloc (1, sizeof (sim_disk_t)));
}

void sim_disk_destroy (sim_disk_t **self_p)
{
    sim_disk_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint64_t i = 0; i < self->count; i++)
        free (self->batches[i].data);
    free (self->batches);
    free (self->snapshot);
    free (self);
}

void sim_disk_slow (sim_disk_t *self, uint64_t most_us)
{
    self->slow_us = most_us;
}

void sim_disk_fill (sim_disk_t *self, bool full)
{
    self->full = full;
}

bool sim_disk_is_full (const sim_disk_t *self)
{
    return self->full;
}

/* When what is handed over now will be on the disk: it goes with all else that comes while a write is under way. */
static uint64_t done_us (sim_t *self)
{
    sim_disk_t *disk = self->disk;
    uint64_t sync_us = self->plan->sync_us;
    uint64_t takes_us = sync_us / 2 + sim_draw (self, sync_us + 1);
    if (disk->slow_us)
        takes_us += sim_draw (self, disk->slow_us);
    if (disk->busy_us <= self->now_us)
        disk->busy_us = disk->group_us;
    if (disk->busy_us <= self->now_us)
        return disk->busy_us = disk->group_us = self->now_us + takes_us;
    if (disk->group_us <= disk->busy_us)
        disk->group_us = disk->busy_us + takes_us;
    return disk->group_us;
}

uint64_t sim_disk_append (sim_t *self, const void *data, size_t size)
{
    sim_disk_t *disk = self->disk;
    if (disk->count == disk->room) {
        disk->room = disk->room ? disk->room * 2 : 64;
        disk->batches = must (realloc (disk->batches, disk->room * sizeof *disk->batches));
    }
    batch_t *batch = &disk->batches[disk->count++];
    *batch = (batch_t){must (malloc (size)), size, self->now_us};
    memcpy (batch->data, data, size);
    sim_after (self, done_us (self) - self->now_us, SIM_SYNCED, SIM_MASTER, NULL, disk->count);
    return disk->count;
}

void sim_disk_synced (sim_t *self, uint64_t index)
{
    if (index > self->disk->synced)
        self->disk->synced = index;
}

uint64_t sim_disk_last (const sim_disk_t *self)
{
    return self->count;
}

rm_part_t sim_disk_batch (const sim_disk_t *self, uint64_t index)
{
    const batch_t *batch = &self->batches[index - 1];
    return (rm_part_t){batch->data, batch->size};
}

static void restore (sim_t *self, rm_state_t *state)
{
    const sim_disk_t *disk = self->disk;
    if (rm_snapshot_restore (state, disk->snapshot, disk->snapshot_size))
        sim_violation (self, "rebuilt", "the snapshot of batch %llu cannot be read",
                       (unsigned long long)disk->snapshot_index);
}

/* Few are read in earnest: each is, to see that all is in it. */
static void read_back (sim_t *self)
{
    rm_state_t state;
    if (rm_state_init (&state))
        abort ();
    restore (self, &state);
    check_restored (self->check, &state, self->disk->snapshot_index);
    rm_state_close (&state);
}

uint64_t sim_disk_written_us (const sim_disk_t *self, uint64_t index)
{
    return self->batches[index - 1].written_us;
}

void sim_disk_save (sim_t *self, uint64_t index, const rm_state_t *state)
{
    sim_disk_t *disk = self->disk;
    rm_snapshot_t *snapshot = must (rm_snapshot_take (state));
    size_t count, size = 0;
    const rm_part_t *parts = rm_snapshot_parts (snapshot, &count);
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    uint8_t *bytes = must (malloc (size + 1)), *at = bytes;
    for (size_t i = 0; i < count; at += parts[i].size, i++)
        if (parts[i].size)
            memcpy (at, parts[i].data, parts[i].size);
    rm_snapshot_destroy (&snapshot);
    free (disk->snapshot);
    disk->snapshot = bytes;
    disk->snapshot_size = size;
    disk->snapshot_index = index;
    story (self, SIM_MASTER, "has a snapshot of batch %llu", (unsigned long long)index);
    read_back (self);
}

void sim_disk_crash (sim_t *self)
{
    sim_disk_t *disk = self->disk;
    uint64_t under_way = disk->count - disk->synced;
    uint64_t kept = disk->synced + (under_way ? sim_draw (self, under_way + 1) : 0);
    while (disk->count > kept)
        free (disk->batches[--disk->count].data);
    disk->synced = disk->count;
    disk->busy_us = disk->group_us = 0;
}

uint64_t sim_disk_load (sim_t *self, rm_state_t *state)
{
    sim_disk_t *disk = self->disk;
    uint64_t index = 0;
    if (disk->snapshot) {
        restore (self, state);
        index = disk->snapshot_index;
    }
    for (; index < disk->count; index++) {
        check_synced (self->check, index + 1);
        check_apply (self->check, NULL, index + 1);
        if (rm_state_apply (state, disk->batches[index].data, disk->batches[index].size))
            sim_violation (self, "rebuilt", "batch %llu cannot be applied", (unsigned long long)index + 1);
    }
    return index;
}
