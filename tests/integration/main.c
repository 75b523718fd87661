/*  The integration tests: real processes, real kills, and one checker over the whole history of each.
 *
 *      integration CASE [TIMES]
 *
 *  A case whose name begins with "group_" has three masters, with "net_" three on a network of its own: exit code 77 where
 *  there cannot be one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "net.h"

enum { NOT_HERE = 77 };

static const struct {
    const char *name;
    void (*run) (cluster_t *cluster, unsigned times);
} cases[] = {
#define CASE(name, seconds) {#name, case_##name},
#include "cases.list"
#undef CASE
};

static bool begins (const char *name, const char *with)
{
    return !strncmp (name, with, strlen (with));
}

static cluster_kind_t kind_of (const char *name)
{
    return begins (name, "group_") ? CLUSTER_GROUP : begins (name, "net_") ? CLUSTER_NETWORK : CLUSTER_ALONE;
}

int main (int argc, char **argv)
{
    scratch_in_memory ();
    setvbuf (stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (argc < 2 || strcmp (argv[1], cases[i].name))
            continue;
        cluster_t cluster;
        cluster_kind_t kind = kind_of (cases[i].name);
        char why[300];
        if (kind == CLUSTER_NETWORK && !net_open (why, sizeof why)) {
            printf ("not checked here: %s\n", why);
            return NOT_HERE;
        }
        cluster_open (&cluster, kind);
        cases[i].run (&cluster, argc > 2 ? (unsigned)strtoul (argv[2], NULL, 10) : 0);
        cluster_close (&cluster);
        return 0;
    }
    fprintf (stderr, "usage: integration CASE [TIMES]; the cases are:\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fprintf (stderr, "    %s\n", cases[i].name);
    return 2;
}
