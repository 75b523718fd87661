/*  ringctl top: the board on a terminal, live. */
#include <curses.h>
#include <jansson.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/show/answer.h"
#include "ctl/show/board.h"
#include "net/clock.h"

enum {
    ASK_MS = 1000,          /* how often the master is asked */
    ASK_PATIENCE_MS = 1000, /* how long one answer may take: keys wait meanwhile */
    KEY_MS = 100,           /* how long a key is waited for before the screen is drawn again */
    CTRL_L = 0x0c,          /* draws it all anew, should something else have written there */
    SIGNAL_BASE = 128       /* exit code of a program that a signal ended */
};

static volatile sig_atomic_t signalled;

static void on_signal (int number)
{
    signalled = number;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static json_t *ask (rm_ctl_t *self, const char *what)
{
    const char *text;
    return rm_client_query (self->client, what, 0, NULL, 0, ASK_PATIENCE_MS, &text) ? NULL : json_loads (text, 0, NULL);
}

static void look (rm_ctl_t *self, rm_board_t *board)
{
    json_t *status = ask (self, "status");
    json_t *workers = status ? ask (self, "workers") : NULL;
    bool run = rm_ctl_number_of (json_object_get (status, "jobs"), "running") > 0;
    json_t *progress = workers && run ? ask (self, "progress") : NULL;
    rm_board_take (board, status, workers, progress, rm_clock_ms ());
}

/* ---- the screen -------------------------------------------------------------------------------------------------- */

/* False after it has said why not. */
static bool open_screen (rm_ctl_t *self)
{
    if (!isatty (STDIN_FILENO) || !isatty (STDOUT_FILENO)) {
        rm_options_refuse (self->program, self->command, "this needs a terminal; elsewhere, ask for status or workers");
        return false;
    }
    setlocale (LC_CTYPE, "");
    if (!rm_ctl_terminal_known () ||
        !newterm (NULL, stdout, stdin)) { /* newterm alone leaks what it has, if it is not */
        rm_options_refuse (self->program, self->command, "the terminal '%s' ($TERM) is not known",
                           getenv ("TERM") ? getenv ("TERM") : "");
        return false;
    }
    cbreak ();
    noecho ();
    curs_set (0);
    keypad (stdscr, TRUE);
    set_escdelay (25);
    timeout (KEY_MS);
    if (has_colors () && rm_ctl_paper ().colour) {
        start_color ();
        use_default_colors ();
        init_pair (1, COLOR_GREEN, -1);
        init_pair (2, COLOR_RED, -1);
    }
    return true;
}

static void put_line (int row, const rm_board_line_t *line)
{
    attr_t tint = line->tint == RM_TINT_HEAD ? A_BOLD : line->tint == RM_TINT_BAD ? A_BOLD | (attr_t)COLOR_PAIR (2) : 0;
    const char *bar = strstr (line->text, "[|"), *end = bar ? strchr (bar, ']') : NULL;
    move (row, 0);
    attron (tint);
    addnstr (line->text, end ? (int)(bar + 1 - line->text) : COLS * 4);
    attroff (tint);
    if (!end)
        return;
    attron (COLOR_PAIR (1));
    addnstr (bar + 1, (int)(end - bar - 1));
    attroff (COLOR_PAIR (1));
    addstr (end);
}

static void show (rm_board_t *board)
{
    rm_ctl_paper_t paper = rm_ctl_paper ();
    paper.columns = (size_t)COLS;
    rm_board_draw (board, &paper, (size_t)LINES, rm_clock_ms ());
    erase ();
    for (size_t row = 0; row < (size_t)LINES; row++) {
        size_t at = row < RM_BOARD_HEAD ? row : row + board->scroll;
        if (at < board->line_count)
            put_line ((int)row, &board->lines[at]);
    }
    refresh ();
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

/* False: leave. */
static bool obey (rm_board_t *board, int key)
{
    long page = LINES > RM_BOARD_HEAD + 1 ? LINES - RM_BOARD_HEAD - 1 : 1;
    const struct {
        int key;
        long lines;
    } moves[] = {{KEY_UP, -1},      {KEY_DOWN, 1},        {KEY_PPAGE, -page},
                 {KEY_NPAGE, page}, {KEY_HOME, -1000000}, {KEY_END, 1000000}};
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
        if (moves[i].key == key)
            rm_board_scroll (board, moves[i].lines, (size_t)LINES);
    if (key == CTRL_L)
        clearok (curscr, TRUE);
    else if (key == 's')
        board->sort = (board->sort + 1) % RM_BOARD_SORTS;
    else if (key == 'p')
        board->paused = !board->paused;
    else if (key == 'h' || key == '?')
        board->help = !board->help;
    return key != 'q';
}

int rm_ctl_top (rm_ctl_t *self)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    rm_board_t board;
    if (self->said.json)
        return rm_options_refuse (self->program, self->command, "this has no JSON; ringctl status --json has");
    if (!open_screen (self))
        return RM_CTL_USAGE;
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        sigaction (ending[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
    rm_board_init (&board);
    uint64_t next_ms = 0;
    for (int key = ERR; !signalled && obey (&board, key);) {
        if (!board.paused && rm_clock_ms () >= next_ms) {
            look (self, &board);
            next_ms = rm_clock_ms () + ASK_MS;
        }
        show (&board);
        key = getch ();
    }
    endwin ();
    rm_board_close (&board);
    return signalled ? SIGNAL_BASE + signalled : RM_CTL_DONE;
}
