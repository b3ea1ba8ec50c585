/*
 * One regular expression of the configuration, ~"…", compiled by PCRE2 with its JIT compiler.
 *
 * The hard thing is that a pattern may take for ever on a text that somebody has made for it. Each
 * search has a limit of steps, depth and memory, and one that comes to it has neither matched nor
 * not matched: MATCH_UNSAFE. For sets of thousands of patterns there is filters/regexset.h.
 *
 * Bytes are bytes, no text is UTF-8 to a pattern. A search takes nothing from the heap unless the
 * pattern is one that the JIT compiler refuses, or needs more than its 32 kB of stack.
 */
#ifndef FILTERS_PATTERN_H
#define FILTERS_PATTERN_H

#include "base/arena.h"
#include "filters/match.h"

enum {
    PATTERN_WHY = 160,
    PATTERN_STEPS = 100000, /* of one search: below a millisecond */
    PATTERN_LONGEST = 8192,
};

struct pattern;

/* Lives as long as the arena. NULL when the text is no pattern; why says so, for people. */
const struct pattern *pattern_compile(struct arena *a, struct slice text, char why[PATTERN_WHY]);

/* Searches anywhere in the text: YES, NO, or UNSAFE when it came to a limit. Any thread. */
enum match pattern_find(const struct pattern *p, struct slice text);
/* The same, and on YES which part of the text it is. */
enum match pattern_where(const struct pattern *p, struct slice text, struct slice *part);

/* ---- for `check` ---- */

/* Does a search in the text, without JIT, need more steps than that? The pattern must be one that
 * pattern_compile takes. */
bool pattern_needs(struct slice pattern, struct slice text, u32 steps);

#endif
