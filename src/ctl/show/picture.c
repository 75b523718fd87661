#include "ctl/show/picture.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/show/answer.h"
#include "proto/limits.h"

enum { LETTERS = 52, COLOURS = 12, COLUMNS_PLAIN = 64, COLUMNS_MAX = 512, NOBODY = -1 };

char rm_ctl_picture_letter (size_t member)
{
    static const char letters[LETTERS + 1] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return member < LETTERS ? letters[member] : '*';
}

/* The member that is called so, NOBODY if there is none. */
static int member_named (const json_t *members, const char *name)
{
    size_t i;
    json_t *member;
    json_array_foreach (members, i, member) {
        if (i < RM_MEMBERS_MAX && !strcmp (rm_ctl_text_of (member, "name"), name))
            return (int)i;
    }
    return NOBODY;
}

/* Who owns each slot. */
static void read_owners (const json_t *pool, int *owners)
{
    const json_t *members = json_object_get (pool, "members");
    size_t i;
    json_t *range;
    for (size_t slot = 0; slot < RM_SLOTS; slot++)
        owners[slot] = NOBODY;
    json_array_foreach (json_object_get (pool, "ranges"), i, range) {
        json_int_t first = json_integer_value (json_array_get (range, 0));
        json_int_t last = json_integer_value (json_array_get (range, 1));
        const char *name = json_string_value (json_array_get (range, 2));
        int owner = name ? member_named (members, name) : NOBODY;
        for (json_int_t slot = first < 0 ? 0 : first; slot <= last && slot < RM_SLOTS; slot++)
            owners[slot] = owner;
    }
}

/* Whose most of the slots are; of several, who got as many first. */
static int owner_of_most (const int *owners, size_t count)
{
    size_t counts[RM_MEMBERS_MAX + 1] = {0}, best_count = 0; /* the first is nobody's */
    int best = NOBODY;
    for (size_t i = 0; i < count; i++)
        if (++counts[owners[i] + 1] > best_count) {
            best_count = counts[owners[i] + 1];
            best = owners[i];
        }
    return best;
}

/* Backgrounds that differ; after twelve they come again, with another letter. */
static void put_block (FILE *out, const rm_ctl_paper_t *paper, int owner)
{
    char letter = owner == NOBODY ? '.' : rm_ctl_picture_letter ((size_t)owner);
    int colour = owner % COLOURS;
    if (paper->colour && owner != NOBODY)
        fprintf (out, "\033[30;%dm%c\033[0m", colour < 6 ? 41 + colour : 101 + colour - 6, letter);
    else
        fputc (letter, out);
}

void rm_ctl_picture_put (FILE *out, const rm_ctl_paper_t *paper, const json_t *pool)
{
    static int owners[RM_SLOTS];
    size_t columns = paper->columns ? paper->columns : COLUMNS_PLAIN;
    if (columns > COLUMNS_MAX)
        columns = COLUMNS_MAX;
    read_owners (pool, owners);
    for (size_t i = 0; i < columns; i++) {
        size_t first = i * RM_SLOTS / columns, end = (i + 1) * RM_SLOTS / columns;
        put_block (out, paper, owner_of_most (owners + first, end - first));
    }
    fputc ('\n', out);
}
