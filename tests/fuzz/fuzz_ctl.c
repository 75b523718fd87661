/*  ringctl's view of a master that sends anything: answers to status, workers, ring, jobs, why, drain and masters,
 *  results, and the messages of the publisher. What it prints for people is text without anything a terminal might
 *  obey; what it prints as JSON of its own is JSON, a line each.
 *
 *  The client and the sockets are played here; the first byte chooses the command, the rest is what the master says.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/result.h"
#include "ctl/ctl.h"
#include "fuzz.h"
#include "net/poll.h"
#include "net/socket.h"
#include "ringmaster/error.h"

enum { JSON = 0x80, COMMANDS = 9, WAIT = COMMANDS - 2, WATCH, FRAMES_MAX = 8 };

static const uint8_t *said; /* what is left of the input: an answer, a result, frames */
static size_t said_size;
static char *answer;

/* ---- the client --------------------------------------------------------------------------------------------------- */

/* As the client hands it out: a text with a NUL behind it. */
static const char *next_answer (void)
{
    free (answer);
    return answer = fuzz_text (said, said_size);
}

int rm_client_query (rm_client_t *self, const char *what, uint64_t id, const char *queue, unsigned limit,
                     int timeout_ms, const char **json_p)
{
    (void)self, (void)id, (void)queue, (void)limit, (void)timeout_ms;
    *json_p = strcmp (what, "endpoints") ? next_answer () : "{\"sync\":\"tcp://127.0.0.1:5552\"}";
    return 0;
}

int rm_client_jobs (rm_client_t *self, const rm_jobs_t *which, int timeout_ms, const char **json_p)
{
    (void)self, (void)which, (void)timeout_ms;
    *json_p = next_answer ();
    return 0;
}

int rm_client_drain (rm_client_t *self, const char *worker, int timeout_ms, const char **json_p)
{
    (void)self, (void)worker, (void)timeout_ms;
    *json_p = next_answer ();
    return 0;
}

int rm_client_change (rm_client_t *self, const char *what, uint64_t id, const char *at, int timeout_ms,
                      const char **json_p)
{
    (void)self, (void)what, (void)id, (void)at, (void)timeout_ms;
    *json_p = next_answer ();
    return 0;
}

/* Not before ringctl has asked why; then with an end out of the input. */
static rm_progress_fn *on_progress;

void rm_client_on_progress (rm_client_t *self, rm_progress_fn *told, void *arg)
{
    (void)self, (void)arg;
    on_progress = told;
}

static rm_partial_fn *on_partial;

void rm_client_on_partial (rm_client_t *self, rm_partial_fn *told, void *arg)
{
    (void)self, (void)arg;
    on_partial = told;
}

int rm_client_wait (rm_client_t *self, uint64_t id, int timeout_ms, rm_result_t **result_p)
{
    (void)self;
    char *note = fuzz_text (said, said_size < RM_NOTE_BYTES_MAX ? said_size : RM_NOTE_BYTES_MAX);
    if (on_progress)
        on_progress (id, 1 + said_size % 3, said_size % (RM_PERMILLE_MAX + 1), note, NULL);
    if (on_partial)
        on_partial (id, 1 + said_size % 3, said_size, said, said_size, NULL);
    free (note);
    if (timeout_ms >= 0)
        return RM_ETIMEDOUT;
    size_t half = said_size / 2;
    rm_result_job_t job = {.id = id,
                           .outcome = 1 + (said_size ? said[0] % 4u : 0),
                           .reason = {said, (uint32_t)half},
                           .data = {said + half, (uint32_t)(said_size - half)}};
    *result_p = rm_result_new (&job, 0);
    CLAIM (*result_p);
    return 0;
}

int rm_client_submit (rm_client_t *self, const rm_spec_t *spec, int timeout_ms, uint64_t *id_p)
{
    (void)self, (void)spec, (void)timeout_ms, (void)id_p;
    return RM_EUNREACHABLE;
}

/* ---- ringctl's main ----------------------------------------------------------------------------------------------- */

void rm_ctl_say (const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vfprintf (stderr, format, arguments);
    fputc ('\n', stderr);
    va_end (arguments);
}

int rm_ctl_fail (const rm_ctl_t *self, int error)
{
    (void)self, (void)error;
    return RM_CTL_REFUSED;
}

uint64_t rm_ctl_number (const rm_ctl_t *self, const char *text, const char *what)
{
    (void)self, (void)what;
    return strtoull (text, NULL, 10);
}

/* ---- the publisher ------------------------------------------------------------------------------------------------ */

/* Frames lie in the input behind their length (two bytes); after the last one the resize ends, which ends the watch. */
static int frames;

rm_socket_t *rm_socket_connect (rm_socket_kind_t kind, const rm_endpoint_t *endpoint, rm_fault_t *fault)
{
    (void)kind, (void)endpoint, (void)fault;
    return (rm_socket_t *)&frames;
}

void rm_socket_close (rm_socket_t **self_p)
{
    *self_p = NULL;
}

const rm_endpoint_t *rm_socket_endpoint (const rm_socket_t *self)
{
    static const rm_endpoint_t endpoint = {.text = "tcp://127.0.0.1:5552"};
    (void)self;
    return &endpoint;
}

static rm_buf_t frame;

int rm_socket_recv (rm_socket_t *self, rm_route_t *route, rm_frame_t *unused)
{
    (void)self, (void)route, (void)unused;
    fuzz_input_t input = {said, said + said_size};
    rm_buf_close (&frame);
    if (fuzz_more (&input) && frames++ < FRAMES_MAX) {
        size_t size = fuzz_number (&input, 2);
        const uint8_t *data = fuzz_bytes (&input, &size);
        rm_buf_put (&frame, data, size);
        said = input.at;
        said_size = (size_t)(input.end - input.at);
        return 1;
    }
    rm_msg_t msg = {.type = RM_MSG_SYNC};
    msg.sync = (rm_msg_sync_t){.from_master = true, .name = rm_bytes ("Master"), .phase = 3, .term = 9, .epoch = 9};
    CLAIM (!rm_msg_encode (&msg, &frame));
    return 1;
}

const void *rm_frame_data (const rm_frame_t *self)
{
    (void)self;
    return frame.data;
}

size_t rm_frame_size (const rm_frame_t *self)
{
    (void)self;
    return frame.size;
}

void rm_frame_close (rm_frame_t *self)
{
    (void)self;
    rm_buf_close (&frame);
}

int rm_poll (rm_poll_t *items, size_t count, int64_t timeout_ms)
{
    (void)items, (void)timeout_ms;
    return (int)count;
}

/* ---- what was printed --------------------------------------------------------------------------------------------- */

static void claim_harmless (const char *text, size_t size, bool tabs)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        bool c1 = i + 1 < size && byte == 0xc2 && (text[i + 1] & 0xe0) == 0x80;
        CLAIM (byte == '\n' || (tabs && byte == '\t') || (byte >= 0x20 && byte != 0x7f && !c1), "byte %zu is %02x", i,
               byte);
    }
}

static void claim_json_lines (char *text)
{
    for (char *line = text, *end; (end = strchr (line, '\n')); line = end + 1) {
        *end = 0;
        json_t *document = json_loads (line, JSON_ALLOW_NUL, NULL);
        CLAIM (document, "no JSON: %s", line);
        json_decref (document);
    }
}

static int run (uint8_t command, rm_ctl_t *ctl)
{
    static int (*const table[COMMANDS]) (rm_ctl_t *) = {rm_ctl_status,  rm_ctl_workers, rm_ctl_ring,
                                                        rm_ctl_jobs,    rm_ctl_why,     rm_ctl_drain,
                                                        rm_ctl_masters, rm_ctl_wait,    rm_ctl_watch};
    static char id[] = "7", sync[] = "sync";
    static char *arguments[] = {id, id};
    arguments[0] = command == WATCH ? sync : id;
    ctl->arguments = arguments;
    ctl->count = 1;
    ctl->said.until_commit = true;
    return table[command](ctl);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    rm_ctl_t ctl = {.said.limit = 20, .said.json = data[0] & JSON};
    uint8_t command = data[0] % COMMANDS;
    char *printed = NULL, *noted = NULL;
    size_t printed_size = 0, noted_size = 0;
    FILE *out = stdout, *err = stderr;
    said = data + 1;
    said_size = size - 1;
    frames = 0;
    stdout = open_memstream (&printed, &printed_size);
    stderr = open_memstream (&noted, &noted_size);
    CLAIM (stdout && stderr);
    int code = run (command, &ctl);
    fclose (stdout);
    fclose (stderr);
    stdout = out;
    stderr = err;
    CLAIM (code >= RM_CTL_DONE && code <= RM_CTL_REFUSED);
    claim_harmless (noted, noted_size, true);
    bool wait = command == WAIT, watch = command == WATCH; /* without --json a result is printed as it is */
    if (watch || (wait && ctl.said.json))
        claim_json_lines (printed);
    else if (!wait && !ctl.said.json)
        claim_harmless (printed, printed_size, true);
    free (printed);
    free (noted);
    free (answer);
    answer = NULL;
    return 0;
}
