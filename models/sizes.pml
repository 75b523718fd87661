/*  How big the cluster is and what may go wrong in it: each is a -D of models/check. */

#ifndef WORKERS
#define WORKERS 2 /* processes */
#endif
#ifndef FOUNDERS
#define FOUNDERS 1 /* of these: members from the start */
#endif
#ifndef INCS
#define INCS 3 /* incarnations in all */
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef JOBS
#define JOBS 2
#endif
#ifndef CRASHES
#define CRASHES 0 /* a process dies */
#endif
#ifndef LAPSES
#define LAPSES 0 /* a worker's lease runs out */
#endif
#ifndef SLEEPS
#define SLEEPS 0 /* a worker is asleep beyond its lease, so that its handlers run on when it is removed */
#endif
#ifndef LEADERS
#define LEADERS 0 /* the leader dies */
#endif
#ifndef LOSSES
#define LOSSES 0 /* a message is lost */
#endif
#ifndef STOPS
#define STOPS 0 /* a worker wants to leave */
#endif
#ifndef FAILURES
#define FAILURES 0 /* a handler fails, with another attempt to come */
#endif

#ifndef PHASE3_IS_SAID /* nobody waits for it */
#define PHASE3_IS_SAID false
#endif

#if LEADERS == 0
#define TERMS 1
#elif LEADERS == 1
#define TERMS 2
#else
#define TERMS 3
#endif
#define INCS1 (INCS + 1)
#define WORKERS_JOBS (WORKERS * JOBS)
#define WORKERS_TERMS (WORKERS * TERMS)
#define WORKERS_SLOTS (WORKERS * SLOTS)
#define ALL_JOBS ((1 << JOBS) - 1)

#ifdef REPLAY
#define SET int
#define LOG 64
#else
#define SET byte
#define LOG 4
#endif

/* Jobs are dealt to slots in turn; those of a slot have one key. A trace says which is where. */
#ifdef REPLAY
byte job_slot[JOBS], job_key[JOBS];
SET slot_jobs[SLOTS], key_jobs[JOBS];
#define SLOT(j) job_slot[j]
#define SLOT_JOBS(s) slot_jobs[s]
#define KEY_JOBS(j) key_jobs[job_key[j]]
#else
#define SLOT(j) ((j) % SLOTS)
#if SLOTS == 1
#define SLOT_JOBS(s) ALL_JOBS
#elif SLOTS == 2
#define SLOT_JOBS(s) ((85 << (s)) & ALL_JOBS)
#elif SLOTS == 3
#define SLOT_JOBS(s) ((73 << (s)) & ALL_JOBS)
#endif
#define KEY_JOBS(j) SLOT_JOBS (SLOT (j))
#endif
#define BEFORE(j) (KEY_JOBS (j) & (BIT (j) - 1))

/* One condition for all there are. */
#if SLOTS == 1
#define EVERY_SLOT(P) P (0)
#define SOME_SLOT(P) P (0)
#define SOME_SLOT_OF(P, x) P (x, 0)
#define EVERY_SLOT_OF(P, x) P (x, 0)
#elif SLOTS == 2
#define EVERY_SLOT(P) (P (0) && P (1))
#define SOME_SLOT(P) (P (0) || P (1))
#define SOME_SLOT_OF(P, x) (P (x, 0) || P (x, 1))
#define EVERY_SLOT_OF(P, x) (P (x, 0) && P (x, 1))
#elif SLOTS == 3
#define EVERY_SLOT(P) (P (0) && P (1) && P (2))
#define SOME_SLOT(P) (P (0) || P (1) || P (2))
#define SOME_SLOT_OF(P, x) (P (x, 0) || P (x, 1) || P (x, 2))
#define EVERY_SLOT_OF(P, x) (P (x, 0) && P (x, 1) && P (x, 2))
#endif

/* One choice for each there is that fulfils G: a worker, an incarnation, a job, a job of a worker. While nobody leads, nothing
 * but the ledger moves: what a worker does in the meantime it might as well have done before. */
#define W_IS(G, x) :: leading && G (x) -> w = x
#define I_IS(G, x) :: leading && G (x) -> i = x
#define J_IS(G, x) :: leading && G (x) -> j = x
#define WJ_IS(G, x, y) :: leading && G (x, y) -> w = x; j = y

#if WORKERS == 1
#define EACH_W(G) W_IS (G, 0)
#define EVERY_W(P) P (0)
#define SOME_W(P) P (0)
#elif WORKERS == 2
#define EACH_W(G) W_IS (G, 0) W_IS (G, 1)
#define EVERY_W(P) (P (0) && P (1))
#define SOME_W(P) (P (0) || P (1))
#elif WORKERS == 3
#define EACH_W(G) W_IS (G, 0) W_IS (G, 1) W_IS (G, 2)
#define EVERY_W(P) (P (0) && P (1) && P (2))
#define SOME_W(P) (P (0) || P (1) || P (2))
#endif

#if INCS == 2
#define EACH_I(G) I_IS (G, 1) I_IS (G, 2)
#elif INCS == 3
#define EACH_I(G) I_IS (G, 1) I_IS (G, 2) I_IS (G, 3)
#elif INCS == 4
#define EACH_I(G) I_IS (G, 1) I_IS (G, 2) I_IS (G, 3) I_IS (G, 4)
#elif INCS == 5
#define EACH_I(G) I_IS (G, 1) I_IS (G, 2) I_IS (G, 3) I_IS (G, 4) I_IS (G, 5)
#endif

#if JOBS == 1
#define EACH_J(G) J_IS (G, 0)
#define EACH_J_OF(G, x) WJ_IS (G, x, 0)
#elif JOBS == 2
#define EACH_J(G) J_IS (G, 0) J_IS (G, 1)
#define EACH_J_OF(G, x) WJ_IS (G, x, 0) WJ_IS (G, x, 1)
#elif JOBS == 3
#define EACH_J(G) J_IS (G, 0) J_IS (G, 1) J_IS (G, 2)
#define EACH_J_OF(G, x) WJ_IS (G, x, 0) WJ_IS (G, x, 1) WJ_IS (G, x, 2)
#elif JOBS == 4
#define EACH_J(G) J_IS (G, 0) J_IS (G, 1) J_IS (G, 2) J_IS (G, 3)
#define EACH_J_OF(G, x) WJ_IS (G, x, 0) WJ_IS (G, x, 1) WJ_IS (G, x, 2) WJ_IS (G, x, 3)
#endif

#if WORKERS == 1
#define EACH_WJ(G) EACH_J_OF (G, 0)
#elif WORKERS == 2
#define EACH_WJ(G) EACH_J_OF (G, 0) EACH_J_OF (G, 1)
#elif WORKERS == 3
#define EACH_WJ(G) EACH_J_OF (G, 0) EACH_J_OF (G, 1) EACH_J_OF (G, 2)
#endif

/* One choice of a worker and a term of which the next message to it is of that type. */
#define WT_IS(type, x, t) :: leading && DOWN (x, t)?[type, m_epoch, m_inc, m_x, m_y, m_z] -> w = x; m_term = t
#if TERMS == 1
#define EACH_T_OF(type, x) WT_IS (type, x, 1)
#elif TERMS == 2
#define EACH_T_OF(type, x) WT_IS (type, x, 1) WT_IS (type, x, 2)
#elif TERMS == 3
#define EACH_T_OF(type, x) WT_IS (type, x, 1) WT_IS (type, x, 2) WT_IS (type, x, 3)
#endif
#if WORKERS == 1
#define EACH_WT(type) EACH_T_OF (type, 0)
#elif WORKERS == 2
#define EACH_WT(type) EACH_T_OF (type, 0) EACH_T_OF (type, 1)
#elif WORKERS == 3
#define EACH_WT(type) EACH_T_OF (type, 0) EACH_T_OF (type, 1) EACH_T_OF (type, 2)
#endif
