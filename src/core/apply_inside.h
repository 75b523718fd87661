/*  What the files that apply entries (core/apply*.c) say to each other. Nobody else includes this.
 *
 *  Thread rule: as state.h. Deterministic: nothing there may look at `lead` members.
 */
#pragma once

#include "core/entry.h"
#include "core/state.h"

#define TELL(self, event, ...)                                                                                         \
    do {                                                                                                               \
        if ((self)->listener.event)                                                                                    \
            (self)->listener.event ((self)->listener.arg __VA_OPT__ (, ) __VA_ARGS__);                                 \
    } while (0)

/* apply.c: ends a record that has not ended; and for that reason, 0 or RM_ENOMEM. */
void rm_apply_end (rm_state_t *self, rm_record_t *record, rm_outcome_t outcome);
int rm_apply_end_for (rm_state_t *self, rm_record_t *record, rm_outcome_t outcome, rm_bytes_t reason);

/* apply_order.c: what only format 2 has. Each 0 or RM_ENOMEM; what is no such entry is bad in the reader. */
int rm_apply_format (rm_state_t *self, rm_reader_t *reader);
int rm_apply_stop (rm_state_t *self, rm_reader_t *reader);
int rm_apply_kick (rm_state_t *self, rm_reader_t *reader);
int rm_apply_queue_set (rm_state_t *self, rm_reader_t *reader);
/* What a job that was just accepted asks for beyond the usual. */
int rm_apply_options (rm_state_t *self, rm_record_t *record, const rm_job_options_t *options);
/* A job that is to end so (rm_record_stops), and that no worker has any more, ends. */
int rm_apply_end_stopped (rm_state_t *self, rm_record_t *record);
