/*  A ring in one line: whose most slots are, and blocks of colour only where there is colour. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/show/picture.h"
#include "proto/limits.h"

static const char *picture (rm_ctl_paper_t paper, const char *ranges)
{
    static char *text;
    size_t size;
    char json[1024];
    snprintf (json, sizeof json, "{\"members\":[{\"name\":\"w1\"},{\"name\":\"w2\"}],\"ranges\":%s}", ranges);
    json_t *pool = json_loads (json, 0, NULL);
    cr_assert_not_null (pool);
    free (text);
    FILE *out = open_memstream (&text, &size);
    rm_ctl_picture_put (out, &paper, pool);
    fclose (out);
    json_decref (pool);
    return text;
}

static const rm_ctl_paper_t narrow = {.columns = 8};

Test (ctl_picture, a_letter_is_whose_most_of_its_slots_are)
{
    cr_assert_str_eq (picture (narrow, "[[0,8191,\"w1\"],[8192,16383,\"w2\"]]"), "AAAABBBB\n");
    cr_assert_str_eq (picture (narrow, "[[0,1023,\"w1\"],[1024,16383,\"w2\"]]"), "ABBBBBBB\n",
                      "half and half: the first");
    cr_assert_str_eq (picture (narrow, "[[0,1000,\"w1\"],[1001,16383,\"w2\"]]"), "BBBBBBBB\n");
}

Test (ctl_picture, what_is_nobodys_is_a_dot)
{
    cr_assert_str_eq (picture (narrow, "[]"), "........\n");
    cr_assert_str_eq (picture (narrow, "[[0,4095,\"\"],[4096,8191,\"w9\"],[8192,16383,\"w2\"]]"), "....BBBB\n");
}

Test (ctl_picture, ranges_that_cannot_be_do_no_harm)
{
    cr_assert_str_eq (picture (narrow, "[[-5,99999999,\"w1\"],[7,3,\"w2\"],7,[],[\"x\"]]"), "AAAAAAAA\n");
}

Test (ctl_picture, without_a_terminal_it_has_64_columns)
{
    cr_assert_eq (strlen (picture ((rm_ctl_paper_t){0}, "[[0,16383,\"w1\"]]")), 64 + 1);
}

Test (ctl_picture, blocks_are_coloured_where_there_is_colour)
{
    rm_ctl_paper_t paper = {.columns = 2, .colour = true};
    cr_assert_str_eq (picture (paper, "[[0,8191,\"w1\"],[8192,16383,\"w2\"]]"),
                      "\033[30;41mA\033[0m\033[30;42mB\033[0m\n");
    cr_assert_str_eq (picture (paper, "[]"), "..\n");
}

Test (ctl_picture, letters_run_out_after_52)
{
    cr_assert_eq (rm_ctl_picture_letter (0), 'A');
    cr_assert_eq (rm_ctl_picture_letter (51), 'z');
    cr_assert_eq (rm_ctl_picture_letter (52), '*');
}
