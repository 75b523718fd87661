/*  Where the arguments come from: `::: a b`, `:::: FILE`, stdin; several of them give every combination, the last one
 *  changing fastest.
 *
 *  Thread rule: belongs to one thread. In-place struct.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/fault.h"

enum { RM_MAP_SOURCES_MAX = 16 };

typedef struct {
    char **values; /* owned, and so is each */
    size_t count;
} rm_map_source_t;

typedef struct {
    rm_map_source_t list[RM_MAP_SOURCES_MAX];
    size_t count;
    size_t rows; /* combinations */
} rm_map_sources_t;

/* Splits `words` at the first ::: or :::: and reads what is behind; without one reads stdin. `*command` is the number of
 * words before. A file is a line an argument, or with `null` what a NUL ends; "-" is stdin. 0, RM_EINVAL (a sentence),
 * RM_ENOMEM. `self` is to be closed in any case. */
int rm_map_sources_read (rm_map_sources_t *self, char *const *words, size_t count, bool null, size_t *command,
                         rm_fault_t *fault);
void rm_map_sources_close (rm_map_sources_t *self);

/* Writes the `row`-th combination, from 0, into `values`, one a source. */
void rm_map_sources_row (const rm_map_sources_t *self, size_t row, const char **values);
