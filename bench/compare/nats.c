/*  NATS JetStream with streams in files, through its C client: jobs are a work queue that two workers fetch from in
 *  batches; results are a second stream. A job is acknowledged when its result was.
 */
#include <nats/nats.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

enum { WAIT_MS = 5000, RESULTS_KEPT = 1 << 18 };

typedef struct {
    natsConnection *connection;
    jsCtx *stream;
    natsSubscription *results;
} client_t;

static void must (natsStatus status)
{
    if (status != NATS_OK)
        load_fail ("%s: %s", natsStatus_GetText (status), nats_GetLastError (NULL));
}

static void dial (client_t *self, const char *address)
{
    jsOptions options;
    must (natsConnection_ConnectTo (&self->connection, address));
    must (jsOptions_Init (&options));
    options.PublishAsync.MaxPending = LOAD_WINDOW_MAX;
    must (natsConnection_JetStream (&self->stream, self->connection, &options));
}

static void make_stream (client_t *self, const char *name, jsRetentionPolicy retention, int64_t messages_max)
{
    jsStreamConfig config;
    must (jsStreamConfig_Init (&config));
    config.Name = name;
    config.Subjects = &name;
    config.SubjectsLen = 1;
    config.Retention = retention;
    config.Storage = js_FileStorage;
    config.MaxMsgs = messages_max;
    must (js_AddStream (NULL, self->stream, &config, NULL, NULL));
}

static void *open_client (const char *address)
{
    client_t *self = calloc (1, sizeof *self);
    jsSubOptions options;
    if (!self)
        load_fail ("no memory");
    dial (self, address);
    make_stream (self, "results", js_LimitsPolicy, RESULTS_KEPT);
    make_stream (self, "jobs", js_WorkQueuePolicy, -1);
    must (jsSubOptions_Init (&options));
    options.Config.AckPolicy = js_AckNone;
    options.Config.DeliverPolicy = js_DeliverNew;
    must (js_SubscribeSync (&self->results, self->stream, "results", NULL, &options, NULL));
    must (natsSubscription_SetPendingLimits (self->results, -1, -1));
    return self;
}

static void send_job (void *client, const void *data, size_t size)
{
    must (js_PublishAsync (((client_t *)client)->stream, "jobs", data, (int)size, NULL));
}

static void take (void *client)
{
    client_t *self = client;
    natsMsg *result;
    must (natsSubscription_NextMsg (&result, self->results, WAIT_MS));
    load_done (natsMsg_GetData (result), (size_t)natsMsg_GetDataLength (result));
    natsMsg_Destroy (result);
}

/* Results first, so that a job whose worker dies in between is done again rather than lost. */
static void answer (client_t *self, natsMsgList *jobs)
{
    for (int i = 0; i < jobs->Count; i++)
        must (js_PublishAsync (self->stream, "results", natsMsg_GetData (jobs->Msgs[i]),
                               natsMsg_GetDataLength (jobs->Msgs[i]), NULL));
    must (js_PublishAsyncComplete (self->stream, NULL));
    for (int i = 0; i < jobs->Count; i++)
        must (natsMsg_Ack (jobs->Msgs[i], NULL));
}

static void work (const char *address)
{
    client_t self = {0};
    natsSubscription *jobs;
    dial (&self, address);
    while (js_PullSubscribe (&jobs, self.stream, "jobs", "workers", NULL, NULL, NULL) != NATS_OK)
        nats_Sleep (10); /* the client has not made the stream yet */
    for (;;) {
        natsMsgList list = {0};
        natsStatus status = natsSubscription_Fetch (&list, jobs, LOAD_BATCH, WAIT_MS, NULL);
        if (status == NATS_TIMEOUT)
            continue;
        must (status);
        answer (&self, &list);
        natsMsgList_Destroy (&list);
    }
}

int main (int argc, char **argv)
{
    const peer_t peer = {"nats", open_client, send_job, take, work, NULL};
    return load_main (&peer, argc, argv);
}
