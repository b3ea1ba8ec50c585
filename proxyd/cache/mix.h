/*
 * A keyed hash of text that comes in pieces, in 128 bits that are the same in every run with that
 * key: SipHash twice, over blocks that each begin with what came out for those before. Two texts
 * with one result are as unlikely as two random numbers for whoever does not know the key.
 */
#ifndef CACHE_MIX_H
#define CACHE_MIX_H

#include <endian.h>

#include "base/hash.h"
#include "base/slice.h"

/* Kept in the cache's folder; made by hash_key_random. */
struct cache_secret {
    struct hash_key key;
};

enum { MIX_BLOCK = 256 };

struct mix {
    const struct cache_secret *secret;
    u32 n; /* bytes in block; the first 16 are the result so far */
    char block[MIX_BLOCK];
};

/* *secret must stay until mix_end. */
void mix_begin(struct mix *m, const struct cache_secret *secret);
/* More than the block has room for. */
void mix_long(struct mix *m, const void *p, size_t n);
static inline void mix_bytes(struct mix *m, const void *p, size_t n)
{
    if (unlikely(n >= MIX_BLOCK - m->n)) {
        mix_long(m, p, n);
        return;
    }
    memcpy(m->block + m->n, p, n);
    m->n += (u32)n;
}
/* Four bytes; a length in front of each text makes pieces that cannot run into one another. */
static inline void mix_number(struct mix *m, u32 v)
{
    v = htole32(v);
    mix_bytes(m, &v, sizeof v);
}
static inline void mix_text(struct mix *m, struct slice s)
{
    mix_number(m, (u32)s.n);
    mix_bytes(m, s.p, s.n);
}
void mix_end(struct mix *m, u64 out[2]);

#endif
