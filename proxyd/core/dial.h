/*
 * From a target to a connection: resolve, ask the role about every address, race the allowed ones
 * (RFC 8305). Every address that is dialled has been vetted, and it is the vetted bits that are
 * dialled.
 */
#ifndef CORE_DIAL_H
#define CORE_DIAL_H

#include "core/xchg.h"

/* Bytes of a struct dial, for the worker's slab. */
u32 dial_size(void);
/* Begins for x->target; x->dial is set. Its end, which may be at once, is seen by dial_poll. */
void dial_start(struct xchg *x);
/* True when it has ended: *conn is the connection, to be handed on (conn_hand), or NULL with
 * *fault. The dial is gone then and x->dial NULL. False: x will be woken. */
bool dial_poll(struct xchg *x, struct conn **conn, enum fault *fault);
/* Gives it up; x->dial is NULL afterwards. */
void dial_cancel(struct xchg *x);
/* TIMER_DIAL. */
void dial_expired(struct timer *t);

#endif
