#include "worker/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/ring.h"
#include "net/clock.h"
#include "net/context.h"
#include "proto/alloc.h"
#include "worker/builtin.h"
#include "worker/failpoints.h"
#include "worker/shell.h"
#include "worker/signals.h"

/* A name longer than any may be is not valid, however long it is. */
static bool is_name (const char *text)
{
    size_t size = strlen (text);
    return size <= UINT16_MAX && rm_name_valid ((rm_bytes_t){text, (uint32_t)size});
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

/* host-pid, as far as the host's name may stand in a worker's. */
static void name_after_host (rm_worker_t *self)
{
    char host[65] = "";
    gethostname (host, sizeof host - 1);
    if (!is_name (host))
        strcpy (host, "worker");
    snprintf (self->name, sizeof self->name, "%s-%ld", host, (long)getpid ());
}

static unsigned cores (void)
{
    long count = sysconf (_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > RM_WORKER_THREADS_MAX ? RM_WORKER_THREADS_MAX : (unsigned)count;
}

rm_worker_t *rm_worker_new (const char *masters)
{
    rm_worker_t *self = rm_calloc (1, sizeof *self);
    if (!self)
        goto no_memory;
    int count = rm_endpoint_parse_list (self->masters, rm_endpoint_masters (masters), NULL);
    if (count < 1) {
        rm_free (self);
        errno = EINVAL;
        return NULL;
    }
    self->master_count = (unsigned)count;
    if (rm_wake_init (&self->wake))
        goto free_self;
    name_after_host (self);
    strcpy (self->pool, "default");
    self->threads = cores ();
    self->guard.fd = -1;
    return self;

free_self:
    rm_free (self);
no_memory:
    errno = ENOMEM;
    return NULL;
}

void rm_worker_destroy (rm_worker_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    rm_worker_t *self = *self_p;
    *self_p = NULL;
    for (uint32_t i = 0; i < self->served_count; i++) {
        rm_free ((char *)self->served[i].queue);
        rm_free (self->commands[i]);
    }
    rm_wake_close (&self->wake);
    rm_free (self);
}

const char *rm_worker_error (const rm_worker_t *self)
{
    return self->fault.error ? self->fault.text : "";
}

/* ---- settings -------------------------------------------------------------------------------------------------- */

static int set_name (rm_worker_t *self, const char *option, char *to, const char *value)
{
    if (!is_name (value))
        return rm_fault (&self->fault, RM_EINVAL,
                         "the %s '%.40s' is not allowed: 1 to %d printable characters without white space, / and \"",
                         option, value, RM_WORKER_NAME_BYTES_MAX);
    strcpy (to, value);
    return 0;
}

static int set_number (rm_worker_t *self, const char *option, long least, long most, long *to, const char *value)
{
    char *end;
    errno = 0;
    long number = strtol (value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || number < least || number > most)
        return rm_fault (&self->fault, RM_EINVAL, "%s must be a number from %ld to %ld, not '%.40s'", option, least,
                         most, value);
    *to = number;
    return 0;
}

static int set_text (rm_worker_t *self, const char *option, char *to, size_t max, const char *value)
{
    if (!*value || strlen (value) > max)
        return rm_fault (&self->fault, RM_EINVAL, "the %s '%.40s' is not allowed: 1 to %zu bytes", option, value, max);
    strcpy (to, value);
    return 0;
}

static int set_catalog (rm_worker_t *self, const char *value)
{
    char why[sizeof self->fault.text];
    if (rm_catalog_check (value, why, sizeof why))
        return rm_fault (&self->fault, RM_EINVAL, "%s", why);
    return set_text (self, "catalog", self->catalogs, RM_CATALOGS_BYTES_MAX, value);
}

int rm_worker_set (rm_worker_t *self, const char *option, const char *value)
{
    if (!option || !value)
        return rm_fault (&self->fault, RM_EINVAL, "an option needs a name and a value");
    if (self->runs)
        return rm_fault (&self->fault, RM_ESTATE, "option %s comes too late: the worker runs", option);
    long number = 0;
    int rc;
    if (!strcmp (option, "project"))
        return set_text (self, option, self->project, RM_PROJECT_BYTES_MAX, value);
    if (!strcmp (option, "catalog"))
        return set_catalog (self, value);
    if (!strcmp (option, "name"))
        return set_name (self, option, self->name, value);
    if (!strcmp (option, "pool"))
        return set_name (self, option, self->pool, value);
    if (!strcmp (option, "threads")) {
        rc = set_number (self, option, 1, RM_WORKER_THREADS_MAX, &number, value);
        if (!rc)
            self->threads = (unsigned)number;
        return rc;
    }
    if (!strcmp (option, "jobs")) {
        rc = set_number (self, option, 1, RM_WORKER_THREADS_MAX, &number, value);
        if (!rc)
            self->jobs = (unsigned)number;
        return rc;
    }
    if (!strcmp (option, "quiet")) {
        rc = set_number (self, option, 0, 1, &number, value);
        if (!rc)
            self->quiet = number;
        return rc;
    }
    if (!strcmp (option, "insecure")) {
        rc = set_number (self, option, 0, 1, &number, value);
        if (!rc)
            self->insecure = number;
        return rc;
    }
    return rm_fault (&self->fault, RM_EINVAL,
                     "there is no option '%.40s': name, pool, threads, jobs, quiet and insecure are known", option);
}

static bool is_served (const rm_worker_t *self, const char *queue)
{
    for (uint32_t i = 0; i < self->served_count; i++)
        if (!strcmp (self->served[i].queue, queue))
            return true;
    return false;
}

/* Takes `command`, which may be NULL, over if it succeeds. */
static int serve (rm_worker_t *self, const char *queue, rm_handler_fn *handler, void *arg, rm_exec_t *command)
{
    if (!queue || !is_name (queue))
        return rm_fault (&self->fault, RM_EINVAL,
                         "the queue '%.40s' is not allowed: 1 to %d printable characters without white space, / and \"",
                         queue ? queue : "", RM_QUEUE_NAME_BYTES_MAX);
    if (self->runs || is_served (self, queue))
        return rm_fault (&self->fault, RM_ESTATE, "queue %s %s", queue,
                         self->runs ? "comes too late: the worker runs" : "is served already: a queue has one handler");
    if (self->served_count == RM_WORKER_QUEUES_MAX)
        return rm_fault (&self->fault, RM_EINVAL, "a worker serves at most %d queues", RM_WORKER_QUEUES_MAX);
    char *copy = rm_strndup (queue, strlen (queue));
    if (!copy)
        return rm_fault (&self->fault, RM_ENOMEM, "%s", rm_strerror (RM_ENOMEM));
    self->commands[self->served_count] = command;
    self->served[self->served_count++] = (rm_served_t){.queue = copy, .handler = handler, .arg = arg};
    return 0;
}

int rm_worker_handle (rm_worker_t *self, const char *queue, rm_handler_fn *handler, void *arg)
{
    if (!handler)
        return rm_fault (&self->fault, RM_EINVAL, "queue %.40s needs a handler", queue ? queue : "");
    return serve (self, queue, handler, arg, NULL);
}

/* Serves with `handler`, which is given the command `text`. */
static int serve_command (rm_worker_t *self, const char *queue, rm_handler_fn *handler, const char *text)
{
    rm_exec_t *command = rm_malloc (sizeof *command + strlen (text) + 1);
    if (!command)
        return rm_fault (&self->fault, RM_ENOMEM, "%s", rm_strerror (RM_ENOMEM));
    char *copy = strcpy ((char *)(command + 1), text);
    *command = (rm_exec_t){.command = copy, .guard = &self->guard};
    int rc = serve (self, queue, handler, command, command);
    if (rc)
        rm_free (command);
    return rc;
}

int rm_worker_handle_named (rm_worker_t *self, const char *queue, const char *handler)
{
    static const char exec[] = "exec:", builtin[] = "builtin:";
    if (handler && !strncmp (handler, exec, strlen (exec)) && handler[strlen (exec)])
        return serve_command (self, queue, rm_exec_run, handler + strlen (exec));
    if (handler && !strcmp (handler, "shell")) {
        int rc = serve_command (self, queue, rm_shell_run, "");
        self->runs_any |= !rc;
        return rc;
    }
    rm_handler_fn *found = NULL;
    if (handler && !strncmp (handler, builtin, strlen (builtin)))
        found = rm_builtin (handler + strlen (builtin));
    if (!found)
        return rm_fault (
            &self->fault, RM_EINVAL,
            "'%.60s' is not a handler: builtin:echo, builtin:sleep, builtin:fail, exec:COMMAND and shell are",
            handler ? handler : "");
    return serve (self, queue, found, NULL, NULL);
}

void rm_worker_on_ready (rm_worker_t *self, void (*ready) (const char *name, void *arg), void *arg)
{
    self->ready = ready;
    self->ready_arg = arg;
}

void rm_worker_on_slots (rm_worker_t *self, void (*told) (const rm_slots_t *slots, void *arg), void *arg)
{
    if (self->runs)
        return;
    self->on_slots = told;
    self->on_slots_arg = arg;
}

uint32_t rm_slot_of_key (const void *key, size_t size)
{
    return rm_ring_slot (key, size);
}

/* ---- running --------------------------------------------------------------------------------------------------- */

void rm_worker_stop (rm_worker_t *self)
{
    atomic_fetch_add (&self->stops, 1);
    rm_wake_ring (&self->wake);
}

static bool has_commands (const rm_worker_t *self)
{
    for (uint32_t i = 0; i < self->served_count; i++)
        if (self->commands[i])
            return true;
    return false;
}

/* Whoever reaches a master can have the shell run anything: it must be one that only this machine reaches. */
static int check_masters (rm_worker_t *self)
{
    for (unsigned i = 0; i < self->master_count && self->runs_any && !self->insecure; i++)
        if (!rm_endpoint_is_loopback (&self->masters[i]))
            return rm_fault (
                &self->fault, RM_EDENIED,
                "the shell runs whatever the clients of %s say, and that is not on this machine's loopback; "
                "say --insecure if everyone who reaches it may run commands here",
                self->masters[i].text);
    return 0;
}

/* What the master may count on: a detached job takes no thread, but its share of this. */
static unsigned jobs_at_a_time (const rm_worker_t *self)
{
    return self->jobs ? self->jobs : self->threads;
}

static int make_work (rm_worker_t *self)
{
    const char *queues[RM_WORKER_QUEUES_MAX];
    for (uint32_t i = 0; i < self->served_count; i++)
        queues[i] = self->served[i].queue;
    rm_work_config_t config = {.name = self->name,
                               .pool = self->pool,
                               .queues = queues,
                               .queue_count = self->served_count,
                               .threads = jobs_at_a_time (self),
                               .slots = self->on_slots};
    self->work = rm_work_new (&config);
    return self->work ? 0 : rm_fault (&self->fault, RM_ENOMEM, "%s", rm_strerror (RM_ENOMEM));
}

static int start_crew (rm_worker_t *self)
{
    int rc = rm_crew_start (&self->crew, self->work, self->served, self->threads, jobs_at_a_time (self), &self->wake);
    if (rc)
        rm_fault (&self->fault, rc, "cannot start %u threads: give --threads fewer", self->threads);
    return rc;
}

static int start_teller (rm_worker_t *self)
{
    int rc = rm_teller_start (&self->teller, self->on_slots, self->on_slots_arg, &self->wake);
    return rc ? rm_fault (&self->fault, rc, "cannot start a thread more: give --threads fewer") : 0;
}

int rm_worker_run (rm_worker_t *self)
{
    if (!self->served_count)
        return rm_fault (&self->fault, RM_EINVAL, "there is nothing to serve: give it a queue and a handler");
    int rc = rm_worker_failpoints_declare (&self->fault);
    if (!rc)
        rc = check_masters (self);
    if (rc)
        return rc;
    if (self->runs)
        return rm_fault (&self->fault, RM_ESTATE, "the worker runs already");
    self->runs = true;
    /* The guard first: the fewer threads and sockets there are when it is forked, the better. */
    if (has_commands (self) && (rc = rm_guard_start (&self->guard, &self->fault)))
        goto stopped;
    if (rm_net_init ()) {
        rc = rm_fault (&self->fault, RM_ENOMEM, "%s", rm_strerror (RM_ENOMEM));
        goto stop_guard;
    }
    if ((rc = make_work (self)))
        goto end_net;
    if ((rc = start_crew (self)))
        goto destroy_work;
    if ((rc = start_teller (self)))
        goto stop_crew;
    if ((rc = rm_uplink_init (&self->link, self->masters, self->master_count, self->name, rm_clock_ms ())))
        goto stop_teller;
    self->link.loopback_only = self->runs_any && !self->insecure;
    self->seeker = (rm_seeker_t){.project = *self->project ? self->project : NULL,
                                 .catalogs = *self->catalogs ? self->catalogs : NULL,
                                 .wake = &self->wake};
    rm_signals_watch (self);
    rc = rm_worker_loop (self);
    rm_signals_unwatch (self);
    rm_seeker_close (&self->seeker);
    rm_uplink_close (&self->link);
stop_teller:
    rm_teller_stop (&self->teller);
stop_crew:
    rm_crew_stop (&self->crew);
destroy_work:
    rm_work_destroy (&self->work);
end_net:
    rm_net_term ();
stop_guard:
    rm_guard_stop (&self->guard);
stopped:
    self->runs = false;
    atomic_store (&self->stops, 0);
    return rc;
}
