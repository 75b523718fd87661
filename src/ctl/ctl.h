/*  What the commands of ringctl share: what was said on the command line, the client, and how a command ends.
 *
 *  Each command is a function that prints what it was asked for on stdout, what went wrong on stderr in one sentence,
 *  and answers the exit code.
 *  Thread rule: one thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/options.h"
#include "ringmaster/client.h"

/* Exit codes; others script against them. */
enum {
    RM_CTL_DONE = 0,
    RM_CTL_FAILED = 1,      /* the work failed */
    RM_CTL_USAGE = 2,       /* wrong usage */
    RM_CTL_UNREACHABLE = 3, /* could not reach a master in time */
    RM_CTL_REFUSED = 4      /* busy, too big, not allowed, unknown */
};

enum {
    RM_CTL_PATIENCE_MS = 10000,       /* how long a master is looked for */
    RM_CTL_CHANGE_PATIENCE_MS = 30000 /* how long it may take to change the masters */
};

/* The command line. */
typedef struct {
    const char *master;  /* --master; NULL: the environment's, or the default */
    const char *project; /* --project, instead … */
    const char *catalog; /* … and where it is looked for; NULL: the environment's */
    bool json;           /* --json */
    const char *key;     /* submit */
    int64_t tries;
    const char *timeout;
    bool wait;
    bool follow; /* submit, wait */
    bool at_most_once;
    const char *id, *delay, *at, *deadline, *retry; /* submit */
    int64_t priority;
    const char *reason;                 /* bury */
    int64_t most;                       /* kick: jobs; peek: bytes; 0: as many as go into one message */
    const char *queue, *state, *worker; /* jobs: which; and their key */
    int64_t limit;                      /* jobs */
    int64_t count;                      /* watch: lines to print; 0: no end */
    bool until_commit;                  /* watch */
    const char *from;                   /* backup: the master; NULL: the one that leads */
} rm_ctl_said_t;

typedef struct {
    rm_ctl_said_t said;
    const rm_program_t *program; /* for what is wrong about the usage */
    const rm_command_t *command;
    char **arguments;
    size_t count;
    rm_client_t *client;
    const char *masters; /* where they were looked for … */
    int patience_ms;     /* … and for how long */
    bool noted;          /* it was said what a job waits for */
    bool several;        /* results are printed */
} rm_ctl_t;

/* The commands; each answers the exit code. */
int rm_ctl_submit (rm_ctl_t *self);
int rm_ctl_wait (rm_ctl_t *self);
int rm_ctl_status (rm_ctl_t *self);
int rm_ctl_workers (rm_ctl_t *self);
int rm_ctl_ring (rm_ctl_t *self);
int rm_ctl_queues (rm_ctl_t *self);
int rm_ctl_jobs (rm_ctl_t *self);
int rm_ctl_why (rm_ctl_t *self);
int rm_ctl_trace (rm_ctl_t *self);
int rm_ctl_peek (rm_ctl_t *self);
int rm_ctl_drain (rm_ctl_t *self);
int rm_ctl_cancel (rm_ctl_t *self);
int rm_ctl_bury (rm_ctl_t *self);
int rm_ctl_kick (rm_ctl_t *self);
int rm_ctl_pause (rm_ctl_t *self);
int rm_ctl_resume (rm_ctl_t *self);
int rm_ctl_queue (rm_ctl_t *self);
int rm_ctl_masters (rm_ctl_t *self);
int rm_ctl_master (rm_ctl_t *self);
int rm_ctl_watch (rm_ctl_t *self);
int rm_ctl_top (rm_ctl_t *self);
int rm_ctl_backup (rm_ctl_t *self);
int rm_ctl_map (rm_ctl_t *self);
extern const rm_option_t rm_ctl_map_options[];

/* Says on stderr how the client's last request failed; the exit code for `error`. */
int rm_ctl_fail (const rm_ctl_t *self, int error);

/* Says that an answer is none; the exit code. */
int rm_ctl_refuse_answer (void);
/* Shows an answer, or how there came to be none: as it came with --json, else by `show`. The exit code. */
int rm_ctl_show_answer (const rm_ctl_t *self, int error, const char *text, void (*show) (const json_t *answer));
/* Asks the master, and shows its answer. The exit code. */
int rm_ctl_ask (rm_ctl_t *self, const char *what, void (*show) (const json_t *answer));

/* True if curses knows the terminal that $TERM names. */
bool rm_ctl_terminal_known (void);

/* Says a sentence on stderr. */
void rm_ctl_say (const char *format, ...) __attribute__ ((format (printf, 1, 2)));

/* Does it to each job that was named, once all names are known to be ids; the worst exit code. Ends where no master is
 * reached: it would not be for the others either. */
int rm_ctl_each_job (rm_ctl_t *self, int (*act) (rm_ctl_t *self, uint64_t id));

/* Reads a number from 1; 0 after it has said that `text` is not `what`. */
uint64_t rm_ctl_number (const rm_ctl_t *self, const char *text, const char *what);
