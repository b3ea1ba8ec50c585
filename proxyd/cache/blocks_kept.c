/* The origin's answer to a request for one block: what it has to be, and how it is kept. */
#include "cache/blocks.h"

#include "base/must.h"
#include "cache/errand.h"
#include "cache/precondition.h"
#include "cache/resume.h"
#include "cache/storing.h"

u64 blocks_size(const struct notes *n)
{
    const struct cache_conf *c = &n->use->conf;
    bool otherwise = n->rule && n->rule->range;
    return !otherwise && c->slice <= c->memory / 4 ? c->slice : 0;
}

/* ---- is it one? ---- */

/* That block, all of it, and of what length of the whole. */
static bool is_block(const struct msg *m, u64 number, u64 size, u64 *length)
{
    struct byte_range r, want;
    if (m->status != 206 || m->body != BODY_LENGTH || msg_count(m, TOKEN_CONTENT_RANGE) != 1 ||
        !content_range_read(msg_get(m, TOKEN_CONTENT_RANGE), &r, length) ||
        number >= (*length + size - 1) / size)
        return false;
    want = block_range(*length, size, number);
    return r.from == want.from && r.to == want.to && m->body_len == r.to - r.from + 1;
}

/* Digests of the content are of the part. */
static void become_whole(struct msg *m, u64 length)
{
    m->status = 200;
    m->reason = status_reason(200);
    m->body_len = length;
    msg_remove(m, TOKEN_CONTENT_RANGE);
    msg_remove(m, TOKEN_CONTENT_DIGEST);
    msg_remove(m, TOKEN_CONTENT_MD5);
}

/* The head of the whole, as it is to be kept. NULL: no memory. */
static struct msg *head_of_whole(struct xchg *x, u64 length)
{
    struct msg *m = arena_try(&x->arena, sizeof *m);
    if (m == NULL || !msg_share(m, &x->resp, &x->arena))
        return NULL;
    become_whole(m, length);
    return m;
}

static bool is_keepable(struct xchg *x, const struct msg *whole, struct object_facts *f)
{
    const struct notes *n = notes_of(x);
    u64 now = now_s(x), took = (x->worker->loop.now.mono_us - x->start_us) / 1000000;
    return validator_is_strong(whole, now) && lookup_vetted(x) &&
           response_kept(&x->req, whole, now - took, now, override_of(n), &f->fresh) == KEPT_YES &&
           copy_vary(x, whole, f) == KEPT_YES && copy_tags(x, whole, f);
}

/* ---- keeping ---- */

/* For those who go on where a body was given up? It stays in memory: the disk was too slow. */
static bool resumes(const struct notes *n)
{
    return n->fetch && n->fetch->resumes;
}

/* In memory until it is on disk, if that is where it goes. */
static bool has_room(const struct notes *n, u64 length)
{
    u64 most = n->storing && length > 2 * SEGLOG_PART ? 2 * SEGLOG_PART : length;
    return budget_may_grow(&n->use->cache->memory.budget, most, resumes(n) ? GROW_MORE : GROW_HALF);
}

/* Its head says nothing but when: what there is to say stands in the manifest. */
static struct object *new_block(struct xchg *x, struct object_facts *f, u64 length)
{
    struct msg *m = arena_try(&x->arena, sizeof *m);
    if (m == NULL)
        return NULL;
    msg_init(m, &x->arena);
    m->response = true;
    m->status = 206;
    m->reason = status_reason(206);
    f->vary = f->tags = SLICE("");
    f->variant = 0;
    copy_name(x, f);
    return freshness_dated(m, &f->fresh) ? copy_object(x, f, m, length) : NULL;
}

static bool keep_block(struct xchg *x, struct object_facts f, u64 length)
{
    struct notes *n = notes_of(x);
    n->storing = resumes(n) ? NULL : storing_begin(x, &f);
    n->most = length;
    n->epoch = epoch_of(&n->use->cache->epochs, &n->key); /* for storing.c, of this key */
    n->copy = has_room(n, length) ? new_block(x, &f, length) : NULL;
    if (n->copy) {
        n->copy->body->grows = resumes(n) ? GROW_MORE : GROW_HALF;
        memory_add(&n->use->cache->memory, n->copy);
    } else {
        storing_drop(&n->storing);
    }
    return n->copy != NULL;
}

static struct body *manifest_body(struct budget *budget, const struct manifest *m)
{
    char area[MANIFEST_TEXT];
    struct text t = text_in(area, sizeof area);
    manifest_write(&t, m);
    return body_whole(budget, text_slice(&t));
}

/* Found from now on, in place of what there was of that URL. */
static struct object *keep_manifest(struct xchg *x, struct msg *whole, struct object_facts *f,
                                    const struct manifest *m)
{
    struct memory *memory = &notes_of(x)->use->cache->memory;
    if (!copy_strip(x, whole, f))
        return NULL;
    copy_name(x, f);
    whole->status = 206;
    whole->reason = status_reason(206);
    struct body *body = manifest_body(&memory->budget, m);
    struct object *o = object_new(&memory->budget, f, whole, body);
    if (body)
        body_put(body);
    if (o)
        memory_add(memory, o);
    if (o && is_purged(notes_of(x))) {
        memory_remove(memory, o);
        object_put(&o);
    }
    struct storing *s = o ? storing_begin(x, f) : NULL;
    if (o) {
        storing_post(x, &s, o);
        memory_settle(memory, o);
    }
    return o;
}

static bool is_of(struct xchg *x, const struct object *manifest, const struct msg *whole)
{
    struct msg *stored = arena_try(&x->arena, sizeof *stored);
    if (stored == NULL)
        return false;
    msg_init(stored, &x->arena);
    return stored_head_give(manifest->head, stored) && validator_same(stored, whole, now_s(x));
}

/* Not to be guessed, nor had before a restart. */
static u64 new_id(const struct xchg *x)
{
    u64 parts[] = { x->id, x->worker->id, x->worker->loop.now.wall_us };
    return hash64(hash_process_key(), parts, sizeof parts);
}

/* The representation is the one that is known, or another one begins. */
static bool know(struct xchg *x, u64 length, struct object_facts *f)
{
    struct notes *n = notes_of(x);
    struct blocks *b = n->blocks;
    struct manifest m = b->manifest;
    const struct object *known = b->of ? b->of : n->stale;
    struct msg *whole = head_of_whole(x, length);
    if (whole == NULL || !is_keepable(x, whole, f))
        return false;
    bool same = m.length == length && known && is_of(x, known, whole);
    if (!same)
        m = (struct manifest){ .id = new_id(x),
                               .length = length,
                               .size = m.length ? m.size : blocks_size(n) };
    if (!same || n->stale) {
        blocks_leave(x);
        struct object *o = keep_manifest(x, whole, f, &m);
        if (o == NULL)
            return false;
        object_put(&b->of);
        b->of = o;
    }
    b->manifest = m;
    return true;
}

/* ---- the answer to x itself ---- */

static void forget(struct xchg *x, struct object **o)
{
    if (*o)
        memory_remove(&notes_of(x)->use->cache->memory, *o);
    object_put(o);
}

/* What the client has asked for, as if there were no slices, and for two minutes of nobody else. */
static enum blocks_answer ask_without(struct xchg *x)
{
    struct notes *n = notes_of(x);
    blocks_note_unsliced(x);
    blocks_leave(x);
    forget(x, &n->blocks->of);
    forget(x, &n->stale);
    blocks_end(x);
    n->validates = false;
    msg_remove(&x->req, TOKEN_IF_NONE_MATCH);
    msg_remove(&x->req, TOKEN_IF_MODIFIED_SINCE);
    msg_remove(&x->req, TOKEN_RANGE);
    if (msg_has(n->asked, TOKEN_RANGE))
        copy_ask_for_range(x);
    x->ask_again = true;
    return BLOCKS_AGAIN;
}

/* Nothing but one block: it is kept as the whole that it is. */
static enum blocks_answer take_whole(struct xchg *x)
{
    become_whole(&x->resp, x->resp.body_len);
    blocks_leave(x);
    blocks_end(x);
    return BLOCKS_NONE;
}

/* Who waits for the first one of all has to look whether it is for him; who waits for a block of
 * what he knows knows that. */
static void land(struct xchg *x)
{
    struct notes *n = notes_of(x);
    if (n->flight && !cache_key_same(&n->flight->key, &n->blocks->url.key))
        flight_land(&n->use->cache->flights, &n->flight, WAKE_AGAIN);
    blocks_leave(x);
    copy_land(x, KEPT_YES, n->blocks->of);
}

/* x->resp becomes what the client gets. */
static enum blocks_answer give(struct xchg *x, struct sink *tee, u64 length)
{
    struct notes *n = notes_of(x);
    object_put(&n->stale);
    become_whole(&x->resp, length);
    if (!blocks_plan(x, n->blocks->of)) {
        x->fault = FAULT_out_of_memory;
        return BLOCKS_AGAIN;
    }
    *tee = copy_lead(x, blocks_source(n->blocks));
    if (!answer_from_copy(x))
        x->fault = FAULT_out_of_memory;
    return BLOCKS_KEPT;
}

static enum blocks_answer keep(struct xchg *x, struct sink *tee, u64 length)
{
    struct notes *n = notes_of(x);
    struct blocks *b = n->blocks;
    struct object_facts f = { .by_parent = false };
    if (!know(x, length, &f))
        return ask_without(x);
    blocks_turn_to(x, b->asked);
    if (!keep_block(x, f, x->resp.body_len))
        return ask_without(x);
    land(x);
    x->kept = KEPT_YES;
    if (!n->refreshes)
        return give(x, tee, length);
    *tee = copy_lead(x, copy_source(x));
    return BLOCKS_KEPT;
}

/* The range of the client begins in this block, so it is not there either. */
static bool is_clients_own(const struct xchg *x)
{
    const struct notes *n = notes_of(x);
    return msg_has(n->asked, TOKEN_RANGE) && !msg_has(n->asked, TOKEN_IF_RANGE) &&
           n->blocks->asked > 0;
}

enum blocks_answer blocks_begin(struct xchg *x, struct sink *tee)
{
    struct notes *n = notes_of(x);
    struct blocks *b = n->blocks;
    u64 length, size = b->manifest.length ? b->manifest.size : blocks_size(n);
    expect(size > 0); /* no block is asked for of what is not kept in slices */
    b->asks = false;
    if (x->resp.status == 416 && !is_clients_own(x))
        return ask_without(x);
    if (x->resp.status != 206) {
        blocks_leave(x);
        if (x->resp.status < 500) /* it has something else by now */
            forget(x, &b->of);
        blocks_end(x);
        return BLOCKS_NONE;
    }
    if (!is_block(&x->resp, b->asked, size, &length))
        return ask_without(x);
    return length <= size ? take_whole(x) : keep(x, tee, length);
}

/* ---- the answer to block_fetch.c ---- */

/* Is it a block of what is known? */
static bool is_expected(struct xchg *x, const struct block_fetch *f)
{
    u64 length;
    if (!is_block(&x->resp, f->number, f->of.size, &length) || length != f->of.length)
        return false;
    const struct msg *whole = head_of_whole(x, length);
    return whole && is_of(x, f->manifest, whole);
}

static bool try_to_keep(struct xchg *x, const struct block_fetch *f)
{
    struct object_facts facts = { .by_parent = false };
    const struct msg *whole = head_of_whole(x, f->of.length);
    return whole && is_keepable(x, whole, &facts) && keep_block(x, facts, x->resp.body_len);
}

/* It has something else by now, or gives no ranges. One that refuses this client alone may give
 * them to others who go on. */
static void forget_all(struct xchg *x, const struct block_fetch *f)
{
    u16 status = x->resp.status;
    if (!f->resumes)
        memory_remove(&notes_of(x)->use->cache->memory, f->manifest);
    else if (status < 400 || status == 404 || status == 410 || status == 416)
        resume_end(f->manifest);
}

/* The flight goes back to who may try it again: those who wait for it go on waiting. */
void block_failed(struct xchg *x)
{
    struct notes *n = notes_of(x);
    struct block_fetch *f = n->fetch;
    if (f->state == FETCH_ASKS && fault_info(x->fault)->whose == FAULT_OF_UPSTREAM)
        f->state = FETCH_BROKEN;
    if (f->state != FETCH_BROKEN || n->flight == NULL)
        return;
    f->flight = n->flight;
    n->flight = NULL;
}

bool block_begin(struct xchg *x, struct sink *tee)
{
    struct notes *n = notes_of(x);
    struct block_fetch *f = n->fetch;
    if (is_expected(x, f))
        f->state = try_to_keep(x, f) ? FETCH_KEPT : FETCH_PASSES;
    else
        f->state = is_failure(x->resp.status) ? FETCH_BROKEN : FETCH_FAILED;
    if (f->state == FETCH_BROKEN) {
        block_failed(x);
        return false;
    }
    bool kept = f->state == FETCH_KEPT;
    if (f->state == FETCH_FAILED && x->resp.status < 500)
        forget_all(x, f);
    bool over = f->resumes && !resume_lasts(f->manifest);
    if (n->flight)
        flight_land(&n->use->cache->flights, &n->flight, kept || over ? WAKE_AGAIN : WAKE_ALONE);
    if (kept)
        *tee = copy_lead(x, copy_source(x));
    return kept;
}
