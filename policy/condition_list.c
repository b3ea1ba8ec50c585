/*
 * Asks a list about a request. The hard thing is what is not known: a name may be in the list by
 * its addresses, which only a look-up tells, and an entry about a URL sees of a tunnel only
 * https://HOST/. And an address that carries another one may lead there or not.
 */
#include "policy/condition_list.h"

/* The URL and its path in the form under trial. False: there is none. */
static bool show_url(struct evaluation *e, struct list_query *q)
{
    if (!evaluation_urls(e))
        return false;
    if (!e->urls_equal)
        e->form_matters = true;
    q->url = e->url[e->form];
    if (e->q->path.p)
        q->path = slice_range(e->path[e->form].p, q->url.p + q->url.n);
    return true;
}

static void note(struct evaluation *e, const struct list_use *u, const struct list_content *c,
                 const struct list_hit *hit)
{
    struct source_where at = sources_where(filter_list_sources(c->list), hit->place);
    e->listed = (struct policy_listed){ u->slot->name, at.category, at.file, at.line };
    e->matched = hit->matched;
}

static enum match ask(const struct list_use *u, struct evaluation *e, const struct list_content *c,
                      const struct addr *address)
{
    struct list_hit hit;
    struct list_query q = {
        .host = e->q->host->literal ? NULL : evaluation_prints(e),
        .name = { e->q->host->name, e->q->host->len },
        .address = address,
        .client = &e->q->client,
        .path = SLICE(""),
        .party =
            PARTY_ANY, /* what says so is the client's to choose: it would open and shut rules */
        .in = u->category.p ? list_category(c, u->category) : NULL,
    };
    if (u->category.p && q.in == NULL)
        return MATCH_NO;
    bool safe = !c->has_urls || show_url(e, &q);
    enum list_answer a = filter_list_ask(c->list, &q, c->scratch[e->q->reader], &hit);
    e->exhausted |= a == LIST_EXHAUSTED;
    if (a == LIST_EXHAUSTED)
        return MATCH_UNSAFE;
    if (a == LIST_YES && hit.effect != EFFECT_PASS) {
        note(e, u, c, &hit);
        return MATCH_YES;
    }
    return safe ? MATCH_NO : MATCH_UNSAFE;
}

/* As `to` of a network is judged (condition_where.c). */
static enum match ask_carried(const struct list_use *u, struct evaluation *e,
                              const struct list_content *c)
{
    struct addr inside[2];
    for (unsigned n = addr_carried(e->address, inside); n > 0; n--)
        if (ask(u, e, c, &inside[n - 1]) != MATCH_NO)
            return MATCH_UNSAFE;
    return MATCH_NO;
}

enum match list_use_holds(const struct list_use *u, struct evaluation *e)
{
    const struct list_content *c = u->slot ? u->slot->of[e->q->reader] : NULL;
    if (c == NULL)
        return u->slot && u->slot->optional ? MATCH_NO : MATCH_UNKNOWN;
    enum match m = ask(u, e, c, e->address);
    if (!c->has_nets)
        return m;
    if (e->address)
        e->address_used = true;
    if (m == MATCH_NO && e->address && e->address->family == AF_INET6)
        return ask_carried(u, e, c);
    if (m != MATCH_NO || e->address)
        return m;
    return e->q->address_unknown ? MATCH_UNKNOWN : MATCH_PENDING;
}
