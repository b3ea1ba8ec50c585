/* The words of `time`: mon-fri 07:00-19:00 sat,sun 10:00-12:00. */
#ifndef POLICY_SPANS_H
#define POLICY_SPANS_H

#include "policy/zone.h"

struct span {
    u8 days;      /* bit 0: Monday */
    u16 from, to; /* minutes; to is excluded, and on the next day when it is not above from */
};

enum span_word { SPAN_DAYS, SPAN_HOURS, SPAN_NEITHER };

/* One word; only its part of *s is set. */
enum span_word span_word(struct slice word, struct span *s);
bool span_has(const struct span *s, struct zone_time t);

#endif
