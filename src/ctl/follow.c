#include "ctl/follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "ctl/show/text.h"

enum { COLUMNS = 79 }; /* of the line; few terminals have less */

static bool told;             /* something was */
static bool drawn;            /* the terminal has the line */
static unsigned last_attempt; /* of which the newest partial result was … */
static uint64_t last_n;       /* … and its number */

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

static void on_partial (uint64_t id, unsigned attempt, uint64_t n, const void *data, size_t size, void *arg)
{
    (void)arg;
    told = true;
    wipe ();
    if (last_attempt && attempt != last_attempt)
        rm_ctl_say ("job %" PRIu64 " begins anew, attempt %u", id, attempt);
    if (attempt != last_attempt)
        last_n = 0;
    if (n > last_n + 1)
        rm_ctl_say ("job %" PRIu64 ": %" PRIu64 " of its partial results were missed", id, n - last_n - 1);
    last_attempt = attempt;
    last_n = n;
    fwrite (data, 1, size, stdout);
    fflush (stdout);
}

void rm_ctl_follow (rm_ctl_t *self)
{
    told = drawn = false;
    last_attempt = 0;
    last_n = 0;
    if (self->said.follow && !self->said.json)
        rm_client_on_partial (self->client, on_partial, NULL);
    if (self->said.follow || isatty (STDERR_FILENO))
        rm_client_on_progress (self->client, on_progress, NULL);
}

void rm_ctl_unfollow (rm_ctl_t *self)
{
    wipe ();
    rm_client_on_progress (self->client, NULL, NULL);
    rm_client_on_partial (self->client, NULL, NULL);
}

bool rm_ctl_followed (void)
{
    return told;
}
