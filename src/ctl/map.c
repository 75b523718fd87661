/*  ringctl map: what is to be run, where, and what of it an earlier run has done. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/map_settings.h"
#include "proto/limits.h"

#define HOME ".ringmap" /* what runs with a name, or with a master of their own, leave and keep */

enum { TIMEOUT_S_MAX = 20 * 24 * 60 * 60, OPEN_FILES = 16 };

static rm_map_settings_t said = {.queue = "shell", .tries = 1};

const rm_option_t rm_ctl_map_options[] = {
    RM_SECTION ("Options, before the command"),
    RM_NUMBER ('P', "jobs", "N", 1, RM_CLIENT_MANY_MAX, "commands under way at a time (as the pool has slots)",
               &said.jobs),
    RM_NUMBER (0, "local", "N", 1, 1024, "with a master and N slots of its own, for this run", &said.slots),
    RM_TEXT (0, "name", "NAME", "remember what was done, so that the same command again goes on\n(in " HOME "/NAME)",
             &said.name),
    RM_TEXT (0, "queue", "QUEUE", "where workers serve a shell (shell)", &said.queue),
    RM_TEXT (0, "key", "TEMPLATE", "commands of one key run one at a time, in order: {//}, say", &said.key),
    RM_TEXT (0, "joblog", "FILE", "write a line for each command that has ended", &said.log),
    RM_TEXT (0, "results", "DIR", "write what the commands print into files there", &said.results),
    RM_FLAG ('k', "keep-order", "print in the order of the arguments", &said.keep_order),
    RM_FLAG (0, "tag", "begin each line printed with the arguments and a tab", &said.tag),
    RM_TEXT (0, "halt", "WHEN,WHY", "now or soon,fail=N, success=N or done=N, N may be a percentage\n(never)",
             &said.halt_text),
    RM_NUMBER (0, "retries", "N", 1, 1000000, "times a failing command is run (1)", &said.tries),
    RM_TEXT (0, "timeout", "SECONDS", "how long a command may run", &said.timeout_text),
    RM_FLAG (0, "bar", "draw how far it is", &said.bar),
    RM_FLAG (0, "eta", "say how far it is, and how long the rest may take", &said.eta),
    RM_FLAG ('0', "null", "arguments of files and of stdin end with a NUL", &said.null),
    RM_FLAG (0, "dry-run", "print the commands only", &said.dry_run),
    RM_OPTIONS_END};

/* ---- the place -------------------------------------------------------------------------------------------------- */

static int remove_entry (const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove (path);
}

static void remove_tree (const char *path)
{
    nftw (path, remove_entry, OPEN_FILES, FTW_DEPTH | FTW_PHYS);
}

/* Makes the directory of this run. 0 or the exit code. */
static int make_place (void)
{
    bool home = said.name || said.slots;
    const char *tmp = getenv ("TMPDIR");
    int size;
    if (!getcwd (said.directory, sizeof said.directory)) {
        rm_ctl_say ("cannot tell the directory: %s", strerror (errno));
        return RM_CTL_FAILED;
    }
    if (home)
        size = snprintf (said.place, sizeof said.place, "%s/" HOME "/%s", said.directory,
                         said.name ? said.name : "run-XXXXXX");
    else
        size = snprintf (said.place, sizeof said.place, "%s/ringmap-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
    bool made = size < (int)sizeof said.place - 64; /* with room for what is in it */
    if (made && home)
        made = !mkdir (HOME, 0777) || errno == EEXIST;
    if (made && said.name)
        made = !mkdir (said.place, 0777) || errno == EEXIST;
    else if (made)
        made = mkdtemp (said.place);
    if (!made)
        rm_ctl_say ("cannot make the directory %s: %s", said.place, strerror (errno));
    return made ? 0 : RM_CTL_FAILED;
}

static void leave_place (void)
{
    if (!said.name)
        remove_tree (said.place);
    if (said.slots && !said.name)
        rmdir (HOME); /* if it was the only one */
}

/* ---- what was said ---------------------------------------------------------------------------------------------- */

static bool read_timeout (const char *text, uint64_t *ms)
{
    char *end;
    double seconds = strtod (text, &end);
    *ms = seconds > 0 && seconds <= TIMEOUT_S_MAX ? (uint64_t)(seconds * 1000 + 0.5) : 0;
    return *text >= '0' && *text <= '9' && !*end && *ms;
}

static int check_settings (const rm_ctl_t *self)
{
    const char *name = said.name;
    if (said.halt_text && !rm_map_halt_read (&said.halt, said.halt_text))
        return rm_options_refuse (self->program, self->command,
                                  "--halt takes never, or now or soon with ,fail=N ,success=N or ,done=N, not '%s'",
                                  said.halt_text);
    if (said.timeout_text && !read_timeout (said.timeout_text, &said.timeout_ms))
        return rm_options_refuse (self->program, self->command, "--timeout takes seconds, up to %d, not '%s'",
                                  TIMEOUT_S_MAX, said.timeout_text);
    if (name && (!*name || *name == '.' || strchr (name, '/') || strlen (name) > NAME_MAX))
        return rm_options_refuse (self->program, self->command,
                                  "--name '%s' is not allowed: it is a file's name, and does not begin with a dot",
                                  name);
    if (self->said.json)
        return rm_options_refuse (
            self->program, self->command,
            "map prints what its commands print, not JSON: --joblog and --results write what a program can "
            "read");
    if (said.slots && self->said.master)
        return rm_options_refuse (self->program, self->command,
                                  "--local starts a master of its own: leave out --master or --local");
    return 0;
}

/* ---- the run ---------------------------------------------------------------------------------------------------- */

/* Says how something failed; the exit code. */
static int say_fault (const rm_fault_t *fault, int error)
{
    rm_ctl_say ("%s", *fault->text ? fault->text : rm_strerror (error));
    return error == RM_EINVAL || error == RM_ECONFLICT ? RM_CTL_USAGE : RM_CTL_FAILED;
}

/* From now on the client is one of the run's own master. */
static int start_local (rm_ctl_t *self, rm_map_local_t *local)
{
    rm_fault_t fault = {0};
    int error = rm_map_local_start (local, said.place, (unsigned)said.slots, &fault);
    if (error)
        return say_fault (&fault, error);
    rm_client_destroy (&self->client);
    self->masters = local->jobs;
    self->client = rm_client_new (local->jobs);
    return self->client ? 0 : say_fault (&fault, RM_ENOMEM);
}

static int run_plan (rm_ctl_t *self, rm_map_plan_t *plan, rm_map_journal_t *journal)
{
    rm_fault_t fault = {0};
    rm_map_local_t local = {0};
    rm_map_output_t output = {
        .plan = plan, .spill = said.place, .results = said.results, .keep_order = said.keep_order, .tag = said.tag};
    int error = rm_map_output_open (&output, said.log, journal->ended, journal->ended_count, &fault);
    int code = error ? say_fault (&fault, error) : 0;
    if (!code && said.slots && journal->ended_count < plan->count)
        code = start_local (self, &local);
    if (!code) {
        rm_map_run_t run = {.ctl = self,
                            .settings = &said,
                            .client = self->client,
                            .plan = plan,
                            .journal = journal,
                            .output = &output,
                            .local = local.master ? &local : NULL};
        code = rm_map_run (&run);
    }
    rm_map_output_close (&output);
    rm_map_local_stop (&local);
    return code;
}

static int run_in_place (rm_ctl_t *self, rm_map_plan_t *plan)
{
    rm_map_journal_t journal = {.fd = -1};
    rm_fault_t fault = {0};
    char path[sizeof said.place + 16];
    int error = 0, code = make_place ();
    if (code)
        return code;
    snprintf (path, sizeof path, "%s/journal", said.place);
    if (said.name)
        error = rm_map_journal_open (&journal, path, said.slots ? "local" : self->masters, plan, &fault);
    code = error ? say_fault (&fault, error) : run_plan (self, plan, &journal);
    rm_map_journal_close (&journal);
    leave_place ();
    return code;
}

static int print_plan (const rm_map_plan_t *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        puts (plan->jobs[i].command);
    return RM_CTL_DONE;
}

static int map (rm_ctl_t *self, const rm_map_sources_t *sources, size_t words)
{
    rm_map_template_t command = {0}, key = {0};
    rm_map_plan_t plan = {0};
    rm_fault_t fault = {0};
    char directory[PATH_MAX] = "";
    int error = rm_map_template_init (&command, self->arguments, words);
    if (!error && said.key)
        error = rm_map_template_init_plain (&key, said.key);
    if (!error && !getcwd (directory, sizeof directory))
        error = rm_fault (&fault, RM_EIO, "cannot tell the directory: %s", strerror (errno));
    if (!error)
        error = rm_map_plan_init (&plan, sources, &command, said.key ? &key : NULL, directory, &fault);
    int code = error ? say_fault (&fault, error) : said.dry_run ? print_plan (&plan) : run_in_place (self, &plan);
    rm_map_plan_close (&plan);
    rm_map_template_close (&key);
    rm_map_template_close (&command);
    return code;
}

int rm_ctl_map (rm_ctl_t *self)
{
    rm_map_sources_t sources;
    rm_fault_t fault = {0};
    size_t words;
    int code = check_settings (self);
    if (code)
        return code;
    int error = rm_map_sources_read (&sources, self->arguments, self->count, said.null, &words, &fault);
    code = error ? say_fault (&fault, error) : map (self, &sources, words);
    rm_map_sources_close (&sources);
    return code;
}
