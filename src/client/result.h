/*  How a result is made; what users see of it is in ringmaster/client.h.
 *
 *  Thread rule: a result belongs to whoever holds it.
 */
#pragma once

#include "proto/msg.h"
#include "ringmaster/client.h"

/* A copy of what the master said of an ended job. NULL: memory ran out. */
rm_result_t *rm_result_new (const rm_result_job_t *job, uint64_t tag);

/* The result behind this one in a list of its holder's; NULL at the end. */
rm_result_t **rm_result_link (rm_result_t *self);
