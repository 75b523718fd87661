#include "ringmaster/retry.h"

#include <errno.h>
#include <time.h>

#include "net/random.h"
#include "rpc/retry.h"

int rm_retry_read (const rm_retry_t *policy, rm_backoff_t *backoff, const char **why)
{
    const char *spared;
    if (!why)
        why = &spared;
    *backoff = (rm_backoff_t){
        .tries = policy->tries ? policy->tries : 1,
        .delay_ms = policy->delay_ms,
        /* Rounded up, so that what is above 1 stays so; what is no number becomes one that is refused. */
        .factor_permille = policy->backoff > 1 && policy->backoff < 1e6 ? (int64_t)(policy->backoff * 1000 + 0.999) : 0,
        .cap_ms = policy->cap_ms ? policy->cap_ms : RM_BACKOFF_MS_MAX,
        .jitter = RM_JITTER_NONE,
    };
    if (policy->backoff >= 1e6)
        backoff->factor_permille = INT64_MAX;
    if (policy->jitter && rm_jitter_parse (policy->jitter, &backoff->jitter))
        backoff->jitter = RM_JITTERS;
    return rm_backoff_check (backoff, why);
}

int rm_retry_check (const rm_retry_t *policy, const char **why)
{
    rm_backoff_t backoff;
    return rm_retry_read (policy, &backoff, why);
}

bool rm_retry_again (const rm_retry_t *policy, const rm_backoff_t *backoff, rm_retry_wait_t *wait)
{
    if (rm_backoff_gives_up (backoff, (uint64_t)++wait->failures))
        return false;
    wait->wait_ms = rm_backoff_next (backoff, (uint64_t)wait->failures, (uint32_t)wait->wait_ms, rm_random_u64 ());
    if (policy->notice)
        policy->notice (wait, policy->arg);
    return true;
}

static void sleep_ms (int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep (&left, &left) && errno == EINTR)
        continue;
}

int rm_retry (const rm_retry_t *policy, rm_retry_fn *fn, void *arg)
{
    rm_backoff_t backoff;
    rm_retry_wait_t wait = {.text = ""};
    if (rm_retry_read (policy, &backoff, NULL))
        return RM_EINVAL;
    while ((wait.error = fn (arg)) && rm_retry_again (policy, &backoff, &wait))
        sleep_ms (wait.wait_ms);
    return wait.error;
}
