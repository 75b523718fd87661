/*  One descriptor that tells when its owner has something to do: a message on a socket of ours, a time that has come, or
 *  what the owner says itself. For those who let others poll for them.
 *
 *  The descriptor may tell without a reason; it never keeps silent with one, if rm_ready_set was the last thing that was done
 *  to the socket.
 *  Thread rule: one thread. In-place struct.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/socket.h"

typedef struct {
    int fd;              /* to be polled for reading; owned */
    int timer_fd;        /* owned */
    int event_fd;        /* owned */
    int socket_fd;       /* in `fd`; -1: none */
    uint64_t until_ms;   /* what the timer is set to; UINT64_MAX: nothing */
    bool rings;          /* event_fd is readable */
    rm_socket_t *socket; /* borrowed */
} rm_ready_t;

/* 0 or RM_EIO with errno (no descriptors left). */
int rm_ready_init (rm_ready_t *self);
void rm_ready_close (rm_ready_t *self);

/* The descriptor tells when `socket` (NULL: none) has a message, at `until_ms` of rm_clock_ms (UINT64_MAX: never), or `now`.
 * To be called after each use of the socket, and before it is closed with another one or NULL. */
void rm_ready_set (rm_ready_t *self, rm_socket_t *socket, uint64_t until_ms, bool now);
