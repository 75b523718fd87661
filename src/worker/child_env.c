#include "worker/child_env.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/alloc.h"
#include "worker/child_say.h"

enum { VARIABLES = 6 }; /* that we add */

static bool is_ours (const char *variable)
{
    static const char *const names[] = {
        "RM_JOB_ID=", "RM_KEY=", "RM_TOKEN=", "RM_ATTEMPT=", "RM_QUEUE=", "RM_PROGRESS="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp (variable, names[i], strlen (names[i])))
            return true;
    return false;
}

static bool is_among (const char *variable, const char *const *list, size_t count)
{
    size_t size = strcspn (variable, "=") + 1;
    for (size_t i = 0; i < count; i++)
        if (!strncmp (variable, list[i], size))
            return true;
    return false;
}

static char *variable (const char *name, const char *value)
{
    char *text = rm_malloc (strlen (name) + strlen (value) + 2);
    if (text)
        sprintf (text, "%s=%s", name, value);
    return text;
}

void rm_child_env_close (rm_child_env_t *self)
{
    rm_free (self->list);
    rm_free (self->key);
    rm_free (self->queue);
}

bool rm_child_env_init (rm_child_env_t *self, const rm_job_t *job, const char *const *more, size_t more_count)
{
    size_t count = 0;
    while (environ[count])
        count++;
    const char *key = rm_job_key (job);
    *self = (rm_child_env_t){
        .list = rm_malloc ((count + more_count + VARIABLES + 1) * sizeof *self->list),
        .key = key ? variable ("RM_KEY", key) : NULL,
        .queue = variable ("RM_QUEUE", rm_job_queue (job)),
    };
    if (!self->list || !self->queue || (key && !self->key)) {
        rm_child_env_close (self);
        return false;
    }
    snprintf (self->numbers[0], RM_CHILD_NUMBER_BYTES, "RM_JOB_ID=%" PRIu64, rm_job_id (job));
    snprintf (self->numbers[1], RM_CHILD_NUMBER_BYTES, "RM_TOKEN=%" PRIu64, rm_job_token (job));
    snprintf (self->numbers[2], RM_CHILD_NUMBER_BYTES, "RM_ATTEMPT=%u", rm_job_attempt (job));
    snprintf (self->numbers[3], RM_CHILD_NUMBER_BYTES, "RM_PROGRESS=%d", RM_CHILD_SAY_FD);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_ours (environ[i]) && !is_among (environ[i], more, more_count))
            self->list[used++] = environ[i];
    for (size_t i = 0; i < more_count; i++)
        if (!is_ours (more[i]))
            self->list[used++] = (char *)more[i];
    for (int i = 0; i < RM_CHILD_NUMBERS; i++)
        self->list[used++] = self->numbers[i];
    self->list[used++] = self->queue;
    if (key)
        self->list[used++] = self->key;
    self->list[used] = NULL;
    return true;
}
