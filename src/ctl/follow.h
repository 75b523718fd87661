/*  What a job that is waited for says of itself, on stderr: on a terminal one line that is written over again and again, else,
 *  with --follow, a line each. With --follow its partial results are written on stdout.
 *
 *  Thread rule: one thread; one wait at a time.
 */
#pragma once

#include "ctl/ctl.h"

/* From now on. */
void rm_ctl_follow (rm_ctl_t *self);
/* No longer; the terminal's line is wiped. */
void rm_ctl_unfollow (rm_ctl_t *self);
/* The job has said something since rm_ctl_follow. */
bool rm_ctl_followed (void);
