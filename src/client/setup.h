/*  What the clients have in common when they are set up: random sessions, options of retries.
 *
 *  Thread rule: none of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/backoff.h"
#include "proto/msg.h"

/* 128 random bits. */
rm_session_id_t rm_setup_session (void);

/* Decimal digits. */
bool rm_setup_number (const char *text, int64_t *number);

/* Reads `initial`, `factor`, `cap` or `tries` into a policy that stays allowed. 0; RM_EINVAL with a sentence in `why`, which
 * names `known` where there is no such option. */
int rm_setup_option (rm_backoff_t *policy, const char *option, const char *value, const char *known, char *why,
                     size_t size);
