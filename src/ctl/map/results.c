#include "ctl/map/results.h"

#include <stdio.h>
#include <string.h>

static void put_value (const char *value, rm_buf_t *to)
{
    if (!strcmp (value, ".") || !strcmp (value, ".."))
        rm_buf_put (to, "\\", 1);
    for (; *value; value++) {
        if (*value == '/')
            rm_buf_put (to, "\\_", 2);
        else if (*value == '\\')
            rm_buf_put (to, "\\\\", 2);
        else if (*value == '\t')
            rm_buf_put (to, "\\t", 2);
        else
            rm_buf_put (to, value, 1);
    }
}

void rm_map_results_path (const char *directory, const char *const *values, size_t count, rm_buf_t *to)
{
    rm_buf_put (to, directory, strlen (directory));
    for (size_t i = 0; i < count; i++) {
        char number[32];
        rm_buf_put (to, number, (size_t)snprintf (number, sizeof number, "/%zu/", i + 1));
        put_value (values[i], to);
    }
    rm_buf_put (to, "", 1);
}
