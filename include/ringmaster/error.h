/*  What can go wrong, as negative numbers. Verbs of the public API answer 0 or one of these.
 *
 *  Thread rule: any thread.
 */
#pragma once

#if defined _WIN32
#error "Ringmaster runs on Linux"
#endif

#define RM_EXPORT __attribute__ ((visibility ("default")))

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RM_ENOMEM = -1,        /* memory ran out */
    RM_EINVAL = -2,        /* an argument or option is not allowed; the object's error says which */
    RM_ETIMEDOUT = -3,     /* no answer in the time given */
    RM_EUNREACHABLE = -4,  /* no master could be reached in the time given */
    RM_EBUSY = -5,         /* the master is full: later, please */
    RM_ETOOBIG = -6,       /* a payload, result or name is over its limit */
    RM_EPROTO = -7,        /* a message that does not follow the protocol */
    RM_ESTALE = -8,        /* the request's reply was already taken (at or below the session's floor) */
    RM_ECONFLICT = -9,     /* the same request number was used for another request */
    RM_EEXPIRED = -10,     /* the session was unheard of for too long; nothing was run */
    RM_EGONE = -11,        /* the outcome was kept for as long as promised, and is forgotten now */
    RM_EUNKNOWN = -12,     /* no job (or worker) of that name was ever seen */
    RM_ECORRUPT = -13,     /* bytes on the disk are not what was written */
    RM_EIO = -14,          /* the disk or the system refused */
    RM_EINTERRUPTED = -15, /* a signal asked to stop */
    RM_EDENIED = -16,      /* not allowed */
    RM_ESTATE = -17,       /* not possible now (twice, too early, too late) */
    RM_EFAILED = -18       /* the function that was called has failed */
};

/* The sentence for an error number, without a full stop; never NULL. */
RM_EXPORT const char *rm_strerror (int error);

#ifdef __cplusplus
}
#endif
