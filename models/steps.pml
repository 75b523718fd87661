/*  How a transition is written. */

/* Each transition has a name. In a replay it takes the next event of the trace, if that has its name, and finds there what it
 * has to do with (ARG0 …); what the event says beyond that must be what the model comes to (EXPECT). In the search everything is
 * tried, and what has a choice makes every one.
 *
 * In the search, who has something to say or to decide does so in the same turn, as the code does; what cannot be then, or has
 * to be repeated, is a step of its own. In a replay each is an event.
 */
#ifdef REPLAY

#define STEP atomic
#define ON(k) (c_expr { NEXT_EVENT } == k)
#define W_FOR(k, G) ON (k) -> w = c_expr { ARG0 }; G (w)
#define I_FOR(k, G) ON (k) -> i = c_expr { ARG0 }; G (i)
#define J_FOR(k, G) ON (k) -> j = c_expr { ARG0 }; G (j)
#define WJ_FOR(k, G) ON (k) -> w = c_expr { ARG0 }; j = c_expr { ARG1 }; G (w, j)
#define EXPECT(arg, value) (c_expr { arg } == (value))
#define SAID_BY(arg) c_expr { arg }
#define DID(k) c_code { EVENT_TAKEN; }
#define SAYS
int position; /* in the trace */

#else

#define STEP d_step
#define ON(k) true
#define W_FOR(k, G) if EACH_W (G) fi
#define I_FOR(k, G) if EACH_I (G) fi
#define J_FOR(k, G) if EACH_J (G) fi
#define WJ_FOR(k, G) if EACH_WJ (G) fi
#define WT_FOR(k, type) if EACH_WT (type) fi
#define EXPECT(arg, value) true
#define SAID_BY(arg) 0
#define DID(k) c_code { seen[k] = 1; }
#define SAYS speaks = true;

#endif
