/*  The C side of a replay: reads a trace (EVENTS.md), keeps what was said in it, and says at the end whether the model has
 *  taken it all.
 *
 *      MODEL_TRACE=FILE ./pan
 *
 *  A replay has nothing to choose: each event is one transition, and what it leads to is one state. So this file may keep
 *  things of its own, which no search could take back; that it is so is checked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

enum { ARGS_MAX = 9, EVENTS_MAX = 200000, LINE_BYTES = 256, NOTES_MAX = 100000 };

typedef struct {
    int kind, args[ARGS_MAX];
    int line;
} event_t;

static event_t events[EVENTS_MAX + 1];
static int event_count;
static int taken_count; /* so many were taken */
static int kinds_taken[EV_COUNT];

/* ---- the trace --------------------------------------------------------------------------------------------------- */

static void read_line (char *text, int line)
{
    event_t *event = &events[event_count];
    char *word = strtok (text, " \n"), *end;
    if (!word || *word == '#')
        return;
    *event = (event_t){.line = line};
    while (event->kind < EV_COUNT && strcmp (event_names[event->kind], word))
        event->kind++;
    int count = 0;
    while (event->kind < EV_COUNT && (word = strtok (NULL, " \n")) && count < ARGS_MAX) {
        event->args[count++] = (int)strtol (word, &end, 0);
        if (*end)
            break;
    }
    if (event->kind == EV_COUNT || word || event_count == EVENTS_MAX) {
        fprintf (stderr, "model: line %d is no event, or one too many\n", line);
        exit (2);
    }
    event_count++;
}

static void print_end (void)
{
    for (int i = 1; i < EV_COUNT; i++)
        if (kinds_taken[i])
            printf ("taken: %s %d\n", event_names[i], kinds_taken[i]);
    if (taken_count == event_count) {
        printf ("accepted: %d events\n", event_count);
        return;
    }
    const event_t *event = &events[taken_count];
    printf ("rejected: line %d, %s", event->line, event_names[event->kind]);
    for (int i = 0; i < ARGS_MAX; i++)
        printf (" %d", event->args[i]);
    printf ("\n");
}

static void read_trace (void)
{
    const char *name = getenv ("MODEL_TRACE");
    FILE *file = name ? fopen (name, "r") : NULL;
    char text[LINE_BYTES];
    if (!file) {
        fprintf (stderr, "model: MODEL_TRACE names no file that can be read\n");
        exit (2);
    }
    for (int line = 1; fgets (text, sizeof text, file); line++)
        read_line (text, line);
    fclose (file);
    atexit (print_end);
}

static void take (int position)
{
    if (position != taken_count) {
        fprintf (stderr, "model: the replay has a choice at event %d\n", position);
        abort ();
    }
    kinds_taken[events[position].kind]++;
    taken_count++;
}

/* ---- what was said ----------------------------------------------------------------------------------------------- */

typedef struct {
    int kind, args[ARGS_MAX];
} note_t;

static note_t notes[NOTES_MAX];
static int note_count;

static void note (int kind, const int *args)
{
    if (note_count == NOTES_MAX) {
        fprintf (stderr, "model: more is said than there is room for\n");
        exit (2);
    }
    notes[note_count].kind = kind;
    memcpy (notes[note_count++].args, args, sizeof notes->args);
}

static const note_t *find (int kind, const int *args, int count)
{
    for (int i = note_count - 1; i >= 0; i--)
        if (notes[i].kind == kind && !memcmp (notes[i].args, args, (size_t)count * sizeof *args))
            return &notes[i];
    return NULL;
}

/* To be told of an attempt is to be told of those before it. */
static int was_told (const int *args, int attempt)
{
    for (int i = note_count - 1; i >= 0; i--)
        if (notes[i].kind == EV_TOLD && !memcmp (notes[i].args, args, 3 * sizeof *args) && notes[i].args[3] >= attempt)
            return 1;
    return 0;
}

static int sync_differs (const int *args)
{
    const note_t *said = find (EV_SYNC, args, 3);
    return said && memcmp (said->args, args, sizeof said->args);
}

static int of_sync (const int *args, int which)
{
    const note_t *said = find (EV_SYNC, args, 3);
    return said ? said->args[which] : 0;
}

#define BEGIN       read_trace ()
#define EVENT       events[now.position]
#define NEXT_EVENT  (now.position < event_count ? EVENT.kind : EV_END)
#define EVENT_TAKEN take (now.position++)
#define ARG0        EVENT.args[0]
#define ARG1        EVENT.args[1]
#define ARG2        EVENT.args[2]
#define ARG3        EVENT.args[3]
#define ARG4        EVENT.args[4]
#define ARG5        EVENT.args[5]
#define ARG6        EVENT.args[6]
#define ARG7        EVENT.args[7]
#define ARG8        EVENT.args[8]

/* To a worker: (term, incarnation, epoch, …), in the order of the events that receive it, behind the worker. */
#define NOTE_DOWN                                                                                                      \
    note (now.note_kind,                                                                                               \
          (const int[ARGS_MAX]){now.note_term, now.note_inc, now.note_epoch, now.note_x, now.note_y, now.note_z})
#define WAS_SENT       (find (EVENT.kind, EVENT.args + 1, 2) != NULL)
#define WAS_SENT_EPOCH (find (EVENT.kind, EVENT.args + 1, 3) != NULL)
#define WAS_DISPATCHED (find (EV_TAKE, EVENT.args + 1, 6) != NULL)
#define WAS_TOLD       was_told (EVENT.args + 1, ARG4)

#define NOTE_SAID note (EV_HEAR, EVENT.args)
#define WAS_SAID  (find (EV_HEAR, EVENT.args, ARGS_MAX) != NULL)

#define NOTE_SYNC     note (EV_SYNC, EVENT.args)
#define SYNC_WAS_SAID (find (EV_SYNC, EVENT.args, 3) != NULL)
#define SYNC_DIFFERS  sync_differs (EVENT.args)
#define SYNC_NAMES    of_sync (EVENT.args, 3)
#define SYNC_TAKES_0  of_sync (EVENT.args, 4)
#define SYNC_TAKES_1  of_sync (EVENT.args, 5)
#define SYNC_TAKES_2  of_sync (EVENT.args, 6)
