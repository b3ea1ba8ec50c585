/*
 * SipHash with one compression and three finalisation rounds: enough for tables that live in
 * memory and whose hashes never leave the process, at half the price of 2-4.
 */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/must.h"

static struct hash_key process_key;
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

void hash_key_random(struct hash_key *k)
{
    size_t have = 0;
    while (have < sizeof *k) {
        ssize_t n = getrandom((char *)k + have, sizeof *k - have, 0);
        must(n > 0 || errno == EINTR);
        have += n > 0 ? (size_t)n : 0;
    }
}

static void make_process_key(void)
{
    hash_key_random(&process_key);
}

const struct hash_key *hash_process_key(void)
{
    pthread_once(&process_key_once, make_process_key);
    return &process_key;
}

static inline u64 rotl(u64 x, unsigned b)
{
    return x << b | x >> (64 - b);
}

struct sip {
    u64 a, b, c, d;
};

static inline void sip_round(struct sip *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotl(s->b, 13) ^ s->a;
    s->d = rotl(s->d, 16) ^ s->c;
    s->a = rotl(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = rotl(s->b, 17) ^ s->c;
    s->d = rotl(s->d, 21) ^ s->a;
    s->c = rotl(s->c, 32);
}

static inline void sip_word(struct sip *s, u64 w)
{
    s->d ^= w;
    sip_round(s);
    s->a ^= w;
}

static inline u64 whole_word(const u8 *p)
{
    u64 w;
    memcpy(&w, p, sizeof w);
    return le64toh(w);
}

/* The n bytes at p, 0–7, little-endian; eight or more end there when `behind`. A variable-length
 * memcpy would cost a call. */
static inline u64 tail_bytes(const u8 *p, size_t n, bool behind)
{
    u64 w = 0;
    if (likely(behind))
        return n ? whole_word(p + n - 8) >> (64 - 8 * n) : 0;
    for (size_t i = 0; i < n; i++)
        w |= (u64)p[i] << (8 * i);
    return w;
}

static struct sip sip_begin(const struct hash_key *k)
{
    return (struct sip){ k->k[0] ^ 0x736f6d6570736575, k->k[1] ^ 0x646f72616e646f6d,
                         k->k[0] ^ 0x6c7967656e657261, k->k[1] ^ 0x7465646279746573 };
}

static inline void sip_text(struct sip *s, const void *p, size_t n)
{
    const u8 *at = p;
    size_t left = n;
    for (; left >= 8; at += 8, left -= 8)
        sip_word(s, whole_word(at));
    sip_word(s, (u64)n << 56 | tail_bytes(at, left, n >= 8));
}

static inline u64 sip_result(struct sip *s)
{
    sip_round(s);
    sip_round(s);
    sip_round(s);
    return s->a ^ s->b ^ s->c ^ s->d;
}

u64 hash64(const struct hash_key *k, const void *p, size_t n)
{
    struct sip s = sip_begin(k);
    sip_text(&s, p, n);
    s.c ^= 0xff;
    return sip_result(&s);
}

void hash128(const struct hash_key *k, const void *p, size_t n, u64 out[2])
{
    struct sip s = sip_begin(k);
    s.b ^= 0xee;
    sip_text(&s, p, n);
    s.c ^= 0xee;
    out[0] = sip_result(&s);
    s.b ^= 0xdd;
    out[1] = sip_result(&s);
}
