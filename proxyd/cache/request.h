/*
 * What a request asks a cache for: the URL and the key that it names, and whether it is a question
 * for a cache at all. The hard thing is a request that the origin will not see as it came: what is
 * kept is told apart by what clients say (Vary), so nobody could tell whose answer it is.
 */
#ifndef CACHE_REQUEST_H
#define CACHE_REQUEST_H

#include "cache/notes.h"

/* Fills in the URL and the key of x->stored. False: no memory. */
bool request_name(struct xchg *x);
/* Does a rule edit it, or may one, once its address is known? */
bool request_is_edited(const struct xchg *x);
/* Why nothing is looked for and nothing kept, as far as a request says so by itself: for a rule,
 * which may be NULL, and a cache_use.origin_side. KEPT_YES: it is looked for. */
enum kept request_alone(const struct msg *m, const struct cache_rule *rule, bool origin_side);
/* The same of an exchange: whether a rule edits it counts, too. */
enum kept request_passes(const struct xchg *x);
/* Why the origin is asked although something is kept that is for a request with that control. */
static inline enum fwd request_fwd(const struct cache_control *request)
{
    bool forced = request->has & (CONTROL_NO_CACHE | CONTROL_MAX_AGE | CONTROL_MIN_FRESH);
    return forced ? FWD_REQUEST : FWD_STALE;
}

#endif
