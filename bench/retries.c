/*  What clients that try again do to a server that was away: 200 clients call it, it is down for 10 s, and each policy of
 *  core/backoff decides when they come back. A simulation on a clock of its own, from a seed: the same figures on every
 *  machine. Prints a table, and with --svg draws requests per 100 ms.
 *
 *  The model: a client calls, has its answer after 20 ms, and calls again a tenth of a second or so later. While the
 *  server is down a call fails after 20 ms. When it is up it serves so many calls in 100 ms; what is beyond that is
 *  refused, and is tried again like any failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backoff.h"
#include "core/splitmix.h"
#include "net/options.h"

enum {
    TICK_MS = 1,
    SLOT_MS = 100,  /* what is counted together */
    TRIP_MS = 20,   /* until a call is answered, or has failed */
    THINK_MS = 100, /* between an answer and the next call, about */
    DOWN_MS = 5000, /* when it goes down */
    UP_MS = 15000,  /* … and is up again */
    END_MS = 45000,
    SLOTS = END_MS / SLOT_MS,
    CLIENTS_MAX = 10000
};

/* A line of the figure. */
typedef struct {
    const char *name, *colour;
    rm_jitter_t jitter;
    bool backoff; /* false: the same delay, always */
    bool budget;  /* retries are paid for */
    uint32_t requests[SLOTS];
    uint64_t total_down, total_after; /* requests while it was down, and after that */
    uint32_t peak_down;               /* the most in 100 ms, from a second into the outage on */
    uint32_t peak_after;              /* the most in 100 ms once it is up */
    uint64_t refused_after;           /* what the server, up again, could not serve */
    uint64_t back_ms;                 /* after how long all clients had been served again; 0: never */
} line_t;

typedef struct {
    uint64_t due_ms; /* of the next call, or 0 */
    uint64_t end_ms; /* of the call under way */
    bool calling, refused;
    bool waits_budget; /* for a token */
    uint64_t failures; /* of this call */
    uint32_t delay_ms;
    uint64_t random;
    rm_retry_budget_t budget;
    bool served; /* since the server came back */
} caller_t;

static int64_t clients = 200, capacity = 200, seed = 1;
static const char *svg;

static const rm_option_t options[] = {
    RM_SECTION ("Options"),
    RM_NUMBER (0, "clients", "N", 1, CLIENTS_MAX, "how many call (200)", &clients),
    RM_NUMBER (0, "capacity", "N", 1, 1000000, "calls the server can serve in 100 ms (200)", &capacity),
    RM_NUMBER (0, "seed", "N", 0, INT64_MAX, "another chance (1)", &seed),
    RM_TEXT (0, "svg", "FILE", "draw the figure", &svg),
    RM_OPTIONS_END};

static const rm_program_t program = {
    .self = {.name = "bench_retries",
             .about = "Requests per 100 ms of many clients against a server that is down for 10 s, by policy of retry.",
             .options = options,
             .examples = "  bench_retries --svg retries.svg"},
    .version = RM_VERSION,
};

/* The policy of ringctl's and the library's calls, but for the jitter: 250 ms, doubled up to 8 s. */
static rm_backoff_t policy_of (const line_t *line)
{
    return (rm_backoff_t){.delay_ms = 250, .factor_permille = 2000, .cap_ms = 8000, .jitter = line->jitter};
}

/* ---- the simulation ---------------------------------------------------------------------------------------------- */

static uint64_t think_ms (caller_t *self)
{
    return THINK_MS / 2 + rm_splitmix (&self->random) % THINK_MS;
}

static void begin_call (line_t *line, caller_t *self, uint64_t now_ms, uint32_t *served)
{
    bool down = now_ms >= DOWN_MS && now_ms < UP_MS, full = *served >= capacity;
    line->requests[now_ms / SLOT_MS]++;
    self->refused = down || full;
    if (!self->refused)
        ++*served;
    if (down)
        line->total_down++;
    if (now_ms >= UP_MS) {
        line->total_after++;
        line->refused_after += full;
    }
    self->calling = true;
    self->end_ms = now_ms + TRIP_MS;
}

static void end_call (const line_t *line, caller_t *self, uint64_t now_ms)
{
    const rm_backoff_t policy = policy_of (line);
    self->calling = false;
    if (!self->refused) {
        self->failures = 0;
        self->delay_ms = 0;
        self->served = self->served || now_ms >= UP_MS;
        self->due_ms = now_ms + think_ms (self);
        rm_retry_budget_success (&self->budget);
        return;
    }
    self->failures++;
    self->delay_ms =
        line->backoff ? rm_backoff_next (&policy, self->failures, self->delay_ms, rm_splitmix (&self->random)) : 0;
    self->due_ms = now_ms + self->delay_ms;
    self->waits_budget = line->budget;
}

/* Whether a call that is due may leave: a retry has to be paid for, if there is a budget. */
static bool may_call (caller_t *self, uint64_t now_ms)
{
    if (self->calling || now_ms < self->due_ms)
        return false;
    if (self->waits_budget && !rm_retry_budget_take (&self->budget, now_ms))
        return false;
    self->waits_budget = false;
    return true;
}

static uint32_t peak (const line_t *line, uint64_t from_ms, uint64_t to_ms)
{
    uint32_t most = 0;
    for (uint64_t slot = from_ms / SLOT_MS; slot < to_ms / SLOT_MS; slot++)
        most = line->requests[slot] > most ? line->requests[slot] : most;
    return most;
}

static void simulate (line_t *line)
{
    static caller_t callers[CLIENTS_MAX];
    int64_t unserved = clients;
    memset (callers, 0, sizeof callers);
    for (int64_t i = 0; i < clients; i++) {
        callers[i].random = (uint64_t)seed * CLIENTS_MAX + (uint64_t)i;
        callers[i].due_ms = rm_splitmix (&callers[i].random) % THINK_MS;
        rm_retry_budget_init (&callers[i].budget, RM_RETRY_RATIO_PERMILLE, RM_RETRY_FLOOR_PER_S, RM_RETRY_TOKENS_MAX,
                              0);
    }
    uint32_t served = 0;
    for (uint64_t now_ms = 0; now_ms < END_MS; now_ms += TICK_MS) {
        if (now_ms % SLOT_MS == 0)
            served = 0;
        for (int64_t i = 0; i < clients; i++) {
            caller_t *caller = &callers[i];
            bool before = caller->served;
            if (caller->calling && now_ms >= caller->end_ms)
                end_call (line, caller, now_ms);
            if (may_call (caller, now_ms))
                begin_call (line, caller, now_ms, &served);
            unserved -= caller->served && !before;
        }
        if (!unserved && !line->back_ms)
            line->back_ms = now_ms - UP_MS;
    }
    line->peak_down = peak (line, DOWN_MS + 1000, UP_MS);
    line->peak_after = peak (line, UP_MS, END_MS);
}

/* ---- the figure -------------------------------------------------------------------------------------------------- */

enum { WIDTH = 1000, PANEL = 96, LEFT = 150, RIGHT = 20, TOP = 40 };

static double x_of (double ms)
{
    return LEFT + ms * (WIDTH - LEFT - RIGHT) / END_MS;
}

/* One line's panel: steps of requests per 100 ms, cut at twice of what is served. */
static void draw_line (FILE *out, const line_t *line, int top)
{
    double most = 2.0 * (double)capacity, base = top + PANEL - 16, height = PANEL - 28;
    fprintf (out, "<rect x='%.1f' y='%d' width='%.1f' height='%d' fill='#f3e3e3'/>\n", x_of (DOWN_MS), top,
             x_of (UP_MS) - x_of (DOWN_MS), PANEL - 16);
    fprintf (out, "<text x='8' y='%d' font-weight='bold'>%s</text>\n", top + 20, line->name);
    fprintf (out, "<text x='8' y='%d' fill='#555'>%llu while down</text>\n", top + 38,
             (unsigned long long)line->total_down);
    fprintf (out, "<text x='8' y='%d' fill='#555'>then at most %u</text>\n", top + 54, line->peak_down);
    fprintf (out, "<path fill='%s' d='M%.1f %.1f", line->colour, x_of (0), base);
    for (size_t slot = 0; slot < SLOTS; slot++) {
        double part = line->requests[slot] < most ? line->requests[slot] / most : 1;
        fprintf (out, "V%.1fH%.1f", base - part * height, x_of ((double)(slot + 1) * SLOT_MS));
    }
    fprintf (out, "V%.1fZ'/>\n", base);
    fprintf (out, "<line x1='%d' y1='%.1f' x2='%d' y2='%.1f' stroke='#999' stroke-dasharray='4 3'/>\n", LEFT,
             base - height / 2, WIDTH - RIGHT, base - height / 2);
    fprintf (out, "<line x1='%d' y1='%.1f' x2='%d' y2='%.1f' stroke='#333'/>\n", LEFT, base, WIDTH - RIGHT, base);
}

static int draw (const line_t *lines, size_t count)
{
    int height = TOP + (int)count * PANEL + 30;
    FILE *out = fopen (svg, "w");
    if (!out) {
        perror (svg);
        return 1;
    }
    fprintf (
        out,
        "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' viewBox='0 0 %d %d' font-family='sans-serif' "
        "font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
        WIDTH, height, WIDTH, height);
    fprintf (
        out,
        "<text x='%d' y='20' font-size='14'>Requests per 100 ms of %lld clients; the server is down from 5 s to 15 s "
        "(shaded) and serves %lld (dashed)</text>\n",
        LEFT, (long long)clients, (long long)capacity);
    for (size_t i = 0; i < count; i++)
        draw_line (out, &lines[i], TOP + (int)i * PANEL);
    for (int s = 0; s <= END_MS / 1000; s += 5)
        fprintf (out, "<text x='%.1f' y='%d' text-anchor='middle'>%d s</text>\n", x_of (s * 1000.0), height - 12, s);
    fprintf (out, "</svg>\n");
    if (fclose (out)) {
        perror (svg);
        return 1;
    }
    return 0;
}

int main (int argc, char **argv)
{
    static line_t lines[] = {
        {.name = "no backoff", .colour = "#c0392b"},
        {.name = "exponential", .colour = "#d35400", .backoff = true, .jitter = RM_JITTER_NONE},
        {.name = "equal jitter", .colour = "#b7950b", .backoff = true, .jitter = RM_JITTER_EQUAL},
        {.name = "full jitter", .colour = "#1e8449", .backoff = true, .jitter = RM_JITTER_FULL},
        {.name = "decorrelated", .colour = "#117a65", .backoff = true, .jitter = RM_JITTER_DECORRELATED},
        {.name = "turns", .colour = "#1f618d", .backoff = true, .jitter = RM_JITTER_TURNS},
        {.name = "budget, no backoff", .colour = "#6c3483", .budget = true},
    };
    enum { LINES = sizeof lines / sizeof *lines };
    rm_parsed_t parsed;
    int code;
    if (!rm_options_parse (&parsed, &program, argc, argv, &code))
        return code;
    printf ("| policy | requests while down | most in 100 ms then | most in 100 ms after | refused after | all served "
            "again after |\n"
            "|---|---:|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < LINES; i++) {
        simulate (&lines[i]);
        printf ("| %s | %llu | %u | %u | %llu | ", lines[i].name, (unsigned long long)lines[i].total_down,
                lines[i].peak_down, lines[i].peak_after, (unsigned long long)lines[i].refused_after);
        if (lines[i].back_ms)
            printf ("%.1f s |\n", (double)lines[i].back_ms / 1000);
        else
            printf ("never |\n");
    }
    return svg ? draw (lines, LINES) : 0;
}
