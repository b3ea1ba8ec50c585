/*
 * Is there something kept that answers this request, and may it (RFC 9111 section 4)? If not: does
 * another exchange bring it already, or is this the one that goes to the origin for all?
 *
 * What is kept is asked about like an idle connection: it is absent for whoever may not use the
 * address that it came from.
 */
#include "cache/lookup.h"

#include "cache/blocks.h"
#include "cache/from_disk.h"
#include "cache/precondition.h"
#include "cache/purge_request.h"
#include "cache/request.h"
#include "cache/steering.h"

enum lookup lookup_miss(struct xchg *x, enum cached how, enum fwd fwd, enum kept why)
{
    struct notes *n = notes_of(x);
    x->cached = (u8)how;
    x->kept = (u8)why;
    n->fwd = (u8)fwd;
    n->keeps = why == KEPT_YES;
    n->epoch = epoch_of(&n->use->cache->epochs, &n->key);
    return LOOKUP_MISS;
}

/* ---- what is kept ---- */

bool lookup_vetted(struct xchg *x)
{
    struct notes *n = notes_of(x);
    const struct cache_rule *before = n->rule;
    if (x->role->caching)
        n->rule = x->role->caching(x, true);
    if (likely(n->rule == before))
        return true;
    bool late = steering_is_early(n->rule) || steering_is_early(before);
    n->rule = late ? before : n->rule;
    return !late;
}

/* Is it for all, or for those whose rule departs as that one did by which it was kept? */
static bool is_for(const struct notes *n, const struct object *o)
{
    return likely(o->fresh.departs == 0) || o->fresh.departs == steering_sign(n->rule);
}

static inline __attribute__((always_inline)) bool is_allowed(struct xchg *x, const struct object *o)
{
    const struct notes *n = notes_of(x);
    if (o->by_parent != x->to.is_parent)
        return false;
    if (x->role->vet == NULL)
        return is_for(n, o);
    struct ruling r = x->role->vet(x, &o->server);
    if (r.fault != FAULT_NONE)
        return false;
    if (r.shadow.n)
        x->shadow = r.shadow;
    if (r.rule.n)
        x->rule = r.rule;
    x->reason = r.reason;
    return lookup_vetted(x) && is_for(n, o);
}

bool lookup_allowed(struct xchg *x, const struct object *o)
{
    return is_allowed(x, o);
}

static enum lookup give(struct xchg *x, struct object **o, enum cached how, i64 ttl)
{
    struct cache_status s = cache_status_of_kept(how == CACHED_JOINED, ttl);
    x->server = (*o)->server; /* what judges the answer asks about it */
    return answer_give(x, o, how, &s) ? LOOKUP_HIT : LOOKUP_REFUSED;
}

enum cached lookup_kind(const struct notes *n, const struct object *o)
{
    return n->waits || object_is_growing(o) ? CACHED_JOINED : CACHED_HIT;
}

/* ---- to the origin ---- */

enum lookup lookup_only_if_cached(struct xchg *x)
{
    x->cached = CACHED_ABSENT;
    x->kept = KEPT_YES;
    x->fault = FAULT_not_cached;
    return LOOKUP_REFUSED;
}

/* As often as one waits: for other variants, or for what was already stale when it came. */
enum { WAITS_MOST = 4 };

/* May others wait for this one, and this one for others? */
static bool is_for_all(const struct notes *n)
{
    return !n->alone && !n->refreshes && n->waits < WAITS_MOST &&
           !(n->control.has & (CONTROL_NO_CACHE | CONTROL_NO_STORE)) &&
           !((n->control.has & CONTROL_MAX_AGE) && n->control.max_age == 0);
}

bool lookup_waits(struct xchg *x)
{
    struct notes *n = notes_of(x);
    if (!is_for_all(n))
        return false;
    enum flight_turn turn =
        flight_board(&n->use->cache->flights, &n->key, now_s(x), x, &n->flight, &n->wake);
    if (turn != FLIGHT_WAIT)
        return false;
    n->waits++;
    return true;
}

static void land(struct notes *n)
{
    if (n->flight)
        flight_land(&n->use->cache->flights, &n->flight, WAKE_AGAIN);
}

/* x->req is for all of it; what the client has said of ranges and conditions is remembered. */
static bool ask_for_whole(struct xchg *x, struct notes *n)
{
    struct msg *mine = arena_try(&x->arena, sizeof *mine);
    if (mine == NULL || !msg_share(mine, &x->req, &x->arena))
        return false;
    n->asked = mine;
    msg_remove(&x->req, TOKEN_RANGE);
    msg_remove(&x->req, TOKEN_IF_RANGE);
    return true;
}

/* Its conditions become ours. */
static bool validate(struct xchg *x, struct notes *n)
{
    struct msg *stored = arena_try(&x->arena, sizeof *stored);
    if (stored == NULL || !ask_for_whole(x, n))
        return false;
    msg_init(stored, &x->arena);
    if (!stored_head_give(n->stale->head, stored))
        return false;
    n->validates = precondition_validate(&x->req, stored);
    return true;
}

/* Is all fetched for a range? Not of what has turned out not to be kept. */
static bool takes_whole(const struct xchg *x, const struct notes *n)
{
    u8 said = n->rule ? n->rule->range : CACHE_RANGE_NOTHING;
    bool whole = said ? said == CACHE_RANGE_WHOLE : n->use->conf.whole_for_range;
    return whole && flight_noted(&n->use->cache->flights, &n->key, now_s(x)) == KEPT_YES;
}

/* What is kept is not validated, but may rescue; and the answer may tell that it is outdated. */
static enum lookup go_for_head(struct xchg *x, struct object **stale, enum fwd fwd)
{
    if (object_is_manifest(*stale))
        object_put(stale);
    notes_of(x)->stale = *stale;
    *stale = NULL;
    return lookup_miss(x, CACHED_MISS, fwd, KEPT_METHOD);
}

enum lookup lookup_go_for(struct xchg *x, struct object **stale)
{
    struct notes *n = notes_of(x);
    if (n->control.has & CONTROL_ONLY_IF_CACHED) {
        object_put(stale);
        return lookup_only_if_cached(x);
    }
    enum fwd fwd = request_fwd(&n->control);
    if (object_is_growing(*stale)) {
        bool head = x->req.method == METHOD_HEAD;
        object_put(stale);
        return lookup_miss(x, CACHED_MISS, fwd, head ? KEPT_METHOD : KEPT_YES);
    }
    if (x->req.method == METHOD_HEAD)
        return go_for_head(x, stale, fwd);
    if (lookup_waits(x)) {
        object_put(stale);
        return LOOKUP_PARKED;
    }
    n->stale = *stale;
    *stale = NULL;
    (void)lookup_miss(x, CACHED_REFRESHED, fwd, KEPT_YES);
    if (validate(x, n) && (likely(!object_is_manifest(n->stale)) || blocks_ask(x)))
        return LOOKUP_MISS;
    x->fault = FAULT_out_of_memory;
    return LOOKUP_REFUSED;
}

/* Is there something for this URL, although nothing for this request? */
static enum fwd why_without(struct xchg *x, bool refused)
{
    struct notes *n = notes_of(x);
    if (refused)
        return FWD_MISS;
    struct object *other = memory_peek(&n->use->cache->memory, &n->key);
    bool some = other || n->varies_on_disk;
    object_put(&other);
    return some ? FWD_VARY_MISS : FWD_URI_MISS;
}

/* `refused`: what there is came from an address, or by a rule, that is not for this one. */
static enum lookup go_without(struct xchg *x, bool refused)
{
    struct notes *n = notes_of(x);
    const struct msg *m = &x->req;
    if (n->control.has & CONTROL_ONLY_IF_CACHED)
        return lookup_only_if_cached(x);
    if (m->method == METHOD_HEAD)
        return lookup_miss(x, CACHED_MISS, why_without(x, refused), KEPT_METHOD);
    if (blocks_wanted(x))
        return blocks_miss(x);
    bool own = msg_has(m, TOKEN_IF_NONE_MATCH) || msg_has(m, TOKEN_IF_MODIFIED_SINCE);
    bool range = msg_has(m, TOKEN_RANGE);
    if (range && (own || !takes_whole(x, n)))
        return lookup_miss(x, CACHED_MISS, why_without(x, refused), KEPT_PARTIAL);
    if (!own && lookup_waits(x))
        return LOOKUP_PARKED;
    if (range && !(n->whole = ask_for_whole(x, n))) {
        x->fault = FAULT_out_of_memory;
        return LOOKUP_REFUSED;
    }
    enum kept why = own ? KEPT_CONDITIONAL : KEPT_YES;
    (void)lookup_miss(x, CACHED_MISS, why_without(x, refused), why);
    n->keeps = true;
    return LOOKUP_MISS;
}

/* As lookup_waits, but for what another one is reading from disk: that is no request to the origin,
 * and has a key of its own. */
static bool waits_for_disk(struct xchg *x)
{
    struct notes *n = notes_of(x);
    struct cache_key key = { { ~n->key.bits[0], n->key.bits[1] } };
    return n->reads++ < WAITS_MOST && flight_board(&n->use->cache->flights, &key, now_s(x), x,
                                                   &n->flight, &n->wake) == FLIGHT_WAIT;
}

bool lookup_on_disk(struct xchg *x, struct object **o)
{
    struct notes *n = notes_of(x);
    if (n->load) { /* it has been read */
        (void)from_disk_take(x, o);
        land(n);
        return false;
    }
    if (from_disk_find(x, o) != DISK_COLD)
        return false;
    if (waits_for_disk(x)) {
        from_disk_end(&n->load);
        return true;
    }
    if (from_disk_read(x))
        return true;
    land(n);
    return false;
}

static enum lookup use_found(struct xchg *x, struct object *o, bool on_disk)
{
    struct notes *n = notes_of(x);
    if (n->refreshes)
        return lookup_go_for(x, &o);
    struct freshness area;
    i64 ttl;
    switch (freshness_use(object_fresh(o, &area), &n->control, now_s(x), &ttl)) {
    case USE_FRESH: return give(x, &o, on_disk ? CACHED_DISK_HIT : lookup_kind(n, o), ttl);
    case USE_STALE_ALLOWED: return give(x, &o, CACHED_STALE, ttl);
    case USE_WHILE_REVALIDATE: renewal_start(x, o); return give(x, &o, CACHED_STALE, ttl);
    default: return lookup_go_for(x, &o);
    }
}

static enum lookup find(struct xchg *x)
{
    struct notes *n = notes_of(x);
    if (unlikely(n->blocks))
        blocks_resume(x);
    struct object *o = memory_find(&n->use->cache->memory, &n->key, &x->req);
    bool in_memory = o != NULL;
    if (!in_memory && lookup_on_disk(x, &o))
        return LOOKUP_PARKED;
    if (n->load) { /* another one was faster */
        from_disk_end(&n->load);
        land(n);
    }
    bool refused = o && !is_allowed(x, o);
    if (refused) {
        object_put(&o);
        n->alone = true;
    }
    enum lookup found;
    if (o && unlikely(n->blocks || object_is_manifest(o)) &&
        blocks_answer(x, &o, !in_memory, &found))
        return found;
    return o ? use_found(x, o, !in_memory) : go_without(x, refused);
}

/* ---- for the seam ---- */

/* Sizes are those of a configuration from its first exchange on: one that fails changes nothing. */
static void apply_sizes(const struct xchg *x, const struct cache_use *use)
{
    struct cache *c = use->cache;
    u64 had = atomic_load_explicit(&c->generation, memory_order_relaxed);
    if (likely(had >= x->snap->generation))
        return;
    if (atomic_compare_exchange_strong(&c->generation, &had, x->snap->generation))
        memory_resize(&c->memory, use->conf.memory);
}

_Static_assert(sizeof(struct notes) <= ARENA_RESERVE / 2, "they fit in beside trailers");

/* A request without a body has no trailers, for which the reserve is. */
static struct notes *new_notes(struct xchg *x)
{
    return likely(x->req.body == BODY_NONE) ? arena_alloc(&x->arena, sizeof(struct notes))
                                            : arena_try(&x->arena, sizeof(struct notes));
}

enum lookup cache_lookup(struct xchg *x)
{
    struct notes *n = new_notes(x);
    if (n == NULL) {
        x->fault = FAULT_out_of_memory;
        return LOOKUP_REFUSED;
    }
    struct errand *errand = x->stored;
    set_zero(n, offsetof(struct notes, reader));
    n->use = cache_use_of(x->store);
    n->asked = &x->req;
    n->refreshes = errand != NULL;
    x->stored = n;
    apply_sizes(x, n->use);
    n->rule = x->role->caching ? x->role->caching(x, false) : NULL;
    if (!request_name(x)) {
        x->fault = FAULT_out_of_memory;
        return LOOKUP_REFUSED;
    }
    memory_ask(&n->use->cache->memory, &n->key);
    if (unlikely(x->req.method == METHOD_OTHER) && purge_is_asked_for(x))
        return purge_answer(x);
    if (unlikely(errand && errand->kind == ERRAND_BLOCK) && !request_is_edited(x))
        return block_lookup(x, errand);
    control_of_request(&x->req, &n->control);
    enum kept why = request_passes(x);
    n->has_changed = why == KEPT_METHOD && !method_is_safe(x->req.method);
    if (why == KEPT_YES) {
        if (n->use->origin_side)
            msg_remove(&x->req, TOKEN_COOKIE); /* none that matters: what is kept has seen none */
        return find(x);
    }
    if ((n->control.has & CONTROL_ONLY_IF_CACHED) && !n->has_changed)
        return lookup_only_if_cached(x);
    return lookup_miss(x, CACHED_BYPASS, why == KEPT_METHOD ? FWD_METHOD : FWD_BYPASS, why);
}

enum lookup cache_resume(struct xchg *x)
{
    struct notes *n = notes_of(x);
    if (n->load)
        return from_disk_is_read(n->load) ? find(x) : LOOKUP_PARKED;
    switch ((enum wake_reason)n->wake->arrived) {
    case WAKE_NONE: return LOOKUP_PARKED;
    case WAKE_CUT: /* its client has seen no byte: what the origin says is the answer */
    case WAKE_ALONE: n->alone = true; break;
    case WAKE_AGAIN: break;
    }
    return find(x);
}
