#include "load.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "net/clock.h"
#include "net/options.h"

/* A place in the window. */
typedef struct {
    uint64_t turn; /* how often it was used; the job's payload has it, too */
    uint64_t sent_us;
    int busy;
} place_t;

/* What a payload begins with; the rest is the same in all jobs. */
typedef struct {
    uint64_t place, turn;
} stamp_t;

static const peer_t *peer;
static int64_t window = 64, size = 100, seconds = 3;
static place_t places[LOAD_WINDOW_MAX];
static uint32_t idle[LOAD_WINDOW_MAX]; /* places that are free, as a stack */
static uint32_t idle_count;
static uint8_t payload[LOAD_SIZE_MAX];
static uint32_t *latencies; /* µs, of the jobs that count */
static size_t latency_count, latency_room;
static uint64_t doubled;
static int counting;

void load_fail (const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    fprintf (stderr, "%s: ", peer ? peer->name : "compare");
    vfprintf (stderr, format, arguments);
    fputc ('\n', stderr);
    va_end (arguments);
    exit (1);
}

const char *load_address (const char *address, char *host, size_t room)
{
    const char *colon = strrchr (address, ':');
    if (!colon || (size_t)(colon - address) >= room)
        load_fail ("%s is no HOST:PORT", address);
    snprintf (host, room, "%.*s", (int)(colon - address), address);
    return colon + 1;
}

static void note_latency (uint64_t us)
{
    if (latency_count == latency_room) {
        latency_room = latency_room ? latency_room * 2 : 1 << 16;
        latencies = realloc (latencies, latency_room * sizeof *latencies);
        if (!latencies)
            load_fail ("no memory for %zu times", latency_room);
    }
    latencies[latency_count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void load_done (const void *data, size_t bytes)
{
    stamp_t stamp;
    if (bytes != (size_t)size)
        load_fail ("a result of %zu bytes instead of %lld", bytes, (long long)size);
    memcpy (&stamp, data, sizeof stamp);
    if (stamp.place >= (uint64_t)window || stamp.turn > places[stamp.place].turn ||
        memcmp ((const uint8_t *)data + sizeof stamp, payload + sizeof stamp, bytes - sizeof stamp) != 0)
        load_fail ("a result that is no job's");
    place_t *place = &places[stamp.place];
    if (!place->busy || stamp.turn != place->turn) {
        doubled++;
        return;
    }
    if (counting)
        note_latency (rm_clock_us () - place->sent_us);
    place->busy = 0;
    idle[idle_count++] = (uint32_t)stamp.place;
}

static void send_one (void *self)
{
    uint32_t index = idle[--idle_count];
    place_t *place = &places[index];
    stamp_t stamp = {index, ++place->turn};
    memcpy (payload, &stamp, sizeof stamp);
    place->busy = 1;
    place->sent_us = rm_clock_us ();
    peer->send (self, payload, (size_t)size);
}

static void run_until (void *self, uint64_t end_us)
{
    while (rm_clock_us () < end_us) {
        while (idle_count)
            send_one (self);
        peer->take (self);
    }
}

static int by_size (const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t at (double share)
{
    return latencies[(size_t)(share * (double)(latency_count - 1))];
}

/* One line for a person and for awk. */
static void report (double elapsed)
{
    if (!latency_count)
        load_fail ("nothing came back in %.1f s", elapsed);
    qsort (latencies, latency_count, sizeof *latencies, by_size);
    printf ("%s window=%lld size=%lld jobs=%zu rate=%.0f p50_us=%u p99_us=%u p999_us=%u doubled=%llu\n", peer->name,
            (long long)window, (long long)size, latency_count, (double)latency_count / elapsed, at (0.5), at (0.99),
            at (0.999), (unsigned long long)doubled);
}

static void load (const char *address)
{
    for (size_t i = sizeof (stamp_t); i < (size_t)size; i++)
        payload[i] = (uint8_t)("ringmaster"[i % 10] ^ (i >> 8));
    for (int64_t i = window; i-- > 0;)
        idle[idle_count++] = (uint32_t)i;
    void *self = peer->open (address);
    run_until (self, rm_clock_us () + 500 * 1000); /* until everything is connected and warm */
    counting = 1;
    uint64_t begun = rm_clock_us ();
    run_until (self, begun + (uint64_t)seconds * 1000 * 1000);
    double elapsed = (double)(rm_clock_us () - begun) / 1e6;
    counting = 0;
    while (idle_count < (uint32_t)window)
        peer->take (self);
    report (elapsed);
}

int load_main (const peer_t *which, int argc, char **argv)
{
    const rm_option_t table[] = {
        RM_SECTION ("Options of load"),
        RM_NUMBER (0, "window", "N", 1, LOAD_WINDOW_MAX, "jobs outstanding (64)", &window),
        RM_NUMBER (0, "size", "BYTES", LOAD_SIZE_MIN, LOAD_SIZE_MAX, "payload of a job (100)", &size),
        RM_NUMBER (0, "seconds", "N", 1, 3600, "how long (3)", &seconds),
        RM_OPTIONS_END,
    };
    const rm_program_t program = {.self = {.name = which->name,
                                           .arguments = "load|work|serve ADDRESS",
                                           .about = "One system of bench/compare: its client, its worker, its server.",
                                           .options = table},
                                  .version = RM_VERSION};
    rm_parsed_t parsed;
    int exit_code;
    if (!rm_options_parse (&parsed, &program, argc, argv, &exit_code))
        return exit_code;
    peer = which;
    signal (SIGPIPE, SIG_IGN);
    prctl (PR_SET_PDEATHSIG, SIGTERM);
    const char *role = parsed.arguments[0], *address = parsed.arguments[1];
    if (!strcmp (role, "load"))
        load (address);
    else if (!strcmp (role, "work") && peer->work)
        peer->work (address);
    else if (!strcmp (role, "serve") && peer->serve)
        peer->serve (address);
    else
        return rm_options_refuse (&program, NULL, "%s is nothing it can do", role);
    return 0;
}
