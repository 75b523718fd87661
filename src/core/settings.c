#include "core/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/backoff.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

typedef enum { COUNT, TIME, BYTES, FACTOR, JITTER, SWITCH, ON_DEAD } kind_t;

#define FIELD(M) offsetof (rm_queue_t, M), sizeof (((rm_queue_t *)0)->M)

static const struct {
    const char *name;
    kind_t kind;
    uint64_t min, max;
    bool may_default;    /* 0: as the master is configured, written "default" */
    size_t offset, size; /* of the queue's member */
} rows[RM_SETTINGS] = {
    [RM_SETTING_TRIES] = {"tries", COUNT, 1, 1000000, false, FIELD (tries)},
    [RM_SETTING_TIMEOUT] = {"timeout", TIME, 1, INT32_MAX, false, FIELD (timeout_ms)},
    [RM_SETTING_KEEP] = {"keep", TIME, 1, INT32_MAX, false, FIELD (keep_ms)},
    [RM_SETTING_KEEP_BYTES] = {"keep-bytes", BYTES, 0, INT64_MAX, false, FIELD (keep_bytes)},
    [RM_SETTING_DELAY] = {"delay", TIME, 1, RM_BACKOFF_MS_MAX, true, FIELD (retry.delay_ms)},
    [RM_SETTING_BACKOFF] = {"backoff", FACTOR, 1001, RM_BACKOFF_PERMILLE_MAX, true, FIELD (retry.permille)},
    [RM_SETTING_CAP] = {"cap", TIME, 1, RM_BACKOFF_MS_MAX, true, FIELD (retry.cap_ms)},
    [RM_SETTING_JITTER] = {"jitter", JITTER, 1, RM_JITTERS, true, FIELD (retry.jitter)},
    [RM_SETTING_PAUSED] = {"paused", SWITCH, 0, 1, false, FIELD (paused)},
    [RM_SETTING_JOBS_MAX] = {"jobs-max", COUNT, 1, INT64_MAX, true, FIELD (jobs_max)},
    [RM_SETTING_BYTES_MAX] = {"bytes-max", BYTES, 1, INT64_MAX, true, FIELD (bytes_max)},
    [RM_SETTING_CLIENT_JOBS_MAX] = {"client-jobs-max", COUNT, 1, INT64_MAX, true, FIELD (client_jobs_max)},
    [RM_SETTING_CLIENT_BYTES_MAX] = {"client-bytes-max", BYTES, 1, INT64_MAX, true, FIELD (client_bytes_max)},
    [RM_SETTING_ON_DEAD] = {"on_dead", ON_DEAD, 0, 1, false, FIELD (hold)},
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
    void *member = (char *)queue + rows[setting].offset;
    RM_ASSERT (rm_setting_allows (setting, value));
    if (rows[setting].size == sizeof (uint64_t))
        *(uint64_t *)member = value;
    else if (rows[setting].size == sizeof (uint32_t))
        *(uint32_t *)member = (uint32_t)value;
    else
        *(bool *)member = value;
}

uint64_t rm_setting_get (const rm_queue_t *queue, rm_setting_t setting)
{
    const void *member = (const char *)queue + rows[setting].offset;
    if (rows[setting].size == sizeof (uint64_t))
        return *(const uint64_t *)member;
    if (rows[setting].size == sizeof (uint32_t))
        return *(const uint32_t *)member;
    return *(const bool *)member;
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

static bool read_jitter (rm_bytes_t text, uint64_t *value)
{
    char name[RM_SETTING_TEXT_BYTES];
    rm_jitter_t jitter;
    snprintf (name, sizeof name, "%.*s", (int)text.size, (const char *)text.data);
    if (rm_jitter_parse (name, &jitter))
        return false;
    *value = (uint64_t)jitter + 1;
    return true;
}

static bool read_switch (rm_bytes_t text, uint64_t *value)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (rm_bytes_equal (text, rm_bytes (words[i]))) {
            *value = i % 2;
            return true;
        }
    return false;
}

static const char *const on_dead[] = {"continue", "hold"};

static bool read_on_dead (rm_bytes_t text, uint64_t *value)
{
    *value = rm_bytes_equal (text, rm_bytes (on_dead[1]));
    return *value || rm_bytes_equal (text, rm_bytes (on_dead[0]));
}

static bool read_value (kind_t kind, rm_bytes_t text, uint64_t *value)
{
    switch (kind) {
    case FACTOR:
        return read_factor (text, value);
    case JITTER:
        return read_jitter (text, value);
    case SWITCH:
        return read_switch (text, value);
    case ON_DEAD:
        return read_on_dead (text, value);
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
    case ON_DEAD:
        snprintf (text, size, "%s or %s", on_dead[0], on_dead[1]);
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
        snprintf (text, RM_SETTING_TEXT_BYTES, "%s", rm_jitter_name ((rm_jitter_t)(value - 1)));
        break;
    case SWITCH:
        snprintf (text, RM_SETTING_TEXT_BYTES, "%s", value ? "on" : "off");
        break;
    case ON_DEAD:
        snprintf (text, RM_SETTING_TEXT_BYTES, "%s", on_dead[value]);
        break;
    case COUNT:
        snprintf (text, RM_SETTING_TEXT_BYTES, "%" PRIu64, value);
        break;
    }
}
