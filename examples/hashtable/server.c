/*  A hash table that programs share: insert, lookup, remove, size, and all entries whose keys begin with a text. One thread
 *  serves all clients, a request at a time, and needs no lock; with --mode pool several do, behind one. It listens on any
 *  free port and announces itself at a catalog under its project's name.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include <ringmaster/catalog.h>
#include <ringmaster/rpc.h>

#include "serve.h"

enum { NO_SUCH_KEY = 1, FOUND_MAX = RM_RPC_VALUES_MAX / 2 };

typedef struct {
    char *key, *value;
    UT_hash_handle hh;
} entry_t;

static entry_t *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the table, where several threads serve */
static bool verbose;

static entry_t *find (const char *key)
{
    entry_t *entry;
    HASH_FIND_STR (table, key, entry);
    return entry;
}

static void say (rm_rpc_call_t *call)
{
    if (verbose)
        printf ("%.8s %s %s\n", rm_rpc_call_client (call), rm_rpc_call_name (call),
                rm_rpc_call_count (call) ? rm_rpc_call_text (call, 0) : "");
}

static int unknown (rm_rpc_call_t *call)
{
    return rm_rpc_fail (call, NO_SUCH_KEY, "there is no key %s", rm_rpc_call_text (call, 0));
}

static int insert (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    const char *key = rm_rpc_call_text (call, 0);
    char *value = strdup (rm_rpc_call_text (call, 1));
    say (call);
    pthread_mutex_lock (&lock);
    entry_t *entry = find (key);
    if (!entry && value && (entry = calloc (1, sizeof *entry))) {
        entry->key = strdup (key);
        if (entry->key)
            HASH_ADD_KEYPTR (hh, table, entry->key, strlen (entry->key), entry);
        else
            free (entry), entry = NULL;
    }
    if (entry && value) {
        free (entry->value);
        entry->value = value;
        value = NULL;
    }
    pthread_mutex_unlock (&lock);
    free (value);
    return entry ? rm_rpc_reply (call, NULL, 0) : rm_rpc_fail (call, 2, "memory ran out");
}

static int lookup (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    say (call);
    pthread_mutex_lock (&lock);
    entry_t *entry = find (rm_rpc_call_text (call, 0));
    int error = entry ? rm_rpc_reply (call, rm_rpc_values (rm_rpc_text (entry->value))) : unknown (call);
    pthread_mutex_unlock (&lock);
    return error;
}

static int remove_key (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    say (call);
    pthread_mutex_lock (&lock);
    entry_t *entry = find (rm_rpc_call_text (call, 0));
    int error = entry ? rm_rpc_reply (call, rm_rpc_values (rm_rpc_text (entry->value))) : unknown (call);
    if (entry) {
        HASH_DEL (table, entry);
        free (entry->key);
        free (entry->value);
        free (entry);
    }
    pthread_mutex_unlock (&lock);
    return error;
}

static int size (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    say (call);
    pthread_mutex_lock (&lock);
    int64_t count = HASH_COUNT (table);
    pthread_mutex_unlock (&lock);
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_int (count)));
}

/* Key and value of each, up to so many. */
static int query (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    rm_rpc_value_t *found = malloc (2 * FOUND_MAX * sizeof *found);
    size_t count = 0, length = strlen (rm_rpc_call_text (call, 0));
    if (!found)
        return rm_rpc_fail (call, 2, "memory ran out");
    say (call);
    pthread_mutex_lock (&lock);
    for (entry_t *entry = table; entry && count < 2 * FOUND_MAX; entry = entry->hh.next)
        if (!strncmp (entry->key, rm_rpc_call_text (call, 0), length)) {
            found[count++] = rm_rpc_text (entry->key);
            found[count++] = rm_rpc_text (entry->value);
        }
    int error = rm_rpc_reply (call, found, count);
    pthread_mutex_unlock (&lock);
    free (found);
    return error;
}

static int set_up (rm_rpc_server_t *server, const char *mode)
{
    static const struct {
        const char *name, *signature;
        rm_rpc_fn *fn;
    } functions[] = {{"insert", "ss", insert},
                     {"lookup", "s:s", lookup},
                     {"remove", "s:s", remove_key},
                     {"size", ":i", size},
                     {"query", "s:s*", query}};
    int error = rm_rpc_server_set (server, "mode", mode);
    for (size_t i = 0; !error && i < sizeof functions / sizeof *functions; i++)
        error = rm_rpc_server_add (server, functions[i].name, functions[i].signature, functions[i].fn, NULL);
    return error ? error : rm_rpc_server_bind (server);
}

/* NULL also without a catalog: who knows the endpoint can do without. */
static rm_announcer_t *announce (const rm_rpc_server_t *server, const char *catalogs, const char *project)
{
    char why[256];
    const char *colon = strrchr (rm_rpc_server_endpoint (server), ':');
    const rm_announcement_t what = {
        .type = "hashtable", .project = project, .port = (unsigned)atoi (colon + 1), .version = "1"};
    if (!catalogs && !getenv ("CATALOG_HOST"))
        return NULL;
    rm_announcer_t *announcer = rm_announcer_new (catalogs, &what);
    if (!announcer) {
        why[0] = '\0';
        rm_catalog_check (catalogs, why, sizeof why);
        fprintf (stderr, "hashtable_server: is not announced: %s\n", *why ? why : strerror (errno));
    }
    return announcer;
}

static int usage (FILE *to)
{
    fprintf (to, "Usage: hashtable_server PROJECT [OPTION]...\n"
                 "  --catalog HOST:PORT  where it announces itself ($CATALOG_HOST)\n"
                 "  --mode MODE          event (the default): one thread; pool: several; connection: one a client\n"
                 "  --verbose            print each request\n");
    return to == stderr ? 2 : 0;
}

int main (int argc, char **argv)
{
    static const struct option options[] = {{"catalog", 1, NULL, 'c'},
                                            {"mode", 1, NULL, 'm'},
                                            {"verbose", 0, NULL, 'v'},
                                            {"help", 0, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *catalogs = NULL, *mode = "event";
    for (int c; (c = getopt_long (argc, argv, "h", options, NULL)) != -1;)
        if (c == 'c')
            catalogs = optarg;
        else if (c == 'm')
            mode = optarg;
        else if (c == 'v')
            verbose = true;
        else
            return usage (c == 'h' ? stdout : stderr);
    if (optind != argc - 1)
        return usage (stderr);
    rm_rpc_server_t *server = rm_rpc_server_new ();
    if (!server)
        return 1;
    int error = set_up (server, mode);
    rm_announcer_t *announcer = error ? NULL : announce (server, catalogs, argv[optind]);
    int status = serve ("hashtable_server", &server, error);
    rm_announcer_destroy (&announcer);
    return status;
}
