/*
 * The hard thing is a parent that is down: a request must neither go around it nor wait for it
 * again and again. One that cannot be connected to rests, a second at first and twice as long after
 * each trial in vain. While it rests the proxies behind it are asked; when the rest is over one
 * request tries it, and the others go on as before until that one has come through.
 *
 * When all of them rest, those that refuse are tried all the same, for that costs nothing and they
 * are used again at once when they come up. Those that do not answer are not: the request fails
 * without waiting.
 */
#include "forward/parents.h"

#include "base/must.h"
#include "core/exchange/retry.h"
#include "core/exchange/xchg.h"

enum {
    PROXIES = 4, /* of a parent: no more are tried for one request (core/exchange/retry.c) */
    REST_FIRST_MS = 1000,
    REST_MOST_MS = 30000
};

const struct registry_kind forward_parents = { .name = "parent",
                                               .size = sizeof(struct parent),
                                               .kept = true };

struct parents {
    struct slice name;
    struct proxy {
        struct host host;
        u16 port;
        const struct conn_profile *profile;
        struct parent *state;
    } proxy[PROXIES];
    u8 n;
};

/* ---- the configuration ---- */

struct proxies_conf {
    struct proxy_conf {
        struct slice host; /* a name, an IPv4 address, or an IPv6 address without brackets */
        u16 port;
    } proxy[PROXIES];
    u8 n;
};

static void read_proxies(const struct schema_row *row, const struct node *n, struct arena *a,
                         void *to)
{
    struct proxies_conf *out = to;
    (void)row;
    for (u32 i = 0; i < node_nargs(n); i++) {
        struct proxy_conf *p = &out->proxy[out->n++];
        must(value_server(node_arg(n, i)->text, &p->host, &p->port));
        p->host = arena_copy(a, p->host);
    }
}

const struct schema_row parent_rows[] = {
    { .key = "proxy",
      .type = { TYPE_SERVER },
      .min = 1,
      .max = PROXIES,
      .required = true,
      .read = read_proxies,
      .doc =
          "HTTP proxies, up to four. Requests go to the first one that can be connected to: "
          "`http://` ones with their whole URL, tunnels by CONNECT. One that refuses a "
          "connection or does not accept it within `timeouts connect` is passed over for a "
          "second, and longer when it is still down after that, up to half a minute. One that ends "
          "the connection before it answers is passed over for that request, if sending it "
          "twice does no harm.",
      .example = "proxy 10.0.0.8:3128 10.0.0.9:3128;" },
    { .key = NULL },
};

void parents_check(const struct node *block, struct diags *d)
{
    const struct node *n = node_child(block, "proxy");
    for (u32 i = 1; n && i < node_nargs(n); i++)
        for (u32 k = 0; k < i; k++)
            if (slice_eq(node_arg(n, i)->text, node_arg(n, k)->text)) {
                diag_warning(d, node_arg(n, i), "the proxy %s stands here twice",
                             word_shown(node_arg(n, i)));
                break;
            }
}

static void compile_proxy(const struct proxy_conf *conf, struct slice parent, struct proxy *out,
                          struct snapshot *s, struct registry *r)
{
    char key[700];
    struct text name = text_in(key, sizeof key);
    must(host_parse_bare(conf->host, &out->host) == FAULT_NONE);
    out->port = conf->port;
    text_add(&name, parent);
    text_char(&name, ' ');
    host_write(&name, &out->host, out->port);
    out->state = registry_get(r, s, &forward_parents, text_slice(&name));
    out->profile =
        profile_intern(&(struct conn_profile){ .scheme = SCHEME_HTTP, .parent = out->state });
}

const struct parents *parents_compile(const struct node *block, struct snapshot *s,
                                      struct registry *r)
{
    struct parents *p = arena_zalloc(&s->arena, sizeof *p);
    struct proxies_conf conf = { .n = 0 };
    schema_fill(parent_rows, block, &s->arena, &conf);
    p->name = arena_copy(&s->arena, node_name(block));
    p->n = conf.n;
    for (u8 i = 0; i < conf.n; i++)
        compile_proxy(&conf.proxy[i], p->name, &p->proxy[i], s, r);
    return p;
}

const struct parents *parents_copy(const struct parents *p, struct arena *a)
{
    struct parents *copy = arena_zalloc(a, sizeof *copy);
    *copy = *p;
    copy->name = arena_copy(a, p->name);
    return copy;
}

/* ---- what becomes of attempts ---- */

static void rest(struct parent *p, const struct outcome *how, u32 ms)
{
    atomic_store_explicit(&p->slow,
                          how->fault == FAULT_connect_timeout || how->fault == FAULT_dns_timeout,
                          memory_order_relaxed);
    atomic_store_explicit(&p->rest_ms, ms, memory_order_relaxed);
    atomic_store_explicit(&p->rests_until_ms, how->now_ms + ms, memory_order_relaxed);
}

static u64 rests_until(const struct parent *p)
{
    return atomic_load_explicit(&p->rests_until_ms, memory_order_relaxed);
}

/* Of many that have failed at once the first one counts. */
static void ended(void *object, const struct outcome *how)
{
    struct parent *p = object;
    if (likely(!retry_is_unconnected(how->fault)))
        return;
    atomic_fetch_add_explicit(&p->failures, 1, memory_order_relaxed);
    if (rests_until(p) <= how->now_ms)
        rest(p, how, REST_FIRST_MS);
}

/* Of the one that has tried whether it is back. */
static void trial_ended(void *object, const struct outcome *how)
{
    struct parent *p = object;
    if (!retry_is_unconnected(how->fault))
        return;
    u32 ms = atomic_load_explicit(&p->rest_ms, memory_order_relaxed) * 2;
    atomic_fetch_add_explicit(&p->failures, 1, memory_order_relaxed);
    rest(p, how, ms < REST_MOST_MS ? ms : REST_MOST_MS);
}

static const struct lease_ops lease = { "parent", ended },
                              lease_of_trial = { "parent on trial", trial_ended };

bool parents_address(struct xchg *x)
{
    struct parent *p = (struct parent *)(uintptr_t)x->to.profile->parent;
    atomic_fetch_add_explicit(&p->uses, 1, memory_order_relaxed);
    if (unlikely(rests_until(p)) && !x->via_idle)
        atomic_store_explicit(&p->rests_until_ms, 0, memory_order_relaxed);
    return msg_address_proxy(&x->req, &x->uri);
}

/* ---- the choice ---- */

/* Is it this request's to try whether p is back? Only one is: it puts the rest off for the others.
 */
static bool is_trial(struct parent *p, u64 now)
{
    u64 until = rests_until(p);
    if (until == 0 || until > now)
        return false;
    return atomic_compare_exchange_strong(&p->rests_until_ms, &until,
                                          now + atomic_load(&p->rest_ms));
}

/* The first that has not been tried and does not rest, else the first that refused; none: p->n. */
static u8 pick(const struct parents *p, u8 tried, u64 now, bool *trial)
{
    u8 found = p->n;
    for (u8 i = 0; i < p->n; i++) {
        struct parent *state = p->proxy[i].state;
        if (tried >> i & 1)
            continue;
        *trial = is_trial(state, now);
        if (*trial || rests_until(state) == 0)
            return i;
        if (found == p->n && !atomic_load_explicit(&state->slow, memory_order_relaxed))
            found = i;
    }
    return found;
}

enum verdict parents_choose(struct xchg *x, const struct parents *p, u8 *tried)
{
    bool trial = false;
    if (x->attempts == 0)
        *tried = 0;
    u8 i = pick(p, *tried, worker_ms(x->worker), &trial);
    if (i == p->n) {
        x->fault = FAULT_parent_unavailable;
        return REFUSED;
    }
    const struct proxy *to = &p->proxy[i];
    *tried |= (u8)(1u << i);
    lease_server(x, trial ? &lease_of_trial : &lease, to->state);
    x->to = (struct destination){ .profile = to->profile,
                                  .host = &to->host,
                                  .port = to->port,
                                  .is_parent = true,
                                  .given = &to->host.addr,
                                  .ngiven = to->host.literal };
    return PASS;
}

bool parents_next(const struct xchg *x, const struct parents *p, u8 tried, enum fault why)
{
    return x->to.is_parent && (retry_is_unconnected(why) || tried != (1u << p->n) - 1);
}
