/*  Several ledgers, each in a process of its own, as the tests of a group use them. A process shares a page with the test: it
 *  writes down there what it sees, before it does anything else with it, so that what was acknowledged is known even if it is
 *  killed the moment after. Addresses are on 127/8, another one for each test's process.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/raft_ledger.h"

enum { SEATS_MAX = 6, SAID_BYTES = 16 << 10 };

typedef enum {
    SEAT_REST,
    SEAT_ADD,
    SEAT_REMOVE,
    SEAT_TRANSFER,
    SEAT_UPGRADE,
    SEAT_BACKUP,
    SEAT_BOTH,
    SEAT_SPOIL,
    SEAT_STOP,
    SEAT_QUIT
} seat_verb_t;

/* What a process and the test share. */
typedef struct {
    /* written by the process */
    volatile bool leader, quorum, seeking, done;
    volatile int started; /* what rm_ledger_start answered; 1: not yet */
    volatile uint64_t state, digest, term, restored, snapshots, sent, leader_id, unknown, settled;
    volatile uint64_t acked;    /* the newest batch that was settled with 0 */
    volatile uint64_t answered; /* the last question that was answered */
    volatile int answer;        /* and how */
    volatile size_t member_count;
    volatile uint64_t format, verified, generation;
    volatile uint64_t lines, slow_lines; /* TCP connections, and those of them without TCP_NODELAY */
    char leader_address[RM_LEDGER_ADDRESS_BYTES];
    rm_ledger_member_t members[RM_LEDGER_MEMBERS_MAX];
    volatile uint8_t cluster[RM_LEDGER_CLUSTER_BYTES];
    char failure[2048];
    char said[SAID_BYTES]; /* lines */

    /* written by the test */
    volatile uint64_t load; /* bytes of the batches that it is to propose, without end, while it leads; 0: none */
    volatile uint64_t asked;
    seat_verb_t verb;
    uint64_t id;
    char text[PATH_MAX];
} seat_page_t;

/* A master. */
typedef struct {
    uint64_t id;
    char address[RM_LEDGER_ADDRESS_BYTES];
    char dir[PATH_MAX];
    pid_t pid; /* 0: none */
    seat_page_t *page;
} seat_t;

/* Those of one test. */
typedef struct {
    seat_t seats[SEATS_MAX];
    size_t listed;               /* the first of them are in the list of peers */
    uint64_t formats[SEATS_MAX]; /* that each reads; 0: the newest */
    rm_ledger_config_t config;   /* of all; dir, id, address and peers are filled in */
    uint64_t filler;             /* bytes in each snapshot */
    bool listens;                /* a group of one listens, too */
} group_t;

/* Makes the directories; nothing runs. Seat i has the id i + 1. */
void group_init (group_t *self, size_t listed);

/* Kills what runs and removes the directories. */
void group_close (group_t *self);

/* Starts a process; with peers from the list, or (alone) without. */
void seat_start (group_t *self, size_t seat);

/* Kills it, and waits until it is gone. */
void seat_kill (group_t *self, size_t seat);

/* Has it close its ledger and leave; fails the test if it does not. */
void seat_quit (group_t *self, size_t seat);

/* Empties its directory. */
void seat_wipe (group_t *self, size_t seat);

/* Starts the first `listed` ones, and waits until one of them leads. Which. */
size_t group_start (group_t *self);

/* Waits until one leads and has a quorum; which. */
size_t group_leader (group_t *self);

/* Waits until that claim holds; fails the test after `limit_ms`, telling what it waited for. */
#define WAIT_FOR(claim, limit_ms)                                                                                      \
    do {                                                                                                               \
        uint64_t until_ = group_now_ms () + (limit_ms);                                                                \
        while (!(claim) && group_now_ms () < until_)                                                                   \
            group_rest ();                                                                                             \
        if (!(claim))                                                                                                  \
            group_tell ();                                                                                             \
        cr_assert (claim, "after %d ms", (int)(limit_ms));                                                             \
    } while (0)

uint64_t group_now_ms (void);
void group_tell (void); /* prints what all of them are like */
void group_rest (void); /* 2 ms */
void group_pass (unsigned ms);

/* Asks a process to change the group, again while it is busy with another change; what `done` or the verb itself answered. */
int seat_ask (group_t *self, size_t seat, seat_verb_t verb, uint64_t id, const char *text);

/* Asks whoever leads, and the next one if that is another one meanwhile. */
int group_change (group_t *self, seat_verb_t verb, uint64_t id, const char *text);

/* Whether that master votes, as whoever leads knows it. */
bool group_votes (group_t *self, uint64_t id);

/* Lets whoever leads propose batches of that size; 0: no more. */
void group_load (group_t *self, uint64_t bytes);

/* The newest batch that any of them acknowledged, ever. */
uint64_t group_acked (const group_t *self);

/* Waits until those who run and are no strangers have the same state, that of at least batch `least`. */
void group_agree (group_t *self, uint64_t least);

/* Whether it said something with that in it. */
bool seat_said (const group_t *self, size_t seat, const char *text);
