/*  Real processes for tests and benchmarks: started, waited for, killed, and never left behind.
 *
 *  A process dies with its starter (PR_SET_PDEATHSIG), leads a group of its own, has its stderr in a log file and its
 *  stdout in a pipe that is read line by line. What goes wrong in a test's own machinery ends the test: the message, the
 *  logs' tails, exit 99.
 *  Thread rule: one thread; harness_fail and the times in any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct process process_t;

/* A fresh directory below $TMPDIR or /tmp; removed at exit unless the process ends with an error. Lives as long as the
 * process. */
const char *scratch_dir (void);
/* Before the first use: below /dev/shm instead, if there is room and $TMPDIR says nothing else. A master stops when its
 * disk takes two seconds to write, as a shared one may; what a killed process has written is kept either way. */
void scratch_in_memory (void);
/* From now on the scratch directory stays, for a person to look at. */
void scratch_keep (void);

/* `name` names the log, DIR/name.log (appended to); `environment` are "NAME=value" strings on top of ours, ends in NULL
 * or is NULL. argv[0] is a path. */
process_t *process_start (const char *name, char *const argv[], char *const environment[]);
/* The same, and the child calls `enter` before it becomes the program (to go into a namespace, say); it must not return
 * if that fails. NULL: nothing. */
process_t *process_start_in (const char *name, char *const argv[], char *const environment[], void (*enter) (void *arg),
                             void *arg);

/* Waits for a line of its stdout that begins with `prefix`; the line lives until the next call for this process.
 * NULL after `timeout_ms`, or when stdout has ended. */
const char *process_line (process_t *self, const char *prefix, int timeout_ms);

/* Waits until its log has a line with `text` after the line that was found last; what the log held before this process
 * began does not count. False after `timeout_ms`. */
bool process_logged (process_t *self, const char *text, int timeout_ms);

pid_t process_pid (const process_t *self);
bool process_alive (process_t *self);
/* Sends a signal to the process alone. */
void process_signal (process_t *self, int signal);
/* Waits until it has ended; its wait status, -1 after `timeout_ms`. */
int process_wait (process_t *self, int timeout_ms);
/* Kills its group if it still lives, waits, frees; nulls the pointer, takes NULL. */
void process_destroy (process_t **self_p);

/* The same for all there are; pointers to them are dangling afterwards. */
void process_destroy_all (void);

/* Prints the tails of all logs on stderr. */
void print_logs (void);
/* Says what broke, prints the logs and exits 99; the scratch directory stays. */
void harness_fail (const char *format, ...) __attribute__ ((format (printf, 1, 2), noreturn));

/* Monotonic. */
uint64_t time_ms (void);
void sleep_ms (int ms);

/* The first of `count` consecutive ports of 127.0.0.1 that are free now. */
int free_ports (int count);
