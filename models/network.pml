/*  The messages between leader and workers.
 *
 *  In the search, what goes either way between one worker and one leader keeps its order and may be lost; messages of a
 *  leader of the past come before, after or between those of the present one. A published phase is a hint: each worker has room for
 *  one copy, which waits, is lost, or is old when it is read.
 *  In the replay, whatever was sent may come, at any time and any number of times; nothing else may.
 */
#ifdef REPLAY

#define ROOM_DOWN(w, t) true
#define cut_older(w, t) skip
#define cut_up() skip
#define cut(w) skip
#define ROOM_UP(w) true

/* The C side keeps what was sent (replay.h): down, by (term, kind, incarnation); up, word for word. */
inline send_down (w_, term_, type_, epoch_, inc_, x_, y_, z_)
{
    note_kind = type_;
    note_term = term_;
    note_epoch = epoch_;
    note_inc = inc_;
    note_x = x_;
    note_y = y_;
    note_z = z_;
    c_code { NOTE_DOWN; };
    note_kind = 0;
    note_term = 0;
    note_epoch = 0;
    note_inc = 0;
    note_x = 0;
    note_y = 0;
    note_z = 0
}

/* A job each. */
#define PUT_PAST(j, i) send_down (0, term, M_COMMITTED, j, i, m_past[j], 0, 0)
#define SEND_PAST(w, i) skip

int note_kind, note_term, note_epoch, note_inc, note_x, note_y, note_z;

#else

#define DOWN(w, t) down[(w) * TERMS + (t) - 1]
#define ROOM_DOWN(w, t) nfull (DOWN (w, t))
#define ROOM_UP(w) nfull (up[w])
/* All in one, with two bits a job for its attempts; 3 is all of them. */
#define PUT_PAST(j, i)                                                                                                 \
    assert (attempt[j] < 3);                                                                                           \
    m_y = m_y | (m_past[j] < 3 -> m_past[j] : 3) << (2 * (j))
#define SEND_PAST(w, i)                                                                                                \
    if                                                                                                                 \
    :: m_tell -> send_down (w, term, M_COMMITTED, 0, i, m_tell, m_y, 0)                                                \
    :: else                                                                                                            \
    fi
#define GET_PAST(j) (m_y >> (2 * (j)) & 3)

#define DOWN_ROOM 2
#define UP_ROOM 2

chan down[WORKERS_TERMS] = [DOWN_ROOM] of { byte, byte, byte, SET, byte, byte }; /* M_… epoch inc x y z; the term is the place */
chan up[WORKERS] = [UP_ROOM] of { byte, byte, byte, byte, SET, byte, byte, byte }; /* part term inc upto held x y z */
chan pub[WORKERS] = [1] of { byte, byte, byte, bool, SET }; /* term epoch phase named lost */

inline send_down (w_, term_, type_, epoch_, inc_, x_, y_, z_)
{
    if
    :: is[w_] != OFF -> DOWN (w_, term_)!type_(epoch_, inc_, x_, y_, z_)
    :: else
    fi
}

inline receive_down (w_, term_)
{
    DOWN (w_, term_)?m_part, m_epoch, m_inc, m_x, m_y, m_z
}

inline send_up (w_, part_, term_, inc_, upto_, held_, x_, y_, z_)
{
    up[w_]!part_(term_, inc_, upto_, held_, x_, y_, z_)
}

/* What its receiver would drop for its term is dropped at once. */
inline cut_older (w_, term_)
{
    if
    :: !stale_too ->
        for (n : 1 .. term_ - 1) {
            do
            :: DOWN (w_, n)?_, _, _, _, _, _
            :: empty (DOWN (w_, n)) -> break
            od
        }
        n = 0
    :: else
    fi
}

inline cut_up ()
{
    if
    :: !stale_too ->
        for (n : 0 .. WORKERS - 1) {
            do
            :: up[n]?_, _, _, _, _, _, _, _
            :: empty (up[n]) -> break
            od
        }
        n = 0
    :: else
    fi
}

/* Nothing of it is on its way to a process that is gone. */
inline cut (w_)
{
    for (n : 1 .. TERMS) {
        do
        :: DOWN (w_, n)?_, _, _, _, _, _
        :: empty (DOWN (w_, n)) -> break
        od
    }
    n = 0;
    do
    :: pub[w_]?_, _, _, _, _
    :: empty (pub[w_]) -> break
    od
}

#endif

/* Of the jobs in m_tell their worker may forget the attempts up to m_past. */
inline tell_committed (w_, i_)
{
    m_y = 0;
    for (n : 0 .. JOBS - 1) {
        if
        :: HAS (m_tell, n) -> PUT_PAST (n, i_)
        :: else
        fi
    }
    n = 0;
    SEND_PAST (w_, i_);
    m_y = 0;
    m_tell = 0
}
