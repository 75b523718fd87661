/*  What every fuzz target has: one function that libFuzzer calls with each input (or replay.c with each file of a corpus),
 *  a claim that ends the process, and a way to take decisions from bytes.
 *
 *  Thread rule: one thread, unless a target says otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

/* Runs one input from a clean slate; 0. What must not be ends the process. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Says on stderr, whatever the target did to its stream, which claim does not hold, and aborts. */
noreturn void fuzz_broken (const char *file, int line, const char *claim, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

#define CLAIM(claim, ...)                                                                                              \
    do {                                                                                                               \
        if (!(claim))                                                                                                  \
            fuzz_broken (__FILE__, __LINE__, #claim, " " __VA_ARGS__);                                                 \
    } while (0)

/* An input as a row of decisions: each takes a few bytes from its front, and once it is used up every one of them is 0. */
typedef struct {
    const uint8_t *at, *end;
} fuzz_input_t;

static inline bool fuzz_more (const fuzz_input_t *self)
{
    return self->at < self->end;
}

static inline uint8_t fuzz_byte (fuzz_input_t *self)
{
    return fuzz_more (self) ? *self->at++ : 0;
}

/* A number below `below` (at most 65536). */
static inline uint32_t fuzz_below (fuzz_input_t *self, uint32_t below)
{
    uint32_t value = fuzz_byte (self);
    if (below > 256)
        value = value << 8 | fuzz_byte (self);
    return value % below;
}

/* A little-endian number of `size` bytes. */
static inline uint64_t fuzz_number (fuzz_input_t *self, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)fuzz_byte (self) << 8 * i;
    return value;
}

/* The next `size` bytes, or as many as are left. */
static inline const uint8_t *fuzz_bytes (fuzz_input_t *self, size_t *size)
{
    const uint8_t *at = self->at;
    if (*size > (size_t)(self->end - self->at))
        *size = (size_t)(self->end - self->at);
    self->at += *size;
    return at;
}

/* The input as a string: up to its first NUL, or all of it. To be freed. */
char *fuzz_text (const uint8_t *data, size_t size);

/* Between these two calls what the code prints goes nowhere; claims are still heard. */
void fuzz_hush (void);
void fuzz_speak (void);
