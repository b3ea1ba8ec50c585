/* The words of `length` (100m-, -1k, 1k-10m) and `status` (404, 500-599). */
#ifndef POLICY_RANGES_H
#define POLICY_RANGES_H

#include "base/slice.h"

struct range {
    u64 from, to; /* both are in it */
};

bool length_range(struct slice word, struct range *out);
bool status_range(struct slice word, struct range *out);

#endif
