/*
 * The cache behind the seam of core/exchange/store.h: what becomes of an answer that comes from
 * the origin. One that says "not modified" makes new what is kept, one that fails may be replaced
 * by it, one to an unsafe request makes it untrue, and any other may be kept itself.
 */
#include "cache/cache.h"

#include "cache/from_disk.h"
#include "cache/blocks.h"
#include "cache/invalidate.h"
#include "cache/lookup.h"
#include "cache/purge.h"
#include "cache/resume.h"
#include "cache/steering.h"
#include "cache/storing.h"
#include "cache/tags.h"

static void forget(void *who, const struct cache_url *url)
{
    struct xchg *x = who;
    const struct notes *n = notes_of(x);
    struct cache_url kept = *url;
    struct text t = text_in(arena_try(&x->arena, url->path.n), url->path.n);
    if (t.p)
        kept.path = steering_path(n->rule, url->path, &t);
    stat_add(x->worker->stats, STAT_cache_purged_total, purge_url(n->use->cache, &kept));
}

/* The head that is kept takes over what the 304 says. *kept: may it be kept on? NULL: the 304 is
 * about something else, or there is no memory. */
static struct object *renewed(struct xchg *x, struct notes *n, enum kept *kept)
{
    struct memory *memory = &n->use->cache->memory;
    struct msg *m = arena_try(&x->arena, sizeof *m);
    struct object_facts f = {
        .key = n->key, .server = x->server, .by_parent = x->to.is_parent, .url = n->stale->url
    };
    u64 now = now_s(x), took = (x->worker->loop.now.mono_us - x->start_us) / 1000000;
    bool tagged = true;
    if (m == NULL)
        return NULL;
    msg_init(m, &x->arena);
    m->method = METHOD_GET;
    f.tags = n->stale->tags;
    if (!stored_head_give(n->stale->head, m) || !freshness_update(m, &x->resp))
        return NULL;
    if (msg_has(m, TOKEN_SURROGATE_KEY) || msg_has(m, TOKEN_CACHE_TAG))
        tagged = copy_tags(x, m, &f);
    if (object_is_manifest(n->stale)) /* it stands for the whole */
        m->status = 200;
    *kept = response_kept(&x->req, m, now - took, now, override_of(n), &f.fresh);
    if (*kept == KEPT_YES)
        *kept = lookup_vetted(x) ? copy_vary(x, m, &f) : KEPT_RULE;
    if (*kept == KEPT_YES && !tagged)
        *kept = KEPT_TAGS_MANY;
    if (*kept != KEPT_YES)
        f.fresh = (struct freshness){ .received = now, .date = now };
    else
        note_departure(n, &f);
    freshness_strip(m, &f.fresh);
    if (!freshness_dated(m, &f.fresh))
        return NULL;
    if (n->use->origin_side)
        tags_strip(m);
    m->status = n->stale->head->status;
    struct object *o = object_new(&memory->budget, &f, m, n->stale->body);
    if (o && *kept == KEPT_YES)
        n->storing = storing_begin(x, &f);
    return o;
}

static void land(struct notes *n, enum wake_reason how)
{
    if (n->flight)
        flight_land(&n->use->cache->flights, &n->flight, how);
}

/* It is not to be given to anybody any more, so it must not come back from the disk. */
static void take_back(struct notes *n)
{
    const struct cache_url url = url_of(n);
    memory_remove(&n->use->cache->memory, n->stale);
    (void)purge_if_on_disk(n->use->cache, &url);
}

/* What was kept has become `o`, which is for whoever had it validated: of others the origin has
 * said nothing. On disk the new record takes the place of the old one only when both vary alike. */
static void give_up_stale(struct notes *n, const struct object *o, enum kept kept)
{
    if (kept == KEPT_REQUEST_NO_STORE || kept == KEPT_AUTHORIZED)
        return;
    if (kept == KEPT_YES && slice_eq(o->vary, n->stale->vary))
        memory_remove(&n->use->cache->memory, n->stale);
    else
        take_back(n);
}

/* What is kept is not what the origin means: all of it is to come. */
static void ask_for_all(struct xchg *x, struct notes *n)
{
    take_back(n);
    object_put(&n->stale);
    n->validates = false;
    msg_remove(&x->req, TOKEN_IF_NONE_MATCH);
    msg_remove(&x->req, TOKEN_IF_MODIFIED_SINCE);
    x->ask_again = true;
}

static void not_modified(struct xchg *x)
{
    struct notes *n = notes_of(x);
    struct memory *memory = &n->use->cache->memory;
    struct cache_status s = { .fwd = (enum fwd)n->fwd, .fwd_status = 304 };
    enum kept kept = KEPT_YES;
    struct object *o = renewed(x, n, &kept);
    if (o == NULL) {
        ask_for_all(x, n);
        return;
    }
    give_up_stale(n, o, kept);
    atomic_store(&o->uses, atomic_load(&n->stale->uses)); /* it is as popular */
    /* One on disk is in memory only until its new head is written. */
    bool may_add = n->storing || !body_is_on_disk(o->body);
    s.stored = kept == KEPT_YES && may_add;
    if (s.stored)
        memory_add(memory, o);
    if (s.stored && is_purged(n)) {
        s.stored = false;
        memory_remove(memory, o);
    }
    if (s.stored) {
        storing_post(x, &n->storing, o);
        memory_settle(memory, o);
    }
    storing_drop(&n->storing);
    copy_land(x, s.stored ? KEPT_YES : KEPT_INCOMPLETE, o);
    if (n->blocks && !blocks_plan(x, o))
        x->fault = FAULT_out_of_memory;
    object_put(&n->stale);
    (void)answer_give(x, &o, CACHED_REVALIDATED, &s);
}

static bool rescue(struct xchg *x, u16 fwd_status)
{
    struct notes *n = notes_of(x);
    struct cache_status s = { .fwd = (enum fwd)n->fwd, .fwd_status = fwd_status };
    struct freshness area;
    if (n->stale == NULL ||
        !freshness_on_error(object_fresh(n->stale, &area), &n->control, now_s(x)))
        return false;
    if (n->blocks && !(blocks_have_first(x) == BLOCK_HERE && blocks_have_all(x)))
        return false;
    land(n, WAKE_ALONE);
    return answer_give(x, &n->stale, CACHED_RESCUED, &s);
}

static void tell_slices(struct xchg *x)
{
    struct cache_status s = { .fwd = (enum fwd)notes_of(x)->fwd,
                              .stored = notes_of(x)->copy != NULL,
                              .detail = SLICE("slices") };
    if (notes_of(x)->use->origin_side)
        tags_strip(&x->resp);
    (void)answer_status(x, &s);
}

/* Does the answer to a HEAD say that what is kept is no more what a GET would get? What a user gets
 * says nothing of what others do. */
static bool is_outdated(struct xchg *x, const struct notes *n)
{
    if (msg_has(&x->req, TOKEN_AUTHORIZATION))
        return false;
    struct msg *kept = arena_try(&x->arena, sizeof *kept);
    if (kept == NULL)
        return false;
    msg_init(kept, &x->arena);
    return stored_head_give(n->stale->head, kept) &&
           freshness_differs(kept, n->stale->body->length, &x->resp);
}

static bool begin(struct xchg *x, struct sink *tee)
{
    struct notes *n = notes_of(x);
    if (n == NULL)
        return false;
    if (n->stale && n->validates && x->resp.status == 304) {
        not_modified(x);
        return false;
    }
    if (unlikely(n->fetch))
        return block_begin(x, tee);
    if (n->stale && is_failure(x->resp.status) && rescue(x, x->resp.status))
        return false;
    if (unlikely(n->blocks) && n->blocks->asks)
        switch (blocks_begin(x, tee)) {
        case BLOCKS_NONE: break;
        case BLOCKS_AGAIN: return false;
        case BLOCKS_KEPT: tell_slices(x); return true;
        }
    if (unlikely(n->stale && x->req.method == METHOD_HEAD) && is_outdated(x, n))
        take_back(n);
    if (n->has_changed)
        invalidate(&n->url, x->req.method, &x->resp, forget, x);
    u16 status = x->resp.status;
    *tee = copy_begin(x);
    struct cache_status s = { .fwd = (enum fwd)n->fwd,
                              .fwd_status = x->resp.status == status ? 0 : status,
                              .stored = x->kept == KEPT_YES,
                              .detail =
                                  slice_of(x->kept == KEPT_YES ? "" : kept_info(x->kept)->word) };
    if (n->use->origin_side)
        tags_strip(&x->resp);
    (void)answer_status(x, &s);
    return tee->ops != NULL;
}

static bool on_failure(struct xchg *x, enum fault why)
{
    (void)why;
    return notes_of(x) && rescue(x, 0);
}

/* Others read it, or more than half of it is there. */
static bool keep(struct xchg *x)
{
    const struct notes *n = notes_of(x);
    if (n->copy == NULL)
        return false;
    struct body *b = n->copy->body;
    u64 have = body_have(b);
    return atomic_load(&b->readers) > 1 || (b->length != UINT64_MAX && have > b->length / 2);
}

/* When only this one's client has gone, the next one goes to the origin for all. */
static enum wake_reason verdict(const struct xchg *x)
{
    return fault_info(x->fault)->whose == FAULT_OF_CLIENT ? WAKE_AGAIN : WAKE_ALONE;
}

/* A part of it could not be read: nobody else is to be cut off there. */
static void forget_bad(const struct notes *n)
{
    const struct cache_url url = url_of(n);
    if (n->given && atomic_load_explicit(&n->given->body->bad, memory_order_relaxed))
        (void)purge_url(n->use->cache, &url);
}

/* What lies on disk is another object for each use, and counts nothing in itself. */
static void note_saved(struct xchg *x, struct notes *n)
{
    struct body *b = n->given->body;
    if (unlikely(x->cached != CACHED_HIT) && body_is_on_disk(b))
        savers_note(&n->use->cache->savers, n->given, x->response.moved, now_s(x));
    else
        atomic_fetch_add_explicit(&b->saved, x->response.moved, memory_order_relaxed);
}

/* For whoever asks why it is not kept. What was given from the cache says nothing new of that. */
static void note_refusal(const struct xchg *x, const struct notes *n)
{
    if (x->cached >= CACHED_REFRESHED && x->cached <= CACHED_BYPASS && n->fetch == NULL)
        refusal_note(&n->use->cache->refusals, &n->key, now_s(x), (enum kept)x->kept);
}

static void done(struct xchg *x)
{
    struct notes *n = notes_of(x);
    if (n == NULL)
        return;
    forget_bad(n);
    if (n->wake)
        flight_leave(&n->use->cache->flights, &n->key, &n->wake);
    if (n->given && cached_saved(x->cached))
        note_saved(x, n);
    if (unlikely(n->fetch))
        block_failed(x);
    if (unlikely(n->flight))
        land(n, n->load ? WAKE_AGAIN : verdict(x));
    if (unlikely(n->load))
        from_disk_end(&n->load);
    copy_end(x);
    note_refusal(x, n);
    if (unlikely(n->blocks))
        blocks_end(x);
    object_put(&n->stale);
    object_put(&n->given);
}

const struct store cache_store = { .lookup = cache_lookup,
                                   .resume = cache_resume,
                                   .begin = begin,
                                   .rescue = on_failure,
                                   .keep = keep,
                                   .go_on = resume_go_on,
                                   .done = done };
