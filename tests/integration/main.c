/*  The integration tests: real processes, real kills, and one checker over the whole history of each.
 *
 *      integration CASE [TIMES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

static const struct {
    const char *name;
    void (*run) (cluster_t *cluster, unsigned times);
} cases[] = {
#define CASE(name, seconds) {#name, case_##name},
#include "cases.list"
#undef CASE
};

int main (int argc, char **argv)
{
    scratch_in_memory ();
    setvbuf (stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (argc < 2 || strcmp (argv[1], cases[i].name))
            continue;
        cluster_t cluster;
        cluster_open (&cluster, !strncmp (cases[i].name, "group_", strlen ("group_")));
        cases[i].run (&cluster, argc > 2 ? (unsigned)strtoul (argv[2], NULL, 10) : 0);
        cluster_close (&cluster);
        return 0;
    }
    fprintf (stderr, "usage: integration CASE [TIMES]; the cases are:\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fprintf (stderr, "    %s\n", cases[i].name);
    return 2;
}
