#include "ctl/follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl/show/text.h"

enum { COLUMNS = 79 }; /* of the line; few terminals have less */

static bool told;  /* something was */
static bool drawn; /* the terminal has the line */

static void wipe (void)
{
    if (drawn)
        fputs ("\r\033[K", stderr);
    drawn = false;
}

static void on_progress (uint64_t id, unsigned attempt, unsigned permille, const char *note, void *arg)
{
    (void)arg;
    char text[512], line[600];
    told = true;
    rm_ctl_progress_text (permille, note, text, sizeof text);
    rm_ctl_mask (text, false);
    int size = snprintf (line, sizeof line, "job %" PRIu64 ": %s", id, text);
    if (attempt > 1 && size < (int)sizeof line)
        snprintf (line + size, sizeof line - (size_t)size, " (attempt %u)", attempt);
    if (!isatty (STDERR_FILENO)) {
        rm_ctl_say ("%s", line);
    } else {
        fprintf (stderr, "\r%.*s\033[K", (int)rm_ctl_fitting (line, COLUMNS), line);
        drawn = true;
    }
}

void rm_ctl_follow (rm_ctl_t *self)
{
    told = drawn = false;
    if (self->said.follow || isatty (STDERR_FILENO))
        rm_client_on_progress (self->client, on_progress, NULL);
}

void rm_ctl_unfollow (rm_ctl_t *self)
{
    wipe ();
    rm_client_on_progress (self->client, NULL, NULL);
}

bool rm_ctl_followed (void)
{
    return told;
}
