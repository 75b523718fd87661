/*  The cases of the integration tests, each a function; cases.list names them. The cluster has a master and nothing else
 *  when a case begins; whatever the case leaves behind is ended and the whole history judged when it returns.
 */
#pragma once

#include "cluster.h"
#include "load.h"

/* `times` is the command line's number, 0 if there is none. */
#define CASE(name, seconds) void case_##name (cluster_t *cluster, unsigned times);
#include "cases.list"
#undef CASE

/* The fail points that the cases of a table try, for the case that looks whether any is left out. */
const char *const *worker_points_tried (void);
const char *const *master_points_tried (void);
