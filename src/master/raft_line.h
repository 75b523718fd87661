/*  One line between two masters: raft_transport.c has the list of them, raft_line.c the hello, raft_dial.c how one is opened
 *  from here, raft_reader.c what comes over one that was opened from outside.
 *
 *  from outside:  GREETING ──▶ SIZE ──▶ STATEMENT ──▶ OPEN ──▶ closed
 *  from here:     RESOLVING ──▶ CONNECTING ──▶ PROOF ──▶ SIZE ──▶ STATEMENT ──▶ libraft's, SHIPPING, or closed
 *
 *  Thread rule: the loop's thread.
 */
#pragma once

#include "master/raft_transport.h"

typedef enum {
    RM_RAFT_LINE_RESOLVING,
    RM_RAFT_LINE_CONNECTING,
    RM_RAFT_LINE_GREETING, /* those three: is waited for */
    RM_RAFT_LINE_PROOF,
    RM_RAFT_LINE_SIZE,
    RM_RAFT_LINE_STATEMENT,
    RM_RAFT_LINE_OPEN,
    RM_RAFT_LINE_SHIPPING
} rm_raft_line_stage_t;

typedef struct rm_raft_reader rm_raft_reader_t;

/* Needed for the hello only. */
typedef struct {
    rm_raft_hello_t hello;
    size_t got, wanted;
    uint8_t bytes[RM_RAFT_STATEMENT_BYTES_MAX]; /* that came */
} rm_raft_talk_t;

struct rm_raft_line {
    uv_tcp_t tcp; /* the first: libraft frees the whole through it */
    rm_raft_transport_t *transport;
    rm_raft_line_t *prev, *next; /* in the transport's list, newest last */
    rm_raft_line_stage_t stage;
    bool dialled; /* from here */
    bool closing;
    rm_raft_wish_t wish;
    uint64_t begun_ms;
    rm_raft_talk_t *talk;              /* until the hello is over */
    char where[RM_RAFT_PRINTED_BYTES]; /* the other's address, for the log */

    rm_raft_facts_t peer;     /* from outside, OPEN */
    rm_raft_reader_t *reader; /* the same */

    bool looking_up;                             /* from here: another thread looks up the name */
    uint64_t id;                                 /* from here: who is called */
    char address[RM_RAFT_ADDRESS_BYTES_MAX + 1]; /* and where */
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    uv_write_t write;
    uv_buf_t cargo[2];
    rm_raft_dialled_fn *done; /* NULL: was called */
    void *done_arg;
};

/* A new line in the list; NULL: memory ran out. */
rm_raft_line_t *rm_raft_line_new (rm_raft_transport_t *transport, bool dialled);

/* Closes it; the one who dialled must have been told. */
void rm_raft_line_close (rm_raft_line_t *self);

/* Takes it out of the list. */
void rm_raft_line_leave (rm_raft_line_t *self);

/* The rest of closing, once no other thread looks up its name. */
void rm_raft_line_shut (rm_raft_line_t *self);

/* Gives it up for that reason, and says so. */
void rm_raft_line_fail (rm_raft_line_t *self, int status, const char *reason);

/* Begins the hello on a connected line. */
void rm_raft_line_begin (rm_raft_line_t *self);

/* Tells the one who dialled. */
void rm_raft_line_tell (rm_raft_line_t *self, const rm_raft_dialled_t *result);

/* The verdict is RM_RAFT_WELCOME: sends the cargo, or gives the line to libraft. */
void rm_raft_line_use (rm_raft_line_t *self, const rm_raft_statement_t *statement);

/* Whether both of its ends are on this machine. */
bool rm_raft_line_is_local (const rm_raft_line_t *self);

/* Reads messages from now on; 0 or RM_ENOMEM. */
int rm_raft_reader_start (rm_raft_line_t *line);

/* Frees the line's reader, if it has one. */
void rm_raft_reader_free (rm_raft_line_t *line);
