#include "admin/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "base/stat.h"
#include "base/text.h"
#include "cache/cache.h"
#include "core/common/registry.h"
#include "core/common/snapshot.h"
#include "core/exchange/role.h"
#include "lists.h"

#ifndef PROXYD_VERSION
#define PROXYD_VERSION "0"
#endif

enum { LONGEST = 4096, WIDER = 6 }; /* of a text; by how much JSON or HTML makes it longer */

/* RFC 3339, in UTC; 0: never. */
static const char *when(u64 seconds, char area[32])
{
    time_t at = (time_t)seconds;
    struct tm tm;
    area[0] = 0;
    if (seconds && gmtime_r(&at, &tm))
        strftime(area, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return area;
}

static const char *comma(struct view *v)
{
    return v->rows++ ? "," : "";
}

static void put_number(FILE *to, const char *key, u64 value)
{
    fprintf(to, ",\"%s\":%llu", key, (unsigned long long)value);
}

static void put_string(FILE *to, const char *key, struct slice value)
{
    char area[WIDER * LONGEST + 2];
    struct text t = text_in(area, sizeof area);
    if (value.n > LONGEST)
        value.n = LONGEST;
    if (value.n)
        text_json(&t, value);
    else
        text_lit(&t, "null");
    fprintf(to, ",\"%s\":%.*s", key, SLICE_FMT(text_slice(&t)));
}

static void put_time(FILE *to, const char *key, u64 seconds)
{
    char area[32];
    put_string(to, key, slice_of(when(seconds, area)));
}

static void list_as_json(void *ctx, const struct list_status *l)
{
    struct view *v = ctx;
    FILE *to = v->to;
    fprintf(to, "%s{\"name\":\"%.*s\"", comma(v), SLICE_FMT(l->name));
    put_string(to, "source", l->source);
    fprintf(to, ",\"loaded\":%s,\"optional\":%s", l->loaded ? "true" : "false",
            l->optional ? "true" : "false");
    put_string(to, "format", slice_of(l->format));
    put_string(to, "bare", slice_of(l->bare));
    put_number(to, "entries", l->entries);
    put_number(to, "rejected", l->rejected);
    put_number(to, "bytes", l->bytes);
    put_time(to, "loaded_at", l->loaded_s);
    put_time(to, "checked_at", l->checked_s);
    put_time(to, "next_at", l->next_s);
    put_string(to, "error", slice_of(l->error));
    put_time(to, "error_at", l->error_s);
    fputs("}", to);
}

static void begin_list(struct view *v, const char *key)
{
    v->rows = 0;
    fprintf(v->to, ",\"%s\":[", key);
}

static void put_listeners(struct view *v)
{
    const struct snapshot *s = v->snapshot;
    begin_list(v, "listeners");
    for (u32 i = 0; s && i < s->nlisteners; i++) {
        const struct listener *l = &s->listeners[i];
        struct listen_sums sums = { 0 };
        listen_sums_add(&sums, l->at, s->nworkers);
        fprintf(v->to, "%s{\"name\":\"%.*s\"", comma(v), SLICE_FMT(l->name));
        put_string(v->to, "mode", slice_of(l->role->name));
        put_string(v->to, "address", l->text);
        put_number(v->to, "connections", sums.open);
        put_number(v->to, "requests", sums.requests);
        put_number(v->to, "cache_asked", listen_sums_asked(&sums));
        put_number(v->to, "cache_hits", listen_sums_hits(&sums));
        put_number(v->to, "saved_bytes", sums.saved);
        fputc('}', v->to);
    }
    fputc(']', v->to);
}

static void put_disk(FILE *to, struct cache *c)
{
    bool has_disk;
    struct disk_counts d = tier_counts(&c->tier, &has_disk);
    if (!has_disk)
        return;
    fprintf(to, ",\"disk_in_service\":%s", d.in_service ? "true" : "false");
    put_number(to, "disk_objects", d.log.objects);
    put_number(to, "disk_bytes", d.log.bytes);
    put_number(to, "disk_most", d.log.quota);
    put_number(to, "disk_dropped", d.log.dropped);
}

static void cache_as_json(const char *name, const void *entry, void *ctx)
{
    struct view *v = ctx;
    struct cache *c = ((const struct cache_entry *)entry)->cache;
    fprintf(v->to, "%s{\"name\":\"%s\"", comma(v), name);
    put_number(v->to, "objects", atomic_load(&c->memory.objects));
    put_number(v->to, "memory_bytes", atomic_load(&c->memory.budget.used));
    put_number(v->to, "memory_most", atomic_load(&c->memory.budget.most));
    put_number(v->to, "evictions", atomic_load(&c->memory.evictions));
    put_disk(v->to, c);
    fputc('}', v->to);
}

static void put_caches(struct view *v)
{
    begin_list(v, "caches");
    registry_each(v->engine->registry, &caches, cache_as_json, v);
    fputc(']', v->to);
    begin_list(v, "top");
    for (unsigned i = 0; i < v->top.n; i++) {
        const struct saver *r = &v->top.row[i];
        fprintf(v->to, "%s{\"saved_bytes\":%llu", comma(v), (unsigned long long)r->saved);
        put_string(v->to, "url", (struct slice){ r->url, r->nurl });
        put_number(v->to, "bytes", r->bytes);
        put_number(v->to, "age_s", view_age(v, r->made_s));
        fputc('}', v->to);
    }
    fputc(']', v->to);
}

static void put_failures(struct view *v)
{
    enum fault f[FAULT_COUNT];
    unsigned n = view_faults(v, f);
    begin_list(v, "failures");
    for (unsigned i = 0; i < n; i++)
        fprintf(v->to, "%s{\"cause\":\"%s\",\"lately\":%llu,\"total\":%llu}", comma(v),
                fault_info(f[i])->token, (unsigned long long)view_failed(v, f[i]),
                (unsigned long long)v->now.fault[f[i]]);
    fputc(']', v->to);
}

static void put_sample(struct view *v, const struct history_sample *h)
{
    fprintf(v->to, "%s{\"ago_s\":%llu", comma(v),
            (unsigned long long)(v->now.at_ms - h->at_ms) / 1000);
    put_number(v->to, "requests", h->value[HISTORY_REQUESTS]);
    put_number(v->to, "cache_asked", h->value[HISTORY_ASKED]);
    put_number(v->to, "cache_hits", h->value[HISTORY_HITS]);
    put_number(v->to, "saved_bytes", h->value[HISTORY_SAVED]);
    put_number(v->to, "bytes_to_clients", h->value[HISTORY_TO_CLIENTS]);
    put_number(v->to, "bytes_from_clients", h->value[HISTORY_FROM_CLIENTS]);
    fputc('}', v->to);
}

/* Counters as they stood at each time: what is drawn is how they grew. */
static void put_history(struct view *v)
{
    begin_list(v, "history");
    for (unsigned i = 0; i < v->history->n; i++)
        put_sample(v, history_at(v->history, i));
    put_sample(v, &v->now);
    fputc(']', v->to);
}

static void put_state(struct view *v)
{
    const struct snapshot *s = v->snapshot;
    fprintf(v->to, "{\"version\":\"" PROXYD_VERSION "\",\"ready\":%s", v->ready ? "true" : "false");
    put_string(v->to, "reason", v->ready ? SLICE("") : slice_of(v->why));
    put_number(v->to, "up_s", v->up_s);
    put_number(v->to, "workers", s ? s->nworkers : 0);
    put_number(v->to, "configuration", s ? s->generation : 0);
    put_time(v->to, "configured_at", s ? s->made_us / 1000000 : 0);
    put_number(v->to, "connections", stat_sum(STAT_connections_open));
    put_number(v->to, "tunnels", stat_sum(STAT_tunnels_open));
    put_number(v->to, "requests_in_flight", stat_sum(STAT_requests_in_flight));
    put_number(v->to, "resident_bytes", view_memory());
}

char *status_write(struct view *v, size_t *n)
{
    char *text = NULL;
    v->to = open_memstream(&text, n);
    must(v->to != NULL);
    put_state(v);
    put_listeners(v);
    put_caches(v);
    put_failures(v);
    put_history(v);
    begin_list(v, "lists");
    lists_each(list_as_json, v);
    fputs("]}\n", v->to);
    fclose(v->to);
    return text;
}
