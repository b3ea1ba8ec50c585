#include "cache/conf.h"

#include <stdlib.h>

#include "base/must.h"
#include "cache/cache.h"

enum { MIB = 1024 * 1024 };

const struct schema_row cache_rows[] = {
    { .key = "memory",
      .type = { TYPE_SIZE },
      INTO(struct cache_conf, memory),
      .least = MIB,
      .most = 1ull << 44,
      .fallback = "64m",
      .doc =
          "Bytes that are kept, with all that is needed to find them. What is asked for again and "
          "again stays, the rest leaves when room is needed. `limits memory` does not count it.",
      .example = "memory 512m;" },
    { .key = "max-object",
      .type = { TYPE_SIZE },
      INTO(struct cache_conf, max_object),
      .least = 1024,
      .most = 1ull << 40,
      .fallback = "16m",
      .doc = "A larger answer is not kept. Nor is one larger than a quarter of `memory`.",
      .example = "max-object 4m;" },
    { .key = "min-uses",
      .type = { TYPE_COUNT },
      INTO(struct cache_conf, min_uses),
      .least = 1,
      .most = 100,
      .fallback = "1",
      .doc = "An answer is kept when it is asked for so many times within an hour.",
      .example = "min-uses 2;" },
    { .key = "range",
      .type = { TYPE_CHOICE },
      .choices = "pass whole",
      INTO(struct cache_conf, range),
      .fallback = "pass",
      .doc = "A request for a range of what is not kept: `pass`: it goes to the origin as it is, "
             "and nothing is kept. `whole`: the origin is asked for all of it, which is kept, and "
             "the client gets its range as soon as it has come by. What cannot be kept, or does "
             "not say how long it is, is asked for once more, as with `pass`.",
      .example = "range whole;" },
    { .key = NULL },
};

static void end_cache(void *entry)
{
    struct cache *c = ((struct cache_entry *)entry)->cache;
    memory_end(&c->memory);
    flights_end(&c->flights);
    free(c);
}

static void init_cache(void *entry, u32 number)
{
    struct cache *c = aligned_alloc(CACHE_LINE, sizeof *c);
    (void)number;
    must(c != NULL);
    memset(c, 0, sizeof *c);
    memory_init(&c->memory, 0);
    flights_init(&c->flights);
    ((struct cache_entry *)entry)->cache = c;
}

const struct registry_kind caches = {
    .name = "cache", .size = sizeof(struct cache_entry), .init = init_cache, .end = end_cache
};

static struct cache_use use_of(const struct cache_conf *c, struct cache *cache, bool origin_side)
{
    return (struct cache_use){
        .store = cache_store, .cache = cache, .conf = *c, .origin_side = origin_side
    };
}

void caches_compile(const struct tree *t, struct snapshot *s, struct registry *r)
{
    u32 n = 0;
    for (const struct node *b = node_child(&t->root, "cache"); b; b = node_again(b))
        n++;
    s->stores = n ? arena_zalloc(&s->arena, n * sizeof *s->stores) : NULL;
    for (const struct node *b = node_child(&t->root, "cache"); b; b = node_again(b)) {
        struct cache_conf c = { .name = arena_copy(&s->arena, node_name(b)) };
        struct cache_use *use = arena_zalloc(&s->arena, 2 * sizeof *use);
        schema_fill(cache_rows, b, &s->arena, &c);
        const struct cache_entry *entry = registry_get(r, s, &caches, c.name);
        use[0] = use_of(&c, entry->cache, false);
        use[1] = use_of(&c, entry->cache, true);
        s->stores[s->nstores++] = (struct named_store){ .name = c.name,
                                                        .store = &use[0].store,
                                                        .of_origin = &use[1].store };
    }
}
