/*
 * A whole list, as a rule asks it: entries of all kinds in their sets, with what outranks what. One
 * list may be many files of several formats. Its builder is what readers hand their entries to
 * (filters/list_reader.h); the list is immutable then, and any thread may ask.
 *
 * Within a list, IMPORTANT outranks EXCEPTED and that LISTED. Among the entries of one rank those
 * about the client come first, then hosts (the most labels first), addresses (the longest prefix
 * first), URLs (the longest path first), texts and patterns. Empty sets cost nothing to ask.
 */
#ifndef FILTERS_FILTER_LIST_H
#define FILTERS_FILTER_LIST_H

#include "filters/hostlist.h"
#include "filters/list_entry.h"
#include "filters/regexset.h"

struct filter_list;
struct filter_builder;

/* NULL: no memory. */
struct filter_builder *filter_builder_new(void);
void filter_builder_free(struct filter_builder *b);
/* Entries that follow are of this file. category may be empty. */
void filter_builder_begin(struct filter_builder *b, struct slice file, struct slice category);
/* As list_take, with the builder as ctx. */
const char *filter_builder_take(void *b, const struct list_entry *e);
/* The file has so many lines. */
void filter_builder_end(struct filter_builder *b, u32 lines);

/* Frees the builder. This is where the time goes: off the workers. NULL: no memory, now or for any
 * entry before, since a list without some of its entries is another list. */
struct filter_list *filter_list_build(struct filter_builder *b);
void filter_list_free(struct filter_list *l);

struct list_sizes {
    size_t hosts, nets, clients, urls, texts, regexes;
    size_t unaided; /* regexes that are run on every URL */
    size_t bytes;   /* of all sets */
};
struct list_sizes filter_list_sizes(const struct filter_list *l);
/* To tell places by, and to make the places of a category. */
const struct sources *filter_list_sources(const struct filter_list *l);
/* Has it entries of these kinds? If not, a rule needs to wait neither for DNS nor for a URL. */
bool filter_list_has_nets(const struct filter_list *l);
bool filter_list_has_urls(const struct filter_list *l);
/* Has it entries that do something else than to list: exceptions, RPZ's pass, drop and page? */
bool filter_list_has_others(const struct filter_list *l);
/* Makes room for it in a worker's scratch, which a look-up would do otherwise. */
bool filter_list_fit(const struct filter_list *l, struct regex_scratch *r);

struct list_query {
    const struct host_prints *host; /* NULL: the destination is an address */
    struct slice name;              /* the same as text, or the address's; canonical */
    const struct addr *address;     /* NULL: not known (yet) */
    const struct addr *client;      /* NULL: does not matter */
    struct slice url;               /* scheme://host[:port]/…; empty: not known */
    struct slice path;              /* with query; "": only the host is known */
    enum list_party party;          /* PARTY_ANY: the request does not show it */
    const struct places *in;        /* NULL: the whole list; else a category of it */
};

enum list_answer {
    LIST_NO,        /* hit.place is not 0 when an exception decided it */
    LIST_YES,       /* hit.effect says more */
    LIST_EXHAUSTED, /* a pattern on which it hangs came to its limits: hit says which */
};

struct list_hit {
    enum list_kind kind;
    enum list_effect effect;
    u32 place;            /* sources_where tells file, line and category */
    struct slice matched; /* the part of name, url or path, or empty for an address */
    struct slice pattern; /* ENTRY_REGEX: lives as long as the list */
    u8 bits;              /* ENTRY_NET, ENTRY_CLIENT: of the prefix */
    struct slice page;    /* EFFECT_PAGE: lives as long as the list */
};

/* EFFECT_PASS comes as LIST_YES, like every other match; its meaning is the caller's. */
enum list_answer filter_list_ask(const struct filter_list *l, const struct list_query *q,
                                 struct regex_scratch *r, struct list_hit *hit);

#endif
