/*  The one ZeroMQ context of a process, shared by every object that has sockets.
 *
 *  Invariant: it is never used by a child after fork (a child calls exec at once); rm_socket_… refuses that.
 *  Thread rule: any thread.
 */
#pragma once

/* Takes a share in the context; the first one makes it. 0 or RM_ENOMEM. */
int rm_net_init (void);

/* Gives the share back; the last one ends the context. Every socket of the process must be closed by then. Waits for
 * what sockets with a linger time still have to send. */
void rm_net_term (void);
