/*  Runs a target over the files of its corpus, without libFuzzer: for any compiler, and for ctest.
 *
 *      replay_<target> PATH…      each a file, or a folder whose files are all run
 *
 *  An empty folder, or none, is a failure: a corpus that got lost would otherwise pass for one that found nothing.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

enum { PATH_BYTES = 4096 };

static char running[PATH_BYTES]; /* the file whose input runs, for whoever reads the log of a crash */

/* The input lies in a block of exactly its size, so that a sanitizer sees every read past its end. */
static bool run_file (const char *path)
{
    struct stat info;
    FILE *file = fopen (path, "rb");
    if (!file || fstat (fileno (file), &info)) {
        perror (path);
        return false;
    }
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc (size ? size : 1);
    bool whole = data && fread (data, 1, size, file) == size;
    fclose (file);
    if (!whole) {
        fprintf (stderr, "%s: cannot be read\n", path);
        free (data);
        return false;
    }
    snprintf (running, sizeof running, "%s", path);
    LLVMFuzzerTestOneInput (data, size);
    free (data);
    return true;
}

static int visible (const struct dirent *entry)
{
    return *entry->d_name != '.';
}

/* How many files of the folder ran; -1 if one could not. */
static int run_folder (const char *path)
{
    struct dirent **names;
    int count = scandir (path, &names, visible, alphasort), ran = 0;
    if (count < 0) {
        perror (path);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        char file[PATH_BYTES];
        snprintf (file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (ran >= 0)
            ran = run_file (file) ? ran + 1 : -1;
        free (names[i]);
    }
    free (names);
    return ran;
}

static void name_the_culprit (void)
{
    if (*running)
        fprintf (stderr, "replay: the input that ran last was %s\n", running);
}

/* A crash ends the process without atexit: the name is told before the signal goes on. */
static void on_abort (int signum)
{
    static const char before[] = "replay: the input is ";
    ssize_t unheard = write (STDERR_FILENO, before, sizeof before - 1);
    unheard = write (STDERR_FILENO, running, strlen (running));
    unheard = write (STDERR_FILENO, "\n", 1);
    (void)unheard;
    signal (signum, SIG_DFL);
    raise (signum);
}

int main (int argc, char **argv)
{
    int ran = 0;
    signal (SIGABRT, on_abort);
    atexit (name_the_culprit);
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat (argv[i], &info)) {
            perror (argv[i]);
            return 1;
        }
        int more = S_ISDIR (info.st_mode) ? run_folder (argv[i]) : run_file (argv[i]) ? 1 : -1;
        if (more < 0)
            return 1;
        ran += more;
    }
    *running = 0;
    if (!ran) {
        fprintf (stderr, "replay: no input was run\n");
        return 1;
    }
    printf ("%d inputs\n", ran);
    return 0;
}
