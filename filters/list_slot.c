#include "filters/list_slot.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    const struct list_category *x = a, *y = b;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int c = n ? memcmp(x->name.p, y->name.p, n) : 0;
    return c ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

/* A category has one to three files, of which it is found as often. */
static void index_categories(struct list_content *c)
{
    const struct sources *s = filter_list_sources(c->list);
    u32 n = 0;
    c->category = arena_alloc(&c->arena, (s->n ? s->n : 1) * sizeof *c->category);
    for (u32 i = 0; i < s->n; i++)
        if (s->file[i].category.n)
            c->category[c->categories++].name = s->file[i].category;
    qsort(c->category, c->categories, sizeof *c->category, by_name);
    for (u32 i = 0; i < c->categories; i++)
        if (n == 0 || !slice_eq(c->category[n - 1].name, c->category[i].name))
            c->category[n++].name = c->category[i].name;
    c->categories = n;
    for (u32 i = 0; i < n; i++)
        (void)places_of_category(&c->category[i].places, &c->arena, s, c->category[i].name);
}

static bool make_scratches(struct list_content *c)
{
    for (u32 r = 0; r < c->readers; r++)
        if ((c->scratch[r] = regex_scratch_new()) == NULL ||
            !filter_list_fit(c->list, c->scratch[r]))
            return false;
    return true;
}

struct list_content *list_content_new(struct filter_list *l, u32 readers)
{
    struct list_content *c = calloc(1, sizeof *c + readers * sizeof *c->scratch);
    if (c == NULL) {
        filter_list_free(l);
        return NULL;
    }
    struct list_sizes s = filter_list_sizes(l);
    c->list = l;
    c->readers = readers;
    c->has_nets = filter_list_has_nets(l);
    c->has_urls = filter_list_has_urls(l);
    c->entries = s.hosts + s.nets + s.clients + s.urls + s.texts + s.regexes;
    c->bytes = s.bytes;
    arena_init(&c->arena, 0);
    if (s.regexes && !make_scratches(c)) {
        list_content_free(c);
        return NULL;
    }
    index_categories(c);
    return c;
}

void list_content_free(struct list_content *c)
{
    if (c == NULL)
        return;
    for (u32 r = 0; r < c->readers; r++)
        regex_scratch_free(c->scratch[r]);
    filter_list_free(c->list);
    arena_free(&c->arena);
    free(c);
}

const struct places *list_category(const struct list_content *c, struct slice name)
{
    struct list_category key = { .name = name };
    const struct list_category *found =
        bsearch(&key, c->category, c->categories, sizeof *c->category, by_name);
    return found ? &found->places : NULL;
}
