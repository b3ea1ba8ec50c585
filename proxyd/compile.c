#include "compile.h"

#include <stdlib.h>

#include "base/must.h"
#include "cache/conf.h"
#include "core/common/listen_counts.h"
#include "core/common/self_addrs.h"
#include "lists.h"
#include "modes.h"
#include "schema_root.h"

static void number_slot(void *entry, u32 number)
{
    struct listen_addr *at = entry;
    at->slot = number;
}

static void free_counts(void *entry)
{
    free(((struct listen_addr *)entry)->counts);
}

static const struct registry_kind addresses = { .name = "address",
                                                .size = sizeof(struct listen_addr),
                                                .kept = true, /* connections point to it */
                                                .init = number_slot,
                                                .end = free_counts };

/* One for each address, whoever listens there and however it is written. */
static const struct listen_addr *address(const struct bind_conf *b, bool transparent,
                                         struct snapshot *s, struct registry *r)
{
    char area[ADDR_TEXT + 2];
    struct text name = text_in(area, sizeof area);
    addr_text_port(&name, &b->addr);
    if (b->both_families)
        text_char(&name, '*');
    if (transparent)
        text_char(&name, '~');
    struct listen_addr *at = registry_get(r, s, &addresses, text_slice(&name));
    if (at->addr.family == 0) { /* new: nobody else has seen it */
        at->addr = b->addr;
        at->both_families = b->both_families;
        at->transparent = transparent;
        at->counts = listen_counts_new(s->nworkers);
    }
    return at;
}

/* A direction whose routes name stores says for each exchange which one. */
static const struct store *store_of(const struct listener_conf *c, const struct mode *mode,
                                    const struct snapshot *s)
{
    if (mode->role->store)
        return s->nstores ? s->stores[0].of_origin : NULL;
    const struct named_store *found = c->cache.n ? snapshot_store(s, c->cache) : NULL;
    return found ? found->store : NULL;
}

static void add_listener(struct snapshot *s, const struct listener_conf *c, struct registry *r)
{
    const struct mode *mode = mode_find(c->mode);
    must(mode != NULL); /* the schema knows the same words */
    const void *part = mode->compile(c->node, c->pac, s, r);
    for (u32 i = 0; i < c->nbinds; i++)
        s->listeners[s->nlisteners++] = (struct listener){
            .name = c->name,
            .at = address(&c->binds[i], c->divert == DIVERT_TPROXY, s, r),
            .text = c->binds[i].text,
            .role = mode->role,
            .via = c->via,
            .via_off = c->via_off,
            .fronts = c->fronts,
            .nfronts = c->nfronts,
            .from_client = c->source,
            .part = part,
            .store = store_of(c, mode, s),
        };
}

static void note_own_addresses(struct snapshot *s, const struct admin_conf *admin)
{
    for (u32 i = 0; i < s->nlisteners; i++)
        self_addrs_add(s->self_addrs, &s->listeners[i].at->addr, s->listeners[i].at->both_families);
    if (admin->on)
        self_addrs_add(s->self_addrs, &admin->bind, admin->both_families);
}

struct snapshot *snapshot_compile(const struct tree *t, struct registry *r, u32 nworkers)
{
    struct snapshot *s = snapshot_new(nworkers);
    struct root_conf c = root_read(t, &s->arena);
    u32 addresses_n = 0;
    s->conf = c.engine;
    for (u32 i = 0; i < c.nlisteners; i++)
        addresses_n += c.listeners[i].nbinds;
    s->listeners = arena_zalloc(&s->arena, addresses_n * sizeof *s->listeners);
    lists_compile(t, c.state, s, r);
    caches_compile(t, s, r);
    for (u32 i = 0; i < c.nlisteners; i++)
        add_listener(s, &c.listeners[i], r);
    snapshot_index(s);
    note_own_addresses(s, &c.admin);
    return s;
}
