/*
 * Do these credentials fit? What a worker has learned lately it answers at once; the rest is asked
 * on the offload threads while the exchange is parked, once for all exchanges of the worker that
 * bring the same.
 * bring the same. The hard thing is time: a wrong password is looked at late (delay.h), who is
 * remembered never waits, and an exchange may end while it does.
 */
#ifndef FORWARD_AUTH_CHECK_H
#define FORWARD_AUTH_CHECK_H

#include "core/exchange/stage.h"
#include "forward/auth/meter.h"
#include "forward/auth/users.h"

enum { AUTH_LONGEST_WAIT_S = 10 }; /* who would have to wait longer is refused */

/* Of credentials that were looked at lately; the worker's: to be used or copied at once. */
struct auth_known {
    struct slice identity;    /* p NULL: they did not fit */
    struct auth_meter *meter; /* may be NULL */
};

/* Of the field's value, by keys of this process. */
struct auth_print auth_print_of(struct slice credentials);
/* False: nobody has brought them lately. */
bool auth_check_known(struct worker *w, struct auth_users *u, struct auth_print print,
                      struct auth_known *known);
/* Has them compared: PARKED, or REFUSED with x->fault. */
enum verdict auth_check_begin(struct xchg *x, struct auth_users *u, struct auth_print print,
                              struct slice name, struct slice password);
/* After PARKED. PASS: x->user is set, and *m, which may be NULL, is held for the caller. */
enum verdict auth_check_resume(struct xchg *x, struct auth_meter **m);
/* The exchange ends while it waits. */
void auth_check_cancel(struct xchg *x);

/* When the worker's thread has ended; NULL: nothing. */
void auth_worker_free(struct auth_worker *a);

#endif
