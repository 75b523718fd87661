#include "client/spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/settings.h"
#include "proto/limits.h"

typedef struct {
    char *text;
    size_t size;
} why_t;

__attribute__ ((format (printf, 3, 4))) static int refuse (why_t why, int error, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (why.text, why.size, format, arguments);
    va_end (arguments);
    return error;
}

/* Which of a job's options a setting of "retry" is; NULL: none. */
static uint32_t *retry_option (rm_job_options_t *options, rm_setting_t setting)
{
    switch (setting) {
    case RM_SETTING_DELAY:
        return &options->retry_delay_ms;
    case RM_SETTING_BACKOFF:
        return &options->retry_permille;
    case RM_SETTING_CAP:
        return &options->retry_cap_ms;
    case RM_SETTING_JITTER:
        return &options->retry_jitter;
    default:
        return NULL;
    }
}

/* "delay=1s backoff=2 cap=1m jitter=full". */
static int read_retry (const char *text, rm_job_options_t *options, why_t why)
{
    while (*(text += strspn (text, " "))) {
        size_t length = strcspn (text, " ");
        rm_setting_t setting;
        uint64_t value;
        int error = rm_setting_parse ((rm_bytes_t){text, (uint32_t)length}, &setting, &value, why.text, why.size);
        if (error)
            return error;
        uint32_t *option = retry_option (options, setting);
        if (!option)
            return refuse (why, RM_EINVAL, "the attempts of a job have delay, backoff, cap and jitter, but no %s",
                           rm_setting_name (setting));
        *option = (uint32_t)value;
        text += length;
    }
    if (!options->retry_delay_ms)
        return refuse (why, RM_EINVAL, "how the attempts of a job are spaced begins with delay=TIME, above 0");
    return 0;
}

static int check_options (const rm_spec_t *spec, why_t why)
{
    if (spec->id && strlen (spec->id) > RM_UID_BYTES_MAX)
        return refuse (why, RM_ETOOBIG, "the job's own id has %zu bytes, at most %d are allowed", strlen (spec->id),
                       RM_UID_BYTES_MAX);
    if (spec->priority > RM_PRIORITY_MAX)
        return refuse (why, RM_EINVAL, "the priority is %u, but goes from 1 to %d", spec->priority, RM_PRIORITY_MAX);
    if (spec->delay_ms > RM_AHEAD_MS_MAX || spec->deadline_ms > RM_AHEAD_MS_MAX)
        return refuse (why, RM_EINVAL, "a job's delay and deadline lie at most 366 days ahead");
    if (spec->deadline_ms && spec->deadline_ms <= spec->delay_ms)
        return refuse (why, RM_EINVAL, "the job's deadline is over before its delay is");
    return 0;
}

static int check (const rm_spec_t *spec, why_t why)
{
    if (!spec || !spec->queue)
        return refuse (why, RM_EINVAL, "a job needs a queue");
    if (strlen (spec->queue) > RM_QUEUE_NAME_BYTES_MAX || !rm_name_valid (rm_bytes (spec->queue)))
        return refuse (why, RM_EINVAL,
                       "the queue's name must be 1 to %d printable characters without white space, '/' or '\"'",
                       RM_QUEUE_NAME_BYTES_MAX);
    if (spec->key && strlen (spec->key) > RM_KEY_BYTES_MAX)
        return refuse (why, RM_ETOOBIG, "the key has %zu bytes, at most %d are allowed", strlen (spec->key),
                       RM_KEY_BYTES_MAX);
    if (spec->size && !spec->data)
        return refuse (why, RM_EINVAL, "the payload has a size but no data");
    if (spec->size > RM_PAYLOAD_BYTES_CEILING)
        return refuse (why, RM_ETOOBIG, "the payload has %zu bytes, at most %d are allowed", spec->size,
                       RM_PAYLOAD_BYTES_CEILING);
    return check_options (spec, why);
}

int rm_spec_job (const rm_spec_t *spec, rm_submit_job_t *job, char *text, size_t size)
{
    why_t why = {text, size};
    int error = check (spec, why);
    if (error)
        return error;
    *job = (rm_submit_job_t){
        .queue = rm_bytes (spec->queue),
        .key = rm_bytes (spec->key),
        .data = {spec->data, (uint32_t)spec->size},
        .tries = spec->tries,
        .timeout_ms = spec->timeout_ms,
        .flags = spec->at_most_once ? RM_JOB_AT_MOST_ONCE : 0,
        .options = {.delay_ms = spec->delay_ms,
                    .deadline_ms = spec->deadline_ms,
                    .priority = spec->priority,
                    .uid = rm_bytes (spec->id)},
    };
    return spec->retry ? read_retry (spec->retry, &job->options, why) : 0;
}
