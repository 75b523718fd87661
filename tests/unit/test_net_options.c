#include "net/options.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A daemon: options only. */
static bool insecure;
static const char *data;
static int64_t port;
static int64_t offset;
static rm_option_list_t queues;

static const rm_option_t daemon_options[] = {
    RM_SECTION ("Where it lives"),
    RM_NEEDED ('d', "data", "DIR", "the folder of its ledger", &data),
    RM_NUMBER ('p', "port", "BASE", 0, 65535, "first of its ports (5550);\n0 takes free ones", &port),
    RM_SECTION ("Rarely needed"),
    RM_NUMBER (0, "offset", "N", -10, -1, "a number below nought", &offset),
    RM_LIST (0, "queue", "NAME=HANDLER", "serves a queue", &queues),
    RM_FLAG (0, "insecure", "without keys", &insecure),
    RM_OPTIONS_END};
static const rm_program_t daemon_program = {
    {"ringmaster", NULL, "Keeps jobs.", daemon_options, "  ringmaster --data DIR"}, "1.2.3", NULL};

/* A tool: commands with arguments. */
static const char *master, *key;
static bool json, wait_too;
static const rm_option_t tool_options[] = {RM_TEXT ('m', "master", "EP", "where the master is", &master),
                                           RM_FLAG (0, "json", "prints JSON", &json), RM_OPTIONS_END};
static const rm_option_t submit_options[] = {RM_TEXT ('k', "key", "KEY", "in order with these", &key),
                                             RM_FLAG (0, "wait", "prints the result", &wait_too), RM_OPTIONS_END};
static const rm_command_t commands[] = {
    {"submit", "QUEUE [PAYLOAD]", "Submits a job.\nThe payload is its bytes.", submit_options, NULL},
    {"wait", "ID...", "Waits for jobs.", NULL, NULL},
    {"list", "[QUEUE...]", "Lists.", NULL, NULL},
    {"status", NULL, "Says how things are.", NULL, NULL},
    {.name = NULL}};
static const rm_program_t tool = {{"ringctl", NULL, "Talks to a master.", tool_options, NULL}, "1.2.3", commands};

enum { WORDS_MAX = 600 };

static rm_parsed_t parsed;
static int exit_code;

/* Parses "program word word …", split at spaces. */
static bool parse (const rm_program_t *program, const char *line)
{
    static char copy[8192];
    static char *argv[WORDS_MAX + 1];
    int argc = 0;
    snprintf (copy, sizeof copy, "%s", line);
    for (char *word = strtok (copy, " "); word && argc < WORDS_MAX; word = strtok (NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return rm_options_parse (&parsed, program, argc, argv, &exit_code);
}

static void assert_refused (const rm_program_t *program, const char *line, const char *sentence)
{
    FILE *real = stderr;
    char text[2048] = "";
    stderr = fmemopen (text, sizeof text, "w");
    bool good = parse (program, line);
    fclose (stderr);
    stderr = real;
    cr_assert_not (good, "'%s' was taken", line);
    cr_assert_eq (exit_code, RM_EXIT_USAGE);
    cr_assert_str_eq (text, sentence);
}

static void assert_printed (const rm_program_t *program, const char *line, char *text, size_t size)
{
    FILE *real = stdout;
    memset (text, 0, size);
    stdout = fmemopen (text, size, "w");
    bool good = parse (program, line);
    fclose (stdout);
    stdout = real;
    cr_assert_not (good);
    cr_assert_eq (exit_code, 0);
}

static void assert_arguments (const char *wanted)
{
    char text[1024] = "";
    for (size_t i = 0; i < parsed.count; i++)
        snprintf (text + strlen (text), sizeof text - strlen (text), "%s%s", i ? " " : "", parsed.arguments[i]);
    cr_assert_str_eq (text, wanted);
}

Test (net_options, values_reach_their_targets_in_every_spelling)
{
    static const char *const lines[] = {"ringmaster --data D --port 7 --insecure",
                                        "ringmaster --insecure --port=7 --data=D", "ringmaster -d D -p 7 --insecure",
                                        "ringmaster -p7 -dD --insecure --"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        port = 5550, data = NULL, insecure = false;
        cr_assert (parse (&daemon_program, lines[i]), "%s", lines[i]);
        cr_assert_eq (exit_code, 0);
        cr_assert_eq (port, 7);
        cr_assert_str_eq (data, "D");
        cr_assert (insecure);
    }
}

Test (net_options, what_is_not_said_keeps_its_default)
{
    port = 5550;
    cr_assert (parse (&daemon_program, "ringmaster --data D"));
    cr_assert_eq (port, 5550);
    cr_assert_not (insecure);
}

Test (net_options, a_list_keeps_its_order_and_has_an_end)
{
    cr_assert (parse (&daemon_program, "ringmaster --queue b=1 --data D --queue a=2 --queue=b=3"));
    cr_assert_eq (queues.count, 3);
    cr_assert_str_eq (queues.items[0], "b=1");
    cr_assert_str_eq (queues.items[1], "a=2");
    cr_assert_str_eq (queues.items[2], "b=3");
    char line[8192] = "ringmaster --data D";
    for (int i = 0; i < 257; i++)
        strcat (line, " --queue q");
    queues.count = 0;
    assert_refused (&daemon_program, line,
                    "ringmaster: --queue may be said 256 times at most (see ringmaster --help)\n");
}

Test (net_options, a_number_is_a_number_in_its_range)
{
    static const char *const bad[] = {"x",   "",      "1x", "65536", "-1", "+5", "0x10", "99999999999999999999",
                                      "1.5", "--data"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[256], sentence[256];
        snprintf (line, sizeof line, "ringmaster --data D --port=%s", bad[i]);
        snprintf (sentence, sizeof sentence,
                  "ringmaster: --port must be a number from 0 to 65535, not '%s' (see ringmaster --help)\n", bad[i]);
        assert_refused (&daemon_program, line, sentence);
    }
    cr_assert (parse (&daemon_program, "ringmaster --data D --port 0 --offset -10"));
    cr_assert_eq (port, 0);
    cr_assert_eq (offset, -10);
    cr_assert (parse (&daemon_program, "ringmaster --data D --port 65535"));
    cr_assert_eq (port, 65535);
    assert_refused (&daemon_program, "ringmaster --data D --offset 0",
                    "ringmaster: --offset must be a number from -10 to -1, not '0' (see ringmaster --help)\n");
}

Test (net_options, what_is_wrong_is_one_sentence)
{
    assert_refused (&daemon_program, "ringmaster", "ringmaster: --data DIR is needed (see ringmaster --help)\n");
    assert_refused (&daemon_program, "ringmaster --data",
                    "ringmaster: --data needs a value, DIR (see ringmaster --help)\n");
    assert_refused (&daemon_program, "ringmaster -d",
                    "ringmaster: --data needs a value, DIR (see ringmaster --help)\n");
    assert_refused (&daemon_program, "ringmaster --colour=red",
                    "ringmaster: --colour is not an option (see ringmaster --help)\n");
    assert_refused (&daemon_program, "ringmaster -x", "ringmaster: -x is not an option (see ringmaster --help)\n");
    assert_refused (&daemon_program, "ringmaster --insecure=yes",
                    "ringmaster: --insecure takes no value (see ringmaster --help)\n");
    assert_refused (&daemon_program, "ringmaster --help=me",
                    "ringmaster: --help takes no value (see ringmaster --help)\n");
    assert_refused (&daemon_program, "ringmaster --data D extra",
                    "ringmaster: 'extra' is one argument too many (see ringmaster --help)\n");
}

Test (net_options, options_are_not_abbreviated)
{
    assert_refused (&daemon_program, "ringmaster --data D --por 5",
                    "ringmaster: --por is not an option (did you mean --port?) (see ringmaster --help)\n");
    assert_refused (&daemon_program, "ringmaster --dat=D",
                    "ringmaster: --dat is not an option (did you mean --data?) (see ringmaster --help)\n");
    assert_refused (&daemon_program, "ringmaster --hel",
                    "ringmaster: --hel is not an option (did you mean --help?) (see ringmaster --help)\n");
    assert_refused (&tool, "ringctl --js status",
                    "ringctl status: --js is not an option (did you mean --json?) (see ringctl status --help)\n");
}

Test (net_options, options_stand_before_between_and_behind_arguments)
{
    static const char *const lines[] = {
        "ringctl submit q p --key k --master M --wait", "ringctl --key k --master M --wait submit q p",
        "ringctl -m M submit --wait q -k k p", "ringctl --master=M submit q --key=k --wait -- p"};
    setenv ("POSIXLY_CORRECT", "1", 1); /* must not matter */
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        key = master = NULL, wait_too = false;
        cr_assert (parse (&tool, lines[i]), "%s", lines[i]);
        cr_assert_str_eq (parsed.command->name, "submit");
        cr_assert_str_eq (key, "k");
        cr_assert_str_eq (master, "M");
        cr_assert (wait_too);
        assert_arguments ("q p");
    }
    unsetenv ("POSIXLY_CORRECT");
}

Test (net_options, behind_two_dashes_everything_is_an_argument)
{
    cr_assert (parse (&tool, "ringctl submit q -- --key"));
    assert_arguments ("q --key");
    cr_assert (parse (&tool, "ringctl submit -- -q --"));
    assert_arguments ("-q --");
    cr_assert (parse (&tool, "ringctl submit - -"));
    assert_arguments ("- -");
}

Test (net_options, the_command_line_of_another_program_is_left_alone)
{
    static const rm_program_t wrapper = {
        .self = {.name = "wrap", .arguments = "[COMMAND...]", .about = "Wraps.", .options = submit_options},
        .version = "1"};
    char *argv[] = {"wrap", "--key", "k", "gzip", "-9", "--key", "x", "--", "--nonsense", NULL};
    int code;
    cr_assert (rm_options_parse (&parsed, &wrapper, 9, argv, &code));
    static const char *const expected[] = {"gzip", "-9", "--key", "x", "--", "--nonsense"};
    cr_assert_eq (parsed.count, 6);
    for (size_t i = 0; i < 6; i++)
        cr_expect_str_eq (parsed.arguments[i], expected[i]);
}

Test (net_options, arguments_are_counted)
{
    cr_assert (parse (&tool, "ringctl submit q"));
    cr_assert (parse (&tool, "ringctl wait 1 2 3 4 5"));
    assert_arguments ("1 2 3 4 5");
    cr_assert (parse (&tool, "ringctl list"));
    cr_assert (parse (&tool, "ringctl list a b"));
    cr_assert (parse (&tool, "ringctl status"));
    cr_assert_eq (parsed.count, 0);
    assert_refused (&tool, "ringctl submit", "ringctl submit: QUEUE is missing (see ringctl submit --help)\n");
    assert_refused (&tool, "ringctl wait", "ringctl wait: ID is missing (see ringctl wait --help)\n");
    assert_refused (&tool, "ringctl submit a b c d",
                    "ringctl submit: 'c' is one argument too many (see ringctl submit --help)\n");
    assert_refused (&tool, "ringctl status x",
                    "ringctl status: 'x' is one argument too many (see ringctl status --help)\n");
}

Test (net_options, a_command_is_needed_known_and_has_its_own_options)
{
    assert_refused (&tool, "ringctl", "ringctl: a command is missing (see ringctl --help)\n");
    assert_refused (&tool, "ringctl --json", "ringctl: a command is missing (see ringctl --help)\n");
    assert_refused (&tool, "ringctl sumbit q", "ringctl: 'sumbit' is not a command (see ringctl --help)\n");
    assert_refused (&tool, "ringctl --nonsense submit q",
                    "ringctl: --nonsense is not an option (see ringctl --help)\n");
    assert_refused (&tool, "ringctl status --key k",
                    "ringctl status: --key is not an option (see ringctl status --help)\n");
    assert_refused (&tool, "ringctl --key k status",
                    "ringctl status: --key is not an option (see ringctl status --help)\n");
}

Test (net_options, the_help_comes_from_the_tables)
{
    char text[4096];
    assert_printed (&daemon_program, "ringmaster --help", text, sizeof text);
    cr_assert_str_eq (text, "usage: ringmaster [OPTIONS]\n"
                            "\n"
                            "Keeps jobs.\n"
                            "\n"
                            "Where it lives:\n"
                            "  -d, --data DIR          the folder of its ledger\n"
                            "  -p, --port BASE         first of its ports (5550);\n"
                            "                          0 takes free ones\n"
                            "\n"
                            "Rarely needed:\n"
                            "      --offset N          a number below nought\n"
                            "      --queue NAME=HANDLER  serves a queue\n"
                            "      --insecure          without keys\n"
                            "\n"
                            "  -h, --help              print this\n"
                            "      --version           print the version\n"
                            "\n"
                            "Examples:\n"
                            "  ringmaster --data DIR\n");
    assert_printed (&tool, "ringctl -h", text, sizeof text);
    cr_assert (strstr (text, "usage: ringctl COMMAND ... [OPTIONS]\n"), "%s", text);
    cr_assert (strstr (text, "  submit QUEUE [PAYLOAD]  Submits a job.\n"), "%s", text);
    assert_printed (&tool, "ringctl submit --help", text, sizeof text);
    cr_assert (strstr (text, "usage: ringctl submit QUEUE [PAYLOAD] [OPTIONS]\n"), "%s", text);
    cr_assert (strstr (text, "The payload is its bytes.\n"), "%s", text);
    cr_assert (strstr (text, "--key KEY") && strstr (text, "--master EP"), "%s", text);
}

Test (net_options, the_version_is_printed)
{
    char text[256];
    assert_printed (&daemon_program, "ringmaster --version", text, sizeof text);
    cr_assert_str_eq (text, "ringmaster 1.2.3\n");
    assert_printed (&tool, "ringctl --version", text, sizeof text);
    cr_assert_str_eq (text, "ringctl 1.2.3\n");
    assert_printed (&tool, "ringctl status --version", text, sizeof text);
    cr_assert_str_eq (text, "ringctl 1.2.3\n");
}
