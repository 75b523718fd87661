/*  wordcount_totals: prints the running totals as lines "count word", in the order of the words' bytes. */
#include <stdio.h>

#include "totals.h"

int main (int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-') {
        fprintf (stderr, "usage: wordcount_totals FILE\n");
        return 2;
    }
    totals_t *totals = totals_open (argv[1]);
    if (!totals)
        return 1;
    int rc = totals_print (totals, stdout);
    totals_close (&totals);
    return rc || fflush (stdout) ? 1 : 0;
}
