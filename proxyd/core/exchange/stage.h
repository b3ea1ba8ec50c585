/* A stage: one question asked of a request or of an answer, in the order of the role's list. */
#ifndef CORE_STAGE_H
#define CORE_STAGE_H

#include "base/wheel.h"
#include "core/types.h"

enum verdict {
    PASS,     /* nothing against it: next stage */
    ANSWERED, /* by ourselves: x->resp and x->source are filled (local_reply.h) */
    PARKED,   /* xchg_wake will come; then the stage is resumed, never run again */
    REFUSED,  /* x->fault says why */
};

struct stage {
    const char *name; /* what was being attempted, for error lines */
    enum verdict (*run)(struct xchg *x);
    /* After PARKED, whatever has woken the exchange: PARKED again if it is not time yet. NULL: run
     * never says so. */
    enum verdict (*resume)(struct xchg *x);
    /* The exchange ends after PARKED: whoever would wake it is told not to. NULL: nobody would. */
    void (*cancel)(struct xchg *x);
};

/* Runs it, or resumes it if it has parked. */
enum verdict stage_run(struct xchg *x, const struct stage *s);
/* The exchange goes another way than that of a stage that may have parked. */
void stage_cancel(struct xchg *x);

/* A timer of a role's or a store's own, in the wheel of a worker: timer_init with TIMER_ROLE. */
struct role_timer {
    struct timer timer; /* first */
    void (*expired)(struct role_timer *t);
};
void role_timer_expired(struct timer *t);

#endif
