/*  The three standard streams are always there. Started without one of them (`ringmaster 2>&-`, some supervisors), a
 *  program would get its number for the next file it opens, and write its log into a ledger, or what it prints into a
 *  socket.
 *
 *  Thread rule: at the start of a program, before anything is opened.
 */
#pragma once

/* Puts something harmless where stdin, stdout or stderr is closed: to use it still fails with EBADF, so that output that
 * got lost is noticed. */
void rm_streams_open (void);
