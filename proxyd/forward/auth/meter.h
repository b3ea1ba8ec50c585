/*
 * How often a user asks, against `limits requests-per-user`: a token bucket that holds what one
 * period brings, kept as the one time at which it would be full again (GCRA), so that workers share
 * it by a compare-and-swap and nothing has to be refilled.
 *
 * The hard thing is another limit after a reload: the bucket is then no emptier than empty by the
 * new one, or who had an hour's worth would wait an hour for the next second's.
 *
 * A meter belongs to a name of a users file (users.h): it is made when the name has first proved to
 * be somebody, and is handed on when the file is read again.
 */
#ifndef FORWARD_AUTH_METER_H
#define FORWARD_AUTH_METER_H

#include <stdatomic.h>

#include "base/types.h"

struct auth_meter {
    _Atomic u32 holders;
    _Atomic u64 full_ns; /* monotonic */
};

/* Held once. NULL: no memory. */
struct auth_meter *auth_meter_new(void);
struct auth_meter *auth_meter_hold(struct auth_meter *m); /* NULL: NULL */
void auth_meter_drop(struct auth_meter *m);               /* NULL: nothing */

/* `count` in each `period_ns`; count 1 or more. Any thread. 0: it may, and is counted; else the
 * seconds until one more may, rounded up, and nothing is counted. */
u32 auth_meter_take(struct auth_meter *m, u64 count, u64 period_ns, u64 now_ns);

#endif
