#include "compile.h"

#include "admin/conf.h"
#include "base/must.h"
#include "core/self_addrs.h"
#include "engine_conf.h"
#include "modes.h"

static void number_slot(void *entry, u32 number)
{
    struct listen_addr *at = entry;
    at->slot = number;
}

static const struct registry_kind addresses = { .name = "address",
                                                .size = sizeof(struct listen_addr),
                                                .kept = true, /* connections point to it */
                                                .init = number_slot };

/* One for each address, whoever listens there and however it is written. */
static const struct listen_addr *address(const struct bind_conf *b, struct snapshot *s,
                                         struct registry *r)
{
    char area[ADDR_TEXT + 1];
    struct text name = text_in(area, sizeof area);
    addr_text_port(&name, &b->addr);
    if (b->both_families)
        text_char(&name, '*');
    struct listen_addr *at = registry_get(r, s, &addresses, text_slice(&name));
    at->addr = b->addr;
    at->both_families = b->both_families;
    return at;
}

static void add_listener(struct snapshot *s, const struct listener_conf *c, struct registry *r)
{
    const struct mode *mode = mode_find(c->mode);
    must(mode != NULL); /* the schema knows the same words */
    const void *part = mode->compile(c->node, s, r);
    struct slice name = arena_copy(&s->arena, c->name), via = arena_copy(&s->arena, c->via);
    for (u32 i = 0; i < c->nbinds; i++)
        s->listeners[s->nlisteners++] = (struct listener){
            .name = name,
            .at = address(&c->binds[i], s, r),
            .text = arena_copy(&s->arena, c->binds[i].text),
            .role = mode->role,
            .via = via,
            .via_off = c->via_off,
            .part = part,
        };
}

static void note_own_addresses(struct snapshot *s, const struct tree *t)
{
    struct admin_conf admin = admin_conf_read(&t->root);
    for (u32 i = 0; i < s->nlisteners; i++)
        self_addrs_add(s->self_addrs, &s->listeners[i].at->addr, s->listeners[i].at->both_families);
    if (admin.on)
        self_addrs_add(s->self_addrs, &admin.bind, admin.both_families);
}

struct snapshot *snapshot_compile(const struct tree *t, struct registry *r, u32 nworkers)
{
    struct snapshot *s = snapshot_new(nworkers);
    struct arena a; /* what is read here from the tree and needed no longer */
    struct listener_conf *listeners;
    arena_init(&a, 0);
    conf_read(t, &s->arena, &s->conf);
    u32 n = listeners_read(t, &a, &listeners), addresses_n = 0;
    for (u32 i = 0; i < n; i++)
        addresses_n += listeners[i].nbinds;
    s->listeners = arena_zalloc(&s->arena, addresses_n * sizeof *s->listeners);
    for (u32 i = 0; i < n; i++)
        add_listener(s, &listeners[i], r);
    snapshot_index(s);
    note_own_addresses(s, t);
    arena_free(&a);
    return s;
}
