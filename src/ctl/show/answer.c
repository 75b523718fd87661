#include "ctl/show/answer.h"

#include <stdio.h>
#include <string.h>

const char *rm_ctl_text_of (const json_t *object, const char *name)
{
    const char *text = json_string_value (json_object_get (object, name));
    return text && *text ? text : "-";
}

long long rm_ctl_number_of (const json_t *object, const char *name)
{
    const json_t *number = json_object_get (object, name);
    return json_is_integer (number) ? (long long)json_integer_value (number) : -1;
}

const char *rm_ctl_count_of (const json_t *object, const char *name)
{
    static char texts[8][24];
    static unsigned next;
    char *text = texts[next++ % 8];
    long long number = rm_ctl_number_of (object, name);
    if (number < 0)
        strcpy (text, "-");
    else
        snprintf (text, sizeof texts[0], "%lld", number);
    return text;
}

void rm_ctl_cell_text (rm_ctl_table_t *table, const json_t *object, const char *name)
{
    rm_ctl_table_cell (table, "%s", rm_ctl_text_of (object, name));
}

void rm_ctl_cell_number (rm_ctl_table_t *table, const json_t *object, const char *name)
{
    rm_ctl_table_cell (table, "%s", rm_ctl_count_of (object, name));
}

void rm_ctl_cell_time (rm_ctl_table_t *table, const json_t *object, const char *name)
{
    char text[64];
    rm_ctl_table_cell (table, "%s", rm_ctl_time_text (rm_ctl_number_of (object, name), text, sizeof text));
}

void rm_ctl_cell_progress (rm_ctl_table_t *table, const json_t *job)
{
    char text[512];
    const char *note = json_string_value (json_object_get (job, "note"));
    long long permille = rm_ctl_number_of (job, "permille");
    rm_ctl_table_cell (table, "%s",
                       permille < 0 ? "-" : rm_ctl_progress_text (permille, note ? note : "", text, sizeof text));
}

void rm_ctl_cell_list (rm_ctl_table_t *table, const json_t *array)
{
    char text[1024] = "";
    size_t used = 0, i;
    json_t *each;
    json_array_foreach (array, i, each) {
        const char *item = json_string_value (each);
        int more = snprintf (text + used, sizeof text - used, "%s%s", i ? ", " : "", item ? item : "-");
        used += more > 0 ? (size_t)more : 0;
        if (used >= sizeof text)
            break;
    }
    rm_ctl_table_cell (table, "%s", *text ? text : "-");
}

void rm_ctl_cells_queue (rm_ctl_table_t *table, const json_t *queue, bool held)
{
    rm_ctl_cell_text (table, queue, "name");
    rm_ctl_cell_text (table, queue, "pool");
    rm_ctl_cell_number (table, queue, "waiting");
    if (held)
        rm_ctl_cell_number (table, queue, "held");
    rm_ctl_cell_number (table, queue, "running");
    rm_ctl_cell_number (table, queue, "done");
    rm_ctl_cell_number (table, queue, "dead");
    rm_ctl_cell_number (table, queue, "workers");
}
