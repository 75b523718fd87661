#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "master/master.h"
#include "master/points.h"
#include "master/raft_ledger.h"
#include "master/renew.h"
#include "net/failpoint.h"
#include "net/files.h"
#include "net/options.h"
#include "net/streams.h"
#include "ringmaster/error.h"

/* The newest sentence is held back until it is known whether it says what was done or why it could not be. */
static void say (void *arg, const char *sentence)
{
    char **last = arg;
    if (*last)
        printf ("%s\n", *last);
    free (*last);
    *last = strdup (sentence);
}

/* Says the last sentence of what ended so. The exit code. */
static int tell (int rc, char *last)
{
    if (rc)
        fprintf (stderr, "ringmaster: %s\n", last ? last : rm_strerror (rc));
    else if (last)
        printf ("%s\n", last);
    fflush (stdout);
    free (last);
    return rc ? 1 : 0;
}

static int repair (const rm_master_config_t *config)
{
    char *last = NULL;
    int rc = rm_ledger_repair (config->data, say, &last);
    return tell (rc, last);
}

static int restore (const rm_master_config_t *config)
{
    char *last = NULL;
    int rc = rm_renew (config, say, &last);
    return tell (rc, last);
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
    rm_streams_open ();
    rm_files_allow_many ();
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
        return repair (&config);
    if (config.restore && restore (&config))
        return 1;
    signal (SIGPIPE, SIG_IGN);
    return run (&config);
}
