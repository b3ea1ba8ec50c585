/*
 * Sets by rank and by whose request it is: at most nine layers, of which a usual list has one. What
 * RPZ does beside blocking is kept by place in a short table of its own.
 */
#include "filters/filter_list_inside.h"

#include <stdlib.h>

void filter_layer_free(struct layer *l)
{
    hostlist_free(&l->hosts);
    netlist_free(&l->nets);
    netlist_free(&l->clients);
    urllist_free(&l->urls);
    literalset_free(&l->texts);
    regexset_free(l->regexes);
    free(l);
}

void filter_list_free(struct filter_list *l)
{
    for (unsigned i = 0; l && i < LAYERS; i++)
        if (l->layer[i])
            filter_layer_free(l->layer[i]);
    if (l) {
        sources_free(&l->sources);
        free(l->odd);
    }
    free(l);
}

/* ---- what it has ---- */

struct list_sizes filter_list_sizes(const struct filter_list *l)
{
    struct list_sizes s = { .bytes = sizeof *l + l->sources.arena.total +
                                     l->sources.room * sizeof *l->sources.file +
                                     l->nodd * sizeof *l->odd };
    for (unsigned i = 0; i < LAYERS; i++) {
        const struct layer *one = l->layer[i];
        if (one == NULL)
            continue;
        s.hosts += hostlist_entries(&one->hosts);
        s.nets += netlist_entries(&one->nets);
        s.clients += netlist_entries(&one->clients);
        s.urls += urllist_entries(&one->urls);
        s.texts += one->texts.n;
        s.regexes += regexset_entries(one->regexes);
        s.unaided += regexset_unaided(one->regexes);
        s.bytes += sizeof *one + hostlist_bytes(&one->hosts) + netlist_bytes(&one->nets) +
                   netlist_bytes(&one->clients) + urllist_bytes(&one->urls) +
                   literalset_bytes(&one->texts) + regexset_bytes(one->regexes);
    }
    return s;
}

const struct sources *filter_list_sources(const struct filter_list *l)
{
    return &l->sources;
}

bool filter_list_has_nets(const struct filter_list *l)
{
    for (unsigned i = 0; i < LAYERS; i++)
        if (l->layer[i] && netlist_entries(&l->layer[i]->nets))
            return true;
    return false;
}

bool filter_list_has_urls(const struct filter_list *l)
{
    for (unsigned i = 0; i < LAYERS; i++)
        if (l->layer[i] && (urllist_entries(&l->layer[i]->urls) || l->layer[i]->texts.n ||
                            regexset_entries(l->layer[i]->regexes)))
            return true;
    return false;
}

bool filter_list_has_others(const struct filter_list *l)
{
    for (unsigned i = 0; i < PARTIES; i++)
        if (l->layer[RANK_EXCEPTED * PARTIES + i])
            return true;
    return l->nodd > 0;
}

bool filter_list_fit(const struct filter_list *l, struct regex_scratch *r)
{
    for (unsigned i = 0; i < LAYERS; i++)
        if (l->layer[i] && l->layer[i]->regexes && !regex_scratch_fit(r, l->layer[i]->regexes))
            return false;
    return true;
}

/* ---- asking ---- */

/* The last so many labels of the name. */
static struct slice last_labels(struct slice name, unsigned labels)
{
    size_t at = name.n;
    while (at > 0 && (name.p[at - 1] != '.' || --labels > 0))
        at--;
    return slice_skip(name, at);
}

static bool ask_plain(const struct layer *l, const struct list_query *q, struct list_hit *hit)
{
    struct netlist_hit net;
    struct hostlist_hit host;
    struct urllist_hit url;
    struct literalset_hit text;
    if (q->client && netlist_find(&l->clients, q->client, q->in, &net))
        *hit = (struct list_hit){ .kind = ENTRY_CLIENT, .place = net.place, .bits = net.bits };
    else if (q->host && hostlist_find(&l->hosts, q->host, q->in, &host))
        *hit = (struct list_hit){ .kind = ENTRY_HOST,
                                  .place = host.place,
                                  .matched = last_labels(q->name, host.labels) };
    else if (q->address && netlist_find(&l->nets, q->address, q->in, &net))
        *hit = (struct list_hit){ .kind = ENTRY_NET, .place = net.place, .bits = net.bits };
    else if (urllist_find(&l->urls, q->name, q->path, q->in, &url))
        *hit = (struct list_hit){ .kind = ENTRY_URL,
                                  .place = url.place,
                                  .matched = { q->path.p, url.length } };
    else if (q->url.n && literalset_find(&l->texts, q->url, q->in, &text))
        *hit = (struct list_hit){ .kind = ENTRY_TEXT,
                                  .place = text.place,
                                  .matched = { q->url.p + text.at, text.length } };
    else
        return false;
    return true;
}

static enum list_answer ask_layer(const struct layer *l, const struct list_query *q,
                                  struct regex_scratch *r, struct list_hit *hit)
{
    struct regexset_hit regex;
    if (ask_plain(l, q, hit))
        return LIST_YES;
    if (q->url.n == 0)
        return LIST_NO;
    enum regex_answer answer = regexset_find(l->regexes, r, q->url, q->in, &regex);
    if (answer == REGEX_NO)
        return LIST_NO;
    *hit = (struct list_hit){ .kind = ENTRY_REGEX, .place = regex.place, .pattern = regex.pattern };
    if (answer == REGEX_YES)
        hit->matched = (struct slice){ q->url.p + regex.from, regex.to - regex.from };
    return answer == REGEX_YES ? LIST_YES : LIST_EXHAUSTED;
}

/* Of those for anybody and those for this party. */
static enum list_answer ask_rank(const struct filter_list *l, enum rank rank,
                                 const struct list_query *q, struct regex_scratch *r,
                                 struct list_hit *hit)
{
    enum list_answer sum = LIST_NO;
    for (unsigned party = 0; party < PARTIES; party++) {
        const struct layer *layer = l->layer[rank * PARTIES + party];
        struct list_hit one;
        if (layer == NULL || (party != PARTY_ANY && party != q->party))
            continue;
        enum list_answer answer = ask_layer(layer, q, r, &one);
        if (answer == LIST_YES || (answer == LIST_EXHAUSTED && sum == LIST_NO))
            *hit = one;
        if (answer == LIST_YES)
            return LIST_YES;
        sum = answer == LIST_EXHAUSTED ? answer : sum;
    }
    return sum;
}

static void tell_effect(const struct filter_list *l, struct list_hit *hit)
{
    size_t low = 0, high = l->nodd;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (l->odd[middle].place < hit->place)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < l->nodd && l->odd[low].place == hit->place) {
        hit->effect = l->odd[low].effect;
        hit->page = l->odd[low].page;
    }
}

enum list_answer filter_list_ask(const struct filter_list *l, const struct list_query *q,
                                 struct regex_scratch *r, struct list_hit *hit)
{
    struct list_hit listed, excepted;
    *hit = (struct list_hit){ .effect = EFFECT_LISTED };
    enum list_answer important = ask_rank(l, RANK_IMPORTANT, q, r, hit);
    hit->effect = EFFECT_IMPORTANT;
    if (important == LIST_YES)
        return LIST_YES;
    enum list_answer answer = ask_rank(l, RANK_LISTED, q, r, &listed);
    if (answer == LIST_NO) /* then no exception matters */
        return important;
    enum list_answer except = ask_rank(l, RANK_EXCEPTED, q, r, &excepted);
    if (except == LIST_YES) {
        if (important == LIST_NO) {
            *hit = excepted;
            hit->effect = EFFECT_EXCEPTED;
        }
        return important;
    }
    *hit = except == LIST_EXHAUSTED && answer == LIST_YES ? excepted : listed;
    if (answer == LIST_EXHAUSTED || except == LIST_EXHAUSTED)
        return LIST_EXHAUSTED;
    tell_effect(l, hit);
    return LIST_YES;
}
