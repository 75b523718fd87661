/*  What the master shows of one job's life: why it is where it is, and how its attempts ended.
 *
 *  Thread rule: the loop's thread.
 */
#pragma once

#include <jansson.h>

#include "master/view.h"

/* A job's key as text (view.c); null: it has none. */
json_t *rm_view_key (const rm_record_t *record);
/* The answer of a query `why`; NULL: there is no such job, or memory has run out. */
json_t *rm_view_why (const rm_view_t *self, uint64_t id);
/* The same of a query `trace`. */
json_t *rm_view_trace (const rm_view_t *self, uint64_t id);
