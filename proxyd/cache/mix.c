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
    for (unsigned i = 0; i < 2; i++)
        h[i] = htole64(hash64(&m->secret->half[i], m->block, m->n));
    memcpy(m->block, h, CHAIN);
    m->n = CHAIN;
}

void mix_bytes(struct mix *m, const void *p, size_t n)
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

void mix_number(struct mix *m, u64 v)
{
    v = htole64(v);
    mix_bytes(m, &v, sizeof v);
}

void mix_end(struct mix *m, u64 out[2])
{
    compress(m);
    memcpy(out, m->block, CHAIN);
    out[0] = le64toh(out[0]);
    out[1] = le64toh(out[1]);
}
