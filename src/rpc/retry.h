/*  What rm_retry and a server's retried functions share.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stdbool.h>

#include "core/backoff.h"
#include "ringmaster/retry.h"

/* Reads a policy; answers as rm_retry_check, and after 0 `backoff` is what it says. */
int rm_retry_read (const rm_retry_t *policy, rm_backoff_t *backoff, const char **why);

/* One more failure (`wait` has the error and the text of it): true, with the time to wait, and whoever wants to know is
 * told; false if there is no attempt left. `wait` begins with no failures. */
bool rm_retry_again (const rm_retry_t *policy, const rm_backoff_t *backoff, rm_retry_wait_t *wait);
