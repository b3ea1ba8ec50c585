/*
 * What is noted of a response that is kept, beside its head and body: its names, where it came
 * from, which variant it is, its tags; and what of its head is not kept. In notes.h.
 */
#include "cache/notes.h"
#include "cache/tags.h"

void copy_name(const struct xchg *x, struct object_facts *f)
{
    const struct notes *n = notes_of(x);
    f->key = n->key;
    f->url = (struct slice){ NULL, 0 };
    f->name = url_of(n);
    note_departure(n, f);
    f->server = x->server;
    f->by_parent = x->to.is_parent;
}

bool copy_strip(const struct xchg *x, struct msg *m, const struct object_facts *f)
{
    freshness_strip(m, &f->fresh);
    if (notes_of(x)->use->origin_side)
        tags_strip(m);
    msg_remove(m, TOKEN_SET_COOKIE); /* where a rule has it kept: it is for its own client alone */
    return freshness_dated(m, &f->fresh);
}

/* Fields that are made here for the origin: what a client says in them is not what it was told. */
static bool names_own(struct slice names)
{
    struct slice name;
    while (list_next(&names, &name))
        if (slice_starts(name, SLICE("x-forwarded-")))
            return true;
    return false;
}

enum kept copy_vary(struct xchg *x, const struct msg *response, struct object_facts *f)
{
    f->vary = SLICE("");
    f->variant = 0;
    if (!msg_has(response, TOKEN_VARY))
        return KEPT_YES;
    char *area = arena_try(&x->arena, VARY_TEXT);
    if (area == NULL)
        return KEPT_NO_ROOM;
    struct text t = text_in(area, VARY_TEXT);
    switch (vary_names(response, &t)) {
    case VARY_NONE: break;
    case VARY_SOME:
        f->vary = text_slice(&t);
        f->variant = vary_key(&notes_of(x)->use->cache->memory.secret, f->vary, &x->req);
        break;
    case VARY_STAR: return KEPT_VARY_STAR;
    case VARY_TOO_MUCH: return KEPT_VARY_MANY;
    }
    if (notes_of(x)->use->origin_side && names_own(f->vary))
        return KEPT_VARY_STAR;
    return KEPT_YES;
}

bool copy_tags(struct xchg *x, const struct msg *response, struct object_facts *f)
{
    f->tags = SLICE("");
    if (!msg_has(response, TOKEN_SURROGATE_KEY) && !msg_has(response, TOKEN_CACHE_TAG))
        return true;
    struct text t = text_in(arena_try(&x->arena, TAGS_TEXT), TAGS_TEXT);
    if (t.p == NULL || !tags_read(response, &t))
        return false;
    f->tags = text_slice(&t);
    return true;
}
