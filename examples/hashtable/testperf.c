/*  How much a hash table server does for one client, for two, four … at a time, each a process of its own, until more clients
 *  do not make more of it, twice in a row. Prints a table by operation and the sum, and draws it.
 */
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ringmaster/rpc.h>

#include "found.h"

enum { CLIENTS_MAX = 1024, OPERATIONS = 5, ROUNDS_MAX = 16, TIMEOUT_MS = 20 * 1000, KEYS = 1000 };

static const char *const names[OPERATIONS] = {"insert", "lookup", "query", "size", "remove"};

/* What the clients of a round and their parent share. */
typedef struct {
    pthread_barrier_t gate; /* before each operation, and behind it */
    uint64_t done[CLIENTS_MAX][OPERATIONS];
} shared_t;

typedef struct {
    int clients;
    double rate[OPERATIONS], sum; /* operations/s of all clients together; the sum's is over the whole time */
} round_t;

static double seconds = 1, grows_percent = 10;
static int clients_max = 64;
static const char *svg, *catalogs;
static shared_t *shared;

static double now (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void operate (rm_rpc_client_t *client, int operation, const char *key)
{
    const rm_rpc_value_t words[] = {rm_rpc_text (key), rm_rpc_text ("a value of some length")};
    static const size_t counts[OPERATIONS] = {2, 1, 1, 0, 1};
    int error = rm_rpc_client_call (client, names[operation], words, counts[operation], TIMEOUT_MS, NULL);
    if (error && error != RM_EFAILED) { /* a key that is not there is an answer, too */
        fprintf (stderr, "testperf: %s\n", rm_rpc_client_error (client));
        kill (getppid (), SIGTERM);
        _exit (1);
    }
}

static void be_client (int number, const char *server)
{
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    rm_rpc_client_t *client = rm_rpc_client_new (server);
    char key[32];
    operate (client, 3, "");
    for (int operation = 0; operation < OPERATIONS; operation++) {
        uint64_t done = 0;
        pthread_barrier_wait (&shared->gate);
        for (double end = now () + seconds; now () < end; done++) {
            snprintf (key, sizeof key, "%d-%llu", number, (unsigned long long)done % KEYS);
            operate (client, operation, key);
        }
        shared->done[number][operation] = done;
        pthread_barrier_wait (&shared->gate);
    }
    rm_rpc_client_destroy (&client);
    _exit (0);
}

static round_t measure (int clients, const char *server)
{
    round_t round = {.clients = clients};
    pthread_barrierattr_t between_processes;
    double elapsed = 0, all = 0;
    pthread_barrierattr_init (&between_processes);
    pthread_barrierattr_setpshared (&between_processes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init (&shared->gate, &between_processes, (unsigned)clients + 1);
    for (int i = 0; i < clients; i++)
        if (!fork ())
            be_client (i, server);
    for (int operation = 0; operation < OPERATIONS; operation++) {
        pthread_barrier_wait (&shared->gate);
        double begun = now (), took;
        pthread_barrier_wait (&shared->gate);
        took = now () - begun;
        elapsed += took;
        for (int i = 0; i < clients; i++) {
            round.rate[operation] += (double)shared->done[i][operation] / took;
            all += (double)shared->done[i][operation];
        }
    }
    round.sum = all / elapsed;
    for (int i = 0; i < clients; i++)
        wait (NULL);
    pthread_barrier_destroy (&shared->gate);
    return round;
}

static void print_head (void)
{
    printf ("%8s", "clients");
    for (int i = 0; i < OPERATIONS; i++)
        printf (" %10s", names[i]);
    printf (" %10s %12s   (operations/s)\n", "all", "per client");
}

static void print (const round_t *round)
{
    printf ("%8d", round->clients);
    for (int i = 0; i < OPERATIONS; i++)
        printf (" %10.0f", round->rate[i]);
    printf (" %10.0f %12.0f\n", round->sum, round->sum / round->clients);
    fflush (stdout);
}

/* ---- the drawing ---- */

static double highest (const round_t *rounds, int count)
{
    double top = 1;
    for (int i = 0; i < count; i++)
        for (int o = 0; o < OPERATIONS; o++)
            top = fmax (top, rounds[i].rate[o]);
    return top;
}

static int draw (const round_t *rounds, int count)
{
    static const char *const colours[OPERATIONS] = {"#1b6ca8", "#e08e45", "#6a994e", "#9d4edd", "#bc4749"};
    enum { LEFT = 70, TOP = 20, WIDTH = 560, HEIGHT = 280 };
    double top = highest (rounds, count), step = count > 1 ? (double)WIDTH / (count - 1) : 0;
    FILE *out = fopen (svg, "w");
    if (!out) {
        perror (svg);
        return 1;
    }
    fprintf (
        out,
        "<svg xmlns='http://www.w3.org/2000/svg' width='760' height='360' font-family='sans-serif' font-size='12'>\n"
        "<rect width='100%%' height='100%%' fill='white'/>\n");
    for (int i = 0; i <= 4; i++)
        fprintf (out, "<text x='%d' y='%d' text-anchor='end'>%.0f</text><path d='M%d %d h%d' stroke='#ddd'/>\n",
                 LEFT - 6, TOP + HEIGHT - i * HEIGHT / 4 + 4, top * i / 4, LEFT, TOP + HEIGHT - i * HEIGHT / 4, WIDTH);
    for (int i = 0; i < count; i++)
        fprintf (out, "<text x='%.0f' y='%d' text-anchor='middle'>%d</text>\n", LEFT + i * step, TOP + HEIGHT + 18,
                 rounds[i].clients);
    fprintf (out, "<text x='%d' y='%d' text-anchor='middle'>clients; operations/s of all together</text>\n",
             LEFT + WIDTH / 2, TOP + HEIGHT + 40);
    for (int o = 0; o < OPERATIONS; o++) {
        fprintf (out, "<polyline fill='none' stroke='%s' stroke-width='2' points='", colours[o]);
        for (int i = 0; i < count; i++)
            fprintf (out, "%.0f,%.0f ", LEFT + i * step, TOP + HEIGHT * (1 - rounds[i].rate[o] / top));
        fprintf (out, "'/><text x='%d' y='%d' fill='%s'>%s</text>\n", LEFT + WIDTH + 16, TOP + 14 + o * 18, colours[o],
                 names[o]);
    }
    fprintf (out, "</svg>\n");
    if (fclose (out)) {
        perror (svg);
        return 1;
    }
    return 0;
}

static int usage (FILE *to)
{
    fprintf (to, "Usage: testperf PROJECT|ENDPOINT [OPTION]...\n"
                 "  --catalog HOST:PORT  who knows where PROJECT is ($CATALOG_HOST)\n"
                 "  --seconds X          how long each operation is measured (1)\n"
                 "  --clients N          at most so many at a time (64)\n"
                 "  --grows PERCENT      go on while the sum grows by more than that (10)\n"
                 "  --svg FILE           draw it\n");
    return to == stderr ? 2 : 0;
}

static int run (const char *server)
{
    round_t rounds[ROUNDS_MAX];
    round_t best = {0};
    int count = 0;
    print_head ();
    for (int clients = 1; clients <= clients_max && count < ROUNDS_MAX; clients *= 2) {
        rounds[count] = measure (clients, server);
        print (&rounds[count++]);
        const round_t *more = &rounds[count - 1];
        if (more->sum > best.sum * (1 + grows_percent / 100))
            best = *more;
        else if (more->clients > 2 * best.clients) { /* twice in a row it was not more */
            printf ("levels out at %d clients\n", best.clients);
            break;
        }
    }
    return svg ? draw (rounds, count) : 0;
}

int main (int argc, char **argv)
{
    static const struct option options[] = {
        {"catalog", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'}, {"clients", 1, NULL, 'n'}, {"grows", 1, NULL, 'g'},
        {"svg", 1, NULL, 'v'},     {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long (argc, argv, "h", options, NULL)) != -1;)
        if (c == 'c')
            catalogs = optarg;
        else if (c == 's')
            seconds = atof (optarg);
        else if (c == 'n')
            clients_max = atoi (optarg);
        else if (c == 'g')
            grows_percent = atof (optarg);
        else if (c == 'v')
            svg = optarg;
        else
            return usage (c == 'h' ? stdout : stderr);
    if (optind != argc - 1 || seconds <= 0 || clients_max < 1 || clients_max > CLIENTS_MAX)
        return usage (stderr);
    const char *server = found ("testperf", argv[optind], catalogs);
    if (!server)
        return 3;
    shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror ("testperf");
        return 1;
    }
    return run (server);
}
