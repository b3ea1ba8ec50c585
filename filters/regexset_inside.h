/* What a set of regular expressions is made of, for the two files that build it and ask it. */
#ifndef FILTERS_REGEXSET_INSIDE_H
#define FILTERS_REGEXSET_INSIDE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <hs/hs.h>
#include <pcre2.h>

#include "filters/literalset.h"
#include "filters/regexset.h"

enum { REGEX_MATCH_LIMIT = 50000 };

struct regex {
    pcre2_code *code;
    struct slice pattern;
    u64 text_print; /* of the text that every match contains; 0: none */
    u32 place;
    bool caseless, removes;
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

#endif
