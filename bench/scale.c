/*  Whether it matters how many there are: throughput, waits and the master's memory over the number of connected clients, of
 *  workers and of keys.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chart.h"
#include "cluster.h"
#include "crowd.h"
#include "net/clock.h"
#include "net/options.h"
#include "swarm.h"

enum { POINTS_MAX = 16 };

typedef enum { CLIENTS, WORKERS, KEYS, CURVES } curve_t;

static const struct {
    const char *name, *title;
    double numbers[POINTS_MAX]; /* ends in 0 */
} curves[CURVES] = {
    [CLIENTS] = {"clients", "connected clients", {1, 10, 30, 100, 300, 1000, 3000, 10000}},
    [WORKERS] = {"workers", "workers", {1, 3, 10, 30, 100, 300, 1000}},
    [KEYS] = {"keys", "keys", {1, 10, 100, 1000, 10000, 100000, 1000000}},
};

static int64_t rate = 1000, seconds = 5, most = 10000000;
static const char *only, *folder;

/* What was measured at one number of them. */
typedef struct {
    double ready_s; /* until all were there, each client with a job done */
    crowd_result_t jobs;
    double mib, cpu_percent; /* of the master */
} point_t;

/* Seconds of processor time that it has had. */
static double cpu_s (const process_t *process)
{
    char path[64];
    unsigned long long user = 0, system = 0;
    snprintf (path, sizeof path, "/proc/%d/stat", (int)process_pid (process));
    FILE *file = fopen (path, "r");
    if (!file || fscanf (file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
        harness_fail ("the master is gone");
    fclose (file);
    return (double)(user + system) / (double)sysconf (_SC_CLK_TCK);
}

static point_t measure (curve_t curve, uint32_t number)
{
    static const char *const queues[] = {"crowd=builtin:echo", NULL};
    bench_cluster_t cluster = {0};
    crowd_t crowd;
    swarm_t swarm;
    point_t point;
    crowd_options_t options = {.clients = 16, .rate = (uint32_t)rate, .keys = 10000, .seconds = (uint32_t)seconds};
    if (curve == KEYS)
        cluster.keep_ms = 1000; /* or the memory would tell how many jobs there were */
    bench_cluster_start (&cluster, 1);
    uint64_t begun_us = rm_clock_us ();
    if (curve == WORKERS)
        swarm_start (&swarm, cluster.jobs, number);
    else
        for (int i = 0; i < 2; i++)
            bench_cluster_worker (&cluster, i ? "w2" : "w1", 2, queues);
    if (curve == CLIENTS)
        options.clients = number;
    if (curve == KEYS) {
        options = (crowd_options_t){.clients = 1, .window = 1024, .keys = number, .seconds = (uint32_t)seconds};
        options.jobs = number > 1000 ? number : 0;
    }
    options.masters = cluster.jobs;
    crowd_start (&crowd, &options);
    point.ready_s = (double)(rm_clock_us () - begun_us) / 1e6;
    double cpu = cpu_s (cluster.leader);
    begun_us = rm_clock_us ();
    point.jobs = crowd_measure (&crowd);
    point.cpu_percent = (cpu_s (cluster.leader) - cpu) * 1e8 / (double)(rm_clock_us () - begun_us);
    point.mib = (double)bench_resident_kib (cluster.leader) / 1024;
    crowd_stop (&crowd);
    if (curve == WORKERS)
        swarm_stop (&swarm);
    process_destroy_all ();
    return point;
}

static void draw (curve_t curve, const point_t *points, size_t count)
{
    double rates[POINTS_MAX], p50[POINTS_MAX], p99[POINTS_MAX], mib[POINTS_MAX];
    char path[512], title[160];
    const double *x = curves[curve].numbers;
    for (size_t i = 0; i < count; i++) {
        rates[i] = points[i].jobs.rate;
        p50[i] = points[i].jobs.p50_ms;
        p99[i] = points[i].jobs.p99_ms;
        mib[i] = points[i].mib;
    }
    const chart_line_t rate_line = {"all together", "#1b6ca8", x, rates, count, false},
                       mib_line = {"master", "#6a994e", x, mib, count, false},
                       waits[] = {{"p50", "#1b6ca8", x, p50, count, false}, {"p99", "#e08e45", x, p99, count, false}};
    const chart_panel_t panels[] = {{"jobs a second", &rate_line, 1, false},
                                    {"wait, ms", waits, 2, true},
                                    {"resident memory of the master, MiB", &mib_line, 1, false}};
    snprintf (title, sizeof title, "%s", curve == KEYS ? "A window of 1024 jobs" : "A steady load");
    snprintf (path, sizeof path, "%s/scale-%s.svg", folder, curves[curve].name);
    if (!chart_draw (&(chart_t){title, curves[curve].title, true, NULL, 0, panels, 3}, path))
        harness_fail ("cannot write %s: %s", path, strerror (errno));
}

static void run (curve_t curve)
{
    point_t points[POINTS_MAX];
    size_t count = 0;
    if (curve == KEYS)
        printf ("\none client with 1024 jobs under way, two workers\n\n");
    else
        printf ("\n%lld jobs a second of all together\n\n", (long long)rate);
    printf ("| %s | all there after s | jobs/s | p50 ms | p99 ms | master MiB | its processor %% |\n"
            "|---:|---:|---:|---:|---:|---:|---:|\n",
            curves[curve].title);
    for (; curves[curve].numbers[count] > 0 && curves[curve].numbers[count] <= (double)most; count++) {
        const point_t *point = &points[count];
        points[count] = measure (curve, (uint32_t)curves[curve].numbers[count]);
        printf ("| %.0f | %.2f | %.0f | %.2f | %.2f | %.1f | %.1f |\n", curves[curve].numbers[count], point->ready_s,
                point->jobs.rate, point->jobs.p50_ms, point->jobs.p99_ms, point->mib, point->cpu_percent);
        fflush (stdout);
    }
    if (folder)
        draw (curve, points, count);
}

int main (int argc, char **argv)
{
    const rm_option_t table[] = {
        RM_SECTION ("Options"),
        RM_TEXT (0, "curve", "NAME", "only this one: clients, workers, keys", &only),
        RM_NUMBER (0, "most", "N", 1, 10000000, "leave out what is more than that", &most),
        RM_NUMBER (0, "rate", "N", 1, 1000000, "jobs a second, over clients and workers (1000)", &rate),
        RM_NUMBER (0, "seconds", "N", 1, 3600, "measured at each number (5)", &seconds),
        RM_TEXT (0, "svg", "FOLDER", "draw scale-NAME.svg there", &folder),
        RM_OPTIONS_END,
    };
    const rm_program_t program = {
        .self = {.name = "bench_scale",
                 .about = "Measures whether it matters how many clients, workers and keys there are.",
                 .options = table,
                 .examples = "  bench_scale --svg .\n  bench_scale --curve workers --most 100 --seconds 2"},
        .version = RM_VERSION};
    rm_parsed_t parsed;
    int exit_code, chosen = 0;
    if (!rm_options_parse (&parsed, &program, argc, argv, &exit_code))
        return exit_code;
    for (int i = 0; i < CURVES; i++)
        chosen += !only || !strcmp (only, curves[i].name);
    if (!chosen)
        return rm_options_refuse (&program, NULL, "there is no curve %s", only);
    for (int i = 0; i < CURVES; i++)
        if (!only || !strcmp (only, curves[i].name))
            run ((curve_t)i);
    return 0;
}
