#include "cache/conf.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/must.h"
#include "cache/cache.h"
#include "cache/own_folder.h"

enum { MIB = 1024 * 1024 };

static const char *folder_of(struct arena *a, struct slice cache, const struct word *path)
{
    return slice_is(path->text, "auto") ? own_folder(a, cache) : schema_path(a, path);
}

static void read_path(const struct schema_row *row, const struct node *n, struct arena *a, void *to)
{
    struct cache_conf *c = to;
    (void)row;
    c->path = n ? folder_of(a, c->name, node_arg(n, 0)) : NULL;
    c->own_path = n && slice_is(node_arg(n, 0)->text, "auto");
}

/* ---- range ---- */

enum { SLICE_LEAST = 64 << 10, SLICE_MOST = 64 << 20, SLICE_STEP = 4096 };

static void check_size(const struct word *w, const struct node *cache, struct diags *d)
{
    u64 size, memory = 0;
    if (w->reported)
        return;
    if (!value_size(w->text, &size) || size < SLICE_LEAST || size > SLICE_MOST ||
        size % SLICE_STEP) {
        diag_error(d, w, "%s is no size of slices", word_shown(w));
        diag_more(d, "expected a multiple of 4k, from 64k to 64m");
        return;
    }
    const struct node *n = node_child(cache, "memory");
    if (n && node_nargs(n) && value_size(node_arg(n, 0)->text, &memory) && size > memory / 4) {
        diag_error(d, w, "a slice is larger than a quarter of \"memory\"");
        diag_more(d, "nothing so large is kept");
    }
}

static void check_range(const struct node *n, struct diags *d)
{
    bool slices = slice_is(node_arg(n, 0)->text, "slice");
    if (slices && node_nargs(n) == 2) {
        check_size(node_arg(n, 1), n->parent, d);
    } else if (slices || node_nargs(n) == 2) {
        diag_error(d, node_arg(n, 0),
                   slices ? "\"slice\" needs a size" : "only \"slice\" takes a size");
        diag_more(d, "expected something like: range slice 1m;");
    }
}

static void read_range(const struct schema_row *row, const struct node *n, struct arena *a,
                       void *to)
{
    struct cache_conf *c = to;
    struct slice word = n ? node_arg(n, 0)->text : SLICE("pass");
    (void)row;
    (void)a;
    c->whole_for_range = slice_is(word, "whole");
    if (slice_is(word, "slice"))
        must(value_size(node_arg(n, 1)->text, &c->slice));
}

const struct schema_row cache_rows[] = {
    { .key = "path",
      .type = { TYPE_PATH },
      .read = read_path,
      .doc =
          "A folder of this cache alone. What is kept is there, too, and is found again after a "
          "restart. It is made when it is missing; when it cannot be had, as while another "
          "process has it, the error log says so, and answers are kept in memory alone until it "
          "can. `auto`: one with the cache's name in /var/cache/proxyd for root and the service, "
          "in ~/.cache/proxyd for others, where $XDG_CACHE_HOME says nothing else.",
      .example = "path /var/cache/proxyd/main;" },
    { .key = "size",
      .type = { TYPE_SIZE },
      INTO(struct cache_conf, size),
      .least = SEGLOG_LEAST,
      .most = 1ull << 48,
      .fallback = "1g",
      .doc = "Bytes of the files in `path`. What is asked for again stays, the oldest of the rest "
             "leaves when room is needed.",
      .example = "size 20g;" },
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
      .fallback = "1g",
      .doc = "A larger answer is not kept. Nor is one larger than a quarter of `memory`, or "
             "where there is a disk than half of its `size`.",
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
      .type = { TYPE_CHOICE, TYPE_SIZE },
      .min = 1,
      .max = 2,
      .choices = "pass whole slice",
      .fallback = "pass",
      .read = read_range,
      .check = check_range,
      .doc =
          "A request for a range of what is not kept: `pass`: it goes to the origin as it is, and "
          "nothing is kept. `whole`: the origin is asked for all of it, which is kept, and the "
          "client gets its range as soon as it has come by. What cannot be kept, or does not say "
          "how long it is, is asked for once more, as with `pass`. `slice SIZE`, a multiple of 4k "
          "from 64k to 64m: the origin is asked for the slices of that size that the range lies "
          "in, and of what is wanted whole for one after the other; each is kept by itself, so "
          "that a seek in a large file costs a slice. `max-object` is for what comes whole.",
      .example = "range slice 1m;" },
    { .key = NULL },
};

/* Of two names of one folder, too. */
static bool is_same_folder(const char *a, const char *b)
{
    struct stat one, two;
    if (a == NULL || b == NULL)
        return false;
    size_t an = strlen(a), bn = strlen(b);
    if (stat(a, &one) == 0 && stat(b, &two) == 0)
        return one.st_dev == two.st_dev && one.st_ino == two.st_ino;
    while (an > 1 && a[an - 1] == '/')
        an--;
    while (bn > 1 && b[bn - 1] == '/')
        bn--;
    return slice_eq((struct slice){ a, an }, (struct slice){ b, bn });
}

/* The word of its `path`; NULL: it has none, or that is wrong. */
static const struct word *path_word(const struct node *cache)
{
    const struct node *path = node_child(cache, "path");
    const struct word *w = path && node_nargs(path) ? node_arg(path, 0) : NULL;
    return w && !w->reported ? w : NULL;
}

static u64 size_of(const struct node *cache, const char *key, u64 fallback)
{
    const struct node *n = node_child(cache, key);
    u64 bytes = fallback;
    if (n && node_nargs(n))
        (void)value_size(node_arg(n, 0)->text, &bytes);
    return bytes;
}

/* What is said of `max-object` in vain: where there is less room than that. */
static void check_most(const struct node *n, struct diags *d)
{
    const struct node *most = node_child(n, "max-object");
    bool on_disk = node_child(n, "path") != NULL;
    u64 room = on_disk ? size_of(n, "size", 1024 * MIB) / 2 : size_of(n, "memory", 64 * MIB) / 4;
    if (most == NULL || size_of(n, "max-object", 0) <= room)
        return;
    diag_note(d, node_arg(most, 0), "an answer of more than %llu bytes is not kept all the same",
              (unsigned long long)room);
    diag_more(d, on_disk ? "none may take more than half of \"size\""
                         : "without a \"path\" none may take more than a quarter of \"memory\"");
}

void cache_check(const struct node *n, struct diags *d)
{
    struct arena a;
    const struct word *own = path_word(n);
    const struct node *size = node_child(n, "size");
    if (size && node_child(n, "path") == NULL) {
        diag_error(d, &size->words[0], "\"size\" needs \"path\"");
        diag_more(d, "it is the size on disk; the size in memory is \"memory\"");
    }
    check_most(n, d);
    if (own == NULL)
        return;
    arena_init(&a, 0);
    for (const struct node *o = node_child(n->parent, "cache"); o && o != n; o = node_again(o)) {
        const struct word *w = path_word(o);
        if (!w || !is_same_folder(folder_of(&a, node_name(n), own), folder_of(&a, node_name(o), w)))
            continue;
        diag_error(d, own, "the cache %s has that folder already", word_shown(&o->words[1]));
        diag_more(d, "expected a folder for each cache: its files are no other one's");
    }
    arena_free(&a);
}

static void end_cache(void *entry)
{
    struct cache *c = ((struct cache_entry *)entry)->cache;
    tier_end(&c->tier); /* what it still writes is the memory's */
    memory_end(&c->memory);
    flights_end(&c->flights);
    savers_end(&c->savers);
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
    savers_init(&c->savers);
    tier_init(&c->tier);
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
