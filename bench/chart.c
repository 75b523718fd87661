#include "chart.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 760, LEFT = 64, RIGHT = 150, TOP = 44, PANEL = 150, GAP = 46, LINE = 16, TICKS = 5 };

/* Where values of an axis go: `low` to `begin`, `high` to `end`. */
typedef struct {
    bool log;
    double low, high, begin, end;
} scale_t;

static double at (const scale_t *self, double value)
{
    double part = self->log ? log10 (value / self->low) / log10 (self->high / self->low)
                            : (value - self->low) / (self->high - self->low);
    return self->begin + part * (self->end - self->begin);
}

static bool is_shown (const scale_t *self, double value)
{
    return isfinite (value) && (!self->log || value > 0);
}

/* Makes room for these values. */
static void widen (scale_t *self, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_shown (self, values[i]))
            continue;
        self->low = fmin (self->low, values[i]);
        self->high = fmax (self->high, values[i]);
    }
}

static double step_of (const scale_t *self)
{
    double rough = (self->high - self->low) / TICKS, power = pow (10, floor (log10 (rough)));
    return power * (rough > 5 * power ? 10 : rough > 2 * power ? 5 : rough > power ? 2 : 1);
}

/* Ends of an axis that a reader can do something with. */
static void round_off (scale_t *self, bool from_zero)
{
    if (self->low > self->high)
        self->low = self->high = 1;
    if (self->log) {
        self->low = pow (10, floor (log10 (self->low)));
        self->high = pow (10, ceil (log10 (self->high)));
        self->high = self->high > self->low ? self->high : self->low * 10;
        return;
    }
    if (from_zero)
        self->low = fmin (self->low, 0);
    if (self->high <= self->low)
        self->high = self->low + 1;
    if (from_zero)
        self->high = ceil (self->high * 1.05 / step_of (self)) * step_of (self);
}

/* The tick after `tick`; NAN asks for the first. */
static double next_tick (const scale_t *self, double tick)
{
    if (self->log)
        return isnan (tick) ? self->low : tick * 10;
    return isnan (tick) ? ceil (self->low / step_of (self)) * step_of (self) : tick + step_of (self);
}

static bool is_within (const scale_t *self, double tick)
{
    return tick <= self->high + (self->high - self->low) * 1e-9;
}

static void draw_x_axis (FILE *out, const scale_t *x, double bottom)
{
    for (double tick = next_tick (x, NAN); is_within (x, tick); tick = next_tick (x, tick))
        fprintf (out, "<text x='%.1f' y='%.0f' text-anchor='middle'>%.9g</text>\n", at (x, tick), bottom + 16,
                 fabs (tick) < 1e-9 ? 0 : tick);
}

static void draw_y_axis (FILE *out, const scale_t *y)
{
    for (double tick = next_tick (y, NAN); is_within (y, tick); tick = next_tick (y, tick))
        fprintf (out, "<path d='M%d %.1fH%d' stroke='#ddd'/><text x='%d' y='%.1f' text-anchor='end'>%.9g</text>\n",
                 LEFT, at (y, tick), WIDTH - RIGHT, LEFT - 6, at (y, tick) + 4, tick);
}

static void draw_line (FILE *out, const chart_line_t *line, const scale_t *x, const scale_t *y)
{
    bool drawn = false;
    fprintf (out, "<path fill='none' stroke='%s' stroke-width='1.5' d='", line->colour);
    for (size_t i = 0; i < line->count; i++) {
        bool shown = is_shown (x, line->x[i]) && is_shown (y, line->y[i]);
        if (shown && !drawn)
            fprintf (out, "M%.1f %.1f", at (x, line->x[i]), at (y, line->y[i]));
        else if (shown && line->steps)
            fprintf (out, "H%.1fV%.1f", at (x, line->x[i]), at (y, line->y[i]));
        else if (shown)
            fprintf (out, "L%.1f %.1f", at (x, line->x[i]), at (y, line->y[i]));
        drawn = shown;
    }
    fprintf (out, "'/>\n");
    if (line->steps)
        return;
    for (size_t i = 0; i < line->count; i++)
        if (is_shown (x, line->x[i]) && is_shown (y, line->y[i]))
            fprintf (out, "<circle cx='%.1f' cy='%.1f' r='2.5' fill='%s'/>\n", at (x, line->x[i]), at (y, line->y[i]),
                     line->colour);
}

static void draw_panel (FILE *out, const chart_t *self, const chart_panel_t *panel, const scale_t *x, int top)
{
    scale_t y = {panel->log, INFINITY, -INFINITY, top + PANEL, top};
    for (size_t i = 0; i < panel->line_count; i++)
        widen (&y, panel->lines[i].y, panel->lines[i].count);
    round_off (&y, true);
    for (size_t i = 0; i < self->mark_count; i++) {
        double from = at (x, self->marks[i].from), width = at (x, self->marks[i].to) - from;
        fprintf (out, "<rect x='%.1f' y='%d' width='%.1f' height='%d' fill='%s'/>\n", from, top, width > 0 ? width : 1,
                 PANEL, width > 0 ? "#f3e3e3" : "#c0392b");
    }
    fprintf (out, "<text x='%d' y='%d' font-weight='bold'>%s</text>\n", LEFT, top - 7, panel->title);
    draw_y_axis (out, &y);
    for (size_t i = 0; i < panel->line_count; i++) {
        const chart_line_t *line = &panel->lines[i];
        draw_line (out, line, x, &y);
        fprintf (out, "<text x='%d' y='%d' fill='%s'>%s</text>\n", WIDTH - RIGHT + 10, top + 12 + (int)i * LINE,
                 line->colour, line->name);
    }
    draw_x_axis (out, x, top + PANEL);
}

bool chart_draw (const chart_t *self, const char *path)
{
    FILE *out = fopen (path, "w");
    if (!out)
        return false;
    scale_t x = {self->x_log, INFINITY, -INFINITY, LEFT, WIDTH - RIGHT};
    for (size_t i = 0; i < self->panel_count; i++)
        for (size_t j = 0; j < self->panels[i].line_count; j++)
            widen (&x, self->panels[i].lines[j].x, self->panels[i].lines[j].count);
    round_off (&x, false);
    int height = TOP + (int)self->panel_count * (PANEL + GAP) + 8;
    fprintf (out,
             "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' viewBox='0 0 %d %d' "
             "font-family='sans-serif' font-size='11'>\n<rect width='100%%' height='100%%' fill='white'/>\n"
             "<text x='8' y='18' font-size='13'>%s</text>\n",
             WIDTH, height, WIDTH, height, self->title);
    for (size_t i = 0; i < self->panel_count; i++)
        draw_panel (out, self, &self->panels[i], &x, TOP + (int)i * (PANEL + GAP));
    for (size_t i = 0; i < self->mark_count; i++)
        fprintf (out, "<text x='%.1f' y='%d' fill='#a33'>%s</text>\n", at (&x, self->marks[i].from) + 3, TOP + 12,
                 self->marks[i].text);
    fprintf (out, "<text x='%d' y='%d' text-anchor='middle'>%s</text>\n</svg>\n", (LEFT + WIDTH - RIGHT) / 2,
             height - 8, self->x_title);
    return !fclose (out);
}
