/* No fail point of the programs is left out of the tables that worker_points.c and master_points.c go through. */
#include <stdio.h>
#include <string.h>

#include "cases.h"

static bool among (const char *const *names, const char *name)
{
    for (; *names; names++)
        if (!strcmp (*names, name))
            return true;
    return false;
}

static void look_for_each (const cluster_t *cluster, const char *program, const char *const *tried)
{
    char path[600];
    unsigned count = 0;
    snprintf (path, sizeof path, "%s/%s", cluster->bin, program);
    char *argv[] = {path, "--list-failpoints", NULL};
    process_t *list = process_start (program, argv, NULL);
    for (const char *name; (name = process_line (list, "", CLUSTER_PATIENCE_MS)); count++)
        if (!among (tried, name))
            harness_fail ("the fail point %s of %s is tried by no test", name, program);
    must (process_wait (list, CLUSTER_PATIENCE_MS) == 0 && count);
    process_destroy (&list);
    printf ("%s: %u fail points\n", program, count);
}

void case_every_fail_point_is_tried (cluster_t *cluster, unsigned times)
{
    (void)times;
    look_for_each (cluster, "ringmaster", master_points_tried ());
    look_for_each (cluster, "ringworker", worker_points_tried ());
}
