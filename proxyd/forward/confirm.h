/* Does the name that an intercepted client told lead to where it was going? */
#ifndef FORWARD_CONFIRM_H
#define FORWARD_CONFIRM_H

#include "core/exchange/stage.h"

/* Stage, with its resume and cancel: fills x->intercepted->told_as, and x->uri with the host that
 * rules see: the name that is confirmed, else the address. It never refuses. */
enum verdict confirm_name(struct xchg *x);
enum verdict confirm_resume(struct xchg *x);
void confirm_cancel(struct xchg *x);

#endif
