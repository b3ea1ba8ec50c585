/*
 * May a response be kept, for how long is it fresh, how old is it now (RFC 9111 sections 3 and
 * 4.2), and may it be used for this request? Pure: all times are handed in, in seconds since 1970.
 * The hard thing is that three clocks disagree (the origin's, ours, and any cache's between): an
 * age is the largest that any of them can tell, a date from the future tells none, and our own
 * clock set back makes nothing younger than it was when it came.
 */
#ifndef CACHE_FRESHNESS_H
#define CACHE_FRESHNESS_H

#include "base/cache_rule.h"
#include "base/cached.h"
#include "cache/control.h"

enum { HEURISTIC_PART = 10, HEURISTIC_MOST = 86400 };

/* What is noted of a response that is kept. */
struct freshness {
    u64 received; /* when its head had come */
    u64 date;     /* of its Date field, or `received` */
    u32 age;      /* corrected_initial_age (section 4.2.3) */
    u32 lifetime; /* for which it is fresh, from age 0 on; 0: always to be validated */
    u32 while_revalidate, if_error; /* seconds beyond it */
    bool must_revalidate; /* never stale, whatever the request says: also s-maxage and no-cache */
    bool heuristic; /* the lifetime is a guess: 10 % of the age of Last-Modified, 1 d at most */
    bool immutable;
    bool dated;      /* it has a Date that can be read; false: not known */
    bool names_none; /* its Cache-Control names no fields to be left out; false: not known */
    u64 departs;     /* the override's sign, where the RFC would not have it kept so; else 0 */
};

/* The request was sent at `asked` and the final head came at `received`. `request` is the request
 * as it came from the client, or as it was sent; the response is as it came, before
 * freshness_strip. What only the body can tell (INCOMPLETE, TOO_LARGE) and what only the cache
 * knows (MIN_USES) is the caller's. `override` may be NULL. *f is
 * filled in when the answer is YES. After a 304: with the head that freshness_update made, and the
 * times of the 304. */
enum kept response_kept(const struct msg *request, const struct msg *response, u64 asked,
                        u64 received, const struct cache_override *override, struct freshness *f);

/* current_age at `now` (section 4.2.3), for Age; CONTROL_SECONDS_MOST at most. */
u32 freshness_age(const struct freshness *f, u64 now);

enum use {
    USE_FRESH,
    USE_STALE_ALLOWED,    /* the request's max-stale says so */
    USE_WHILE_REVALIDATE, /* now, and it is to be validated behind its back */
    USE_VALIDATE          /* the origin has to be asked; with only-if-cached: 504 */
};
/* By the request's own Cache-Control, too. `ttl_left` (may be NULL): seconds, negative when stale,
 * for Cache-Status. */
enum use freshness_use(const struct freshness *f, const struct cache_control *request, u64 now,
                       i64 *ttl_left);
/* The origin cannot be asked, or answers 500, 502, 503, 504: may it be used all the same? */
bool freshness_on_error(const struct freshness *f, const struct cache_control *request, u64 now);

/* A 304 has come for it (sections 3.2 and 4.3.4): the head that is kept takes over what the 304
 * says, Date and Age in any case. `not_modified` is edited, too: what is of its hop goes. What
 * belongs to the bytes that are kept stays (Content-Length, -Encoding, -Range), and no cookie is
 * taken over. Then response_kept is asked again, with the request that was sent: the new policy may
 * forbid to keep it. False, and *stored as it was: the 304 is about another representation
 * (section 4.3.4), no memory, or too many fields; then the origin has to be asked anew, without
 * conditions, unless they were the client's own. */
bool freshness_update(struct msg *stored, struct msg *not_modified);

/* Is an answer to HEAD about another representation than the one that is kept (section 4.3.5), the
 * body of which has that length? Only 200 tells. */
bool freshness_differs(const struct msg *stored, u64 length, const struct msg *head);

/* Takes out what is never kept (section 3.1): fields of the hop, those that no-cache and private
 * name, and Age, Cache-Status, Proxy-Status and the length, which are made anew. `f` is as
 * response_kept has left it, or empty. */
void freshness_strip(struct msg *response, const struct freshness *f);
/* Gives it a Date when it has none that can be read (RFC 9110 section 6.6.1). False: no memory. */
bool freshness_dated(struct msg *response, const struct freshness *f);

#endif
