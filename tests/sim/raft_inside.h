/*  What raft.c and disk.c share: what a log is, and what is on a master's disk.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <raft.h>

#include "raft.h"

/* An entry of the log: shared by the memory and the disks of all masters that have it. */
typedef struct {
    uint32_t refs;
    raft_term term;
    enum raft_entry_type type;
    size_t size;
    uint64_t bytes[];
} sim_entry_t;

/* Entries first … first + count - 1. */
typedef struct {
    raft_index first;
    sim_entry_t **entries;
    uint32_t count, room;
} sim_log_t;

/* What stands for the entries up to `index`. */
typedef struct {
    raft_index index;
    raft_term term;
    raft_index conf_index;
    struct raft_buffer conf; /* encoded */
    struct raft_buffer data; /* the number of batches it stands for, and the state's snapshot */
} sim_shot_t;

struct sim_disk {
    raft_term term;
    raft_id vote;
    sim_log_t log;
    sim_shot_t shot;   /* index 0: none */
    uint64_t busy_us;  /* when the write under way will be done … */
    uint64_t group_us; /* … and the one behind it, of all that comes meanwhile; not later: there is none */
    uint64_t slow_us;
    bool full;
};

sim_entry_t *sim_entry_new (raft_term term, enum raft_entry_type type, const void *data, size_t size);
void sim_entry_unref (sim_entry_t *entry);
/* NULL: it is not there. */
sim_entry_t *sim_log_get (const sim_log_t *self, raft_index index);
void sim_log_append (sim_log_t *self, sim_entry_t *entry);
/* Forgets all from `index` on. */
void sim_log_truncate (sim_log_t *self, raft_index index);
/* Forgets all up to `index`. */
void sim_log_shorten (sim_log_t *self, raft_index index);
void sim_log_close (sim_log_t *self);
raft_index sim_log_last (const sim_log_t *self);

void sim_shot_close (sim_shot_t *self);
/* A copy from raft's own memory, whose owner is the caller. */
struct raft_buffer sim_buffer_copy (const void *data, size_t size);

/* When what is written now will be on the disk: it goes with all else that comes while a write is under way. */
uint64_t sim_disk_write_us (sim_t *self, uint32_t who);
