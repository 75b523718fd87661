/*  Memory that runs out, everywhere: a story is told once to count how often proto and core ask for memory, and then once
 *  for each of these requests with only that one refused, with that one and all after it refused, and with that one and all
 *  after it that are as large or larger refused: a big block may find no room where small ones do.
 *
 *  A story begins with nothing and ends with nothing. It does what a careful caller does about RM_ENOMEM, says when memory
 *  is there again, and claims what must be true in the end whatever was refused.
 *  Thread rule: one thread.
 */
#pragma once

#include <criterion/criterion.h>
#include <stdbool.h>

/* Tells the story in all these ways. After each no block may be out, and each request must have been reached. `least` is
 * how many requests there are at least, so that a story that does nothing is seen. */
void sweep (void (*story) (void), long least);

/* Whether a request was refused in this telling. */
bool memory_failed (void);

/* From now on every request of this telling is granted. */
void memory_returns (void);

/* Requests from now on are the story's subject: counted, and perhaps refused; or somebody else's, and granted. */
void memory_counts (bool counts);
