#include "cache/memory.h"

enum { SMALL_PART = 10, GHOST_BYTES = 2048, GHOSTS_MOST = 1 << 20 };
enum place { PLACE_NONE, PLACE_SMALL, PLACE_MAIN };
enum { PASSES_ON = 1 }; /* uses in the small queue with which one goes to the main one */

static struct object *object_at(struct list *n)
{
    return container_of(n, struct object, queue);
}

static struct memory *memory_of(struct budget *b)
{
    return container_of(b, struct memory, budget);
}

/* ---- the index; under the shard's lock ---- */

/* The one with the same variant; NULL: there is none. *oldest: when there are as many variants as
 * there may be, the one that has to give way. */
static struct object *find_same(struct memory_shard *s, const struct object *like,
                                struct object **oldest)
{
    struct index_walk walk = index_walk(&s->index, &like->key);
    struct object *same = NULL, *last = NULL, *o;
    unsigned variants = 0;
    while ((o = index_next(&walk)) != NULL) {
        variants++;
        last = o;
        if (same == NULL && o->variant == like->variant && slice_eq(o->vary, like->vary))
            same = o;
    }
    *oldest = variants >= VARY_MOST ? last : NULL;
    return same;
}

static struct object *find(struct memory *m, struct memory_shard *s, const struct cache_key *key,
                           const struct msg *request)
{
    struct index_walk walk = index_walk(&s->index, key);
    struct slice names = SLICE("");
    struct object *o;
    u64 variant = 0;
    while ((o = index_next(&walk)) != NULL) {
        if (o->vary.n && !slice_eq(names, o->vary)) {
            names = o->vary;
            variant = vary_key(&m->secret, names, request);
        }
        if (o->vary.n == 0 || o->variant == variant)
            return o;
    }
    return NULL;
}

/* What an answer reads of it lies in a dozen lines, which after a thousand others are far away:
 * asked for together they come in the time of one. */
static inline __attribute__((always_inline)) void ask_for(const struct object *o)
{
    const char *head = (const char *)o->head, *body = (const char *)o->body;
    for (unsigned line = 0; line < 8; line++)
        __builtin_prefetch(head + line * 64);
    for (unsigned line = 0; line < 5; line++)
        __builtin_prefetch(body + line * 64);
}

struct object *memory_find(struct memory *m, const struct cache_key *key, const struct msg *request)
{
    struct memory_shard *s = memory_shard(m, key);
    pthread_mutex_lock(&s->lock);
    struct object *o = find(m, s, key, request);
    if (o) {
        object_hold(o);
        ask_for(o);
    }
    pthread_mutex_unlock(&s->lock);
    if (o)
        object_used(o);
    return o;
}

/* ---- the queues; under m->lock ---- */

static void enqueue(struct memory *m, struct object *o, enum place place)
{
    o->place = (u8)place;
    atomic_fetch_add_explicit(&m->budget.kept, o->cost, memory_order_relaxed);
    if (place == PLACE_SMALL)
        m->small_bytes += o->cost;
    else
        m->main_bytes += o->cost;
    list_push_back(place == PLACE_SMALL ? &m->small : &m->main, &o->queue);
}

static void dequeue(struct memory *m, struct object *o)
{
    if (o->place == PLACE_SMALL)
        m->small_bytes -= o->cost;
    else if (o->place == PLACE_MAIN)
        m->main_bytes -= o->cost;
    if (o->place != PLACE_NONE)
        atomic_fetch_sub_explicit(&m->budget.kept, o->cost, memory_order_relaxed);
    list_remove(&o->queue);
    o->place = PLACE_NONE;
}

/* Out of queue and index; what the index held is given back later, without a lock. */
static bool forget(struct memory *m, struct object *o)
{
    struct memory_shard *s = memory_shard(m, &o->key);
    dequeue(m, o);
    pthread_mutex_lock(&s->lock);
    bool there = index_take(&s->index, o);
    pthread_mutex_unlock(&s->lock);
    if (there)
        atomic_fetch_sub(&m->objects, 1);
    return there;
}

/* Those that leave next are asked for now: they are old, so all that giving one up touches comes
 * from far, and until it is its turn there is time enough. The second's block first, for where the
 * first's body is and hangs stands in it. */
static inline __attribute__((always_inline)) void look_ahead(struct memory *m,
                                                             const struct list *queue,
                                                             const struct object *o)
{
    const struct list *first = o->queue.next, *second = first->next;
    if (first == queue)
        return;
    const struct object *next = container_of(first, struct object, queue);
    index_ask(&memory_shard(m, &next->key)->index, &next->key);
    for (unsigned line = 0; line < 5; line++)
        __builtin_prefetch((const char *)next->body + line * CACHE_LINE, 1);
    if (second == queue)
        return;
    const char *block = (const char *)container_of(second, struct object, queue);
    for (unsigned line = 0; line <= sizeof *o / CACHE_LINE; line++)
        __builtin_prefetch(block + line * CACHE_LINE, 1);
}

/* The next one that leaves, out of its queue; those that were asked for are passed on. NULL: there
 * is none. Each pass takes a use away, so it ends. */
static struct object *choose(struct memory *m)
{
    for (;;) {
        bool small = m->small_bytes > (m->small_bytes + m->main_bytes) / SMALL_PART;
        if (list_empty(small ? &m->small : &m->main))
            small = !small;
        if (list_empty(small ? &m->small : &m->main))
            return NULL;
        struct object *o = object_at((small ? &m->small : &m->main)->next);
        u8 uses = atomic_load_explicit(&o->uses, memory_order_relaxed);
        look_ahead(m, small ? &m->small : &m->main, o);
        dequeue(m, o);
        if (small ? uses < PASSES_ON : uses == 0) {
            if (small) /* as many are remembered as are kept: of more, too many pass for popular */
                ghosts_add(&m->ghosts, o->key.bits[0] ^ o->variant, atomic_load(&m->objects));
            return o;
        }
        atomic_store_explicit(&o->uses, small ? 0 : (u8)(uses - 1), memory_order_relaxed);
        enqueue(m, o, PLACE_MAIN);
    }
}

static void make_room(struct budget *b)
{
    struct memory *m = memory_of(b);
    while (atomic_load(&b->used) > atomic_load_explicit(&b->most, memory_order_relaxed)) {
        pthread_mutex_lock(&m->lock);
        struct object *o = choose(m);
        bool there = o && forget(m, o);
        pthread_mutex_unlock(&m->lock);
        if (o == NULL)
            return;
        atomic_fetch_add_explicit(&m->evictions, 1, memory_order_relaxed);
        if (there)
            object_put(&o);
    }
}

/* ---- for all ---- */

/* In place of `same`, or else of the oldest variant when there are too many; NULL: of none. */
static void put_in_place(struct memory *m, struct memory_shard *s, struct object *o,
                         struct object *same, struct object *oldest)
{
    struct object *old = same ? same : oldest;
    if (same && same->place == PLACE_MAIN) /* what has taken its place is as popular */
        atomic_store_explicit(&o->uses, PASSES_ON, memory_order_relaxed);
    if (old)
        (void)index_take(&s->index, old);
    else
        atomic_fetch_add(&m->objects, 1);
    index_put(&s->index, o);
    object_hold(o);
}

/* Under m->lock: it may be given up from now on. */
static void settle(struct memory *m, struct object *o, u64 cost)
{
    bool known = ghosts_take(&m->ghosts, o->key.bits[0] ^ o->variant);
    o->cost = cost;
    enqueue(m, o, known ? PLACE_MAIN : PLACE_SMALL);
}

/* cost: 0 as long as it is growing. */
static bool add(struct memory *m, struct object *o, bool replace, u64 cost)
{
    struct memory_shard *s = memory_shard(m, &o->key);
    struct object *oldest, *old = NULL;
    pthread_mutex_lock(&m->lock);
    pthread_mutex_lock(&s->lock);
    struct object *same = find_same(s, o, &oldest);
    bool good = same == NULL || replace;
    if (good) {
        old = same ? same : oldest;
        put_in_place(m, s, o, same, oldest);
    }
    pthread_mutex_unlock(&s->lock);
    if (old)
        dequeue(m, old);
    if (good && cost)
        settle(m, o, cost);
    pthread_mutex_unlock(&m->lock);
    object_put(&old);
    return good;
}

void memory_add(struct memory *m, struct object *o)
{
    (void)add(m, o, true, 0);
}

void memory_keep(struct memory *m, struct object *o)
{
    (void)add(m, o, true, object_cost(o));
}

bool memory_add_new(struct memory *m, struct object *o)
{
    return add(m, o, false, 0);
}

bool memory_has(struct memory *m, const struct object *o)
{
    struct memory_shard *s = memory_shard(m, &o->key);
    pthread_mutex_lock(&s->lock);
    bool there = index_has(&s->index, o);
    pthread_mutex_unlock(&s->lock);
    return there;
}

void memory_settle(struct memory *m, struct object *o)
{
    u64 cost = object_cost(o);
    pthread_mutex_lock(&m->lock);
    if (o->place == PLACE_NONE && memory_has(m, o))
        settle(m, o, cost);
    pthread_mutex_unlock(&m->lock);
}

bool memory_remove(struct memory *m, struct object *o)
{
    pthread_mutex_lock(&m->lock);
    bool there = forget(m, o);
    pthread_mutex_unlock(&m->lock);
    if (there)
        object_put(&o);
    return there;
}

struct object *memory_peek(struct memory *m, const struct cache_key *key)
{
    struct memory_shard *s = memory_shard(m, key);
    pthread_mutex_lock(&s->lock);
    struct index_walk walk = index_walk(&s->index, key);
    struct object *o = index_next(&walk);
    if (o)
        object_hold(o);
    pthread_mutex_unlock(&s->lock);
    return o;
}

unsigned memory_remove_key(struct memory *m, const struct cache_key *key)
{
    unsigned n = 0;
    struct object *o;
    while ((o = memory_peek(m, key)) != NULL) {
        n += memory_remove(m, o);
        object_put(&o);
    }
    return n;
}

static u32 ghosts_for(u64 most)
{
    u64 n = most / GHOST_BYTES;
    return n < GHOSTS_MOST ? (u32)n : GHOSTS_MOST;
}

void memory_init(struct memory *m, u64 most)
{
    hash_key_random(&m->secret.key);
    m->budget.make_room = make_room;
    atomic_store(&m->budget.most, most);
    pages_init(&m->pages, most);
    m->budget.pages = &m->pages;
    pthread_mutex_init(&m->lock, NULL);
    list_init(&m->small);
    list_init(&m->main);
    ghosts_init(&m->ghosts, ghosts_for(most));
    for (unsigned i = 0; i < MEMORY_SHARDS; i++) {
        struct memory_shard *s = &m->shard[i];
        pthread_mutex_init(&s->lock, NULL);
        index_init(&s->index);
    }
}

void memory_end(struct memory *m)
{
    (void)memory_remove_url(m, SLICE(""), URL_PREFIX);
    for (unsigned i = 0; i < MEMORY_SHARDS; i++) {
        pthread_mutex_destroy(&m->shard[i].lock);
        index_end(&m->shard[i].index);
    }
    ghosts_end(&m->ghosts);
    pages_end(&m->pages);
    pthread_mutex_destroy(&m->lock);
}

void memory_resize(struct memory *m, u64 most)
{
    pthread_mutex_lock(&m->lock);
    if (ghosts_for(most) > m->ghosts.n) { /* fewer do no harm, and keep what they know */
        ghosts_end(&m->ghosts);
        ghosts_init(&m->ghosts, ghosts_for(most));
    }
    pthread_mutex_unlock(&m->lock);
    pages_resize(&m->pages, most);
    atomic_store(&m->budget.most, most);
    make_room(&m->budget);
}
