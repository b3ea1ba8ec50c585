#include "reverse/balance.h"

#include <stdatomic.h>

#include "base/must.h"
#include "core/exchange/retry.h"
#include "core/exchange/xchg.h"

/* One that cannot be connected to is passed over for so long, while another one can: so of many
 * requests few wait for a time-out, and it is back a second after it has come up. */
enum { REST_MS = 1000 };

/* In the registry, by the pool's name. */
struct pool_state {
    _Atomic u32 turn; /* shared by all workers: round robin over the servers */
};
const struct registry_kind pools = { .name = "pool", .size = sizeof(struct pool_state) };

/* In the registry, by pool and server; kept, for a tunnel has it longer than any snapshot. */
struct server_state {
    _Atomic u64 rests_until_ms;
};
static const struct registry_kind states = { .name = "server",
                                             .size = sizeof(struct server_state),
                                             .kept = true };

struct pool {
    struct server *servers;
    u32 nservers;
    struct pool_state *state;
};

/* What x remembers: the servers tried so far, a bit for each, and the last of them. Of pools with
 * more than 64 servers two may share a bit, and then one of them is not tried. */
struct notes {
    u64 tried;
    u32 last;
    u32 nservers;
};

static void compile_server(const struct server_conf *conf, const struct pool_conf *pool,
                           struct server *out, struct snapshot *s, struct registry *r)
{
    char key[700];
    struct text name = text_in(key, sizeof key);
    must(host_parse_bare(conf->host, &out->host) == FAULT_NONE);
    out->port = conf->port;
    text_add(&name, pool->name);
    text_char(&name, ' ');
    host_write(&name, &out->host, out->port);
    out->state = registry_get(r, s, &states, text_slice(&name));
}

struct pool *balance_compile(const struct pool_conf *conf, struct snapshot *s, struct registry *r)
{
    struct pool *pool = arena_zalloc(&s->arena, sizeof *pool);
    pool->servers = arena_zalloc(&s->arena, conf->nservers * sizeof *pool->servers);
    pool->nservers = conf->nservers;
    pool->state = registry_get(r, s, &pools, conf->name);
    for (u32 i = 0; i < conf->nservers; i++)
        compile_server(&conf->servers[i], conf, &pool->servers[i], s, r);
    return pool;
}

static void ended(void *object, const struct outcome *how)
{
    struct server_state *s = object;
    if (unlikely(retry_is_unconnected(how->fault)))
        atomic_store_explicit(&s->rests_until_ms, how->now_ms + REST_MS, memory_order_relaxed);
}

static const struct lease_ops server_lease = { "server", ended };

static bool rests(const struct xchg *x, const struct server *s)
{
    return atomic_load_explicit(&s->state->rests_until_ms, memory_order_relaxed) >
           worker_ms(x->worker);
}

static u64 bit(u32 i)
{
    return 1ull << (i & 63);
}

/* The first one from `from` on that has not been tried and does not rest; else one that rests. */
static u32 pick(const struct xchg *x, const struct pool *pool, u64 tried, u32 from)
{
    u32 n = pool->nservers, found = n;
    u32 k = 0;
    do { /* a pool has one server at least */
        u32 i = (from + k) % n;
        if (tried & bit(i))
            continue;
        if (!rests(x, &pool->servers[i]))
            return i;
        if (found == n)
            found = i;
    } while (++k < n);
    return found < n ? found : from % n;
}

static u32 take_turn(struct pool *pool)
{
    if (pool->nservers == 1)
        return 0;
    return atomic_fetch_add_explicit(&pool->state->turn, 1, memory_order_relaxed) % pool->nservers;
}

const struct server *balance_choose(struct xchg *x, struct pool *pool)
{
    struct notes *notes = xchg_role_area(x, struct notes);
    if (x->attempts == 0)
        *notes = (struct notes){ .last = take_turn(pool), .nservers = pool->nservers };
    notes->last = pick(x, pool, notes->tried, notes->last);
    notes->tried |= bit(notes->last);
    const struct server *s = &pool->servers[notes->last];
    lease_server(x, &server_lease, s->state);
    return s;
}

bool balance_next(struct xchg *x, enum fault why)
{
    const struct notes *notes = xchg_role_area(x, struct notes);
    u32 n = notes->nservers < 64 ? notes->nservers : 64;
    return retry_is_unconnected(why) && (u32)__builtin_popcountll(notes->tried) < n;
}
