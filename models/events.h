/*  The transitions of models/resize.pml by name (EVENTS.md says what each means). Read by the model, by its C code and by
 *  whoever writes a trace, so that there is one list.
 */
#define EV_END 0 /* the trace is over */

/* a master's life, and the ledger as it is applied */
#define EV_DOWN 1
#define EV_LEAD 2
#define EV_ACCEPT 3
#define EV_ADD 4
#define EV_REMOVE 5
#define EV_BEGIN 6
#define EV_COMMIT 7
#define EV_ENDED 8

/* what the leader does */
#define EV_PROPOSE_BEGIN 9
#define EV_PROPOSE_REMOVE 10
#define EV_END_RESIZE 11
#define EV_SYNC 12
#define EV_DISPATCH 13
#define EV_RESEND 14
#define EV_HEAR_JOIN 15
#define EV_HEAR 16

/* what a worker does and receives */
#define EV_BOOT 17
#define EV_CRASH 18
#define EV_LAPSE 19
#define EV_RENEW 20
#define EV_STOP 21
#define EV_SAY 22
#define EV_START 23
#define EV_FINISH 24
#define EV_JOINED 25
#define EV_TAKE 26
#define EV_TOLD 27
#define EV_REJOIN 28
#define EV_LEFT 29
#define EV_SYNCED 30
#define EV_SLEEP 31
#define EV_DISMISS 32
#define EV_PHASE2 33
#define EV_LOST 34 /* the network's: never in a trace */

#define EV_COUNT 35

/* The parts of what a worker says: every one carries (term, inc, upto, held). */
#define BEAT 1   /* 0 0 0 */
#define ANSWER1 2 /* epoch current_job 0 */
#define ANSWER2 3 /* epoch ok 0 */
#define DONE 4   /* job attempt verdict */
#define LEAVE 5  /* 0 0 0 */

/* Verdicts. */
#define WELL 1
#define RETRY 2
#define INTERRUPTED 3
