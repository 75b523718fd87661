/*  What the files of the leader (core/leader*.c) say to each other. Nobody else includes this; what each does is said
 *  where it is defined.
 *
 *  Thread rule: as leader.h.
 */
#pragma once

#include "core/entry.h"
#include "core/leader.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

/* leader.c */
void rm_leader_trace (rm_leader_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
void rm_leader_see (rm_leader_t *self, rm_now_t now);
rm_peer_t *rm_leader_peer (const rm_leader_t *self, uint64_t inc);
void rm_leader_to_worker (rm_leader_t *self, const rm_address_t *to, const rm_msg_t *msg);
rm_peer_t *rm_leader_add_peer (rm_leader_t *self, rm_member_t *member, bool reported);
void rm_leader_unlist_peer (rm_leader_t *self, const rm_peer_t *peer);
void rm_leader_free_peer (rm_peer_t *peer);

/* What is set of it, as a policy; false: nothing is. */
bool rm_retry_policy (const rm_spacing_t *retry, rm_backoff_t *policy);
/* The same of a queue, whose attempts are spaced as the master's own in what it does not say. */
bool rm_leader_queue_policy (const rm_leader_t *self, rm_spacing_t retry, rm_backoff_t *policy);
uint64_t rm_leader_retry_delay (rm_leader_t *self, const rm_record_t *record);

/* leader_learn.c */
void rm_leader_listen (rm_leader_t *self);

/* leader_batch.c: entries on their way */
rm_buf_t *rm_leader_entry (rm_leader_t *self, rm_entry_kind_t kind, size_t room);
uint64_t rm_leader_batch_number (const rm_leader_t *self);

/* leader_record.c: where each job is */
void rm_leader_move_record (rm_record_t *record, rm_at_t to);
void rm_leader_offer_record (rm_leader_t *self, rm_record_t *record, bool front);
void rm_leader_offer_key (rm_leader_t *self, rm_key_t *key, bool front);
void rm_leader_offer_head (rm_leader_t *self, rm_key_t *key);
void rm_leader_offer_queue (rm_leader_t *self, rm_queue_t *queue);
void rm_leader_review_queue (rm_leader_t *self, rm_queue_t *queue);
void rm_leader_withdraw_record (rm_leader_t *self, rm_record_t *record);
void rm_leader_withdraw_key (rm_leader_t *self, rm_key_t *key);
bool rm_leader_take_off (rm_leader_t *self, rm_record_t *record, rm_peer_t *peer, rm_at_t to);
void rm_leader_park (rm_leader_t *self, rm_record_t *record);
void rm_leader_drop_spare_flights (rm_leader_t *self);
void rm_leader_land (rm_leader_t *self, rm_record_t *record);
void rm_leader_await_release (rm_leader_t *self, rm_record_t *record);
void rm_leader_hand_back (rm_leader_t *self, rm_record_t *record);
void rm_leader_due (rm_leader_t *self);
void rm_leader_offer_unkeyed (rm_leader_t *self, rm_pool_t *pool);

/* leader_events.c */
void rm_leader_note (rm_leader_t *self, const rm_record_t *record, rm_event_kind_t kind);

/* leader_trace.c */
void rm_leader_remember (rm_leader_t *self, const rm_event_t *event);
void rm_leader_remember_given (rm_leader_t *self, rm_record_t *record);

/* leader_stop.c; the first is false if there is nothing to stop, or this format of the ledger has no word for it */
bool rm_leader_stop (rm_leader_t *self, rm_record_t *record, rm_outcome_t outcome, rm_bytes_t reason);
/* A dead job that holds its key is to hold it no longer. */
void rm_leader_let_go (rm_leader_t *self, const rm_record_t *record);
bool rm_leader_stops (rm_leader_t *self, rm_record_t *record);
void rm_leader_tell_stops (rm_leader_t *self, rm_peer_t *peer);
void rm_leader_stopping (rm_leader_t *self, rm_record_t *record);
void rm_leader_watch_deadline (rm_leader_t *self, rm_record_t *record);
void rm_leader_end_overdue (rm_leader_t *self);

/* leader_slot.c */
int rm_leader_attach_pool (rm_leader_t *self, rm_pool_t *pool);
void rm_leader_refresh_slot (rm_leader_t *self, rm_pool_t *pool, uint32_t slot);
void rm_leader_refresh_pool (rm_leader_t *self, rm_pool_t *pool);
bool rm_leader_slots_settled (const rm_leader_t *self);
bool rm_leader_slots_known (const rm_leader_t *self);

/* leader_dispatch.c */
bool rm_leader_may_send (const rm_record_t *record);
void rm_leader_dispatch (rm_leader_t *self, rm_peer_t *peer, rm_record_t *record);
void rm_leader_resend (rm_leader_t *self, rm_peer_t *peer);
void rm_leader_send_of_epoch (rm_leader_t *self, uint64_t epoch);
void rm_leader_pump (rm_leader_t *self);

/* leader_worker.c */
void rm_leader_commit_later (rm_leader_t *self, rm_peer_t *peer, uint64_t id, uint32_t attempt);
void rm_leader_commit_past (rm_leader_t *self, rm_peer_t *peer, const rm_record_t *record);
void rm_leader_tell_committed (rm_leader_t *self, rm_peer_t *peer);
void rm_leader_answer_joins (rm_leader_t *self, rm_member_t *member);
void rm_leader_remove_peer (rm_leader_t *self, rm_peer_t *peer, const char *why);

/* leader_resize.c */
void rm_leader_want_resize (rm_leader_t *self, bool now);
void rm_leader_resize_step (rm_leader_t *self);
void rm_leader_resize_begun (rm_leader_t *self);
void rm_leader_resize_committed (rm_leader_t *self);
void rm_leader_resume_resize (rm_leader_t *self);
void rm_leader_send_sync (rm_leader_t *self, const rm_address_t *to);
void rm_leader_sync_answer (rm_leader_t *self, rm_peer_t *peer, const rm_msg_sync_t *sync);
void rm_leader_propose_begin (rm_leader_t *self);

/* leader_room.c */
struct rm_leader_room;
#define RM_LEADER_QUEUES_FULL                                                                                          \
    "the master has as many queues as it may: name one of them, and let a key tell apart what must be"
uint64_t rm_leader_queues_ahead (const rm_leader_t *self);
const char *rm_leader_enter_room (rm_leader_t *self, rm_bytes_t name, uint64_t bytes, struct rm_leader_room **room_p);
void rm_leader_leave_room (rm_leader_t *self, struct rm_leader_room *room, uint64_t count, uint64_t bytes);
const char *rm_leader_full (const rm_leader_t *self, const rm_ledger_session_t *session, uint64_t jobs, uint64_t bytes);
void rm_leader_expect (rm_leader_t *self, rm_ledger_session_t *session, uint64_t jobs, uint64_t bytes);
void rm_leader_unexpect (rm_leader_t *self, rm_ledger_session_t *session, uint64_t jobs, uint64_t bytes);

/* leader_refuse.c: what clients are told instead; the last two know the sentence */
void rm_leader_refuse (rm_leader_t *self, const rm_address_t *to, int code, uint64_t seq, const char *format, ...)
    __attribute__ ((format (printf, 5, 6)));
void rm_leader_say_busy (rm_leader_t *self, const rm_address_t *to, const char *text);
void rm_leader_refuse_request (rm_leader_t *self, const rm_address_t *to, int code, uint64_t seq);
void rm_leader_refuse_payload (rm_leader_t *self, const rm_address_t *to, const rm_submit_job_t *job);

/* leader_progress.c */
void rm_leader_take_progress (rm_leader_t *self, rm_peer_t *peer, const rm_msg_progress_t *msg);
void rm_leader_take_partials (rm_leader_t *self, rm_peer_t *peer, const rm_msg_partial_t *msg);
void rm_leader_drop_progress (rm_leader_t *self, rm_record_t *record);
void rm_leader_end_progress (rm_leader_t *self, rm_record_t *record);
void rm_leader_end_lingering (rm_leader_t *self);

/* leader_client.c */
void rm_leader_answer_submits (rm_leader_t *self, uint64_t number);
void rm_leader_drop_clients (rm_leader_t *self);

/* leader_wait.c */
void rm_leader_take_wait (rm_leader_t *self, const rm_address_t *from, const rm_msg_wait_t *wait);
void rm_leader_note_waiters (rm_leader_t *self, rm_record_t *record);
void rm_leader_answer_waiters (rm_leader_t *self);
void rm_leader_answer_followers (rm_leader_t *self, rm_record_t *record, bool partial);
void rm_leader_end_polls (rm_leader_t *self);
void rm_leader_drop_waiters (rm_leader_t *self);

/* leader_order.c */
void rm_leader_take_order (rm_leader_t *self, const rm_address_t *from, const rm_msg_order_t *order);
void rm_leader_answer_orders (rm_leader_t *self, uint64_t number);
void rm_leader_drop_orders (rm_leader_t *self);
void rm_leader_kicked (rm_leader_t *self, const rm_record_t *again);

/* leader_sweep.c */
void rm_leader_sweep (rm_leader_t *self);

/* False once memory has run out: its books may lack what there was no memory for. It lets go of what ends, and does nothing
 * more until the node has stopped. */
static inline bool rm_leader_acts (const rm_leader_t *self)
{
    return self->leading && !self->out_of_memory;
}

/* The same, and false while another master may lead: it goes on with its books, and says nothing. */
static inline bool rm_leader_speaks (const rm_leader_t *self)
{
    return rm_leader_acts (self) && !self->cut_off;
}

/* True if what comes with format 2 of the state may be written: any entry from now on stands behind the one that says so. */
static inline bool rm_leader_has_format_2 (const rm_leader_t *self)
{
    return self->raising || self->state->format >= 2;
}

/* True if it will be in a moment: who asks for what comes with it is to ask again. */
static inline bool rm_leader_gets_format_2 (const rm_leader_t *self)
{
    return !rm_leader_has_format_2 (self) && (self->rising || self->format >= 2);
}

#define RM_LEADER_RISES "the ledger is new, and does not take this yet"

/* How many jobs it has to do, or is about to get. */
static inline uint32_t rm_peer_load (const rm_peer_t *peer)
{
    return peer->flight_count - peer->failed_count;
}

/* True while an attempt is with a worker and not over. */
static inline bool rm_record_runs (const rm_record_t *record)
{
    return rm_record_peer (record) && record->lead.at != RM_AT_FAILED;
}
