/*  Ledger entries out of decisions: names, ids and incarnations from small worlds, so that entries meet each other.
 *
 *  Thread rule: none; an input belongs to its caller.
 */
#pragma once

#include <string.h>

#include "core/entry.h"
#include "core/settings.h"
#include "fuzz.h"

enum { FUZZ_INCS = 7, FUZZ_IDS = 24, FUZZ_SESSIONS = 4 };

/* Between 0 and 299 bytes of one filler, often around what a snapshot shares instead of copying. */
static inline rm_bytes_t fuzz_filler (fuzz_input_t *input)
{
    static char filler[300];
    static const uint16_t sizes[] = {0, 1, 9, 127, 128, 299};
    memset (filler, 'f', sizeof filler);
    return (rm_bytes_t){filler, sizes[fuzz_below (input, 6)]};
}

static inline rm_bytes_t fuzz_queue (fuzz_input_t *input)
{
    static const char *const names[] = {"bank", "mail", "video", "x"};
    return rm_bytes (names[fuzz_below (input, 4)]);
}

static inline rm_bytes_t fuzz_key (fuzz_input_t *input)
{
    static const rm_bytes_t keys[] = {{0}, {"", 0}, {"bob", 3}, {"eve", 3}, {"\0\xff", 2}, {0}};
    return keys[fuzz_below (input, 6)];
}

static inline rm_session_id_t fuzz_session (fuzz_input_t *input)
{
    return (rm_session_id_t){{(uint8_t)fuzz_below (input, FUZZ_SESSIONS), 0x5e}};
}

static inline uint64_t fuzz_inc (fuzz_input_t *input)
{
    return fuzz_below (input, FUZZ_INCS);
}

static inline uint64_t fuzz_id (fuzz_input_t *input)
{
    return fuzz_below (input, FUZZ_IDS);
}

static inline void fuzz_write_submit (fuzz_input_t *input, rm_buf_t *out)
{
    rm_submit_job_t jobs[3];
    uint32_t count = fuzz_below (input, 4);
    rm_session_id_t session = fuzz_session (input);
    uint64_t first = fuzz_below (input, 16), floor = fuzz_below (input, 12);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t how = fuzz_byte (input);
        jobs[i] = (rm_submit_job_t){.seq = first + i * (1 + (how & 1)),
                                    .queue = fuzz_queue (input),
                                    .key = fuzz_key (input),
                                    .data = fuzz_filler (input),
                                    .tries = how >> 1 & 3,
                                    .timeout_ms = how & 8 ? 500 : 0,
                                    .flags = how & 16 ? RM_JOB_AT_MOST_ONCE : 0};
        if (how & 32)
            jobs[i].options = (rm_job_options_t){.delay_ms = how & 1 ? 100 : 0,
                                                 .deadline_ms = how & 2 ? 1000 : 0,
                                                 .priority = how & 7,
                                                 .retry_delay_ms = how & 8,
                                                 .uid = how & 64 ? fuzz_queue (input) : (rm_bytes_t){0}};
    }
    rm_entry_format (out, 2);
    rm_entry_submit (out, &(rm_entry_submit_t){session, floor, jobs, count});
}

static inline void fuzz_write_completion (fuzz_input_t *input, rm_buf_t *out)
{
    rm_entry_done_t entry = {.id = fuzz_id (input), .inc = fuzz_inc (input), .attempt = fuzz_below (input, 5)};
    entry.verdict = fuzz_below (input, RM_VERDICT_INTERRUPTED + 1);
    entry.not_before_ms = fuzz_below (input, 3) * 1000;
    *(entry.verdict == RM_VERDICT_OK ? &entry.data : &entry.reason) = fuzz_filler (input);
    rm_entry_done (out, &entry);
}

static inline void fuzz_write_join (fuzz_input_t *input, rm_buf_t *out)
{
    static const char *const pools[] = {"blue", "green"};
    rm_bytes_t queues[3];
    rm_msg_join_t join = {.name = rm_bytes ("w"),
                          .inc = 1 + fuzz_inc (input),
                          .pool = rm_bytes (pools[fuzz_below (input, 2)]),
                          .queues = queues,
                          .queue_count = fuzz_below (input, 4),
                          .threads = fuzz_below (input, 4)};
    for (uint32_t i = 0; i < join.queue_count; i++)
        queues[i] = fuzz_queue (input);
    rm_entry_member_add (out, &join);
}

static inline void fuzz_write_removal (fuzz_input_t *input, rm_buf_t *out)
{
    uint64_t ids[4], inc = fuzz_inc (input);
    uint32_t count = fuzz_below (input, 5);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = fuzz_id (input);
    rm_entry_member_remove (out, &(rm_entry_remove_t){inc, ids, count});
}

/* The epoch is mostly the one that comes next: `*epoch` counts along. */
static inline void fuzz_write_resize (fuzz_input_t *input, rm_buf_t *out, uint64_t *epoch)
{
    uint64_t incs[2][FUZZ_INCS];
    uint32_t counts[2] = {0};
    uint8_t how = fuzz_byte (input);
    if (how & 1) {
        rm_entry_resize_commit (out, how & 2 ? *epoch : how >> 2);
        return;
    }
    for (uint64_t inc = 1; inc <= FUZZ_INCS; inc++) {
        uint32_t where = fuzz_below (input, 4);
        if (where < 3)
            incs[where == 2][counts[where == 2]++] = inc;
    }
    *epoch += how >> 1 & 7 ? 1 : 0;
    rm_entry_resize_begin (out, &(rm_entry_begin_t){*epoch, incs[0], counts[0], incs[1], counts[1]});
}

/* What people order; all of it is of the state's format 2. */
static inline void fuzz_write_order (fuzz_input_t *input, rm_buf_t *out)
{
    uint64_t id = fuzz_id (input);
    uint32_t which = fuzz_below (input, 6);
    rm_entry_format (out, 2);
    switch (fuzz_below (input, 4)) {
    case 0:
        break;
    case 1:
        rm_entry_stop (out, &(rm_entry_stop_t){id, RM_OUTCOME_DEAD + which / 2, which & 1, fuzz_filler (input)});
        break;
    case 2:
        rm_entry_kick (out, id);
        break;
    default:
        if (which < 2)
            rm_entry_queue_set (out, &(rm_entry_queue_set_t){fuzz_queue (input), RM_SETTING_ON_DEAD, which});
        else
            rm_entry_queue_set (out, &(rm_entry_queue_set_t){fuzz_queue (input), 5 + which % 3, 1001 + which});
        break;
    }
}

/* Writes an entry of any kind. */
static inline void fuzz_write_entry (fuzz_input_t *input, rm_buf_t *out, uint64_t *epoch)
{
    rm_session_id_t session;
    uint64_t id, inc;
    switch (fuzz_below (input, 20)) {
    default:
        fuzz_write_submit (input, out);
        break;
    case 4:
    case 5:
    case 6:
        fuzz_write_completion (input, out);
        break;
    case 7:
    case 8:
        id = fuzz_id (input), inc = fuzz_inc (input);
        rm_entry_start (out, &(rm_entry_start_t){id, inc});
        break;
    case 9:
        id = fuzz_id (input), inc = fuzz_inc (input);
        rm_entry_unstart (out, &(rm_entry_start_t){id, inc});
        break;
    case 10:
        id = fuzz_id (input);
        rm_entry_bury (out, &(rm_entry_bury_t){id, fuzz_filler (input)});
        break;
    case 11:
        fuzz_write_join (input, out);
        break;
    case 12:
        fuzz_write_removal (input, out);
        break;
    case 13:
        fuzz_write_resize (input, out, epoch);
        break;
    case 14:
        session = fuzz_session (input);
        rm_entry_session_expire (out, &session);
        break;
    case 15:
        id = fuzz_below (input, 5), inc = fuzz_below (input, 8);
        rm_entry_result_expire (out, &(rm_entry_expire_t){(uint32_t)id, (uint32_t)inc});
        break;
    case 3:
        rm_entry_lead (out);
        break;
    case 2:
        fuzz_write_order (input, out);
        break;
    }
}
