/*  A pipelined client: the real flow (core/flow.h), with a socket that is a number. What src/client/stream.c does
 *  around it, and nothing else.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include "sim.h"

typedef struct sim_stream sim_stream_t;

sim_stream_t *sim_stream_new (void);
void sim_stream_destroy (sim_stream_t **self_p);

/* A new process: what the one before had under way it lets go. */
void sim_stream_boot (sim_stream_t *self, sim_t *sim, uint32_t who);
void sim_stream_down (sim_stream_t *self);
void sim_stream_receive (sim_stream_t *self, const rm_msg_t *msg);
void sim_stream_wake (sim_stream_t *self);
bool sim_stream_finished (const sim_stream_t *self, const sim_t *sim, uint32_t who);
/* 0: it has none to that master. */
uint64_t sim_stream_connection (const sim_stream_t *self, uint32_t master);
