#include "net/fault.h"

#include <stdarg.h>
#include <stdio.h>

int rm_fault (rm_fault_t *self, int error, const char *format, ...)
{
    if (self) {
        self->error = error;
        va_list arguments;
        va_start (arguments, format);
        vsnprintf (self->text, sizeof self->text, format, arguments);
        va_end (arguments);
    }
    return error;
}
