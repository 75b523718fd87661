/*  What a client is told when its request cannot be served: which one, why, and what to do (docs/protocol.md, `error`). */
#include <stdarg.h>
#include <stdio.h>

#include "core/leader_inside.h"
#include "ringmaster/error.h"

void rm_leader_refuse (rm_leader_t *self, const rm_address_t *to, int code, uint64_t seq, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    rm_msg_t msg = {.type = RM_MSG_ERROR};
    msg.error = (rm_msg_error_t){.code = code, .text = rm_bytes (text), .seq = seq};
    self->refused_count++;
    rm_leader_to_client (self, to, &msg);
}

/* Later, please. */
void rm_leader_say_busy (rm_leader_t *self, const rm_address_t *to, const char *text)
{
    rm_msg_t msg = {.type = RM_MSG_BUSY};
    msg.busy = (rm_msg_busy_t){self->config.busy_ms, rm_bytes (text)};
    self->refused_count++;
    rm_leader_to_client (self, to, &msg);
}

void rm_leader_refuse_request (rm_leader_t *self, const rm_address_t *to, int code, uint64_t seq)
{
    unsigned long long n = seq;
    switch (code) {
    case RM_ESTALE:
        rm_leader_refuse (self, to, code, seq,
                          "request %llu is at or below its session's floor: its reply was received, and is forgotten",
                          n);
        break;
    case RM_ECONFLICT:
        rm_leader_refuse (self, to, code, seq,
                          "request %llu of this session was another job before: give each job a number of its own", n);
        break;
    case RM_EEXPIRED:
        rm_leader_refuse (self, to, code, seq,
                          "the session of request %llu is unknown, or was silent for %u s and is forgotten, so nothing "
                          "was run: begin a new session, with request 1",
                          n, self->config.session_ttl_ms / 1000);
        break;
    case RM_ESTATE:
        rm_leader_refuse (
            self, to, code, seq,
            "the session of request %llu ended when the masters began anew from a backup: the request may "
            "have been run before that, so look what became of it before you submit it anew",
            n);
        break;
    case RM_EINVAL:
        rm_leader_refuse (
            self, to, code, seq,
            "request %llu is more than %d above its session's floor: raise the floor to what was answered", n,
            RM_SESSION_WINDOW);
        break;
    case RM_EPROTO:
        rm_leader_refuse (self, to, code, seq,
                          "request %llu does not come after the one before it in the same message: let them grow", n);
        break;
    default:
        rm_leader_refuse (self, to, code, seq, "request %llu is refused: %s", n, rm_strerror (code));
    }
}

void rm_leader_refuse_payload (rm_leader_t *self, const rm_address_t *to, const rm_submit_job_t *job)
{
    rm_leader_refuse (self, to, RM_ETOOBIG, job->seq,
                      "the payload of %u bytes for the queue %.*s is over the limit of %u: send less, or raise the "
                      "master's --max-payload",
                      job->data.size, (int)job->queue.size, (const char *)job->queue.data,
                      self->config.payload_bytes_max);
}
