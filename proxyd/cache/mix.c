/* See mix.h. The block is a fixed one, so that a key costs no memory however long its URL is. */
#include "cache/mix.h"

#include <endian.h>

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

void mix_bytes(struct mix *m, const void *p, size_t n)
{
    const char *from = p;
    if (likely(n < MIX_BLOCK - m->n)) {
        memcpy(m->block + m->n, from, n);
        m->n += (u32)n;
        return;
    }
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

void mix_number(struct mix *m, u32 v)
{
    v = htole32(v);
    if (unlikely(sizeof v >= MIX_BLOCK - m->n)) {
        mix_bytes(m, &v, sizeof v);
        return;
    }
    memcpy(m->block + m->n, &v, sizeof v);
    m->n += sizeof v;
}

void mix_end(struct mix *m, u64 out[2])
{
    compress(m);
    memcpy(out, m->block, CHAIN);
    out[0] = le64toh(out[0]);
    out[1] = le64toh(out[1]);
}
