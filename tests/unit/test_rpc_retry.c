/*  Trying again around any function. */
#include <criterion/criterion.h>
#include <string.h>

#include "ringmaster/retry.h"

typedef struct {
    int failures, calls, notices;
    int64_t waited_ms;
} work_t;

static int work (void *arg)
{
    work_t *self = arg;
    return self->calls++ < self->failures ? -self->calls : 0;
}

static void notice (const rm_retry_wait_t *wait, void *arg)
{
    work_t *self = arg;
    cr_assert_eq (wait->failures, ++self->notices);
    cr_assert_eq (wait->error, -self->calls);
    self->waited_ms += wait->wait_ms;
}

static void is_refused (rm_retry_t policy, const char *what)
{
    const char *why = "";
    work_t self = {.failures = 0};
    cr_assert_eq (rm_retry_check (&policy, &why), RM_EINVAL);
    cr_assert (strstr (why, what), "%s", why);
    cr_assert_eq (rm_retry_check (&policy, NULL), RM_EINVAL);
    cr_assert_eq (rm_retry (&policy, work, &self), RM_EINVAL);
    cr_assert_eq (self.calls, 0, "it was not called");
}

Test (retry, policies_that_cannot_be_are_refused)
{
    is_refused ((rm_retry_t){.tries = 1, .delay_ms = 1, .backoff = 1}, "backoff must be more than 1");
    is_refused ((rm_retry_t){.tries = 1, .delay_ms = 1, .backoff = 0.0 / 0.0}, "backoff must be more than 1");
    is_refused ((rm_retry_t){.tries = 1, .delay_ms = 1, .backoff = 1e300}, "backoff must be 1000 or less");
    is_refused ((rm_retry_t){.tries = -1, .delay_ms = 1, .backoff = 2}, "tries must be 0");
    is_refused ((rm_retry_t){.tries = 1, .delay_ms = 0, .backoff = 2}, "delay must be more than 0");
    is_refused ((rm_retry_t){.tries = 1, .delay_ms = 2, .cap_ms = 1, .backoff = 2}, "cap");
    is_refused ((rm_retry_t){.tries = 1, .delay_ms = 2, .backoff = 2, .jitter = "some"}, "jitter");
    cr_assert_eq (rm_retry_check (&(rm_retry_t){.tries = 0, .delay_ms = 3000, .backoff = 1.0001}, NULL), 0);
}

Test (retry, goes_on_until_it_works)
{
    work_t self = {.failures = 3};
    rm_retry_t policy = {.tries = RM_RETRY_ENDLESS, .delay_ms = 1, .backoff = 2, .notice = notice, .arg = &self};
    cr_assert_eq (rm_retry (&policy, work, &self), 0);
    cr_assert_eq (self.calls, 4);
    cr_assert_eq (self.waited_ms, 1 + 2 + 4);
}

Test (retry, gives_up_with_the_last_error)
{
    work_t self = {.failures = 9};
    rm_retry_t policy = {.tries = 3, .delay_ms = 1, .backoff = 2, .cap_ms = 1, .notice = notice, .arg = &self};
    cr_assert_eq (rm_retry (&policy, work, &self), -3);
    cr_assert_eq (self.calls, 3);
    cr_assert_eq (self.waited_ms, 2, "the cap holds");
}

Test (retry, there_is_always_a_first_try)
{
    work_t self = {.failures = 0};
    cr_assert_eq (rm_retry (&(rm_retry_t){.tries = 0, .delay_ms = 1, .backoff = 2}, work, &self), 0);
    self = (work_t){.failures = 1};
    cr_assert_eq (rm_retry (&(rm_retry_t){.tries = 0, .delay_ms = 1, .backoff = 2}, work, &self), -1);
    cr_assert_eq (self.calls, 1);
}
