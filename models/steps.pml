/*  The transitions. Each is one step, begins when it may happen, and ends in rest (): whatever it needed on the way is
 *  forgotten then, so that it does not tell states apart.
 */

#ifdef REPLAY

#define ON(k) (c_expr { NEXT_EVENT } == k)
#define W_FOR(k, G) ON (k) -> w = c_expr { ARG0 }; G (w)
#define I_FOR(k, G) ON (k) -> i = c_expr { ARG0 }; G (i)
#define J_FOR(k, G) ON (k) -> j = c_expr { ARG0 }; G (j)
#define WJ_FOR(k, G) ON (k) -> w = c_expr { ARG0 }; j = c_expr { ARG1 }; G (w, j)
#define EXPECT(a, b) (c_expr { a } == (b))
#define DID(k) c_code { EVENT_TAKEN; }
int position; /* in the trace */

#else

#define ON(k) true
#define W_FOR(k, G) if EACH_W (G) fi
#define I_FOR(k, G) if EACH_I (G) fi
#define J_FOR(k, G) if EACH_J (G) fi
#define WJ_FOR(k, G) if EACH_WJ (G) fi
#define WT_FOR(k, type) if EACH_WT (type) fi
#define EXPECT(a, b) true
#define DID(k) c_code { seen[k] = 1; }

#endif

#define REST(k) DID (k); rest ()

/* In the search, who has something to say or to decide does so in the same turn, as the code does; what cannot be then, or
 * has to be repeated, is a step of its own. In a replay each is an event of its own.
 */
#ifdef REPLAY
#define AND_SAYS(w)
#define AND_GOES_ON
#define AND_ASKS(w)
#else
#define AND_SAYS(w) speak (w);
#define AND_GOES_ON go_on ();
#define AND_ASKS(w) ask (w);
#endif

inline say_done (w_, j_)
{
    say (w_, DONE, j_, ATTEMPT (w_, j_), (HAS (well[w_], j_) -> WELL : (HAS (failing[w_], j_) -> RETRY : INTERRUPTED)))
}

inline speak (w_)
{
    if
    :: CAN_SAY_1 (w_) -> say (w_, ANSWER1, sync_epoch[w_], frozen_job[w_], 0)
    :: else
    fi;
    if
    :: CAN_SAY_2 (w_) ->
        CHECK_OK (w_);
        say (w_, ANSWER2, sync_epoch[w_], 1, 0)
    :: else
    fi;
    for (j : 0 .. JOBS - 1) {
        if
        :: CAN_SAY_DONE (w_, j) -> say_done (w_, j)
        :: else
        fi
    }
    if
    :: CAN_SAY_LEAVE (w_) -> say (w_, LEAVE, 0, 0, 0)
    :: else
    fi
}

inline go_on ()
{
    if
    :: CAN_PHASE2 -> enter_phase2 ()
    :: else
    fi;
    if
    :: CAN_END_RESIZE -> end_resize ()
    :: else
    fi
}

inline ask (w_)
{
    if
    :: CAN_HEAR_JOIN (w_) ->
        i = inc[w_];
        hear_join ()
    :: else
    fi
}


inline rest ()
{
    w = 0;
    i = 0;
    j = 0;
    s = 0;
    n = 0;
    m_part = 0;
    m_term = 0;
    m_epoch = 0;
    m_inc = 0;
    m_upto = 0;
    m_held = 0;
    m_x = 0;
    m_y = 0;
    m_z = 0;
    m_tell = 0;
    l_b = 0;
    l_c = 0;
    l_d = 0
}

/* The slots that an incarnation loses: it holds them, and is not the target. */
inline list_lost (i_)
{
    m_z = 0;
    for (s : 0 .. SLOTS - 1) {
        m_z = m_z | ((HAS (holders[s], i_) && target[s] != i_) << s)
    }
    s = 0
}

inline enter_phase2 ()
{
    resize = PHASE2;
    counted = member;
    settled = 0;
    for (n : 1 .. INCS) {
        sync_to = (HAS (member, n) && current_job[n] > sync_to -> current_job[n] : sync_to)
    }
}

/* Nothing is left to do but to log it. A new leader that found no resize running has nothing to log. */
inline end_resize ()
{
    if
    :: committed_epoch < epoch ->
        log!M_COMMIT(epoch, 0, 0, 0);
        resize = COMMITTING
    :: else -> resize = IDLE
    fi
}

/* rm_ring_assign, for so few slots that it may be simple: whoever has a slot keeps it as far as its share goes, the rest
 * goes to those who have least. */
inline assign (set_)
{
    m_x = 0;
    for (n : 1 .. INCS) {
        m_x = m_x + HAS (set_, n)
    }
    m_x = (m_x -> (SLOTS + m_x - 1) / m_x : 0);
    for (s : 0 .. SLOTS - 1) {
        if
        :: HAS (set_, target[s]) && m_share[target[s]] < m_x ->
            m_target[s] = target[s];
            m_share[target[s]]++
        :: else
        fi
    }
    for (s : 0 .. SLOTS - 1) {
        if
        :: m_x && !m_target[s] ->
            for (n : 1 .. INCS) {
                if
                :: HAS (set_, n) && (!m_target[s] || m_share[n] < m_share[m_target[s]]) -> m_target[s] = n
                :: else
                fi
            }
            m_share[m_target[s]]++
        :: else
        fi
    }
    for (n : 1 .. INCS) {
        m_share[n] = 0
    }
}

inline boot (w_)
{
    wipe (w_);
    born++;
    home[born] = w_;
    inc[w_] = born;
    is[w_] = NEW
}

inline lose_lease (w_)
{
    leased = leased & ~BIT (w_);
    cancelled[w_] = RUNS (w_);
    running[w_] = 0
}

inline hear_join ()
{
    if
    :: HAS (removing | adding, i)
    :: HAS (member & ~removing, i) -> send_down (home[i], term, M_JOINED, epoch, i, 0, 0, 0)
    :: else ->
        adding = adding | BIT (i);
        log!M_ADD(i, 0, 0, 0)
    fi
}

inline dispatch (j_)
{
    sent = sent | BIT (j_);
    flight[i] = flight[i] | BIT (j_);
    last_seq[i]++;
    seq[j_] = last_seq[i]
}

inline found ()
{
#ifndef REPLAY
    term = 1;
    leading = true;
    epoch = 1;
    committed_epoch = 1;
    proposed_epoch = 1;
    accepted = ALL_JOBS;
    for (w : 0 .. FOUNDERS - 1) {
        boot (w);
        is[w] = MEMBER;
        leased = leased | BIT (w);
        worker_term[w] = 1;
        sync_term[w] = 1;
        sync_epoch[w] = 1;
        joined_term[w] = 1;
        joined_epoch[w] = 1;
        over = over | BIT (w);
        member = member | BIT (inc[w])
    }
    ring = member;
    reported = member;
    for (s : 0 .. SLOTS - 1) {
        target[s] = 1 + s % FOUNDERS;
        holders[s] = BIT (target[s]);
        slot_is[s] = OPEN;
        at[s] = target[s]
    }
#endif
}

active proctype cluster ()
{
    byte w, i, j, s, n;
    byte m_part, m_term, m_epoch, m_inc, m_upto, m_x, m_y, m_z, l_d; /* what is in a message, or an entry */
    SET m_held, m_tell, l_b, l_c;

    d_step {
        c_code { BEGIN; };
        found ();
        rest ()
    }
end:
    do

    /* ---- a master's life, and its ledger ---- */

    :: atomic {
        leaders && leading && ON (EV_DOWN) -> d_step {
            leaders--;
            drop_leader ();
            REST (EV_DOWN)
        }
    }
    :: atomic {
        !leading && ON (EV_LEAD) -> d_step {
            lead ();
            AND_GOES_ON
            REST (EV_LEAD)
        }
    }
    :: atomic {
        log?[M_ADD, i, l_b, l_c, l_d] && ON (EV_ADD) && EVERY_W (ROOM) -> d_step {
            log?M_ADD(i, l_b, l_c, l_d);
            apply_add (i);
            AND_GOES_ON
            REST (EV_ADD)
        }
    }
    :: atomic {
        log?[M_REMOVE, i, l_b, l_c, l_d] && ON (EV_REMOVE) && EVERY_W (ROOM) -> d_step {
            log?M_REMOVE(i, l_b, l_c, l_d);
            apply_remove (i, l_b);
            AND_GOES_ON
            REST (EV_REMOVE)
        }
    }
    :: atomic {
        log?[M_BEGIN, i, l_b, l_c, l_d] && ON (EV_BEGIN) -> log?M_BEGIN(i, l_b, l_c, l_d);
        l_b = l_b & member;
        d_step {
            assign (l_b);
            apply_begin (i, l_b, l_c);
            AND_GOES_ON
            REST (EV_BEGIN)
        }
    }
    :: atomic {
        log?[M_COMMIT, i, l_b, l_c, l_d] && ON (EV_COMMIT) -> d_step {
            log?M_COMMIT(i, l_b, l_c, l_d);
            apply_commit (i);
            AND_GOES_ON
            REST (EV_COMMIT)
        }
    }
    :: atomic {
        log?[M_ENDED, i, l_b, l_c, l_d] && ON (EV_ENDED) && EVERY_W (ROOM) -> d_step {
            log?M_ENDED(i, l_b, l_c, l_d);
            j = l_b;
            apply_ended (i, j, l_c, l_d);
            AND_GOES_ON
            REST (EV_ENDED)
        }
    }

    /* ---- the leader ---- */

    :: atomic {
        leading && resize != BEGUN && WANTED && LOG_ROOM (2) && ON (EV_PROPOSE_BEGIN) -> d_step {
            propose_begin ();
            REST (EV_PROPOSE_BEGIN)
        }
    }
    :: atomic {
        I_FOR (EV_PROPOSE_REMOVE, CAN_REMOVE);
        d_step {
            removing = removing | BIT (i);
            log!M_REMOVE(i, (flight[i] & sent), 0, 0);
            propose_begin ();
            REST (EV_PROPOSE_REMOVE)
        }
    }
    :: atomic {
        I_FOR (EV_DISMISS, CAN_DISMISS);
        d_step {
            removing = removing | BIT (i);
            log!M_REMOVE(i, 0, 0, 0);
            REST (EV_DISMISS)
        }
    }
    :: atomic {
        CAN_PHASE2 && ON (EV_PHASE2) -> d_step {
            enter_phase2 ();
            REST (EV_PHASE2)
        }
    }
    :: atomic {
        CAN_END_RESIZE && ON (EV_END_RESIZE) -> d_step {
            end_resize ();
            REST (EV_END_RESIZE)
        }
    }
    :: atomic {
        I_FOR (EV_SYNC, CAN_SYNC);
        d_step {
            list_lost (i);
            pub[home[i]]!term, epoch, (resize == PHASE1 -> 1 : (resize == PHASE2 -> 2 : 3)), HAS (counted, i), m_z;
            REST (EV_SYNC)
        }
    }
    :: atomic {
        J_FOR (EV_DISPATCH, CAN_DISPATCH);
        d_step {
            i = OWNER (j);
            check_dispatch (i, j);
            dispatch (j);
            send_down (home[i], term, M_DISPATCH, epoch, i, seq[j], j, attempt[j]);
            REST (EV_DISPATCH)
        }
    }
    :: atomic {
        WJ_FOR (EV_RESEND, CAN_RESEND);
        d_step {
            send_down (w, term, M_DISPATCH, epoch, inc[w], seq[j], j, attempt[j]);
            REST (EV_RESEND)
        }
    }
    :: atomic {
        W_FOR (EV_HEAR_JOIN, CAN_HEAR_JOIN);
        d_step {
            i = inc[w];
            hear_join ();
            REST (EV_HEAR_JOIN)
        }
    }
    :: atomic {
        W_FOR (EV_HEAR, CAN_HEAR);
        d_step {
            up[w]?m_part, m_term, m_inc, m_upto, m_held, m_x, m_y, m_z;
            hear (w);
            AND_GOES_ON
            REST (EV_HEAR)
        }
    }

    /* ---- the workers ---- */

    :: atomic {
        W_FOR (EV_BOOT, CAN_BOOT);
        d_step {
            boot (w);
            AND_ASKS (w)
            REST (EV_BOOT)
        }
    }
    :: atomic {
        W_FOR (EV_CRASH, CAN_CRASH);
        d_step {
            crashes--;
            wipe (w);
            cut (w);
            is[w] = OFF;
            REST (EV_CRASH)
        }
    }
    :: atomic {
        W_FOR (EV_LAPSE, CAN_LAPSE);
        d_step {
            lapses--;
            lose_lease (w);
            REST (EV_LAPSE)
        }
    }
    :: atomic {
        W_FOR (EV_SLEEP, CAN_SLEEP);
        d_step {
            sleeps--;
            late = late | BIT (w);
            lose_lease (w);
            REST (EV_SLEEP)
        }
    }
    :: atomic {
        W_FOR (EV_RENEW, CAN_RENEW);
        d_step {
            leased = leased | BIT (w);
            late = late & ~BIT (w);
            AND_SAYS (w)
            REST (EV_RENEW)
        }
    }
    :: atomic {
        W_FOR (EV_STOP, CAN_STOP);
        d_step {
            stops--;
            stopped = stopped | BIT (w);
            queued[w] = 0;
            AND_SAYS (w)
            REST (EV_STOP)
        }
    }
    :: atomic {
        WJ_FOR (EV_START, CAN_START);
        d_step {
            check_start (w, j);
            queued[w] = queued[w] & ~BIT (j);
            running[w] = running[w] | BIT (j);
            REST (EV_START)
        }
    }
    :: atomic {
        WJ_FOR (EV_FINISH, CAN_FINISH);
        if
        :: m_z = WELL
        :: failures && HAS (running[w], j) ->
            failures--;
            m_z = RETRY
        fi;
        d_step {
            finish (w, j, m_z);
            AND_SAYS (w)
            REST (EV_FINISH)
        }
    }
    :: atomic {
        W_FOR (EV_SAY, CAN_SAY_1);
        d_step {
            say (w, ANSWER1, sync_epoch[w], frozen_job[w], 0);
            REST (EV_SAY)
        }
    }
    :: atomic {
        W_FOR (EV_SAY, CAN_SAY_2);
        d_step {
            CHECK_OK (w);
            say (w, ANSWER2, sync_epoch[w], 1, 0);
            REST (EV_SAY)
        }
    }
    :: atomic {
        WJ_FOR (EV_SAY, CAN_SAY_DONE);
        d_step {
            say_done (w, j);
            REST (EV_SAY)
        }
    }
    :: atomic {
        W_FOR (EV_SAY, CAN_SAY_BEAT);
        d_step {
            say (w, BEAT, 0, 0, 0);
            REST (EV_SAY)
        }
    }
    :: atomic {
        W_FOR (EV_SAY, CAN_SAY_LEAVE);
        d_step {
            say (w, LEAVE, 0, 0, 0);
            REST (EV_SAY)
        }
    }
    :: atomic {
        WT_FOR (EV_TAKE, M_DISPATCH);
        d_step {
            DOWN (w, m_term)?M_DISPATCH(m_epoch, m_inc, m_x, m_y, m_z);
            take (w);
            AND_SAYS (w)
            REST (EV_TAKE)
        }
    }
    :: atomic {
        WT_FOR (EV_TOLD, M_COMMITTED);
        d_step {
            DOWN (w, m_term)?M_COMMITTED(m_epoch, m_inc, m_x, m_y, m_z);
            if
            :: is[w] == MEMBER && m_inc == inc[w] && m_term >= worker_term[w] -> settle (w, m_x)
            :: else
            fi;
            AND_SAYS (w)
            REST (EV_TOLD)
        }
    }
    :: atomic {
        WT_FOR (EV_JOINED, M_JOINED);
        d_step {
            DOWN (w, m_term)?M_JOINED(m_epoch, m_inc, m_x, m_y, m_z);
            joined (w);
            AND_SAYS (w)
            REST (EV_JOINED)
        }
    }
    :: atomic {
        WT_FOR (EV_REJOIN, M_REJOIN);
        d_step {
            DOWN (w, m_term)?M_REJOIN(m_epoch, m_inc, m_x, m_y, m_z);
            if
            :: (is[w] == MEMBER || is[w] == NEW) && m_inc == inc[w] && m_term >= worker_term[w] -> forget (w)
            :: else
            fi;
            REST (EV_REJOIN)
        }
    }
    :: atomic {
        WT_FOR (EV_LEFT, M_LEFT);
        d_step {
            DOWN (w, m_term)?M_LEFT(m_epoch, m_inc, m_x, m_y, m_z);
            if
            :: (is[w] == MEMBER || is[w] == NEW) && m_inc == inc[w] && m_term >= worker_term[w] ->
                stopped = stopped | BIT (w);
                forget (w)
            :: else
            fi;
            REST (EV_LEFT)
        }
    }
    :: atomic {
        W_FOR (EV_SYNCED, HAS_SYNC);
        d_step {
            pub[w]?m_term, m_epoch, m_x, m_y, m_z;
            receive_sync (w);
            AND_SAYS (w)
            REST (EV_SYNCED)
        }
    }

    /* ---- the network loses something ---- */

    :: atomic {
        losses && SOME_W (HAS_SYNC) ->
        W_FOR (EV_LOST, HAS_SYNC);
        d_step {
            losses--;
            pub[w]?_, _, _, _, _;
            REST (EV_LOST)
        }
    }
    :: atomic {
        losses && SOME_W (HAS_UP) ->
        W_FOR (EV_LOST, HAS_UP);
        d_step {
            losses--;
            up[w]?_, _, _, _, _, _, _, _;
            REST (EV_LOST)
        }
    }
    :: atomic {
        losses && SOME_W (HAS_DOWN) ->
        W_FOR (EV_LOST, HAS_DOWN);
        d_step {
            losses--;
            m_term = 1;
            do
            :: empty (DOWN (w, m_term)) -> m_term++
            :: nempty (DOWN (w, m_term)) ->
                DOWN (w, m_term)?_, _, _, _, _, _;
                break
            od;
            REST (EV_LOST)
        }
    }
    od
}

/* Whatever happened, in the end every job has ended and no resize is under way. */
ltl it_ends { <> [] (leading && ended == ALL_JOBS && resize == IDLE && committed_epoch == epoch) }
