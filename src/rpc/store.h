/*  The table of calls on the disk (SQLite), so that an at-most-once server that is started anew still knows them.
 *
 *  What is noted is on the disk after rm_rpc_store_commit: a call before its function runs, its reply before it is
 *  sent. A call that was begun and not ended when the process died is not run again: whoever asks is told that it may
 *  have run.
 *  Thread rule: belongs to one thread. The file belongs to one process.
 */
#pragma once

#include "core/rpc_table.h"
#include "net/fault.h"

typedef struct rm_rpc_store rm_rpc_store_t;

/* Opens the file at `path`, makes it if it is not there. NULL with the reason in `fault`: RM_EIO (also: another process
 * has it), RM_ECORRUPT (it is none of ours), RM_ENOMEM. */
rm_rpc_store_t *rm_rpc_store_open (const char *path, rm_fault_t *fault);
void rm_rpc_store_close (rm_rpc_store_t **self_p);

/* Puts what the file knows into an empty table. `now_ms` is the table's clock, `unix_ms` the calendar's. 0, RM_EIO,
 * RM_ECORRUPT, RM_ENOMEM. */
int rm_rpc_store_load (rm_rpc_store_t *self, rm_rpc_table_t *table, uint64_t now_ms, uint64_t unix_ms,
                       rm_fault_t *fault);

/* Notes: a call is to be run; it has ended; it was not run; its session's floor rose; all of an age is discarded. */
void rm_rpc_store_begin (rm_rpc_store_t *self, const rm_rpc_entry_t *entry, uint64_t unix_ms);
void rm_rpc_store_end (rm_rpc_store_t *self, const rm_rpc_entry_t *entry, uint64_t unix_ms);
void rm_rpc_store_forget (rm_rpc_store_t *self, const rm_session_id_t *session, uint64_t seq);
void rm_rpc_store_floor (rm_rpc_store_t *self, const rm_rpc_session_t *session, uint64_t unix_ms);
void rm_rpc_store_sweep (rm_rpc_store_t *self, uint64_t before_unix_ms);

/* Puts on the disk what was noted: 0, or RM_EIO with the reason in `fault` (nothing of it is). */
int rm_rpc_store_commit (rm_rpc_store_t *self, rm_fault_t *fault);
