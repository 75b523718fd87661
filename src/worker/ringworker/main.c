/*  ringworker: a worker made of commands and builtin handlers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/endpoint.h"
#include "net/options.h"
#include "net/streams.h"
#include "proto/limits.h"
#include "ringmaster/catalog.h"
#include "ringmaster/worker.h"
#include "worker/failpoints.h"

enum { PATIENCE_MS = 10000 /* how long a master is looked for */ };

/* Exit codes of every program of the project. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_NO_MASTER = 3, EXIT_REFUSED = 4 };

/* What was said on the command line. */
static struct {
    const char *master;
    const char *project, *catalog;
    const char *pool;
    const char *name;
    rm_option_list_t queues;
    int64_t threads; /* 0: the machine's cores */
    bool shell;
    bool insecure;
    bool quiet;
    bool list_failpoints;
} said;

static const rm_option_t options[] = {
    RM_SECTION ("Options"),
    RM_TEXT ('m', "master", "EP[,EP...]", "jobs endpoints of the masters ($RINGMASTER, else 127.0.0.1:5550)",
             &said.master),
    RM_TEXT (0, "project", "NAME",
             "the masters of a project, as a catalog knows them; the worker is announced\nthere, too", &said.project),
    RM_TEXT (0, "catalog", "HOST[:PORT],...", "catalogs to look there ($CATALOG_HOST; port 9097)", &said.catalog),
    RM_LIST ('q', "queue", "NAME=HANDLER",
             "serve a queue, as often as there are queues; HANDLER is builtin:echo,\n"
             "builtin:sleep (milliseconds), builtin:fail, shell or exec:COMMAND (by sh -c):\n"
             "stdin is the payload, stdout the result, stderr says why it failed;\n"
             "exit code 75 leaves the job another try, others but 0 end it dead;\n"
             "RM_KEY, RM_QUEUE, RM_JOB_ID, RM_TOKEN and RM_ATTEMPT are set;\n"
             "echo \"420 page 5\" >&$RM_PROGRESS says that it is at 42 %",
             &said.queues),
    RM_FLAG (0, "shell", "serve the queue \"shell\", whose jobs say themselves what to run (ringctl map)", &said.shell),
    RM_TEXT ('p', "pool", "NAME", "the pool to belong to (default)", &said.pool),
    RM_NUMBER ('t', "threads", "N", 1, RM_WORKER_THREADS_MAX, "jobs at a time (the machine's cores)", &said.threads),
    RM_TEXT ('n', "name", "W", "what the worker is called (HOST-PID)", &said.name),
    RM_FLAG (0, "insecure",
             "let the shell run what masters beyond this machine's loopback say: whoever\n"
             "reaches them runs commands here",
             &said.insecure),
    RM_FLAG (0, "quiet", "no log on stderr", &said.quiet),
    RM_FLAG (0, "list-failpoints", "print the places where a test can kill it, and leave", &said.list_failpoints),
    RM_OPTIONS_END,
};

static const rm_program_t program = {
    .self =
        {
            .name = "ringworker",
            .about =
                "Runs the jobs of its queues, until SIGTERM or SIGINT: then it finishes what runs, hands back the\n"
                "rest and leaves. Prints \"ready name=...\" once it has joined.",
            .options = options,
            .examples = "  ringworker --queue hello=builtin:echo\n"
                        "  ringworker --master 10.0.0.1:5550,10.0.0.2:5550 --threads 8 --queue 'thumbs=exec:convert - "
                        "-resize 200 jpg:-'\n"
                        "  ringworker --project thumbs --catalog names.example --queue hello=builtin:echo\n"
                        "  ringworker --name w1 --queue count='exec:wc -w' --queue wait=builtin:sleep",
        },
    .version = RM_VERSION,
};

static void ready (const char *name, void *arg)
{
    rm_announcer_t **announcer = arg;
    const rm_announcement_t what = {.type = "ringworker", .project = said.project, .name = name, .version = RM_VERSION};
    if (said.project)
        *announcer = rm_announcer_new (said.catalog, &what);
    printf ("ready name=%s\n", name);
    fflush (stdout);
}

/* NAME=HANDLER; the handler may hold further '='. 0 or the exit code. */
static int serve (rm_worker_t *worker, const char *text)
{
    char queue[RM_QUEUE_NAME_BYTES_MAX + 2];
    size_t size = strcspn (text, "=");
    if (!text[size])
        return rm_options_refuse (&program, NULL, "--queue takes NAME=HANDLER, not '%.60s'", text);
    if (size > sizeof queue - 1)
        size = sizeof queue - 1; /* too long to be valid, and refused as such */
    memcpy (queue, text, size);
    queue[size] = 0;
    if (rm_worker_handle_named (worker, queue, text + strcspn (text, "=") + 1))
        return rm_options_refuse (&program, NULL, "%s", rm_worker_error (worker));
    return 0;
}

static int set (rm_worker_t *worker, const char *option, const char *value)
{
    if (value && rm_worker_set (worker, option, value))
        return rm_options_refuse (&program, NULL, "%s", rm_worker_error (worker));
    return 0;
}

static int configure (rm_worker_t *worker)
{
    char threads[24];
    snprintf (threads, sizeof threads, "%lld", (long long)said.threads);
    int code = set (worker, "name", said.name);
    if (!code)
        code = set (worker, "pool", said.pool);
    if (!code)
        code = set (worker, "threads", said.threads ? threads : NULL);
    if (!code)
        code = set (worker, "project", said.project);
    if (!code)
        code = set (worker, "catalog", said.catalog);
    if (!code)
        code = set (worker, "quiet", said.quiet ? "1" : NULL);
    if (!code)
        code = set (worker, "insecure", said.insecure ? "1" : NULL);
    if (!code && said.shell)
        code = serve (worker, "shell=shell");
    for (size_t i = 0; i < said.queues.count && !code; i++)
        code = serve (worker, said.queues.items[i]);
    if (!code && !said.queues.count && !said.shell)
        code = rm_options_refuse (&program, NULL, "there is nothing to serve: give it --queue NAME=HANDLER or --shell");
    return code;
}

static int run (rm_worker_t *worker)
{
    rm_announcer_t *announcer = NULL;
    rm_worker_on_ready (worker, ready, &announcer);
    int rc = rm_worker_run (worker);
    rm_announcer_destroy (&announcer);
    if (!rc)
        return EXIT_DONE;
    const char *advice = rc == RM_EUNREACHABLE ? "; start one, or say with --master or $RINGMASTER where it is" : "";
    fprintf (stderr, "ringworker: %s%s\n", rm_worker_error (worker), advice);
    switch (rc) {
    case RM_EINVAL:
        return RM_EXIT_USAGE;
    case RM_EUNREACHABLE:
        return EXIT_NO_MASTER;
    case RM_EDENIED:
        return EXIT_REFUSED;
    default:
        return EXIT_FAILED;
    }
}

/* Where a catalog says that the project's masters are. 0 or the exit code. */
static int find_project (void)
{
    static char found[RM_CATALOG_BYTES_MAX];
    if (said.master)
        return rm_options_refuse (&program, NULL, "--master and --project say both where the masters are");
    int rc = rm_catalog_find (said.catalog, "ringmaster", said.project, PATIENCE_MS, found, sizeof found);
    if (rc == RM_EINVAL)
        return rm_options_refuse (&program, NULL, "%s", found);
    if (rc > 0) {
        said.master = found;
        return EXIT_DONE;
    }
    fprintf (stderr, "ringworker: %s\n", found);
    return rc == RM_EUNKNOWN || rc == RM_EUNREACHABLE ? EXIT_NO_MASTER : EXIT_FAILED;
}

/* Where the masters are: checked here, since the library can only say that something is wrong. 0 or the exit code. */
static int check_masters (void)
{
    const char *environment = getenv ("RINGMASTER");
    const char *text = said.master ? said.master : environment && *environment ? environment : NULL;
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    rm_fault_t fault = {0};
    if (text && rm_endpoint_parse_list (list, text, &fault) < 1)
        return rm_options_refuse (&program, NULL, "%s '%.300s': %s", said.master ? "--master" : "$RINGMASTER", text,
                                  fault.text);
    return 0;
}

int main (int argc, char **argv)
{
    rm_parsed_t parsed;
    rm_fault_t fault = {0};
    int code;
    rm_streams_open ();
    if (!rm_options_parse (&parsed, &program, argc, argv, &code))
        return code;
    if (rm_worker_failpoints_declare (&fault)) {
        fprintf (stderr, "ringworker: %s\n", fault.text);
        return RM_EXIT_USAGE;
    }
    if (said.list_failpoints) {
        rm_failpoint_list (stdout);
        return EXIT_DONE;
    }
    code = said.project ? find_project () : check_masters ();
    if (code)
        return code;
    rm_worker_t *worker = rm_worker_new (said.master);
    if (!worker) {
        fprintf (stderr, "ringworker: %s\n", strerror (errno));
        return EXIT_FAILED;
    }
    code = configure (worker);
    if (!code)
        code = run (worker);
    rm_worker_destroy (&worker);
    return code;
}
