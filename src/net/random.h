/*  Random bits from the kernel, for sessions, incarnations, jitter and seeds of the pure parts.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fills `data` with random bytes, fit for keys. Aborts if the kernel has none to give: nothing could go on safely. */
void rm_random_fill (void *data, size_t size);

/* 64 random bits. */
uint64_t rm_random_u64 (void);
