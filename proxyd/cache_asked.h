/* The request that `proxyd cache why` asks about, with fields, and what caches are to it. */
#ifndef PROXYD_CACHE_ASKED_H
#define PROXYD_CACHE_ASKED_H

#include <stdio.h>

#include "cache/freshness.h"
#include "cache/mix.h"

enum { ASKED_FIELDS_MOST = 4096 }; /* bytes of all fields, with a line end each */

struct asked {
    struct arena arena;
    struct msg *msg; /* in the arena; NULL: nothing is asked of one request */
    struct cache_control control;
    enum kept alone, on_route; /* why the cache is not asked: of a forward listener, of a route */
};

/* `fields`: "NAME: VALUE", a line each; *a is zeroed. NULL, or what is wrong with it, a sentence
 * without a line end that lives as long as the program. In any case asked_end has to follow. */
const char *asked_read(struct asked *a, struct slice method, struct slice url, struct slice fields);
void asked_end(struct asked *a);

/* What the request alone decides, in lines. has_routes: there may be a route to ask about. */
void asked_show(FILE *to, const struct asked *a, bool has_routes);

/* A response that is kept, in memory or on disk. */
struct asked_of {
    struct cache_secret secret; /* by which `variant` was made */
    struct slice vary;
    u64 variant;
    const struct freshness *fresh;
    bool grows;
};
/* What that one is to the request, in a line. False: it is another variant. */
bool asked_show_kept(FILE *to, const struct asked *a, const struct asked_of *kept, u64 now_s);

#endif
