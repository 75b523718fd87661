/*  A network of our own: every seat is a network namespace with one interface, joined by two bridges.
 *
 *      near  ──┬────────┬──────────┬───────┐            far ──┬─────────┬───────┐
 *           master   peers…     proxy's    chaos           proxy's    peers…
 *          10.77.0.1            near leg   .254            far leg
 *                                                         10.77.0.1
 *
 *  Peers on the far bridge find the master's address at the proxy, so that what the master says of its own endpoints is
 *  true for them, too.
 *
 *  Namespaces have no names: they live as long as a process is in them or an open file refers to them, so that the kernel
 *  removes everything when the chaos ends, however it ends. The bridges are in a namespace of the chaos itself, which
 *  leaves the machine's own at net_open.
 *  Thread rule: the main thread; net_open before there are others.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    NET_PEERS_MAX = 48,
    NET_MASTER = 0, /* the first seats */
    NET_PROXY_NEAR,
    NET_PROXY_FAR,
    NET_PEER, /* and the first peer's */
    NET_SEATS_MAX = NET_PEER + NET_PEERS_MAX
};

#define NET_MASTER_ADDRESS "10.77.0.1"

/* What happens to packets on their way into a seat. */
typedef enum { NET_LOSS, NET_CUT, NET_RESET } net_harm_t;

/* Goes into a namespace of its own with both bridges. False: this machine or this user cannot; `why` says it in a
 * sentence. */
bool net_open (char *why, unsigned size);
/* Makes the seats: `far[i]` says on which bridge peer i is. Fails the program if that fails. */
void net_seat (const bool *far, unsigned peers);
bool net_is_far (unsigned seat);

/* For process_start_in: goes into the seat that `arg`, a const unsigned *, names. */
void net_enter (void *arg);
/* A file that stands for the namespace of a seat. */
void net_path (unsigned seat, char path[64]);

/* From now on packets from peer `seat` to the master (or from the master to it) are lost (`percent` of them), all lost, or
 * answered with a reset. The harm's number. */
unsigned net_harm (unsigned seat, bool to_master, net_harm_t harm, unsigned percent);
/* Ends it; how many packets it has hit. */
uint64_t net_heal (unsigned number);
