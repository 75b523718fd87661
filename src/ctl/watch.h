/*  What the two kinds of ringctl watch share.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include "ctl/ctl.h"

/* "2026-01-31T12:00:01.123Z". Answers `text`. */
const char *rm_ctl_watch_time (long long wall_ms, char *text, size_t size);

/* ringctl watch jobs; the exit code. */
int rm_ctl_watch_jobs (rm_ctl_t *self);
