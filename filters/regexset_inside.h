/* What a set of regular expressions is made of, for the files that build it and ask it. */
#ifndef FILTERS_REGEXSET_INSIDE_H
#define FILTERS_REGEXSET_INSIDE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <hs/hs.h>
#include <pcre2.h>

#include "filters/literalset.h"
#include "filters/regexset.h"

enum { REGEX_MATCH_LIMIT = 50000, REGEX_LONGEST = 4096 };

struct regex {
    pcre2_code *code;
    struct slice pattern;
    const char *shown; /* what vectorscan is given of it: never fewer matches */
    u32 place;
    bool caseless, removes;
    bool by_text; /* every match contains one of its texts, which are in the set of texts */
};

struct regexset {
    struct arena texts;
    struct regex *regex;
    size_t n;
    struct literalset by_text; /* its places are indices + 1 */
    hs_database_t **database;
    size_t ndatabases;
    u32 *always;
    size_t nalways;
    size_t bytes;
};

/* By PCRE2. NULL: why says why. */
pcre2_code *regexset_compile(struct slice pattern, bool caseless, char why[REGEX_WHY]);
/* How much of what anybody asks for does it match, of url_samples_n? Limits that are reached on the
 * way do not count: they are reported later. */
unsigned regexset_sample_hits(const pcre2_code *code);
/* Chooses how candidates are found. False: no memory. */
bool regexset_prepare(struct regexset *s);

#endif
