#include "proto/assert.h"

#include <stdio.h>
#include <stdlib.h>

noreturn void rm_assert_failed (const char *claim, const char *file, int line)
{
    fprintf (stderr, "level=fatal event=assert claim=\"%s\" at=%s:%d\n", claim, file, line);
    abort ();
}
