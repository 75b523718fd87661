/*  A TCP connection with a buffer in each direction, for the protocols that are spoken by hand. Whatever goes wrong ends
 *  the process.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <stddef.h>

typedef struct line line_t;

/* HOST:PORT */
line_t *line_open (const char *address);

/* Appends to what waits to be sent. */
void line_put (line_t *self, const void *data, size_t size);
void line_print (line_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* Sends all that waits. */
void line_flush (line_t *self);

/* The next `size` bytes; they live until the next call. Sends what waits before it blocks. */
const char *line_take (line_t *self, size_t size);

/* The next line without its \r\n, ended by a NUL; it lives until the next call. */
const char *line_text (line_t *self);

/* Whether something was received that was not taken yet. */
int line_has (const line_t *self);
