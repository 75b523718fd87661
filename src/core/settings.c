#include "core/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/backoff.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

typedef enum { COUNT, TIME, BYTES, FACTOR, JITTER, SWITCH } kind_t;

static const struct {
    const char *name;
    kind_t kind;
    uint64_t min, max;
    bool may_default; /* 0: as the master is configured, written "default" */
} rows[RM_SETTINGS] = {
    [RM_SETTING_TRIES] = {"tries", COUNT, 1, 1000000, false},
    [RM_SETTING_TIMEOUT] = {"timeout", TIME, 1, INT32_MAX, false},
    [RM_SETTING_KEEP] = {"keep", TIME, 1, INT32_MAX, false},
    [RM_SETTING_KEEP_BYTES] = {"keep-bytes", BYTES, 0, INT64_MAX, false},
    [RM_SETTING_DELAY] = {"delay", TIME, 1, RM_BACKOFF_MS_MAX, true},
    [RM_SETTING_BACKOFF] = {"backoff", FACTOR, 1001, RM_BACKOFF_PERMILLE_MAX, true},
    [RM_SETTING_CAP] = {"cap", TIME, 1, RM_BACKOFF_MS_MAX, true},
    [RM_SETTING_JITTER] = {"jitter", JITTER, 1, RM_JITTERS, true},
    [RM_SETTING_PAUSED] = {"paused", SWITCH, 0, 1, false},
    [RM_SETTING_JOBS_MAX] = {"jobs-max", COUNT, 1, INT64_MAX, true},
    [RM_SETTING_BYTES_MAX] = {"bytes-max", BYTES, 1, INT64_MAX, true},
};

/* Larger ones first, as they are written. */
static const struct {
    const char *unit;
    kind_t kind;
    uint64_t is;
} units[] = {
    {"d", TIME, 24 * 60 * 60 * 1000},
    {"h", TIME, 60 * 60 * 1000},
    {"m", TIME, 60 * 1000},
    {"s", TIME, 1000},
    {"ms", TIME, 1},
    {"GiB", BYTES, 1 << 30},
    {"MiB", BYTES, 1 << 20},
    {"KiB", BYTES, 1 << 10},
    {"B", BYTES, 1},
};
enum { UNITS = sizeof units / sizeof *units };

static const char *const jitters[RM_JITTERS] = {"none", "full", "equal", "decorrelated", "turns"};

bool rm_setting_allows (uint32_t setting, uint64_t value)
{
    if (setting < RM_SETTING_TRIES || setting >= RM_SETTINGS)
        return false;
    return (value >= rows[setting].min && value <= rows[setting].max) || (!value && rows[setting].may_default);
}

const char *rm_setting_name (rm_setting_t setting)
{
    return rows[setting].name;
}

void rm_setting_put (rm_queue_t *queue, rm_setting_t setting, uint64_t value)
{
    RM_ASSERT (rm_setting_allows (setting, value));
    switch (setting) {
    case RM_SETTING_TRIES:
        queue->tries = (uint32_t)value;
        break;
    case RM_SETTING_TIMEOUT:
        queue->timeout_ms = (uint32_t)value;
        break;
    case RM_SETTING_KEEP:
        queue->keep_ms = (uint32_t)value;
        break;
    case RM_SETTING_KEEP_BYTES:
        queue->keep_bytes = value;
        break;
    case RM_SETTING_DELAY:
        queue->retry.delay_ms = (uint32_t)value;
        break;
    case RM_SETTING_BACKOFF:
        queue->retry.permille = (uint32_t)value;
        break;
    case RM_SETTING_CAP:
        queue->retry.cap_ms = (uint32_t)value;
        break;
    case RM_SETTING_JITTER:
        queue->retry.jitter = (uint32_t)value;
        break;
    case RM_SETTING_PAUSED:
        queue->paused = value;
        break;
    case RM_SETTING_JOBS_MAX:
        queue->jobs_max = value;
        break;
    case RM_SETTING_BYTES_MAX:
        queue->bytes_max = value;
        break;
    case RM_SETTINGS:
        break;
    }
}

uint64_t rm_setting_get (const rm_queue_t *queue, rm_setting_t setting)
{
    switch (setting) {
    case RM_SETTING_TRIES:
        return queue->tries;
    case RM_SETTING_TIMEOUT:
        return queue->timeout_ms;
    case RM_SETTING_KEEP:
        return queue->keep_ms;
    case RM_SETTING_KEEP_BYTES:
        return queue->keep_bytes;
    case RM_SETTING_DELAY:
        return queue->retry.delay_ms;
    case RM_SETTING_BACKOFF:
        return queue->retry.permille;
    case RM_SETTING_CAP:
        return queue->retry.cap_ms;
    case RM_SETTING_JITTER:
        return queue->retry.jitter;
    case RM_SETTING_PAUSED:
        return queue->paused;
    case RM_SETTING_JOBS_MAX:
        return queue->jobs_max;
    case RM_SETTING_BYTES_MAX:
        return queue->bytes_max;
    case RM_SETTINGS:
        break;
    }
    return 0;
}

/* ---- in words --------------------------------------------------------------------------------------------------- */

/* Digits at the front of `text`, which is stepped behind them. False: there are none, or too many. */
static bool take_number (rm_bytes_t *text, uint64_t *value)
{
    const char *at = text->data;
    uint32_t digits = 0;
    *value = 0;
    for (; digits < text->size && at[digits] >= '0' && at[digits] <= '9'; digits++) {
        if (*value > (UINT64_MAX - 9) / 10)
            return false;
        *value = *value * 10 + (uint64_t)(at[digits] - '0');
    }
    *text = (rm_bytes_t){at + digits, text->size - digits};
    return digits > 0;
}

/* A number, and a unit of its kind: none is the smallest. */
static bool read_amount (kind_t kind, rm_bytes_t text, uint64_t *value)
{
    if (!take_number (&text, value))
        return false;
    if (!text.size)
        return true;
    for (int i = 0; i < UNITS; i++)
        if (units[i].kind == kind && rm_bytes_equal (text, rm_bytes (units[i].unit))) {
            bool fits = *value <= INT64_MAX / units[i].is;
            *value *= units[i].is;
            return fits;
        }
    return false;
}

bool rm_duration_parse (rm_bytes_t text, uint64_t *ms)
{
    return read_amount (TIME, text, ms);
}

/* "2" or "1.5", as thousandths. */
static bool read_factor (rm_bytes_t text, uint64_t *value)
{
    if (!take_number (&text, value) || *value > UINT32_MAX)
        return false;
    *value *= 1000;
    const char *at = text.data;
    if (text.size > 4 || (text.size && (at[0] != '.' || text.size == 1)))
        return false;
    uint64_t digit = 100;
    for (uint32_t i = 1; i < text.size; i++, digit /= 10) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        *value += (uint64_t)(at[i] - '0') * digit;
    }
    return true;
}

static bool read_word (const char *const *words, size_t count, rm_bytes_t text, uint64_t *value)
{
    for (*value = 0; *value < count; ++*value)
        if (rm_bytes_equal (text, rm_bytes (words[*value])))
            return true;
    return false;
}

static bool read_value (kind_t kind, rm_bytes_t text, uint64_t *value)
{
    static const char *const switches[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};
    bool read;
    switch (kind) {
    case FACTOR:
        return read_factor (text, value);
    case JITTER:
        read = read_word (jitters, RM_JITTERS, text, value);
        ++*value;
        return read;
    case SWITCH:
        read = read_word (switches, sizeof switches / sizeof *switches, text, value);
        *value &= 1;
        return read;
    default:
        return read_amount (kind, text, value);
    }
}

/* What it may be, for a person. */
static void say_range (rm_setting_t setting, char *text, size_t size)
{
    char least[RM_SETTING_TEXT_BYTES], most[RM_SETTING_TEXT_BYTES];
    switch (rows[setting].kind) {
    case JITTER:
        snprintf (text, size, "none, full, equal, decorrelated or turns");
        break;
    case SWITCH:
        snprintf (text, size, "on or off");
        break;
    case FACTOR:
        snprintf (text, size, "a number above 1, and up to %d", RM_BACKOFF_PERMILLE_MAX / 1000);
        break;
    default:
        rm_setting_write (setting, rows[setting].min, least);
        rm_setting_write (setting, rows[setting].max, most);
        snprintf (text, size, rows[setting].max == INT64_MAX ? "%s or more" : "from %s to %s", least, most);
    }
}

int rm_setting_parse (rm_bytes_t text, rm_setting_t *setting, uint64_t *value, char *why, size_t size)
{
    const char *equals = text.size ? memchr (text.data, '=', text.size) : NULL;
    if (!equals) {
        snprintf (why, size, "a setting is written NAME=VALUE, not '%.*s'", (int)text.size, (const char *)text.data);
        return RM_EINVAL;
    }
    rm_bytes_t name = {text.data, (uint32_t)(equals - (const char *)text.data)};
    rm_bytes_t said = {equals + 1, text.size - name.size - 1};
    *setting = RM_SETTING_TRIES;
    while (*setting < RM_SETTINGS && !rm_bytes_equal (name, rm_bytes (rows[*setting].name)))
        ++*setting;
    if (*setting == RM_SETTINGS) {
        int used = snprintf (why, size, "a queue has no setting '%.*s', but", (int)name.size, (const char *)name.data);
        for (int i = RM_SETTING_TRIES; i < RM_SETTINGS && used > 0 && (size_t)used < size; i++)
            used += snprintf (why + used, size - (size_t)used, " %s%s", rows[i].name, i + 1 < RM_SETTINGS ? "," : "");
        return RM_EINVAL;
    }
    if (rows[*setting].may_default && rm_bytes_equal (said, rm_bytes ("default"))) {
        *value = 0;
        return 0;
    }
    if (read_value (rows[*setting].kind, said, value) && *value >= rows[*setting].min && *value <= rows[*setting].max)
        return 0;
    char range[128];
    say_range (*setting, range, sizeof range);
    snprintf (why, size, "the setting '%s' is %s, not '%.*s'", rows[*setting].name, range, (int)said.size,
              (const char *)said.data);
    return RM_EINVAL;
}

static void write_amount (kind_t kind, uint64_t value, char *text)
{
    for (int i = 0; i < UNITS; i++)
        if (units[i].kind == kind && ((value && value % units[i].is == 0) || units[i].is == 1)) {
            snprintf (text, RM_SETTING_TEXT_BYTES, "%" PRIu64 "%s", value / units[i].is, units[i].unit);
            return;
        }
}

void rm_setting_write (rm_setting_t setting, uint64_t value, char text[RM_SETTING_TEXT_BYTES])
{
    if (!value && rows[setting].may_default) {
        snprintf (text, RM_SETTING_TEXT_BYTES, "default");
        return;
    }
    switch (rows[setting].kind) {
    case TIME:
    case BYTES:
        write_amount (rows[setting].kind, value, text);
        break;
    case FACTOR:
        snprintf (text, RM_SETTING_TEXT_BYTES, "%" PRIu64 ".%03" PRIu64, value / 1000, value % 1000);
        for (size_t end = strlen (text); text[end - 1] == '0' || text[end - 1] == '.'; end--) {
            bool point = text[end - 1] == '.';
            text[end - 1] = 0;
            if (point)
                break;
        }
        break;
    case JITTER:
        snprintf (text, RM_SETTING_TEXT_BYTES, "%s", jitters[value - 1]);
        break;
    case SWITCH:
        snprintf (text, RM_SETTING_TEXT_BYTES, "%s", value ? "on" : "off");
        break;
    case COUNT:
        snprintf (text, RM_SETTING_TEXT_BYTES, "%" PRIu64, value);
        break;
    }
}
