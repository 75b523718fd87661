/*  The messages in a replay: the part of the loop of resize.pml that is not the search's. What is said must be what the model
 *  would say; what is heard or received must have been said before, at any time (WAS_…, replay.h).
 */

        :: ON (EV_ACCEPT) -> STEP {
                j = c_expr { ARG0 };
                s = c_expr { ARG2 };
                accepted == BIT (j) - 1; /* jobs are numbered as they are accepted */
                accepted = accepted | BIT (j);
                job_key[j] = c_expr { ARG1 };
                job_slot[j] = s;
                slot_jobs[s] = slot_jobs[s] | BIT (j);
                key_jobs[job_key[j]] = key_jobs[job_key[j]] | BIT (j);
                DID (EV_ACCEPT)
            }
        :: ON (EV_SYNC) && leading -> STEP {
                m_x = (resize == PHASE2 -> 2 : (resize == IDLE -> 3 : 1));
                EXPECT (ARG0, term) && EXPECT (ARG1, epoch) && EXPECT (ARG2, m_x);
                /* The second one says what the first one said, whatever has been applied in between. */
                !c_expr { SYNC_DIFFERS };
                m_x != 2 || c_expr { SYNC_WAS_SAID } ||
                    (EXPECT (ARG3, counted) && EXPECT (ARG4, LOSERS (0)) && EXPECT (ARG5, LOSERS (1)) && EXPECT (ARG6, LOSERS (2)));
                c_code { NOTE_SYNC; };
                DID (EV_SYNC)
            }
        :: J_FOR (EV_DISPATCH, CAN_DISPATCH);
            STEP {
                i = OWNER (j);
                check_dispatch (i, j);
                dispatch (j);
                EXPECT (ARG1, i) && EXPECT (ARG2, seq[j]) && EXPECT (ARG3, attempt[j]) && EXPECT (ARG4, epoch) &&
                    EXPECT (ARG5, term);
                send_down (home[i], term, M_DISPATCH, epoch, i, seq[j], j, attempt[j]);
                DID (EV_DISPATCH)
            }
        :: J_FOR (EV_RESEND, IS_OUT);
            STEP {
                i = c_expr { ARG1 };
                leading && HAS (flight[i] & sent, j) && HAS (COUNTED_IN, i);
                EXPECT (ARG2, seq[j]) && EXPECT (ARG3, attempt[j]) && EXPECT (ARG4, epoch) && EXPECT (ARG5, term);
                send_down (home[i], term, M_DISPATCH, epoch, i, seq[j], j, attempt[j]);
                DID (EV_RESEND)
            }
        :: I_FOR (EV_HEAR_JOIN, WAS_BORN);
            STEP {
                hear_join (i);
                DID (EV_HEAR_JOIN)
            }
        :: W_FOR (EV_SAY, IS_MEMBER);
            STEP {
                m_part = c_expr { ARG1 };
                m_x = c_expr { ARG6 };
                m_y = c_expr { ARG7 };
                m_z = c_expr { ARG8 };
                EXPECT (ARG2, worker_term[w]) && EXPECT (ARG3, inc[w]);
                m_part == ANSWER3 || (EXPECT (ARG4, upto[w]) && EXPECT (ARG5, HELD (w)));
                if
                :: m_part == BEAT
                :: m_part == ANSWER1 && CAN_SAY_1 (w) && m_x == sync_epoch[w]
                :: m_part == ANSWER2 && CAN_SAY_2 (w) && m_x == sync_epoch[w] && (!m_y || DRAINED (w))
                :: m_part == DONE && CAN_SAY_DONE (w, m_x) && m_y == ATTEMPT (w, m_x) &&
                   ((m_z == WELL && HAS (well[w], m_x)) || (m_z == RETRY && HAS (failing[w], m_x)) ||
                    (m_z == INTERRUPTED && HAS (interrupted[w], m_x)))
                :: m_part == LEAVE && CAN_SAY_LEAVE (w)
                :: m_part == ANSWER3 && HAS (over, w) && m_x == sync_epoch[w]
                fi;
                if
                :: m_part == ANSWER2 && m_y -> CHECK_OK (w)
                :: else
                fi;
                c_code { NOTE_SAID; };
                DID (EV_SAY)
            }
        :: ON (EV_HEAR) && leading && c_expr { WAS_SAID } -> STEP {
                w = c_expr { ARG0 };
                m_part = c_expr { ARG1 };
                m_term = c_expr { ARG2 };
                m_inc = c_expr { ARG3 };
                m_upto = c_expr { ARG4 };
                m_held = c_expr { ARG5 };
                m_x = c_expr { ARG6 };
                m_y = c_expr { ARG7 };
                m_z = c_expr { ARG8 };
                hear (w);
                DID (EV_HEAR)
            }
        :: W_FOR (EV_TAKE, IS_MEMBER);
            c_expr { WAS_DISPATCHED };
            STEP {
                m_term = c_expr { ARG1 };
                m_inc = c_expr { ARG2 };
                m_epoch = c_expr { ARG3 };
                m_x = c_expr { ARG4 };
                m_y = c_expr { ARG5 };
                m_z = c_expr { ARG6 };
                take (w);
                worker_term[w] == m_term && inc[w] == m_inc && upto[w] == m_x; /* it was */
                DID (EV_TAKE)
            }
        :: ON (EV_TOLD) && c_expr { WAS_TOLD } -> STEP {
                w = c_expr { ARG0 };
                m_term = c_expr { ARG1 };
                m_inc = c_expr { ARG2 };
                j = c_expr { ARG3 };
                m_past[j] = c_expr { ARG4 };
                told (w, BIT (j));
                DID (EV_TOLD)
            }
        :: ON (EV_JOINED) && c_expr { WAS_SENT_EPOCH } -> STEP {
                w = c_expr { ARG0 };
                m_term = c_expr { ARG1 };
                m_inc = c_expr { ARG2 };
                m_epoch = c_expr { ARG3 };
                joined (w);
                DID (EV_JOINED)
            }
        :: ON (EV_REJOIN) && c_expr { WAS_SENT } -> STEP {
                w = c_expr { ARG0 };
                m_term = c_expr { ARG1 };
                m_inc = c_expr { ARG2 };
                rejoin (w);
                DID (EV_REJOIN)
            }
        :: ON (EV_LEFT) && c_expr { WAS_SENT } -> STEP {
                w = c_expr { ARG0 };
                m_term = c_expr { ARG1 };
                m_inc = c_expr { ARG2 };
                left (w);
                DID (EV_LEFT)
            }
        :: ON (EV_SYNCED) && c_expr { SYNC_WAS_SAID } -> STEP {
                w = c_expr { ARG3 };
                m_term = c_expr { ARG0 };
                m_epoch = c_expr { ARG1 };
                m_x = c_expr { ARG2 };
                m_held = c_expr { SYNC_NAMES };
                m_y = HAS (m_held, inc[w]);
                m_z = c_expr { SYNC_TAKES_0 } >> inc[w] & 1 | (c_expr { SYNC_TAKES_1 } >> inc[w] & 1) << 1 |
                      (c_expr { SYNC_TAKES_2 } >> inc[w] & 1) << 2;
                receive_sync (w);
                DID (EV_SYNCED)
            }
