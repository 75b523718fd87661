/*  When each transition may happen. NEEDS_… say when a message that is repeated until it is answered is worth another copy:
 *  neither it nor its answer is on its way, and it would change something. In a replay everything may be said at any time.
 */

#ifdef REPLAY

#define NEEDS_1(w) true
#define NEEDS_2(w) true
#define NEEDS_DONE(w, j) true
#define NEEDS_BEAT(w) true
#define NEEDS_LEAVE(w) true

#define IS_MEMBER(w) (is[w] == MEMBER)
#define WAS_BORN(i) (i <= born)
#define IS_OUT(j) HAS (sent, j)
/* Who loses a slot: its holders, but for its target. */
#define LOSERS(s) (holders[s] & ~(target[s] -> BIT (target[s]) : 0))

#else

/* Whether the leader and it speak of the same term, and it is listened to. */
#define IN_TOUCH(w) (leading && HAS (COUNTED_IN, inc[w]) && worker_term[w] == term)
#define KNOWS(w) (sync_term[w] == term && sync_epoch[w] == epoch)
#define SAID(w, part) up[w]??[part, m_term, m_inc, m_upto, m_held, m_x, m_y, m_z]
#define SENT(w, type) DOWN (w, term)??[type, m_epoch, m_inc, m_x, m_y, m_z]

#if JOBS == 1
#define UP_TO(u) (seq[0] <= (u))
#elif JOBS == 2
#define UP_TO(u) ((seq[0] <= (u)) | (seq[1] <= (u)) << 1)
#elif JOBS == 3
#define UP_TO(u) ((seq[0] <= (u)) | (seq[1] <= (u)) << 1 | (seq[2] <= (u)) << 2)
#elif JOBS == 4
#define UP_TO(u) ((seq[0] <= (u)) | (seq[1] <= (u)) << 1 | (seq[2] <= (u)) << 2 | (seq[3] <= (u)) << 3)
#endif

#define NEEDS_1(w)                                                                                                     \
    (IN_TOUCH (w) && sync_epoch[w] == epoch && resize == PHASE1 && !HAS (synced, inc[w]) && !SAID (w, ANSWER1))
#define NEEDS_2(w)                                                                                                     \
    (IN_TOUCH (w) && sync_epoch[w] == epoch && resize == PHASE2 && DRAINED (w) && HAS (counted & ~settled, inc[w]) &&   \
     !SAID (w, ANSWER2))
#define NEEDS_DONE(w, j)                                                                                               \
    (IN_TOUCH (w) && !HAS (flight[inc[w]] & proposed, j) && !up[w]??[DONE, m_term, m_inc, m_upto, m_held, eval (j), m_y, m_z] && \
     !SENT (w, M_COMMITTED))
#define NEEDS_LEAVE(w) (IN_TOUCH (w) && !HAS (leave_asked | leaving, inc[w]) && !SAID (w, LEAVE))
#define NEEDS_BEAT(w)                                                                                                  \
    (empty (up[w]) && ((IN_TOUCH (w) && (flight[inc[w]] & (sent | failed) & UP_TO (upto[w]) & ~HELD (w))) ||            \
                       (leading && !HAS (member | adding, inc[w]) && !SENT (w, M_REJOIN))))

#define NEEDS_PHASE1(i, w) (resize == PHASE1 && HAS (COUNTED_IN & ~synced, i) && !(KNOWS (w) && HAS (answered, w)))
#define NEEDS_PHASE2(i, w)                                                                                             \
    (resize == PHASE2 && HAS (COUNTED_IN & counted & ~settled, i) && KNOWS (w) && HAS (answered & ~shut, w))
#define NEEDS_PHASE3(i, w) (phase3_too && resize == IDLE && HAS (COUNTED_IN, i) && KNOWS (w) && HAS (answered & ~over, w))
/* Who is not counted in hears what is published, too. */
#define OVERHEARS(i, w)                                                                                                \
    (!HAS (member, i) && ((resize == PHASE1 && !(KNOWS (w) && HAS (answered, w))) ||                                    \
                          (resize == PHASE2 && KNOWS (w) && HAS (answered, w) &&                                        \
                           (joined_term[w] != term || joined_epoch[w] != epoch))))
#define CAN_SYNC(i)                                                                                                    \
    (leading && AT_HOME (i) && (!HAS (published, i) || !BROKEN (REPEAT)) &&                                                \
     (NEEDS_PHASE1 (i, home[i]) || NEEDS_PHASE2 (i, home[i]) || NEEDS_PHASE3 (i, home[i]) || OVERHEARS (i, home[i])))
#define CAN_DELAY(i) (delays && CAN_SYNC (i) && empty (pub[home[i]]))

#endif

/* ---- the leader -------------------------------------------------------------------------------------------------- */

#define OWNER(j) at[SLOT (j)]
#define CAN_DISPATCH(j)                                                                                                \
    (leading && HAS (accepted & ~ended & ~FLYING, j) && !(BEFORE (j) & ~ended) && !(FLYING & KEY_JOBS (j)) &&           \
     slot_is[SLOT (j)] == OPEN && HAS (reported & ~removing & ~leave_asked & ~leaving, OWNER (j)) &&                    \
     ROOM_DOWN (home[OWNER (j)], term))

#define ROOM(w) ROOM_DOWN (w, term)
#ifndef REPLAY
#define CAN_HEAR(w) (leading && nempty (up[w]) && ROOM (w) && LOG_ROOM (1))
#define CAN_HEAR_JOIN(w)                                                                                               \
    (leading && is[w] == NEW && !HAS (adding | removing, inc[w]) && ROOM (w) && LOG_ROOM (1) &&                          \
     (!HAS (member, inc[w]) || !SENT (w, M_JOINED)))
#define CAN_RESEND(w, j)                                                                                               \
    (is[w] == MEMBER && IN_TOUCH (w) && HAS (flight[inc[w]] & sent, j) && seq[j] == upto[w] + 1 && ROOM (w) &&            \
     !SENT (w, M_DISPATCH))
#define HAS_SYNC(w) nempty (pub[w])
#define HAS_UP(w) nempty (up[w])
#define HAS_ONE_UP(w) (len (up[w]) == 1)
#define HAS_ONE_DOWN(w) (len (DOWN (w, term)) == 1)
#define WAS_BORN(i) (i <= born && is[home[i]] != OFF && ROOM (home[i]) && LOG_ROOM (1))
#define HAS_TWO_UP(w) (len (up[w]) == 2)
#define HAS_TWO_DOWN(w) (len (DOWN (w, term)) == 2)
#define HAS_DOWN(w) (nempty (DOWN (w, 1)) || nempty (DOWN (w, TERMS)))
#endif

/* The time that a lease takes is an assumption: whoever is removed has none any more, and what it ran has stopped,
 * unless it was asleep. */
#define LEASE_OVER(i, w) (!HAS (leased, w) && (!RUNS (w) || HAS (late, w)))
#define CAN_REMOVE(i)                                                                                                  \
    (leading && HAS (COUNTED_IN, i) && LOG_ROOM (2) &&                                                                 \
     (is[home[i]] == OFF || inc[home[i]] != (i) || (MAY_BE_SILENT (home[i]) && LEASE_OVER (i, home[i]))))
#ifdef REPLAY
#define MAY_BE_SILENT(w) true
#else
#define MAY_BE_SILENT(w) (is[w] != NEW)
#endif

#define HAS_NO_SLOT(i) EVERY_SLOT_OF (IS_NOT, i)
#define IS_NOT(i, s) (target[s] != (i))
#define CAN_DISMISS(i)                                                                                                 \
    (leading && resize == IDLE && HAS (COUNTED_IN & leaving & reported, i) && !flight[i] && HAS_NO_SLOT (i) && LOG_ROOM (1))

#define CAN_PHASE2 (leading && resize == PHASE1 && !(COUNTED_IN & ~synced) && SLOTS_KNOWN)
#define CAN_END_RESIZE (leading && resize == PHASE2 && ALL_SETTLED && SLOTS_SETTLED && LOG_ROOM (1))

#define LOG_ROOM(n) (len (log) + (n) <= LOG)

/* ---- the workers ------------------------------------------------------------------------------------------------- */

#define CAN_START(w, j) (is[w] == MEMBER && HAS (leased, w) && HAS (queued[w], j) && !(HELD (w) & BEFORE (j)))
#define CAN_FINISH(w, j) HAS (RUNS (w), j)
#define CAN_RENEW(w) (is[w] == MEMBER && !HAS (leased, w) && RENEWS (w))
#ifdef REPLAY /* the answer may have been on its way when its leader died, or wanted it gone since it leaves */
#define RENEWS(w) HAS (member & ~(removing & ~leaving), inc[w])
#else
#define RENEWS(w) (leading && (HAS (COUNTED_IN, inc[w]) || (HAS (member, inc[w]) && BROKEN (REMOVING))) && worker_term[w] == term)
#endif
#ifdef REPLAY
#define MAY_BOOT(w) (born < INCS)
#else
#define MAY_BOOT(w) (born < incs && !HAS (stopped, w))
#endif
#define CAN_BOOT(w) ((is[w] == OFF || (is[w] == FORGET && !RUNS (w))) && MAY_BOOT (w))

/* ---- faults, which the search counts and a trace reports ------------------------------------------------------- */

#ifdef REPLAY
#define FAULT(f) skip
#define LEFT_OF(f) true
#else
#define FAULT(f) f--
#define LEFT_OF(f) (f > 0)
#endif
#ifdef REPLAY /* a master may lose its leadership before it leads; the search would only count terms */
#define MAY_BEGIN true
#else
#define MAY_BEGIN (!begun)
#endif
#define CAN_FALL LEFT_OF (leaders)
#define CAN_CRASH(w) (LEFT_OF (crashes) && is[w] != OFF)
#define CAN_LAPSE(w) ((LEFT_OF (lapses) && HAS (leased, w)) || (HAS (late, w) && running[w]))
#define CAN_SLEEP(w) (LEFT_OF (sleeps) && is[w] != OFF && (HAS (leased, w) || WAS_TAINTED))
#define CAN_DRAIN(i) (LEFT_OF (stops) && leading && HAS (member, i) && MAY_DRAIN (i))
#define CAN_STOP(w) (LEFT_OF (stops) && is[w] == MEMBER && !HAS (stopped, w))

#ifdef REPLAY
#define WAS_TAINTED true
#define MAY_DRAIN(i) true
#define MAY_END(set, verdict) (c_expr { ARG2 } == (verdict) && (HAS (set, j) || is[w] == FORGET))
#define MAY_FAIL(w) (c_expr { ARG2 } == RETRY && HAS (RUNS (w), j))
#define WISHES (resize != BEGUN || removing)
#define AND_BEGINS
#else
#define WAS_TAINTED false
#define MAY_DRAIN(i) (!HAS (removing | leave_asked | leaving, i))
#define MAY_END(set, verdict) HAS (set, j)
#define MAY_FAIL(w) (failures > 0 && HAS (running[w], j))
#define WISHES (resize != BEGUN && WANTED)
#define AND_BEGINS propose_begin ();
#endif

#ifdef REPLAY
#define QUIET true
#else
#define QUIET (leading && ended == accepted && resize == IDLE && committed_epoch == epoch)
#endif
