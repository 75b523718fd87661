/*  The messages in the search: the part of the loop of resize.pml that is not the replay's. */

        :: /* a copy that is read at once; one that is lost might as well be published later */
            I_FOR (EV_SYNC, CAN_SYNC);
            d_step {
                w = home[i];
                published = published | (BROKEN (REPEAT) -> BIT (i) : 0);
                present_sync (i);
                receive_sync (w);
                SAYS
                DID (EV_SYNC)
            }
        :: /* a copy that comes later */
            I_FOR (EV_SYNC, CAN_DELAY);
            d_step {
                delays--;
                w = home[i];
                published = published | (BROKEN (REPEAT) -> BIT (i) : 0);
                present_sync (i);
                pub[w]!m_term, m_epoch, m_x, m_y, m_z;
                DID (EV_SYNC)
            }
        :: J_FOR (EV_DISPATCH, CAN_DISPATCH);
            d_step {
                i = OWNER (j);
                check_dispatch (i, j);
                dispatch (j);
                send_down (home[i], term, M_DISPATCH, epoch, i, seq[j], j, attempt[j]);
                DID (EV_DISPATCH)
            }
        :: WJ_FOR (EV_RESEND, CAN_RESEND);
            d_step {
                send_down (w, term, M_DISPATCH, epoch, inc[w], seq[j], j, attempt[j]);
                DID (EV_RESEND)
            }
        :: W_FOR (EV_HEAR_JOIN, CAN_HEAR_JOIN);
            d_step {
                hear_join (inc[w]);
                DID (EV_HEAR_JOIN)
            }
        :: W_FOR (EV_HEAR, CAN_HEAR);
            d_step {
                up[w]?m_part, m_term, m_inc, m_upto, m_held, m_x, m_y, m_z;
                hear (w);
                DID (EV_HEAR)
            }
        :: W_FOR (EV_SAY, CAN_SAY_1);
            d_step {
                say (w, ANSWER1, sync_epoch[w], frozen_job[w], 0);
                DID (EV_SAY)
            }
        :: W_FOR (EV_SAY, CAN_SAY_2);
            d_step {
                CHECK_OK (w);
                say (w, ANSWER2, sync_epoch[w], 1, 0);
                DID (EV_SAY)
            }
        :: WJ_FOR (EV_SAY, CAN_SAY_DONE);
            d_step {
                say_done (w, j);
                DID (EV_SAY)
            }
        :: W_FOR (EV_SAY, CAN_SAY_BEAT);
            d_step {
                say (w, BEAT, 0, 0, 0);
                DID (EV_SAY)
            }
        :: W_FOR (EV_SAY, CAN_SAY_LEAVE);
            d_step {
                say (w, LEAVE, 0, 0, 0);
                DID (EV_SAY)
            }
        :: WT_FOR (EV_TAKE, M_DISPATCH);
            d_step {
                receive_down (w, m_term);
                take (w);
                SAYS
                DID (EV_TAKE)
            }
        :: WT_FOR (EV_TOLD, M_COMMITTED);
            d_step {
                receive_down (w, m_term);
                for (n : 0 .. JOBS - 1) {
                    m_past[n] = GET_PAST (n)
                }
                n = 0;
                told (w, m_x);
                SAYS
                DID (EV_TOLD)
            }
        :: WT_FOR (EV_JOINED, M_JOINED);
            d_step {
                receive_down (w, m_term);
                joined (w);
                SAYS
                DID (EV_JOINED)
            }
        :: WT_FOR (EV_REJOIN, M_REJOIN);
            d_step {
                receive_down (w, m_term);
                rejoin (w);
                SAYS
                DID (EV_REJOIN)
            }
        :: WT_FOR (EV_LEFT, M_LEFT);
            d_step {
                receive_down (w, m_term);
                left (w);
                SAYS
                DID (EV_LEFT)
            }
        :: W_FOR (EV_SYNCED, HAS_SYNC);
            d_step {
                pub[w]?m_term, m_epoch, m_x, m_y, m_z;
                receive_sync (w);
                SAYS
                DID (EV_SYNCED)
            }

        /* ---- the network loses something ---- */

        :: losses && leading && SOME_I (CAN_SYNC) ->
            I_FOR (EV_LOST, CAN_SYNC);
            d_step {
                losses--;
                published = published | (BROKEN (REPEAT) -> BIT (i) : 0);
                DID (EV_LOST)
            }
        :: losses && leading && SOME_W (HAS_UP) ->
            W_FOR (EV_LOST, HAS_UP);
            d_step {
                losses--;
                up[w]?_, _, _, _, _, _, _, _;
                DID (EV_LOST)
            }
        :: losses && leading && SOME_W (HAS_DOWN) ->
            W_FOR (EV_LOST, HAS_DOWN);
            d_step {
                losses--;
                m_term = (len (DOWN (w, 1)) > 0 -> 1 : TERMS);
                receive_down (w, m_term);
                DID (EV_LOST)
            }
        :: overtakes && leading && SOME_W (HAS_TWO_UP) -> /* a message overtakes the one before it */
            W_FOR (EV_LOST, HAS_TWO_UP);
            d_step {
                overtakes--;
                up[w]?m_part, m_term, m_inc, m_upto, m_held, m_x, m_y, m_z;
                up[w]!m_part, m_term, m_inc, m_upto, m_held, m_x, m_y, m_z;
                DID (EV_LOST)
            }
        :: overtakes && leading && SOME_W (HAS_TWO_DOWN) ->
            W_FOR (EV_LOST, HAS_TWO_DOWN);
            d_step {
                overtakes--;
                receive_down (w, term);
                DOWN (w, term)!m_part, m_epoch, m_inc, m_x, m_y, m_z;
                DID (EV_LOST)
            }
        :: doubles && leading && SOME_W (HAS_ONE_UP) -> /* a message comes twice */
            W_FOR (EV_LOST, HAS_ONE_UP);
            d_step {
                doubles--;
                up[w]?<m_part, m_term, m_inc, m_upto, m_held, m_x, m_y, m_z>;
                up[w]!m_part, m_term, m_inc, m_upto, m_held, m_x, m_y, m_z;
                DID (EV_LOST)
            }
        :: doubles && leading && SOME_W (HAS_ONE_DOWN) ->
            W_FOR (EV_LOST, HAS_ONE_DOWN);
            d_step {
                doubles--;
                DOWN (w, term)?<m_part, m_epoch, m_inc, m_x, m_y, m_z>;
                DOWN (w, term)!m_part, m_epoch, m_inc, m_x, m_y, m_z;
                DID (EV_LOST)
            }
        :: doubles && leading && SOME_I (WAS_BORN) -> /* one of its joins comes late */
            I_FOR (EV_HEAR_JOIN, WAS_BORN);
            d_step {
                doubles--;
                hear_join (i);
                DID (EV_HEAR_JOIN)
            }
