/* See mix.h. The block is a fixed one, so that a key costs no memory however long its URL is. */
#include "cache/mix.h"

enum { CHAIN = 16 };

void mix_begin(struct mix *m, const struct cache_secret *secret)
{
    m->secret = secret;
    m->n = CHAIN;
    memset(m->block, 0, CHAIN);
}

/* Only the last block is shorter than a whole one, and its length is part of its hash. */
static void compress(struct mix *m)
{
    u64 h[2];
    hash128(&m->secret->key, m->block, m->n, h);
    h[0] = htole64(h[0]);
    h[1] = htole64(h[1]);
    memcpy(m->block, h, CHAIN);
    m->n = CHAIN;
}

void mix_long(struct mix *m, const void *p, size_t n)
{
    const char *from = p;
    while (n) {
        size_t part = MIX_BLOCK - m->n < n ? MIX_BLOCK - m->n : n;
        memcpy(m->block + m->n, from, part);
        m->n += (u32)part;
        from += part;
        n -= part;
        if (m->n == MIX_BLOCK)
            compress(m);
    }
}

void mix_end(struct mix *m, u64 out[2])
{
    hash128(&m->secret->key, m->block, m->n, out);
}
