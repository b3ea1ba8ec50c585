/* A stage: one question asked of a request or of an answer, in the order of the role's list. */
#ifndef CORE_STAGE_H
#define CORE_STAGE_H

#include "core/types.h"

enum verdict {
    PASS,     /* nothing against it: next stage */
    ANSWERED, /* by ourselves: x->resp and x->source are filled (local_reply.h) */
    PARKED,   /* the stage will call xchg_wake; it is run again then */
    REFUSED,  /* x->fault says why */
};

struct stage {
    const char *name; /* what was being attempted, for error lines */
    enum verdict (*run)(struct xchg *x);
};

#endif
