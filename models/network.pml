/*  The messages between leader and workers.
 *
 *  What goes either way between one worker and one leader keeps its order and may be lost; messages of a leader of the
 *  past come before, after or between those of the present one. A published phase is a hint: each worker has room for one
 *  copy, which waits, is lost, or is old when it is read.
 */
mtype = { M_DISPATCH, M_COMMITTED, M_JOINED, M_REJOIN, M_LEFT };

#define DOWN(w, t) down[(w) * TERMS + (t) - 1]
#define ROOM_DOWN(w, t) nfull (DOWN (w, t))
#define ROOM_UP(w) nfull (up[w])
#define DOWN_ROOM 2
#define UP_ROOM 2

chan down[WORKERS_TERMS] = [DOWN_ROOM] of { mtype, byte, byte, SET, byte, byte }; /* epoch inc x y z; the term is the place */
chan up[WORKERS] = [UP_ROOM] of { byte, byte, byte, byte, SET, byte, byte, byte }; /* part term inc upto held x y z */
chan pub[WORKERS] = [1] of { byte, byte, byte, bool, SET }; /* term epoch phase named lost */

inline send_down (w_, term_, type_, epoch_, inc_, x_, y_, z_)
{
    if
    :: is[w_] != OFF -> DOWN (w_, term_)!type_(epoch_, inc_, x_, y_, z_)
    :: else
    fi
}

inline send_up (w_, part_, term_, inc_, upto_, held_, x_, y_, z_)
{
    up[w_]!part_(term_, inc_, upto_, held_, x_, y_, z_)
}

/* The first one becomes the last one. */
inline turn_down (w_)
{
    if
    :: DOWN (w_, term)?[M_DISPATCH, m_epoch, m_inc, m_x, m_y, m_z] ->
        DOWN (w_, term)?M_DISPATCH(m_epoch, m_inc, m_x, m_y, m_z);
        DOWN (w_, term)!M_DISPATCH(m_epoch, m_inc, m_x, m_y, m_z)
    :: DOWN (w_, term)?[M_COMMITTED, m_epoch, m_inc, m_x, m_y, m_z] ->
        DOWN (w_, term)?M_COMMITTED(m_epoch, m_inc, m_x, m_y, m_z);
        DOWN (w_, term)!M_COMMITTED(m_epoch, m_inc, m_x, m_y, m_z)
    :: else
    fi
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

/* The jobs in m_tell may be forgotten by their worker. */
inline tell_committed (w_, i_)
{
    if
    :: m_tell -> send_down (w_, term, M_COMMITTED, 0, i_, m_tell, 0, 0)
    :: else
    fi;
    m_tell = 0
}
