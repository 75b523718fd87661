/*  Accounts, and a table of keys, behind an RPC server that is told which semantics it has. What it keeps is in a file, so
 *  that it is still there after the server was killed; with at-most-once the calls that were done are in a second one.
 *
 *  The journal FILE has a line for each change: "deduct bob 10", "put k 20".
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ringmaster/rpc.h>

#include "serve.h"

enum { ENTRIES_MAX = 1024, TEXT_BYTES = 64, OPENING_BALANCE = 100 };

typedef struct {
    char name[TEXT_BYTES], value[TEXT_BYTES];
} entry_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static entry_t entries[ENTRIES_MAX];
static int entry_count;
static FILE *journal;
static long die_after = -1; /* calls; then the process ends between having done one and answering it */

static entry_t *entry (const char *name, const char *value_if_new)
{
    for (int i = 0; i < entry_count; i++)
        if (!strcmp (entries[i].name, name))
            return &entries[i];
    if (entry_count == ENTRIES_MAX || strlen (name) >= TEXT_BYTES)
        return NULL;
    entry_t *self = &entries[entry_count++];
    strcpy (self->name, name);
    snprintf (self->value, TEXT_BYTES, "%s", value_if_new);
    return self;
}

static void note (const char *verb, const char *name, const char *value)
{
    fprintf (journal, "%s %s %s\n", verb, name, value);
    fflush (journal);
    fsync (fileno (journal));
}

static int set (const char *verb, const char *name, const char *value)
{
    char account[TEXT_BYTES];
    if (strlen (value) >= TEXT_BYTES)
        return 1;
    snprintf (account, sizeof account, "%d", OPENING_BALANCE);
    entry_t *it = entry (name, strcmp (verb, "deduct") ? value : account);
    if (!it)
        return 1;
    long balance;
    if (strcmp (verb, "deduct"))
        strcpy (it->value, value);
    else if (__builtin_sub_overflow (atol (it->value), atol (value), &balance))
        return 1;
    else
        snprintf (it->value, TEXT_BYTES, "%ld", balance);
    return 0;
}

/* With --die-after the reply of that call is never sent: the client cannot know whether it was done. */
static void maybe_die (void)
{
    if (die_after > 0 && --die_after == 0) {
        puts ("killed before the reply");
        kill (getpid (), SIGKILL);
    }
}

/* One word, as the journal has them. */
static bool is_word (const char *text)
{
    return *text && strlen (text) < TEXT_BYTES && !strpbrk (text, " \t\n\v\f\r");
}

static int change (rm_rpc_call_t *call, void *verb)
{
    char value[TEXT_BYTES];
    const char *name = rm_rpc_call_text (call, 0);
    if (!is_word (name) || (!strcmp (verb, "put") && !is_word (rm_rpc_call_text (call, 1))))
        return rm_rpc_fail (call, 2, "names and values are words of 1 to %d bytes", TEXT_BYTES - 1);
    if (!strcmp (verb, "put"))
        snprintf (value, sizeof value, "%s", rm_rpc_call_text (call, 1));
    else
        snprintf (value, sizeof value, "%lld", (long long)rm_rpc_call_int (call, 1));
    pthread_mutex_lock (&lock);
    int full = set (verb, name, value);
    if (!full)
        note (verb, name, value);
    snprintf (value, sizeof value, "%s", full ? "" : entry (name, "")->value);
    pthread_mutex_unlock (&lock);
    if (full)
        return rm_rpc_fail (call, 1, "%s does not fit into the table", name);
    printf ("%s %s: %s\n", (const char *)verb, name, value);
    int error = rm_rpc_reply (call, rm_rpc_values (rm_rpc_text (value)));
    maybe_die ();
    return error;
}

static int get (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    char value[TEXT_BYTES] = "";
    const char *name = rm_rpc_call_text (call, 0);
    pthread_mutex_lock (&lock);
    for (int i = 0; i < entry_count; i++)
        if (!strcmp (entries[i].name, name))
            strcpy (value, entries[i].value);
    pthread_mutex_unlock (&lock);
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_text (value)));
}

static int read_journal (const char *path)
{
    char verb[8], name[TEXT_BYTES], value[TEXT_BYTES];
    journal = fopen (path, "a+");
    if (!journal) {
        perror (path);
        return 1;
    }
    rewind (journal);
    while (fscanf (journal, "%7s %63s %63s", verb, name, value) == 3)
        set (verb, name, value);
    return 0;
}

static int serve_bank (const char *endpoint, const char *semantics, const char *table)
{
    rm_rpc_server_t *server = rm_rpc_server_new ();
    if (!server)
        return 1;
    int error = rm_rpc_server_set (server, "endpoint", endpoint);
    if (!error)
        error = rm_rpc_server_set (server, "semantics", semantics);
    if (!error && table)
        error = rm_rpc_server_set (server, "table", table);
    if (!error)
        error = rm_rpc_server_add (server, "deduct", "si:s", change, "deduct");
    if (!error)
        error = rm_rpc_server_add (server, "put", "ss:s", change, "put");
    if (!error)
        error = rm_rpc_server_add (server, "get", "s:s", get, NULL);
    return serve ("bank_server", &server, error);
}

static int usage (FILE *to)
{
    fprintf (to, "Usage: bank_server JOURNAL [OPTION]...\n"
                 "  --endpoint EP      where it listens (tcp://127.0.0.1:0)\n"
                 "  --semantics WHICH  at-least-once (the default) or at-most-once\n"
                 "  --table FILE       at-most-once: keep the calls that were done in FILE, too\n"
                 "  --die-after N      be killed after N changes, before the last one is answered\n");
    return to == stderr ? 2 : 0;
}

int main (int argc, char **argv)
{
    static const struct option options[] = {{"endpoint", 1, NULL, 'e'}, {"semantics", 1, NULL, 's'},
                                            {"table", 1, NULL, 't'},    {"die-after", 1, NULL, 'd'},
                                            {"help", 0, NULL, 'h'},     {NULL, 0, NULL, 0}};
    const char *endpoint = "tcp://127.0.0.1:0", *semantics = "at-least-once", *table = NULL;
    for (int c; (c = getopt_long (argc, argv, "h", options, NULL)) != -1;)
        switch (c) {
        case 'e':
            endpoint = optarg;
            break;
        case 's':
            semantics = optarg;
            break;
        case 't':
            table = optarg;
            break;
        case 'd':
            die_after = atol (optarg);
            break;
        case 'h':
            return usage (stdout);
        default:
            return usage (stderr);
        }
    if (optind != argc - 1)
        return usage (stderr);
    if (read_journal (argv[optind]))
        return 1;
    int status = serve_bank (endpoint, semantics, table);
    fclose (journal);
    return status;
}
