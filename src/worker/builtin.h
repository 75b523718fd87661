/*  Handlers that every worker has: for trying things out, and for tests.
 *
 *  Thread rule: any number of handler threads at a time.
 */
#pragma once

#include "ringmaster/worker.h"

/* "echo": answers the payload. "sleep": waits for as many milliseconds as the payload says. "fail": fails, to be tried
 * again, with the payload as its reason. NULL: there is no handler of that name. */
rm_handler_fn *rm_builtin (const char *name);
