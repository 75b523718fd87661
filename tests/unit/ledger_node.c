#include "ledger_node.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringmaster/error.h"

void node_directory (char path[PATH_MAX])
{
    const char *base = getenv ("TMPDIR");
    snprintf (path, PATH_MAX, "%s/rm-ledger-XXXXXX", base && *base ? base : "/tmp");
    cr_assert_not_null (mkdtemp (path));
}

void node_shell (const char *format, ...)
{
    char command[3 * PATH_MAX];
    va_list args;
    va_start (args, format);
    vsnprintf (command, sizeof command, format, args);
    va_end (args);
    cr_assert_eq (system (command), 0, "%s", command);
}

void node_remove (const char *path)
{
    node_shell ("chmod -R u+rwX %s && rm -rf %s", path, path);
}

static uint8_t filler (uint64_t batch, size_t i)
{
    return (uint8_t)(batch * 31 + i * 7 + (i >> 8));
}

static int apply (void *arg, const void *batch, size_t size)
{
    node_t *self = arg;
    uint64_t number;
    const uint8_t *bytes = batch;
    if (size < sizeof number)
        return RM_EPROTO;
    memcpy (&number, bytes, sizeof number);
    if (number != self->state + 1 || number == self->refuse)
        return RM_EPROTO;
    if (self->leader && number > self->proposed)
        return RM_ESTATE; /* another one's, and it was not told that it leads no longer */
    for (size_t i = sizeof number; i < size; i++)
        if (bytes[i] != filler (number, i))
            return RM_EPROTO;
    self->state = number;
    for (size_t i = 0; i < size; i++)
        self->digest = (self->digest ^ bytes[i]) * 0x100000001b3u;
    return 0;
}

static int restore (void *arg, const void *snapshot, size_t size)
{
    node_t *self = arg;
    uint64_t head[2];
    if (size < sizeof head)
        return RM_EPROTO;
    memcpy (head, snapshot, sizeof head);
    self->state = head[0];
    self->digest = head[1];
    const uint8_t *bytes = snapshot;
    for (size_t i = sizeof head; i < size; i++)
        if (bytes[i] != filler (self->state, i))
            return RM_EPROTO;
    self->restored++;
    self->led_at_restore = self->leader;
    return 0;
}

/* State and digest in one part, the filler in two. */
static int snapshot (void *arg, rm_ledger_part_t **parts, size_t *count)
{
    node_t *self = arg;
    const uint64_t head[2] = {self->state, self->digest};
    size_t size = sizeof head + self->filler;
    uint8_t *bytes = malloc (size);
    memcpy (bytes, head, sizeof head);
    for (size_t i = sizeof head; i < size; i++)
        bytes[i] = filler (self->state, i);
    *count = 3;
    *parts = calloc (3, sizeof **parts);
    (*parts)[0] = (rm_ledger_part_t){bytes, sizeof head};
    (*parts)[1] = (rm_ledger_part_t){bytes + sizeof head, self->filler / 3};
    (*parts)[2] = (rm_ledger_part_t){bytes + sizeof head + self->filler / 3, self->filler - self->filler / 3};
    self->lent++;
    return 0;
}

static void snapshot_done (void *arg, rm_ledger_part_t *parts, size_t count)
{
    node_t *self = arg;
    (void)count;
    free ((void *)(uintptr_t)parts[0].data);
    free (parts);
    self->lent--;
}

static void settled (void *arg, uint64_t ticket, int status)
{
    node_t *self = arg;
    cr_assert_eq (ticket, self->settled + self->unknown + 1);
    if (status != 0) {
        cr_assert_eq (status, RM_ETIMEDOUT);
        self->unknown++;
        return;
    }
    self->settled++;
    cr_assert_geq (self->state, self->settled);
    if (self->acked)
        self->acked (ticket);
}

static void role (void *arg, bool leader)
{
    node_t *self = arg;
    self->leader = leader;
    self->proposed = leader ? self->state : self->proposed;
}

static void failed (void *arg, const char *sentence)
{
    node_t *self = arg;
    snprintf (self->failure, sizeof self->failure, "%s", sentence);
}

static void said (void *arg, const char *sentence)
{
    node_t *self = arg;
    if (self->said)
        self->said (sentence);
}

static void pulse (uv_timer_t *timer)
{
    (void)timer;
}

int node_begin (node_t *self, const char *dir, const rm_ledger_config_t *config)
{
    rm_ledger_config_t mine = {.segment_bytes = 256 << 10};
    if (config)
        mine = *config;
    mine.dir = dir;
    mine.id = mine.id ? mine.id : 1;
    mine.address = mine.address ? mine.address : "127.0.0.1:5554";
    const rm_ledger_events_t events = {self, apply, restore, snapshot, snapshot_done, settled, role, failed, said};
    uv_loop_init (&self->loop);
    uv_timer_init (&self->loop, &self->pulse);
    uv_timer_start (&self->pulse, pulse, 10, 10);
    self->ledger = rm_ledger_new (&self->loop, &mine, &events);
    cr_assert_not_null (self->ledger);
    int rc = rm_ledger_start (self->ledger);
    snprintf (self->failure, sizeof self->failure, "%s", rm_ledger_error (self->ledger));
    self->proposed = self->state;
    return rc;
}

int node_open (node_t *self, const char *dir, const rm_ledger_config_t *config)
{
    int rc = node_begin (self, dir, config);
    if (rc != 0)
        return rc;
    for (int i = 0; i < 100 && !self->leader; i++)
        uv_run (&self->loop, UV_RUN_ONCE);
    cr_assert (self->leader);
    return 0;
}

bool node_wait (node_t *self, const uint64_t *what, uint64_t wanted)
{
    for (uint64_t start = uv_hrtime (); *what < wanted && uv_hrtime () - start < 20000000000u;)
        uv_run (&self->loop, UV_RUN_ONCE);
    return *what >= wanted;
}

int node_try (node_t *self, size_t size)
{
    uint64_t number = self->proposed + 1, ticket = 0;
    size = size < sizeof number ? sizeof number : size;
    uint8_t *batch = malloc (size);
    memcpy (batch, &number, sizeof number);
    for (size_t i = sizeof number; i < size; i++)
        batch[i] = filler (number, i);
    int rc = rm_ledger_propose (self->ledger, batch, size, &ticket);
    free (batch);
    if (rc == 0)
        self->proposed = number;
    return rc;
}

int node_propose (node_t *self, size_t size)
{
    int rc;
    while ((rc = node_try (self, size)) == RM_EBUSY)
        uv_run (&self->loop, UV_RUN_ONCE);
    return rc;
}

bool node_put (node_t *self, uint64_t count, size_t size)
{
    uint64_t wanted = self->settled + count;
    for (uint64_t i = 0; i < count; i++)
        if (node_propose (self, size) != 0)
            return false;
    return node_wait (self, &self->settled, wanted);
}

static void on_closed (void *arg)
{
    node_t *self = arg;
    self->closed = true;
}

void node_close (node_t *self)
{
    rm_ledger_close (&self->ledger, on_closed, self);
    cr_assert_null (self->ledger);
    for (int i = 0; i < 1000 && !self->closed; i++)
        uv_run (&self->loop, UV_RUN_ONCE);
    cr_assert (self->closed);
    cr_assert_eq (self->lent, 0);
    uv_close ((uv_handle_t *)&self->pulse, NULL);
    uv_run (&self->loop, UV_RUN_DEFAULT);
    cr_assert_eq (uv_loop_close (&self->loop), 0);
}

int node_in_child (int (*body) (void *arg), void *arg)
{
    fflush (NULL);
    pid_t parent = getpid ();
    pid_t child = fork ();
    cr_assert_geq (child, 0);
    if (child == 0) {
        prctl (PR_SET_PDEATHSIG, SIGKILL);
        _exit (getppid () == parent ? body (arg) : 99);
    }
    int status;
    cr_assert_eq (waitpid (child, &status, 0), child);
    return WIFEXITED (status) ? WEXITSTATUS (status) : -WTERMSIG (status);
}
