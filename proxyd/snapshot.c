#include "snapshot.h"

#include "base/must.h"
#include "engine_conf.h"
#include "forward/conf.h"
#include "forward/role.h"
#include "reverse/role.h"
#include "reverse/where.h"

static const void *forward_part(const struct node *n, struct arena *a)
{
    return forward_conf_read(n, a);
}

static const void *reverse_part(const struct node *n, struct arena *a)
{
    return reverse_conf_read(n, a);
}

static const struct direction {
    const struct role *role;
    const void *(*read)(const struct node *listener, struct arena *a);
} directions[] = {
    { &forward_role, forward_part },
    { &reverse_role, reverse_part },
};

static const struct direction *direction_of(struct slice mode)
{
    for (unsigned i = 0; i < countof(directions); i++)
        if (slice_is(mode, directions[i].role->name))
            return &directions[i];
    return NULL;
}

static void add_listener(struct snapshot *s, const struct listener_conf *c)
{
    const struct direction *d = direction_of(c->mode);
    must(d != NULL); /* the schema knows the same words */
    const void *part = d->read(c->node, &s->arena);
    for (u32 i = 0; i < c->nbinds; i++)
        s->listeners[s->nlisteners++] = (struct listener){
            .name = c->name,
            .bound = c->binds[i].addr,
            .both_families = c->binds[i].both_families,
            .text = c->binds[i].text,
            .role = d->role,
            .part = part,
        };
}

void snapshot_make(struct snapshot *s, const struct tree *t)
{
    u32 n = 0;
    memset(s, 0, sizeof *s);
    arena_init(&s->arena, 64 * 1024);
    conf_read(t, &s->arena, &s->conf);
    for (u32 i = 0; i < s->conf.nlisteners; i++)
        n += s->conf.listeners[i].nbinds;
    s->listeners = arena_zalloc(&s->arena, n * sizeof *s->listeners);
    for (u32 i = 0; i < s->conf.nlisteners; i++)
        add_listener(s, &s->conf.listeners[i]);
    s->admin = admin_conf_read(&t->root);
}

void snapshot_free(struct snapshot *s)
{
    arena_free(&s->arena);
}
