/*  beanstalkd, by its own protocol (doc/protocol.txt there). It has no results: a worker puts them into a second tube and
 *  deletes the job; both commands and the next reserve leave in one write.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "load.h"

typedef struct {
    line_t *jobs, *results;
    unsigned unanswered; /* puts */
    int reserving;       /* and the one before is being deleted */
} client_t;

static void expect (line_t *line, const char *word)
{
    const char *text = line_text (line);
    if (strncmp (text, word, strlen (word)) != 0)
        load_fail ("%s instead of %s", text, word);
}

static void put (line_t *line, const void *data, size_t size)
{
    line_print (line, "put 1024 0 600 %zu\r\n", size);
    line_put (line, data, size);
    line_put (line, "\r\n", 2);
}

/* A job that was reserved; its bytes live until the next call. */
static const char *reserved (line_t *line, unsigned long long *id, size_t *size)
{
    const char *text = line_text (line);
    if (sscanf (text, "RESERVED %llu %zu", id, size) != 2)
        load_fail ("%s instead of RESERVED", text);
    return line_take (line, *size + 2);
}

static void *open_client (const char *address)
{
    client_t *self = calloc (1, sizeof *self);
    if (!self)
        load_fail ("no memory");
    self->jobs = line_open (address);
    self->results = line_open (address);
    line_print (self->jobs, "use jobs\r\n");
    expect (self->jobs, "USING");
    line_print (self->results, "watch results\r\nignore default\r\n");
    expect (self->results, "WATCHING");
    expect (self->results, "WATCHING");
    return self;
}

static void send_job (void *client, const void *data, size_t size)
{
    client_t *self = client;
    put (self->jobs, data, size);
    self->unanswered++;
}

/* The next result is reserved in the same write that deletes the last one. */
static void take (void *client)
{
    client_t *self = client;
    unsigned long long id;
    size_t size;
    for (; self->unanswered; self->unanswered--)
        expect (self->jobs, "INSERTED");
    if (self->reserving)
        expect (self->results, "DELETED");
    else
        line_print (self->results, "reserve\r\n");
    const char *data = reserved (self->results, &id, &size);
    load_done (data, size);
    line_print (self->results, "delete %llu\r\nreserve\r\n", id);
    line_flush (self->results);
    self->reserving = 1;
}

static void work (const char *address)
{
    line_t *line = line_open (address);
    line_print (line, "use results\r\nwatch jobs\r\nignore default\r\nreserve\r\n");
    expect (line, "USING");
    expect (line, "WATCHING");
    expect (line, "WATCHING");
    for (;;) {
        unsigned long long id;
        size_t size;
        const char *data = reserved (line, &id, &size);
        put (line, data, size);
        line_print (line, "delete %llu\r\nreserve\r\n", id);
        expect (line, "INSERTED");
        expect (line, "DELETED");
    }
}

int main (int argc, char **argv)
{
    const peer_t peer = {"beanstalkd", open_client, send_job, take, work, NULL};
    return load_main (&peer, argc, argv);
}
