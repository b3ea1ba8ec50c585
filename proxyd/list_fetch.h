/*
 * One attempt to fetch a list: over redirects, each of whose addresses is judged as the first one's
 * is, with a conditional request where there is a content to ask about, into a file. Whatever a
 * server does (too much, too slow, cut off, another page) comes back as a sentence.
 */
#ifndef PROXYD_LIST_FETCH_H
#define PROXYD_LIST_FETCH_H

#include "errand.h"
#include "fetch.h"
#include "list_conf.h"
#include "list_copy.h"

enum { LIST_FETCH_WHY = 512, LIST_HOPS = 5 };

enum list_fetched {
    LIST_FETCHED,
    LIST_UNCHANGED, /* the server says so */
    LIST_NOT_FETCHED,
    LIST_UNWANTED, /* nobody waits for it any more, or the process ends */
};

struct list_fetch {
    struct fetching *fetching;
    const struct list_conf *conf;
    const struct errand *errand;
    const struct list_stamp *have; /* the content that is in force; NULL: none */
    int fd;                        /* an empty file for the new one */
    u64 *wait_s;                   /* what a 429 or 503 asks to wait, a day at most; else 0 */
    bool (*unwanted)(void *ctx);   /* asked now and then */
    void *ctx;
};

/* Blocks. *out: what was fetched, or what is known of the content that is unchanged; why: of
 * LIST_NOT_FETCHED, a clause that names the URL. */
enum list_fetched list_fetch(const struct list_fetch *f, struct list_stamp *out,
                             char why[LIST_FETCH_WHY]);

#endif
