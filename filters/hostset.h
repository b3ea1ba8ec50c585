/*
 * Sets of the host names and domains that rules name; lists of a million with the lines they stand
 * in are filters/hostlist.h. An entry is a host itself or everything below it; a look-up costs one
 * hash per label of the asked name, and those hashes are shared by all sets and lists (struct
 * host_prints), so that twenty rules hash once.
 *
 * Only 64-bit fingerprints are kept, keyed per process: a client cannot craft a name that collides,
 * and by chance one look-up in 2^64 / entries does. Names are compared as they are: callers ask
 * with the canonical form (lower case, no final dot); what is added is lower-cased here.
 */
#ifndef FILTERS_HOSTSET_H
#define FILTERS_HOSTSET_H

#include "base/arena.h"
#include "base/slice.h"

enum { HOST_LABELS = 128 }; /* 255 bytes hold no more */

/* of[i] is the fingerprint of the last i + 1 labels; of[n - 1] that of the whole name. */
struct host_prints {
    unsigned n;
    u64 of[HOST_LABELS];
};

/* A name longer than 255 bytes has no prints and is in no set. */
void host_prints(struct host_prints *out, struct slice host);

enum host_kind {
    HOST_ITSELF = 1, /* host */
    HOST_BELOW = 2,  /* *.host: its subdomains, not itself */
    HOST_BOTH = 3,   /* .host */
};

/* A set of a few entries is a list of them: a compare each, no probing. */
enum { HOSTSET_FEW = 4 };
struct hostset_entry {
    u64 print; /* of the entry's own labels */
    u32 value;
    u8 labels, least, most; /* covers names of least–most labels */
    u8 kind;
};

struct hostset_bucket;
struct hostset {
    struct hostset_entry few[HOSTSET_FEW]; /* while entries <= HOSTSET_FEW and bucket is NULL */
    struct hostset_bucket *bucket;         /* NULL: few */
    void *memory;                          /* what bucket was cut from; NULL: from the arena */
    struct arena *arena;
    size_t buckets, entries;
    u64 depths[2]; /* bit i: an entry of i + 1 labels, [0] itself, [1] below; bit 63: 64 and more */
};

/* Memory comes from the arena, or from malloc when arena is NULL. `expected` is a hint; growing
 * beyond it leaves the smaller table behind in the arena. */
void hostset_init(struct hostset *s, struct arena *arena, size_t expected);
/* Gives malloc'ed memory back; nothing to do for an arena. */
void hostset_free(struct hostset *s);

/* Splits "host", "*.host" or ".host" into kind and host. False when the host is empty, longer than
 * 253 bytes, or has an empty label; finer rules of spelling are the configuration's. */
bool host_pattern(struct slice pattern, enum host_kind *kind, struct slice *host);

/* The value stored for host and kind (one of the two, not both), 0 when it has just been added;
 * the caller sets it (not to 0). Valid until the next call. */
u32 *hostset_slot(struct hostset *s, enum host_kind kind, struct slice host);

/* Adds a pattern with a value above 0; the first value of a repeated entry stays. False: the
 * pattern is malformed. */
bool hostset_add(struct hostset *s, struct slice pattern, u32 value);

static inline bool hostset_entry_covers(const struct hostset_entry *e,
                                        const struct host_prints *host)
{
    return host->n >= e->least && host->n <= e->most && host->of[e->labels - 1] == e->print;
}

/* The value of the most specific entry that covers the name, 0 when there is none. */
u32 hostset_find(const struct hostset *s, const struct host_prints *host);
/* The values of all entries that cover it, most specific first, at most max; returns how many. */
unsigned hostset_all(const struct hostset *s, const struct host_prints *host, u32 *values,
                     unsigned max);

/* Does any entry cover it? Cheaper than finding which. */
static inline bool hostset_has(const struct hostset *s, const struct host_prints *host)
{
    if (unlikely(s->bucket))
        return hostset_find(s, host) != 0;
    for (size_t i = 0; i < s->entries; i++)
        if (hostset_entry_covers(&s->few[i], host))
            return true;
    return false;
}

#endif
