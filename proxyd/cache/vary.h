/*
 * Which of several responses of one URL is for this request (RFC 9111 section 4.1)? A variant has a
 * 64-bit key over the normalised values of the request fields that its Vary names. Normalised:
 * blanks, case where the field has none, order of Accept-Encoding's codings; fields without meaning
 * for a response may be told apart needlessly but never be taken for equal.
 */
#ifndef CACHE_VARY_H
#define CACHE_VARY_H

#include "cache/mix.h"
#include "http/msg.h"

enum { VARY_MOST = 16, VARY_TEXT = 512 }; /* variants of one URL, and names; bytes of names */

enum vary_answer {
    VARY_NONE,
    VARY_SOME, /* *out is what it names: lower case, sorted, each once, with commas */
    VARY_STAR, /* no other request will ever match; also what is no list of names */
    VARY_TOO_MUCH
};
/* *out is empty and has room for VARY_TEXT. */
enum vary_answer vary_names(const struct msg *response, struct text *out);
/* Of the request, for names that vary_names wrote. The same in every run with that secret. */
u64 vary_key(const struct cache_secret *secret, struct slice names, const struct msg *request);

#endif
