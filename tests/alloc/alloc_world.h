/*  A cluster for the sweeps: a leader on a state, three worker's halves, a client and a ledger in memory, and a story that
 *  all of them tell: joining, dispatch, done, failure, a long poll, a resize with jobs in flight, a worker that dies, one
 *  that leaves, sessions and outcomes that are forgotten.
 *
 *  The memory of one part is the subject of the sweep. A master whose memory runs out stops, as the daemon does, and starts
 *  again with its log once there is some; a worker's half goes on, since it treats memory that is not there as a message
 *  that was lost.
 *  Thread rule: one thread; one world at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum { WORLD_LEADER, WORLD_WORKER } world_subject_t;

/* Tells the story from nothing to nothing. In the end every job that was accepted has ended, once, and is forgotten. */
void world_story (world_subject_t subject);
