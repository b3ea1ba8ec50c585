/*
 * What was lost of each log, by the place it goes to: for /metrics. The number of places is small
 * and one that was known is never forgotten, so that a counter does not fall when a reload takes a
 * log away and another gives it back.
 */
#ifndef CORE_LOG_COUNTS_H
#define CORE_LOG_COUNTS_H

#include <stdatomic.h>

#include "base/types.h"

struct log_counts {
    char name[256]; /* "error", "stdout", the path of a file (its end, when it is long) */
    _Atomic u64 lost, torn;
};

/* Those of that name, made when there are none; the last ones of all when there are too many
 * names. */
struct log_counts *log_counts_of(const char *name);
/* The i-th, or NULL at the end; any thread. */
const struct log_counts *log_counts_at(unsigned i);

#endif
