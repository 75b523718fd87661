#include "rpc/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringmaster/error.h"

/* Writes the names of a table, or of words, one behind the other. */
static void list (char *text, size_t size, const char *const *words, const rm_rpc_option_t *table)
{
    size_t used = 0;
    *text = 0;
    for (int i = 0; words ? words[i] != NULL : table[i].name != NULL; i++)
        if (used < size)
            used +=
                (size_t)snprintf (text + used, size - used, "%s%s", i ? ", " : "", words ? words[i] : table[i].name);
}

static int set_word (const rm_rpc_option_t *self, const char *value, char *why, size_t size)
{
    char words[256];
    for (int i = 0; self->words[i]; i++)
        if (!strcmp (self->words[i], value)) {
            *self->number = i;
            return 0;
        }
    list (words, sizeof words, self->words, NULL);
    snprintf (why, size, "option %s cannot be '%s': it is one of %s", self->name, value, words);
    return RM_EINVAL;
}

static int set_number (const rm_rpc_option_t *self, const char *value, char *why, size_t size)
{
    char *end;
    errno = 0;
    long long number = strtoll (value, &end, 10);
    bool read = *value >= '0' && *value <= '9' && !*end && !errno;
    if (read && number >= self->min && number <= self->max) {
        *self->number = number;
        return 0;
    }
    snprintf (why, size, "option %s cannot be '%s': it is a number from %" PRId64 " to %" PRId64, self->name, value,
              self->min, self->max);
    return RM_EINVAL;
}

static int set_factor (const rm_rpc_option_t *self, const char *value, char *why, size_t size)
{
    char *end;
    double factor = strtod (value, &end);
    int64_t permille = factor > 0 && factor < 1e6 ? (int64_t)(factor * 1000 + 0.5) : 0;
    if (*value >= '0' && *value <= '9' && !*end && permille >= self->min && permille <= self->max) {
        *self->number = permille;
        return 0;
    }
    snprintf (why, size, "option %s cannot be '%s': it is a number above 1, and up to %" PRId64, self->name, value,
              self->max / 1000);
    return RM_EINVAL;
}

int rm_rpc_option_set (const rm_rpc_option_t *table, const char *option, const char *value, char *why, size_t size)
{
    char names[256];
    const rm_rpc_option_t *row = table;
    if (!option || !value) {
        snprintf (why, size, "an option needs a name and a value");
        return RM_EINVAL;
    }
    while (row->name && strcmp (row->name, option))
        row++;
    if (!row->name) {
        list (names, sizeof names, NULL, table);
        snprintf (why, size, "there is no option '%s': %s are known", option, names);
        return RM_EINVAL;
    }
    if (row->words)
        return set_word (row, value, why, size);
    if (row->factor)
        return set_factor (row, value, why, size);
    if (row->number)
        return set_number (row, value, why, size);
    if (strlen (value) < row->size) {
        memcpy (row->text, value, strlen (value) + 1);
        return 0;
    }
    snprintf (why, size, "option %s is too long: %zu bytes are allowed", option, row->size - 1);
    return RM_EINVAL;
}
