/*  The master's fail points (net/failpoint): before and after each send, and each commit of a kind of entry.
 *
 *  Thread rule: the loop's thread.
 */
#pragma once

#include "core/entry.h"
#include "proto/msg.h"

typedef enum { RM_POINT_BEFORE, RM_POINT_AFTER } rm_point_side_t;

/* Every name, in an array that ends in NULL; for rm_failpoint_table. */
const char *const *rm_points_names (void);

/* "master.send.NAME.before" and ".after"; `phase` of a sync message. */
void rm_points_send (rm_msg_type_t type, uint32_t phase, rm_point_side_t side);

/* "master.commit.KIND.before" (not proposed yet) and ".after" (applied, nobody told), for each kind in the batch. */
void rm_points_commit (uint32_t kinds, rm_point_side_t side);
