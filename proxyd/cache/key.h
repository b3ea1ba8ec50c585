/*
 * The name under which a response is kept: 128 bits of its URL and of the space that it lives in,
 * the same after a restart. The hard thing is which spellings are one URL: the key is equal only
 * where RFC 9110 section 4.2.3 says that they are (case of the host, port of the scheme, an empty
 * path, %XX of what need not be encoded). Dot segments stay: clients resolve them, and an origin
 * that takes /a/../b for something else than /b could be made to answer for it.
 */
#ifndef CACHE_KEY_H
#define CACHE_KEY_H

#include "base/slice.h"
#include "base/text.h"
#include "cache/disk/cache_key.h"
#include "cache/mix.h"

struct cache_url {
    struct slice space;  /* the direction, and what else never mixes: "forward", "reverse/POOL" */
    struct slice scheme; /* "http", in lower case */
    struct slice host;   /* as struct host has it: lower case, no final dot, no brackets */
    u16 port;            /* 0: the scheme's */
    struct slice path;   /* with its query; empty: "/" */
};

/* The key of a URL: equal for spellings that are equivalent by RFC 3986, and not to be foreseen
 * without the secret. */
void cache_key_of(const struct cache_secret *secret, const struct cache_url *url,
                  struct cache_key *out);

/* "http://host:port/path?query" as it is compared, for people, purges by prefix and tests: two URLs
 * of one space have one key if and only if these are equal. Never longer than the parts and
 * CACHE_URL_MORE bytes. */
enum { CACHE_URL_MORE = 32 };
void cache_url_write(struct text *out, const struct cache_url *url);

#endif
