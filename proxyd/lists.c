#include "lists.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "forward/parents.h"
#include "lists_inside.h"

enum { FETCH_WAIT_MS = 60000 };

struct service lists_service = { .lock = PTHREAD_MUTEX_INITIALIZER,
                                 .asking = PTHREAD_MUTEX_INITIALIZER };
#define service lists_service

/* ---- sources ---- */

static void end_source(void *entry)
{
    struct list_source *s = *(struct list_source **)entry;
    refresh_end(s);
    list_source_unwatch(s);
    list_source_unref(s);
}

static const struct registry_kind sources = { .name = "list",
                                              .size = sizeof(struct list_source *),
                                              .end = end_source };

static void init_plan(struct source_plan *p)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* `via` is of the snapshot that is compiled, and lasts no longer than that. */
static struct list_source *new_source(const struct node *n, const struct parents *via, u32 readers)
{
    struct list_source *s = must_zalloc(sizeof *s);
    arena_init(&s->arena, 0);
    s->conf = list_conf_read(n, &s->arena);
    s->slot.name = s->conf.name;
    s->slot.optional = s->conf.optional;
    s->slot.readers = readers;
    s->errand.via = via ? parents_copy(via, &s->arena) : NULL;
    atomic_store(&s->users, 1);
    pthread_mutex_init(&s->loading, NULL);
    init_plan(&s->plan);
    pthread_mutex_lock(&service.lock);
    s->next = service.first;
    service.first = s;
    pthread_mutex_unlock(&service.lock);
    if (!s->conf.fetched)
        list_source_begin(s);
    else
        refresh_begin(s);
    return s;
}

/* The first one of the process counts: the key takes a restart. */
static void set_folder(const char *configured)
{
    if (service.has_folder)
        return;
    service.has_folder = true;
    if (configured == NULL)
        service.folder = list_copy_folder();
    else if (configured[0])
        must((service.folder = strdup(configured)) != NULL);
}

void lists_give_folder(unsigned uid, unsigned gid)
{
    bool any = false;
    for (const struct list_source *s = service.first; s; s = s->next)
        any |= s->conf.fetched;
    if (any && service.folder && geteuid() == 0)
        list_copy_give_folder(service.folder, uid, gid);
}

/* A new one that only the network has is waited for: without it the configuration is not taken. */
static void await_fetched(const struct snapshot *s)
{
    u64 now = clock_us(CLOCK_MONOTONIC) / 1000, end = now + FETCH_WAIT_MS;
    for (u32 i = 0; i < s->nlists && service.engine; i++) {
        struct list_source *one = (struct list_source *)(void *)s->lists[i];
        now = clock_us(CLOCK_MONOTONIC) / 1000;
        if (one->conf.fetched && !one->conf.optional && !atomic_load(&one->loaded) && now < end)
            refresh_await(one, end - now);
    }
}

void lists_compile(const struct tree *t, const char *state, struct snapshot *s, struct registry *r)
{
    set_folder(state);
    u32 n = 0;
    for (const struct node *l = node_child(&t->root, "list"); l; l = node_again(l))
        n++;
    s->lists = arena_zalloc(&s->arena, (n ? n : 1) * sizeof *s->lists);
    for (const struct node *l = node_child(&t->root, "list"); l; l = node_again(l)) {
        if (!l->used)
            continue;
        struct list_conf c = list_conf_read(l, &s->arena);
        struct list_source **entry = registry_get(r, s, &sources, list_conf_key(&c, &s->arena));
        /* each time, so that the snapshot shows that it uses it */
        const struct parents *via = c.via ? parents_compile(c.via, s, r) : NULL;
        if (*entry == NULL)
            *entry = new_source(l, via, s->nworkers + 1);
        s->lists[s->nlists++] = &(*entry)->slot;
    }
    await_fetched(s);
}

static bool has_slot(const struct snapshot *s, const struct list_slot *slot)
{
    for (u32 i = 0; i < s->nlists; i++)
        if (s->lists[i] == slot)
            return true;
    return false;
}

struct slice lists_lacking(const struct snapshot *next, const struct snapshot *now)
{
    for (u32 i = 0; i < next->nlists; i++) {
        const struct list_source *s = (const struct list_source *)(const void *)next->lists[i];
        if (!s->slot.optional && !atomic_load(&s->loaded) && !has_slot(now, &s->slot))
            return s->slot.name;
    }
    return SLICE("");
}

/* ---- the service ---- */

void lists_only_complain(void)
{
    service.only_complain = true;
}

void lists_ask_begin(void)
{
    pthread_mutex_lock(&service.asking);
}

void lists_ask_end(void)
{
    pthread_mutex_unlock(&service.asking);
}

void lists_start(struct engine *e, struct watcher *w, struct reload *r)
{
    pthread_mutex_lock(&service.lock);
    service.engine = e;
    service.watcher = w;
    service.reload = r;
    service.fetching = fetching_new(e);
    pthread_mutex_unlock(&service.lock);
    for (struct list_source *s = service.first; s; s = s->next) { /* no reload has run yet */
        if (s->conf.fetched)
            refresh_start(s);
        else
            list_source_watch_all(s);
    }
}

void lists_end(void)
{
    pthread_mutex_lock(&service.lock);
    service.ending = true;
    service.watcher = NULL;
    for (struct list_source *s = service.first; s; s = s->next)
        refresh_end(s);
    pthread_mutex_unlock(&service.lock);
    fetching_end(service.fetching);
}

bool lists_ended(void)
{
    return atomic_load(&service.threads) == 0;
}

void lists_free(void)
{
    fetching_free(service.fetching);
    service.fetching = NULL;
    free((char *)service.folder);
    service.folder = NULL;
}

bool lists_loaded(void)
{
    bool all = true;
    pthread_mutex_lock(&service.lock);
    for (const struct list_source *s = service.first; s; s = s->next)
        all &= s->slot.optional || atomic_load(&s->loaded);
    pthread_mutex_unlock(&service.lock);
    return all;
}
