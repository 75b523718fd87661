/*  Says who comes and goes, and prints what clients pass to it. Each client has a thread of its own. */
#include <stdio.h>
#include <time.h>

#include <ringmaster/rpc.h>

#include "serve.h"

static void say_when (const char *what, const char *name)
{
    char text[32];
    time_t now = time (NULL);
    struct tm parts;
    strftime (text, sizeof text, "%F %T", localtime_r (&now, &parts));
    printf ("%s%s%s on %s\n", name, *name ? " " : "", what, text);
}

static void on_connect (const char *client, const char *name, void *arg)
{
    (void)client, (void)arg;
    say_when ("connected", name);
}

static void on_disconnect (const char *client, const char *name, void *arg)
{
    (void)client, (void)arg;
    say_when ("disconnected", name);
}

/* The result is printed here; the client only passes the numbers. */
static int average (rm_rpc_call_t *call, void *arg)
{
    (void)arg;
    double sum = 0;
    size_t count = rm_rpc_call_count (call);
    for (size_t i = 0; i < count; i++)
        sum += rm_rpc_call_real (call, i);
    printf ("the average of %zu numbers is %g\n", count, sum / (double)count);
    return rm_rpc_reply (call, NULL, 0);
}

int main (int argc, char **argv)
{
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        fprintf (stderr, "Usage: monitor_server [ENDPOINT]\n");
        return 2;
    }
    rm_rpc_server_t *server = rm_rpc_server_new ();
    if (!server)
        return 1;
    rm_rpc_server_on_connect (server, on_connect, NULL);
    rm_rpc_server_on_disconnect (server, on_disconnect, NULL);
    int error = rm_rpc_server_set (server, "endpoint", argc == 2 ? argv[1] : "tcp://127.0.0.1:0");
    if (!error)
        error = rm_rpc_server_set (server, "mode", "connection");
    if (!error)
        error = rm_rpc_server_add (server, "average", "dd*", average, NULL);
    return serve ("monitor_server", &server, error);
}
