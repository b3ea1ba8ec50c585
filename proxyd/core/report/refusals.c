/*
 * Another client's refusals are never compared with what somebody asks for: only the entries of the
 * asker's own address are looked at, so no answer and no time tells whether an id exists.
 */
#include "core/report/refusals.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"

enum { LONGEST_METHOD = 32, LONGEST_TARGET = 300, LONGEST_REASON = 300, LONGEST_USER = 255 };

struct kept {
    struct refusal_entry entry; /* first: it is the entry */
    _Atomic u32 holders;        /* the shard, and who reads it */
    char text[];
};

struct shard {
    pthread_mutex_t lock;                                /* guards everything in it */
    u64 serial;                                          /* of the newest */
    u64 hash[REFUSALS_OF_SHARD], age[REFUSALS_OF_SHARD]; /* age: a serial; 0: the place is free */
    struct kept *kept[REFUSALS_OF_SHARD];
};

struct refusals {
    struct shard shard[REFUSALS_SHARDS];
};

struct refusals *refusals_new(void)
{
    struct refusals *r = must_zalloc(sizeof *r);
    for (unsigned i = 0; i < REFUSALS_SHARDS; i++)
        pthread_mutex_init(&r->shard[i].lock, NULL);
    return r;
}

void refusals_free(struct refusals *r)
{
    for (unsigned i = 0; r && i < REFUSALS_SHARDS; i++)
        for (unsigned k = 0; k < REFUSALS_OF_SHARD; k++)
            free(r->shard[i].kept[k]);
    free(r);
}

void refusals_make_id(char id[REFUSAL_ID])
{
    struct hash_key random;
    hash_key_random(&random);
    for (unsigned i = 0; i < REFUSAL_ID; i++)
        id[i] = "0123456789abcdef"[random.k[i / 16] >> i % 16 * 4 & 15];
}

static u64 hash_of(const struct addr *a)
{
    return hash64(hash_process_key(), a->ip, sizeof a->ip);
}

static struct shard *shard_of(struct refusals *r, u64 hash)
{
    return &r->shard[hash % REFUSALS_SHARDS];
}

/* Not in the middle of a character. */
static struct slice clip(struct slice s, size_t most)
{
    while (s.n > most && most && ((u8)s.p[most] & 0xc0) == 0x80)
        most--;
    return (struct slice){ s.p, s.n < most ? s.n : most };
}

static struct slice copy(struct text *t, struct slice s)
{
    size_t from = t->n;
    text_add(t, s);
    return (struct slice){ t->p + from, t->n - from };
}

static struct kept *make(const struct refusal_entry *e)
{
    enum { ROOM = EVIDENCE_MOST + LONGEST_METHOD + LONGEST_TARGET + LONGEST_REASON + LONGEST_USER };
    char area[EVIDENCE_MOST];
    struct text evidence = text_in(area, sizeof area);
    const char *query = slice_find(e->target, '?');
    struct slice target = query ? slice_range(e->target.p, query) : e->target;
    struct slice method = clip(e->method, LONGEST_METHOD), reason = clip(e->reason, LONGEST_REASON);
    target = clip(target, LONGEST_TARGET);
    const char *groups = slice_find(e->user, 0);
    struct slice user = clip(groups ? slice_range(e->user.p, groups) : e->user, LONGEST_USER);
    evidence_write(&evidence, &e->evidence);
    size_t n = evidence.n + method.n + target.n + reason.n + user.n;
    struct kept *k = n <= ROOM ? malloc(sizeof *k + n) : NULL;
    if (k == NULL)
        return NULL;
    struct text t = text_in(k->text, n);
    k->entry = *e;
    k->entry.method = copy(&t, method);
    k->entry.target = copy(&t, target);
    k->entry.reason = copy(&t, reason);
    k->entry.user = copy(&t, user);
    k->entry.evidence = evidence_read(copy(&t, text_slice(&evidence)));
    atomic_init(&k->holders, 1);
    return k;
}

void refusals_release(const struct refusal_entry *e)
{
    struct kept *k = (struct kept *)(uintptr_t)e;
    if (k && atomic_fetch_sub(&k->holders, 1) == 1)
        free(k);
}

/* The oldest of the address when it has as many as it may, else a free place, else the oldest. */
static unsigned place_for(const struct shard *s, u64 hash)
{
    unsigned own = 0, own_oldest = 0, oldest = 0;
    for (unsigned i = 0; i < REFUSALS_OF_SHARD; i++) {
        if (s->age[i] < s->age[oldest])
            oldest = i;
        if (s->age[i] == 0 || s->hash[i] != hash)
            continue;
        if (own++ == 0 || s->age[i] < s->age[own_oldest])
            own_oldest = i;
    }
    return own >= REFUSALS_OF_ADDRESS ? own_oldest : oldest;
}

void refusals_add(struct refusals *r, const struct refusal_entry *e)
{
    struct kept *k = make(e);
    if (k == NULL)
        return;
    u64 hash = hash_of(&e->client);
    struct shard *s = shard_of(r, hash);
    pthread_mutex_lock(&s->lock);
    unsigned i = place_for(s, hash);
    struct kept *old = s->kept[i];
    s->kept[i] = k;
    s->hash[i] = hash;
    s->age[i] = ++s->serial;
    pthread_mutex_unlock(&s->lock);
    if (old)
        refusals_release(&old->entry);
}

static unsigned take(struct shard *s, u64 hash, const struct addr *client,
                     struct kept *out[REFUSALS_OF_ADDRESS], u64 age[REFUSALS_OF_ADDRESS])
{
    unsigned n = 0;
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < REFUSALS_OF_SHARD && n < REFUSALS_OF_ADDRESS; i++) {
        struct kept *k = s->age[i] && s->hash[i] == hash ? s->kept[i] : NULL;
        if (k == NULL || !addr_same_ip(&k->entry.client, client))
            continue;
        atomic_fetch_add(&k->holders, 1);
        age[n] = s->age[i];
        out[n++] = k;
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

unsigned refusals_of(struct refusals *r, const struct addr *client,
                     const struct refusal_entry *out[REFUSALS_OF_ADDRESS])
{
    struct kept *kept[REFUSALS_OF_ADDRESS];
    u64 age[REFUSALS_OF_ADDRESS], hash = hash_of(client);
    unsigned n = take(shard_of(r, hash), hash, client, kept, age);
    for (unsigned i = 0; i < n; i++) { /* each to the place of its age */
        unsigned newer = 0;
        for (unsigned k = 0; k < n; k++)
            newer += age[k] > age[i];
        out[newer] = &kept[i]->entry;
    }
    return n;
}

const struct refusal_entry *refusals_find(struct refusals *r, const struct addr *client,
                                          struct slice id)
{
    const struct refusal_entry *own[REFUSALS_OF_ADDRESS], *found = NULL;
    unsigned n = refusals_of(r, client, own);
    for (unsigned i = 0; i < n; i++) {
        if (found == NULL && slice_eq(own[i]->evidence.id, id))
            found = own[i];
        else
            refusals_release(own[i]);
    }
    return found;
}
