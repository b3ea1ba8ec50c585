#include "cache/object.h"

static struct slice keep(struct text *t, struct slice s)
{
    size_t from = t->n;
    text_add(t, s);
    return (struct slice){ t->p + from, s.n };
}

/* At least as long as what write_url writes. */
static size_t url_room(const struct object_facts *f)
{
    const struct cache_url *u = &f->name;
    return f->url.p ? f->url.n : u->scheme.n + u->host.n + u->path.n + CACHE_URL_MORE;
}

static struct slice write_url(struct text *t, const struct object_facts *f)
{
    size_t from = t->n;
    if (f->url.p)
        return keep(t, f->url);
    cache_url_write(t, &f->name);
    return (struct slice){ t->p + from, t->n - from };
}

struct object *object_of(struct budget *b, const struct object_facts *f,
                         const struct head_plan *head, struct body *body)
{
    size_t texts = f->vary.n + url_room(f) + f->rule.n + f->tags.n;
    size_t size = sizeof(struct object) + head->size + texts;
    struct object *o = body ? budget_take(b, size) : NULL;
    if (o == NULL)
        return NULL;
    *o = (struct object){ .holders = 1,
                          .budget = b,
                          .key = f->key,
                          .variant = f->variant,
                          .fresh = f->fresh,
                          .server = f->server,
                          .by_parent = f->by_parent,
                          .head = (struct stored_head *)(void *)(o + 1),
                          .body = body,
                          .size = (u32)size };
    stored_head_make(o->head, head);
    struct text t = text_in((char *)(o + 1) + head->size, texts);
    o->vary = keep(&t, f->vary);
    o->url = write_url(&t, f);
    o->rule = keep(&t, f->rule);
    o->tags = keep(&t, f->tags);
    list_init(&o->queue);
    body_hold(body);
    return o;
}

struct object *object_new(struct budget *b, const struct object_facts *f, const struct msg *m,
                          struct body *body)
{
    struct head_plan head = head_plan(m);
    return object_of(b, f, &head, body);
}

void object_put(struct object **at)
{
    struct object *o = *at;
    *at = NULL;
    if (o == NULL || atomic_fetch_sub(&o->holders, 1) != 1)
        return;
    body_put(o->body);
    budget_give(o->budget, o, o->size);
}

bool object_make_stale(struct object *o, u64 now_s)
{
    u64 never = 0;
    return atomic_compare_exchange_strong(&o->stale_s, &never, now_s);
}

const struct freshness *object_fresh(const struct object *o, struct freshness *area)
{
    u64 stale_s = atomic_load_explicit(&o->stale_s, memory_order_acquire);
    if (likely(stale_s == 0))
        return &o->fresh;
    u32 age = freshness_age(&o->fresh, stale_s);
    *area = o->fresh;
    area->lifetime = age < area->lifetime ? age : area->lifetime;
    return area;
}

u64 object_cost(struct object *o)
{
    return o->size + MALLOC_HEAD + body_cost(o->body);
}
