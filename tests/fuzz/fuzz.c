#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

noreturn void fuzz_broken (const char *file, int line, const char *claim, const char *format, ...)
{
    char more[512];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (more, sizeof more, format, arguments);
    va_end (arguments);
    dprintf (STDERR_FILENO, "%s:%d: does not hold: %s;%s\n", file, line, claim, more);
    abort ();
}

char *fuzz_text (const uint8_t *data, size_t size)
{
    char *text = malloc (size + 1);
    if (!text)
        abort ();
    if (size)
        memcpy (text, data, size);
    text[size] = 0;
    return text;
}

static FILE *out, *err, *nowhere;

void fuzz_hush (void)
{
    if (!nowhere && !(nowhere = fopen ("/dev/null", "w")))
        abort ();
    out = stdout;
    err = stderr;
    stdout = stderr = nowhere;
}

void fuzz_speak (void)
{
    stdout = out;
    stderr = err;
}
