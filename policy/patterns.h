/* The patterns among the values of a condition: alternatives, as all values are. */
#ifndef POLICY_PATTERNS_H
#define POLICY_PATTERNS_H

#include "policy/condition.h"

struct patterns {
    u32 n;
    const struct pattern **pattern;
};

/* Those of n from its argument `from` to the first word that is none. How many words that were. */
u32 patterns_read(struct patterns *p, const struct node *n, u32 from, struct arena *a);
/* All of n, whatever stands between them. */
void patterns_gather(struct patterns *p, const struct node *n, struct arena *a);

/* YES when one is found; UNSAFE when none is and one came to its limits. */
static inline enum match patterns_find(const struct patterns *p, struct evaluation *e,
                                       struct slice text)
{
    enum match m = MATCH_NO;
    for (u32 i = 0; i < p->n && m != MATCH_YES; i++) {
        enum match one = evaluation_search(e, p->pattern[i], text);
        m = one == MATCH_NO ? m : one;
    }
    return m;
}

#endif
