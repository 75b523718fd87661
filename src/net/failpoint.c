#include "net/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/log.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

enum { SETTINGS_MAX = 32, NUMBER_MAX = 1000 * 1000 };

typedef enum { KILL, STOP, DELAY } action_t;

static const char *const action_names[] = {"kill", "stop", "delay"};

typedef struct {
    const char *name; /* of the table */
    action_t action;
    unsigned delay_ms; /* of delay */
    unsigned at;       /* only at this hit, from 1; 0: at each */
    atomic_uint hits;
} setting_t;

bool rm_failpoints_armed;
static const char *const *table; /* every name, then NULL */
static setting_t settings[SETTINGS_MAX];
static size_t setting_count;

/* The name of the table that is the `size` characters at `text`; NULL if there is none. */
static const char *find_name (const char *text, size_t size)
{
    for (const char *const *name = table; *name; name++)
        if (strlen (*name) == size && !memcmp (*name, text, size))
            return *name;
    return NULL;
}

/* Reads a number from 1 and moves on behind it; 0 if there is none. */
static unsigned read_number (const char **at_p)
{
    unsigned number = 0;
    while (**at_p >= '0' && **at_p <= '9' && number <= NUMBER_MAX)
        number = number * 10 + (unsigned)(*(*at_p)++ - '0');
    return number <= NUMBER_MAX ? number : 0;
}

/* Reads "kill", "stop" or "delay:MS", each perhaps with "@COUNT", up to the comma or the end. */
static bool read_action (setting_t *setting, const char **at_p)
{
    static const char *const spellings[] = {"kill", "stop", "delay:"};
    size_t size = 0;
    int action = KILL;
    for (; action <= DELAY; action++) {
        size = strlen (spellings[action]);
        if (!strncmp (*at_p, spellings[action], size))
            break;
    }
    if (action > DELAY)
        return false;
    *at_p += size;
    setting->action = (action_t)action;
    if (action == DELAY && !(setting->delay_ms = read_number (at_p)))
        return false;
    if (**at_p == '@') {
        ++*at_p;
        if (!(setting->at = read_number (at_p)))
            return false;
    }
    return **at_p == ',' || !**at_p;
}

static int read_setting (const char **at_p, rm_fault_t *fault)
{
    const char *text = *at_p;
    int whole = (int)strcspn (text, ",");
    size_t size = strcspn (text, "=,");
    if (setting_count == SETTINGS_MAX)
        return rm_fault (fault, RM_EINVAL, "RM_FAILPOINTS has more than %d settings", SETTINGS_MAX);
    setting_t *setting = &settings[setting_count];
    *setting = (setting_t){.name = find_name (text, size)};
    if (text[size] == '=') {
        *at_p = text + size + 1;
        if (!setting->name)
            return rm_fault (fault, RM_EINVAL, "RM_FAILPOINTS names '%.*s', which is no fail point (see %s)", (int)size,
                             text, "--list-failpoints");
        if (read_action (setting, at_p)) {
            setting_count++;
            return 0;
        }
    }
    return rm_fault (fault, RM_EINVAL, "RM_FAILPOINTS has '%.*s': write NAME=kill, NAME=stop or NAME=delay:MS, %s",
                     whole, text, "perhaps with @COUNT behind it");
}

int rm_failpoint_table (const char *const *names, rm_fault_t *fault)
{
    table = names;
    setting_count = 0;
    const char *at = getenv ("RM_FAILPOINTS");
    for (bool more = at && *at; more; more = *at++ == ',') {
        int rc = read_setting (&at, fault);
        if (rc)
            return rc;
    }
    rm_failpoints_armed = setting_count > 0;
    return 0;
}

void rm_failpoint_list (FILE *out)
{
    for (const char *const *name = table; *name; name++)
        fprintf (out, "%s\n", *name);
}

static void act (const setting_t *setting)
{
    rm_log_write (RM_LOG_WARN, "event=failpoint name=%s action=%s", setting->name, action_names[setting->action]);
    if (setting->action == KILL)
        kill (getpid (), SIGKILL);
    else if (setting->action == STOP)
        kill (getpid (), SIGSTOP);
    else {
        struct timespec left = {setting->delay_ms / 1000, setting->delay_ms % 1000 * 1000000L};
        while (nanosleep (&left, &left) && errno == EINTR)
            continue;
    }
}

void rm_failpoint_hit (const char *name)
{
    RM_ASSERT (find_name (name, strlen (name)));
    for (size_t i = 0; i < setting_count; i++) {
        setting_t *setting = &settings[i];
        if (strcmp (setting->name, name))
            continue;
        unsigned hit = atomic_fetch_add (&setting->hits, 1) + 1;
        if (!setting->at || setting->at == hit)
            act (setting);
    }
}
