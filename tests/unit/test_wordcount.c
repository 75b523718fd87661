/*  The parts of the word count example: where a chunk ends no word is lost or doubled, and the fence lets each job add
 *  once.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chunks.h"
#include "totals.h"

static char folder[] = "/tmp/ringmaster-test-XXXXXX";

static void enter (void)
{
    cr_assert (mkdtemp (folder) && chdir (folder) == 0);
}

static void leave (void)
{
    char command[64];
    snprintf (command, sizeof command, "rm -r %s", folder);
    cr_assert (chdir ("/") == 0 && system (command) == 0);
}

TestSuite (words, .init = enter, .fini = leave);
TestSuite (totals, .init = enter, .fini = leave);

static void write_file (const char *name, const char *text, size_t size)
{
    FILE *file = fopen (name, "wb");
    cr_assert (file && fwrite (text, 1, size, file) == size && fclose (file) == 0);
}

static uint64_t count_of (const words_t *words, const char *text)
{
    word_t *word;
    HASH_FIND (hh, words->first, text, strlen (text), word);
    return word ? word->count : 0;
}

static const char text[] = "The quick, the THE the2the\xc3\xa9the's--end\n\0a";

Test (words, a_word_is_a_run_of_ascii_letters_in_small_letters)
{
    write_file ("text", text, sizeof text - 1);
    words_t words = {0};
    cr_assert_eq (words_count (&words, "text", 0, sizeof text), 0);
    cr_expect_eq (count_of (&words, "the"), 6);
    cr_expect_eq (count_of (&words, "quick"), 1);
    cr_expect_eq (count_of (&words, "s"), 1);
    cr_expect_eq (count_of (&words, "end"), 1);
    cr_expect_eq (count_of (&words, "a"), 1, "a NUL is no end of the text");
    cr_expect_eq (words_total (&words), 10);
    words_close (&words);
}

Test (words, two_parts_next_to_each_other_count_each_word_once_wherever_the_border_is)
{
    write_file ("text", text, sizeof text - 1);
    for (uint64_t border = 0; border <= sizeof text; border++) {
        words_t words = {0};
        cr_assert_eq (words_count (&words, "text", 0, border), 0);
        cr_assert_eq (words_count (&words, "text", border, sizeof text), 0);
        cr_expect_eq (words_total (&words), 10, "border at %d", (int)border);
        cr_expect_eq (count_of (&words, "the"), 6);
        words_close (&words);
    }
}

Test (words, what_is_written_is_what_is_read)
{
    words_t words = {0}, again = {0}, never = {0};
    cr_assert_eq (words_add (&words, "bob", 3, 5), 0);
    cr_assert_eq (words_add (&words, "alice", 5, 1), 0);
    size_t size;
    char *lines = words_text (&words, &size);
    cr_assert_str_eq (lines, "bob 5\nalice 1\n");
    cr_assert_eq (words_parse (&again, lines), 0);
    cr_expect_eq (count_of (&again, "bob"), 5);
    cr_expect_eq (words_total (&again), 6);
    cr_expect_eq (words_parse (&never, "bob\n"), -1);
    cr_expect_eq (words_parse (&never, "bob x\n"), -1);
    cr_expect_eq (words_parse (&never, "bob 1"), -1);
    free (lines);
    words_close (&words);
    words_close (&again);
    words_close (&never);
}

Test (words, the_chunks_of_a_text_have_all_its_words)
{
    FILE *file = fopen ("large", "wb");
    for (int i = 0; i < 5000; i++)
        fprintf (file, "word number %d of it\n", i);
    fclose (file);
    write_file ("small", "one two", 7);
    write_file ("empty", "", 0);
    write_file ("list", "large\0small\0empty\0small", 24);
    chunks_t chunks;
    cr_assert_eq (chunks_load (&chunks, "list", 20), 0);
    cr_expect_geq (chunks.count, 15);
    words_t words = {0};
    for (size_t i = 0; i < chunks.count; i++)
        cr_assert_eq (chunk_count (chunks.all[i].data, chunks.all[i].size, &words), 0);
    cr_expect_eq (words_total (&words), 5000 * 4 + 2 * 2);
    cr_expect_eq (count_of (&words, "number"), 5000);
    words_close (&words);
    chunks_close (&chunks);
}

static const char *why;

static int add (totals_t *totals, uint64_t job, uint64_t token)
{
    words_t words = {0};
    words_add (&words, "word", 4, 1);
    int outcome = totals_add (totals, "bucket", job, token, &words, &why);
    words_close (&words);
    return outcome;
}

static uint64_t sum (totals_t *totals)
{
    char *printed = NULL;
    size_t size;
    FILE *out = open_memstream (&printed, &size);
    cr_assert_eq (totals_print (totals, out), 0);
    fclose (out);
    uint64_t count = size ? strtoull (printed, NULL, 10) : 0;
    free (printed);
    return count;
}

Test (totals, a_job_is_added_once_however_often_it_is_run)
{
    totals_t *totals = totals_open ("db");
    cr_expect_eq (add (totals, 7, 100), TOTALS_ADDED);
    cr_expect_eq (add (totals, 7, 100), TOTALS_REPEAT);
    cr_expect_eq (add (totals, 7, 101), TOTALS_REPEAT, "handed out again after a crash");
    cr_expect_eq (add (totals, 9, 102), TOTALS_ADDED);
    cr_expect_eq (add (totals, 7, 100), TOTALS_REPEAT, "a zombie wakes up");
    cr_expect_eq (sum (totals), 2);
    totals_close (&totals);
}

Test (totals, a_worker_that_was_given_up_adds_nothing_once_its_successor_has_begun)
{
    totals_t *totals = totals_open ("db");
    cr_expect_eq (add (totals, 7, 200), TOTALS_ADDED, "the successor's");
    cr_expect_eq (add (totals, 8, 150), TOTALS_FENCED, "the next job, under the token of before");
    cr_expect_eq (add (totals, 8, 201), TOTALS_ADDED);
    cr_expect_eq (sum (totals), 2);
    totals_close (&totals);
}

Test (totals, what_was_added_is_there_after_opening_again)
{
    totals_t *totals = totals_open ("db");
    cr_expect_eq (add (totals, 1, 1), TOTALS_ADDED);
    totals_close (&totals);
    totals = totals_open ("db");
    cr_expect_eq (add (totals, 1, 2), TOTALS_REPEAT);
    cr_expect_eq (sum (totals), 1);
    totals_close (&totals);
}

/* Adds jobs 1 … 50, each as two runs, through a connection of its own. */
static void *add_many (void *arg)
{
    totals_t *totals = totals_open ("db");
    words_t words = {0};
    const char *sentence;
    words_add (&words, "word", 4, 1);
    for (uint64_t job = 1; totals && job <= 50; job++)
        for (uint64_t run = 0; run < 2; run++)
            totals_add (totals, arg, job, job * 2 + run, &words, &sentence);
    words_close (&words);
    totals_close (&totals);
    return NULL;
}

Test (totals, several_writers_lose_nothing_and_double_nothing)
{
    static char keys[4][2] = {"a", "b", "c", "c"}; /* two of them fight for one key */
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq (pthread_create (&threads[i], NULL, add_many, keys[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join (threads[i], NULL);
    totals_t *totals = totals_open ("db");
    cr_expect_eq (sum (totals), 3 * 50);
    totals_close (&totals);
}
