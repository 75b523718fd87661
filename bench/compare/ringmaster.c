/*  Ringmaster, through its pipelined client; the workers are ringworker with builtin:echo. */
#include <errno.h>
#include <string.h>

#include "load.h"
#include "ringmaster/stream.h"

static void *open_client (const char *address)
{
    rm_stream_t *self = rm_stream_new (address);
    if (!self)
        load_fail ("%s: %s", address, strerror (errno));
    rm_stream_set (self, "window", "65536");
    return self;
}

static void send_job (void *client, const void *data, size_t size)
{
    const rm_spec_t spec = {.queue = "bench", .data = data, .size = size};
    if (rm_stream_send (client, &spec) != 0)
        load_fail ("%s", rm_stream_error (client));
}

static void take (void *client)
{
    size_t size;
    rm_result_t *result = rm_stream_next (client, -1);
    if (!result || rm_result_outcome (result) != RM_DONE)
        load_fail ("%s", result ? rm_result_reason (result) : rm_stream_error (client));
    const void *data = rm_result_data (result, &size);
    load_done (data, size);
    rm_result_destroy (&result);
}

int main (int argc, char **argv)
{
    const peer_t peer = {"ringmaster", open_client, send_job, take, NULL, NULL};
    return load_main (&peer, argc, argv);
}
