/*
 * Conditional requests that are answered from what is kept (RFC 9111 section 4.3.2): If-None-Match
 * (weak comparison), or else If-Modified-Since; and If-Range (strong comparison), which only says
 * whether Range counts. If-Match and If-Unmodified-Since are the origin's affair and mean nothing
 * here.
 */
#ifndef CACHE_PRECONDITION_H
#define CACHE_PRECONDITION_H

#include "http/msg.h"

enum precondition { CONDITION_NONE, CONDITION_NOT_MODIFIED };

/* What a GET or HEAD gets of that stored response, which has a Date (freshness_dated): as it is, or
 * 304. A condition that is garbled counts for nothing. */
enum precondition precondition_of(const struct msg *request, const struct msg *stored, u64 now);
/* False: Range is to be ignored. A date counts only when it is the Last-Modified that is kept and
 * that is a minute older than the Date beside it, for else it could be of two versions of one
 * second (RFC 9110 section 8.8.2.2). */
bool if_range_holds(const struct msg *request, const struct msg *stored, u64 now);
/* What to validate it with: If-None-Match and If-Modified-Since go into `request`, in place of the
 * client's own, and Range and If-Range go out: the answer may have to replace what is kept. False:
 * it has no validator (and the request is as it was), or no memory. */
bool precondition_validate(struct msg *request, const struct msg *stored);

/* Has it a strong validator, equal only for the same bytes (RFC 9110 section 8.8.1): an entity tag
 * that is strong, or no tag and a Last-Modified that is, by the rule of if_range_holds? */
bool validator_is_strong(const struct msg *response, u64 now);
/* Are these two of one representation, byte for byte, by their strong validators? Their content
 * codings have to be the same as well: some origins give the plain bytes and the compressed ones
 * one tag. A Content-Type may differ, as servers of one pool name types differently. */
bool validator_same(const struct msg *a, const struct msg *b, u64 now);

/* `"..."`, and not `W/"..."`. */
bool etag_is_strong(struct slice tag);
/* Both are entity tags, and are equal but for the W/ (RFC 9110 section 8.8.3.2). */
bool etag_same_weakly(struct slice a, struct slice b);

#endif
