/* The bytes of `meta`, in this order and little-endian: version, flags, status, minor, the server's
 * family, port, scope and address; times and seconds; who may
 * have it; how long body, rule and head are; rule and head. */
#include "cache/stored.h"

enum { IS_BY_PARENT = 1, IS_STRICT = 2, IS_HEURISTIC = 4, IS_IMMUTABLE = 8, FLAGS = 15 };
/* No response comes from the future; one that a wrong clock has dated is fetched anew. */
static const u64 latest = 1ull << 40;

static void put(struct text *t, u64 v, unsigned bytes)
{
    for (; bytes; bytes--, v >>= 8)
        text_char(t, (char)v);
}

static u64 take(struct slice *s, unsigned bytes)
{
    u64 v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (u64)(u8)s->p[i] << 8 * i;
    *s = slice_skip(*s, bytes);
    return v;
}

void stored_write(const struct stored_meta *m, struct text *t)
{
    const struct freshness *f = &m->fresh;
    put(t, STORED_VERSION, 1);
    put(t,
        (m->by_parent ? IS_BY_PARENT : 0) | (f->must_revalidate ? IS_STRICT : 0) |
            (f->heuristic ? IS_HEURISTIC : 0) | (f->immutable ? IS_IMMUTABLE : 0),
        1);
    put(t, m->minor, 1);
    put(t, m->server.family == AF_INET ? 4 : m->server.family == AF_INET6 ? 6 : 0, 1);
    put(t, m->server.port, 2);
    put(t, 0, 2);
    put(t, m->server.scope, 4);
    put(t, 0, 4);
    text_put(t, m->server.ip, sizeof m->server.ip);
    put(t, f->received, 8);
    put(t, f->date, 8);
    put(t, f->age, 4);
    put(t, f->lifetime, 4);
    put(t, f->while_revalidate, 4);
    put(t, f->if_error, 4);
    put(t, m->length, 8);
    put(t, f->departs, 8);
    put(t, m->rule.n, 8);
    put(t, m->head.n, 8);
    text_add(t, m->rule);
    text_add(t, m->head);
}

static bool read_server(struct slice *s, struct addr *a)
{
    u64 family = take(s, 1);
    a->port = (u16)take(s, 2);
    bool clean = take(s, 2) == 0;
    a->scope = (u32)take(s, 4);
    clean &= take(s, 4) == 0;
    memcpy(a->ip, s->p, sizeof a->ip);
    *s = slice_skip(*s, sizeof a->ip);
    a->family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : 0;
    for (unsigned i = 4; i < sizeof a->ip && family == 4; i++)
        clean &= a->ip[i] == 0;
    return clean && (family == 4 || family == 6);
}

static bool read_freshness(struct slice *s, u64 flags, struct freshness *f)
{
    f->received = take(s, 8);
    f->date = take(s, 8);
    f->age = (u32)take(s, 4);
    f->lifetime = (u32)take(s, 4);
    f->while_revalidate = (u32)take(s, 4);
    f->if_error = (u32)take(s, 4);
    f->must_revalidate = flags & IS_STRICT;
    f->heuristic = flags & IS_HEURISTIC;
    f->immutable = flags & IS_IMMUTABLE;
    const u32 most = CONTROL_SECONDS_MOST;
    return f->received < latest && f->date < latest && f->age <= most && f->lifetime <= most &&
           f->while_revalidate <= most && f->if_error <= most;
}

bool stored_read(struct slice meta, struct stored_meta *out)
{
    struct slice s = meta;
    *out = (struct stored_meta){ .by_parent = false };
    if (s.n < STORED_META || take(&s, 1) != STORED_VERSION)
        return false;
    u64 flags = take(&s, 1);
    out->minor = (u8)take(&s, 1);
    out->by_parent = flags & IS_BY_PARENT;
    if (flags & ~(u64)FLAGS || out->minor > 1 || !read_server(&s, &out->server) ||
        !read_freshness(&s, flags, &out->fresh))
        return false;
    out->length = take(&s, 8);
    out->fresh.departs = take(&s, 8);
    u64 rule = take(&s, 8), head = take(&s, 8);
    if (rule > s.n || head != s.n - rule)
        return false;
    out->rule = (struct slice){ s.p, rule };
    out->head = slice_skip(s, rule);
    return true;
}
