/*
 * How entries become a list: each into the layer of its rank and of whose request it is, what it
 * does beside blocking into the table by place. The hard thing is memory that is refused on the
 * way: a list without some of its entries is another list, so one refusal fails the whole of it.
 */
#include <stdlib.h>

#include "base/must.h"
#include "filters/filter_list_inside.h"

struct layer_builder {
    struct hostlist_builder hosts;
    struct netlist_builder nets, clients;
    struct urllist_builder urls;
    struct literalset texts;
    struct regexset_builder *regexes;
};

struct filter_builder {
    struct sources sources;
    u32 first; /* the place of line 1 of the file being read */
    bool failed;
    struct layer_builder *layer[LAYERS];
    struct odd *odd;
    size_t nodd, odd_room;
    char why[REGEX_WHY];
};

struct filter_builder *filter_builder_new(void)
{
    struct filter_builder *b = calloc(1, sizeof *b);
    if (b)
        sources_init(&b->sources);
    return b;
}

static void drop_layer(struct layer_builder *b)
{
    hostlist_drop(&b->hosts);
    netlist_drop(&b->nets);
    netlist_drop(&b->clients);
    urllist_drop(&b->urls);
    literalset_free(&b->texts);
    regexset_drop(&b->regexes);
    free(b);
}

void filter_builder_free(struct filter_builder *b)
{
    for (unsigned i = 0; b && i < LAYERS; i++)
        if (b->layer[i])
            drop_layer(b->layer[i]);
    if (b) {
        sources_free(&b->sources);
        free(b->odd);
    }
    free(b);
}

void filter_builder_begin(struct filter_builder *b, struct slice file, struct slice category)
{
    b->first = sources_begin(&b->sources, file, category);
}

void filter_builder_end(struct filter_builder *b, u32 lines)
{
    sources_end(&b->sources, lines);
}

static enum rank rank_of(enum list_effect effect)
{
    return effect == EFFECT_IMPORTANT  ? RANK_IMPORTANT
           : effect == EFFECT_EXCEPTED ? RANK_EXCEPTED
                                       : RANK_LISTED;
}

static bool keep_odd(struct filter_builder *b, const struct list_entry *e, u32 place)
{
    if (rank_of(e->effect) != RANK_LISTED || e->effect == EFFECT_LISTED)
        return true;
    if (b->nodd && b->odd[b->nodd - 1].place == place)
        return true; /* one line, one effect */
    if (b->nodd == b->odd_room) {
        size_t room = 2 * b->odd_room + 16;
        struct odd *p = realloc(b->odd, room * sizeof *p);
        if (p == NULL)
            return false;
        b->odd = p;
        b->odd_room = room;
    }
    b->odd[b->nodd++] = (struct odd){ place, e->effect, arena_copy(&b->sources.arena, e->page) };
    return true;
}

static struct slice host_of(struct slice url)
{
    const char *slash = slice_find(url, '/');
    return slash ? slice_range(url.p, slash) : url;
}

static bool add(struct layer_builder *to, const struct list_entry *e, u32 place)
{
    struct slice host = host_of(e->text);
    switch (e->kind) {
    case ENTRY_HOST: return hostlist_add(&to->hosts, e->hosts, e->text, place, e->removes);
    case ENTRY_NET: return netlist_add(&to->nets, &e->net, place, e->removes);
    case ENTRY_CLIENT: return netlist_add(&to->clients, &e->net, place, e->removes);
    case ENTRY_URL:
        return urllist_add(&to->urls, host, slice_skip(e->text, host.n), place, e->removes);
    case ENTRY_TEXT: return literalset_add(&to->texts, e->text, e->caseless, place, e->removes);
    case ENTRY_REGEX: break;
    }
    return false;
}

const char *filter_builder_take(void *ctx, const struct list_entry *e)
{
    struct filter_builder *b = ctx;
    struct layer_builder **layer = &b->layer[rank_of(e->effect) * PARTIES + e->party];
    u32 place = source_place(b->first, e->line);
    must(b->sources.n > 0);
    if (place == 0)
        return "beyond the last line that can be told";
    if (*layer == NULL)
        *layer = calloc(1, sizeof **layer);
    if (*layer && e->kind == ENTRY_REGEX) {
        struct regex_flags flags = { e->caseless, true, e->removes };
        if (!regexset_add(&(*layer)->regexes, e->text, flags, place, b->why))
            return b->why;
    } else if (*layer == NULL || !add(*layer, e, place)) {
        b->failed = true;
        return "no memory";
    }
    if (!keep_odd(b, e, place))
        b->failed = true;
    return NULL;
}

/* The sets of one layer; the builders are empty then. NULL: no memory. */
static struct layer *build_layer(struct layer_builder *b, const struct sources *s)
{
    struct layer *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    bool ok = hostlist_build(&l->hosts, &b->hosts, s);
    ok = netlist_build(&l->nets, &b->nets, s) && ok;
    ok = netlist_build(&l->clients, &b->clients, s) && ok;
    ok = urllist_build(&l->urls, &b->urls, s) && ok;
    l->texts = b->texts;
    b->texts = (struct literalset){ 0 };
    ok = literalset_build(&l->texts) && ok;
    if (b->regexes)
        ok = (l->regexes = regexset_build(&b->regexes)) != NULL && ok;
    if (!ok)
        filter_layer_free(l);
    return ok ? l : NULL;
}

struct filter_list *filter_list_build(struct filter_builder *b)
{
    struct filter_list *l = b->failed ? NULL : calloc(1, sizeof *l);
    bool ok = l != NULL;
    for (unsigned i = 0; ok && i < LAYERS; i++)
        if (b->layer[i])
            ok = (l->layer[i] = build_layer(b->layer[i], &b->sources)) != NULL;
    if (ok) {
        l->sources = b->sources;
        l->odd = b->odd;
        l->nodd = b->nodd;
        sources_init(&b->sources);
        b->odd = NULL;
    } else {
        filter_list_free(l);
        l = NULL;
    }
    filter_builder_free(b);
    return l;
}
