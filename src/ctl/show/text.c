#include "ctl/show/text.h"

#include <limits.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "proto/limits.h"

enum { COLUMNS_USUAL = 80 /* of a terminal that does not say how wide it is */ };

/* ---- paper ------------------------------------------------------------------------------------------------------- */

static bool speaks_utf8 (void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv (names[i]);
        if (value && *value)
            return strcasestr (value, "UTF-8") || strcasestr (value, "UTF8");
    }
    return false;
}

rm_ctl_paper_t rm_ctl_paper (void)
{
    struct winsize size = {0};
    if (!isatty (STDOUT_FILENO))
        return (rm_ctl_paper_t){.utf8 = speaks_utf8 ()};
    const char *terminal = getenv ("TERM"), *none = getenv ("NO_COLOR");
    bool told = !ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col;
    return (rm_ctl_paper_t){.columns = told ? size.ws_col : COLUMNS_USUAL,
                            .colour = terminal && strcmp (terminal, "dumb") != 0 && !(none && *none),
                            .utf8 = speaks_utf8 ()};
}

const char *rm_ctl_tint_begin (const rm_ctl_paper_t *paper, rm_ctl_tint_t tint)
{
    static const char *const codes[RM_TINTS] = {
        [RM_TINT_NONE] = "",         [RM_TINT_HEAD] = "\033[1m",  [RM_TINT_GOOD] = "\033[32m",
        [RM_TINT_BUSY] = "\033[36m", [RM_TINT_WARN] = "\033[33m", [RM_TINT_BAD] = "\033[31m"};
    return paper->colour ? codes[tint] : "";
}

const char *rm_ctl_tint_end (const rm_ctl_paper_t *paper, rm_ctl_tint_t tint)
{
    return paper->colour && tint != RM_TINT_NONE ? "\033[0m" : "";
}

rm_ctl_tint_t rm_ctl_tint_of (const char *state)
{
    static const struct {
        const char *name;
        rm_ctl_tint_t tint;
    } table[] = {{"live", RM_TINT_GOOD},    {"leader", RM_TINT_GOOD},    {"done", RM_TINT_GOOD},
                 {"running", RM_TINT_BUSY}, {"leaving", RM_TINT_WARN},   {"unreported", RM_TINT_WARN},
                 {"delayed", RM_TINT_WARN}, {"cancelled", RM_TINT_WARN}, {"expired", RM_TINT_WARN},
                 {"failed", RM_TINT_WARN},  {"dead", RM_TINT_BAD}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp (table[i].name, state))
            return table[i].tint;
    return RM_TINT_NONE;
}

/* ---- what a terminal obeys --------------------------------------------------------------------------------------- */

void rm_ctl_mask (char *text, bool lines)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        bool stays = lines && (*at == '\n' || *at == '\t');
        bool c1 = *at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0; /* U+0080 … U+009F, of which one begins a sequence */
        if ((*at < 0x20 && !stays) || *at == 0x7f || c1)
            *at = '?';
        if (c1)
            *++at = '?';
    }
}

const char *rm_ctl_plain (const char *text)
{
    static char plain[RM_REASON_BYTES_MAX + 1];
    snprintf (plain, sizeof plain, "%s", text);
    rm_ctl_mask (plain, true);
    return plain;
}

/* ---- width ------------------------------------------------------------------------------------------------------- */

/* The C library's table of widths, whatever the locale of the process is. */
static locale_t widths (void)
{
    static locale_t locale;
    if (!locale)
        locale = newlocale (LC_CTYPE_MASK, "C.UTF-8", 0);
    return locale ? locale : LC_GLOBAL_LOCALE;
}

/* The letter at `text`: its bytes (0 at the end), and its width; a byte that is no UTF-8 is a letter of its own. */
static size_t letter_at (const char *text, size_t *width)
{
    wchar_t letter;
    mbstate_t state = {0};
    *width = 1;
    size_t size = mbrtowc (&letter, text, MB_LEN_MAX, &state);
    if (size == (size_t)-1 || size == (size_t)-2)
        return 1;
    int columns = size ? wcwidth (letter) : 0;
    *width = columns < 0 ? 1 : (size_t)columns;
    return size;
}

/* Goes over as much of the text as fits; answers its bytes, and its columns in *used. */
static size_t measure (const char *text, size_t columns, size_t *used)
{
    locale_t before = uselocale (widths ());
    size_t at = 0, width, size;
    for (*used = 0; (size = letter_at (text + at, &width)) && *used + width <= columns; at += size)
        *used += width;
    uselocale (before);
    return at;
}

size_t rm_ctl_width (const char *text)
{
    size_t used;
    measure (text, SIZE_MAX / 2, &used);
    return used;
}

size_t rm_ctl_fitting (const char *text, size_t columns)
{
    size_t used;
    return measure (text, columns, &used);
}

void rm_ctl_put (FILE *out, const rm_ctl_paper_t *paper, const char *text, size_t columns, bool right)
{
    size_t width = rm_ctl_width (text), used = width;
    int size = (int)strlen (text);
    const char *ellipsis = "";
    if (width > columns) {
        size = (int)measure (text, columns - (columns > 0), &used);
        ellipsis = !columns ? "" : paper->utf8 ? "…" : "~";
        used += columns > 0;
    }
    int blanks = (int)(columns - used);
    fprintf (out, "%*s%.*s%s%*s", right ? blanks : 0, "", size, text, ellipsis, right ? 0 : blanks, "");
}

/* ---- quantities -------------------------------------------------------------------------------------------------- */

const char *rm_ctl_time_text (long long ms, char *text, size_t size)
{
    long long s = ms / 1000;
    if (ms < 0)
        snprintf (text, size, "-");
    else if (ms < 1000)
        snprintf (text, size, "%lld ms", ms);
    else if (s < 60)
        snprintf (text, size, "%lld s", s);
    else if (s < 3600)
        snprintf (text, size, "%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf (text, size, "%lld h %lld min", s / 3600, s / 60 % 60);
    else
        snprintf (text, size, "%lld d %lld h", s / 86400, s / 3600 % 24);
    return text;
}

const char *rm_ctl_bytes_text (long long bytes, char *text, size_t size)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double number = (double)bytes / 1024;
    int unit = 0;
    for (; number >= 1024 && unit < 3; unit++)
        number /= 1024;
    if (bytes < 0)
        snprintf (text, size, "-");
    else if (bytes < 1024)
        snprintf (text, size, "%lld B", bytes);
    else
        snprintf (text, size, "%.1f %s", number, units[unit]);
    return text;
}

const char *rm_ctl_progress_text (long long permille, const char *note, char *text, size_t size)
{
    snprintf (text, size, "%lld.%lld %%%s%s", permille / 10, permille % 10, *note ? ", " : "", note);
    return text;
}
