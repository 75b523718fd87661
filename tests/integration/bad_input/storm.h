/*  Storms: a great many bad bytes for one port of a daemon. Each ends when all is sent; what the other end made of it is for
 *  the caller to look at.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include "net/socket.h"
#include "wild.h"

/* Connections that speak nonsense at every stage of ZMTP. `peer` is the socket type that the port expects. */
void storm_raw (wild_t *wild, int port, const char *peer);

/* Damaged messages through a ZeroMQ socket; every answer must be a message. How many answers came. */
unsigned storm_messages (wild_t *wild, rm_socket_kind_t kind, int port, unsigned count);

/* Nonsense to an HTTP server. */
void storm_http (wild_t *wild, int port);
