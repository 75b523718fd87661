/*  The commands of a map: one for each combination of arguments, what is known of it, and by what it is recognised when
 *  the same map is run again.
 *
 *          waits ──submitted──▶ sent ──its outcome──▶ ended
 *            ▲                    │
 *            └── it failed and has a try left, or the master knows nothing of it
 *
 *  A command's name is the hash of its directory and text, and which one of those with that text it is. So a map that is
 *  run again with more, fewer or otherwise ordered arguments recognises what it has run.
 *  Thread rule: belongs to one thread. In-place struct.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "ctl/map/outcome.h"
#include "ctl/map/source.h"
#include "ctl/map/template.h"

enum { RM_MAP_NAME_BYTES = 48 }; /* room for a name as text, its NUL included */

/* All of it is compared: no byte may be left unset. */
typedef struct {
    uint64_t hash[2];
    uint64_t turn; /* which one of the same text, from 0 */
} rm_map_name_t;

typedef enum { RM_MAP_WAITS, RM_MAP_SENT, RM_MAP_ENDED } rm_map_state_t;

typedef struct rm_map_job {
    char *command;   /* owned */
    char *key;       /* owned; NULL: none */
    uint64_t number; /* from 1, in the order of the arguments */
    rm_map_name_t name;
    UT_hash_handle by_name;
    uint64_t same; /* of a turn 0: how many have its text */
    rm_map_state_t state;
    bool before;              /* it ended in an earlier run */
    uint64_t id;              /* sent: the master's job */
    uint64_t tries;           /* that have failed */
    rm_map_outcome_t outcome; /* ended */
} rm_map_job_t;

typedef struct {
    rm_map_job_t *jobs; /* in order; owned */
    size_t count;
    rm_map_job_t *by_name;
    const rm_map_sources_t *sources; /* borrowed */
} rm_map_plan_t;

/* One command for each row of `sources`; `key` may be NULL. They must outlive the plan. 0, RM_EINVAL (a sentence) or
 * RM_ENOMEM. */
int rm_map_plan_init (rm_map_plan_t *self, const rm_map_sources_t *sources, const rm_map_template_t *command,
                      const rm_map_template_t *key, const char *directory, rm_fault_t *fault);
void rm_map_plan_close (rm_map_plan_t *self);

/* NULL: no command of that name. */
rm_map_job_t *rm_map_plan_find (const rm_map_plan_t *self, const rm_map_name_t *name);

/* A name as text and back. False: it is none. */
void rm_map_name_write (const rm_map_name_t *self, char text[RM_MAP_NAME_BYTES]);
bool rm_map_name_read (rm_map_name_t *self, const char *text);
