/*
 * A body that finds no room and is kept no more, but is still read: what all of its readers have
 * passed leaves memory, and makes room for what comes. So those who read it go on as fast as the
 * slowest of them, in the memory that there is. Nobody finds it any more who does not read it yet.
 *
 * The hard thing is who still wants what, for nobody asks the readers: each holds the chunk that it
 * is in. As long as all of them are in chunks, those before the first one that is held are wanted
 * by nobody. One that is not is at the begin, or reads from the disk. When the slowest are cut,
 * whoever is not in a chunk behind that is lost, and meets a fault where he wants to go on.
 */
#ifndef CACHE_WINDOW_H
#define CACHE_WINDOW_H

#include "cache/body.h"

struct wake;

/* From now on, for the filler, as what follows: nothing more of it goes to the disk. */
void window_open(struct body *b);
/* True: something has left. Else the wake comes as soon as something may. */
bool window_move(struct body *b, struct wake *w);
/* The slowest of its readers are cut. False: there is nothing that could leave. */
bool window_cut(struct body *b);
/* Does anybody wait for more? */
bool window_is_waited_for(struct body *b);
/* A reader has left a body, whether it is one or not. */
void window_left(struct body *b);

#endif
