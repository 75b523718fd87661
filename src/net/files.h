/*  How many descriptors a process may have. Systems give 1,024 unless it asks, which is a few hundred connections, and far
 *  more to whoever does.
 *
 *  Thread rule: at the start of a program.
 */
#pragma once

/* Takes as many as the system lets it have. For programs that start no others: those might trust in few (select). */
void rm_files_allow_many (void);
