/*  What a worker's shell (worker/shell.h) is asked for, and what it answers: the payload and the result of such a job
 *  (docs/map.md, "The shell queue").
 *
 *  The request is a row of texts, each ended by a NUL: the directory, the command, the directory for what is too large
 *  for a result, the time in milliseconds, then NAME=VALUE as often as one likes. Only the first two must be there.
 *  The reply is a line of `key=value` and, behind it, what the command wrote.
 *  Thread rule: none of its own; pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/msg.h"

enum {
    RM_SHELL_HEAD_BYTES_MAX = 512, /* of the reply's line, its newline included */
    RM_SHELL_WORD_BYTES_MAX = 128  /* of `host` and `file` */
};

typedef struct {
    const char *directory;   /* where it runs; "": where the worker does */
    const char *command;     /* given to sh -c */
    const char *spill;       /* directory that takes what is too large for a result; "": such a job fails */
    uint64_t timeout_ms;     /* it is stopped then; 0: never */
    const char *environment; /* NAME=VALUE texts behind each other */
    const char *end;         /* behind the last of them */
} rm_shell_request_t;

typedef struct {
    uint32_t exit;         /* its exit status; 0 if a signal ended it */
    uint32_t signal;       /* 0: none ended it */
    bool timed_out;        /* it was stopped at its time */
    uint64_t start_ms;     /* when it began, Unix time */
    uint64_t ran_ms;       /* for how long it ran */
    uint64_t stdout_bytes; /* it wrote */
    uint64_t stderr_bytes;
    rm_bytes_t host; /* where it ran, without white space */
    rm_bytes_t file; /* not empty: what it wrote is in `file`.out and `file`.err of the request's `spill` */
    rm_bytes_t out;  /* what it wrote to stdout, unless it is in a file */
    rm_bytes_t err;  /* likewise stderr */
} rm_shell_reply_t;

/* Appends the request's first four texts; then rm_shell_request_set as often as needed. Memory: look at `to->failed`. */
void rm_shell_request_begin (rm_buf_t *to, const char *directory, const char *command, const char *spill,
                             uint64_t timeout_ms);
void rm_shell_request_set (rm_buf_t *to, const char *name, const char *value);

/* Reads a request, which its strings alias; there must be a NUL behind `size`. NULL, or what is wrong as a sentence. */
const char *rm_shell_request_read (rm_shell_request_t *self, const char *data, size_t size);

/* The next NAME=VALUE, `*at` being NULL at first; NULL: no more. */
const char *rm_shell_request_next (const rm_shell_request_t *self, const char **at);

/* Appends the reply's line and its `out` and `err`. Memory: look at `to->failed`. */
void rm_shell_reply_write (const rm_shell_reply_t *self, rm_buf_t *to);

/* Reads a reply, which its strings alias. False: it is none. */
bool rm_shell_reply_read (rm_shell_reply_t *self, const char *data, size_t size);
