/*  A job as a caller describes it, checked and spelled for the wire before anything is sent.
 *
 *  Thread rule: none of its own. The job aliases what the spec points to.
 */
#pragma once

#include <stddef.h>

#include "proto/msg.h"
#include "ringmaster/client.h"

/* 0; or RM_EINVAL or RM_ETOOBIG, and what no master would take as a sentence in `why`. */
int rm_spec_job (const rm_spec_t *spec, rm_submit_job_t *job, char *why, size_t size);
