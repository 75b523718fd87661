/*  The settings of a queue, as people write them and as the ledger keeps them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/settings.h"
#include "ringmaster/error.h"

static char why[256];

/* Reads it; what it was, -1 if it was refused. */
static int64_t parsed (const char *text, rm_setting_t *setting)
{
    uint64_t value;
    *why = 0;
    int rc = rm_setting_parse (rm_bytes (text), setting, &value, why, sizeof why);
    cr_assert_eq (rc != 0, *why != 0);
    return rc ? -1 : (int64_t)value;
}

Test (settings, values_are_read_with_their_units)
{
    static const struct {
        const char *text;
        rm_setting_t setting;
        int64_t value;
    } rows[] = {
        {"tries=3", RM_SETTING_TRIES, 3},
        {"timeout=1500", RM_SETTING_TIMEOUT, 1500},
        {"timeout=90s", RM_SETTING_TIMEOUT, 90000},
        {"keep=2h", RM_SETTING_KEEP, 7200000},
        {"keep-bytes=64MiB", RM_SETTING_KEEP_BYTES, 64 << 20},
        {"delay=250ms", RM_SETTING_DELAY, 250},
        {"delay=default", RM_SETTING_DELAY, 0},
        {"backoff=default", RM_SETTING_BACKOFF, 0},
        {"backoff=2", RM_SETTING_BACKOFF, 2000},
        {"backoff=1.05", RM_SETTING_BACKOFF, 1050},
        {"cap=1m", RM_SETTING_CAP, 60000},
        {"jitter=none", RM_SETTING_JITTER, 1},
        {"jitter=turns", RM_SETTING_JITTER, 5},
        {"paused=on", RM_SETTING_PAUSED, 1},
        {"paused=false", RM_SETTING_PAUSED, 0},
        {"on_dead=hold", RM_SETTING_ON_DEAD, 1},
        {"on_dead=continue", RM_SETTING_ON_DEAD, 0},
        {"jobs-max=1000000000", RM_SETTING_JOBS_MAX, 1000000000},
        {"bytes-max=1GiB", RM_SETTING_BYTES_MAX, 1 << 30},
        {"client-jobs-max=5", RM_SETTING_CLIENT_JOBS_MAX, 5},
        {"client-jobs-max=default", RM_SETTING_CLIENT_JOBS_MAX, 0},
        {"client-bytes-max=1KiB", RM_SETTING_CLIENT_BYTES_MAX, 1 << 10},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rm_setting_t setting;
        cr_assert_eq (parsed (rows[i].text, &setting), rows[i].value, "%s: %s", rows[i].text, why);
        cr_assert_eq (setting, rows[i].setting, "%s", rows[i].text);
    }
}

Test (settings, what_cannot_be_is_refused_with_a_sentence)
{
    static const char *const rows[][2] = {
        {"tries=0", "'tries' is from 1 to 1000000, not '0'"},
        {"tries=-1", "not '-1'"},
        {"tries=", "not ''"},
        {"timeout=0", "'timeout' is from 1ms"},
        {"delay=0", "'delay' is from 1ms"},
        {"backoff=0", "above 1"},
        {"tries=default", "not 'default'"},
        {"timeout=5y", "not '5y'"},
        {"delay=5MiB", "not '5MiB'"},
        {"delay=99999999999999999999", "not '99999999999999999999'"},
        {"keep=9223372036854775807d", "'keep' is"},
        {"backoff=1", "'backoff' is a number above 1"},
        {"backoff=0.5", "above 1"},
        {"backoff=2.", "above 1"},
        {"backoff=2.1234", "above 1"},
        {"jitter=wild", "none, full, equal, decorrelated or turns"},
        {"paused=maybe", "on or off"},
        {"on_dead=", "continue or hold, not ''"},
        {"on_dead=on", "continue or hold, not 'on'"},
        {"colour=red", "no setting 'colour', but tries, timeout, keep"},
        {"tries", "NAME=VALUE, not 'tries'"},
        {"", "NAME=VALUE"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rm_setting_t setting;
        cr_assert_eq (parsed (rows[i][0], &setting), -1, "%s", rows[i][0]);
        cr_assert_not_null (strstr (why, rows[i][1]), "%s: '%s'", rows[i][0], why);
    }
}

Test (settings, a_value_is_written_as_it_is_read)
{
    for (int setting = RM_SETTING_TRIES; setting < RM_SETTINGS; setting++)
        for (uint64_t value = 0; value < 200000; value += 7 + value / 3) {
            char text[RM_SETTING_TEXT_BYTES], said[128];
            rm_setting_t read;
            if (!rm_setting_allows ((uint32_t)setting, value))
                continue;
            rm_setting_write (setting, value, text);
            snprintf (said, sizeof said, "%s=%s", rm_setting_name (setting), text);
            cr_assert_eq (parsed (said, &read), (int64_t)value, "%s", said);
            cr_assert_eq (read, (rm_setting_t)setting);
        }
}

static uint64_t some_value (rm_setting_t setting)
{
    if (setting == RM_SETTING_PAUSED || setting == RM_SETTING_ON_DEAD)
        return 1;
    return setting == RM_SETTING_JITTER ? 4 : 2000 + (uint64_t)setting;
}

Test (settings, what_is_put_is_what_is_got)
{
    rm_queue_t queue = {0};
    for (int setting = RM_SETTING_TRIES; setting < RM_SETTINGS; setting++) {
        cr_assert (rm_setting_allows ((uint32_t)setting, some_value (setting)));
        rm_setting_put (&queue, setting, some_value (setting));
    }
    for (int setting = RM_SETTING_TRIES; setting < RM_SETTINGS; setting++)
        cr_assert_eq (rm_setting_get (&queue, setting), some_value (setting), "%s", rm_setting_name (setting));
    cr_assert (!rm_setting_allows (0, 1) && !rm_setting_allows (RM_SETTINGS, 1));
}
