/*  What all records look like, written once for everyone who asks while nothing changes, and read by the threads of
 *  their connections while the records change.
 *
 *  Invariant: at most RM_COPIES_MAX of a kind are held, however slowly they are read; when so many are, the newest is
 *  given out again, though it may be older than the last change.
 *  Thread rule: the loop's thread; the body of a copy that was taken does not change, and may be read in any.
 */
#pragma once

#include "core/services.h"
#include "proto/buf.h"

enum { RM_COPIES_MAX = 4 };

typedef void rm_copy_write_fn (rm_buf_t *body, const rm_services_t *services);

typedef struct {
    rm_buf_t body;
    uint64_t changes; /* of the services, when it was written */
    unsigned readers; /* that have taken it; one more while it is the newest */
    unsigned *held;   /* of its kind */
} rm_copy_t;

typedef struct {
    rm_copy_write_fn *write;
    rm_copy_t *newest;
    unsigned held;
} rm_copies_t;

void rm_copies_init (rm_copies_t *self, rm_copy_write_fn *write);
/* Once all that were taken are given back. */
void rm_copies_close (rm_copies_t *self);

/* To be given back; NULL: memory ran out. */
rm_copy_t *rm_copies_take (rm_copies_t *self, const rm_services_t *services);
/* Nulls the pointer, takes NULL. */
void rm_copy_give_back (rm_copy_t **copy_p);
