/*
 * What a reader of lists hands on: one entry at a time, in one form for all formats. A reader never
 * guesses a wider meaning than the line has; what it cannot express is not an entry.
 */
#ifndef FILTERS_LIST_ENTRY_H
#define FILTERS_LIST_ENTRY_H

#include "base/addr.h"
#include "filters/hostset.h"

enum list_kind {
    ENTRY_HOST,   /* text is a canonical host, hosts says which names it means */
    ENTRY_NET,    /* net: the destination's address */
    ENTRY_CLIENT, /* net: the client's address (RPZ's rpz-client-ip) */
    ENTRY_URL,    /* text is HOST or HOST/PATH, for filters/urllist.h */
    ENTRY_TEXT,   /* text occurs anywhere in the URL */
    ENTRY_REGEX,  /* text is a pattern of PCRE2 for the URL */
};

/* What a match means. Adblock: IMPORTANT before EXCEPTED before LISTED. RPZ: the entry that is most
 * specific decides, whatever its effect. */
enum list_effect {
    EFFECT_LISTED,
    EFFECT_IMPORTANT, /* listed, and no exception counts */
    EFFECT_EXCEPTED,  /* not listed, in spite of other entries of this list */
    EFFECT_PASS,      /* RPZ: allowed, and later lists are not asked */
    EFFECT_DROP,      /* RPZ: listed, and closed without an answer */
    EFFECT_PAGE,      /* RPZ: listed, and `page` is a host that explains it */
};

/* Only for requests that show whose they are (Sec-Fetch-Site, Referer). */
enum list_party { PARTY_ANY, PARTY_THIRD, PARTY_FIRST };

struct list_entry {
    enum list_kind kind;
    enum list_effect effect;
    enum list_party party;
    enum host_kind hosts; /* ENTRY_HOST */
    bool caseless;        /* ENTRY_TEXT, ENTRY_REGEX */
    bool removes;         /* no entry: such entries are taken away, wherever they stand */
    u32 line;             /* of the file, from 1 */
    struct slice text;    /* valid during the call */
    struct cidr net;
    struct slice page; /* EFFECT_PAGE */
};

/* Takes an entry. NULL: taken; else why it is not, as a text that outlives the call; the reader
 * then counts the line as rejected. */
typedef const char *list_take(void *ctx, const struct list_entry *e);

#endif
