/*  ringctl: the command line of Ringmaster. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "net/endpoint.h"
#include "net/streams.h"
#include "ringmaster/catalog.h"

static rm_ctl_t ctl = {.said.limit = 20, .patience_ms = RM_CTL_PATIENCE_MS};

static const rm_option_t common_options[] = {
    RM_SECTION ("Options of every command"),
    RM_TEXT ('m', "master", "EP,...", "jobs endpoints of the masters\n($RINGMASTER, else tcp://127.0.0.1:5550)",
             &ctl.said.master),
    RM_TEXT (0, "project", "NAME", "the masters of a project, as a catalog knows them", &ctl.said.project),
    RM_TEXT (0, "catalog", "HOST,...", "catalogs to look there ($CATALOG_HOST)", &ctl.said.catalog),
    RM_FLAG ('j', "json", "print JSON, for programs to read", &ctl.said.json),
    RM_OPTIONS_END};

#define FOLLOW_HELP                                                                                                    \
    "wait, print partial results as they come, and say on\nstderr how far it is (a terminal is told anyway)"

static const rm_option_t submit_options[] = {
    RM_SECTION ("Options"),
    RM_TEXT ('k', "key", "KEY", "jobs of one key run one at a time, in order", &ctl.said.key),
    RM_FLAG ('w', "wait", "print the job's result once it has ended, not its id", &ctl.said.wait),
    RM_FLAG ('f', "follow", FOLLOW_HELP, &ctl.said.follow),
    RM_NUMBER (0, "tries", "N", 1, 1000000, "attempts before a failing job is dead", &ctl.said.tries),
    RM_TEXT (0, "timeout", "TIME", "how long one attempt may run: 30s, 10m; a number alone is\nmilliseconds",
             &ctl.said.timeout),
    RM_FLAG (0, "at-most-once", "never start it again after a crash: it then ends dead,\nwith the reason \"lost\"",
             &ctl.said.at_most_once),
    RM_TEXT (0, "delay", "TIME", "do not start it before so long: 90s, 15m, 2h", &ctl.said.delay),
    RM_TEXT (0, "at", "TIME", "do not start it before then: 14:30, 2031-12-24 18:00,\n@SECONDS since 1970",
             &ctl.said.at),
    RM_TEXT (0, "deadline", "TIME", "it ends expired unless it has ended in so long", &ctl.said.deadline),
    RM_NUMBER (0, "priority", "N", 1, 9, "higher ones go first, but never within a key (5)", &ctl.said.priority),
    RM_TEXT (0, "id", "TEXT",
             "your own name of the job: while one of the queue is kept\nthat was named so, nothing new is run",
             &ctl.said.id),
    RM_TEXT (0, "retry", "SPACING", "of its attempts: 'delay=1s backoff=2 cap=1m jitter=full'", &ctl.said.retry),
    RM_OPTIONS_END};

static const rm_option_t wait_options[] = {RM_SECTION ("Options"),
                                           RM_FLAG ('f', "follow", FOLLOW_HELP, &ctl.said.follow), RM_OPTIONS_END};

static const rm_option_t bury_options[] = {
    RM_SECTION ("Options"), RM_TEXT (0, "reason", "TEXT", "why (buried)", &ctl.said.reason), RM_OPTIONS_END};

static const rm_option_t kick_options[] = {
    RM_SECTION ("Options"),
    RM_TEXT ('q', "queue", "QUEUE", "all dead ones of this queue, the oldest first", &ctl.said.queue),
    RM_NUMBER ('n', "limit", "N", 1, RM_MESSAGE_JOBS_MAX, "with --queue: at most so many (4096)", &ctl.said.most),
    RM_OPTIONS_END};

static const rm_option_t jobs_options[] = {
    RM_SECTION ("Options"),
    RM_TEXT ('q', "queue", "QUEUE", "only those of this queue", &ctl.said.queue),
    RM_TEXT ('s', "state", "STATE",
             "only those that are waiting, delayed, held, running,\ndone, dead, cancelled or expired", &ctl.said.state),
    RM_TEXT ('k', "key", "KEY", "only those of this key", &ctl.said.key),
    RM_TEXT ('w', "worker", "WORKER", "only those at workers of this name", &ctl.said.worker),
    RM_NUMBER ('n', "limit", "N", 1, 10000, "at most so many (20)", &ctl.said.limit),
    RM_OPTIONS_END};

static const rm_option_t peek_options[] = {
    RM_SECTION ("Options"),
    RM_TEXT ('q', "queue", "QUEUE", "the next job of this queue, also if its name is a number", &ctl.said.queue),
    RM_TEXT ('s', "state", "STATE", "of a queue: the next one that is waiting, delayed or\ndead (waiting)",
             &ctl.said.state),
    RM_NUMBER ('n', "limit", "N", 1, 4194304, "at most so many bytes of the payload (4 MiB)", &ctl.said.most),
    RM_OPTIONS_END};

static const rm_option_t watch_options[] = {
    RM_SECTION ("Options"), RM_NUMBER ('n', "count", "N", 1, INT32_MAX, "leave after so many lines", &ctl.said.count),
    RM_TEXT ('q', "queue", "QUEUE", "jobs: only those of this queue", &ctl.said.queue),
    RM_FLAG (0, "until-commit", "sync: leave after the next commit (phase 3)", &ctl.said.until_commit), RM_OPTIONS_END};

static const rm_option_t backup_options[] = {
    RM_SECTION ("Options"),
    RM_TEXT (0, "from", "HOST:PORT",
             "the master to take it from, as in its --peers, that is\nwith its raft port (the one that leads)",
             &ctl.said.from),
    RM_OPTIONS_END};

static const rm_command_t commands[] = {
    {"submit", "QUEUE [PAYLOAD]",
     "submit a job, print its id\n"
     "The payload comes from the argument, or from stdin if there is none.",
     submit_options,
     "  ringctl submit mail 'to: bob'\n"
     "  ringctl submit bank --key bob --wait 10\n"
     "  ringctl submit pictures --wait < cat.png > small.png"},
    {"wait", "ID...",
     "wait for jobs, print their results\n"
     "Waits as long as it takes, but no longer than 10 s without any master.",
     wait_options,
     "  ringctl wait 7\n"
     "  ringctl wait 7 --follow\n"
     "  ringctl wait 7 8 9 --json"},
    {"status", NULL, "how the master, its queues and its ledger are", NULL, "  ringctl status --json"},
    {"workers", NULL, "the workers, what they serve and what they do", NULL, "  ringctl workers"},
    {"ring", NULL,
     "who owns what of each pool's ring\n"
     "A letter of the picture stands for many slots in a row, and says whose most of them are.",
     NULL, "  ringctl ring --json"},
    {"queues", NULL, "the queues: what waits, runs and has ended, who serves them", NULL, "  ringctl queues"},
    {"jobs", NULL,
     "jobs that wait, run, or ended not long ago\n"
     "The newest first. A job must fit all that is said.",
     jobs_options,
     "  ringctl jobs --queue mail --limit 5\n"
     "  ringctl jobs --state dead --json\n"
     "  ringctl jobs --key bob --worker w1"},
    {"why", "ID",
     "where a job is and what it waits for, in a sentence\n"
     "And how its newest attempts ended that were no success.",
     NULL, "  ringctl why 7"},
    {"trace", "ID",
     "a job's life, each step with its time\n"
     "What happened to a job is in the ledger as long as the job. When it was given to workers only the master that "
     "leads\n"
     "remembers, and not from before it led.",
     NULL,
     "  ringctl trace 7\n"
     "  ringctl trace 7 --json"},
    {"peek", "[ID|QUEUE]",
     "print a job's payload, and take it from nobody\n"
     "Of a queue: the payload of the job whose turn comes first; with --state dead of the one that a kick would take\n"
     "first. A job that has ended otherwise has none any more.",
     peek_options,
     "  ringctl peek 7\n"
     "  ringctl peek mail\n"
     "  ringctl peek mail --state dead --json"},
    {"cancel", "ID...",
     "cancel jobs\n"
     "What waits ends at once. What runs is told to stop (a command gets SIGTERM, then SIGKILL), and is done if it\n"
     "succeeds first.",
     NULL, "  ringctl cancel 7 8"},
    {"bury", "ID...", "end jobs dead, to be kicked some day", bury_options,
     "  ringctl bury 7 --reason 'wrong address'"},
    {"kick", "[ID...]", "submit dead jobs again, print their new ids", kick_options,
     "  ringctl kick 7\n"
     "  ringctl kick --queue mail --limit 100"},
    {"pause", "QUEUE", "hand out nothing more of a queue; what runs goes on", NULL, "  ringctl pause mail"},
    {"resume", "QUEUE", "hand out a queue's jobs again", NULL, "  ringctl resume mail"},
    {"queue", "QUEUE [NAME=VALUE...]",
     "set how a queue is, or print it\n"
     "tries, timeout and keep (of outcomes); delay, backoff, cap and jitter between attempts; paused; keep-bytes,\n"
     "jobs-max and bytes-max (that may wait in it), client-jobs-max and client-bytes-max (of one client's); on_dead\n"
     "(continue, or hold: a keyed job that dies holds those behind it until it is kicked, or cancelled to go on\n"
     "without it). All that is said is done, or nothing.",
     NULL,
     "  ringctl queue mail\n"
     "  ringctl queue mail tries=10 delay=1s backoff=2 cap=5m jitter=full\n"
     "  ringctl queue accounts on_dead=hold\n"
     "  ringctl queue pictures timeout=1h keep=1d jobs-max=10000"},
    {"drain", "WORKER", "let a worker finish what it runs, and leave", NULL, "  ringctl drain w1"},
    {"masters", NULL,
     "the masters of the group, who leads, and how far the others are\n"
     "PEERS is where a master is for other masters, as in --peers and ringctl master add; JOBS where it is for "
     "clients.",
     NULL, "  ringctl masters"},
    {"master", "CHANGE [N] [HOST:PORT]",
     "change the group of masters, one change at a time\n"
     "add ID HOST:PORT takes in a new master that waits there (as in its --peers, that is with its raft port),\n"
     "remove ID takes one out, transfer [ID] lets another one lead, upgrade FORMAT makes the ledger one that older\n"
     "versions cannot read.",
     NULL,
     "  ringctl master add 4 10.0.0.4:5554\n"
     "  ringctl master remove 2\n"
     "  ringctl master transfer 3"},
    {"backup", "FILE",
     "write a backup of all jobs and outcomes to FILE, while the masters go on\n"
     "FILE is replaced once the new one is whole, checked and on the disk; - is stdout. A follower's will do, and may\n"
     "lack the newest jobs; with --from nobody has to lead. ringmaster --restore FILE begins anew with it.",
     backup_options,
     "  ringctl backup ring.backup\n"
     "  ringctl backup - --from 10.0.0.2:5554 | ssh safe 'cat > ring.backup'"},
    {"top", NULL,
     "the queues and workers, live, until q is pressed\n"
     "Needs a terminal. Arrows, PgUp and PgDn scroll, s sorts, p pauses, h shows help.",
     NULL, "  ringctl top"},
    {"watch", "sync|jobs",
     "print what happens as it happens, a line each\n"
     "sync: the phases of each resize, as JSON; one that the master repeats is printed once. jobs: each job as it\n"
     "is accepted, begins (is given to a worker), fails, ends. Goes on when the master is started again.",
     watch_options,
     "  ringctl watch jobs --queue mail\n"
     "  ringctl watch sync\n"
     "  ringctl watch sync --until-commit"},
    {"map", "[COMMAND...]",
     .about =
         "run a command for each argument, at the workers of a pool\n"
         "As GNU parallel does: ringctl map COMMAND {} ::: ARGUMENTS, or :::: FILES, or lines of stdin. {} is the\n"
         "argument, {.} without its suffix, {/} without its directories, {//} its directory, {/.} both, {#} the\n"
         "command's number, {2} the second source's. Workers are started with ringworker --shell, or by --local.\n"
         "\n"
         "Exit codes: as ringctl's, but 1 if up to 4 commands failed, 5 to 100 if so many did, 101 if more did,\n"
         "130 interrupted.",
     rm_ctl_map_options,
     "  ringctl map --local 4 gzip -9 {} ::: *.txt\n"
     "  ringctl map --name thumbs --bar convert {} -resize 200 {.}.jpg :::: pictures\n"
     "  ringctl map --jobs 8 --keep-order --tag ping -c 1 ::: a.example b.example"},
    {0},
};

static const rm_program_t program = {
    .self = {.name = "ringctl",
             .about = "Submits jobs to Ringmaster, waits for their results, and shows what goes on.\n"
                      "\n"
                      "Exit codes: 0 done, 1 the work failed, 2 wrong usage, 3 no master reached within 10 s,\n"
                      "4 refused (busy, too big, not allowed, unknown).",
             .options = common_options,
             .examples = "  ringctl submit echo hello --wait\n"
                         "  ringctl status\n"
                         "  ringctl why 7\n"
                         "  ringctl --master tcp://10.0.0.1:5550,tcp://10.0.0.2:5550 workers"},
    .version = RM_VERSION,
    .commands = commands,
};

void rm_ctl_say (const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    fputs ("ringctl: ", stderr);
    vfprintf (stderr, format, arguments);
    fputc ('\n', stderr);
    va_end (arguments);
}

int rm_ctl_fail (const rm_ctl_t *self, int error)
{
    const char *alone = rm_client_leaderless (self->client);
    if (error == RM_EUNREACHABLE && *alone) {
        rm_ctl_say (
            "the master at %s is up, but leads and follows nobody for %d s: no majority of the masters answers it "
            "(asked %s); start the others, its log says which it misses",
            alone, self->patience_ms / 1000, self->masters);
        return RM_CTL_UNREACHABLE;
    }
    if (error == RM_EUNREACHABLE) {
        rm_ctl_say (
            "no master answered for %d s (asked %s); start one, or say with --master or $RINGMASTER where it is",
            self->patience_ms / 1000, self->masters);
        return RM_CTL_UNREACHABLE;
    }
    rm_ctl_say ("%s%s", rm_client_error (self->client), error == RM_EBUSY ? "; try again later" : "");
    switch (error) {
    case RM_EINVAL:
        return RM_CTL_USAGE;
    case RM_ETIMEDOUT:
        return RM_CTL_UNREACHABLE;
    default:
        return RM_CTL_REFUSED;
    }
}

uint64_t rm_ctl_number (const rm_ctl_t *self, const char *text, const char *what)
{
    char *end;
    errno = 0;
    unsigned long long id = strtoull (text, &end, 10);
    if (strspn (text, "0123456789") == strlen (text) && *text && !errno && id)
        return id;
    rm_options_refuse (self->program, self->command, "'%s' is not %s, which is a number from 1", text, what);
    return 0;
}

static int run (rm_ctl_t *self)
{
    static const struct {
        const char *name;
        int (*run) (rm_ctl_t *self);
    } table[] = {
        {"submit", rm_ctl_submit}, {"wait", rm_ctl_wait},   {"status", rm_ctl_status},   {"workers", rm_ctl_workers},
        {"ring", rm_ctl_ring},     {"jobs", rm_ctl_jobs},   {"queues", rm_ctl_queues},   {"why", rm_ctl_why},
        {"drain", rm_ctl_drain},   {"watch", rm_ctl_watch}, {"masters", rm_ctl_masters}, {"backup", rm_ctl_backup},
        {"master", rm_ctl_master}, {"map", rm_ctl_map},     {"top", rm_ctl_top},         {"cancel", rm_ctl_cancel},
        {"bury", rm_ctl_bury},     {"kick", rm_ctl_kick},   {"pause", rm_ctl_pause},     {"resume", rm_ctl_resume},
        {"queue", rm_ctl_queue},   {"peek", rm_ctl_peek},   {"trace", rm_ctl_trace}};
    size_t i = 0;
    while (strcmp (table[i].name, self->command->name))
        i++;
    return table[i].run (self);
}

/* Where a catalog says that the project's masters are. */
static int find_project (rm_ctl_t *self)
{
    static char found[RM_CATALOG_BYTES_MAX];
    if (self->said.master)
        return rm_options_refuse (self->program, self->command,
                                  "--master and --project say both where the masters are");
    int rc =
        rm_catalog_find (self->said.catalog, "ringmaster", self->said.project, self->patience_ms, found, sizeof found);
    if (rc == RM_EINVAL)
        return rm_options_refuse (self->program, self->command, "%s", found);
    if (rc > 0) {
        self->said.master = found;
        return 0;
    }
    rm_ctl_say ("%s", found);
    return rc == RM_EUNKNOWN || rc == RM_EUNREACHABLE ? RM_CTL_UNREACHABLE : RM_CTL_FAILED;
}

/* Where the masters are: checked here, since the library can only say that something is wrong. */
static int find_masters (rm_ctl_t *self)
{
    rm_endpoint_t list[RM_ENDPOINTS_MAX];
    rm_fault_t fault = {0};
    int code = self->said.project ? find_project (self) : 0;
    if (code)
        return code;
    self->masters = rm_endpoint_masters (self->said.master);
    if (rm_endpoint_parse_list (list, self->masters, &fault) < 1)
        return rm_options_refuse (self->program, self->command, "%s '%s': %s",
                                  self->said.master ? "--master" : "$RINGMASTER", self->masters, fault.text);
    self->client = rm_client_new (self->masters);
    if (self->client)
        return 0;
    rm_ctl_say ("%s", strerror (errno));
    return RM_CTL_FAILED;
}

int main (int argc, char **argv)
{
    rm_streams_open ();
    signal (SIGPIPE, SIG_DFL); /* whoever reads us may leave: we end without a word */
    int code;
    rm_parsed_t parsed;
    if (!rm_options_parse (&parsed, &program, argc, argv, &code))
        return code;
    ctl.program = &program;
    ctl.command = parsed.command;
    ctl.arguments = parsed.arguments;
    ctl.count = parsed.count;
    code = find_masters (&ctl);
    if (code)
        return code;
    code = run (&ctl);
    rm_client_destroy (&ctl.client);
    errno = 0; /* where an earlier write failed, nobody knows any more why */
    if (fflush (stdout) || ferror (stdout)) {
        rm_ctl_say ("cannot write to stdout%s%s", errno ? ": " : "", errno ? strerror (errno) : "");
        return code ? code : RM_CTL_FAILED;
    }
    return code;
}
