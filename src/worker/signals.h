/*  SIGTERM and SIGINT while workers run: the first one stops them in good order, the second one ends the process at once.
 *
 *  A disposition that the program has set itself is left alone.
 *  Thread rule: any thread.
 */
#pragma once

#include "ringmaster/worker.h"

enum { RM_EXIT_AT_ONCE = 1 }; /* exit code after a second signal, and when a handler had to be abandoned */

/* From now on, and until it is unwatched, a signal stops this worker. */
void rm_signals_watch (rm_worker_t *worker);
void rm_signals_unwatch (rm_worker_t *worker);
