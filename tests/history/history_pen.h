/*  A history as a file of lines, which a person can read and the judge reads again. Many processes write into one file,
 *  each event in one write, so that lines do not mix. US are microseconds of CLOCK_MONOTONIC, PID is whom it is about:
 *
 *      accepted  US PID WHO ID QUEUE/KEY SESSION:SEQ ENDS REASONS once|- BYTES
 *      outcome   US PID WHO ID done|dead|… ATTEMPT BYTES REASON…
 *      overtaken US PID WHO OLDER YOUNGER
 *      start     US PID WHO ID QUEUE/KEY TOKEN ATTEMPT [WORKER]      (the worker's PID, if PID is a child of it)
 *      end       US PID WHO ID QUEUE/KEY TOKEN ATTEMPT ok|failed|cancelled
 *      stop      US PID WHO                        it was stopped (SIGSTOP), and …
 *      cont      US PID WHO                        … went on
 *      slept     US PID WHO FROM                   it noticed that it had not been let run since FROM
 *      died      US PID WHO …
 *      cut       US 0 WHO                          nothing passes between it and the master, one way at least, …
 *      uncut     US 0 WHO                          … until now
 *      complaint US PID WHO TEXT…                  a fault that WHO has found by itself
 *      # …                                         whatever helps to understand it
 *
 *  Without a key: - for QUEUE/KEY; without bytes: - for BYTES. ENDS are numbers of outcomes, may_end as a sum; REASONS are
 *  may_die_of.
 *  Thread rule: any thread.
 */
#pragma once

#include "history.h"

typedef struct {
    int fd;
    const char *who;
} history_pen_t;

uint64_t history_now_us (void);

/* 0, or -1 with errno. `who` lives as long as the pen. The file is appended to. */
int history_pen_open (history_pen_t *self, const char *path, const char *who);
/* A line, in one write; ends the process if that fails, since nothing after it could be judged. */
void history_pen_write (const history_pen_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

void history_pen_accepted (const history_pen_t *self, const history_job_t *job);
void history_pen_outcome (const history_pen_t *self, const history_outcome_t *outcome);
void history_pen_overtaken (const history_pen_t *self, uint64_t older, uint64_t younger);
void history_pen_complaint (const history_pen_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
