/*  The same work for every system that is compared: one client keeps a window of jobs outstanding, workers echo them.
 *
 *  A peer is a system behind four functions. `load` fills the window, times each job from its being sent until its result
 *  is there, and looks at every result: its bytes must be those of a job that is outstanding. What comes a second time is
 *  counted, what never comes is, too.
 *  Thread rule: one thread a process.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    LOAD_WINDOW_MAX = 1 << 16,
    LOAD_SIZE_MIN = 16,      /* a job says which one it is */
    LOAD_SIZE_MAX = 1 << 20, /* bytes of a payload */
    LOAD_BATCH = 64          /* jobs a worker takes, or a client sends, at a time where the peer has such a number */
};

/* What a system is, so that a comparison is fair. */
typedef struct {
    const char *name;
    void *(*open) (const char *address);                      /* as a client; ends the process if it cannot */
    void (*send) (void *self, const void *data, size_t size); /* one job; may wait in a buffer until `take` */
    void (*take) (void *self);                                /* sends what waits; at least one load_done */
    void (*work) (const char *address); /* as a worker, for ever; NULL: the system brings its own */
    void (*serve) (const char *folder); /* as the server, for ever; NULL: another program is it */
} peer_t;

/* A result has come. */
void load_done (const void *data, size_t size);

/* Takes HOST:PORT apart; `host` has `room` bytes. The port, a part of `address`. */
const char *load_address (const char *address, char *host, size_t room);

/* The whole program: NAME load ADDRESS, NAME work ADDRESS, NAME serve FOLDER. */
int load_main (const peer_t *peer, int argc, char **argv);

/* Says what is wrong and ends the process. */
void load_fail (const char *format, ...) __attribute__ ((format (printf, 1, 2), noreturn));
