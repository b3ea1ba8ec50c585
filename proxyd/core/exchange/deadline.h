/*
 * Whose clock runs while an exchange is parked. Each direction has one deadline, and which row of
 * the table it follows is read from the state of the exchange in one place (deadline_rows), never
 * set by the step that parks: so no step can forget to stop somebody else's clock.
 */
#ifndef CORE_DEADLINE_H
#define CORE_DEADLINE_H

#include "base/fault.h"
#include "base/wheel.h"
#include "core/types.h"

enum waits {
    WAITS_NOTHING, /* it is we who go on, or somebody with a clock of their own: a dial, a stage */
    WAITS_CLIENT_READ,
    WAITS_CLIENT_WRITE,
    WAITS_UPSTREAM_READ,
    WAITS_UPSTREAM_WRITE,
    WAITS_HEAD, /* the final head of the response, from when the whole request has been sent */
    WAITS_MEMORY,
    WAITS_COPY, /* one that leads waits for room, and nothing is asked of the origin meanwhile */
    WAITS_COUNT
};

/* The directions of an exchange: of the request's body, and of everything else. */
enum { DEADLINE_REQUEST, DEADLINE_RESPONSE, DEADLINES };

struct deadline {
    u64 moved; /* bytes, or what the row counts, when it began */
    u64 at;    /* ms; TIMER_NEVER: no limit */
    u8 waits;  /* enum waits */
};

/* What the exchange waits for as it stands now. */
void deadline_rows(const struct xchg *x, u8 rows[DEADLINES]);
/* The exchange has parked: a deadline begins anew where its row has changed or bytes have moved, so
 * that what else wakes an exchange keeps nobody alive, and the timer gets the nearer one. */
void deadline_arm(struct xchg *x);
/* The deadline that is over now: its index, or DEADLINES when none is. */
unsigned deadline_over(const struct xchg *x);
/* The fault of whoever is waited for; of WAITS_NOTHING internal_error. */
enum fault deadline_fault(enum waits waits);

#endif
