#include "worker/builtin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/clock.h"
#include "worker/job.h"

static int echo (rm_job_t *job, void *arg)
{
    (void)arg;
    size_t size;
    const void *data = rm_job_data (job, &size);
    return rm_job_reply (job, data, size);
}

static int sleep_ms (rm_job_t *job, void *arg)
{
    (void)arg;
    enum { LONGEST_MS = 24 * 60 * 60 * 1000 };
    char *end;
    errno = 0;
    long ms = strtol (rm_job_text (job), &end, 10);
    while (*end == '\n' || *end == ' ')
        end++;
    if (end == rm_job_text (job) || *end || errno || ms < 0 || ms > LONGEST_MS)
        return rm_job_fail (job, RM_DEAD, "the payload must be a number of milliseconds, at most %d", LONGEST_MS);
    if (rm_job_sleep (job, rm_clock_ms () + (uint64_t)ms))
        return rm_job_fail (job, RM_RETRY, "woken up");
    return rm_job_reply (job, NULL, 0);
}

static int fail (rm_job_t *job, void *arg)
{
    (void)arg;
    return rm_job_fail (job, RM_RETRY, "%s", rm_job_text (job));
}

rm_handler_fn *rm_builtin (const char *name)
{
    static const struct {
        const char *name;
        rm_handler_fn *handler;
    } table[] = {{"echo", echo}, {"sleep", sleep_ms}, {"fail", fail}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp (table[i].name, name))
            return table[i].handler;
    return NULL;
}
