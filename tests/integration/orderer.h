/*  Somebody who gives orders beside a load, one after the other and over whatever happens to the master: jobs are cancelled
 *  while they run and while they wait, dead ones kicked, the queue is set. Each job is in the history, with what it may come
 *  to; what an order did is asked for once more, and must be the same.
 *
 *  Thread rule: the test's main thread. What fails in its own thread ends the test there and then.
 */
#pragma once

#include "cluster.h"

typedef struct orderer orderer_t;

orderer_t *orderer_start (cluster_t *cluster);
/* Once all jobs of the round that is under way have ended. */
void orderer_stop (orderer_t **self_p);
