#include "list_lint.h"

#include "filters/print.h"
#include "list_load.h"

struct holding {
    const struct list_content *outer;
    bool uncovered;
    u64 entries;
};

static bool has_host(const struct list_content *outer, struct slice name)
{
    struct host_prints prints;
    struct list_hit hit;
    host_prints(&prints, name);
    struct list_query q = { .host = &prints, .name = name };
    return filter_list_ask(outer->list, &q, outer->scratch[0], &hit) == LIST_YES;
}

/* A name that nobody lists for itself stands for all that are below. */
static bool has_below(const struct list_content *outer, struct slice name)
{
    char area[256];
    struct text t = text_in(area, sizeof area);
    text_lit(&t, "0-nobody-lists-this-0.");
    text_add(&t, name);
    return !t.full && t.n <= 253 && has_host(outer, text_slice(&t));
}

/* By one prefix that is no longer: many that make it up do not count. */
static bool has_net(const struct list_content *outer, const struct cidr *net)
{
    char area[ADDR_TEXT];
    struct text t = text_in(area, sizeof area);
    struct list_hit hit;
    addr_text(&t, &net->base);
    struct list_query q = { .name = text_slice(&t), .address = &net->base };
    return filter_list_ask(outer->list, &q, outer->scratch[0], &hit) == LIST_YES &&
           hit.kind == ENTRY_NET && hit.bits <= net->bits;
}

static bool is_covered(const struct list_content *outer, const struct list_entry *e)
{
    if (e->removes || e->effect == EFFECT_EXCEPTED) /* the list has only less by it */
        return true;
    if (e->party != PARTY_ANY || (e->effect != EFFECT_LISTED && e->effect != EFFECT_IMPORTANT))
        return false;
    switch (e->kind) {
    case ENTRY_HOST:
        return (!(e->hosts & HOST_ITSELF) || has_host(outer, e->text)) &&
               (!(e->hosts & HOST_BELOW) || has_below(outer, e->text));
    case ENTRY_NET: return has_net(outer, &e->net);
    default: return false;
    }
}

static const char *hold(void *ctx, const struct list_entry *e)
{
    struct holding *h = ctx;
    h->entries++;
    if (!h->uncovered)
        h->uncovered = !is_covered(h->outer, e);
    return NULL;
}

bool list_is_inside(const struct list_conf *inner, const struct list_content *outer)
{
    struct holding h = { .outer = outer };
    return !filter_list_has_others(outer->list) && list_walk(inner, hold, &h, &h.uncovered) &&
           !h.uncovered && h.entries > 0;
}
