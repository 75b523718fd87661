/*  How big the cluster is (each a -D of models/check), and how to choose one of what there is. What may go wrong in it, and
 *  how often, is said when the search begins (search.h).
 */

#ifndef WORKERS
#define WORKERS 2 /* processes */
#endif
#ifndef INCS
#define INCS 4 /* incarnations, at most */
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef JOBS
#define JOBS 3
#endif
#ifndef TERMS
#define TERMS 2
#endif

#define INCS1 (INCS + 1)
#define WORKERS_JOBS (WORKERS * JOBS)
#define WORKERS_TERMS (WORKERS * TERMS)
#define WORKERS_SLOTS (WORKERS * SLOTS)

#ifdef REPLAY
#define SET int
#define LOG 64
#else
#define SET byte
#define LOG 4
#endif

/* Where the jobs are. In the search they are dealt to the slots in turn, with one key a slot; or all of them are in the last
 * slot, the one that a second worker gets, with one key or with a key each (search.h). A trace says it.
 */
byte job_slot[JOBS], job_key[JOBS];
SET slot_jobs[SLOTS], key_jobs[JOBS];
#define SLOT(j) job_slot[j]
#define SLOT_JOBS(s) slot_jobs[s]
#define KEY_JOBS(j) key_jobs[job_key[j]]
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

#ifdef REPLAY
#define EVERY_W(P) true
#else

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
#define SOME_I(P) (P (1) || P (2))
#elif INCS == 3
#define EACH_I(G) I_IS (G, 1) I_IS (G, 2) I_IS (G, 3)
#define SOME_I(P) (P (1) || P (2) || P (3))
#elif INCS == 4
#define EACH_I(G) I_IS (G, 1) I_IS (G, 2) I_IS (G, 3) I_IS (G, 4)
#define SOME_I(P) (P (1) || P (2) || P (3) || P (4))
#elif INCS == 5
#define EACH_I(G) I_IS (G, 1) I_IS (G, 2) I_IS (G, 3) I_IS (G, 4) I_IS (G, 5)
#define SOME_I(P) (P (1) || P (2) || P (3) || P (4) || P (5))
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

#endif
