/*  What is on the masters' disks. */
#include <stdlib.h>
#include <string.h>

#include "raft_inside.h"

static void *must (void *memory)
{
    if (!memory)
        abort ();
    return memory;
}

/* ---- entries and logs -------------------------------------------------------------------------------------------- */

sim_entry_t *sim_entry_new (raft_term term, enum raft_entry_type type, const void *data, size_t size)
{
    sim_entry_t *self = must (malloc (sizeof *self + size + 8));
    *self = (sim_entry_t){.refs = 1, .term = term, .type = type, .size = size};
    memcpy (self->bytes, data, size);
    return self;
}

void sim_entry_unref (sim_entry_t *entry)
{
    if (--entry->refs == 0)
        free (entry);
}

raft_index sim_log_last (const sim_log_t *self)
{
    return self->first + self->count - 1;
}

sim_entry_t *sim_log_get (const sim_log_t *self, raft_index index)
{
    return index >= self->first && index <= sim_log_last (self) ? self->entries[index - self->first] : NULL;
}

void sim_log_append (sim_log_t *self, sim_entry_t *entry)
{
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 64;
        self->entries = must (realloc (self->entries, self->room * sizeof *self->entries));
    }
    entry->refs++;
    self->entries[self->count++] = entry;
}

void sim_log_truncate (sim_log_t *self, raft_index index)
{
    while (self->count && sim_log_last (self) >= index)
        sim_entry_unref (self->entries[--self->count]);
}

void sim_log_shorten (sim_log_t *self, raft_index index)
{
    uint32_t gone = 0;
    for (; gone < self->count && self->first + gone <= index; gone++)
        sim_entry_unref (self->entries[gone]);
    self->count -= gone;
    if (self->count)
        memmove (self->entries, self->entries + gone, self->count * sizeof *self->entries);
    self->first = self->count ? self->first + gone : index + 1;
}

void sim_log_close (sim_log_t *self)
{
    sim_log_truncate (self, self->first);
    free (self->entries);
    *self = (sim_log_t){0};
}

/* ---- snapshots --------------------------------------------------------------------------------------------------- */

struct raft_buffer sim_buffer_copy (const void *data, size_t size)
{
    struct raft_buffer copy = {must (raft_malloc (size ? size : 1)), size};
    if (size)
        memcpy (copy.base, data, size);
    return copy;
}

void sim_shot_close (sim_shot_t *self)
{
    raft_free (self->conf.base);
    raft_free (self->data.base);
    *self = (sim_shot_t){0};
}

/* ---- disks ------------------------------------------------------------------------------------------------------- */

/* The first entry names the group; it is the same on all of them. */
void sim_disk_format (sim_t *self, uint32_t who)
{
    struct raft_configuration group;
    struct raft_buffer encoded;
    raft_configuration_init (&group);
    for (uint32_t master = 0; master < self->plan->master_count; master++) {
        char name[8];
        plan_process_name (self->plan, master, name);
        raft_configuration_add (&group, master + 1, name, RAFT_VOTER);
    }
    if (raft_configuration_encode (&group, &encoded))
        abort ();
    sim_disk_t *disk = self->disks[who] = must (calloc (1, sizeof *disk));
    disk->term = 1;
    disk->log.first = 1;
    sim_entry_t *entry = sim_entry_new (1, RAFT_CHANGE, encoded.base, encoded.len);
    sim_log_append (&disk->log, entry);
    sim_entry_unref (entry);
    raft_free (encoded.base);
    raft_configuration_close (&group);
}

void sim_disk_destroy (sim_t *self, uint32_t who)
{
    sim_disk_t *disk = self->disks[who];
    self->disks[who] = NULL;
    if (!disk)
        return;
    sim_log_close (&disk->log);
    sim_shot_close (&disk->shot);
    free (disk);
}

void sim_disk_slow (sim_t *self, uint32_t who, uint64_t most_us)
{
    self->disks[who]->slow_us = most_us;
}

void sim_disk_fill (sim_t *self, uint32_t who, bool full)
{
    self->disks[who]->full = full;
}

bool sim_disk_is_full (const sim_t *self, uint32_t who)
{
    return self->disks[who]->full;
}

uint64_t sim_disk_write_us (sim_t *self, uint32_t who)
{
    sim_disk_t *disk = self->disks[who];
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
