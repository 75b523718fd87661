#include "ctl/map/halt.h"

#include <string.h>

/* Takes `word` off the front of `*text`. */
static bool take (const char **text, const char *word)
{
    size_t size = strlen (word);
    if (strncmp (*text, word, size))
        return false;
    *text += size;
    return true;
}

bool rm_map_halt_read (rm_map_halt_t *self, const char *text)
{
    *self = (rm_map_halt_t){0};
    if (!strcmp (text, "never"))
        return true;
    if (take (&text, "now,"))
        self->when = RM_MAP_HALT_NOW;
    else if (take (&text, "soon,"))
        self->when = RM_MAP_HALT_SOON;
    else
        return false;
    if (take (&text, "fail="))
        self->why = RM_MAP_ON_FAIL;
    else if (take (&text, "success="))
        self->why = RM_MAP_ON_SUCCESS;
    else if (take (&text, "done="))
        self->why = RM_MAP_ON_DONE;
    else
        return false;
    size_t digits = strspn (text, "0123456789");
    if (!digits || digits > 9)
        return false;
    for (size_t i = 0; i < digits; i++)
        self->count = 10 * self->count + (uint64_t)(*text++ - '0');
    self->percent = take (&text, "%");
    return !*text && self->count && (!self->percent || self->count <= 100);
}

rm_map_halting_t rm_map_halt_now (const rm_map_halt_t *self, uint64_t failed, uint64_t succeeded, uint64_t all)
{
    uint64_t counts[] = {
        [RM_MAP_ON_FAIL] = failed, [RM_MAP_ON_SUCCESS] = succeeded, [RM_MAP_ON_DONE] = failed + succeeded};
    uint64_t count = counts[self->why];
    bool reached = self->percent ? count * 100 >= self->count * all : count >= self->count;
    return reached ? self->when : RM_MAP_GO_ON;
}
