/*  The C side of the search: what may go wrong is read from the environment, and which transitions were taken is printed
 *  when pan exits, since a model in which something cannot happen shows nothing about it.
 *
 *      MODEL="founders=1 incs=2 jobs=2 layout=dealt crashes=1 broken=early" ./pan
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

static int seen[EV_COUNT];

static void print_seen (void)
{
    for (int i = 1; i < EV_COUNT; i++)
        if (seen[i])
            printf ("taken: %s\n", event_names[i]);
}

/* The value of a setting: a number, or the place of a word in `words`; 0 if it is not said. */
static int setting (const char *name, const char *const *words, int word_count)
{
    const char *all = getenv ("MODEL");
    size_t size = strlen (name);
    for (const char *at = all ? all : ""; *at; at += strcspn (at, " "), at += strspn (at, " ")) {
        if (strncmp (at, name, size) || at[size] != '=')
            continue;
        const char *value = at + size + 1;
        size_t length = strcspn (value, " ");
        for (int i = 0; i < word_count; i++)
            if (strlen (words[i]) == length && !strncmp (words[i], value, length))
                return i;
        char *end;
        long number = strtol (value, &end, 10);
        if (end == value + length && number >= 0 && number < 100)
            return (int)number;
        fprintf (stderr, "model: %s cannot be %.*s\n", name, (int)length, value);
        exit (2);
    }
    return 0;
}

static const char *const layout_names[] = {"dealt", "one_key", "one_slot"};

#define SETTING(name) setting (name, NULL, 0)

#define BEGIN                                                                                                          \
    atexit (print_seen);                                                                                               \
    now.founders = SETTING ("founders");                                                                               \
    now.incs = SETTING ("incs");                                                                                       \
    now.crashes = SETTING ("crashes");                                                                                 \
    now.lapses = SETTING ("lapses");                                                                                   \
    now.sleeps = SETTING ("sleeps");                                                                                   \
    now.leaders = SETTING ("leaders");                                                                                 \
    now.stops = SETTING ("stops");                                                                                     \
    now.failures = SETTING ("failures");                                                                               \
    now.losses = SETTING ("losses");                                                                                   \
    now.delays = SETTING ("delays");                                                                                   \
    now.overtakes = SETTING ("overtakes");                                                                             \
    now.doubles = SETTING ("doubles");                                                                                 \
    now.stale_too = SETTING ("stale_too");                                                                             \
    now.phase3_too = SETTING ("phase3_too");                                                                           \
    now.newest_too = SETTING ("newest_too");                                                                           \
    now.broken = setting ("broken", broken_names, BROKEN_COUNT);                                                       \
    if (!now.founders || now.founders > WORKERS || now.incs > INCS || now.leaders >= TERMS ||                          \
        SETTING ("jobs") > JOBS) {                                                                                     \
        fprintf (stderr, "model: not compiled for so much\n");                                                         \
        exit (2);                                                                                                      \
    }                                                                                                                  \
    for (int layout = setting ("layout", layout_names, 3), job = 0; job < SETTING ("jobs"); job++) {                   \
        int slot = layout ? SLOTS - 1 : job % SLOTS, key = layout == 0 ? slot : layout == 1 ? 0 : job;                 \
        now.job_slot[job] = slot;                                                                                      \
        now.job_key[job] = key;                                                                                        \
        now.slot_jobs[slot] |= 1 << job;                                                                               \
        now.key_jobs[key] |= 1 << job;                                                                                 \
        now.accepted |= 1 << job;                                                                                      \
    }
