/*
 * Many regular expressions, asked for any that matches. PCRE2 alone decides what one means, with
 * its JIT compiler and with limits; the hard thing is to run it on as few patterns as possible:
 *
 *  - of which a text is known that every match contains, or a few of which it contains one, only
 *    where such a text occurs (filters/literalset.h): nearly all of a real list, and next to
 *    nothing to prepare;
 *  - others by vectorscan, which reads the subject once for thousands of patterns and names
 *    candidates, never fewer than match;
 *  - what vectorscan does not take is always run: regexset_unaided says how many.
 *
 * A pattern that comes to its limits has neither matched nor not matched, and that is its answer.
 * All patterns together may take REGEX_MAY_TAKE_US of one look-up, for the same answer.
 *
 * Built off the workers, immutable then: 10,000 patterns of the first kind take 0.3 s, one of the
 * second 0.3 to 1.5 ms; least where a part of it is rare enough to be given to vectorscan alone.
 * Any thread may ask, each with a scratch of its own.
 */
#ifndef FILTERS_REGEXSET_H
#define FILTERS_REGEXSET_H

#include "filters/source.h"

enum { REGEX_MAY_TAKE_US = 10000 };

struct regexset;
struct regexset_builder; /* NULL is an empty one */
struct regex_scratch;

enum regex_answer {
    REGEX_NO,
    REGEX_YES,
    REGEX_EXHAUSTED, /* none has matched, and one came to its limits */
};

struct regexset_hit {
    u32 place;            /* of the pattern that matched or was exhausted */
    struct slice pattern; /* its text, as long as the set lives */
    size_t from, to;      /* what it matched of the subject */
};

struct regex_flags {
    bool caseless;
    bool of_a_list; /* refuse what matches nearly every URL: one such line would block the world */
    bool removes;   /* takes the same pattern away instead, wherever it stands */
};

/* Why a pattern is refused is written to why. */
enum { REGEX_WHY = 128 };
/* False with a reason: PCRE2's own and where, a pattern that begins with "(*" (such options are not
 * a list's to set), one that nearly every URL matches, or no memory. */
bool regexset_add(struct regexset_builder **b, struct slice pattern, struct regex_flags flags,
                  u32 place, char why[REGEX_WHY]);
void regexset_drop(struct regexset_builder **b);
/* Empties the builder. NULL when the system refuses memory. */
struct regexset *regexset_build(struct regexset_builder **b);
void regexset_free(struct regexset *s);
size_t regexset_entries(const struct regexset *s);
/* Patterns that are run on every subject. */
size_t regexset_unaided(const struct regexset *s);
/* With what PCRE2's and vectorscan's compiled forms take, without what a thread's scratch does. */
size_t regexset_bytes(const struct regexset *s);

/* A scratch serves any set, one look-up at a time. NULL: no memory. */
struct regex_scratch *regex_scratch_new(void);
void regex_scratch_free(struct regex_scratch *r);
/* Grows it for a set, which a look-up would otherwise do. False: no memory. */
bool regex_scratch_fit(struct regex_scratch *r, const struct regexset *s);

/* Of the patterns in the places (NULL: all) the first in the order of adding that matches. Without
 * memory for the scratch: REGEX_EXHAUSTED, place 0. NULL is a set without patterns. */
enum regex_answer regexset_find(const struct regexset *s, struct regex_scratch *r,
                                struct slice subject, const struct places *in,
                                struct regexset_hit *hit);

#endif
