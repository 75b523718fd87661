/*  A command with places for arguments, as GNU parallel has them, and the quoting that makes an argument one word.
 *
 *      {}   the argument            {.}  without its last suffix     {/}   without its directories
 *      {//} its directory           {/.} the last two together       {#}   the number of the job, from 1
 *      {2}  the second source's, likewise {2.} {2/} {2//} {2/.}; {-1} the last one's
 *
 *  With several sources the places without a number mean all of their arguments, with spaces between. A command without
 *  any place gets {} appended; no command at all means that the arguments are commands.
 *  Thread rule: none of its own; pure but for memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"

typedef struct {
    char *text; /* the words with spaces between; owned */
    bool plain; /* the arguments are commands, and not quoted */
} rm_map_template_t;

/* Joins `count` words; 0 or RM_ENOMEM. */
int rm_map_template_init (rm_map_template_t *self, char *const *words, size_t count);
/* Takes a text as it is, and quotes nothing; 0 or RM_ENOMEM. */
int rm_map_template_init_plain (rm_map_template_t *self, const char *text);
void rm_map_template_close (rm_map_template_t *self);

/* Appends the command for the arguments `values`, one a source, and a NUL. Memory: look at `to->failed`. */
void rm_map_template_expand (const rm_map_template_t *self, const char *const *values, size_t count, uint64_t number,
                             rm_buf_t *to);

/* Appends the text as one word of a shell command, without a NUL. */
void rm_map_quote (const char *text, rm_buf_t *to);
