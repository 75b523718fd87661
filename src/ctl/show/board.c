#include "ctl/show/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/show/answer.h"

enum {
    BAR = 12,            /* columns */
    RATE_SPAN_MS = 3000, /* what a rate is counted over, at least, once there was so much time */
    ROWS_MAX = 100000    /* of a table: a master has no more */
};

/* One queue or worker, and what it is sorted by. */
typedef struct {
    const json_t *object;
    long long load; /* a job's: its id */
    double rate;
} row_t;

void rm_board_init (rm_board_t *self)
{
    *self = (rm_board_t){.sort = RM_BOARD_BY_LOAD};
}

static void clear_lines (rm_board_t *self)
{
    for (size_t i = 0; i < self->line_count; i++)
        free (self->lines[i].text);
    free (self->lines);
    self->lines = NULL;
    self->line_count = 0;
}

void rm_board_close (rm_board_t *self)
{
    clear_lines (self);
    json_decref (self->status);
    json_decref (self->workers);
    json_decref (self->progress);
    json_decref (self->status_before);
    json_decref (self->workers_before);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

void rm_board_take (rm_board_t *self, json_t *status, json_t *workers, json_t *progress, uint64_t now_ms)
{
    if (!json_is_object (status) || !json_is_object (workers)) {
        json_decref (status);
        json_decref (workers);
        json_decref (progress);
        rm_board_miss (self);
        return;
    }
    bool old = now_ms - self->before_ms >= 2 * RATE_SPAN_MS; /* the one before that is young enough still */
    if (!self->status_before || old) {
        json_decref (self->status_before);
        json_decref (self->workers_before);
        self->status_before = json_incref (self->status ? self->status : status);
        self->workers_before = json_incref (self->workers ? self->workers : workers);
        self->before_ms = self->status ? self->taken_ms : now_ms;
    }
    json_decref (self->status);
    json_decref (self->workers);
    json_decref (self->progress);
    self->status = status;
    self->workers = workers;
    self->progress = progress;
    self->taken_ms = now_ms;
    self->answers = true;
}

void rm_board_miss (rm_board_t *self)
{
    self->answers = false;
}

double rm_board_rate (const rm_board_t *self, const json_t *before, const json_t *now, const char *count)
{
    long long then = rm_ctl_number_of (before, count), here = rm_ctl_number_of (now, count);
    if (then < 0 || here < then || self->taken_ms <= self->before_ms)
        return -1;
    return (double)(here - then) * 1000 / (double)(self->taken_ms - self->before_ms);
}

/* The one of the list that has the object's name and, if it has one, its incarnation. */
static const json_t *same_in (const json_t *list, const json_t *object)
{
    size_t i;
    json_t *each;
    json_array_foreach (list, i, each) {
        if (!strcmp (rm_ctl_text_of (each, "name"), rm_ctl_text_of (object, "name")) &&
            !strcmp (rm_ctl_text_of (each, "inc"), rm_ctl_text_of (object, "inc")))
            return each;
    }
    return NULL;
}

static long long sum (long long one, long long other)
{
    return (one > 0 ? one : 0) + (other > 0 ? other : 0);
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

/* Takes over `text`; without memory the line is left out. */
static void add_line (rm_board_t *self, char *text, rm_ctl_tint_t tint)
{
    rm_board_line_t *lines = text ? realloc (self->lines, (self->line_count + 1) * sizeof *lines) : NULL;
    if (!lines) {
        free (text);
        return;
    }
    self->lines = lines;
    lines[self->line_count++] = (rm_board_line_t){text, tint};
}

static void __attribute__ ((format (printf, 3, 4))) say (rm_board_t *self, rm_ctl_tint_t tint, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start (arguments, format);
    if (vasprintf (&text, format, arguments) < 0)
        text = NULL;
    va_end (arguments);
    if (text)
        rm_ctl_mask (text, false);
    add_line (self, text, tint);
}

/* The lines of a table, its head first. */
static void add_table (rm_board_t *self, const rm_ctl_paper_t *paper, rm_ctl_table_t *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream (&text, &size);
    rm_ctl_paper_t plain = {.columns = paper->columns, .utf8 = paper->utf8};
    if (out) {
        rm_ctl_table_write (table, &plain, out);
        fclose (out);
    }
    rm_ctl_table_destroy (&table);
    rm_ctl_tint_t tint = RM_TINT_HEAD;
    for (char *line = text, *end; line && (end = strchr (line, '\n')); line = end + 1, tint = RM_TINT_NONE)
        add_line (self, strndup (line, (size_t)(end - line)), tint);
    free (text);
}

void rm_board_bar (char *text, size_t size, long long part, long long whole, size_t width)
{
    size_t inside = width > 2 ? width - 2 : 0, full = 0;
    if (part > 0 && whole > 0) {
        full = part >= whole
                   ? inside
                   : (size_t)((unsigned long long)inside * (unsigned long long)part / (unsigned long long)whole);
        full += !full;
    }
    size_t at = 0;
    if (size > width) {
        text[at++] = '[';
        memset (text + at, '|', full);
        memset (text + at + full, ' ', inside - full);
        at += inside;
        text[at++] = ']';
    }
    text[at] = 0;
}

static const char *rate_text (double rate, char *text, size_t size)
{
    snprintf (text, size, rate < 0 ? "-" : rate < 10 ? "%.1f" : "%.0f", rate);
    return text;
}

static void cell_rate (rm_ctl_table_t *table, double rate)
{
    char text[64];
    rm_ctl_table_cell (table, "%s", rate_text (rate, text, sizeof text));
}

static void cell_bar (rm_ctl_table_t *table, long long part, long long whole)
{
    char text[BAR + 1];
    rm_board_bar (text, sizeof text, part, whole, BAR);
    rm_ctl_table_cell (table, "%s", text);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static int by_name (const void *one, const void *other)
{
    return strcmp (rm_ctl_text_of (((const row_t *)one)->object, "name"),
                   rm_ctl_text_of (((const row_t *)other)->object, "name"));
}

static int by_load (const void *one, const void *other)
{
    long long a = ((const row_t *)one)->load, b = ((const row_t *)other)->load;
    return a != b ? (a < b) - (a > b) : by_name (one, other);
}

static int by_rate (const void *one, const void *other)
{
    double a = ((const row_t *)one)->rate, b = ((const row_t *)other)->rate;
    return a < b ? 1 : a > b ? -1 : by_name (one, other);
}

/* The objects of a list, sorted, for the caller to free; `first` and `second` are what makes its load. */
static row_t *rows_of (const rm_board_t *self, const json_t *list, const json_t *list_before, const char *first,
                       const char *second, size_t *count)
{
    static int (*const orders[RM_BOARD_SORTS]) (const void *, const void *) = {
        [RM_BOARD_BY_LOAD] = by_load, [RM_BOARD_BY_RATE] = by_rate, [RM_BOARD_BY_NAME] = by_name};
    size_t most = json_array_size (list);
    *count = most < ROWS_MAX ? most : ROWS_MAX;
    row_t *rows = calloc (*count + 1, sizeof *rows);
    if (!rows)
        *count = 0;
    for (size_t i = 0; i < *count; i++) {
        const json_t *object = json_array_get (list, i);
        rows[i] = (row_t){object, sum (rm_ctl_number_of (object, first), rm_ctl_number_of (object, second)),
                          rm_board_rate (self, same_in (list_before, object), object, "done")};
    }
    if (rows)
        qsort (rows, *count, sizeof *rows, orders[self->sort]);
    return rows;
}

static void draw_queues (rm_board_t *self, const rm_ctl_paper_t *paper)
{
    size_t count;
    row_t *rows = rows_of (self, json_object_get (self->status, "queues"),
                           json_object_get (self->status_before, "queues"), "waiting", "running", &count);
    long long most = 0;
    for (size_t i = 0; i < count; i++)
        most = rows[i].load > most ? rows[i].load : most;
    rm_ctl_table_t *table =
        rm_ctl_table_new ("QUEUE|->LOAD|>QUEUED|>RUNNING|>DONE/S|->DONE|>DEAD|--->WORKERS|-->OLDEST");
    for (size_t i = 0; i < count; i++) {
        rm_ctl_cell_text (table, rows[i].object, "name");
        cell_bar (table, rows[i].load, most);
        rm_ctl_cell_number (table, rows[i].object, "waiting");
        rm_ctl_cell_number (table, rows[i].object, "running");
        cell_rate (table, rows[i].rate);
        rm_ctl_cell_number (table, rows[i].object, "done");
        rm_ctl_cell_number (table, rows[i].object, "dead");
        rm_ctl_cell_number (table, rows[i].object, "workers");
        rm_ctl_cell_time (table, rows[i].object, "oldest_ms");
    }
    add_table (self, paper, table);
    free (rows);
    if (!count)
        say (self, RM_TINT_NONE, "no queues");
}

static void draw_workers (rm_board_t *self, const rm_ctl_paper_t *paper)
{
    size_t count;
    row_t *rows = rows_of (self, json_object_get (self->workers, "workers"),
                           json_object_get (self->workers_before, "workers"), "inflight", "", &count);
    rm_ctl_table_t *table =
        rm_ctl_table_new ("WORKER|->LOAD|STATE|--POOL|>IN FLIGHT|->THREADS|>DONE/S|->DONE|--->SLOTS|-->HEARD");
    for (size_t i = 0; i < count; i++) {
        rm_ctl_cell_text (table, rows[i].object, "name");
        cell_bar (table, rows[i].load, rm_ctl_number_of (rows[i].object, "threads"));
        rm_ctl_cell_text (table, rows[i].object, "state");
        rm_ctl_cell_text (table, rows[i].object, "pool");
        rm_ctl_cell_number (table, rows[i].object, "inflight");
        rm_ctl_cell_number (table, rows[i].object, "threads");
        cell_rate (table, rows[i].rate);
        rm_ctl_cell_number (table, rows[i].object, "done");
        rm_ctl_cell_number (table, rows[i].object, "slots");
        rm_ctl_cell_time (table, rows[i].object, "last_heard_ms");
    }
    add_table (self, paper, table);
    free (rows);
    if (!count)
        say (self, RM_TINT_NONE, "no workers");
}

static int by_id (const void *one, const void *other)
{
    return (((const row_t *)one)->load > ((const row_t *)other)->load) -
           (((const row_t *)one)->load < ((const row_t *)other)->load);
}

/* The jobs that say how far they are, the oldest first; nothing at all if none does. */
static void draw_progress (rm_board_t *self, const rm_ctl_paper_t *paper)
{
    const json_t *jobs = json_object_get (self->progress, "jobs");
    size_t count = json_array_size (jobs);
    row_t *rows = calloc (count + 1, sizeof *rows);
    if (!rows || !count) {
        free (rows);
        return;
    }
    for (size_t i = 0; i < count; i++)
        rows[i] =
            (row_t){.object = json_array_get (jobs, i), .load = rm_ctl_number_of (json_array_get (jobs, i), "id")};
    qsort (rows, count, sizeof *rows, by_id);
    rm_ctl_table_t *table = rm_ctl_table_new (">JOB|->DONE|-QUEUE|--WORKER|--->AGE|PROGRESS");
    for (size_t i = 0; i < count; i++) {
        rm_ctl_cell_number (table, rows[i].object, "id");
        cell_bar (table, rm_ctl_number_of (rows[i].object, "permille"), 1000);
        rm_ctl_cell_text (table, rows[i].object, "queue");
        rm_ctl_cell_text (table, rows[i].object, "worker");
        rm_ctl_cell_time (table, rows[i].object, "age_ms");
        rm_ctl_cell_progress (table, rows[i].object);
    }
    say (self, RM_TINT_NONE, "%s", "");
    add_table (self, paper, table);
    free (rows);
}

/* ---- the screen -------------------------------------------------------------------------------------------------- */

static void draw_master (rm_board_t *self, uint64_t now_ms)
{
    char text[64];
    if (self->answers)
        say (self, RM_TINT_HEAD, "master   %s, term %s, epoch %s, up %s%s",
             json_is_false (json_object_get (self->status, "leader")) ? "not the leader" : "leader",
             rm_ctl_count_of (self->status, "term"), rm_ctl_count_of (self->status, "epoch"),
             rm_ctl_time_text (rm_ctl_number_of (self->status, "uptime_ms"), text, sizeof text),
             self->paused ? "   PAUSED" : "");
    else if (self->status)
        say (self, RM_TINT_BAD, "no master, trying; what is below is %s old",
             rm_ctl_time_text ((long long)(now_ms - self->taken_ms), text, sizeof text));
    else
        say (self, RM_TINT_BAD, "no master, trying");
}

static void draw_head (rm_board_t *self, uint64_t now_ms)
{
    static const char *const sorts[RM_BOARD_SORTS] = {
        [RM_BOARD_BY_LOAD] = "load", [RM_BOARD_BY_RATE] = "rate", [RM_BOARD_BY_NAME] = "name"};
    const json_t *jobs = json_object_get (self->status, "jobs"), *then = json_object_get (self->status_before, "jobs");
    char accepted[32], done[32], dead[32];
    draw_master (self, now_ms);
    say (self, RM_TINT_NONE, "jobs     %s queued, %s running, %s done, %s dead", rm_ctl_count_of (jobs, "waiting"),
         rm_ctl_count_of (jobs, "running"), rm_ctl_count_of (jobs, "done"), rm_ctl_count_of (jobs, "dead"));
    say (self, RM_TINT_NONE, "rates    %s accepted/s, %s done/s, %s dead/s",
         rate_text (rm_board_rate (self, then, jobs, "accepted"), accepted, sizeof accepted),
         rate_text (rm_board_rate (self, then, jobs, "done"), done, sizeof done),
         rate_text (rm_board_rate (self, then, jobs, "dead"), dead, sizeof dead));
    say (self, RM_TINT_NONE, "sorted   by %s; q quit, s sort, p pause, h help", sorts[self->sort]);
    say (self, RM_TINT_NONE, "%s", "");
}

static void draw_help (rm_board_t *self)
{
    static const char *const lines[] = {
        "q            leave",
        "s            sort by load, by rate, by name",
        "p            pause: the numbers stay as they are, until p again",
        "arrows       up and down a line; PgUp and PgDn a page, Home and End all the way",
        "h            this, and back; Ctrl-L draws all of it anew",
        "",
        "LOAD of a queue is what waits and runs there, beside the fullest one's; of a worker what it",
        "holds, beside its threads. DONE/S is counted over the last seconds. Jobs that say how far they",
        "are stand below, the oldest first.",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        say (self, RM_TINT_NONE, "%s", lines[i]);
}

/* As far down as there are lines. */
static void clamp (rm_board_t *self, size_t rows)
{
    size_t window = rows > RM_BOARD_HEAD ? rows - RM_BOARD_HEAD : 0;
    size_t below = self->line_count > RM_BOARD_HEAD ? self->line_count - RM_BOARD_HEAD : 0;
    size_t most = below > window ? below - window : 0;
    if (self->scroll > most)
        self->scroll = most;
}

void rm_board_draw (rm_board_t *self, const rm_ctl_paper_t *paper, size_t rows, uint64_t now_ms)
{
    clear_lines (self);
    draw_head (self, now_ms);
    if (self->help) {
        draw_help (self);
    } else if (self->status) {
        draw_queues (self, paper);
        say (self, RM_TINT_NONE, "%s", "");
        draw_workers (self, paper);
        draw_progress (self, paper);
    }
    clamp (self, rows);
}

void rm_board_scroll (rm_board_t *self, long lines, size_t rows)
{
    size_t up = lines < 0 ? (size_t)-lines : 0;
    self->scroll = up > self->scroll ? 0 : self->scroll - up + (lines > 0 ? (size_t)lines : 0);
    clamp (self, rows);
}
