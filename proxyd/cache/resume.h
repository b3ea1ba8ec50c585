/*
 * A copy that is given up in the middle, because the disk is slower than the origin or there is no
 * room, is the origin's affair no more but for the client that has begun it. Whoever else has
 * joined reads what of it is there, and goes on by slices (blocks.h) from the very byte on: ranges
 * that the origin is asked for, each once for all of them, and that are kept in memory as long as
 * there is room.
 *
 * The hard thing is that nothing is ever mixed. What was read and what is fetched are of one
 * representation by their strong validators, and what such slices are found by is a random number
 * of that one body. Where there is no such validator, no known length, or an origin that gives no
 * ranges, the answer is cut, as one whose origin has failed.
 */
#ifndef CACHE_RESUME_H
#define CACHE_RESUME_H

#include "cache/notes.h"

/* Bytes of a slice, of the configuration's own size or not: all who read a body mean the same by
 * the number of one. */
enum { RESUME_SLICE = 1 << 20 };

/* Those who cannot go on are not cut at once: the copy waits for the disk as long as that goes on,
 * with the client of x, but not for longer than this in all. Alone nobody waits. */
enum { RESUME_WAIT_MS = 2000 };
/* notes.copy has found no room: may it wait? Then x is woken, and x->copy_wait_ms says how long. */
bool resume_waits(struct xchg *x);
/* It takes more again, or nothing any more. */
void resume_waited(struct xchg *x);
/* notes.copy ends. */
void resume_waits_no_more(struct xchg *x);

/* notes.copy is given up for want of room: before its body is cut. */
void resume_offer(struct xchg *x);
/* As a store's. */
bool resume_go_on(struct xchg *x);
/* The origin has said, of a slice of it, what means that no more of them will come. */
void resume_end(const struct object *o);
/* May more slices of it be asked for? */
bool resume_lasts(const struct object *o);

#endif
