/*
 * Two connections joined byte for byte: CONNECT and upgraded protocols. It joins connections,
 * whatever their streams; splice takes over only where both streams are the descriptor's own bytes.
 */
#ifndef CORE_TUNNEL_H
#define CORE_TUNNEL_H

#include "core/xchg.h"

/* Takes both connections and the log record out of x; x must be disposed of afterwards by the
 * caller without touching them. False over memory: nothing is taken. */
bool tunnel_start(struct xchg *x);
/* Bytes of a struct tunnel, for the worker's slab. */
u32 tunnel_size(void);
/* TIMER_TUNNEL. */
void tunnel_expired(struct timer *t);

#endif
