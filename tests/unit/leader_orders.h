/*  Orders to the leader of leader_fixture.h, and what it answers.
 *
 *  Thread rule: as there.
 */
#pragma once

#include <stdio.h>

#include "leader_fixture.h"

/* A leader whose state is of the newest format: without it there are no orders. */
static inline void orders_begin (void)
{
    state_format = RM_STATE_FORMAT;
    cluster_begin ();
    turn ();
}

static inline bool at (uint64_t id, const worker_t *worker)
{
    const rm_record_t *record = record_of (id);
    return rm_record_peer (record) && rm_record_peer (record) == peer_of (worker);
}

static inline void say_order (const char *what, uint64_t id, const char *queue, const char *text, uint32_t limit)
{
    rm_msg_t msg = {.type = RM_MSG_ORDER};
    rm_address_t from = {.size = 1, .data = "o"};
    msg.order = (rm_msg_order_t){rm_bytes (what), id, rm_bytes (queue), rm_bytes (text), limit};
    rm_leader_from_client (leader, now, &from, &msg);
}

static inline const rm_msg_t *answer_to_order (void)
{
    const rm_msg_type_t types[] = {RM_MSG_ANSWER, RM_MSG_ERROR, RM_MSG_BUSY};
    const rm_msg_t *answer = NULL;
    for (size_t i = 0; i < sizeof types / sizeof *types && !answer; i++)
        answer = sent ("o", types[i]);
    return answer;
}

/* The answer to an order, or the error, or that it must wait. */
static inline const rm_msg_t *ordered (const char *what, uint64_t id, const char *queue, const char *text)
{
    mark ();
    say_order (what, id, queue, text, 0);
    turn ();
    return answer_to_order ();
}

static inline const char *text_of (const rm_msg_t *msg)
{
    static char said[2048];
    cr_assert_not_null (msg);
    rm_bytes_t bytes = msg->type == RM_MSG_ANSWER  ? msg->answer.json
                       : msg->type == RM_MSG_ERROR ? msg->error.text
                                                   : msg->busy.text;
    snprintf (said, sizeof said, "%.*s", (int)bytes.size, (const char *)bytes.data);
    return said;
}

static inline const char *text_of_order (const char *what, uint64_t id, const char *queue, const char *text)
{
    return text_of (ordered (what, id, queue, text));
}

#define SAYS(answer, words)                                                                                            \
    do {                                                                                                               \
        const char *said_ = (answer);                                                                                  \
        cr_assert (strstr (said_, (words)), "'%s' does not say '%s'", said_, (words));                                 \
    } while (0)
