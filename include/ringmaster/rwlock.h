/*  A writer-preferring readers-writer lock: a waiting writer keeps new readers out while those inside finish, so that a
 *  stream of readers cannot starve it. (Courtois, Heymans, Parnas 1971, second problem.)
 *
 *  Thread rule: any thread. Not recursive: taking the read side twice in one thread may deadlock with a waiting writer.
 */
#pragma once

#include <stdbool.h>

#include <ringmaster/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rm_rwlock rm_rwlock_t;

/* NULL with errno ENOMEM. */
RM_EXPORT rm_rwlock_t *rm_rwlock_new (void);
/* Nobody may hold it or wait for it. */
RM_EXPORT void rm_rwlock_destroy (rm_rwlock_t **self_p);

/* Waits until no writer is inside or waiting. */
RM_EXPORT void rm_rwlock_read_lock (rm_rwlock_t *self);
/* Waits until nobody is inside; new readers wait from the moment of the call. */
RM_EXPORT void rm_rwlock_write_lock (rm_rwlock_t *self);
/* Leaves, whichever side was taken. */
RM_EXPORT void rm_rwlock_unlock (rm_rwlock_t *self);

#ifdef __cplusplus
}
#endif
