/*  An RPC server whose function fails now and then, and is tried again by the server itself, longer and longer waits in
 *  between. It also says since when it knows its caller.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ringmaster/rpc.h>

#include "serve.h"

enum { CLIENTS_MAX = 64, TIME_BYTES = 32 };

typedef struct {
    char id[33]; /* "": free */
    char since[TIME_BYTES];
} visitor_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards visitors and the seed */
static visitor_t visitors[CLIENTS_MAX];
static unsigned seed;
static int fails_percent = 50;

static visitor_t *visitor (const char *id)
{
    for (int i = 0; i < CLIENTS_MAX; i++)
        if (!strcmp (visitors[i].id, id))
            return &visitors[i];
    return NULL;
}

static void on_connect (const char *client, const char *name, void *arg)
{
    (void)name, (void)arg;
    time_t now = time (NULL);
    pthread_mutex_lock (&lock);
    visitor_t *place = visitor ("");
    if (place) {
        snprintf (place->id, sizeof place->id, "%s", client);
        strftime (place->since, sizeof place->since, "%F %T", localtime (&now));
        printf ("connected on %s\n", place->since);
    }
    pthread_mutex_unlock (&lock);
}

static void on_disconnect (const char *client, const char *name, void *arg)
{
    (void)name, (void)arg;
    pthread_mutex_lock (&lock);
    visitor_t *place = visitor (client);
    if (place)
        place->id[0] = '\0';
    pthread_mutex_unlock (&lock);
}

/* The date and time at which this client connected. */
static int date_time (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    char since[TIME_BYTES] = "";
    pthread_mutex_lock (&lock);
    visitor_t *caller = visitor (rm_rpc_call_client (call));
    if (caller)
        strcpy (since, caller->since);
    pthread_mutex_unlock (&lock);
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_text (since)));
}

static int test_random (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    char text[256];
    pthread_mutex_lock (&lock);
    int chance = rand_r (&seed) % 100;
    pthread_mutex_unlock (&lock);
    if (chance < fails_percent)
        return rm_rpc_fail (call, 1, "Fail");
    snprintf (text, sizeof text, "Success: %s", rm_rpc_call_text (call, 0));
    printf ("%s\n", text);
    return rm_rpc_reply (call, rm_rpc_values (rm_rpc_text (text)));
}

static void on_failure (const rm_retry_wait_t *wait, void *arg)
{
    (void)arg;
    printf ("%s, Retrying in %g seconds...\n", wait->text, (double)wait->wait_ms / 1000);
}

static int usage (FILE *to)
{
    fprintf (to, "Usage: retry_server [OPTION]...\n"
                 "  --endpoint EP   where it listens (tcp://127.0.0.1:0)\n"
                 "  --fails N       how many calls of 100 fail (50)\n"
                 "  --tries N       attempts in all (4)\n"
                 "  --delay MS      the first wait (3000)\n"
                 "  --backoff X     by which waits grow (2)\n"
                 "  --seed N        of chance (the time)\n");
    return to == stderr ? 2 : 0;
}

int main (int argc, char **argv)
{
    static const struct option options[] = {
        {"endpoint", 1, NULL, 'e'}, {"fails", 1, NULL, 'f'}, {"tries", 1, NULL, 't'}, {"delay", 1, NULL, 'd'},
        {"backoff", 1, NULL, 'b'},  {"seed", 1, NULL, 's'},  {"help", 0, NULL, 'h'},  {NULL, 0, NULL, 0}};
    const char *endpoint = "tcp://127.0.0.1:0";
    rm_retry_t policy = {.tries = 4, .delay_ms = 3000, .backoff = 2, .notice = on_failure};
    seed = (unsigned)time (NULL);
    for (int c; (c = getopt_long (argc, argv, "h", options, NULL)) != -1;)
        switch (c) {
        case 'e':
            endpoint = optarg;
            break;
        case 'f':
            fails_percent = atoi (optarg);
            break;
        case 't':
            policy.tries = atoll (optarg);
            break;
        case 'd':
            policy.delay_ms = atoll (optarg);
            break;
        case 'b':
            policy.backoff = atof (optarg);
            break;
        case 's':
            seed = (unsigned)atoi (optarg);
            break;
        case 'h':
            return usage (stdout);
        default:
            return usage (stderr);
        }
    if (optind != argc || fails_percent < 0 || fails_percent > 100)
        return usage (stderr);
    rm_rpc_server_t *server = rm_rpc_server_new ();
    if (!server)
        return 1;
    rm_rpc_server_on_connect (server, on_connect, NULL);
    rm_rpc_server_on_disconnect (server, on_disconnect, NULL);
    int error = rm_rpc_server_set (server, "endpoint", endpoint);
    if (!error) /* a call that its client sends again while we wait is the same call */
        error = rm_rpc_server_set (server, "semantics", "at-most-once");
    if (!error)
        error = rm_rpc_server_add (server, "date_time", ":s", date_time, NULL);
    if (!error)
        error = rm_rpc_server_add (server, "test_random", "s:s", test_random, NULL);
    if (!error)
        error = rm_rpc_server_retry (server, "test_random", &policy);
    return serve ("retry_server", &server, error);
}
