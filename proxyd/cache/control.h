/*
 * Cache-Control as numbers and bits (RFC 9111 section 5.2), of a request or of a response, and its
 * targeted form CDN-Cache-Control (RFC 9213), which replaces it and Expires where it is there and
 * is well formed.
 *
 * The hard thing is what to make of a field that contradicts itself or is garbled. What forbids is
 * believed in whatever form it comes, what allows only in the right one: of two max-ages the
 * smaller one counts, of one without a number 0, of an unknown directive nothing. So the order of
 * the directives never matters.
 */
#ifndef CACHE_CONTROL_H
#define CACHE_CONTROL_H

#include "http/msg.h"

enum {
    CONTROL_NO_STORE = 1 << 0,
    CONTROL_NO_CACHE = 1 << 1,
    CONTROL_PRIVATE = 1 << 2,
    CONTROL_PUBLIC = 1 << 3,
    CONTROL_MUST_REVALIDATE = 1 << 4,
    CONTROL_PROXY_REVALIDATE = 1 << 5,
    CONTROL_MUST_UNDERSTAND = 1 << 6,
    CONTROL_IMMUTABLE = 1 << 7, /* RFC 8246 */
    CONTROL_NO_TRANSFORM = 1 << 8,
    CONTROL_ONLY_IF_CACHED = 1 << 9,
    /* These say that the number beside it was there. */
    CONTROL_MAX_AGE = 1 << 10,
    CONTROL_S_MAXAGE = 1 << 11,
    CONTROL_STALE_WHILE_REVALIDATE = 1 << 12, /* RFC 5861 */
    CONTROL_STALE_IF_ERROR = 1 << 13,         /* RFC 5861 */
    CONTROL_MIN_FRESH = 1 << 14,
    CONTROL_MAX_STALE = 1 << 15, /* without a number: UINT32_MAX */
    CONTROL_TARGETED = 1 << 16,  /* it came from CDN-Cache-Control: Expires counts for nothing */
    /* no-cache or private for the fields only that it names: see control_strip. */
    CONTROL_FIELDS = 1 << 17,
    /* Something of it could not be read, so nothing in it is taken for a permission to share. */
    CONTROL_GARBLED = 1 << 18
};

enum { CONTROL_SECONDS_MOST = 0x80000000u }; /* RFC 9111 section 1.2.2 */

/* Seconds, at most CONTROL_SECONDS_MOST; 0 where `has` lacks the bit. Of min_fresh also UINT32_MAX,
 * garbled. */
struct cache_control {
    u32 has;
    u32 max_age, s_maxage, stale_while_revalidate, stale_if_error, min_fresh, max_stale;
};

/* Of a request; `Pragma: no-cache` counts where there is no Cache-Control. */
void control_of_request(const struct msg *m, struct cache_control *out);
/* Of a response. `targeted`: CDN-Cache-Control counts, which it does for a cache on the origin's
 * side alone (RFC 9213 section 3). */
void control_of_response(const struct msg *m, bool targeted, struct cache_control *out);

/* Takes the fields out of a response that its no-cache and private name, for then the rest may be
 * kept and used (RFC 9111 sections 5.2.2.4 and 5.2.2.7). Only with CONTROL_FIELDS. A response whose
 * directive names a field without which it would mean something else (Content-Encoding, Vary) has
 * CONTROL_NO_CACHE or _PRIVATE instead, and so has one whose CDN-Cache-Control names any. */
void control_strip(struct msg *m);

#endif
