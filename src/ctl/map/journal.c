#include "ctl/map/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "proto/alloc.h"
#include "proto/limits.h"
#include "ringmaster/error.h"

/* ---- writing ---------------------------------------------------------------------------------------------------- */

__attribute__ ((format (printf, 2, 3))) static void put (rm_buf_t *to, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    rm_buf_put (to, text, (size_t)size);
}

/* Writes the line and empties the buffer. */
static int write_line (rm_map_journal_t *self, rm_buf_t *line, bool sync, rm_fault_t *fault)
{
    rm_buf_put (line, "\n", 1);
    int error = line->failed ? RM_ENOMEM : 0;
    for (size_t done = 0; !error && done < line->size;) {
        ssize_t more = write (self->fd, line->data + done, line->size - done);
        if (more >= 0)
            done += (size_t)more;
        else if (errno != EINTR)
            error = rm_fault (fault, RM_EIO, "cannot write the journal: %s", strerror (errno));
    }
    if (!error && sync && fdatasync (self->fd))
        error = rm_fault (fault, RM_EIO, "cannot sync the journal: %s", strerror (errno));
    rm_buf_close (line);
    return error;
}

static void put_name (rm_buf_t *to, const rm_map_job_t *job)
{
    char name[RM_MAP_NAME_BYTES];
    rm_map_name_write (&job->name, name);
    put (to, " %s", name);
}

int rm_map_journal_submit (rm_map_journal_t *self, const char *session, rm_map_job_t *const *jobs, size_t count,
                           rm_fault_t *fault)
{
    rm_buf_t line = {0};
    if (self->fd < 0)
        return 0;
    put (&line, "submit %s", session);
    for (size_t i = 0; i < count; i++)
        put_name (&line, jobs[i]);
    return write_line (self, &line, true, fault);
}

int rm_map_journal_accepted (rm_map_journal_t *self, const uint64_t *ids, size_t count, rm_fault_t *fault)
{
    rm_buf_t line = {0};
    if (self->fd < 0)
        return 0;
    put (&line, "accepted");
    for (size_t i = 0; i < count; i++)
        put (&line, " %" PRIu64, ids[i]);
    return write_line (self, &line, false, fault);
}

int rm_map_journal_refused (rm_map_journal_t *self, rm_fault_t *fault)
{
    rm_buf_t line = {0};
    if (self->fd < 0)
        return 0;
    put (&line, "refused");
    return write_line (self, &line, false, fault);
}

int rm_map_journal_again (rm_map_journal_t *self, const rm_map_job_t *job, rm_fault_t *fault)
{
    rm_buf_t line = {0};
    if (self->fd < 0)
        return 0;
    put (&line, "again");
    put_name (&line, job);
    put (&line, " %" PRIu64, job->tries);
    return write_line (self, &line, false, fault);
}

int rm_map_journal_ended (rm_map_journal_t *self, const rm_map_job_t *job, rm_fault_t *fault)
{
    const rm_map_outcome_t *outcome = &job->outcome;
    rm_buf_t line = {0};
    if (self->fd < 0)
        return 0;
    put (&line, "ended");
    put_name (&line, job);
    put (&line, " %d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %s", outcome->exit, outcome->signal, outcome->start_ms,
         outcome->ran_ms, outcome->received, outcome->host);
    return write_line (self, &line, false, fault);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static rm_map_job_t *find (const rm_map_plan_t *plan, const char *text, bool *is_name)
{
    rm_map_name_t name;
    *is_name = text && rm_map_name_read (&name, text);
    return *is_name ? rm_map_plan_find (plan, &name) : NULL;
}

/* The words behind "submit". */
static bool read_submit (rm_map_journal_t *self, const rm_map_plan_t *plan, char *save)
{
    const char *session = strtok_r (NULL, " ", &save);
    if (!session || strlen (session) >= sizeof self->session)
        return false;
    strcpy (self->session, session);
    self->pending_count = 0;
    self->in_doubt = false;
    for (const char *word; (word = strtok_r (NULL, " ", &save));) {
        bool is_name;
        rm_map_job_t *job = find (plan, word, &is_name);
        if (!is_name || self->pending_count == RM_MESSAGE_JOBS_MAX)
            return false;
        self->in_doubt |= !job;
        self->pending[self->pending_count++] = job;
    }
    return self->pending_count;
}

static bool read_accepted (rm_map_journal_t *self, char *save)
{
    size_t count = 0;
    for (const char *word; (word = strtok_r (NULL, " ", &save)); count++) {
        uint64_t id = strtoull (word, NULL, 10);
        if (count == self->pending_count || !id)
            return false;
        rm_map_job_t *job = self->pending[count];
        if (!job)
            continue;
        job->state = RM_MAP_SENT;
        job->id = id;
    }
    bool whole = count && count == self->pending_count;
    *self->session = 0;
    self->pending_count = 0;
    return whole;
}

static bool read_again (const rm_map_plan_t *plan, char *save)
{
    bool is_name;
    rm_map_job_t *job = find (plan, strtok_r (NULL, " ", &save), &is_name);
    const char *tries = strtok_r (NULL, " ", &save);
    if (!is_name || !tries)
        return false;
    if (!job)
        return true;
    job->state = RM_MAP_WAITS;
    job->tries = strtoull (tries, NULL, 10);
    return true;
}

static bool read_ended (rm_map_journal_t *self, const rm_map_plan_t *plan, char *save)
{
    bool is_name;
    rm_map_job_t *job = find (plan, strtok_r (NULL, " ", &save), &is_name);
    rm_map_outcome_t outcome = {0};
    if (!is_name || !save ||
        sscanf (save, "%d %d %" SCNu64 " %" SCNu64 " %" SCNu64 " %128s", &outcome.exit, &outcome.signal,
                &outcome.start_ms, &outcome.ran_ms, &outcome.received, outcome.host) != 6)
        return false;
    if (!job)
        return true;
    if (job->state == RM_MAP_ENDED)
        return false; /* a command ends once */
    job->outcome = outcome;
    job->state = RM_MAP_ENDED;
    job->before = true;
    self->ended[self->ended_count++] = job;
    return true;
}

static bool read_line (rm_map_journal_t *self, const rm_map_plan_t *plan, char *line)
{
    char *save;
    const char *word = strtok_r (line, " ", &save);
    if (!word)
        return false;
    if (!strcmp (word, "submit"))
        return read_submit (self, plan, save);
    if (!strcmp (word, "accepted"))
        return read_accepted (self, save);
    if (!strcmp (word, "again"))
        return read_again (plan, save);
    if (!strcmp (word, "ended"))
        return read_ended (self, plan, save);
    if (strcmp (word, "refused"))
        return false;
    *self->session = 0;
    self->pending_count = 0;
    return true;
}

/* Reads what is whole; `*end` is where that ends. */
static int read_all (rm_map_journal_t *self, FILE *from, const char *path, const char *where, rm_map_plan_t *plan,
                     off_t *end, rm_fault_t *fault)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    int error = 0;
    for (ssize_t size; !error && (size = getline (&line, &room, from)) > 0;) {
        if (line[size - 1] != '\n')
            break; /* torn */
        *end += size;
        line[size - 1] = 0;
        if (number++) {
            if (!read_line (self, plan, line))
                error = rm_fault (fault, RM_ECORRUPT, "line %zu of %s cannot be read; remove the file to begin anew",
                                  number, path);
        } else if (strncmp (line, "map 1 ", 6)) {
            error = rm_fault (fault, RM_ECORRUPT, "%s is not the journal of a map", path);
        } else if (strcmp (line + 6, where)) {
            error = rm_fault (fault, RM_ECONFLICT, "%s is of a map at %s, not at %s; take another name", path, line + 6,
                              where);
        }
    }
    free (line);
    return error;
}

static int load (rm_map_journal_t *self, const char *path, const char *where, rm_map_plan_t *plan, rm_fault_t *fault)
{
    int copy = dup (self->fd);
    FILE *from = copy < 0 ? NULL : fdopen (copy, "r");
    if (!from)
        return rm_fault (fault, RM_EIO, "cannot read %s: %s", path, strerror (errno));
    off_t end = 0;
    int error = read_all (self, from, path, where, plan, &end, fault);
    fclose (from);
    if (!error && (ftruncate (self->fd, end) || lseek (self->fd, end, SEEK_SET) < 0))
        error = rm_fault (fault, RM_EIO, "cannot mend the end of %s: %s", path, strerror (errno));
    if (error || end)
        return error;
    rm_buf_t line = {0};
    put (&line, "map 1 ");
    rm_buf_put (&line, where, strlen (where));
    return write_line (self, &line, true, fault);
}

int rm_map_journal_open (rm_map_journal_t *self, const char *path, const char *where, rm_map_plan_t *plan,
                         rm_fault_t *fault)
{
    *self = (rm_map_journal_t){.fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)};
    if (self->fd < 0)
        return rm_fault (fault, RM_EIO, "cannot open %s: %s", path, strerror (errno));
    if (flock (self->fd, LOCK_EX | LOCK_NB))
        return rm_fault (fault, RM_ESTATE, "another ringctl runs the map of %s", path);
    self->ended = rm_malloc ((plan->count + 1) * sizeof *self->ended);
    self->pending = rm_malloc (RM_MESSAGE_JOBS_MAX * sizeof *self->pending);
    return self->ended && self->pending ? load (self, path, where, plan, fault) : RM_ENOMEM;
}

void rm_map_journal_close (rm_map_journal_t *self)
{
    if (self->fd >= 0)
        close (self->fd);
    rm_free (self->ended);
    rm_free (self->pending);
    *self = (rm_map_journal_t){.fd = -1};
}
