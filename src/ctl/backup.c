/*  ringctl backup: a consistent snapshot of a master's state, over its http port, into a file that is there whole or not. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/show/text.h"
#include "net/peer_address.h"

enum {
    HTTP_STEP = 3,   /* from a master's jobs port to its http port */
    STALL_S = 60,    /* without a byte: given up */
    REASON_MAX = 512 /* of what a master says when it refuses */
};

typedef struct {
    rm_ctl_t *ctl;
    CURL *curl;
    char url[RM_ENDPOINT_BYTES_MAX + 32];
    const char *file;        /* NULL: stdout */
    char part[PATH_MAX];     /* what is written to until it is whole */
    int out;                 /* its descriptor */
    int out_error;           /* errno's value of the write that failed; 0: none has */
    XXH3_state_t *sum;       /* of what was written */
    uint64_t bytes;          /* written */
    char promised[17];       /* the checksum as the master has it; empty: it named none */
    char reason[REASON_MAX]; /* what came instead of a backup */
    char error[CURL_ERROR_SIZE];
} backup_t;

/* ---- where from -------------------------------------------------------------------------------------------------- */

/* What the one that leads says of itself. */
static int ask_endpoint (backup_t *self)
{
    const char *text = NULL;
    int error = rm_client_query (self->ctl->client, "endpoints", 0, NULL, 0, RM_CTL_PATIENCE_MS, &text);
    if (error)
        return rm_ctl_fail (self->ctl, error);
    json_t *endpoints = json_loads (text, 0, NULL);
    const char *http = json_string_value (json_object_get (endpoints, "http"));
    bool named = http && *http;
    snprintf (self->url, sizeof self->url, "%s/backup", named ? rm_ctl_plain (http) : "");
    json_decref (endpoints);
    return named ? RM_CTL_DONE : rm_ctl_refuse_answer ();
}

/* What was said of any one. */
static int read_endpoint (backup_t *self)
{
    rm_endpoint_t endpoint;
    rm_fault_t fault = {0};
    if (rm_peer_address_parse (&endpoint, self->ctl->said.from, &fault) ||
        rm_endpoint_set (&endpoint, endpoint.host, endpoint.port + HTTP_STEP, &fault))
        return rm_options_refuse (self->ctl->program, self->ctl->command, "--from %s", fault.text);
    snprintf (self->url, sizeof self->url, "http%s/backup", strstr (endpoint.text, "://"));
    return RM_CTL_DONE;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static int cannot_write (const backup_t *self, int error)
{
    if (self->file)
        rm_ctl_say ("cannot write the backup to %s: %s", self->file, strerror (error));
    else
        rm_ctl_say ("cannot write to stdout: %s", strerror (error));
    return RM_CTL_FAILED;
}

static int open_file (backup_t *self)
{
    self->out = STDOUT_FILENO;
    if (!self->file)
        return RM_CTL_DONE;
    struct stat there;
    if (!lstat (self->file, &there) && !S_ISREG (there.st_mode)) {
        rm_ctl_say ("%s is no file that a backup could replace: name another one, or - for stdout", self->file);
        return RM_CTL_USAGE;
    }
    if ((size_t)snprintf (self->part, sizeof self->part, "%s.XXXXXX", self->file) >= sizeof self->part)
        return cannot_write (self, ENAMETOOLONG);
    self->out = mkostemp (self->part, O_CLOEXEC); /* nobody else's, and no link to somewhere else */
    return self->out >= 0 ? RM_CTL_DONE : cannot_write (self, errno);
}

/* Gives it its name, for good: a power cut leaves the file of before, or this one. */
static int keep_file (const backup_t *self)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s", self->file);
    if (fsync (self->out) || rename (self->part, self->file))
        return cannot_write (self, errno);
    int folder = open (dirname (path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = folder < 0 || fsync (folder) ? errno : 0;
    if (folder >= 0)
        close (folder);
    if (error)
        rm_ctl_say (
            "%s holds the backup, but a power cut could take it away: its folder cannot be written to the disk: %s",
            self->file, strerror (error));
    return error ? RM_CTL_FAILED : RM_CTL_DONE;
}

/* ---- the transfer ------------------------------------------------------------------------------------------------ */

static long answer_code (const backup_t *self)
{
    long code = 0;
    curl_easy_getinfo (self->curl, CURLINFO_RESPONSE_CODE, &code);
    return code;
}

static size_t on_header (char *line, size_t one, size_t size, void *arg)
{
    static const char name[] = "X-Checksum-XXH3: ";
    backup_t *self = arg;
    if (size >= sizeof name + 15 && !strncasecmp (line, name, sizeof name - 1))
        snprintf (self->promised, sizeof self->promised, "%.16s", line + sizeof name - 1);
    return one * size;
}

static size_t on_data (char *data, size_t one, size_t size, void *arg)
{
    backup_t *self = arg;
    size_t used = strlen (self->reason);
    if (answer_code (self) != 200) { /* as much of its sentence as there is room for */
        snprintf (self->reason + used, sizeof self->reason - used, "%.*s", (int)size, data);
        return one * size;
    }
    for (size_t done = 0; done < size;) {
        ssize_t rc = write (self->out, data + done, size - done);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc < 0) {
            self->out_error = errno;
            return CURL_WRITEFUNC_ERROR;
        }
        done += (size_t)rc;
    }
    XXH3_64bits_update (self->sum, data, size);
    self->bytes += size;
    return one * size;
}

/* A bar on the terminal, over and over in the same line. */
static int on_progress (void *arg, curl_off_t total, curl_off_t got, curl_off_t up_total, curl_off_t up)
{
    enum { WIDTH = 40 };
    static const char full[] = "########################################";
    (void)arg, (void)up_total, (void)up;
    if (total > 0 && got > 0)
        fprintf (stderr, "\r[%-*.*s] %3d %%", WIDTH, (int)(got * WIDTH / total), full, (int)(got * 100 / total));
    return 0;
}

static void set_up (backup_t *self)
{
    CURL *curl = self->curl;
    bool bar = isatty (STDERR_FILENO) && !self->ctl->said.json;
    curl_easy_setopt (curl, CURLOPT_URL, self->url);
    curl_easy_setopt (curl, CURLOPT_NOPROXY, "*"); /* a master is near, and nobody else's to know */
    curl_easy_setopt (curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt (curl, CURLOPT_CONNECTTIMEOUT_MS, (long)RM_CTL_PATIENCE_MS);
    curl_easy_setopt (curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt (curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
    curl_easy_setopt (curl, CURLOPT_ERRORBUFFER, self->error);
    curl_easy_setopt (curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt (curl, CURLOPT_HEADERDATA, self);
    curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt (curl, CURLOPT_WRITEDATA, self);
    curl_easy_setopt (curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt (curl, CURLOPT_NOPROGRESS, bar ? 0L : 1L);
}

/* What is wrong with what came; RM_CTL_DONE: nothing is. */
static int judge (backup_t *self, CURLcode rc)
{
    char sum[17];
    if (self->out_error)
        return cannot_write (self, self->out_error);
    if (rc == CURLE_COULDNT_CONNECT || rc == CURLE_COULDNT_RESOLVE_HOST) {
        rm_ctl_say ("no master's http port answers at %s: %s", self->url, self->error);
        return RM_CTL_UNREACHABLE;
    }
    if (rc != CURLE_OK) {
        rm_ctl_say ("the backup from %s broke off after %" PRIu64 " bytes: %s; try again", self->url, self->bytes,
                    *self->error ? self->error : curl_easy_strerror (rc));
        return RM_CTL_FAILED;
    }
    if (answer_code (self) != 200) {
        self->reason[strcspn (self->reason, "\r\n")] = 0;
        rm_ctl_say ("%s gives no backup: %s", self->url,
                    *self->reason ? rm_ctl_plain (self->reason) : "it does not say why");
        return RM_CTL_REFUSED;
    }
    snprintf (sum, sizeof sum, "%016" PRIx64, (uint64_t)XXH3_64bits_digest (self->sum));
    if (strcmp (sum, self->promised)) {
        rm_ctl_say ("the backup from %s is damaged: its checksum is %s, and should be '%s'; try again", self->url, sum,
                    rm_ctl_plain (self->promised));
        return RM_CTL_FAILED;
    }
    return RM_CTL_DONE;
}

static int transfer (backup_t *self)
{
    set_up (self);
    XXH3_64bits_reset (self->sum);
    CURLcode rc = curl_easy_perform (self->curl);
    if (isatty (STDERR_FILENO) && self->bytes && !self->ctl->said.json)
        fputc ('\n', stderr);
    int code = judge (self, rc);
    return code || !self->file ? code : keep_file (self);
}

static void tell (const backup_t *self)
{
    if (!self->file)
        return;
    if (self->ctl->said.json)
        rm_ctl_json_print (json_pack ("{s:s, s:I, s:s}", "file", self->file, "bytes", (json_int_t)self->bytes,
                                      "checksum", self->promised));
    else
        printf ("%s holds the backup, %" PRIu64 " bytes\n", self->file, self->bytes);
}

int rm_ctl_backup (rm_ctl_t *self)
{
    const char *file = self->arguments[0];
    backup_t backup = {.ctl = self, .file = strcmp (file, "-") ? file : NULL, .out = -1};
    int code = self->said.from ? read_endpoint (&backup) : ask_endpoint (&backup);
    if (code)
        return code;
    curl_global_init (CURL_GLOBAL_DEFAULT);
    backup.curl = curl_easy_init ();
    backup.sum = XXH3_createState ();
    if (!backup.curl || !backup.sum) {
        rm_ctl_say ("memory ran out");
        code = RM_CTL_FAILED;
    }
    if (!code)
        code = open_file (&backup);
    bool opened = !code && backup.file;
    if (!code)
        code = transfer (&backup);
    if (opened) {
        close (backup.out);
        if (code)
            unlink (backup.part);
    }
    if (!code)
        tell (&backup);
    XXH3_freeState (backup.sum);
    curl_easy_cleanup (backup.curl);
    curl_global_cleanup ();
    return code;
}
