/* What the lines of history_pen.h mean. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "history_inside.h"
#include "ringmaster/client.h"

/* What every line begins with. */
typedef struct {
    uint64_t us;
    pid_t pid;
    char who[HISTORY_WHO_BYTES];
    const char *rest; /* behind it */
} head_t;

const char *history_outcome_name (int outcome)
{
    static const char *const names[] = {"none", "done", "dead", "cancelled", "expired"};
    return outcome >= 0 && outcome <= RM_EXPIRED ? names[outcome] : "?";
}

static int outcome_of (const char *name)
{
    for (int outcome = RM_DONE; outcome <= RM_EXPIRED; outcome++)
        if (!strcmp (name, history_outcome_name (outcome)))
            return outcome;
    return -1;
}

/* ---- of recorders ----------------------------------------------------------------------------------------------- */

static run_t *find_open (history_t *self, const run_t *end)
{
    for (size_t i = self->runs.count; i-- > 0;) {
        run_t *run = &self->runs.all[i];
        if (run->pid == end->pid && run->id == end->id && run->token == end->token && run->end == RUN_OPEN)
            return run;
    }
    return NULL;
}

static run_end_t end_of (const char *how)
{
    if (!strcmp (how, "ok"))
        return RUN_OK;
    if (!strcmp (how, "failed"))
        return RUN_FAILED;
    return strcmp (how, "cancelled") ? RUN_OPEN : RUN_CANCELLED;
}

/* The number of fields; what stands behind the last one of both kinds is in `more`. */
static int read_run (run_t *run, const head_t *head, char more[16])
{
    *run = (run_t){.start_us = head->us, .end_us = UINT64_MAX, .pid = head->pid};
    return sscanf (head->rest, "%" SCNu64 " %63s %" SCNu64 " %u %15s", &run->id, run->key, &run->token, &run->attempt,
                   more);
}

static bool take_start (history_t *self, const head_t *head)
{
    run_t run;
    char worker[16] = "0", *end;
    if (read_run (&run, head, worker) < 4)
        return false;
    memcpy (run.who, head->who, sizeof run.who);
    run.worker = (pid_t)strtol (worker, &end, 10);
    if (*end)
        return false;
    *MORE (self->runs) = run;
    return true;
}

static bool take_end (history_t *self, const head_t *head)
{
    run_t run;
    char how[16];
    run_t *open = read_run (&run, head, how) == 5 ? find_open (self, &run) : NULL;
    if (!open || end_of (how) == RUN_OPEN)
        return false;
    open->end_us = head->us;
    open->end = end_of (how);
    return true;
}

/* ---- of clients ------------------------------------------------------------------------------------------------- */

static bool take_accepted (history_t *self, const head_t *head)
{
    history_job_t job = {0};
    char once[8];
    int fields = sscanf (head->rest, "%" SCNu64 " %63s %32[0-9a-f]:%" SCNu64 " %u %u %7s %63s", &job.id, job.key,
                         job.session, &job.seq, &job.may_end, &job.may_die_of, once, job.bytes);
    if (fields != 8)
        return false;
    job.at_most_once = !strcmp (once, "once");
    if (!strcmp (job.bytes, "-"))
        *job.bytes = 0;
    *MORE (self->jobs) = job;
    if (self->accepted_us && head->us > self->accepted_us && head->us - self->accepted_us > self->gap_us)
        self->gap_us = head->us - self->accepted_us;
    if (head->us > self->accepted_us)
        self->accepted_us = head->us;
    return true;
}

static bool take_outcome (history_t *self, const head_t *head)
{
    history_outcome_t outcome = {0};
    char name[16];
    int reason = 0;
    int fields =
        sscanf (head->rest, "%" SCNu64 " %15s %u %63s%n", &outcome.id, name, &outcome.attempt, outcome.bytes, &reason);
    outcome.outcome = fields == 4 ? outcome_of (name) : -1;
    if (outcome.outcome < 0 || !reason)
        return false;
    if (!strcmp (outcome.bytes, "-"))
        *outcome.bytes = 0;
    snprintf (outcome.reason, sizeof outcome.reason, "%s", head->rest + reason + (head->rest[reason] == ' '));
    *MORE (self->outcomes) = outcome;
    return true;
}

static bool take_overtaken (history_t *self, const head_t *head)
{
    overtaken_t pair;
    if (sscanf (head->rest, "%" SCNu64 " %" SCNu64, &pair.older, &pair.younger) != 2)
        return false;
    *MORE (self->overtaken) = pair;
    return true;
}

static bool take_complaint (history_t *self, const head_t *head)
{
    complaint_t *complaint = MORE (self->complaints);
    snprintf (complaint->text, sizeof complaint->text, "%s: %s", head->who, head->rest);
    return *head->rest;
}

/* ---- of whoever kills and stops ---------------------------------------------------------------------------------- */

/* A stop that goes on. */
static moment_t *find_stop (history_t *self, pid_t pid)
{
    for (size_t i = self->stops.count; i-- > 0;)
        if (self->stops.all[i].pid == pid && self->stops.all[i].to_us == HISTORY_NEVER_US)
            return &self->stops.all[i];
    return NULL;
}

static bool take_stop (history_t *self, const head_t *head)
{
    if (!find_stop (self, head->pid))
        *MORE (self->stops) = (moment_t){head->pid, head->us, HISTORY_NEVER_US};
    return true;
}

static bool take_cont (history_t *self, const head_t *head)
{
    moment_t *stop = find_stop (self, head->pid);
    if (stop)
        stop->to_us = head->us;
    return stop;
}

static bool take_slept (history_t *self, const head_t *head)
{
    uint64_t from_us;
    if (sscanf (head->rest, "%" SCNu64, &from_us) != 1 || from_us > head->us)
        return false;
    *MORE (self->sleeps) = (moment_t){head->pid, from_us, head->us};
    return true;
}

static bool take_died (history_t *self, const head_t *head)
{
    moment_t *stop = find_stop (self, head->pid);
    if (stop)
        stop->to_us = head->us;
    *MORE (self->deaths) = (moment_t){head->pid, head->us, head->us};
    return true;
}

static bool take_cut (history_t *self, const head_t *head)
{
    cut_t *cut = MORE (self->cuts);
    *cut = (cut_t){.from_us = head->us, .to_us = HISTORY_NEVER_US};
    memcpy (cut->who, head->who, sizeof cut->who);
    return true;
}

static bool take_uncut (history_t *self, const head_t *head)
{
    for (size_t i = self->cuts.count; i-- > 0;)
        if (self->cuts.all[i].to_us == HISTORY_NEVER_US && !strcmp (self->cuts.all[i].who, head->who)) {
            self->cuts.all[i].to_us = head->us;
            return true;
        }
    return false;
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

bool history_line (history_t *self, const char *line)
{
    static const struct {
        const char *name;
        bool (*take) (history_t *self, const head_t *head);
    } kinds[] = {
        {"start", take_start},
        {"end", take_end},
        {"accepted", take_accepted},
        {"outcome", take_outcome},
        {"overtaken", take_overtaken},
        {"complaint", take_complaint},
        {"stop", take_stop},
        {"cont", take_cont},
        {"slept", take_slept},
        {"died", take_died},
        {"cut", take_cut},
        {"uncut", take_uncut},
    };
    head_t head;
    char kind[16];
    long pid;
    int rest = 0;
    if (*line == '#')
        return true;
    if (sscanf (line, "%15s %" SCNu64 " %ld %31s%n", kind, &head.us, &pid, head.who, &rest) != 4 || !rest)
        return false;
    head.pid = (pid_t)pid;
    head.rest = line + rest + (line[rest] == ' ');
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp (kind, kinds[i].name))
            return kinds[i].take (self, &head);
    return false;
}

long history_read (history_t *self, const char *path)
{
    FILE *file = fopen (path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    long count = 0;
    if (!file)
        return errno == ENOENT ? 0 : -1;
    for (; count >= 0 && (size = getline (&line, &room, file)) > 0; count++) {
        if (line[size - 1] == '\n')
            line[size - 1] = 0;
        if (!history_line (self, line)) {
            fprintf (stderr, "%s:%ld: not a line of a history: %s\n", path, count + 1, line);
            count = -2;
        }
    }
    free (line);
    fclose (file);
    return count;
}
