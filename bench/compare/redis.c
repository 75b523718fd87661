/*  Redis Streams with a consumer group, through hiredis: a job is an entry of one stream; a worker reads up to a batch,
 *  adds the results to a second stream, acknowledges and deletes the jobs, all of it in one pipeline.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

typedef struct {
    redisContext *jobs, *results;
    unsigned unanswered;
    char last[64]; /* id of the newest result that was read */
} client_t;

static redisContext *dial (const char *address)
{
    char host[256];
    int port = atoi (load_address (address, host, sizeof host));
    redisContext *context = redisConnect (host, port);
    if (!context || context->err)
        load_fail ("cannot connect to %s", address);
    return context;
}

static redisReply *reply (redisContext *context)
{
    redisReply *self;
    if (redisGetReply (context, (void **)&self) != REDIS_OK)
        load_fail ("%s", context->errstr);
    if (self->type == REDIS_REPLY_ERROR)
        load_fail ("%s", self->str);
    return self;
}

static void *open_client (const char *address)
{
    client_t *self = calloc (1, sizeof *self);
    if (!self)
        load_fail ("no memory");
    self->jobs = dial (address);
    self->results = dial (address);
    strcpy (self->last, "0");
    freeReplyObject (redisCommand (self->jobs, "XGROUP CREATE jobs workers 0 MKSTREAM")); /* it may be there */
    freeReplyObject (redisCommand (self->jobs, "DEL results"));
    return self;
}

static void send_job (void *client, const void *data, size_t size)
{
    client_t *self = client;
    redisAppendCommand (self->jobs, "XADD jobs * d %b", data, size);
    self->unanswered++;
}

/* The entries of XREAD's or XREADGROUP's answer, which is nil when there were none. */
static redisReply *entries (redisReply *answer)
{
    return answer->type == REDIS_REPLY_ARRAY ? answer->element[0]->element[1] : NULL;
}

static redisReply *data_of (redisReply *entry)
{
    return entry->element[1]->element[1];
}

static void take (void *client)
{
    client_t *self = client;
    for (; self->unanswered; self->unanswered--)
        freeReplyObject (reply (self->jobs));
    redisAppendCommand (self->results, "XREAD COUNT 1024 BLOCK 5000 STREAMS results %s", self->last);
    redisReply *answer = reply (self->results), *list = entries (answer);
    if (!list)
        load_fail ("no result for 5 s");
    for (size_t i = 0; i < list->elements; i++) {
        redisReply *data = data_of (list->element[i]);
        load_done (data->str, data->len);
        snprintf (self->last, sizeof self->last, "%s", list->element[i]->element[0]->str);
    }
    freeReplyObject (answer);
    /* What was read long ago is not kept. */
    redisAppendCommand (self->jobs, "XTRIM results MAXLEN ~ 131072");
    self->unanswered++;
}

static void work (const char *address)
{
    redisContext *context = dial (address);
    long name = (long)getpid ();
    for (;;) {
        redisAppendCommand (context, "XREADGROUP GROUP workers w%ld COUNT %d BLOCK 5000 STREAMS jobs >", name,
                            LOAD_BATCH);
        redisReply *answer, *list;
        if (redisGetReply (context, (void **)&answer) != REDIS_OK)
            load_fail ("%s", context->errstr);
        if (answer->type == REDIS_REPLY_ERROR) { /* the client has not made the group yet */
            freeReplyObject (answer);
            usleep (10 * 1000);
            continue;
        }
        list = entries (answer);
        size_t count = list ? list->elements : 0;
        for (size_t i = 0; i < count; i++) {
            const char *id = list->element[i]->element[0]->str;
            redisReply *data = data_of (list->element[i]);
            redisAppendCommand (context, "XADD results * d %b", data->str, data->len);
            redisAppendCommand (context, "XACK jobs workers %s", id);
            redisAppendCommand (context, "XDEL jobs %s", id);
        }
        for (size_t i = 0; i < 3 * count; i++)
            freeReplyObject (reply (context));
        freeReplyObject (answer);
    }
}

int main (int argc, char **argv)
{
    const peer_t peer = {"redis", open_client, send_job, take, work, NULL};
    return load_main (&peer, argc, argv);
}
