/*
 * A copy that is given up in the middle, because the disk is slower than the origin or there is no
 * room, is the origin's affair no more but for the client that has begun it. Whoever else has
 * joined reads what of it is there, and goes on by slices (blocks.h) from the very byte on: ranges
 * that the origin is asked for, each once for all of them, and that are kept in memory as long as
 * there is room.
 *
 * The hard thing is that nothing is ever mixed. What was read and what is fetched are of one
 * representation by their strong validators, and what such slices are found by is a random number
 * of that one body. Where there is no such validator or no known length the copy goes on
 * otherwise (pace.h); an origin that gives no ranges cuts the answer, as one that has failed.
 */
#ifndef CACHE_RESUME_H
#define CACHE_RESUME_H

#include "cache/notes.h"

/* Bytes of a slice, of the configuration's own size or not: all who read a body mean the same by
 * the number of one. */
enum { RESUME_SLICE = 1 << 20 };

/* Will those who read notes.copy go on, should it be given up, as far as that can be told before
 * the origin is asked? */
bool resume_could(struct xchg *x);
/* notes.copy is given up for want of room: before its body is cut. */
void resume_offer(struct xchg *x);
/* As a store's. */
bool resume_go_on(struct xchg *x);
/* The origin has said, of a slice of it, what means that no more of them will come. */
void resume_end(const struct object *o);
/* May more slices of it be asked for? */
bool resume_lasts(const struct object *o);

#endif
