/*  The master's shell: sockets, disk and clock around the leader (core/leader), which decides.
 *
 *      jobs, work ──frames──▶ leader ──batches──▶ ledger ──apply──▶ state ──▶ leader ──frames──▶ jobs, work, sync
 *
 *  One libuv loop owns all of it. Each turn takes a bounded number of messages of each socket, then, before the loop
 *  sleeps, what the turn brought is handed out and proposed at once (group commit).
 *  Thread rule: the loop's thread; nothing of it is shared.
 */
#pragma once

#include "master/config.h"

typedef struct rm_master rm_master_t;

/* NULL when memory has run out. `config` must outlive it. */
rm_master_t *rm_master_new (const rm_master_config_t *config);

/* Starts and works until a signal or a failure ends it; the exit code. */
int rm_master_run (rm_master_t *self);

/* Frees it, once it has run; nulls the pointer, takes NULL. */
void rm_master_destroy (rm_master_t **self_p);
