/*  chaos: a cluster of real processes on a network of its own, to which everything happens that a machine and a network can
 *  do to it, and the judge of what became of the jobs.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net.h"
#include "net/options.h"
#include "play.h"
#include "process.h"

enum { EXIT_VIOLATION = 1, EXIT_NOT_HERE = 77, EXIT_INTERRUPTED = 130, MASTERS_MAX = 5, WORKERS = 4, WORKERS_MAX = 16 };

static struct {
    const char *minutes, *seed, *history, *judge;
    int64_t masters, workers;
    bool no_namespaces, plan, keep;
} said = {.minutes = "2", .masters = 1, .workers = WORKERS};

static const rm_option_t options[] = {
    RM_TEXT ('m', "minutes", "N",
             "how long (2; 0.5 is half a minute); the last 10 s are without faults.\n"
             "Then all must end, and is judged: seconds, or two minutes if it hangs",
             &said.minutes),
    RM_TEXT ('s', "seed", "S", "of the plan of faults and of the jobs; drawn and printed unless said", &said.seed),
    RM_NUMBER (0, "masters", "N", 1, MASTERS_MAX, "that make a group; cut off from each other, too (1)", &said.masters),
    RM_NUMBER ('w', "workers", "N", 2, WORKERS_MAX, "that are there all the time (4)", &said.workers),
    RM_TEXT (0, "history", "FILE", "where everything that happened is written down, a line each", &said.history),
    RM_FLAG (0, "keep", "keep the logs, too, although no fault was found", &said.keep),
    RM_FLAG (0, "no-namespaces", "without the network: kills, stops, leaves and joins only; needs no root",
             &said.no_namespaces),
    RM_FLAG (0, "plan", "print the plan of the faults, and leave", &said.plan),
    RM_TEXT (0, "judge", "FILE", "judge a history again, and leave", &said.judge),
    RM_OPTIONS_END,
};

static const rm_program_t program = {
    .self = {.name = "chaos",
             .about = "Runs masters, workers and clients as real processes, kills and stops them, cuts and garbles\n"
                      "their network, and judges the history of it all: nothing lost, doubled or out of order.\n"
                      "Exit code: 0 no fault, 1 a fault, 2 wrong usage, 77 what it needs is not there.",
             .options = options,
             .examples = "  chaos --minutes 60 --seed 1\n"
                         "  chaos --masters 3 --minutes 5 --seed 1\n"
                         "  chaos --minutes 2 --seed 7 --history /tmp/history\n"
                         "  chaos --judge /tmp/history"},
    .version = RM_VERSION,
};

static int read_minutes (uint64_t *ms)
{
    char *end;
    double minutes = strtod (said.minutes, &end);
    if (*end || end == said.minutes || !(minutes > 0 && minutes <= 60 * 24 * 7))
        return rm_options_refuse (&program, NULL, "--minutes %s is no number of minutes", said.minutes);
    *ms = (uint64_t)(minutes * 60000);
    return 0;
}

static int read_seed (uint64_t *seed)
{
    char *end = "";
    errno = 0;
    if (said.seed)
        *seed = strtoull (said.seed, &end, 10);
    else if (getrandom (seed, sizeof *seed, 0) != sizeof *seed)
        errno = EIO;
    else
        *seed %= 1000000;
    if (errno || *end || (said.seed && (*said.seed < '0' || *said.seed > '9')))
        return rm_options_refuse (&program, NULL, "--seed %s is no number", said.seed ? said.seed : "");
    return 0;
}

static int judge (const char *path)
{
    if (access (path, R_OK)) {
        fprintf (stderr, "chaos: cannot read %s: %s\n", path, strerror (errno));
        return RM_EXIT_USAGE;
    }
    struct stat file;
    if (!stat (path, &file) && !file.st_size) {
        fprintf (stderr, "chaos: %s is empty: give the file that --history wrote\n", path);
        return RM_EXIT_USAGE;
    }
    return play_judge (path, stdout) ? EXIT_VIOLATION : 0;
}

int main (int argc, char **argv)
{
    rm_parsed_t parsed;
    uint64_t minutes_ms = 0, seed = 0;
    char why[300];
    int exit_code;
    setvbuf (stdout, NULL, _IOLBF, 0);
    if (!rm_options_parse (&parsed, &program, argc, argv, &exit_code))
        return exit_code;
    if (parsed.count)
        return rm_options_refuse (&program, NULL, "%s is not an option", parsed.arguments[0]);
    if (said.judge)
        return judge (said.judge);
    if (read_minutes (&minutes_ms) || read_seed (&seed))
        return RM_EXIT_USAGE;
    cast_t cast = play_cast ((unsigned)said.masters, (unsigned)said.workers, !said.no_namespaces);
    if (said.plan) {
        play_print_plan (&cast, seed, minutes_ms, stdout);
        return 0;
    }
    if (cast.network && !net_open (why, sizeof why)) {
        fprintf (stderr, "chaos: %s; --no-namespaces goes without\n", why);
        return EXIT_NOT_HERE;
    }
    printf ("chaos: seed %" PRIu64 ", %s minutes, %u masters%s\n", seed, said.minutes, cast.masters,
            cast.network ? "" : ", without a network");
    switch (play (&cast, seed, minutes_ms, said.history, said.keep)) {
    case PLAY_GOOD:
        return 0;
    case PLAY_INTERRUPTED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_VIOLATION;
    }
}
