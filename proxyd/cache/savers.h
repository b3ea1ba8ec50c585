/*
 * What is served from disk and has saved much. An object in memory counts in itself what it has
 * saved; one on disk is made anew for each use. So these stand in a table of 64: whoever is not in
 * it takes the place of the one that has saved least. What it tells is never too much, and whatever
 * saves a good part of all is in it.
 */
#ifndef CACHE_SAVERS_H
#define CACHE_SAVERS_H

#include <pthread.h>

#include "cache/object.h"

enum { SAVERS = 64, SAVER_URL = 160 };

struct saver {
    struct cache_key key;
    u64 variant;
    u64 saved, bytes; /* that came from here instead of from an origin; of the body */
    u64 made_s;       /* seconds since 1970: now less its age */
    u32 nurl;
    char url[SAVER_URL + sizeof "?…"]; /* without its query, and cut */
};

struct savers {
    pthread_mutex_t lock; /* guards what follows */
    u32 n;
    struct saver *row; /* SAVERS, once there is one */
};

void savers_init(struct savers *s);
void savers_end(struct savers *s);
/* Any thread; holds the lock for a look at 64 rows. Without memory it is not noted. */
void savers_note(struct savers *s, struct object *o, u64 saved, u64 now_s);

/* What a row says of an object. */
void saver_fill(struct saver *r, struct object *o, u64 saved, u64 now_s);

#endif
