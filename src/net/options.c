#include "net/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/assert.h"

enum {
    NONE = -1,       /* getopt_long: no more options */
    ARGUMENT = 1,    /* getopt_long: not an option */
    HELP = 0x100,    /* codes of options without a letter, above any character … */
    VERSION = 0x101, /* … */
    FIRST = 0x102    /* … and of the rows, from here */
};

/* The options that count, as getopt_long wants them. */
typedef struct {
    const rm_option_t *rows[RM_OPTIONS_MAX];
    size_t count;
    struct option longs[RM_OPTIONS_MAX + 3];
    char shorts[2 * RM_OPTIONS_MAX + 3];
} rows_t;

static bool has_commands (const rm_program_t *program)
{
    return program->commands != NULL;
}

static bool has_value (const rm_option_t *row)
{
    return row->kind != RM_OPTION_FLAG;
}

static void refuse (const rm_program_t *program, const rm_command_t *command, const char *format, va_list arguments)
{
    char name[128];
    bool below = command && command != &program->self;
    snprintf (name, sizeof name, "%s%s%s", program->self.name, below ? " " : "", below ? command->name : "");
    fprintf (stderr, "%s: ", name);
    vfprintf (stderr, format, arguments);
    fprintf (stderr, " (see %s --help)\n", name);
}

int rm_options_refuse (const rm_program_t *program, const rm_command_t *command, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    refuse (program, command, format, arguments);
    va_end (arguments);
    return RM_EXIT_USAGE;
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

static const rm_option_t *find_row (const rows_t *rows, const char *name)
{
    for (size_t i = 0; i < rows->count; i++)
        if (!strcmp (rows->rows[i]->name, name))
            return rows->rows[i];
    return NULL;
}

/* Adds a table's options. The same name may stand in the tables of several commands, if it takes a value in all. */
static void add_rows (rows_t *rows, const rm_option_t *table)
{
    for (const rm_option_t *row = table; row && row->name; row++) {
        if (row->kind == RM_OPTION_SECTION)
            continue;
        const rm_option_t *other = find_row (rows, row->name);
        RM_ASSERT (!other || has_value (other) == has_value (row));
        if (other)
            continue;
        RM_ASSERT (rows->count < RM_OPTIONS_MAX);
        rows->rows[rows->count++] = row;
    }
}

static void finish_rows (rows_t *rows)
{
    /* '-': give the arguments in their order; ':': tell a missing value from an unknown option. */
    char *letter = stpcpy (rows->shorts, "-:h");
    rows->longs[0] = (struct option){"help", no_argument, NULL, HELP};
    rows->longs[1] = (struct option){"version", no_argument, NULL, VERSION};
    for (size_t i = 0; i < rows->count; i++) {
        const rm_option_t *row = rows->rows[i];
        rows->longs[i + 2] =
            (struct option){row->name, has_value (row) ? required_argument : no_argument, NULL, FIRST + (int)i};
        if (row->letter) {
            *letter++ = row->letter;
            if (has_value (row))
                *letter++ = ':';
        }
    }
    *letter = 0;
}

/* The row that getopt_long's answer stands for; NULL: none. */
static const rm_option_t *row_of (const rows_t *rows, int code)
{
    if (code >= FIRST)
        return rows->rows[code - FIRST];
    for (size_t i = 0; i < rows->count; i++)
        if (rows->rows[i]->letter == code)
            return rows->rows[i];
    return NULL;
}

static uint64_t bit_of (const rows_t *rows, const rm_option_t *row)
{
    size_t i = 0;
    while (rows->rows[i] != row)
        i++;
    return (uint64_t)1 << i;
}

_Static_assert(RM_OPTIONS_MAX <= 64, "a bit a row");

/* ---- reading --------------------------------------------------------------------------------------------------- */

/* getopt_long takes any beginning of a name for the name; we do not. Refuses what was shortened. */
static int refuse_abbreviated (const rm_program_t *program, const rm_command_t *command, const rows_t *rows,
                               char **argv, int code)
{
    if (code < HELP)
        return 0;
    const char *name = code >= FIRST ? rows->rows[code - FIRST]->name : code == HELP ? "help" : "version";
    bool apart = optarg && optarg == argv[optind - 1]; /* --name VALUE, not --name=VALUE */
    const char *said = argv[optind - (apart ? 2 : 1)] + strlen ("--");
    size_t size = strcspn (said, "=");
    if (size == strlen (name))
        return 0;
    return rm_options_refuse (program, command, "--%.*s is not an option (did you mean --%s?)", (int)size, said, name);
}

/* Says what is wrong with the option getopt_long stumbled over. */
static int refuse_option (const rm_program_t *program, const rm_command_t *command, const rows_t *rows, char **argv,
                          int answer)
{
    const rm_option_t *row = optopt ? row_of (rows, optopt) : NULL;
    const char *said = argv[optind - 1];
    if (answer == ':' && row)
        return rm_options_refuse (program, command, "--%s needs a value, %s", row->name, row->value);
    if (optopt >= HELP)
        return rm_options_refuse (program, command, "--%s takes no value",
                                  row              ? row->name
                                  : optopt == HELP ? "help"
                                                   : "version");
    if (optopt)
        return rm_options_refuse (program, command, "-%c is not an option", optopt);
    return rm_options_refuse (program, command, "%.*s is not an option", (int)strcspn (said, "="), said);
}

static int store_number (const rm_program_t *program, const rm_command_t *command, const rm_option_t *row,
                         const char *text)
{
    char *end;
    errno = 0;
    long long number = strtoll (text, &end, 10);
    bool digits = *text && !text[strspn (text, "-0123456789")]; /* neither white space nor a plus */
    if (!digits || *end || errno || number < row->min || number > row->max)
        return rm_options_refuse (program, command, "--%s must be a number from %lld to %lld, not '%s'", row->name,
                                  (long long)row->min, (long long)row->max, text);
    *row->target.number = number;
    return 0;
}

static int store (const rm_program_t *program, const rm_command_t *command, const rm_option_t *row, const char *text)
{
    rm_option_list_t *list = row->target.list;
    switch (row->kind) {
    case RM_OPTION_FLAG:
        *row->target.flag = true;
        return 0;
    case RM_OPTION_TEXT:
        *row->target.text = text;
        return 0;
    case RM_OPTION_NUMBER:
        return store_number (program, command, row, text);
    default:
        if (list->count == RM_OPTION_LIST_MAX)
            return rm_options_refuse (program, command, "--%s may be said %d times at most", row->name,
                                      RM_OPTION_LIST_MAX);
        list->items[list->count++] = text;
        return 0;
    }
}

/* ---- help ------------------------------------------------------------------------------------------------------ */

static void print_rows (const rm_option_t *table)
{
    enum { COLUMN = 26 };
    for (const rm_option_t *row = table; row && row->name; row++) {
        if (row->kind == RM_OPTION_SECTION) {
            printf ("\n%s:\n", row->name);
            continue;
        }
        char left[128], letter[8] = "    ";
        if (row->letter)
            snprintf (letter, sizeof letter, "-%c, ", row->letter);
        int used = snprintf (left, sizeof left, "  %s--%s%s%s", letter, row->name, row->value ? " " : "",
                             row->value ? row->value : "");
        printf ("%s%*s", left, used + 2 <= COLUMN ? COLUMN - used : 2, "");
        for (const char *line = row->help; line;) {
            size_t size = strcspn (line, "\n");
            printf ("%.*s\n", (int)size, line);
            line = line[size] ? line + size + 1 : NULL;
            if (line)
                printf ("%*s", COLUMN, "");
        }
    }
}

static void print_commands (const rm_command_t *commands)
{
    printf ("\nCommands:\n");
    for (const rm_command_t *command = commands; command->name; command++) {
        char left[128];
        const char *arguments = command->arguments ? command->arguments : "";
        snprintf (left, sizeof left, "%s %s", command->name, arguments);
        printf ("  %-22s  %.*s\n", left, (int)strcspn (command->about, "\n"), command->about);
    }
}

static void print_help (const rm_program_t *program, const rm_command_t *command)
{
    bool below = command != &program->self, choose = has_commands (program) && !below;
    printf ("usage: %s", program->self.name);
    if (below)
        printf (" %s", command->name);
    if (command->arguments || choose)
        printf (" %s", choose ? "COMMAND ..." : command->arguments);
    printf (" [OPTIONS]\n\n%s\n", command->about);
    if (choose)
        print_commands (program->commands);
    print_rows (command->options);
    if (below)
        print_rows (program->self.options);
    printf ("\n  -h, --help              print this%s\n", choose ? "; COMMAND --help prints more" : "");
    printf ("      --version           print the version\n");
    if (command->examples)
        printf ("\nExamples:\n%s\n", command->examples);
}

/* Prints what --help and --version ask for; false if `code` is neither. */
static bool print_special (const rm_program_t *program, const rm_command_t *command, int code)
{
    if (code == VERSION)
        printf ("%s %s\n", program->self.name, program->version);
    else if (code == HELP || code == 'h')
        print_help (program, command);
    else
        return false;
    return true;
}

/* ---- the whole line -------------------------------------------------------------------------------------------- */

static const rm_command_t *find_command (const rm_program_t *program, const char *name)
{
    for (const rm_command_t *command = program->commands; command->name; command++)
        if (!strcmp (command->name, name))
            return command;
    return NULL;
}

/* Finds the command: the first argument. Before it is known, the options of all commands are read over. NULL: there is
 * nothing more to do than to leave with *exit_code. */
static const rm_command_t *choose_command (const rm_program_t *program, int argc, char **argv, int *exit_code)
{
    rows_t rows = {.count = 0};
    add_rows (&rows, program->self.options);
    for (const rm_command_t *command = program->commands; command->name; command++)
        add_rows (&rows, command->options);
    finish_rows (&rows);
    const char *name = NULL;
    optind = 0;
    for (int code; !name && (code = getopt_long (argc, argv, rows.shorts, rows.longs, NULL)) != NONE;) {
        if (code == ARGUMENT)
            name = optarg;
        else if (print_special (program, &program->self, code))
            return NULL;
        else if (code == '?' || code == ':') {
            *exit_code = refuse_option (program, NULL, &rows, argv, code);
            return NULL;
        }
    }
    if (!name && optind < argc)
        name = argv[optind];
    const rm_command_t *command = name ? find_command (program, name) : NULL;
    if (!command)
        *exit_code = name ? rm_options_refuse (program, NULL, "'%s' is not a command", name)
                          : rm_options_refuse (program, NULL, "a command is missing");
    return command;
}

/* Compares the arguments with what command->arguments declares, a word for each. */
static int check_arguments (const rm_program_t *program, const rm_parsed_t *parsed)
{
    size_t allowed = 0;
    const char *at = parsed->command->arguments ? parsed->command->arguments : "";
    for (; *at; at += strspn (at, " "), allowed++) {
        size_t size = strcspn (at, " ");
        const char *dots = memmem (at, size, "...", 3);
        if (*at != '[' && allowed >= parsed->count)
            return rm_options_refuse (program, parsed->command, "%.*s is missing", (int)(dots ? dots - at : (long)size),
                                      at);
        if (dots)
            return 0;
        at += size;
    }
    if (parsed->count > allowed)
        return rm_options_refuse (program, parsed->command, "'%s' is one argument too many",
                                  parsed->arguments[allowed]);
    return 0;
}

static bool is_verbatim (const rm_command_t *command)
{
    return command->arguments && strstr (command->arguments, "COMMAND...");
}

/* Reads all options of `rows` into their targets and gathers the arguments. Nonzero: leave with *exit_code. */
static int read_line (rm_parsed_t *parsed, const rm_program_t *program, const rows_t *rows, int argc, char **argv,
                      int *exit_code)
{
    uint64_t said = 0;                     /* a bit a row */
    size_t words = has_commands (program); /* the first one is the command's name */
    bool verbatim = is_verbatim (parsed->command);
    optind = 0;
    for (int code; !(verbatim && parsed->count > words) &&
                   (code = getopt_long (argc, argv, rows->shorts, rows->longs, NULL)) != NONE;) {
        const rm_option_t *row = row_of (rows, code);
        if (code == ARGUMENT)
            argv[1 + parsed->count++] = optarg; /* a place that was read already */
        else if (code == '?' || code == ':')
            return *exit_code = refuse_option (program, parsed->command, rows, argv, code);
        else if ((*exit_code = refuse_abbreviated (program, parsed->command, rows, argv, code)))
            return *exit_code;
        else if (print_special (program, parsed->command, code))
            return 1;
        else if ((*exit_code = store (program, parsed->command, row, optarg)))
            return *exit_code;
        else
            said |= bit_of (rows, row);
    }
    while (optind < argc)
        argv[1 + parsed->count++] = argv[optind++];
    for (size_t i = 0; i < rows->count; i++)
        if (rows->rows[i]->needed && !(said & bit_of (rows, rows->rows[i])))
            return *exit_code = rm_options_refuse (program, parsed->command, "--%s %s is needed", rows->rows[i]->name,
                                                   rows->rows[i]->value);
    return 0;
}

bool rm_options_parse (rm_parsed_t *parsed, const rm_program_t *program, int argc, char **argv, int *exit_code)
{
    *exit_code = 0;
    opterr = 0;
    const rm_command_t *command = &program->self;
    if (has_commands (program) && !(command = choose_command (program, argc, argv, exit_code)))
        return false;
    *parsed = (rm_parsed_t){.command = command, .arguments = argv + 1};
    rows_t rows = {.count = 0};
    add_rows (&rows, program->self.options);
    if (command != &program->self)
        add_rows (&rows, command->options);
    finish_rows (&rows);
    if (read_line (parsed, program, &rows, argc, argv, exit_code))
        return false;
    if (has_commands (program)) { /* the first one is the command's name */
        parsed->arguments++;
        parsed->count--;
    }
    *exit_code = check_arguments (program, parsed);
    return !*exit_code;
}
