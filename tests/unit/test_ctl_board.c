/*  What top shows: rates between two answers, the order of rows, bars, and a window that stays on its lines. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/show/board.h"

static rm_board_t board;
static const rm_ctl_paper_t wide = {.columns = 120};

static void begin (void)
{
    rm_board_init (&board);
}

static void end (void)
{
    rm_board_close (&board);
}

TestSuite (board, .init = begin, .fini = end);

/* An answer after `done` jobs of the queue a, with one and ten waiting in a and b. */
static void take (long done, uint64_t now_ms)
{
    json_t *status =
        json_pack ("{s:i, s:i, s:b, s:i, s:{s:i, s:i, s:i, s:i, s:i}, s:[{s:s, s:i, s:i, s:i, s:i}, "
                   "{s:s, s:i, s:i, s:i, s:i}]}",
                   "term", 2, "epoch", 5, "leader", 1, "uptime_ms", 65000, "jobs", "waiting", 11, "running", 1, "done",
                   (int)done + 3, "dead", 0, "accepted", 500, "queues", "name", "a", "waiting", 1, "running", 1, "done",
                   (int)done, "dead", 0, "name", "b", "waiting", 10, "running", 0, "done", 3, "dead", 0);
    json_t *workers = json_pack ("{s:[{s:s, s:s, s:i, s:i, s:i}]}", "workers", "name", "w1", "inc", "aa", "inflight", 2,
                                 "threads", 4, "done", (int)done);
    cr_assert (status && workers);
    rm_board_take (&board, status, workers, NULL, now_ms);
}

/* … with two jobs that say how far they are. */
static void take_progress (void)
{
    take (100, 1000);
    json_t *status = json_incref (board.status), *workers = json_incref (board.workers);
    json_t *progress = json_pack ("{s:[{s:i, s:s, s:s, s:i, s:i, s:s}, {s:i, s:s, s:s, s:i, s:i, s:s}]}", "jobs", "id",
                                  12, "queue", "a", "worker", "w1", "age_ms", 2000, "permille", 420, "note", "page 5",
                                  "id", 7, "queue", "b", "worker", "w1", "age_ms", 3000, "permille", 1000, "note", "");
    cr_assert (progress);
    rm_board_take (&board, status, workers, progress, 2000);
}

static const char *draw (size_t rows, uint64_t now_ms)
{
    static char text[8192];
    *text = 0;
    rm_board_draw (&board, &wide, rows, now_ms);
    for (size_t i = 0; i < board.line_count; i++) {
        strcat (text, board.lines[i].text);
        strcat (text, "\n");
    }
    return text;
}

static bool shows (const char *words)
{
    return strstr (draw (24, 9000), words);
}

Test (board, without_an_answer_it_is_tried)
{
    rm_board_miss (&board);
    cr_assert_str_eq (strtok ((char *)draw (24, 1000), "\n"), "no master, trying");
}

Test (board, rates_are_counted_between_two_answers)
{
    take (100, 1000);
    cr_assert (shows ("rates    - accepted/s, - done/s"), "one answer makes no rate: %s", draw (24, 1000));
    take (150, 2000);
    cr_assert (shows ("rates    0.0 accepted/s, 50 done/s, 0.0 dead/s"), "%s", draw (24, 2000));
    take (150, 3000);
    cr_assert (shows (" 25 done/s"), "over both seconds: %s", draw (24, 3000));
}

Test (board, an_old_answer_does_not_count_for_ever)
{
    take (0, 1000);
    for (uint64_t now_ms = 2000; now_ms <= 20000; now_ms += 1000)
        take (1000, now_ms);
    cr_assert (shows (" 0.0 done/s"), "%s", draw (24, 20000));
}

Test (board, what_is_counted_anew_has_no_rate)
{
    take (100, 1000);
    take (7, 2000);
    cr_assert (shows ("0.0 accepted/s, - done/s"), "%s", draw (24, 2000));
}

Test (board, a_master_that_is_gone_is_said_and_the_numbers_stay)
{
    take (100, 1000);
    cr_assert (shows ("master   leader, term 2, epoch 5, up 1 min 5 s\n"));
    rm_board_miss (&board);
    cr_assert (shows ("no master, trying; what is below is 8 s old\n"));
    cr_assert_eq (board.lines[0].tint, RM_TINT_BAD);
    cr_assert (shows ("11 queued, 1 running"));
    take (100, 9000);
    cr_assert (shows ("master   leader"));
}

Test (board, what_is_no_object_is_no_answer)
{
    rm_board_take (&board, json_array (), NULL, json_object (), 1000);
    cr_assert_not (board.answers);
    cr_assert (shows ("no master, trying\n"));
}

Test (board, jobs_that_say_how_far_they_are_stand_below_the_oldest_first)
{
    take (100, 1000);
    cr_assert (!shows ("PROGRESS"), "none does: %s", draw (24, 1000));
    take_progress ();
    const char *text = draw (24, 2000), *old = strstr (text, "  7  [||||||||||]  b      w1      3 s  100.0 %\n");
    const char *young = strstr (text, " 12  [||||      ]  a      w1      2 s  42.0 %, page 5\n");
    cr_assert (old && young && old < young, "%s", text);
    take (100, 3000);
    cr_assert (!shows ("PROGRESS"), "they have ended: %s", draw (24, 3000));
}

/* The queues in the order in which they are shown. */
static const char *order (void)
{
    const char *text = draw (24, 9000), *a = strstr (text, "\na "), *b = strstr (text, "\nb ");
    cr_assert (a && b);
    return a < b ? "a b" : "b a";
}

Test (board, rows_are_sorted_by_load_rate_and_name)
{
    take (100, 1000);
    take (150, 2000);
    cr_assert_str_eq (order (), "b a", "the fullest first");
    board.sort = RM_BOARD_BY_RATE;
    cr_assert_str_eq (order (), "a b", "the fastest first");
    board.sort = RM_BOARD_BY_NAME;
    cr_assert_str_eq (order (), "a b");
}

Test (board, bars_show_shares)
{
    take (100, 1000);
    cr_assert (shows ("\nb      [||||||||||]"), "%s", draw (24, 1000));
    cr_assert (shows ("\na      [||        ]"));
    cr_assert (shows ("\nw1      [|||||     ]"));
    char text[16];
    rm_board_bar (text, sizeof text, 1, 1000000, 6);
    cr_assert_str_eq (text, "[|   ]", "something is not nothing");
    rm_board_bar (text, sizeof text, 9, 3, 6);
    cr_assert_str_eq (text, "[||||]");
    rm_board_bar (text, sizeof text, 0, 3, 6);
    cr_assert_str_eq (text, "[    ]");
    rm_board_bar (text, sizeof text, -1, -1, 6);
    cr_assert_str_eq (text, "[    ]");
}

Test (board, the_window_stays_on_its_lines)
{
    take (100, 1000);
    draw (8, 1000); /* five lines of head, three of the tables' six */
    size_t most = board.line_count - 8;
    rm_board_scroll (&board, 1, 8);
    cr_assert_eq (board.scroll, 1);
    rm_board_scroll (&board, 1000, 8);
    cr_assert_eq (board.scroll, most);
    draw (100, 1000);
    cr_assert_eq (board.scroll, 0, "all of it fits now");
    rm_board_scroll (&board, -5, 100);
    cr_assert_eq (board.scroll, 0);
    draw (1, 1000);
    rm_board_scroll (&board, 1000, 1);
    cr_assert_lt (board.scroll, board.line_count);
}

Test (board, help_and_pause_are_said)
{
    take (100, 1000);
    board.paused = true;
    cr_assert (shows ("   PAUSED\n"));
    board.help = true;
    cr_assert (shows ("s            sort by load") && !shows ("QUEUE"));
}

Test (board, no_line_is_wider_than_the_terminal)
{
    take_progress ();
    for (size_t columns = 60; columns < 130; columns++) {
        rm_ctl_paper_t paper = {.columns = columns};
        rm_board_draw (&board, &paper, 24, 1000);
        for (size_t i = RM_BOARD_HEAD; i < board.line_count; i++)
            cr_assert_leq (rm_ctl_width (board.lines[i].text), columns, "%zu columns: %s", columns,
                           board.lines[i].text);
    }
}
