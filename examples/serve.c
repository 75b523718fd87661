#include "serve.h"

#include <signal.h>
#include <stdio.h>

static rm_rpc_server_t *server;

static void on_signal (int number)
{
    (void)number;
    rm_rpc_server_stop (server);
}

int serve (const char *program, rm_rpc_server_t **server_p, int error)
{
    server = *server_p;
    signal (SIGINT, on_signal);
    signal (SIGTERM, on_signal);
    if (!error)
        error = rm_rpc_server_bind (server);
    if (!error) {
        setvbuf (stdout, NULL, _IOLBF, 0);
        printf ("ready %s\n", rm_rpc_server_endpoint (server));
        error = rm_rpc_server_run (server);
    }
    if (error)
        fprintf (stderr, "%s: %s\n", program, rm_rpc_server_error (server));
    server = NULL; /* for a second signal */
    rm_rpc_server_destroy (server_p);
    return error == RM_EINVAL ? 2 : error ? 1 : 0;
}
