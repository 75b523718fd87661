/*  The data directory: created, checked, locked, and small helpers for the files in it.
 *
 *  Thread rule: one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RM_RAFT_DIR_BYTES_MAX = 800 }; /* of a data directory's path; libraft holds no longer ones */

/* An open and locked data directory. */
typedef struct {
    char *path; /* as the user said it */
    int fd;     /* the directory */
    int lock;   /* its lock file, held for as long as this is open; the kernel lets go when the process dies */
} rm_raft_dir_t;

/* Creates the directory (mode 0700) if it is absent, checks that the ledger can live there, and locks it. 0, or RM_EBUSY
   (another master has it), RM_EINVAL, RM_EDENIED, RM_ENOMEM or RM_EIO with a sentence in `error`; then nothing is open. */
int rm_raft_dir_open (rm_raft_dir_t *self, const char *path, char *error, size_t error_size);

/* Opens one that must be there already. */
int rm_raft_dir_open_existing (rm_raft_dir_t *self, const char *path, char *error, size_t error_size);

/* Unlocks and forgets it. */
void rm_raft_dir_close (rm_raft_dir_t *self);

/* Bytes that can still be written on its file system; 0 or RM_EIO. */
int rm_raft_dir_free_bytes (const rm_raft_dir_t *self, uint64_t *bytes);

/* Makes renames and new names survive a power cut; 0 or RM_EIO. */
int rm_raft_dir_sync (const rm_raft_dir_t *self);

/* Reads a whole file. The caller frees `data` (not NULL even if the file is empty) with rm_free. 0, RM_ENOMEM, RM_EIO, or
   RM_EUNKNOWN if there is none. */
int rm_raft_dir_read (const rm_raft_dir_t *self, const char *name, uint8_t **data, size_t *size);

/* Writes all of it at the end of an open file; false: errno says why. Any thread. */
bool rm_raft_dir_put (int file, const void *data, size_t size);

/* Writes a whole new file durably: to a temporary name, then renamed. 0 or RM_EIO. */
int rm_raft_dir_write (const rm_raft_dir_t *self, const char *name, const uint8_t *data, size_t size);
