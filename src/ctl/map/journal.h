/*  What makes a map resumable: a file that says, before anything is submitted, under which number it is, then which jobs it
 *  became, and how each command ended.
 *
 *      map 1 WHERE                                  the masters it was submitted to
 *      submit SESSION NAME...                       about to be submitted, in one message (rm_client_session)
 *      accepted ID...                               the last ones are these jobs
 *      refused                                      the last ones are none
 *      again NAME TRIES                             so many tries of it have failed: it waits
 *      ended NAME EXIT SIGNAL START RAN RECEIVED HOST
 *
 *  Who is killed between `submit` and `accepted` sends the same once more when it is run again: the master takes it for the
 *  same request. Who is killed after that waits for the jobs. A line that was torn is as if it had not been written.
 *  A submit is synced to the disk before it is sent, and with it all before; so a machine that loses its power loses at most
 *  outcomes, which the master still knows.
 *  Thread rule: one thread; one process a file, which is locked. In-place struct.
 */
#pragma once

#include "ctl/map/plan.h"

enum { RM_MAP_SESSION_BYTES = 128 };

typedef struct {
    int fd;               /* -1: there is no journal, and nothing is written */
    rm_map_job_t **ended; /* by an earlier run, in the order in which they did; owned */
    size_t ended_count;
    char session[RM_MAP_SESSION_BYTES]; /* what was about to be submitted when an earlier run ended; "": nothing */
    rm_map_job_t **pending;             /* … namely these; owned */
    size_t pending_count;
    bool in_doubt; /* it was more than this plan has: it cannot be sent again, and may have run */
} rm_map_journal_t;

/* Opens the file at `path`, makes it if it is not there, and tells the plan's jobs what it says of them. 0, RM_ESTATE
 * (another process has it), RM_ECONFLICT (it is of other masters than `where`), RM_ECORRUPT, RM_EIO, each with a sentence;
 * RM_ENOMEM. */
int rm_map_journal_open (rm_map_journal_t *self, const char *path, const char *where, rm_map_plan_t *plan,
                         rm_fault_t *fault);
void rm_map_journal_close (rm_map_journal_t *self);

/* Each writes a line: 0, or RM_EIO with a sentence. */
int rm_map_journal_submit (rm_map_journal_t *self, const char *session, rm_map_job_t *const *jobs, size_t count,
                           rm_fault_t *fault);
int rm_map_journal_accepted (rm_map_journal_t *self, const uint64_t *ids, size_t count, rm_fault_t *fault);
int rm_map_journal_refused (rm_map_journal_t *self, rm_fault_t *fault);
int rm_map_journal_again (rm_map_journal_t *self, const rm_map_job_t *job, rm_fault_t *fault);
int rm_map_journal_ended (rm_map_journal_t *self, const rm_map_job_t *job, rm_fault_t *fault);
