/*
 * What the rule that decides on an exchange says about the cache (base/cache_rule.h), as far as it
 * is asked before there is an answer: which part of the URL makes the key, which cookies do not
 * matter, and for whom something is that was kept by a departure from the RFC.
 */
#ifndef CACHE_STEERING_H
#define CACHE_STEERING_H

#include "base/cache_rule.h"
#include "base/text.h"
#include "http/msg.h"

/* May be NULL, as in all of these: a rule that says nothing. */
static inline u64 steering_sign(const struct cache_rule *r)
{
    return r ? r->override.sign : 0;
}
/* May it leave out something of that path and query in the key? */
static inline bool steering_cuts(const struct cache_rule *r, struct slice path)
{
    return r && (r->without_query || r->nparams) && slice_find(path, '?');
}
/* The path and query that make the key: `path` itself where nothing is left out, else what is in
 * *out, which needs room for all of it. */
struct slice steering_path(const struct cache_rule *r, struct slice path, struct text *out);
/* Does it say anything that had to be known before the cache was asked? */
bool steering_is_early(const struct cache_rule *r);
/* Are all cookies of the request among those that do not matter? */
bool steering_ignores_cookies(const struct cache_rule *r, const struct msg *request);

#endif
