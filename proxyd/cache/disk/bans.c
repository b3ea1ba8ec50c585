#include "cache/disk/bans.h"

#include <stdlib.h>

#include "base/str.h"

void bans_init(struct bans *b)
{
    *b = (struct bans){ 0 };
    pthread_rwlock_init(&b->lock, NULL);
}

void bans_end(struct bans *b)
{
    for (u32 i = 0; i < b->n; i++)
        free((void *)(uintptr_t)b->ban[i].text.p);
    pthread_rwlock_destroy(&b->lock);
}

static bool copy_text(struct slice *s)
{
    char *p = malloc(s->n ? s->n : 1);
    if (p && s->n)
        memcpy(p, s->p, s->n);
    s->p = p;
    return p != NULL;
}

static void note_newest(struct bans *b)
{
    u64 newest = 0;
    for (u32 i = 0; i < b->n; i++)
        newest = b->ban[i].before > newest ? b->ban[i].before : newest;
    atomic_store_explicit(&b->newest, newest, memory_order_release);
}

static struct ban *with_id(struct bans *b, u64 id)
{
    for (u32 i = 0; i < b->n; i++)
        if (b->ban[i].id == id)
            return &b->ban[i];
    return NULL;
}

static struct ban *like(struct bans *b, const struct ban *ban)
{
    for (u32 i = 0; i < b->n; i++)
        if (b->ban[i].kind == ban->kind && b->ban[i].soft == ban->soft &&
            slice_eq(b->ban[i].text, ban->text))
            return &b->ban[i];
    return NULL;
}

bool bans_add(struct bans *b, const struct ban *ban, u64 *id)
{
    pthread_rwlock_wrlock(&b->lock);
    struct ban *at = like(b, ban);
    if (at == NULL && b->n < SEGLOG_BANS) {
        struct ban new = *ban;
        if (copy_text(&new.text)) {
            at = &b->ban[b->n++];
            *at = new;
        }
    } else if (at && at->before < ban->before) {
        at->before = ban->before;
    }
    if (at)
        *id = at->id = ++b->ids;
    note_newest(b);
    pthread_rwlock_unlock(&b->lock);
    return at != NULL;
}

bool bans_get(struct bans *b, u64 id, struct ban *out)
{
    pthread_rwlock_rdlock(&b->lock);
    const struct ban *there = with_id(b, id);
    bool good = there != NULL;
    if (good) {
        *out = *there;
        good = copy_text(&out->text);
    }
    pthread_rwlock_unlock(&b->lock);
    return good;
}

void bans_set_place(struct bans *b, u64 id, u64 before)
{
    pthread_rwlock_wrlock(&b->lock);
    struct ban *there = with_id(b, id);
    if (there)
        there->before = before;
    note_newest(b);
    pthread_rwlock_unlock(&b->lock);
}

void bans_forget(struct bans *b, u32 oldest)
{
    pthread_rwlock_wrlock(&b->lock);
    for (u32 i = b->n; i-- > 0;)
        if (b->ban[i].before < ban_place(oldest, 0)) {
            free((void *)(uintptr_t)b->ban[i].text.p);
            b->ban[i] = b->ban[--b->n];
        }
    note_newest(b);
    pthread_rwlock_unlock(&b->lock);
}

static bool has_tag(struct slice tags, struct slice tag)
{
    struct slice one;
    while (slice_cut(&tags, ' ', &one))
        if (slice_eq(one, tag))
            return true;
    return false;
}

static bool is_about(const struct ban *ban, struct slice url, struct slice tags)
{
    return ban->kind == SEGLOG_BAN_PREFIX ? slice_starts(url, ban->text) : has_tag(tags, ban->text);
}

enum seglog_standing bans_standing(struct bans *b, u64 place, struct slice url, struct slice tags)
{
    enum seglog_standing is = SEGLOG_STANDS;
    if (place >= atomic_load_explicit(&b->newest, memory_order_acquire))
        return is;
    pthread_rwlock_rdlock(&b->lock);
    for (u32 i = 0; i < b->n && is != SEGLOG_BANNED; i++)
        if (place < b->ban[i].before && is_about(&b->ban[i], url, tags))
            is = b->ban[i].soft ? SEGLOG_STALE : SEGLOG_BANNED;
    pthread_rwlock_unlock(&b->lock);
    return is;
}
