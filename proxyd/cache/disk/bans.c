#include "cache/disk/bans.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/str.h"

struct ban_kept {
    struct list link; /* of placed or unplaced */
    struct ban_kept *next, *next_id;
    struct ban ban;
    char text[];
};

static struct ban_kept *kept_at(struct list *n)
{
    return container_of(n, struct ban_kept, link);
}

static u32 bytes_of(const struct ban_kept *k)
{
    return (u32)(sizeof *k + k->ban.text.n);
}

void bans_init(struct bans *b)
{
    pthread_rwlockattr_t writers;
    memset(b, 0, sizeof *b);
    list_init(&b->placed);
    list_init(&b->unplaced);
    pthread_rwlockattr_init(&writers);
    pthread_rwlockattr_setkind_np(&writers, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&b->lock, &writers);
    pthread_rwlockattr_destroy(&writers);
}

void bans_end(struct bans *b)
{
    struct list *n;
    while ((n = list_pop(&b->placed)) != NULL || (n = list_pop(&b->unplaced)) != NULL)
        free(kept_at(n));
    pthread_rwlock_destroy(&b->lock);
}

/* ---- the tables; under the lock ---- */

static struct ban_kept **bucket_of(const struct bans *b, enum seglog_ban_kind kind,
                                   struct slice text)
{
    u64 hash = hash64(hash_process_key(), text.p, text.n) + (u64)kind * 7919;
    return (struct ban_kept **)&b->by_what[hash % BANS_BUCKETS];
}

static void count_length(struct bans *b, const struct ban *ban, bool more)
{
    size_t n = ban->text.n;
    if (ban->kind != SEGLOG_BAN_PREFIX)
        return;
    b->of_length[n] += more ? 1 : -1u;
    u64 bit = 1ull << n % 64;
    b->lengths[n / 64] = b->of_length[n] ? b->lengths[n / 64] | bit : b->lengths[n / 64] & ~bit;
}

static struct ban_kept *with_id(const struct bans *b, u64 id)
{
    struct ban_kept *k = b->by_id[id % BANS_BUCKETS];
    while (k && k->ban.id != id)
        k = k->next_id;
    return k;
}

static void enter_id(struct bans *b, struct ban_kept *k)
{
    struct ban_kept **at = &b->by_id[k->ban.id % BANS_BUCKETS];
    k->next_id = *at;
    *at = k;
}

static void leave_id(struct bans *b, struct ban_kept *k)
{
    struct ban_kept **at = &b->by_id[k->ban.id % BANS_BUCKETS];
    while (*at != k)
        at = &(*at)->next_id;
    *at = k->next_id;
}

/* In the order of places: at an end nearly always. */
static void enter_list(struct bans *b, struct ban_kept *k)
{
    struct list *before = b->placed.next;
    if (k->ban.before == BAN_UNPLACED) {
        list_push_back(&b->unplaced, &k->link);
    } else if (!list_empty(&b->placed) && kept_at(before)->ban.before >= k->ban.before) {
        list_push_front(&b->placed, &k->link);
    } else {
        before = b->placed.prev;
        while (before != &b->placed && kept_at(before)->ban.before > k->ban.before)
            before = before->prev;
        list_push_front(before, &k->link); /* behind that one */
    }
}

static void note_newest(struct bans *b)
{
    u64 newest = list_empty(&b->placed) ? 0 : kept_at(b->placed.prev)->ban.before;
    newest = list_empty(&b->unplaced) ? newest : BAN_UNPLACED;
    atomic_store_explicit(&b->newest, newest, memory_order_release);
}

static void enter(struct bans *b, struct ban_kept *k)
{
    struct ban_kept **at = bucket_of(b, k->ban.kind, k->ban.text);
    k->next = *at;
    *at = k;
    enter_id(b, k);
    enter_list(b, k);
    count_length(b, &k->ban, true);
    b->bytes += bytes_of(k);
    atomic_fetch_add_explicit(&b->n, 1, memory_order_relaxed);
}

static void leave(struct bans *b, struct ban_kept *k)
{
    struct ban_kept **at = bucket_of(b, k->ban.kind, k->ban.text);
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    leave_id(b, k);
    list_remove(&k->link);
    count_length(b, &k->ban, false);
    b->bytes -= bytes_of(k);
    atomic_fetch_sub_explicit(&b->n, 1, memory_order_relaxed);
}

static struct ban_kept *like(const struct bans *b, const struct ban *ban)
{
    struct ban_kept *k = *bucket_of(b, ban->kind, ban->text);
    while (k && !(k->ban.kind == ban->kind && k->ban.soft == ban->soft &&
                  slice_eq(k->ban.text, ban->text)))
        k = k->next;
    return k;
}

/* ---- with them ---- */

static struct ban_kept *copy_of(const struct ban *ban)
{
    struct ban_kept *k = malloc(sizeof *k + ban->text.n);
    if (k == NULL)
        return NULL;
    k->ban = *ban;
    if (ban->text.n)
        memcpy(k->text, ban->text.p, ban->text.n);
    k->ban.text.p = k->text;
    return k;
}

/* The older half of those that have a place becomes one, in the memory of the first of them, about
 * all that stands before the last of them. */
static void fold(struct bans *b)
{
    struct ban_kept *one = NULL;
    u64 before = 0;
    bool soft = true;
    for (u32 left = atomic_load(&b->n) / 2 + 1; left && !list_empty(&b->placed); left--) {
        struct ban_kept *k = kept_at(b->placed.next);
        leave(b, k);
        before = k->ban.before;
        soft &= k->ban.soft;
        if (one)
            free(k);
        else
            one = k;
    }
    if (one) {
        one->ban = (struct ban){ ++b->ids, before, SEGLOG_BAN_PREFIX, soft, { one->text, 0 } };
        enter(b, one);
    }
}

static bool has_room(const struct bans *b, size_t n)
{
    return atomic_load(&b->n) < SEGLOG_BANS && b->bytes + sizeof(struct ban_kept) + n <= BANS_BYTES;
}

bool bans_add(struct bans *b, const struct ban *ban, u64 *id)
{
    pthread_rwlock_wrlock(&b->lock);
    struct ban_kept *k = like(b, ban);
    if (k == NULL && !has_room(b, ban->text.n))
        fold(b);
    if (k && k->ban.before >= ban->before) { /* it stays where it is in the order */
        leave_id(b, k);
        *id = k->ban.id = ++b->ids;
        enter_id(b, k);
        pthread_rwlock_unlock(&b->lock);
        return true;
    }
    if (k) {
        leave(b, k);
        k->ban.before = ban->before;
    } else if (has_room(b, ban->text.n)) {
        k = copy_of(ban);
    }
    if (k) {
        *id = k->ban.id = ++b->ids;
        enter(b, k);
    }
    note_newest(b);
    pthread_rwlock_unlock(&b->lock);
    return k != NULL;
}

bool bans_get(struct bans *b, u64 id, struct ban *out)
{
    pthread_rwlock_rdlock(&b->lock);
    const struct ban_kept *k = with_id(b, id);
    char *text = k ? malloc(k->ban.text.n + 1) : NULL;
    if (text) {
        *out = k->ban;
        memcpy(text, k->text, k->ban.text.n);
        out->text.p = text;
    }
    pthread_rwlock_unlock(&b->lock);
    return text != NULL;
}

void bans_set_place(struct bans *b, u64 id, u64 before)
{
    pthread_rwlock_wrlock(&b->lock);
    struct ban_kept *k = with_id(b, id);
    if (k) {
        leave(b, k);
        k->ban.before = before;
        enter(b, k);
    }
    note_newest(b);
    pthread_rwlock_unlock(&b->lock);
}

void bans_forget(struct bans *b, u64 place)
{
    pthread_rwlock_wrlock(&b->lock);
    while (!list_empty(&b->placed) && kept_at(b->placed.next)->ban.before < place) {
        struct ban_kept *k = kept_at(b->placed.next);
        leave(b, k);
        free(k);
    }
    note_newest(b);
    pthread_rwlock_unlock(&b->lock);
}

u64 bans_last_place(struct bans *b)
{
    pthread_rwlock_rdlock(&b->lock);
    u64 last = list_empty(&b->placed) ? 0 : kept_at(b->placed.prev)->ban.before;
    pthread_rwlock_unlock(&b->lock);
    return last;
}

/* ---- what they are about ---- */

struct asked {
    const struct bans *b;
    u64 place;
    enum seglog_standing is;
};

static void ask(struct asked *a, enum seglog_ban_kind kind, struct slice text)
{
    const struct ban_kept *k = *bucket_of(a->b, kind, text);
    for (; k; k = k->next)
        if (k->ban.kind == kind && a->place < k->ban.before && slice_eq(k->ban.text, text)) {
            enum seglog_standing is = k->ban.soft ? SEGLOG_STALE : SEGLOG_BANNED;
            a->is = is > a->is ? is : a->is;
        }
}

static void ask_prefixes(struct asked *a, struct slice url)
{
    for (u32 i = 0; i < countof(a->b->lengths) && (size_t)i * 64 <= url.n; i++)
        for (u64 bits = a->b->lengths[i]; bits; bits &= bits - 1) {
            size_t n = (size_t)i * 64 + (size_t)__builtin_ctzll(bits);
            if (n <= url.n)
                ask(a, SEGLOG_BAN_PREFIX, (struct slice){ url.p, n });
        }
}

enum seglog_standing bans_standing(struct bans *b, u64 place, struct slice url, struct slice tags)
{
    struct asked a = { b, place, SEGLOG_STANDS };
    struct slice tag;
    if (place >= atomic_load_explicit(&b->newest, memory_order_acquire))
        return a.is;
    pthread_rwlock_rdlock(&b->lock);
    ask_prefixes(&a, url);
    ask(&a, SEGLOG_BAN_URL, url);
    while (slice_cut(&tags, ' ', &tag))
        ask(&a, SEGLOG_BAN_TAG, tag);
    pthread_rwlock_unlock(&b->lock);
    return a.is;
}
