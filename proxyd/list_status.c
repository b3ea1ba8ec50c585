/* What is known of each list, for those who look after them: metrics, and reading or fetching one
 * now. */
#include "base/must.h"
#include "lists_inside.h"

#define service lists_service

static u64 entries_of(const struct list_source *s)
{
    return atomic_load(&s->entries);
}
static u64 rejected_of(const struct list_source *s)
{
    return atomic_load(&s->rejected);
}
static u64 bytes_of(const struct list_source *s)
{
    return atomic_load(&s->bytes);
}
static u64 refused_of(const struct list_source *s)
{
    return atomic_load(&s->refused);
}
static u64 failed_of(const struct list_source *s)
{
    return atomic_load(&s->failed);
}
static u64 since(u64 then)
{
    u64 now = clock_us(CLOCK_REALTIME) / 1000000;
    return then && now > then ? now - then : 0;
}
static u64 age_of(const struct list_source *s)
{
    return since(atomic_load(&s->loaded_s));
}
static u64 checked_of(const struct list_source *s)
{
    u64 then = s->conf.fetched ? atomic_load(&s->checked_s) : atomic_load(&s->loaded_s);
    return since(then);
}

void lists_metrics(struct text *out)
{
    static const struct {
        const char *name, *type, *help;
        u64 (*value)(const struct list_source *s);
    } metrics[] = {
        { "proxyd_list_entries", "gauge", "Entries of a list, in force now", entries_of },
        { "proxyd_list_rejected_lines", "gauge", "Lines of it that could not be read",
          rejected_of },
        { "proxyd_list_bytes", "gauge", "Memory that its entries take", bytes_of },
        { "proxyd_list_age_seconds", "gauge", "Time since its content was loaded", age_of },
        { "proxyd_list_checked_age_seconds", "gauge",
          "Time since its source was known to have this content", checked_of },
        { "proxyd_list_failures_total", "counter", "Attempts to fetch it that brought no content",
          failed_of },
        { "proxyd_list_refused_total", "counter", "Times a new content was not taken", refused_of },
    };
    pthread_mutex_lock(&service.lock);
    for (unsigned i = 0; i < countof(metrics) && service.first; i++) {
        text_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name, metrics[i].help,
                 metrics[i].name, metrics[i].type);
        for (const struct list_source *s = service.first; s; s = s->next)
            text_fmt(out, "%s{list=\"%.*s\"} %llu\n", metrics[i].name, SLICE_FMT(s->slot.name),
                     (unsigned long long)metrics[i].value(s));
    }
    pthread_mutex_unlock(&service.lock);
}

/* ---- for people ---- */

static u64 wall_of(u64 due_ms)
{
    u64 now = clock_us(CLOCK_MONOTONIC) / 1000, left = due_ms > now ? due_ms - now : 0;
    return due_ms ? (clock_us(CLOCK_REALTIME) / 1000 + left) / 1000 : 0;
}

void lists_each(void (*see)(void *ctx, const struct list_status *l), void *ctx)
{
    pthread_mutex_lock(&service.lock);
    for (struct list_source *s = service.first; s; s = s->next) {
        struct list_status l = {
            .name = s->slot.name,
            .source = s->conf.shown,
            .loaded = atomic_load(&s->loaded),
            .optional = s->slot.optional,
            .format = atomic_load(&s->format),
            .bare = atomic_load(&s->bare),
            .entries = entries_of(s),
            .rejected = rejected_of(s),
            .bytes = bytes_of(s),
            .loaded_s = atomic_load(&s->loaded_s),
            .checked_s = atomic_load(&s->checked_s),
            .error = s->plan.error,
        };
        pthread_mutex_lock(&s->plan.lock);
        l.next_s = wall_of(s->plan.due_ms);
        l.error_s = s->plan.error_s;
        see(ctx, &l);
        pthread_mutex_unlock(&s->plan.lock);
    }
    pthread_mutex_unlock(&service.lock);
}

/* ---- now ---- */

/* The next one of that name behind `last` (NULL: the first), with a reference; NULL: no more. */
static struct list_source *next_named(struct slice name, struct list_source *last)
{
    pthread_mutex_lock(&service.lock);
    struct list_source *s = last ? last->next : service.first;
    while (s && !slice_eq(s->slot.name, name))
        s = s->next;
    if (s)
        list_source_ref(s);
    pthread_mutex_unlock(&service.lock);
    return s;
}

static bool refresh_one(struct list_source *s, bool anyway, FILE *to)
{
    if (s->conf.fetched)
        refresh_now(s, anyway);
    else
        list_source_again(s, anyway);
    pthread_mutex_lock(&s->plan.lock);
    bool good = s->plan.error[0] == 0;
    fprintf(to, "list %.*s: %s\n", SLICE_FMT(s->slot.name), s->plan.said);
    pthread_mutex_unlock(&s->plan.lock);
    return good;
}

bool lists_refresh(struct slice name, bool anyway, char **text)
{
    size_t n;
    bool good = true;
    FILE *to = open_memstream(text, &n);
    must(to != NULL);
    struct list_source *s = next_named(name, NULL), *last;
    if (s == NULL)
        fprintf(to, "there is no list %.*s that a rule asks\n", SLICE_FMT(name));
    good = s != NULL;
    while (s) {
        good &= refresh_one(s, anyway, to);
        last = s;
        s = next_named(name, last);
        list_source_unref(last);
    }
    fclose(to);
    return good;
}
