#include "cache/object.h"

struct object *object_new(struct budget *b, const struct object_facts *f, const struct msg *m,
                          struct body *body)
{
    size_t size = sizeof(struct object) + f->vary.n + f->url.n + f->rule.n;
    struct stored_head *head = body ? stored_head_make(b, m) : NULL;
    struct object *o = head ? budget_take(b, size) : NULL;
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
    struct text t = text_in((char *)(o + 1), f->vary.n + f->url.n + f->rule.n);
    text_add(&t, f->vary);
    text_add(&t, f->url);
    text_add(&t, f->rule);
    o->vary = (struct slice){ t.p, f->vary.n };
    o->url = (struct slice){ t.p + f->vary.n, f->url.n };
    o->rule = (struct slice){ o->url.p + f->url.n, f->rule.n };
    list_init(&o->queue);
    body_hold(body);
    return o;
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

u64 object_cost(struct object *o)
{
    return o->size + o->head->size + sizeof(struct body) + body_have(o->body) +
           sizeof(struct chunk) + 4ull * MALLOC_HEAD;
}
