/*
 * Via (RFC 9110 section 7.6.3): who we say we are, and whether a request has been here before. A
 * listener may add no entry, because some origins do not compress for proxies; then a loop cannot
 * be known for certain any more, and only one that grows the entries of others is ended.
 */
#ifndef CORE_VIA_H
#define CORE_VIA_H

#include "core/types.h"

struct msg;

/* Composes the worker's lines: at its start, for the pseudonym stays. */
void via_init(struct worker *w);

/* Adds our entry to m unless the listener has `via off`. False: no memory. */
bool via_sign(const struct xchg *x, struct msg *m);

/* Has the request been here before? True with an entry of this process or of this listener, and
 * with `via off` also with more entries than any honest way has. */
bool via_is_loop(const struct xchg *x);

#endif
