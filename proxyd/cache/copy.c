/*
 * A response that comes from the origin is kept while it passes. The copy leads (store.h): it takes
 * what the origin sends at its pace, and this exchange's client reads it as all the others do who
 * have asked meanwhile, so none of them is slowed by another. It is found by others from its head
 * on; when it is cut, or grows too large, it is no more found, and whoever reads it is cut as well.
 * When it finds no room they go on without it, if they can (resume.h), or at their own pace
 * (pace.h).
 */
#include "cache/notes.h"

#include "cache/pace.h"
#include "cache/resume.h"
#include "cache/storing.h"

static void drop(struct xchg *x, enum kept why)
{
    struct notes *n = notes_of(x);
    memory_remove(&n->use->cache->memory, n->copy);
    body_end(n->copy->body, BODY_CUT);
    pace_end(x);
    object_put(&n->copy);
    storing_drop(&n->storing);
    x->kept = (u8)why;
    if (why == KEPT_TOO_LARGE)
        flight_note(&n->use->cache->flights, &n->key, now_s(x), why);
}

static void copy_drop(void *self, enum fault why);

static enum flow copy_put(void *self, struct slice run, size_t *taken)
{
    struct xchg *x = self;
    struct notes *n = notes_of(x);
    *taken = body_append(n->copy->body, run, n->most);
    while (unlikely(*taken < run.n)) {
        enum pace p = pace_of(x);
        if (p == PACE_WAIT)
            return FLOW_WAIT;
        if (p == PACE_GIVE_UP)
            break;
        *taken += body_append(n->copy->body, slice_skip(run, *taken), n->most);
    }
    if (likely(*taken == run.n)) {
        pace_found(x);
        return FLOW_OK;
    }
    if (x->feed == NULL) /* its client has gone, and the exchange ends with the copy */
        copy_drop(x, FAULT_NONE);
    return FLOW_FAULT;
}

/* The copy is whole. */
static void settle(struct xchg *x)
{
    struct notes *n = notes_of(x);
    storing_post(x, &n->storing, n->copy); /* before it may leave to make room */
    memory_settle(&n->use->cache->memory, n->copy);
    object_put(&n->copy);
}

/* Likewise, of one that was whole before it was put in: what need not be written is in its queue
 * already. */
static void settle_at_once(struct xchg *x)
{
    struct notes *n = notes_of(x);
    stat_add(x->worker->stats, STAT_cache_fills_total, 1);
    if (n->storing) {
        settle(x);
        return;
    }
    storing_post(x, &n->storing, n->copy);
    object_put(&n->copy);
}

static enum flow copy_finish(void *self, const struct msg *trailers)
{
    struct xchg *x = self;
    struct notes *n = notes_of(x);
    (void)trailers;
    if (n->copy == NULL)
        return FLOW_OK;
    body_end(n->copy->body, BODY_WHOLE);
    pace_end(x);
    if (n->copy->body->passes)
        object_put(&n->copy);
    else
        settle(x);
    return FLOW_OK;
}

/* Has its client asked for a range, and x for something else? */
static bool gives_part(const struct xchg *x)
{
    const struct notes *n = notes_of(x);
    return n->blocks || (n->asked != &x->req && msg_has(n->asked, TOKEN_RANGE));
}

static void copy_drop(void *self, enum fault why)
{
    struct xchg *x = self;
    struct notes *n = notes_of(x);
    if (n->copy == NULL)
        return;
    bool full = n->copy->body->have >= n->most;
    if (why == FAULT_NONE)
        resume_offer(x);
    drop(x, why ? KEPT_INCOMPLETE : full ? KEPT_TOO_LARGE : KEPT_NO_ROOM);
    if (why == FAULT_NONE && gives_part(x)) /* the rest of what comes is not what it wants */
        x->copy_fault = FAULT_out_of_memory;
}

static const struct sink_ops copy_ops = { copy_put, copy_finish, NULL, copy_drop, NULL };

static u64 announced(const struct msg *m)
{
    return m->body == BODY_LENGTH ? m->body_len : m->body == BODY_NONE ? 0 : UINT64_MAX;
}

/* Bytes that a body may have: what is kept in memory alone shares that with others. */
static u64 most_of(const struct notes *n)
{
    const struct cache_rule *r = n->rule;
    u64 most = r && r->max_object ? r->max_object : n->use->conf.max_object;
    u64 room = n->use->conf.memory / 4, on_disk = n->storing ? n->use->conf.size / 2 : 0;
    room = room > on_disk ? room : on_disk;
    return most < room ? most : room;
}

/* Of what this cache may not keep for want of room or use. */
static enum kept fits(struct xchg *x, const struct object_facts *f)
{
    struct notes *n = notes_of(x);
    u32 uses = min_uses_of(n);
    u64 length = announced(&x->resp);
    if (uses > 1 && flight_used(&n->use->cache->flights, &n->key, now_s(x)) < uses)
        return KEPT_MIN_USES;
    n->storing = storing_begin(x, f);
    n->most = most_of(n);
    if (length == UINT64_MAX || length <= n->most)
        return KEPT_YES;
    storing_drop(&n->storing);
    return KEPT_TOO_LARGE;
}

struct object *copy_object(struct xchg *x, const struct object_facts *f, const struct msg *m,
                           u64 length)
{
    struct notes *n = notes_of(x);
    struct memory *memory = &n->use->cache->memory;
    struct body *body = body_new(&memory->budget, length);
    if (body && n->storing && length > SEGLOG_INLINE) /* or of no known one */
        body_spill(body, storing_disk(n->storing));
    struct object *o = object_new(&memory->budget, f, m, body);
    if (body)
        body_put(body); /* the object holds it */
    return o;
}

/* A body that has come with its head, so no more than a buffer, is kept at once, and passes as if
 * there were no cache: what the client does not take of it waits behind the head, and nothing waits
 * for the client. It goes out of the buffer, which is near; the copy of 8 kB is not, and cost 2 us
 * more. */
static bool is_here(const struct xchg *x, struct slice *body)
{
    const struct leg *l = &x->upstream;
    return l->ops->body_here && l->ops->body_here(l, body) && !gives_part(x);
}

/* Does the client get fields that are not kept, but for those of the hop, which go in any case? */
static bool differs(const struct msg *m, const struct freshness *f)
{
    return !f->names_none || !f->dated || m->body != BODY_LENGTH || msg_has(m, TOKEN_AGE) ||
           msg_has(m, TOKEN_CACHE_STATUS) || msg_has(m, TOKEN_PROXY_STATUS) ||
           msg_has(m, TOKEN_SET_COOKIE);
}

/* The response as it is to be kept: most often as it goes to the client. NULL: no memory. */
static struct msg *stripped(struct xchg *x, const struct object_facts *f)
{
    struct msg *m = &x->resp;
    if (differs(m, &f->fresh)) {
        m = arena_try(&x->arena, sizeof *m);
        if (m == NULL || !msg_share(m, &x->resp, &x->arena))
            return NULL;
    }
    return copy_strip(x, m, f) ? m : NULL;
}

static struct object *make(struct xchg *x, struct object_facts *f)
{
    struct budget *budget = &notes_of(x)->use->cache->memory.budget;
    const struct msg *m = stripped(x, f);
    struct slice bytes;
    if (m == NULL)
        return NULL;
    copy_name(x, f);
    if (!is_here(x, &bytes))
        return copy_object(x, f, m, announced(&x->resp));
    struct body *body = body_whole(budget, bytes);
    struct object *o = object_new(budget, f, m, body);
    if (body)
        body_put(body);
    return o;
}

static enum kept try_to_keep(struct xchg *x)
{
    struct notes *n = notes_of(x);
    struct object_facts f = { .by_parent = false };
    u64 now = now_s(x), took = (x->worker->loop.now.mono_us - x->start_us) / 1000000;
    if (!lookup_vetted(x))
        return KEPT_RULE;
    enum kept kept = response_kept(&x->req, &x->resp, now - took, now, override_of(n), &f.fresh);
    if (kept == KEPT_YES)
        kept = copy_vary(x, &x->resp, &f);
    if (kept == KEPT_YES && !copy_tags(x, &x->resp, &f))
        kept = KEPT_TAGS_MANY;
    if (kept == KEPT_YES)
        kept = fits(x, &f);
    if (kept != KEPT_YES)
        return kept;
    n->copy = make(x, &f);
    if (n->copy == NULL) {
        storing_drop(&n->storing);
        return KEPT_NO_ROOM;
    }
    if (n->storing || object_is_growing(n->copy))
        memory_add(&n->use->cache->memory, n->copy);
    else
        memory_keep(&n->use->cache->memory, n->copy);
    if (likely(!is_purged(n)))
        return KEPT_YES;
    storing_drop(&n->storing);
    memory_remove(&n->use->cache->memory, n->copy);
    object_put(&n->copy);
    return KEPT_PURGED;
}

/* Is it the response that is not for everybody, and not this request? */
static bool is_of_response(enum kept k)
{
    switch (k) {
    case KEPT_YES:
    case KEPT_METHOD:
    case KEPT_REQUEST_NO_STORE:
    case KEPT_AUTHORIZED:
    case KEPT_PARTIAL:
    case KEPT_MIN_USES:
    case KEPT_INCOMPLETE:
    case KEPT_CONDITIONAL:
    case KEPT_PERSONAL:
    case KEPT_EDITED:
    case KEPT_PURGED:
    case KEPT_RULE: return false;
    default: return true;
    }
}

/* May others have it without asking the origin themselves? */
static bool is_for_others(const struct xchg *x, const struct object *o)
{
    static const struct cache_control plain;
    return freshness_use(&o->fresh, &plain, now_s(x), NULL) != USE_VALIDATE;
}

void copy_land(struct xchg *x, enum kept kept, const struct object *o)
{
    struct notes *n = notes_of(x);
    struct flights *flights = &n->use->cache->flights;
    if (kept == KEPT_YES && !is_for_others(x, o))
        kept = KEPT_NOTHING_TO_GO_BY;
    bool noted = kept == KEPT_YES || is_of_response(kept);
    enum wake_reason how = kept == KEPT_YES || kept == KEPT_PURGED ? WAKE_AGAIN : WAKE_ALONE;
    if (n->flight && noted)
        flight_arrive(flights, &n->key, now_s(x), kept, &n->flight, how);
    else if (n->flight)
        flight_land(flights, &n->flight, how);
    else if (kept == KEPT_YES)
        flight_note(flights, &n->key, now_s(x), kept);
}

struct source copy_source(struct xchg *x)
{
    struct notes *n = notes_of(x);
    struct source s = reader_open(&n->reader, n->copy->body, x);
    n->reader.fills = true;
    return s;
}

struct sink copy_lead(struct xchg *x, struct source from)
{
    struct notes *n = notes_of(x);
    stat_add(x->worker->stats, STAT_cache_fills_total, 1);
    msg_remove(&x->resp, TOKEN_TRAILER); /* what comes behind the body is not kept */
    n->feed = (struct relay){ .from = from };
    x->feed = &n->feed;
    return (struct sink){ &copy_ops, x };
}

void copy_ask_for_range(struct xchg *x)
{
    static const enum token of_range[] = { TOKEN_RANGE, TOKEN_IF_RANGE };
    struct notes *n = notes_of(x);
    if (n->flight)
        flight_land(&n->use->cache->flights, &n->flight, WAKE_ALONE);
    for (unsigned i = 0; i < countof(of_range); i++)
        for (const struct field *f = msg_find(n->asked, of_range[i]); f;
             f = msg_find_next(n->asked, f))
            if (!msg_add(&x->req, token_name(of_range[i]), msg_value(n->asked, f)))
                x->fault = FAULT_out_of_memory;
    n->whole = n->keeps = false;
    x->kept = KEPT_PARTIAL;
    x->ask_again = true;
}

/* All of it has come, and cannot be kept. Nobody asks for all of it again for a while. */
static void refuse_whole(struct xchg *x, enum kept why)
{
    struct notes *n = notes_of(x);
    if (why == KEPT_PARTIAL || is_of_response(why))
        flight_note(&n->use->cache->flights, &n->key, now_s(x), why);
    copy_ask_for_range(x);
}

struct sink copy_begin(struct xchg *x)
{
    struct notes *n = notes_of(x);
    enum kept kept = (enum kept)x->kept;
    bool whole = n->whole && x->resp.status == 200;
    if (whole && announced(&x->resp) == UINT64_MAX)
        kept = KEPT_PARTIAL; /* of which range would that be? */
    else if (n->keeps)
        kept = x->request_done ? try_to_keep(x) : KEPT_INCOMPLETE;
    if (whole && kept != KEPT_YES) {
        refuse_whole(x, kept);
        return (struct sink){ NULL, NULL };
    }
    x->kept = (u8)kept;
    copy_land(x, kept, n->copy);
    if (kept == KEPT_YES && !object_is_growing(n->copy))
        settle_at_once(x);
    if (n->copy == NULL)
        return (struct sink){ NULL, NULL };
    struct sink tee = copy_lead(x, copy_source(x));
    if (!answer_from_copy(x))
        x->fault = FAULT_out_of_memory;
    return tee;
}

void copy_end(struct xchg *x)
{
    if (notes_of(x)->copy)
        drop(x, KEPT_INCOMPLETE);
}
