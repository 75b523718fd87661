/*  A life as a story, a line an event: `--trace`. Nobody decides anything by it.
 *
 *      0.512034 w2 → m  sync 2 ok term=3 epoch=4 upto=7 held=[12]
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <stdio.h>

#include "sim.h"

/* Where the story goes; NULL: nowhere, which costs nothing. */
extern FILE *story_out;

/* A line about a process; `who` >= process_count: about the world. */
#define story(self, who, ...)                                                                                          \
    do {                                                                                                               \
        if (story_out)                                                                                                 \
            story_line (self, who, __VA_ARGS__);                                                                       \
    } while (0)

void story_line (const sim_t *self, uint32_t who, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

/* A message, as one line of words. */
void story_message (const rm_msg_t *msg, char *text, size_t size);
