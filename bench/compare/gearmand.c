/*  gearmand, by its own protocol (its PROTOCOL document). Foreground jobs, whose results come back over the connection
 *  that submitted them, are never written down; background jobs are, if gearmand has a queue on disk, but have no result:
 *  that they are done is read from the server's own count of those that are not.
 *
 *  An address that ends in "/background" asks for those.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "load.h"

enum {
    CAN_DO = 1,
    PRE_SLEEP = 4,
    NOOP = 6,
    SUBMIT_JOB = 7,
    JOB_CREATED = 8,
    GRAB_JOB = 9,
    NO_JOB = 10,
    JOB_ASSIGN = 11,
    WORK_COMPLETE = 13,
    SUBMIT_JOB_BG = 18
};

#define BACKGROUND "/background"

typedef struct {
    line_t *line;
    line_t *admin; /* only for background jobs */
    uint8_t *kept; /* payloads of background jobs, oldest first, in a ring */
    size_t size;
    uint64_t sent, created, done;
} client_t;

typedef struct {
    uint32_t type;
    size_t size;
    const char *data; /* until the next packet */
} packet_t;

static void head (line_t *line, uint32_t type, size_t size)
{
    uint32_t numbers[2] = {htonl (type), htonl ((uint32_t)size)};
    line_put (line, "\0REQ", 4);
    line_put (line, numbers, sizeof numbers);
}

static packet_t packet (line_t *line)
{
    uint32_t numbers[3];
    memcpy (numbers, line_take (line, sizeof numbers), sizeof numbers);
    packet_t self = {.type = ntohl (numbers[1]), .size = ntohl (numbers[2])};
    self.data = line_take (line, self.size);
    return self;
}

/* What follows the first `words` words that end in a NUL. */
static const char *after (const packet_t *packet, int words)
{
    const char *at = packet->data;
    for (; words > 0; words--)
        at += strlen (at) + 1;
    return at;
}

static void *open_client (const char *address)
{
    client_t *self = calloc (1, sizeof *self);
    const char *mode = strstr (address, BACKGROUND);
    char host[256];
    if (!self)
        load_fail ("no memory");
    snprintf (host, sizeof host, "%.*s", (int)(mode ? (size_t)(mode - address) : strlen (address)), address);
    self->line = line_open (host);
    self->admin = mode ? line_open (host) : NULL;
    return self;
}

static uint8_t *keep (client_t *self, uint64_t number)
{
    return self->kept + number % LOAD_WINDOW_MAX * self->size;
}

static void send_job (void *client, const void *data, size_t size)
{
    client_t *self = client;
    head (self->line, self->admin ? SUBMIT_JOB_BG : SUBMIT_JOB, sizeof "echo" + 1 + size);
    line_put (self->line, "echo\0", sizeof "echo" + 1); /* the function, and no unique id */
    line_put (self->line, data, size);
    if (self->admin && !self->kept) {
        self->size = size;
        self->kept = malloc (LOAD_WINDOW_MAX * size);
        if (!self->kept)
            load_fail ("no memory");
    }
    if (self->admin)
        memcpy (keep (self, self->sent), data, size);
    self->sent++;
}

/* How many jobs the server has that are not done: "echo", and behind a tab each all, running, workers. */
static uint64_t unfinished (line_t *admin)
{
    unsigned long long jobs = 0;
    line_print (admin, "status\n");
    for (const char *text = line_text (admin); *text != '.'; text = line_text (admin))
        sscanf (text, "echo\t%llu", &jobs);
    return jobs;
}

/* Which of several are done it does not say; that the oldest are is nearly true. */
static void take_background (client_t *self)
{
    for (; self->created < self->sent; self->created++)
        if (packet (self->line).type != JOB_CREATED)
            load_fail ("no JOB_CREATED");
    uint64_t before = self->done;
    while (self->done == before)
        for (uint64_t done = self->sent - unfinished (self->admin); self->done < done; self->done++)
            load_done (keep (self, self->done), self->size);
}

static void take_result (client_t *self)
{
    for (;;) {
        packet_t answer = packet (self->line);
        if (answer.type == WORK_COMPLETE) {
            const char *result = after (&answer, 1);
            load_done (result, answer.size - (size_t)(result - answer.data));
            return;
        }
        if (answer.type != JOB_CREATED)
            load_fail ("a packet of type %u", answer.type);
    }
}

static void take (void *client)
{
    client_t *self = client;
    self->admin ? take_background (self) : take_result (self);
}

static void work (const char *address)
{
    line_t *line = line_open (address);
    head (line, CAN_DO, 4);
    line_put (line, "echo", 4);
    for (;;) {
        head (line, GRAB_JOB, 0);
        packet_t job = packet (line);
        while (job.type == NOOP)
            job = packet (line);
        if (job.type == NO_JOB) {
            head (line, PRE_SLEEP, 0);
            packet (line); /* NOOP: there is something */
            continue;
        }
        if (job.type != JOB_ASSIGN)
            load_fail ("a packet of type %u", job.type);
        const char *data = after (&job, 2);
        size_t handle = strlen (job.data) + 1, size = job.size - (size_t)(data - job.data);
        head (line, WORK_COMPLETE, handle + size);
        line_put (line, job.data, handle);
        line_put (line, data, size);
    }
}

int main (int argc, char **argv)
{
    const peer_t peer = {"gearmand", open_client, send_job, take, work, NULL};
    return load_main (&peer, argc, argv);
}
