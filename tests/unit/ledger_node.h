/*  A ledger with a small state on top, as the tests of the ledger use it. The state is the number of batches applied; batch n
 *  carries n and filler that follows from n, so that a batch that is lost, doubled, reordered or changed is not applied.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "master/raft_ledger.h"

enum { NODE_SENTENCES_MAX = 64 };

typedef struct {
    uv_loop_t loop;
    uv_timer_t pulse;                    /* so that the loop never sleeps for long */
    rm_ledger_t *ledger;                 /* NULL: closed */
    uint64_t state;                      /* batches applied */
    uint64_t digest;                     /* of all of them */
    uint64_t proposed;                   /* the newest batch proposed */
    uint64_t settled;                    /* tickets settled with 0 */
    uint64_t unknown;                    /* tickets settled otherwise */
    uint64_t restored;                   /* calls of restore */
    uint64_t refuse;                     /* the batch that cannot be applied; 0: none */
    uint64_t lent;                       /* snapshots handed out and not given back */
    uint64_t filler;                     /* bytes of it in each snapshot */
    void (*acked) (uint64_t batch);      /* called for each settled batch, unless NULL */
    void (*said) (const char *sentence); /* unless NULL */
    bool leader;
    bool led_at_restore; /* leader, at the newest call of restore */
    bool closed;
    char failure[2048]; /* the sentence of failed (), or of a start that was refused */
} node_t;

/* Makes a temporary directory. It is removed by node_remove, or with the test's process. */
void node_directory (char path[PATH_MAX]);
void node_remove (const char *path);

/* Runs a shell command that is formatted as by printf; fails the test unless it answers 0. */
void node_shell (const char *format, ...) __attribute__ ((format (printf, 1, 2)));

/* Starts a node on `dir`; what rm_ledger_start answers. `config` may be NULL; its dir is filled in, and id and
   address if they are not there. */
int node_open (node_t *self, const char *dir, const rm_ledger_config_t *config);

/* The same, without waiting until it leads. */
int node_begin (node_t *self, const char *dir, const rm_ledger_config_t *config);

/* Runs the loop until `*what` is at least `wanted`; false after 20 s. */
bool node_wait (node_t *self, const uint64_t *what, uint64_t wanted);

/* Proposes the next batch of about `size` bytes; as rm_ledger_propose. */
int node_try (node_t *self, size_t size);

/* The same, but waits while too much is in flight. */
int node_propose (node_t *self, size_t size);

/* Proposes `count` batches and waits until they are settled. */
bool node_put (node_t *self, uint64_t count, size_t size);

/* Closes it and everything that belongs to it. */
void node_close (node_t *self);

/* Runs `body` in a child process; its exit code, or -signal. */
int node_in_child (int (*body) (void *arg), void *arg);
