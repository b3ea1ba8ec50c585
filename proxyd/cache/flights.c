#include "cache/flights.h"

#include <stdlib.h>

#include "base/must.h"

static struct flight_shard *shard_of(struct flights *f, const struct cache_key *key)
{
    return &f->shard[(key->bits[1] >> 32) % FLIGHT_SHARDS];
}

static u32 tag_of(const struct cache_key *key)
{
    return (u32)(key->bits[0] >> 32) | 1;
}

static struct flight_note *note_of(struct flight_note *notes, const struct cache_key *key)
{
    return &notes[key->bits[0] % FLIGHT_NOTES];
}

void flights_init(struct flights *f)
{
    for (unsigned i = 0; i < FLIGHT_SHARDS; i++) {
        pthread_mutex_init(&f->shard[i].lock, NULL);
        list_init(&f->shard[i].flights);
        list_init(&f->shard[i].spare);
    }
}

void flights_end(struct flights *f)
{
    for (unsigned i = 0; i < FLIGHT_SHARDS; i++) {
        struct list *spare = &f->shard[i].spare;
        expect(list_empty(&f->shard[i].flights));
        for (struct list *n; (n = list_pop(spare)) != NULL;)
            free(container_of(n, struct flight, link));
        pthread_mutex_destroy(&f->shard[i].lock);
    }
}

static struct flight *find(struct flight_shard *s, const struct cache_key *key)
{
    for (struct list *n = s->flights.next; n != &s->flights; n = n->next) {
        struct flight *f = container_of(n, struct flight, link);
        if (cache_key_same(&f->key, key))
            return f;
    }
    return NULL;
}

static struct flight *depart(struct flight_shard *s, const struct cache_key *key)
{
    struct list *spare = list_pop(&s->spare);
    struct flight *f = spare ? container_of(spare, struct flight, link) : malloc(sizeof *f);
    if (f == NULL)
        return NULL;
    f->key = *key;
    list_init(&f->waiting);
    list_push_front(&s->flights, &f->link);
    return f;
}

static bool is_alone(struct flight_shard *s, const struct cache_key *key, u64 now_s)
{
    const struct flight_note *note = note_of(s->alone, key);
    return note->tag == tag_of(key) && note->until > (u32)now_s;
}

enum flight_turn flight_board(struct flights *all, const struct cache_key *key, u64 now_s,
                              struct xchg *x, struct flight **own, struct wake **wake)
{
    struct flight_shard *s = shard_of(all, key);
    enum flight_turn turn = FLIGHT_ALONE;
    pthread_mutex_lock(&s->lock);
    bool alone = is_alone(s, key, now_s);
    struct flight *f = alone ? NULL : find(s, key);
    if (f == NULL && !alone) {
        *own = depart(s, key);
        turn = *own ? FLIGHT_FIRST : FLIGHT_ALONE;
    } else if (f && (*wake || (*wake = wake_new(x)) != NULL)) {
        wake_wait(*wake, &f->waiting);
        turn = FLIGHT_WAIT;
    }
    pthread_mutex_unlock(&s->lock);
    if (turn == FLIGHT_WAIT)
        atomic_fetch_add_explicit(&all->joined, 1, memory_order_relaxed);
    return turn;
}

bool flight_start(struct flights *all, const struct cache_key *key, u64 now_s, struct flight **own)
{
    struct flight_shard *s = shard_of(all, key);
    pthread_mutex_lock(&s->lock);
    *own = is_alone(s, key, now_s) || find(s, key) ? NULL : depart(s, key);
    pthread_mutex_unlock(&s->lock);
    return *own != NULL;
}

static void land(struct flight_shard *s, struct flight *f, enum wake_reason how)
{
    list_remove(&f->link);
    wake_all(&f->waiting, how);
    list_push_front(&s->spare, &f->link);
}

void flight_land(struct flights *all, struct flight **own, enum wake_reason how)
{
    struct flight *f = *own;
    *own = NULL;
    struct flight_shard *s = shard_of(all, &f->key);
    pthread_mutex_lock(&s->lock);
    land(s, f, how);
    pthread_mutex_unlock(&s->lock);
}

void flight_leave(struct flights *f, const struct cache_key *key, struct wake **wake)
{
    wake_leave(wake, &shard_of(f, key)->lock);
}

static void note(struct flight_shard *s, const struct cache_key *key, u64 now_s, enum kept why)
{
    struct flight_note *n = note_of(s->alone, key);
    if (why != KEPT_YES)
        *n = (struct flight_note){ tag_of(key), (u32)now_s + NOT_SHARED_S, (u8)why, 0 };
    else if (n->tag == tag_of(key))
        n->tag = 0;
}

void flight_note(struct flights *f, const struct cache_key *key, u64 now_s, enum kept why)
{
    struct flight_shard *s = shard_of(f, key);
    pthread_mutex_lock(&s->lock);
    note(s, key, now_s, why);
    pthread_mutex_unlock(&s->lock);
}

void flight_arrive(struct flights *all, const struct cache_key *key, u64 now_s, enum kept why,
                   struct flight **own, enum wake_reason how)
{
    struct flight *f = *own;
    if (unlikely(!cache_key_same(&f->key, key))) { /* of a slice, and of the whole */
        flight_note(all, key, now_s, why);
        flight_land(all, own, how);
        return;
    }
    *own = NULL;
    struct flight_shard *s = shard_of(all, key);
    pthread_mutex_lock(&s->lock);
    note(s, key, now_s, why);
    land(s, f, how);
    pthread_mutex_unlock(&s->lock);
}

enum kept flight_noted(struct flights *f, const struct cache_key *key, u64 now_s)
{
    struct flight_shard *s = shard_of(f, key);
    pthread_mutex_lock(&s->lock);
    const struct flight_note *n = note_of(s->alone, key);
    bool known = n->tag == tag_of(key) && n->until > (u32)now_s;
    enum kept why = known ? (enum kept)n->kept : KEPT_YES;
    pthread_mutex_unlock(&s->lock);
    return why;
}

unsigned flight_uses(struct flights *f, const struct cache_key *key, u64 now_s)
{
    struct flight_shard *s = shard_of(f, key);
    pthread_mutex_lock(&s->lock);
    const struct flight_note *n = note_of(s->used, key);
    unsigned uses = n->tag == tag_of(key) && n->until > (u32)now_s ? n->uses : 0;
    pthread_mutex_unlock(&s->lock);
    return uses;
}

unsigned flight_used(struct flights *f, const struct cache_key *key, u64 now_s)
{
    struct flight_shard *s = shard_of(f, key);
    pthread_mutex_lock(&s->lock);
    struct flight_note *n = note_of(s->used, key);
    if (n->tag != tag_of(key) || n->until <= (u32)now_s)
        *n = (struct flight_note){ tag_of(key), (u32)now_s + USES_S, KEPT_YES, 0 };
    n->uses = (u8)(n->uses < UINT8_MAX ? n->uses + 1 : UINT8_MAX);
    unsigned uses = n->uses;
    pthread_mutex_unlock(&s->lock);
    return uses;
}
