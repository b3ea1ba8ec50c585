#include "cache/object.h"

static struct slice keep(struct text *t, struct slice s)
{
    size_t from = t->n;
    text_add(t, s);
    return (struct slice){ t->p + from, s.n };
}

struct object *object_of(struct budget *b, const struct object_facts *f, struct stored_head *head,
                         struct body *body)
{
    size_t texts = f->vary.n + f->url.n + f->rule.n + f->tags.n;
    size_t size = sizeof(struct object) + texts;
    struct object *o = head && body ? budget_take(b, size) : NULL;
    if (o == NULL) {
        stored_head_free(b, head);
        return NULL;
    }
    *o = (struct object){ .holders = 1,
                          .budget = b,
                          .key = f->key,
                          .variant = f->variant,
                          .fresh = f->fresh,
                          .server = f->server,
                          .by_parent = f->by_parent,
                          .head = head,
                          .body = body,
                          .size = (u32)size };
    struct text t = text_in((char *)(o + 1), texts);
    o->vary = keep(&t, f->vary);
    o->url = keep(&t, f->url);
    o->rule = keep(&t, f->rule);
    o->tags = keep(&t, f->tags);
    list_init(&o->queue);
    body_hold(body);
    return o;
}

struct object *object_new(struct budget *b, const struct object_facts *f, const struct msg *m,
                          struct body *body)
{
    return object_of(b, f, body ? stored_head_make(b, m) : NULL, body);
}

void object_put(struct object **at)
{
    struct object *o = *at;
    *at = NULL;
    if (o == NULL || atomic_fetch_sub(&o->holders, 1) != 1)
        return;
    body_put(o->body);
    stored_head_free(o->budget, o->head);
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
    return o->size + o->head->size + sizeof(struct body) + body_in_memory(o->body) +
           sizeof(struct chunk) + 4ull * MALLOC_HEAD;
}
