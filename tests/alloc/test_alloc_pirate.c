/*  A client's half without memory: a request ends with RM_ENOMEM, and the same one again goes on under its number. */
#include "sweep.h"

#include <string.h>

#include "core/pirate.h"
#include "ringmaster/error.h"

static rm_pirate_t pirate;
static rm_pirate_effects_t effects;
static uint64_t now_ms;
static uint64_t seqs[8], sent; /* the numbers of the submits that were sent */

static void step (rm_pirate_event_type_t type, const rm_msg_t *msg)
{
    static const rm_session_id_t spare = {{2}};
    rm_pirate_event_t event = {
        .type = type, .msg = msg, .deadline_ms = now_ms + 60000, .silence_ms = RM_PIRATE_FOREVER, .spare = &spare};
    memory_counts (true);
    rm_pirate_step (&pirate, &event, now_ms, 12345, &effects);
    memory_counts (false);
    if (!effects.send)
        return;
    rm_msg_t seen;
    cr_assert_eq (rm_msg_decode (&seen, effects.frame.data, effects.frame.size, NULL), 0);
    if (seen.type == RM_MSG_SUBMIT)
        seqs[sent++ % 8] = seen.submit.jobs[0].seq;
    rm_msg_close (&seen);
}

/* The request ended for want of memory: once there is some, it begins anew. */
static void begin (const rm_msg_t *request)
{
    step (RM_PIRATE_BEGIN, request);
    if (!effects.ended)
        return;
    cr_assert_eq (effects.error, RM_ENOMEM);
    cr_assert (memory_failed () && *rm_pirate_text (&pirate));
    memory_returns ();
    step (RM_PIRATE_BEGIN, request);
    cr_assert (effects.send);
}

static void live (void)
{
    static const char *const masters[] = {"tcp://a:1", "tcp://b:1"};
    static const rm_session_id_t session = {{1}};
    rm_submit_job_t job = {.queue = rm_bytes ("q"), .data = rm_bytes ("payload")};
    rm_msg_t submit = {.type = RM_MSG_SUBMIT}, reply = {.type = RM_MSG_BUSY};
    submit.submit = (rm_msg_submit_t){.jobs = &job, .job_count = 1};
    now_ms = 1000;
    sent = 0;
    memory_counts (true);
    int rc = rm_pirate_init (&pirate, masters, 2, &session, now_ms);
    if (rc) {
        cr_assert_eq (rc, RM_ENOMEM);
        memory_returns ();
        cr_assert_eq (rm_pirate_init (&pirate, masters, 2, &session, now_ms), 0);
    }
    memory_counts (false);
    begin (&submit);
    reply.busy = (rm_msg_busy_t){100, rm_bytes ("full")};
    step (RM_PIRATE_REPLY, &reply);
    now_ms = effects.until_ms;
    step (RM_PIRATE_TIME, NULL); /* sends again, into the frame it has */
    if (effects.ended)
        begin (&submit);
    rm_accepted_job_t accepted = {seqs[(sent - 1) % 8], 7};
    reply = (rm_msg_t){.type = RM_MSG_ACCEPTED};
    reply.accepted = (rm_msg_accepted_t){session, &accepted, 1};
    step (RM_PIRATE_REPLY, &reply);
    cr_assert (effects.ended && !effects.error);
    for (uint64_t i = 0; i < sent; i++)
        cr_assert_eq (seqs[i], 1, "one request, two numbers");
    rm_pirate_close (&pirate);
}

Test (alloc_pirate, a_request_that_had_no_memory_goes_on_under_its_number)
{
    sweep (live, 4);
}
