/*  The records on the disk, so that a name server that was started again knows what it knew.
 *
 *      ringcatalog 1 XXH3 BYTES
 *      [ the records, as /query.json has them ]
 *
 *  The file is replaced as a whole: after a power cut there is the one of before, or the new one.
 *  Thread rule: rm_store_write in any thread, one at a time; the rest in the loop's, before it.
 */
#pragma once

#include <limits.h>
#include <stddef.h>

#include "net/fault.h"
#include "proto/buf.h"

typedef struct {
    char path[PATH_MAX];
    char part[PATH_MAX]; /* what is written to until it is whole */
    char folder[PATH_MAX];
    int lock; /* of the folder, as long as the process lives */
} rm_store_t;

/* Makes the folder if it is not there, and takes it for this process. 0, RM_EIO, RM_EINVAL, RM_EBUSY (another one has it). */
int rm_store_init (rm_store_t *self, const char *folder, rm_fault_t *fault);

/* Reads the records' JSON; empty if there is no file. 0, RM_EIO, RM_ENOMEM; RM_ECORRUPT: they are not what was written,
 * and the file is put aside, under a name that `fault` says. */
int rm_store_read (const rm_store_t *self, rm_buf_t *json, rm_fault_t *fault);

/* 0 or RM_EIO. */
int rm_store_write (const rm_store_t *self, const void *json, size_t size, rm_fault_t *fault);

/* Puts the file aside, because of what is in it; RM_ECORRUPT. */
int rm_store_refuse (const rm_store_t *self, const char *why, rm_fault_t *fault);
