/*  A client that does not wait: it has many submits under way in one session, several jobs in a message, sends again what
 *  was not answered in other messages than before, and waits for several jobs at a time. It speaks the protocol by itself,
 *  as one in another language would (docs/protocol.md, "Sessions").
 *
 *  Thread rule: one thread.
 */
#pragma once

#include "sim.h"

typedef struct sim_burst sim_burst_t;

sim_burst_t *sim_burst_new (void);
void sim_burst_destroy (sim_burst_t **self_p);

/* A new process, with a session of its own: what it does not know to be accepted it lets go. */
void sim_burst_boot (sim_burst_t *self, sim_t *sim, uint32_t who);
void sim_burst_receive (sim_burst_t *self, sim_t *sim, uint32_t who, const rm_msg_t *msg);
void sim_burst_wake (sim_burst_t *self, sim_t *sim, uint32_t who);
bool sim_burst_finished (const sim_burst_t *self, const sim_t *sim, uint32_t who);
/* 0: it has none to that master. */
uint64_t sim_burst_connection (const sim_burst_t *self, uint32_t master);
