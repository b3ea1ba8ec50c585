/*
 * Do these credentials fit? What a worker has learned lately it answers at once; the rest is asked
 * on the offload threads while the exchange is parked, once for all exchanges of the worker that
 * bring the same.
 *
 * Guessing is made slow, not impossible: each wrong password of an address, and each for a name,
 * doubles the time before the next one of either is looked at (a quarter of a second to 8 s for an
 * address, 2 s for a name, so that nobody can lock another out). Who is remembered never waits.
 */
#ifndef FORWARD_AUTH_CHECK_H
#define FORWARD_AUTH_CHECK_H

#include "core/exchange/stage.h"
#include "forward/auth_users.h"

enum auth_known {
    AUTH_UNKNOWN, /* nobody has asked, or it was long ago */
    AUTH_FITS,
    AUTH_FITS_NOT
};

/* Of the field's value, by keys of this process. */
struct auth_print auth_print_of(struct slice credentials);
/* *identity is the worker's: to be copied at once. */
enum auth_known auth_check_known(struct worker *w, struct auth_users *u, struct auth_print print,
                                 struct slice *identity);
/* Has them compared: PARKED, or REFUSED with x->fault. */
enum verdict auth_check_begin(struct xchg *x, struct auth_users *u, struct auth_print print,
                              struct slice name, struct slice password);
/* After PARKED. PASS: x->user is set. */
enum verdict auth_check_resume(struct xchg *x);
/* The exchange ends while it waits. */
void auth_check_cancel(struct xchg *x);

/* When the worker's thread has ended; NULL: nothing. */
void auth_worker_free(struct auth_worker *a);

#endif
