#include "ctl/map/output.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/map/results.h"
#include "proto/alloc.h"

/* What waits for its turn. */
struct rm_map_kept {
    rm_shell_reply_t reply; /* aliases the result */
    rm_result_t *result;    /* owned; NULL: there is no output */
};

/* ---- streams ---------------------------------------------------------------------------------------------------- */

/* What a command wrote to stdout or stderr: bytes, or a file. Open it for reading in any case. */
static FILE *open_stream (const rm_map_output_t *self, const rm_shell_reply_t *reply, bool err)
{
    const rm_bytes_t *bytes = err ? &reply->err : &reply->out;
    char path[PATH_MAX];
    if (!reply->file.size)
        return bytes->size ? fmemopen ((void *)bytes->data, bytes->size, "r") : NULL;
    snprintf (path, sizeof path, "%s/%.*s%s", self->spill, (int)reply->file.size, (const char *)reply->file.data,
              err ? ".err" : ".out");
    return fopen (path, "re");
}

void rm_map_output_drop (const rm_map_output_t *self, const rm_shell_reply_t *reply)
{
    char path[PATH_MAX];
    for (int err = 0; err < 2 && reply->file.size; err++) {
        snprintf (path, sizeof path, "%s/%.*s%s", self->spill, (int)reply->file.size, (const char *)reply->file.data,
                  err ? ".err" : ".out");
        unlink (path);
    }
}

static void copy (FILE *from, FILE *to)
{
    char piece[16 << 10];
    for (size_t size; (size = fread (piece, 1, sizeof piece, from)) > 0;)
        fwrite (piece, 1, size, to);
}

/* Each line begins with the arguments and a tab. */
static void copy_tagged (const rm_map_output_t *self, const rm_map_job_t *job, FILE *from, FILE *to)
{
    const char *values[RM_MAP_SOURCES_MAX];
    char *line = NULL;
    size_t room = 0;
    rm_map_sources_row (self->plan->sources, job->number - 1, values);
    for (ssize_t size; (size = getline (&line, &room, from)) > 0;) {
        for (size_t i = 0; i < self->plan->sources->count; i++)
            fprintf (to, "%s%s", i ? " " : "", values[i]);
        putc ('\t', to);
        fwrite (line, 1, (size_t)size, to);
    }
    free (line);
}

static void print_stream (const rm_map_output_t *self, const rm_map_job_t *job, const rm_shell_reply_t *reply, bool err)
{
    FILE *from = open_stream (self, reply, err), *to = err ? stderr : stdout;
    if (!from)
        return;
    if (self->tag)
        copy_tagged (self, job, from, to);
    else
        copy (from, to);
    fclose (from);
    fflush (to);
}

static void print (const rm_map_output_t *self, const rm_map_job_t *job, const rm_shell_reply_t *reply)
{
    print_stream (self, job, reply, false);
    print_stream (self, job, reply, true);
    rm_map_output_drop (self, reply);
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static int make_directories (char *path)
{
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = 0;
        int rc = mkdir (path, 0777);
        *at = '/';
        if (rc && errno != EEXIST)
            return -1;
    }
    return mkdir (path, 0777) && errno != EEXIST ? -1 : 0;
}

/* Makes a file of what `from` has, which may be NULL. */
static int write_file (const char *directory, const char *name, FILE *from, rm_fault_t *fault)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%s", directory, name);
    FILE *to = fopen (path, "we");
    bool written = false;
    if (to && from)
        copy (from, to);
    if (to) {
        bool spoilt = ferror (to);
        written = !fclose (to) && !spoilt;
    }
    int error = written ? 0 : rm_fault (fault, RM_EINVAL, "cannot write %s: %s", path, strerror (errno));
    if (from)
        fclose (from);
    return error;
}

static int write_results (const rm_map_output_t *self, const rm_map_job_t *job, const rm_shell_reply_t *reply,
                          rm_fault_t *fault)
{
    const char *values[RM_MAP_SOURCES_MAX];
    rm_buf_t path = {0};
    rm_map_sources_row (self->plan->sources, job->number - 1, values);
    rm_map_results_path (self->results, values, self->plan->sources->count, &path);
    char *directory = (char *)path.data, number[24];
    int size = snprintf (number, sizeof number, "%llu", (unsigned long long)job->number);
    int error = path.failed ? RM_ENOMEM : 0;
    if (!error && make_directories (directory))
        error = rm_fault (fault, RM_EINVAL, "cannot make the directory %s: %s", directory, strerror (errno));
    if (!error)
        error = write_file (directory, "stdout", open_stream (self, reply, false), fault);
    if (!error)
        error = write_file (directory, "stderr", open_stream (self, reply, true), fault);
    if (!error)
        error = write_file (directory, "seq", fmemopen (number, (size_t)size, "r"), fault);
    rm_buf_close (&path);
    rm_map_output_drop (self, reply);
    return error;
}

/* ---- the order -------------------------------------------------------------------------------------------------- */

static void print_kept (rm_map_output_t *self, size_t index)
{
    rm_map_kept_t *kept = self->kept[index];
    if (!kept)
        return;
    if (kept->result)
        print (self, &self->plan->jobs[index], &kept->reply);
    rm_result_destroy (&kept->result);
    rm_free (kept);
    self->kept[index] = NULL;
}

/* Prints what has its turn. */
static void advance (rm_map_output_t *self)
{
    for (; self->turn < self->plan->count; self->turn++) {
        if (self->kept[self->turn])
            print_kept (self, self->turn);
        else if (!self->plan->jobs[self->turn].before)
            return;
    }
}

static int keep (rm_map_output_t *self, const rm_map_job_t *job, const rm_shell_reply_t *reply, rm_result_t *result)
{
    rm_map_kept_t *kept = rm_malloc (sizeof *kept);
    if (!kept) {
        rm_result_destroy (&result);
        return RM_ENOMEM;
    }
    *kept = (rm_map_kept_t){.result = result};
    if (reply)
        kept->reply = *reply;
    self->kept[job->number - 1] = kept;
    advance (self);
    return 0;
}

int rm_map_output_take (rm_map_output_t *self, rm_map_job_t *job, const rm_shell_reply_t *reply, rm_result_t *result,
                        rm_fault_t *fault)
{
    int error = 0;
    if (self->results && reply)
        error = write_results (self, job, reply, fault);
    else if (self->keep_order && !self->results)
        return keep (self, job, reply, result);
    else if (reply)
        print (self, job, reply);
    rm_result_destroy (&result);
    return error;
}

/* ---- the log ---------------------------------------------------------------------------------------------------- */

int rm_map_output_log (rm_map_output_t *self, const rm_map_job_t *job, rm_fault_t *fault)
{
    if (!self->log)
        return 0;
    rm_buf_t line = {0};
    rm_map_log_line (&job->outcome, job->number, job->command, &line);
    bool written = !line.failed && fwrite (line.data, 1, line.size, self->log) == line.size && !fflush (self->log);
    rm_buf_close (&line);
    return written ? 0 : rm_fault (fault, RM_EINVAL, "cannot write the job log: %s", strerror (errno));
}

int rm_map_output_open (rm_map_output_t *self, const char *log, rm_map_job_t *const *ended, size_t count,
                        rm_fault_t *fault)
{
    if (self->keep_order && !(self->kept = rm_calloc (self->plan->count + 1, sizeof *self->kept)))
        return RM_ENOMEM;
    if (!log)
        return 0;
    self->log = fopen (log, "we");
    if (!self->log)
        return rm_fault (fault, RM_EINVAL, "cannot write the job log %s: %s", log, strerror (errno));
    fputs (rm_map_log_head, self->log);
    int error = 0;
    for (size_t i = 0; i < count && !error; i++)
        error = rm_map_output_log (self, ended[i], fault);
    return error;
}

void rm_map_output_close (rm_map_output_t *self)
{
    for (size_t i = 0; self->kept && i < self->plan->count; i++)
        print_kept (self, i);
    rm_free (self->kept);
    if (self->log)
        fclose (self->log);
    self->log = NULL;
    self->kept = NULL;
}
