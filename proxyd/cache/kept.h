/* The steps of freshness.c that kept.c takes: nobody else includes this. */
#ifndef CACHE_KEPT_H
#define CACHE_KEPT_H

#include "cache/freshness.h"

/* received, date and age of *f (RFC 9111 section 4.2.3). */
void freshness_clocks(const struct msg *response, u64 asked, u64 received, struct freshness *f);
/* The rest of it, from what the response says (section 4.2.1); `ttl`: seconds from now on instead,
 * or 0. `guess`: a heuristic may be used (section 4.2.2). */
void freshness_lifetime(const struct msg *response, const struct cache_control *c, u32 ttl,
                        bool guess, struct freshness *f);

#endif
