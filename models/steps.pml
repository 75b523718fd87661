/*  The transitions. Each is one step, begins when it may happen, and ends in rest (): whatever it needed on the way is
 *  forgotten then, so that it does not tell states apart.
 */

#define W_FOR(G) if EACH_W (G) fi
#define I_FOR(G) if EACH_I (G) fi
#define J_FOR(G) if EACH_J (G) fi
#define WJ_FOR(G) if EACH_WJ (G) fi
#define WT_FOR(type) if EACH_WT (type) fi
#define DID(k) c_code { seen[k] = 1; }

/* Who has something to say or to decide does so in the same turn, as the code does; what cannot be then, or has to be
 * repeated, is a step of its own.
 */
#define SAYS speaks = true;

/* What was needed on the way is forgotten, so that it does not tell states apart. */
inline rest ()
{
    w = 0;
    i = 0;
    j = 0;
    s = 0;
    n = 0;
    may = false;
    speaks = false;
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

inline say_done (w_, j_)
{
    say (w_, DONE, j_, ATTEMPT (w_, j_), (HAS (well[w_], j_) -> WELL : (HAS (failing[w_], j_) -> RETRY : INTERRUPTED)))
}

inline speak (w_)
{
    may = CAN_SAY_1 (w_);
    if
    :: may -> say (w_, ANSWER1, sync_epoch[w_], frozen_job[w_], 0)
    :: else
    fi;
    may = CAN_SAY_2 (w_);
    if
    :: may ->
        CHECK_OK (w_);
        say (w_, ANSWER2, sync_epoch[w_], 1, 0)
    :: else
    fi;
    for (j : 0 .. JOBS - 1) {
        may = CAN_SAY_DONE (w_, j);
        if
        :: may -> say_done (w_, j)
        :: else
        fi
    }
    may = CAN_SAY_LEAVE (w_);
    if
    :: may -> say (w_, LEAVE, 0, 0, 0)
    :: else
    fi
}

inline go_on ()
{
    may = CAN_PHASE2;
    if
    :: may ->
        enter_phase2 ();
        DID (EV_PHASE2)
    :: else
    fi;
    may = CAN_END_RESIZE;
    if
    :: may ->
        end_resize ();
        DID (EV_END_RESIZE)
    :: else
    fi
}

/* What a worker reads of what is published at present: the phase, whether it is named, and the slots that it loses, since it
 * holds them and is not their target.
 */
inline present_sync (i_)
{
    m_term = term;
    m_epoch = epoch;
    m_x = (resize == PHASE1 -> 1 : (resize == PHASE2 -> 2 : 3));
    m_y = HAS (counted, i_);
    m_z = 0;
    for (s : 0 .. SLOTS - 1) {
        m_z = m_z | ((HAS (holders[s], i_) && target[s] != i_) << s)
    }
    s = 0
}

inline enter_phase2 ()
{
    resize = PHASE2;
    published = 0;
    counted = member;
    settled = 0;
    for (n : 1 .. INCS) {
        sync_to = (HAS (member, n) && current_job[n] > sync_to -> current_job[n] : sync_to)
    }
}

/* Nothing is left to do but to log it. A new leader that found no resize running has nothing to log. */
inline end_resize ()
{
    check_end ();
    published = 0;
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
    term = 1;
    leading = true;
    epoch = 1;
    committed_epoch = 1;
    proposed_epoch = 1;
    for (w : 0 .. founders - 1) {
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
        target[s] = 1 + s % founders;
        holders[s] = BIT (target[s]);
        slot_is[s] = OPEN;
        at[s] = target[s]
    }
}

active proctype cluster ()
{
    byte w, i, j, s, n;
    bool may, speaks;
    byte m_part, m_term, m_epoch, m_inc, m_upto, m_x, m_y, m_z, l_d; /* what is in a message, or an entry */
    SET m_held, m_tell, l_b, l_c;

    d_step {
        c_code { BEGIN; };
        found ();
        rest ()
    }
    do
    :: atomic {
        if

        /* ---- a master's life, and its ledger ---- */

        :: leaders && leading -> d_step {
                leaders--;
                drop_leader ();
                DID (EV_DOWN)
            }
        :: !leading -> d_step {
                lead ();
                DID (EV_LEAD)
            }
        :: log?[M_ADD, i, l_b, l_c, l_d] && EVERY_W (ROOM) -> d_step {
                log?M_ADD(i, l_b, l_c, l_d);
                apply_add (i);
                DID (EV_ADD)
            }
        :: log?[M_REMOVE, i, l_b, l_c, l_d] && EVERY_W (ROOM) -> d_step {
                log?M_REMOVE(i, l_b, l_c, l_d);
                apply_remove (i, l_b);
                DID (EV_REMOVE)
            }
        :: log?[M_BEGIN, i, l_b, l_c, l_d] -> log?M_BEGIN(i, l_b, l_c, l_d);
            l_b = l_b & member;
            d_step {
                assign (l_b);
                apply_begin (i, l_b, l_c);
                DID (EV_BEGIN)
            }
        :: log?[M_COMMIT, i, l_b, l_c, l_d] -> d_step {
                log?M_COMMIT(i, l_b, l_c, l_d);
                apply_commit (i);
                DID (EV_COMMIT)
            }
        :: log?[M_ENDED, i, l_b, l_c, l_d] && EVERY_W (ROOM) -> d_step {
                log?M_ENDED(i, l_b, l_c, l_d);
                j = l_b;
                apply_ended (i, j, l_c, l_d);
                DID (EV_ENDED)
            }

        /* ---- the leader ---- */

        :: leading && resize != BEGUN && WANTED && LOG_ROOM (2) -> d_step {
                propose_begin ();
                DID (EV_PROPOSE_BEGIN)
            }
        :: I_FOR (CAN_REMOVE);
            d_step {
                removing = removing | BIT (i);
                log!M_REMOVE(i, (flight[i] & sent), 0, 0);
                propose_begin ();
                DID (EV_PROPOSE_REMOVE)
            }
        :: I_FOR (CAN_DISMISS);
            d_step {
                removing = removing | BIT (i);
                log!M_REMOVE(i, 0, 0, 0);
                DID (EV_DISMISS)
            }
        :: CAN_PHASE2 -> d_step {
                enter_phase2 ();
                DID (EV_PHASE2)
            }
        :: CAN_END_RESIZE -> d_step {
                end_resize ();
                DID (EV_END_RESIZE)
            }
        :: /* a copy that is read at once; one that is lost might as well be published later */
            I_FOR (CAN_SYNC);
            d_step {
                w = home[i];
                published = published | (BROKEN (REPEAT) -> BIT (i) : 0);
                present_sync (i);
                receive_sync (w);
                SAYS
                DID (EV_SYNC)
            }
        :: /* a copy that comes later */
            I_FOR (CAN_DELAY);
            d_step {
                delays--;
                w = home[i];
                published = published | (BROKEN (REPEAT) -> BIT (i) : 0);
                present_sync (i);
                pub[w]!m_term, m_epoch, m_x, m_y, m_z;
                DID (EV_SYNC)
            }
        :: J_FOR (CAN_DISPATCH);
            d_step {
                i = OWNER (j);
                check_dispatch (i, j);
                dispatch (j);
                send_down (home[i], term, M_DISPATCH, epoch, i, seq[j], j, attempt[j]);
                DID (EV_DISPATCH)
            }
        :: WJ_FOR (CAN_RESEND);
            d_step {
                send_down (w, term, M_DISPATCH, epoch, inc[w], seq[j], j, attempt[j]);
                DID (EV_RESEND)
            }
        :: W_FOR (CAN_HEAR_JOIN);
            d_step {
                i = inc[w];
                hear_join ();
                DID (EV_HEAR_JOIN)
            }
        :: W_FOR (CAN_HEAR);
            d_step {
                up[w]?m_part, m_term, m_inc, m_upto, m_held, m_x, m_y, m_z;
                hear (w);
                DID (EV_HEAR)
            }

        /* ---- the workers ---- */

        :: W_FOR (CAN_BOOT);
            d_step {
                boot (w);
                may = CAN_HEAR_JOIN (w);
                if
                :: may ->
                    i = inc[w];
                    hear_join ()
                :: else
                fi;
                DID (EV_BOOT)
            }
        :: W_FOR (CAN_CRASH);
            d_step {
                crashes--;
                wipe (w);
                cut (w);
                is[w] = OFF;
                DID (EV_CRASH)
            }
        :: W_FOR (CAN_LAPSE);
            d_step {
                lapses--;
                lose_lease (w);
                DID (EV_LAPSE)
            }
        :: W_FOR (CAN_SLEEP);
            d_step {
                sleeps--;
                late = late | BIT (w);
                lose_lease (w);
                DID (EV_SLEEP)
            }
        :: W_FOR (CAN_RENEW);
            d_step {
                leased = leased | BIT (w);
                late = late & ~BIT (w);
                SAYS
                DID (EV_RENEW)
            }
        :: W_FOR (CAN_STOP);
            d_step {
                stops--;
                stopped = stopped | BIT (w);
                queued[w] = 0;
                SAYS
                DID (EV_STOP)
            }
        :: WJ_FOR (CAN_START);
            d_step {
                check_start (w, j);
                queued[w] = queued[w] & ~BIT (j);
                running[w] = running[w] | BIT (j);
                DID (EV_START)
            }
        :: WJ_FOR (CAN_FINISH);
            if
            :: m_z = WELL
            :: failures && HAS (running[w], j) ->
                failures--;
                m_z = RETRY
            fi;
            d_step {
                finish (w, j, m_z);
                SAYS
                DID (EV_FINISH)
            }
        :: W_FOR (CAN_SAY_1);
            d_step {
                say (w, ANSWER1, sync_epoch[w], frozen_job[w], 0);
                DID (EV_SAY)
            }
        :: W_FOR (CAN_SAY_2);
            d_step {
                CHECK_OK (w);
                say (w, ANSWER2, sync_epoch[w], 1, 0);
                DID (EV_SAY)
            }
        :: WJ_FOR (CAN_SAY_DONE);
            d_step {
                say_done (w, j);
                DID (EV_SAY)
            }
        :: W_FOR (CAN_SAY_BEAT);
            d_step {
                say (w, BEAT, 0, 0, 0);
                DID (EV_SAY)
            }
        :: W_FOR (CAN_SAY_LEAVE);
            d_step {
                say (w, LEAVE, 0, 0, 0);
                DID (EV_SAY)
            }
        :: WT_FOR (M_DISPATCH);
            d_step {
                DOWN (w, m_term)?M_DISPATCH(m_epoch, m_inc, m_x, m_y, m_z);
                take (w);
                SAYS
                DID (EV_TAKE)
            }
        :: WT_FOR (M_COMMITTED);
            d_step {
                DOWN (w, m_term)?M_COMMITTED(m_epoch, m_inc, m_x, m_y, m_z);
                if
                :: is[w] == MEMBER && m_inc == inc[w] && m_term >= worker_term[w] -> settle (w, m_x)
                :: else
                fi;
                SAYS
                DID (EV_TOLD)
            }
        :: WT_FOR (M_JOINED);
            d_step {
                DOWN (w, m_term)?M_JOINED(m_epoch, m_inc, m_x, m_y, m_z);
                joined (w);
                SAYS
                DID (EV_JOINED)
            }
        :: WT_FOR (M_REJOIN);
            d_step {
                DOWN (w, m_term)?M_REJOIN(m_epoch, m_inc, m_x, m_y, m_z);
                if
                :: (is[w] == MEMBER || is[w] == NEW) && m_inc == inc[w] && m_term >= worker_term[w] -> forget (w)
                :: else
                fi;
                DID (EV_REJOIN)
            }
        :: WT_FOR (M_LEFT);
            d_step {
                DOWN (w, m_term)?M_LEFT(m_epoch, m_inc, m_x, m_y, m_z);
                if
                :: (is[w] == MEMBER || is[w] == NEW) && m_inc == inc[w] && m_term >= worker_term[w] ->
                    stopped = stopped | BIT (w);
                    forget (w)
                :: else
                fi;
                DID (EV_LEFT)
            }
        :: W_FOR (HAS_SYNC);
            d_step {
                pub[w]?m_term, m_epoch, m_x, m_y, m_z;
                receive_sync (w);
                SAYS
                DID (EV_SYNCED)
            }

        /* ---- the network loses something ---- */

        :: losses && leading && SOME_I (CAN_SYNC) ->
            I_FOR (CAN_SYNC);
            d_step {
                losses--;
                published = published | (BROKEN (REPEAT) -> BIT (i) : 0);
                DID (EV_LOST)
            }
        :: losses && leading && SOME_W (HAS_UP) ->
            W_FOR (HAS_UP);
            d_step {
                losses--;
                up[w]?_, _, _, _, _, _, _, _;
                DID (EV_LOST)
            }
        :: losses && leading && SOME_W (HAS_DOWN) ->
            W_FOR (HAS_DOWN);
            d_step {
                losses--;
                m_term = 1;
                do
                :: empty (DOWN (w, m_term)) -> m_term++
                :: nempty (DOWN (w, m_term)) ->
                    DOWN (w, m_term)?_, _, _, _, _, _;
                    break
                od;
                DID (EV_LOST)
            }
        :: /* a message overtakes the one before it */
            overtakes && leading && SOME_W (HAS_TWO_UP) ->
            W_FOR (HAS_TWO_UP);
            d_step {
                overtakes--;
                up[w]?m_part, m_term, m_inc, m_upto, m_held, m_x, m_y, m_z;
                up[w]!m_part, m_term, m_inc, m_upto, m_held, m_x, m_y, m_z;
                DID (EV_LOST)
            }
        :: overtakes && leading && SOME_W (HAS_TWO_DOWN) ->
            W_FOR (HAS_TWO_DOWN);
            d_step {
                overtakes--;
                turn_down (w);
                DID (EV_LOST)
            }

        fi;
        d_step {
            if
            :: speaks -> speak (w)
            :: else
            fi;
            go_on ();
            rest ()
        }
    }
    :: QUIET -> break
    od
}

/* Whatever happened, in the end every job has ended and no resize is under way. */
ltl it_ends { <> [] QUIET }
