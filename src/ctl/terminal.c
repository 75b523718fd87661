/*  Whether the terminal is one that curses knows: apart, since <term.h> makes macros of words like "lines". */
#include <curses.h>
#include <term.h>
#include <unistd.h>

#include "ctl/ctl.h"

bool rm_ctl_terminal_known (void)
{
    int answer;
    if (setupterm (NULL, STDOUT_FILENO, &answer))
        return false;
    del_curterm (cur_term);
    return true;
}
