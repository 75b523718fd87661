/*  Times of day, as people write them.
 *
 *  Thread rule: the local time zone is the process's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How long it is from `now_ms` (since 1970) until "HH:MM" (today, or tomorrow if that is over), "YYYY-MM-DD HH:MM" (both
 * with ":SS" if you like), or "@SECONDS" since 1970. False: it is no such time, or it is over. */
bool rm_ctl_until (const char *text, uint64_t now_ms, uint64_t *ms);
