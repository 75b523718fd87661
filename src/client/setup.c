#include "client/setup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/random.h"
#include "ringmaster/error.h"

rm_session_id_t rm_setup_session (void)
{
    rm_session_id_t session;
    rm_random_fill (session.bytes, sizeof session.bytes);
    return session;
}

bool rm_setup_number (const char *text, int64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll (text, &end, 10);
    *number = value;
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

/* "1.5" is 1500 thousandths. */
static bool read_permille (const char *text, int64_t *permille)
{
    char *end;
    double value = strtod (text, &end);
    *permille = value >= 0 && value < 1e6 ? (int64_t)(value * 1000 + 0.5) : 0;
    return *text >= '0' && *text <= '9' && !*end;
}

int rm_setup_option (rm_backoff_t *policy, const char *option, const char *value, const char *known, char *why,
                     size_t size)
{
    rm_backoff_t taken = *policy;
    const char *fault = "it is not a number";
    bool read;
    if (!strcmp (option, "initial"))
        read = rm_setup_number (value, &taken.delay_ms);
    else if (!strcmp (option, "factor"))
        read = read_permille (value, &taken.factor_permille);
    else if (!strcmp (option, "cap"))
        read = rm_setup_number (value, &taken.cap_ms);
    else if (!strcmp (option, "tries") && strstr (known, option))
        read = rm_setup_number (value, &taken.tries);
    else {
        snprintf (why, size, "there is no option '%s': %s are known", option, known);
        return RM_EINVAL;
    }
    if (read && taken.cap_ms < taken.delay_ms) {
        read = false;
        fault = "the cap would be below the first timeout";
    }
    if (!read || rm_backoff_check (&taken, &fault)) {
        snprintf (why, size, "option %s cannot be '%s': %s", option, value, fault);
        return RM_EINVAL;
    }
    *policy = taken;
    return 0;
}
