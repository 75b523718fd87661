/*  Calls the functions of retry_server: when did we connect, and "it works!". */
#include <stdio.h>
#include <stdlib.h>

#include <ringmaster/rpc.h>

enum { TIMEOUT_MS = 120 * 1000 };

static int call (rm_rpc_client_t *client, const char *function, const rm_rpc_value_t *arguments, size_t count)
{
    rm_rpc_answer_t *answer = NULL;
    int error = rm_rpc_client_call (client, function, arguments, count, TIMEOUT_MS, &answer);
    if (error)
        fprintf (stderr, "%s: %s\n", function, answer ? rm_rpc_answer_error_text (answer) : "memory ran out");
    else
        printf ("%s\n", rm_rpc_answer_text (answer, 0));
    rm_rpc_answer_destroy (&answer);
    return error;
}

int main (int argc, char **argv)
{
    if (argc < 2) {
        fprintf (stderr, "Usage: retry_client ENDPOINT [TEXT]\n");
        return 2;
    }
    rm_rpc_client_t *client = rm_rpc_client_new (argv[1]);
    if (!client) {
        perror (argv[1]);
        return 2;
    }
    int error = call (client, "date_time", NULL, 0);
    if (!error)
        error = call (client, "test_random", rm_rpc_values (rm_rpc_text (argc > 2 ? argv[2] : "it works!")));
    rm_rpc_client_destroy (&client);
    return error ? 1 : 0;
}
