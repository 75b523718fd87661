/*  What the two programs agree on: the names of queues and files, and how a job is written.
 *
 *  A map job reads one input file and leaves its counts in one file for each reduce job, "mr-MAP-REDUCE" in the folder of
 *  the run; a reduce job adds up the files of its number.
 */
#pragma once

#include <stdio.h>

#define MAP_QUEUE    "mr.map"
#define REDUCE_QUEUE "mr.reduce"

/* Payloads, as text: "MAP REDUCES FOLDER\nINPUT" and "REDUCE MAPS FOLDER". A path has no line break. */
#define MAP_FORMAT    "%u %u %s\n%s"
#define REDUCE_FORMAT "%u %u %s"

enum { FOLDER_BYTES = 4001, PATH_BYTES = FOLDER_BYTES + 32, REDUCES_MAX = 64 };

/* The file that map job `map` leaves for reduce job `reduce`. */
static inline void between (char path[PATH_BYTES], const char *folder, unsigned map, unsigned reduce)
{
    snprintf (path, PATH_BYTES, "%s/mr-%u-%u", folder, map, reduce);
}
