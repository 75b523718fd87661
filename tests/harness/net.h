/*  A network of our own: every seat is a network namespace with one interface, joined by two bridges.
 *
 *      near  ──┬────────┬──────────┬───────┐            far ──┬─────────┬───────┐
 *           master   peers…     a proxy's  the test        the proxy's  peers…
 *          10.77.0.1            near leg   .254            far leg
 *                                                         10.77.0.1
 *
 *  Peers on the far bridge may so find the master's address at a proxy, and what the master says of its own endpoints is
 *  true for them, too.
 *
 *  Namespaces have no names: they live as long as a process is in them or an open file refers to them, so that the kernel
 *  removes everything when the test ends, however it ends. The bridges are in a namespace of the test itself, which
 *  leaves the machine's own at net_open.
 *  Thread rule: the main thread; net_open before there are others.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { NET_SEATS_MAX = 64, NET_ADDRESS_BYTES = 16 };

/* What happens to packets on their way into a seat. */
typedef enum { NET_LOSS, NET_CUT, NET_RESET } net_harm_t;

/* Goes into a namespace of its own with both bridges. False: this machine or this user cannot; `why` says it in a
 * sentence. */
bool net_open (char *why, unsigned size);
/* Makes a seat at 10.77.0.`host`, 1 … 253, on one of the bridges; they are numbered from 0. Fails the program if that
 * fails. */
unsigned net_seat (unsigned host, bool far);
bool net_is_far (unsigned seat);
const char *net_address (unsigned seat);

/* For process_start_in: goes into the seat that `arg`, a const unsigned *, names. */
void net_enter (void *arg);
/* A file that stands for the namespace of a seat. */
void net_path (unsigned seat, char path[64]);

/* From now on packets with the address of the seat `from` are lost on their way into the seat `into` (`percent` of them), all
 * lost, or answered with a reset. The harm's number. */
unsigned net_harm (unsigned from, unsigned into, net_harm_t harm, unsigned percent);
/* Ends it; how many packets it has hit. */
uint64_t net_heal (unsigned number);
