/*  --results DIR: what each command wrote, in GNU parallel's layout: DIR/1/ARGUMENT/2/ARGUMENT/{seq,stdout,stderr}.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"

/* Appends "DIR/1/a/2/b" and a NUL. In an argument '/' is written \_, '\' is \\, a tab \t; "." and ".." begin with a
 * backslash, since they would lead elsewhere. */
void rm_map_results_path (const char *directory, const char *const *values, size_t count, rm_buf_t *to);
