/*  Options as texts, for the objects of the RPC library: a table says which there are, and where a value goes.
 *
 *  Thread rule: none of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* NULL ends a table */
    char *text;       /* a text, of less than `size` bytes; or … */
    size_t size;
    int64_t *number; /* … a number from min to max, or the place of the value among `words` */
    int64_t min, max;
    const char *const *words; /* NULL ends them */
    bool factor;              /* the number is in thousandths: "1.5" */
} rm_rpc_option_t;

/* What both clients can be told of how they try again; `policy` is an rm_backoff_t. */
#define RM_RPC_LINE_OPTIONS(name_text, policy)                                                                         \
    {.name = "name", .text = (name_text), .size = sizeof (name_text)},                                                 \
        {.name = "initial", .number = &(policy).delay_ms, .min = 1, .max = RM_BACKOFF_MS_MAX},                         \
        {.name = "factor",                                                                                             \
         .number = &(policy).factor_permille,                                                                          \
         .min = 1001,                                                                                                  \
         .max = RM_BACKOFF_PERMILLE_MAX,                                                                               \
         .factor = true},                                                                                              \
    {                                                                                                                  \
        .name = "cap", .number = &(policy).cap_ms, .min = 1, .max = RM_BACKOFF_MS_MAX                                  \
    }

/* Sets what `option` names: 0, or RM_EINVAL with a sentence in `why`. */
int rm_rpc_option_set (const rm_rpc_option_t *table, const char *option, const char *value, char *why, size_t size);
