/*
 * The logic of conditions. A condition does not only hold or fail: it can be about something the
 * request does not show (unknown), or about an address that a look-up would bring (pending).
 * Unknown is not a match and stays unknown under `not`; so do the other two.
 */
#ifndef FILTERS_MATCH_H
#define FILTERS_MATCH_H

#include "base/types.h"

enum match {
    MATCH_NO,
    MATCH_YES,
    MATCH_UNKNOWN, /* the request will never show it */
    MATCH_PENDING, /* known once the name is resolved; ask again with an address */
    MATCH_UNSAFE,  /* shown, but cannot be judged: holds for a deny, never for an allow */
};

static inline enum match match_of(bool holds)
{
    return holds ? MATCH_YES : MATCH_NO;
}

static inline enum match match_not(enum match m)
{
    return m == MATCH_NO ? MATCH_YES : m == MATCH_YES ? MATCH_NO : m;
}

#endif
