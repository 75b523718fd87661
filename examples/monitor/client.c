/*  Connects to monitor_server, passes numbers to its function, and leaves. */
#include <stdio.h>
#include <stdlib.h>

#include <ringmaster/rpc.h>

enum { NUMBERS_MAX = 100, TIMEOUT_MS = 10 * 1000 };

int main (int argc, char **argv)
{
    if (argc < 4 || argc - 3 > NUMBERS_MAX) {
        fprintf (stderr, "Usage: monitor_client ENDPOINT NAME NUMBER...\n");
        return 2;
    }
    rm_rpc_value_t numbers[NUMBERS_MAX];
    for (int i = 3; i < argc; i++) {
        char *end;
        numbers[i - 3] = rm_rpc_real (strtod (argv[i], &end));
        if (end == argv[i] || *end) {
            fprintf (stderr, "monitor_client: %s is no number\n", argv[i]);
            return 2;
        }
    }
    rm_rpc_client_t *client = rm_rpc_client_new (argv[1]);
    if (!client) {
        perror (argv[1]);
        return 2;
    }
    rm_rpc_client_set (client, "name", argv[2]);
    int error = rm_rpc_client_call (client, "average", numbers, (size_t)argc - 3, TIMEOUT_MS, NULL);
    if (error)
        fprintf (stderr, "monitor_client: %s\n", rm_rpc_client_error (client));
    rm_rpc_client_destroy (&client);
    return error ? 1 : 0;
}
