/*  The pipelined client's deciding half: what is sent when, to whom, and how it ends. */
#include <criterion/criterion.h>

#include "core/rpc_window.h"
#include "ringmaster/error.h"

static rm_rpc_window_t window;
static rm_rpc_sent_t calls[4];
static rm_rpc_sent_t *call;
static int error;

static void init (void)
{
    static const char *const servers[] = {"tcp://127.0.0.1:1", "tcp://127.0.0.1:2"};
    cr_assert_eq (rm_rpc_window_init (&window, servers, 2, 0), 0);
}

static void fini (void)
{
    rm_rpc_window_close (&window);
}

TestSuite (rpc_window, .init = init, .fini = fini);

static rm_rpc_window_do_t next (uint64_t now_ms)
{
    return rm_rpc_window_next (&window, now_ms, 0, &call, &error);
}

static void add (int n, uint64_t deadline_ms, uint64_t now_ms)
{
    cr_assert_eq (rm_rpc_window_add (&window, &calls[n], deadline_ms, now_ms), 0);
}

/* Exactly this one is sent now. */
static void sends (int n, uint64_t now_ms)
{
    cr_assert_eq (next (now_ms), RM_RPC_WINDOW_SEND);
    cr_assert_eq (call, &calls[n]);
}

/* So many calls, in whichever order, and no more. */
static void all_are_sent (int count, uint64_t now_ms)
{
    for (; count; count--)
        cr_assert_eq (next (now_ms), RM_RPC_WINDOW_SEND);
    cr_assert_eq (next (now_ms), RM_RPC_WINDOW_WAIT);
}

Test (rpc_window, the_floor_is_below_the_oldest_call)
{
    cr_assert_eq (rm_rpc_window_floor (&window), 0);
    for (int n = 0; n < 3; n++)
        add (n, UINT64_MAX, 0);
    cr_assert_eq (rm_rpc_window_floor (&window), 0);
    rm_rpc_window_remove (&window, rm_rpc_window_find (&window, 2));
    cr_assert_eq (rm_rpc_window_floor (&window), 0, "the first is not answered");
    rm_rpc_window_remove (&window, rm_rpc_window_find (&window, 1));
    cr_assert_eq (rm_rpc_window_floor (&window), 2);
    rm_rpc_window_remove (&window, rm_rpc_window_find (&window, 3));
    cr_assert_eq (rm_rpc_window_floor (&window), 3);
    cr_assert_null (rm_rpc_window_find (&window, 3));
    cr_assert_eq (rm_rpc_window_deadline (&window), UINT64_MAX);
}

Test (rpc_window, an_unanswered_call_is_sent_again_after_a_time_that_grows)
{
    add (0, UINT64_MAX, 0);
    sends (0, 0);
    cr_assert_eq (next (0), RM_RPC_WINDOW_WAIT);
    cr_assert_eq (rm_rpc_window_deadline (&window), RM_LINE_INITIAL_MS);
    cr_assert_eq (next (RM_LINE_INITIAL_MS - 1), RM_RPC_WINDOW_WAIT);
    rm_line_heard (&window.line, 100); /* the server is there, and slow */
    sends (0, RM_LINE_INITIAL_MS);
    cr_assert_eq (rm_rpc_window_deadline (&window), 3 * RM_LINE_INITIAL_MS);
    cr_assert_not (window.ask, "something was heard of it");
}

Test (rpc_window, a_server_that_says_nothing_is_asked_and_then_left)
{
    add (0, UINT64_MAX, 0);
    add (1, UINT64_MAX, 0);
    all_are_sent (2, 0);
    cr_assert_not (window.ask);
    all_are_sent (2, 250);
    cr_assert (window.ask);
    cr_assert_eq (next (749), RM_RPC_WINDOW_WAIT);
    cr_assert_eq (next (750), RM_RPC_WINDOW_TURN);
    cr_assert_str_eq (rm_masters_current (&window.line.masters), "tcp://127.0.0.1:2");
    all_are_sent (2, 750);
}

Test (rpc_window, a_call_ends_at_its_deadline)
{
    add (0, 1000, 0);
    add (1, 100, 0);
    sends (0, 0);
    sends (1, 0);
    cr_assert_eq (rm_rpc_window_deadline (&window), 100);
    cr_assert_eq (next (100), RM_RPC_WINDOW_END);
    cr_assert_eq (call, &calls[1]);
    cr_assert_eq (error, RM_EUNREACHABLE, "nothing was heard");
    cr_assert_null (rm_rpc_window_find (&window, 2));
    rm_line_heard (&window.line, 200);
    sends (0, 250);
    cr_assert_eq (next (1000), RM_RPC_WINDOW_END);
    cr_assert_eq (error, RM_ETIMEDOUT, "the server is there");
}

Test (rpc_window, busy_waits_as_long_as_it_was_told)
{
    add (0, 5000, 0);
    sends (0, 0);
    rm_rpc_window_busy (&window, &calls[0], 700, rm_bytes ("full"), 10, 0);
    cr_assert_eq (next (709), RM_RPC_WINDOW_WAIT);
    sends (0, 710);
    rm_rpc_window_busy (&window, &calls[0], 60000, rm_bytes ("full"), 720, 0);
    cr_assert_eq (next (5000), RM_RPC_WINDOW_END);
    cr_assert_eq (error, RM_EBUSY);
    cr_assert_str_eq (window.line.words, "full");
}

Test (rpc_window, what_could_not_leave_is_tried_again_soon)
{
    add (0, UINT64_MAX, 0);
    sends (0, 0);
    rm_rpc_window_unsent (&window, &calls[0], 0);
    cr_assert_leq (rm_rpc_window_deadline (&window), 10);
    sends (0, 10);
}

Test (rpc_window, nothing_is_sent_again_after_the_time_for_which_servers_keep_replies)
{
    add (0, UINT64_MAX, 0);
    sends (0, 0);
    cr_assert_eq (next (RM_RPC_RESEND_MS), RM_RPC_WINDOW_END);
    cr_assert_eq (error, RM_ETIMEDOUT);
}
