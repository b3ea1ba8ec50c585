/*
 * What a copy does that finds no room, because the disk is slower than the origin or memory is
 * short. If those who have joined can go on without it (resume.h) it is given up. If not, it first
 * waits for the disk, as long as that goes on writing, and then becomes a window (window.h), which
 * nobody keeps: the origin is read as fast as those read who are in it.
 *
 * The hard thing is whom that may slow down. The client of the fetch itself waits for others for
 * PACE_WAIT_MS in all, for the disk and for who is slower than it, and of that for PACE_STALL_MS at
 * most until the slowest have read a chunk to its end: those who have not are cut. When it has gone
 * all wait for the slowest, for PACE_WAIT_MS each time; then those are cut, if anybody waits.
 */
#ifndef CACHE_PACE_H
#define CACHE_PACE_H

#include "cache/notes.h"

enum { PACE_WAIT_MS = 2000, PACE_STALL_MS = 500 };

enum pace {
    PACE_AGAIN, /* there may be room by now */
    PACE_WAIT,  /* x is woken then, or after x->copy_wait_ms */
    PACE_GIVE_UP
};

/* notes.copy has found no room for what comes. */
enum pace pace_of(struct xchg *x);
/* notes.copy ends: it waits no more. */
void pace_end(struct xchg *x);
/* The wait is over: it counts, where the client of x has waited for others. */
void pace_count(struct xchg *x);
/* There was room: the next wait is another one, and not late from its begin. */
static inline void pace_found(struct xchg *x)
{
    x->copy_late = false;
    if (unlikely(notes_of(x)->room_ms))
        pace_count(x);
}

#endif
