/*
 * Two ends joined byte for byte: CONNECT and upgraded protocols. Splice takes over only where both
 * are plain descriptors.
 *
 * What a tunnel needs is taken before it is promised: a 200 or 101 is never followed by a lack of
 * memory.
 */
#ifndef CORE_TUNNEL_H
#define CORE_TUNNEL_H

#include "base/wheel.h"
#include "core/report/logrec.h"
#include "core/codec/tunnel_end.h"

/* Takes a tunnel, and the record that it will leave in the log, which it owns. NULL over memory;
 * the record is freed then. A record of NULL is a lack of memory as well. */
struct tunnel *tunnel_reserve(struct worker *w, struct access_record *record);
/* Its record, to be completed before it begins. */
struct access_record *tunnel_record(const struct tunnel *t);
/* Gives back one that will not begin, and clears the slot; nothing when it is empty. */
void tunnel_release(struct tunnel **slot);
/* Nothing of the client's goes on until the role has seen what it begins with (role->inspect); what
 * comes from upstream is not held. Before it begins. */
void tunnel_hold(struct tunnel *t);
/* Begins, with both ends its own, and clears the slot. The first move comes from the loop. */
void tunnel_begin(struct tunnel **slot, struct tunnel_end client, struct tunnel_end upstream);

/* Another configuration is in force: decided again, by what its record says. If it is not allowed
 * any more it ends after the grace that its listener gives. */
void tunnel_recheck(struct tunnel *t);
/* Bytes of a struct tunnel, for the worker's slab. */
u32 tunnel_size(void);
/* Something happened at one of its ends. */
void tunnel_ready(struct tunnel *t);
/* Ends it at once: drain deadline. */
void tunnel_cut(struct tunnel *t);
/* TIMER_TUNNEL. */
void tunnel_expired(struct timer *t);

#endif
