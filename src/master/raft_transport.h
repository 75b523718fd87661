/*  How masters reach each other: not at all, for a group of one. It opens no port, so that there is none to attack and none
 *  that could be in use.
 *
 *  Thread rule: the loop's thread.
 */
#pragma once

#include <raft.h>
#include <raft/uv.h>

/* Makes the transport of a group of one. It needs no closing beyond what libraft does. */
void rm_raft_transport_init (struct raft_uv_transport *self);
