/*  The settings of a queue: what each is called, what it may be, and how people write it ("10s", "64MiB", "full").
 *
 *  Thread rule: pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/state.h"

/* Numbers of the ledger: never re-used. */
typedef enum {
    RM_SETTING_TRIES = 1,      /* attempts before a failing job is dead */
    RM_SETTING_TIMEOUT = 2,    /* ms, of one attempt */
    RM_SETTING_KEEP = 3,       /* ms, for which an outcome is kept */
    RM_SETTING_KEEP_BYTES = 4, /* bytes of outcomes that are kept */
    RM_SETTING_DELAY = 5,      /* ms, before a second attempt; 0: as the master is configured, like the next three */
    RM_SETTING_BACKOFF = 6,    /* thousandths by which that grows */
    RM_SETTING_CAP = 7,        /* ms, at which it stops growing */
    RM_SETTING_JITTER = 8,     /* an rm_jitter_t and 1 */
    RM_SETTING_PAUSED = 9,     /* 1: nothing is handed out */
    RM_SETTING_JOBS_MAX = 10,  /* that may wait; 0: as the master is configured */
    RM_SETTING_BYTES_MAX = 11, /* the same of their data */
    RM_SETTING_ON_DEAD = 12,   /* 1: a keyed job that dies holds what stands behind it in its key's line */
    RM_SETTING_CLIENT_JOBS_MAX = 13,  /* that one client may have waiting in it; 0: any */
    RM_SETTING_CLIENT_BYTES_MAX = 14, /* the same of their data */
    RM_SETTINGS
} rm_setting_t;

enum { RM_SETTING_TEXT_BYTES = 32 }; /* room for any value's text */

/* True if there is such a setting, and it may be that. */
bool rm_setting_allows (uint32_t setting, uint64_t value);
/* Sets it; reads it. It must be allowed, and exist. */
void rm_setting_put (rm_queue_t *queue, rm_setting_t setting, uint64_t value);
uint64_t rm_setting_get (const rm_queue_t *queue, rm_setting_t setting);

/* Reads "1500", "90s", "2h" as milliseconds; false: it is no such time. */
bool rm_duration_parse (rm_bytes_t text, uint64_t *ms);

/* Its name ("tries"). */
const char *rm_setting_name (rm_setting_t setting);
/* Reads "NAME=VALUE" ("default" is what 0 stands for, where it does): 0, or RM_EINVAL and a sentence without a full
 * stop in `why`. */
int rm_setting_parse (rm_bytes_t text, rm_setting_t *setting, uint64_t *value, char *why, size_t size);
/* Writes a value as rm_setting_parse reads it. */
void rm_setting_write (rm_setting_t setting, uint64_t value, char text[RM_SETTING_TEXT_BYTES]);
