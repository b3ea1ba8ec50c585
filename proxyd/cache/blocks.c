#include "cache/blocks.h"

#include "cache/errand.h"
#include "cache/from_disk.h"
#include "cache/lookup.h"
#include "cache/precondition.h"

enum { LOOKED_AT = 64 }; /* blocks, before it is said whether all of them are there */
static const u64 FILE_MOST = 1ull << 62; /* bytes; no sum of two such overflows */

/* ---- who gets an answer from slices ---- */

/* None, or one range alone; *suffix is set for the last so many bytes, for which the length has to
 * be known. */
static bool has_one_range(const struct msg *m, u64 *from, bool *suffix)
{
    struct byte_range r[RANGES_MOST];
    unsigned n;
    *from = 0;
    *suffix = false;
    if (!msg_has(m, TOKEN_RANGE))
        return true;
    if (msg_count(m, TOKEN_RANGE) != 1)
        return false;
    struct slice value = msg_get(m, TOKEN_RANGE);
    if (ranges_read(value, FILE_MOST, r, &n) != RANGES_SOME || n != 1)
        return false;
    *suffix = slice_starts(slice_skip(value, sizeof "bytes=" - 1), SLICE("-"));
    *from = *suffix ? 0 : r->from;
    return true;
}

static bool is_personal(const struct msg *m)
{
    return msg_has(m, TOKEN_AUTHORIZATION) || msg_has(m, TOKEN_COOKIE);
}

bool blocks_new(struct xchg *x)
{
    struct notes *n = notes_of(x);
    if (x->intercepted || x->uri.host.len == 0)
        return false;
    struct blocks *b = arena_try(&x->arena, sizeof *b);
    size_t room = n->key_path.n + BLOCK_PATH;
    char *name = b ? arena_try(&x->arena, 2 * room) : NULL;
    if (name == NULL)
        return false;
    *b = (struct blocks){
        .x = x, .url = { n->key, n->key_path }, .name = { name, name + room }, .room = room
    };
    timer_init(&b->pause.timer, TIMER_ROLE);
    if (!errand_request(x, true, &b->request))
        return false;
    n->blocks = b;
    return true;
}

bool blocks_may(struct xchg *x)
{
    struct notes *n = notes_of(x);
    u64 from;
    bool suffix;
    if (n->blocks)
        return true;
    if (blocks_size(n) == 0 || is_personal(&x->req) || (n->control.has & CONTROL_NO_STORE) ||
        !has_one_range(&x->req, &from, &suffix))
        return false;
    return blocks_new(x);
}

/* One that is to be kept when it is popular is not asked for in slices before. */
static bool is_popular(struct xchg *x)
{
    struct notes *n = notes_of(x);
    u32 least = min_uses_of(n);
    if (least <= 1)
        return true;
    bool counts = msg_has(&x->req, TOKEN_RANGE); /* of what is asked for whole copy.c does */
    struct flights *f = &n->use->cache->flights;
    return (counts ? flight_used(f, &n->key, now_s(x)) : flight_uses(f, &n->key, now_s(x)) + 1) >=
           least;
}

/* A note for the URL, that it is not to be had in slices. */
static struct cache_key unsliced_key(const struct xchg *x)
{
    const struct notes *n = notes_of(x);
    struct cache_key key = n->blocks->url.key;
    key.bits[0] ^= 0x5bd1e995a3c59ac3ull; /* no URL has it but by chance */
    return key;
}

void blocks_note_unsliced(const struct xchg *x)
{
    struct cache_key key = unsliced_key(x);
    flight_note(&notes_of(x)->use->cache->flights, &key, now_s(x), KEPT_PARTIAL);
}

bool blocks_wanted(struct xchg *x)
{
    const struct msg *m = &x->req;
    if (m->method != METHOD_GET || msg_has(m, TOKEN_IF_NONE_MATCH) ||
        msg_has(m, TOKEN_IF_MODIFIED_SINCE) || !blocks_may(x))
        return false;
    struct cache_key key = unsliced_key(x);
    bool noted = flight_noted(&notes_of(x)->use->cache->flights, &key, now_s(x)) != KEPT_YES;
    if (!noted && is_popular(x))
        return true;
    blocks_end(x);
    return false;
}

/* ---- names ---- */

void block_turn_to(struct notes *n, const struct manifest *m, u64 number, struct slice path,
                   struct text *name)
{
    struct cache_url url = n->url;
    block_path(name, path, m, number);
    n->key_path = url.path = text_slice(name);
    cache_key_of(&n->use->cache->memory.secret, &url, &n->key);
}

static void turn(struct xchg *x, u64 number, char *area)
{
    const struct blocks *b = notes_of(x)->blocks;
    struct text t = text_in(area, b->room);
    block_turn_to(notes_of(x), &b->manifest, number, b->url.path, &t);
}

void blocks_turn_to(struct xchg *x, u64 number)
{
    turn(x, number, notes_of(x)->blocks->name[0]);
}

struct block_name blocks_enter(struct xchg *x, u64 number)
{
    struct notes *n = notes_of(x);
    struct block_name was = { n->key, n->key_path };
    turn(x, number, n->blocks->name[1]);
    return was;
}

void blocks_back(struct xchg *x, const struct block_name *was)
{
    struct notes *n = notes_of(x);
    n->key = was->key;
    n->key_path = was->path;
}

void blocks_leave(struct xchg *x)
{
    blocks_back(x, &notes_of(x)->blocks->url);
}

/* ---- the plan ---- */

/* None for HEAD, for who has it already, and for a validation that nobody waits for. */
static void plan_range(struct xchg *x, const struct msg *stored)
{
    const struct notes *n = notes_of(x);
    struct blocks *b = n->blocks;
    struct byte_range r[RANGES_MOST];
    unsigned count;
    b->pos = b->to = 0;
    if (n->refreshes || x->req.method == METHOD_HEAD ||
        precondition_of(n->asked, stored, now_s(x)) != CONDITION_NONE)
        return;
    b->to = b->manifest.length;
    if (!msg_has(n->asked, TOKEN_RANGE) || !if_range_holds(n->asked, stored, now_s(x)))
        return;
    switch (ranges_read(msg_get(n->asked, TOKEN_RANGE), b->manifest.length, r, &count)) {
    case RANGES_SOME:
        b->pos = r->from;
        b->to = r->to + 1;
        break;
    case RANGES_NONE: b->to = 0; break;
    default: break;
    }
}

bool blocks_plan(struct xchg *x, const struct object *manifest)
{
    struct blocks *b = notes_of(x)->blocks;
    struct msg *stored = arena_try(&x->arena, sizeof *stored);
    if (stored == NULL || !manifest_of(manifest, &b->manifest))
        return false;
    msg_init(stored, &x->arena);
    if (!stored_head_give(manifest->head, stored))
        return false;
    object_put(&b->next);
    plan_range(x, stored);
    return true;
}

struct object *block_find(struct xchg *x)
{
    struct notes *n = notes_of(x);
    struct object *o = memory_peek(&n->use->cache->memory, &n->key);
    if (o && !lookup_allowed(x, o))
        object_put(&o);
    return o;
}

void blocks_resume(struct xchg *x)
{
    struct notes *n = notes_of(x);
    struct blocks *b = n->blocks;
    struct object *o = NULL;
    if (b->looks && n->load) { /* which has put it into memory, too */
        (void)lookup_on_disk(x, &o);
        b->no_disk = o == NULL;
        object_put(&o);
    }
    b->looks = false;
    blocks_leave(x);
}

enum have_block blocks_have_first(struct xchg *x)
{
    struct blocks *b = notes_of(x)->blocks;
    if (b->pos == b->to)
        return BLOCK_HERE;
    blocks_turn_to(x, b->pos / b->manifest.size);
    b->next = block_find(x);
    if (b->next == NULL && !b->no_disk) {
        b->looks = lookup_on_disk(x, &b->next);
        if (b->looks)
            return BLOCK_AWAITED;
        if (b->next && !lookup_allowed(x, b->next))
            object_put(&b->next);
    }
    return b->next ? BLOCK_HERE : BLOCK_MISSING;
}

bool block_is_there(struct xchg *x, u64 number)
{
    struct notes *n = notes_of(x);
    struct block_name was = blocks_enter(x, number);
    struct object *o = memory_peek(&n->use->cache->memory, &n->key);
    bool there = o || from_disk_has(x);
    object_put(&o);
    blocks_back(x, &was);
    return there;
}

bool blocks_have_all(struct xchg *x)
{
    const struct blocks *b = notes_of(x)->blocks;
    if (b->pos == b->to)
        return true;
    u64 first = b->pos / b->manifest.size, last = (b->to - 1) / b->manifest.size;
    if (last - first >= LOOKED_AT)
        return false;
    for (u64 i = first + 1; i <= last; i++)
        if (!block_is_there(x, i))
            return false;
    return true;
}

/* ---- asking the origin ---- */

bool blocks_set_range(struct xchg *x, u64 from, u64 to)
{
    struct notes *n = notes_of(x);
    char area[64];
    struct text t = text_in(area, sizeof area);
    if (n->asked == &x->req) {
        struct msg *mine = arena_try(&x->arena, sizeof *mine);
        if (mine == NULL || !msg_share(mine, &x->req, &x->arena))
            return false;
        n->asked = mine;
    }
    text_lit(&t, "bytes=");
    text_u64(&t, from);
    text_char(&t, '-');
    text_u64(&t, to);
    msg_remove(&x->req, TOKEN_IF_RANGE);
    return msg_set(&x->req, TOKEN_RANGE, text_slice(&t));
}

bool blocks_ask(struct xchg *x)
{
    const struct notes *n = notes_of(x);
    struct blocks *b = n->blocks;
    u64 size = blocks_size(n), from;
    bool suffix;
    if (b->manifest.length) {
        size = b->manifest.size;
        from = b->pos;
    } else if (!has_one_range(n->asked, &from, &suffix)) {
        from = 0;
    }
    b->asks = true;
    b->asked = from / size;
    return blocks_set_range(x, b->asked * size, b->asked * size + size - 1);
}

void blocks_end(struct xchg *x)
{
    struct blocks *b = notes_of(x)->blocks;
    if (b == NULL)
        return;
    block_fetch_leave(&b->fetch);
    object_put(&b->of);
    object_put(&b->next);
    notes_of(x)->blocks = NULL;
}
