/*  What every example does that is an RPC server, once its functions are added: listens, says where, and serves until Ctrl-C.
 */
#pragma once

#include <ringmaster/rpc.h>

/* Prints "ready ENDPOINT" and runs the server until SIGINT or SIGTERM, unless setting it up has ended in an `error` already;
 * says what is wrong, and destroys it. The process's exit code: 0, 1, or 2 if an option was wrong. */
int serve (const char *program, rm_rpc_server_t **server_p, int error);
