#include "admin/metrics_listeners.h"

#include "admin/exposition.h"
#include "admin/metrics_registry.h"
#include "cache/cache.h"
#include "core/common/listen_counts.h"
#include "core/common/snapshot.h"

/* ---- caches ---- */

static const struct cache *cache_of(const void *entry)
{
    return ((const struct cache_entry *)entry)->cache;
}

static u64 objects(const void *entry)
{
    return atomic_load(&cache_of(entry)->memory.objects);
}
static u64 bytes(const void *entry)
{
    return atomic_load(&cache_of(entry)->memory.budget.used);
}
static u64 evictions(const void *entry)
{
    return atomic_load(&cache_of(entry)->memory.evictions);
}
static u64 waits(const void *entry)
{
    return atomic_load(&cache_of(entry)->flights.joined);
}

static const struct registry_family of_caches[] = {
    { "proxyd_cache_objects", "gauge", "Answers that are kept", objects },
    { "proxyd_cache_bytes", "gauge", "Memory that they take, with those still being sent", bytes },
    { "proxyd_cache_evictions_total", "counter", "Kept answers that had to make room", evictions },
    { "proxyd_cache_waits_total", "counter",
      "Times a request waited for the head of what another one was fetching", waits },
};

void metrics_caches(struct text *out, struct engine *e)
{
    struct registry *r = e->registry;
    exposition_family(out, "proxyd_cache_requests_total", "counter",
                      "Requests of listeners and routes with a cache, by what it was to them");
    for (unsigned c = CACHED_NOTHING + 1; c < CACHED_COUNT; c++)
        exposition_labelled(out, "proxyd_cache_requests_total", "result", cached_info(c)->word,
                            cached_sum(c));
    exposition_family(out, "proxyd_cache_not_stored_total", "counter",
                      "Answers of origins that a cache has not kept, by why");
    for (unsigned k = KEPT_YES + 1; k < KEPT_COUNT; k++)
        exposition_labelled(out, "proxyd_cache_not_stored_total", "reason", kept_info(k)->word,
                            kept_sum(k));
    if (registry_count(r, &caches) == 0)
        return;
    metrics_registry(out, r, &caches, &(struct registry_labels){ .first = "cache" }, of_caches,
                     countof(of_caches));
}

/* ---- listeners ---- */

/* One row for all addresses of a listener block: they stand side by side. */
static const struct listener *sum_of(const struct snapshot *s, u32 *i, struct listen_sums *sums)
{
    const struct listener *first = &s->listeners[*i];
    *sums = (struct listen_sums){ 0 };
    for (; *i < s->nlisteners && slice_eq(s->listeners[*i].name, first->name); ++*i)
        listen_sums_add(sums, s->listeners[*i].at, s->nworkers);
    return first;
}

static u64 open_now(const struct listen_sums *s)
{
    return s->open;
}
static u64 requests(const struct listen_sums *s)
{
    return s->requests;
}
static u64 saved(const struct listen_sums *s)
{
    return s->saved;
}

static void listener_family(struct text *out, const struct snapshot *s, const char *name,
                            const char *type, const char *help,
                            u64 (*value)(const struct listen_sums *))
{
    struct listen_sums sums;
    exposition_family(out, name, type, help);
    for (u32 i = 0; i < s->nlisteners;) {
        const struct listener *l = sum_of(s, &i, &sums);
        text_fmt(out, "%s{listener=\"%.*s\"} ", name, SLICE_FMT(l->name));
        text_u64(out, value(&sums));
        text_char(out, '\n');
    }
}

static void listener_results(struct text *out, const struct snapshot *s)
{
    const char *name = "proxyd_listener_cache_requests_total";
    struct listen_sums sums;
    exposition_family(out, name, "counter",
                      "Requests by what a cache was to them, of each listener");
    for (u32 i = 0; i < s->nlisteners;) {
        const struct listener *l = sum_of(s, &i, &sums);
        for (unsigned c = CACHED_NOTHING + 1; c < CACHED_COUNT; c++) {
            text_fmt(out, "%s{listener=\"%.*s\",result=\"%s\"} ", name, SLICE_FMT(l->name),
                     cached_info(c)->word);
            text_u64(out, sums.cached[c]);
            text_char(out, '\n');
        }
    }
}

static void listeners_of(struct text *out, const struct snapshot *s, struct registry *r)
{
    if (s->nlisteners == 0)
        return;
    listener_family(out, s, "proxyd_listener_connections_open", "gauge",
                    "Client connections open now, of each listener", open_now);
    listener_family(out, s, "proxyd_listener_requests_total", "counter",
                    "Requests answered, of each listener", requests);
    if (registry_count(r, &caches) == 0)
        return;
    listener_results(out, s);
    listener_family(out, s, "proxyd_listener_cache_saved_bytes_total", "counter",
                    "Bytes of answers that came from a cache, of each listener", saved);
}

void metrics_listeners(struct text *out, struct engine *e)
{
    struct snapshot *s = snapshot_hold_newest(e);
    if (s == NULL)
        return;
    listeners_of(out, s, e->registry);
    snapshot_let_go(e, s);
}

size_t metrics_listeners_room(struct engine *e)
{
    enum { NAME = 64, LINES = 3 + CACHED_COUNT, LINE = 128 + NAME };
    enum { RELOADED = 256 }; /* listeners that come meanwhile */
    struct snapshot *s = snapshot_hold_newest(e);
    size_t n = (s ? s->nlisteners : 0) + RELOADED;
    if (s)
        snapshot_let_go(e, s);
    return n * LINES * LINE;
}
