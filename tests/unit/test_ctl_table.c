/*  Tables that fit their terminal: how wide text is, which column is cut first, and where there is colour. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/show/table.h"

static const rm_ctl_paper_t pipe_paper = {.utf8 = true};

/* A table of two workers, written on paper of so many columns; until the next call. */
static const char *written (rm_ctl_paper_t paper)
{
    static char *text;
    size_t size;
    free (text);
    FILE *out = open_memstream (&text, &size);
    rm_ctl_table_t *table = rm_ctl_table_new ("WORKER|STATE|--QUEUES|->THREADS|>DONE");
    rm_ctl_table_cell (table, "w1");
    rm_ctl_table_state (table, "live");
    rm_ctl_table_cell (table, "echo, mail, pictures");
    rm_ctl_table_cell (table, "%d", 8);
    rm_ctl_table_cell (table, "%d", 1005);
    rm_ctl_table_cell (table, "a-long-worker");
    rm_ctl_table_state (table, "dead");
    rm_ctl_table_cell (table, "echo");
    rm_ctl_table_cell (table, "%d", 4);
    rm_ctl_table_cell (table, "-");
    rm_ctl_table_write (table, &paper, out);
    rm_ctl_table_destroy (&table);
    fclose (out);
    return text;
}

Test (ctl_table, without_a_terminal_nothing_is_cut_and_nothing_is_coloured)
{
    cr_assert_str_eq (written (pipe_paper), "WORKER         STATE  QUEUES                THREADS  DONE\n"
                                            "w1             live   echo, mail, pictures        8  1005\n"
                                            "a-long-worker  dead   echo                        4     -\n");
}

Test (ctl_table, the_least_important_column_is_cut_first)
{
    cr_assert_str_eq (written ((rm_ctl_paper_t){.columns = 50, .utf8 = true}),
                      "WORKER         STATE  QUEUES         THREADS  DONE\n"
                      "w1             live   echo, mail, …        8  1005\n"
                      "a-long-worker  dead   echo                 4     -\n");
    cr_assert_str_eq (written ((rm_ctl_paper_t){.columns = 50}),
                      "WORKER         STATE  QUEUES         THREADS  DONE\n"
                      "w1             live   echo, mail, ~        8  1005\n"
                      "a-long-worker  dead   echo                 4     -\n");
}

Test (ctl_table, then_the_others_and_then_columns_are_left_out)
{
    cr_assert_str_eq (written ((rm_ctl_paper_t){.columns = 42, .utf8 = true}),
                      "WORKER      STATE  QUEUES    THREADS  DONE\n"
                      "w1          live   echo, m…        8  1005\n"
                      "a-long-wo…  dead   echo            4     -\n");
    cr_assert_str_eq (written ((rm_ctl_paper_t){.columns = 31}), "WORKER    STATE  THREADS  DONE\n"
                                                                 "w1        live         8  1005\n"
                                                                 "a-long-~  dead         4     -\n");
    cr_assert_str_eq (written ((rm_ctl_paper_t){.columns = 1}), "WORKER    STATE  DONE\n"
                                                                "w1        live   1005\n"
                                                                "a-long-~  dead      -\n");
}

Test (ctl_table, no_line_is_wider_than_the_terminal_while_it_can_be_helped)
{
    for (size_t columns = 21; columns < 70; columns++) {
        const char *text = written ((rm_ctl_paper_t){.columns = columns, .utf8 = true});
        for (const char *line = text; *line; line += strcspn (line, "\n") + 1) {
            char one[256];
            snprintf (one, sizeof one, "%.*s", (int)strcspn (line, "\n"), line);
            cr_assert_leq (rm_ctl_width (one), columns, "%zu columns: %s", columns, one);
        }
    }
}

Test (ctl_table, states_and_the_head_are_tinted_where_there_is_colour)
{
    const char *text = written ((rm_ctl_paper_t){.columns = 80, .colour = true});
    cr_assert (strstr (text, "\033[1mWORKER       \033[0m  "), "%s", text);
    cr_assert (strstr (text, "\033[32mlive \033[0m  "), "%s", text);
    cr_assert (strstr (text, "\033[31mdead \033[0m  "), "%s", text);
}

Test (ctl_table, a_table_without_rows_is_nothing)
{
    char *text;
    size_t size;
    FILE *out = open_memstream (&text, &size);
    rm_ctl_table_t *table = rm_ctl_table_new ("A|>B");
    rm_ctl_table_write (table, &pipe_paper, out);
    rm_ctl_table_destroy (&table);
    fclose (out);
    cr_assert_eq (size, 0);
    free (text);
}

Test (ctl_text, wide_letters_take_two_columns_and_marks_none)
{
    cr_assert_eq (rm_ctl_width (""), 0);
    cr_assert_eq (rm_ctl_width ("größe"), 5);
    cr_assert_eq (rm_ctl_width ("e\u0301"), 1);
    cr_assert_eq (rm_ctl_width ("漢字"), 4);
    cr_assert_eq (rm_ctl_width ("a\xff\xc3"), 3, "what is no UTF-8 counts byte by byte");
}

Test (ctl_text, no_letter_is_cut_in_two)
{
    cr_assert_eq (rm_ctl_fitting ("größe", 3), strlen ("grö"));
    cr_assert_eq (rm_ctl_fitting ("漢字", 3), strlen ("漢"));
    cr_assert_eq (rm_ctl_fitting ("e\u0301x", 1), strlen ("e\u0301"), "the mark belongs to its letter");
    cr_assert_eq (rm_ctl_fitting ("abc", 0), 0);
    cr_assert_eq (rm_ctl_fitting ("abc", 9), 3);
}

static const char *put (const char *said, size_t columns, bool right)
{
    static char text[64];
    FILE *out = fmemopen (memset (text, 0, sizeof text), sizeof text, "w");
    rm_ctl_put (out, &pipe_paper, said, columns, right);
    fclose (out);
    return text;
}

Test (ctl_text, it_is_filled_or_cut_to_its_room)
{
    cr_assert_str_eq (put ("ab", 4, false), "ab  ");
    cr_assert_str_eq (put ("ab", 4, true), "  ab");
    cr_assert_str_eq (put ("abcdef", 4, false), "abc…");
    cr_assert_str_eq (put ("漢字漢字", 4, false), "漢… ", "half of a wide letter is a blank");
    cr_assert_str_eq (put ("ab", 1, false), "…");
    cr_assert_str_eq (put ("ab", 0, false), "");
}

Test (ctl_text, what_a_terminal_obeys_is_replaced)
{
    char text[] = "a\033[2J\tb\302\233c\177\n";
    rm_ctl_mask (text, true);
    cr_assert_str_eq (text, "a?[2J\tb??c?\n");
    rm_ctl_mask (text, false);
    cr_assert_str_eq (text, "a?[2J?b??c??");
}

Test (ctl_text, times_and_sizes_are_for_people)
{
    char text[64];
    cr_assert_str_eq (rm_ctl_time_text (-1, text, sizeof text), "-");
    cr_assert_str_eq (rm_ctl_time_text (999, text, sizeof text), "999 ms");
    cr_assert_str_eq (rm_ctl_time_text (192000, text, sizeof text), "3 min 12 s");
    cr_assert_str_eq (rm_ctl_time_text (90061000, text, sizeof text), "1 d 1 h");
    cr_assert_str_eq (rm_ctl_bytes_text (1023, text, sizeof text), "1023 B");
    cr_assert_str_eq (rm_ctl_bytes_text (1363149, text, sizeof text), "1.3 MiB");
}
