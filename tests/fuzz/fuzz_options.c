/*  Command lines: of a program with commands (a table as ringctl's), and the master's own. Arguments lie between NULs in
 *  the input. Whatever is said is understood, or refused with exit code 2, or answered with help; what is understood lies
 *  within its limits and inside argv.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "master/config.h"
#include "net/options.h"

enum { ARGUMENTS_MAX = 300, PORT_MAX = 65535 };

static struct {
    bool json, wait;
    const char *master, *key;
    int64_t tries, port;
    rm_option_list_t queues;
} said;

static const rm_option_t common[] = {
    RM_SECTION ("Common"),
    RM_TEXT ('m', "master", "EP", "where the master is", &said.master),
    RM_FLAG ('j', "json", "print JSON", &said.json),
    RM_OPTIONS_END,
};

static const rm_option_t submit[] = {
    RM_TEXT ('k', "key", "KEY", "the key", &said.key),
    RM_FLAG ('w', "wait", "wait for it", &said.wait),
    RM_NUMBER (0, "tries", "N", 1, 1000000, "attempts", &said.tries),
    RM_OPTIONS_END,
};

static const rm_option_t serve[] = {
    RM_LIST ('q', "queue", "NAME=HANDLER", "serve a queue", &said.queues),
    RM_NUMBER ('p', "port", "N", 0, PORT_MAX, "the port", &said.port),
    RM_NEEDED (0, "name", "NAME", "the name", &said.key),
    RM_OPTIONS_END,
};

static const rm_command_t commands[] = {
    {"submit", "QUEUE [PAYLOAD]", "submit a job\nand more", submit, "  submit a"},
    {"wait", "ID...", "wait for jobs", NULL, NULL},
    {"serve", NULL, "serve queues", serve, NULL},
    {0},
};

static const rm_program_t program = {
    .self = {.name = "tool", .about = "A tool.", .options = common, .examples = "  tool wait 7"},
    .version = "1",
    .commands = commands,
};

static char *argv[ARGUMENTS_MAX + 2];
static const char *first, *last; /* the input as argv points into it */

static bool inside (const char *text)
{
    return !text || (text >= first && text <= last);
}

static int cut (char *text, size_t size)
{
    static char name[] = "tool";
    int argc = 0;
    argv[argc++] = name;
    for (char *at = text; at <= text + size && argc <= ARGUMENTS_MAX; at += strlen (at) + 1)
        argv[argc++] = at;
    argv[argc] = NULL;
    return argc;
}

static void check_tool (int argc)
{
    rm_parsed_t parsed;
    int code = -1;
    memset (&said, 0, sizeof said);
    fuzz_hush ();
    bool goes_on = rm_options_parse (&parsed, &program, argc, argv, &code);
    fuzz_speak ();
    CLAIM (code == 0 || code == RM_EXIT_USAGE);
    CLAIM (!goes_on || code == 0);
    if (!goes_on)
        return;
    CLAIM (parsed.command >= commands && parsed.command->name);
    CLAIM (parsed.count < (size_t)argc && parsed.arguments >= argv && parsed.arguments + parsed.count <= argv + argc);
    for (size_t i = 0; i < parsed.count; i++)
        CLAIM (inside (parsed.arguments[i]));
    CLAIM (inside (said.master) && inside (said.key) && said.queues.count <= RM_OPTION_LIST_MAX);
    for (size_t i = 0; i < said.queues.count; i++)
        CLAIM (inside (said.queues.items[i]));
    CLAIM (said.tries >= 0 && said.tries <= 1000000 && said.port >= 0 && said.port <= PORT_MAX);
}

static void check_master (int argc)
{
    rm_master_config_t config;
    int code = -1;
    fuzz_hush ();
    bool goes_on = rm_master_config_parse (&config, argc, argv, &code);
    fuzz_speak ();
    CLAIM (code == 0 || code == RM_EXIT_USAGE);
    if (!goes_on)
        return;
    CLAIM (code == 0 && (config.list_failpoints || (inside (config.data) && *config.data)));
    CLAIM (config.port >= 0 && config.port <= PORT_MAX);
    CLAIM (config.leader.payload_bytes_max >= 1 && config.leader.payload_bytes_max <= RM_PAYLOAD_BYTES_CEILING);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    for (int which = 0; which < 2; which++) { /* parsing rearranges argv */
        char *text = fuzz_text (data, size);
        first = text;
        last = text + size;
        int argc = cut (text, size);
        if (which)
            check_master (argc);
        else
            check_tool (argc);
        free (text);
    }
    return 0;
}
