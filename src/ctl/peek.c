/*  ringctl peek: the payload of a job, which is taken from nobody. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/show/answer.h"
#include "proto/base64.h"

/* On a terminal the prompt begins on a line of its own. */
static void print_payload (const char *data, size_t size)
{
    fwrite (data, 1, size, stdout);
    if (isatty (STDOUT_FILENO) && (!size || data[size - 1] != '\n'))
        putchar ('\n');
    fflush (stdout);
}

static int show (const rm_ctl_t *self, json_t *answer)
{
    const char *encoded = json_string_value (json_object_get (answer, "data_base64"));
    size_t length = encoded ? strlen (encoded) : 0, size;
    char *data = malloc (length + 1);
    if (!data || !encoded || !rm_base64_read (data, &size, encoded, length)) {
        free (data);
        return rm_ctl_refuse_answer ();
    }
    long long whole = rm_ctl_number_of (answer, "size");
    if (self->said.json) {
        json_object_del (answer, "data_base64");
        rm_ctl_json_set_bytes (answer, "data", data, size);
        rm_ctl_json_print (json_incref (answer));
    } else {
        print_payload (data, size);
    }
    free (data);
    if (whole > (long long)size)
        rm_ctl_say ("note: these are the first %zu bytes of %lld", size, whole);
    return RM_CTL_DONE;
}

/* What is only digits is an id. */
static bool is_id (const char *text)
{
    return *text && strspn (text, "0123456789") == strlen (text);
}

int rm_ctl_peek (rm_ctl_t *self)
{
    const char *queue = self->said.queue, *state = self->said.state, *text = NULL;
    uint64_t id = 0;
    if (!self->count == !queue)
        return rm_options_refuse (self->program, self->command, "say which job, or which queue%s",
                                  queue ? ", not both" : "");
    if (self->count && is_id (self->arguments[0])) {
        id = rm_ctl_number (self, self->arguments[0], "a job's id");
        if (!id)
            return RM_CTL_USAGE;
    } else if (self->count) {
        queue = self->arguments[0];
    }
    if (id && state)
        return rm_options_refuse (self->program, self->command, "--state is for a queue: a job's id says which one");
    if (state && strcmp (state, "waiting") && strcmp (state, "delayed") && strcmp (state, "dead"))
        return rm_options_refuse (self->program, self->command, "'%s' is not waiting, delayed or dead", state);
    int error = rm_client_peek (self->client, id, queue, state, (unsigned)self->said.most, RM_CTL_PATIENCE_MS, &text);
    if (error)
        return rm_ctl_fail (self, error);
    json_t *answer = json_loads (text, 0, NULL);
    int code = show (self, answer);
    json_decref (answer);
    return code;
}
