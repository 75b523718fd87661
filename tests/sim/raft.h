/*  The ledger of a group of masters, simulated: the real libraft, stepped (raft_step), over the simulated network, clocks
 *  and disks. A group of one is a group too. What src/master/raft_ledger.c does around libraft is done here in a few lines:
 *  it leads when all that its log has is applied, and what is proposed is settled when it is applied.
 *
 *  What is on a master's disk outlives it: term and vote at once, entries and snapshots when their write is done.
 *  Thread rule: one thread.
 */
#pragma once

#include "sim.h"

typedef struct sim_raft sim_raft_t;

enum {
    SIM_ELECTION_MS = 400,
    SIM_HEARTBEAT_MS = 50,
    SIM_TAKEOVER_MS = 450, /* a former leader knows by then that it is cut off, however slow its clock */
};

/* The disks of all masters, empty but for the group they are in. */
void sim_disk_format (sim_t *self, uint32_t who);
void sim_disk_destroy (sim_t *self, uint32_t who);
/* Each write takes up to so much longer; 0: none does. */
void sim_disk_slow (sim_t *self, uint32_t who, uint64_t most_us);
/* There is room for what must be written, and no more. */
void sim_disk_fill (sim_t *self, uint32_t who, bool full);
bool sim_disk_is_full (const sim_t *self, uint32_t who);

/* Fills `state`, just initialised, from the snapshot on the disk; `*batches` is how many it stands for. */
sim_raft_t *sim_raft_boot (sim_t *self, uint32_t who, rm_state_t *state, uint64_t *batches);
/* Starts from the log on the disk: a group of one applies it at once. */
void sim_raft_start (sim_t *self, uint32_t who, sim_raft_t *raft);
/* The master is gone; of the writes under way some are done, in order. */
void sim_raft_down (sim_t *self, uint32_t who, sim_raft_t **raft_p);

/* Proposes a batch; where it will stand in the log is set before it can be applied. False: it does not lead. */
bool sim_raft_propose (sim_t *self, uint32_t who, sim_raft_t *raft, const void *batch, size_t size, uint64_t *index,
                       uint64_t *term);

/* Events of it. */
void sim_raft_written (sim_t *self, uint32_t who, sim_raft_t *raft, uint64_t write);
void sim_raft_wake (sim_t *self, uint32_t who, sim_raft_t *raft);
void sim_raft_receive (sim_t *self, uint32_t who, sim_raft_t *raft, void *letter);
void sim_raft_letter_free (void *letter);
void sim_raft_snapshot (sim_t *self, uint32_t who, sim_raft_t *raft, const rm_state_t *state, uint64_t batches);
/* Asks another master to take over. */
void sim_raft_transfer (sim_t *self, uint32_t who, sim_raft_t *raft, uint32_t to);

/* It leads, and has applied all there is. */
bool sim_raft_leads (const sim_raft_t *raft);
/* It leads, and no majority has answered what it sent within an election's time. */
bool sim_raft_is_cut_off (const sim_t *self, uint32_t who, const sim_raft_t *raft);
/* Who it believes to lead; the number of masters: nobody. */
uint32_t sim_raft_leader (const sim_t *self, const sim_raft_t *raft);
