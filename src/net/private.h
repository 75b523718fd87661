/*  What the files of this folder know of each other, and nobody else.
 *
 *  Thread rule: rm_context_… from any thread; rm_socket_… from the socket's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/socket.h"

/* The ZeroMQ context; NULL without rm_net_init, and in a child after fork. */
void *rm_context_zmq (void);
/* Milliseconds after which this process tries a broken connection again, at first: drawn once per process, so that a
 * fleet of workers does not return in one wave. */
int rm_context_reconnect_ms (void);
/* Counts the open sockets: +1 or -1. */
void rm_context_count_socket (int change);

/* The ZeroMQ socket below. */
void *rm_socket_zmq (const rm_socket_t *self);
/* True for the ROUTER kinds. */
bool rm_socket_has_routes (const rm_socket_t *self);
/* Calls `touched` after every send, since a send may swallow the descriptor's next edge; NULL: no more. */
void rm_socket_on_touched (rm_socket_t *self, void (*touched) (void *arg), void *arg);
