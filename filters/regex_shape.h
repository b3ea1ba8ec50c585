/*
 * What a regular expression shows when it is looked at. Most "regexes" of lists are a plain text or
 * a host in disguise and need no engine.
 *
 * Looking must never change what a pattern means. Only the plainest syntax is understood; whatever
 * else stands there makes the answer "a regex".
 */
#ifndef FILTERS_REGEX_SHAPE_H
#define FILTERS_REGEX_SHAPE_H

#include "filters/hostset.h"

enum regex_shape {
    REGEX_OTHER,
    REGEX_TEXT, /* matches exactly where this text occurs */
    REGEX_HOST, /* matches exactly the URLs of this host, on any port */
};

/* What a pattern is looked for in. */
enum regex_subject {
    REGEX_OF_URL,  /* scheme://host[:port]/…, without user and fragment */
    REGEX_OF_HOST, /* a canonical host */
};

enum { REGEX_TEXT_ROOM = 4096 };
struct regex_shape_of {
    enum regex_shape shape;
    enum host_kind kind;        /* REGEX_HOST */
    size_t n;                   /* of text */
    char text[REGEX_TEXT_ROOM]; /* the text, or the host in lower case */
};

/* A pattern longer than REGEX_TEXT_ROOM is REGEX_OTHER. */
void regex_shape(struct regex_shape_of *out, struct slice pattern, bool caseless,
                 enum regex_subject subject);

#endif
