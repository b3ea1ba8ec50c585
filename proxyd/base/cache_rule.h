/*
 * What one rule or route says about the cache, beyond RFC 9111. Plain data, as old as the
 * configuration: policy/cache_rule.c reads it, a role hands it over, and the cache obeys it. It
 * stands here, below all three, because none of them may know another.
 */
#ifndef BASE_CACHE_RULE_H
#define BASE_CACHE_RULE_H

#include "base/addr.h"
#include "base/slice.h"

/* Zero: nothing. Each is a departure from the RFC that `check` names, but for `targeted`. */
struct cache_override {
    u32 ttl; /* seconds from now on that count instead of what the response says; 0: none. It makes
              * no response kept that says no, and no status that is not cacheable by itself. */
    bool ignore_no_cache, ignore_no_store,
        ignore_private;    /* of responses; no_store of requests too */
    bool store_set_cookie; /* else a response with Set-Cookie is never kept; kept without it */
    bool targeted;         /* CDN-Cache-Control counts: this cache is on the origin's side */
    /* Of all departures, those of the key included: what is kept by one is for those only whose
     * rule says the same. 0: there is none. The same in every run. */
    u64 sign;
};

struct cache_rule {
    struct slice name; /* of the rule or the route */
    struct cache_override override;
    bool bypass;        /* not looked up, and not kept */
    bool without_query; /* the key is made without it */
    u8 range;           /* enum cache_range; NOTHING: as the cache has it */
    u32 min_uses;       /* instead of the cache's; 0: that */
    u64 max_object;     /* likewise */
    /* Names of query parameters that make no key, and of cookies that do not matter: "utm_*" is
     * all that begin so. */
    u32 nparams, ncookies;
    const struct slice *params, *cookies;
    u32 npurgers; /* networks whose clients may use the method PURGE */
    const struct cidr *purgers;
};

/* What becomes of a request for a range of what is not kept. */
enum cache_range { CACHE_RANGE_NOTHING, CACHE_RANGE_PASS, CACHE_RANGE_WHOLE };

#endif
