/*  A bell that other threads and signal handlers may ring to wake a thread that waits. In-place struct.
 *
 *  Rings add up to one: after any number of them the descriptor is readable until rm_wake_clear.
 *  Thread rule: rm_wake_ring from any thread and any signal handler, between init and close; the rest from the owner.
 */
#pragma once

typedef struct {
    int fd; /* to wait on, for reading */
} rm_wake_t;

/* 0 or RM_EIO (no descriptors left). */
int rm_wake_init (rm_wake_t *self);
void rm_wake_close (rm_wake_t *self);

/* Keeps errno. */
void rm_wake_ring (const rm_wake_t *self);
/* To be called before looking at what the ring is about, so that no ring is missed. */
void rm_wake_clear (rm_wake_t *self);
