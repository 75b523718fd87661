#include <signal.h>
#include <stdio.h>

#include "master/master.h"
#include "master/points.h"
#include "master/raft_ledger.h"
#include "net/failpoint.h"
#include "net/options.h"

static void say (void *arg, const char *sentence)
{
    (void)arg;
    printf ("%s\n", sentence);
}

static int run (const rm_master_config_t *config)
{
    rm_master_t *master = rm_master_new (config);
    if (!master) {
        fprintf (stderr, "ringmaster: memory ran out\n");
        return 1;
    }
    int rc = rm_master_run (master);
    rm_master_destroy (&master);
    return rc;
}

int main (int argc, char **argv)
{
    rm_master_config_t config;
    rm_fault_t fault = {0};
    int exit_code;
    if (rm_failpoint_table (rm_points_names (), &fault)) {
        fprintf (stderr, "ringmaster: %s\n", fault.text);
        return RM_EXIT_USAGE;
    }
    if (!rm_master_config_parse (&config, argc, argv, &exit_code))
        return exit_code;
    if (config.list_failpoints) {
        rm_failpoint_list (stdout);
        return 0;
    }
    if (config.repair)
        return rm_ledger_repair (config.data, say, NULL) ? 1 : 0;
    signal (SIGPIPE, SIG_IGN);
    return run (&config);
}
