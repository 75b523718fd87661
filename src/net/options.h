/*  Command lines, declared as tables: what may be said, what it means, and the help that says so.
 *
 *  Options may stand before or after the arguments, as --name VALUE or --name=VALUE; "--" ends them. They are not
 *  abbreviated, so that a new option breaks no script. --help and --version are always there. What is wrong is said in
 *  one sentence on stderr, with exit code 2.
 *  Thread rule: at the start of a program, before there are threads (getopt_long has globals).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RM_OPTIONS_MAX = 64,      /* of a command and its program together */
    RM_OPTION_LIST_MAX = 256, /* times one option may be repeated */
    RM_EXIT_USAGE = 2         /* exit code of a wrong command line */
};

/* What was said of an option that may be repeated, in order. */
typedef struct {
    const char *items[RM_OPTION_LIST_MAX]; /* they live as long as argv */
    size_t count;
} rm_option_list_t;

typedef enum { RM_OPTION_SECTION, RM_OPTION_FLAG, RM_OPTION_TEXT, RM_OPTION_NUMBER, RM_OPTION_LIST } rm_option_kind_t;

/* A row of a table; the macros below write one. */
typedef struct {
    rm_option_kind_t kind;
    char letter;       /* -p; 0: none */
    bool needed;       /* must be said */
    const char *name;  /* --port; NULL ends a table */
    const char *value; /* what its value is called in the help: PORT */
    const char *help;  /* a line; '\n' begins another */
    int64_t min, max;  /* of a number */
    union {            /* where it goes; left alone if the option is not said: set the default beforehand */
        bool *flag;
        const char **text; /* the string lives as long as argv */
        int64_t *number;
        rm_option_list_t *list;
    } target;
} rm_option_t;

#define RM_ROW(k, l, n, v, h) .kind = (k), .letter = (l), .name = (n), .value = (v), .help = (h)

/* A heading above the options that follow. */
#define RM_SECTION(text)                                                                                               \
    {                                                                                                                  \
        .kind = RM_OPTION_SECTION, .name = (text)                                                                      \
    }
/* --name */
#define RM_FLAG(letter, name, help, to)                                                                                \
    {                                                                                                                  \
        RM_ROW (RM_OPTION_FLAG, letter, name, NULL, help), .target.flag = (to)                                         \
    }
/* --name VALUE: any text; RM_NEEDED must be said */
#define RM_TEXT(letter, name, value, help, to)                                                                         \
    {                                                                                                                  \
        RM_ROW (RM_OPTION_TEXT, letter, name, value, help), .target.text = (to)                                        \
    }
#define RM_NEEDED(letter, name, value, help, to)                                                                       \
    {                                                                                                                  \
        RM_ROW (RM_OPTION_TEXT, letter, name, value, help), .needed = true, .target.text = (to)                        \
    }
/* --name VALUE: a decimal number from low to high */
#define RM_NUMBER(letter, name, value, low, high, help, to)                                                            \
    {                                                                                                                  \
        RM_ROW (RM_OPTION_NUMBER, letter, name, value, help), .min = (low), .max = (high), .target.number = (to)       \
    }
/* --name VALUE: as often as one likes */
#define RM_LIST(letter, name, value, help, to)                                                                         \
    {                                                                                                                  \
        RM_ROW (RM_OPTION_LIST, letter, name, value, help), .target.list = (to)                                        \
    }
#define RM_OPTIONS_END                                                                                                 \
    {                                                                                                                  \
        .name = NULL                                                                                                   \
    }

/* A program, or a command of one. */
typedef struct {
    const char *name;           /* "ringctl", "submit"; NULL ends a table */
    const char *arguments;      /* "QUEUE [PAYLOAD]", "ID..."; those in brackets may be left out; NULL: none.
                                * COMMAND... is another program's command line: nothing behind its first word is an option */
    const char *about;          /* what it does; its first line stands in the list of commands */
    const rm_option_t *options; /* NULL: none */
    const char *examples;       /* lines; NULL: none */
} rm_command_t;

typedef struct {
    rm_command_t self;            /* its options go with every command */
    const char *version;          /* "0.1.0" */
    const rm_command_t *commands; /* NULL: the program is its only command */
} rm_program_t;

/* What was understood. */
typedef struct {
    const rm_command_t *command; /* which; &program->self if there are none */
    char **arguments;            /* in order; part of argv */
    size_t count;
} rm_parsed_t;

/* Reads the command line; rearranges argv. True: go on, everything is in its target and in `parsed`. False: the help,
 * the version or a sentence was printed; leave with *exit_code. */
bool rm_options_parse (rm_parsed_t *parsed, const rm_program_t *program, int argc, char **argv, int *exit_code);

/* Prints "ringctl submit: <sentence> (see ringctl submit --help)" on stderr, for what only the program can check.
 * RM_EXIT_USAGE. `command` may be NULL. */
int rm_options_refuse (const rm_program_t *program, const rm_command_t *command, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
