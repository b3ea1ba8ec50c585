/* What the cache knows of an exchange: x->stored, in its arena. */
#ifndef CACHE_NOTES_H
#define CACHE_NOTES_H

#include "cache/cache.h"
#include "cache/reader.h"
#include "cache/status.h"
#include "core/exchange/xchg.h"

struct notes {
    const struct cache_use *use;
    const struct cache_rule *rule; /* what it says of the cache; NULL: nothing */
    struct cache_url url;          /* as it is asked for */
    struct slice key_path;         /* what of its path makes the key */
    struct cache_key key;
    struct cache_control control; /* of the request */
    const struct msg
        *asked; /* the request as far as conditions and ranges go, as the client said it */
    struct object *stale;      /* held: what is validated, or may rescue */
    struct object *given;      /* held: what x->resp points into */
    struct object *copy;       /* held: what is being kept */
    struct storing *storing;   /* `copy`, when it is whole */
    struct load *load;         /* what is found on disk */
    struct flight *flight;     /* of this exchange */
    struct wake *wake;         /* it has waited for another one's */
    u8 waits, reads;           /* how often it has, and for one who reads from disk */
    bool alone;                /* it waits for nobody any more */
    bool validates;            /* x->req has conditions of ours */
    bool whole;                /* the client asked for a range, and x->req for all of it */
    bool has_changed;          /* an unsafe method: it may make untrue what is kept */
    bool keeps;                /* its answer may be kept */
    bool refreshes;            /* an errand (errand.h): nobody waits for it */
    bool by_key;               /* a part of the URL is not in the key: an answer to it departs */
    bool varies_on_disk;       /* variants of its URL were seen there when it was looked for */
    u8 fwd;                    /* enum fwd: why it goes to the origin */
    u64 most;                  /* bytes that its body may have */
    struct wake *room;         /* it has waited for room for `copy`: pace.h */
    u64 room_ms;               /* since then its client waits for others; 0: it does not now */
    u32 wait_ms;               /* for so long it may yet */
    u64 epoch;                 /* of its key when it went to the origin */
    struct blocks *blocks;     /* blocks.h; NULL: it is not answered from slices */
    struct block_fetch *fetch; /* of an exchange that brings one; NULL: it is none */
    /* What follows is not cleared: nobody asks about it before it is filled. */
    struct reader reader;
    struct relay feed;
};

static inline struct notes *notes_of(const struct xchg *x)
{
    return x->stored;
}
/* What of the URL makes the key. */
static inline struct cache_url url_of(const struct notes *n)
{
    struct cache_url url = n->url;
    url.path = n->key_path;
    return url;
}
static inline const struct cache_override *override_of(const struct notes *n)
{
    return n->rule ? &n->rule->override : NULL;
}
static inline u32 min_uses_of(const struct notes *n)
{
    return n->rule && n->rule->min_uses ? n->rule->min_uses : n->use->conf.min_uses;
}
/* For whom it may be kept: for all, or for those whose rule departs as that of this exchange. */
static inline void note_departure(const struct notes *n, struct object_facts *f)
{
    if (n->by_key)
        f->fresh.departs = n->rule->override.sign;
    f->rule = f->fresh.departs ? n->rule->name : SLICE("");
}
/* Has something been purged since that its answer may show? */
static inline bool is_purged(const struct notes *n)
{
    return epoch_of(&n->use->cache->epochs, &n->key) != n->epoch;
}
/* An origin, or who stands before it, fails, and may not for long. */
static inline bool is_failure(u16 status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}
static inline u64 now_s(const struct xchg *x)
{
    return x->worker->loop.now.wall_us / 1000000;
}

/* What is kept becomes the answer: x->resp and x->source, with conditions and ranges of the request
 * looked at. Takes *o over. `s` is completed. False: no memory, and x->fault says so. */
bool answer_give(struct xchg *x, struct object **o, enum cached how, struct cache_status *s);
/* The client is given the ranges that it asked for, of the copy that grows: x->resp says so, and
 * x->feed has them. Of a response that is not 200 or of no known length: all of it. False: no
 * memory. */
bool answer_from_copy(struct xchg *x);
/* A Cache-Status line into x->resp. False: no memory. */
bool answer_status(struct xchg *x, const struct cache_status *s);

/* An address has been asked about: the rule that decides for it may be another one than was known
 * until now. False: it says what comes too late. */
bool lookup_vetted(struct xchg *x);
/* The answer's head has come, and none that is kept is given instead: begins a copy if there may
 * be one; the sink for it, empty: there is none, or it is whole already. */
struct sink copy_begin(struct xchg *x);
/* Which variant that response is, for the request of x: into *f, in its arena. KEPT_YES, or why it
 * is none that can be kept. */
enum kept copy_vary(struct xchg *x, const struct msg *response, struct object_facts *f);
/* Its tags, likewise. False: they are too many, or there is no memory. */
bool copy_tags(struct xchg *x, const struct msg *response, struct object_facts *f);
/* Its names in the cache, and where it came from: into *f. */
void copy_name(const struct xchg *x, struct object_facts *f);
/* Takes out of a response what is not kept. False: no memory. */
bool copy_strip(const struct xchg *x, struct msg *m, const struct object_facts *f);
/* The origin is asked once more, for what the client has asked for: nothing is kept of that. */
void copy_ask_for_range(struct xchg *x);
/* Of those facts, with a body of that length which is still to come, on its way to the disk as well
 * if notes.storing is there; held. */
struct object *copy_object(struct xchg *x, const struct object_facts *f, const struct msg *m,
                           u64 length);
/* notes.reader, on the body of notes.copy. */
struct source copy_source(struct xchg *x);
/* notes.copy leads from now on: where its body goes. The client reads from `from`. */
struct sink copy_lead(struct xchg *x, struct source from);
/* It is known what becomes of the answer, and `o` if it is kept: those who wait look again, or go
 * alone when it is not to be had without asking the origin (RFC 9111 section 4). */
void copy_land(struct xchg *x, enum kept kept, const struct object *o);
/* The exchange ends, and with it what it has not finished. */
void copy_end(struct xchg *x);

/* Has that object validated behind the back of x. The exchange that does it has some x->stored
 * before it is looked up. */
void renewal_start(struct xchg *x, struct object *o);

#endif
