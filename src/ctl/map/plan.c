#include "ctl/map/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "proto/alloc.h"
#include "proto/limits.h"
#include "ringmaster/error.h"

/* ---- names ------------------------------------------------------------------------------------------------------ */

static rm_map_name_t first_name (const char *directory, const char *command)
{
    XXH128_hash_t place = XXH3_128bits (directory, strlen (directory));
    XXH128_hash_t hash = XXH3_128bits_withSeed (command, strlen (command), place.low64 ^ place.high64);
    return (rm_map_name_t){.hash = {hash.high64, hash.low64}};
}

void rm_map_name_write (const rm_map_name_t *self, char text[RM_MAP_NAME_BYTES])
{
    snprintf (text, RM_MAP_NAME_BYTES, "%016" PRIx64 "%016" PRIx64 ".%" PRIu64, self->hash[0], self->hash[1],
              self->turn);
}

bool rm_map_name_read (rm_map_name_t *self, const char *text)
{
    int end = -1;
    if (strspn (text, "0123456789abcdef") != 32 || text[32] != '.' || !text[33])
        return false;
    return sscanf (text, "%16" SCNx64 "%16" SCNx64 ".%9" SCNu64 "%n", &self->hash[0], &self->hash[1], &self->turn,
                   &end) == 3 &&
           end > 0 && !text[end];
}

rm_map_job_t *rm_map_plan_find (const rm_map_plan_t *self, const rm_map_name_t *name)
{
    rm_map_job_t *job;
    HASH_FIND (by_name, self->by_name, name, sizeof *name, job);
    return job;
}

static void name_job (rm_map_plan_t *self, rm_map_job_t *job, const char *directory)
{
    job->name = first_name (directory, job->command);
    rm_map_job_t *first = rm_map_plan_find (self, &job->name);
    if (first)
        job->name.turn = ++first->same;
    HASH_ADD (by_name, self->by_name, name, sizeof job->name, job);
}

/* ---- the plan --------------------------------------------------------------------------------------------------- */

static int expand (const rm_map_template_t *template, const char *const *values, size_t count, uint64_t number,
                   char **text)
{
    rm_buf_t buf = {0};
    rm_map_template_expand (template, values, count, number, &buf);
    if (buf.failed) {
        rm_buf_close (&buf);
        return RM_ENOMEM;
    }
    *text = (char *)buf.data;
    return 0;
}

static int plan_row (rm_map_plan_t *self, size_t row, const rm_map_template_t *command, const rm_map_template_t *key,
                     const char *directory, rm_fault_t *fault)
{
    const char *values[RM_MAP_SOURCES_MAX];
    rm_map_job_t *job = &self->jobs[row];
    rm_map_sources_row (self->sources, row, values);
    job->number = row + 1;
    int error = expand (command, values, self->sources->count, job->number, &job->command);
    if (error)
        return error;
    name_job (self, job, directory);
    if (!*job->command)
        return rm_fault (fault, RM_EINVAL, "the command of argument %zu is empty", row + 1);
    if (key)
        error = expand (key, values, self->sources->count, job->number, &job->key);
    if (!error && job->key && strlen (job->key) > RM_KEY_BYTES_MAX)
        return rm_fault (fault, RM_EINVAL, "the key of argument %zu has more than %d bytes", row + 1, RM_KEY_BYTES_MAX);
    return error;
}

int rm_map_plan_init (rm_map_plan_t *self, const rm_map_sources_t *sources, const rm_map_template_t *command,
                      const rm_map_template_t *key, const char *directory, rm_fault_t *fault)
{
    *self = (rm_map_plan_t){.sources = sources};
    self->jobs = rm_calloc (sources->rows ? sources->rows : 1, sizeof *self->jobs);
    int error = self->jobs ? 0 : RM_ENOMEM;
    for (; !error && self->count < sources->rows; self->count++)
        error = plan_row (self, self->count, command, key, directory, fault);
    return error;
}

void rm_map_plan_close (rm_map_plan_t *self)
{
    HASH_CLEAR (by_name, self->by_name);
    for (size_t i = 0; i < self->count; i++) {
        rm_free (self->jobs[i].command);
        rm_free (self->jobs[i].key);
    }
    rm_free (self->jobs);
    *self = (rm_map_plan_t){0};
}
