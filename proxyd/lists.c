#include "lists.h"

#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/stat.h"
#include "filters/list_slot.h"
#include "io/offload.h"
#include "list_load.h"

_Static_assert((int)LIST_READERS >= (int)MOST_WORKERS, "each worker reads");

enum { FOLDERS_DEEP = 8, WATCHES = 2048 };

struct version {
    struct offload_job job; /* that frees it */
    struct list_content *list;
    _Atomic u32 holders; /* workers, and the source */
};

struct source;
struct source_watch {
    struct source_watch *next;
    struct source *source;
    struct watch *watch; /* under the service's lock; NULL: ended */
    char path[];
};

struct source {
    struct list_slot slot; /* first: what the configuration points to */
    struct source *next;   /* under the service's lock */
    _Atomic u32 users;     /* the registry, watches, posted calls */
    struct arena arena;
    struct list_conf conf;
    pthread_mutex_t loading; /* one at a time; guards what follows */
    u64 signature;           /* of the files that were loaded last, or tried in vain */
    struct source_watch *watches;
    u32 nwatches;
    struct version *newest;
    struct version *held[LIST_READERS]; /* slot.of[i] is its list; of each reader's thread */
    _Atomic bool loaded;
    _Atomic u64 entries, rejected, bytes, refused, loaded_s;
};

static struct service {
    pthread_mutex_t lock;
    struct source *first;
    struct engine *engine; /* NULL: no worker runs yet */
    struct watcher *watcher;
    struct reload *reload;
    bool ending;
} service = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the end of things ---- */

static void free_list(struct offload_job *job)
{
    struct version *v = container_of(job, struct version, job);
    list_content_free(v->list);
    v->list = NULL;
}

static void free_version(struct offload_job *job)
{
    free_list(job);
    free(container_of(job, struct version, job));
}

static void drop_version(struct version *v)
{
    if (v == NULL || atomic_fetch_sub(&v->holders, 1) > 1)
        return;
    struct offload *o = service.engine ? service.engine->offload : NULL;
    v->job = (struct offload_job){ .kind = JOB_list_free, .run = free_list, .done = free_version };
    if (o == NULL || !offload_post(o, &v->job))
        free_version(&v->job);
}

static void take_out(struct source *s)
{
    pthread_mutex_lock(&service.lock);
    struct source **at = &service.first;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    pthread_mutex_unlock(&service.lock);
}

static void unref(struct source *s)
{
    if (atomic_fetch_sub(&s->users, 1) > 1)
        return;
    take_out(s);
    for (u32 i = 0; i < s->slot.readers; i++)
        drop_version(s->held[i]);
    drop_version(s->newest);
    while (s->watches) {
        struct source_watch *w = s->watches;
        s->watches = w->next;
        free(w);
    }
    pthread_mutex_destroy(&s->loading);
    arena_free(&s->arena);
    free(s);
}

/* ---- exchanging the content ---- */

struct exchange {
    struct call call;
    struct source *source;
    struct version *version;
    u32 reader;
};

static void set(struct source *s, u32 reader, struct version *v)
{
    struct version *old = s->held[reader];
    s->held[reader] = v;
    s->slot.of[reader] = v->list;
    drop_version(old);
}

static void run_exchange(struct call *call, void *receiver)
{
    struct exchange *x = container_of(call, struct exchange, call);
    (void)receiver;
    set(x->source, x->reader, x->version);
    unref(x->source);
    free(x);
}

static void post(struct source *s, struct version *v, u32 reader)
{
    struct exchange *x = must_zalloc(sizeof *x);
    *x = (struct exchange){ { NULL, run_exchange }, s, v, reader };
    atomic_fetch_add(&s->users, 1);
    loop_post(&service.engine->workers[reader]->loop, &x->call);
}

/* `fresh`: no worker knows the source yet. False: it is too late. */
static bool publish(struct source *s, struct list_content *list, bool fresh)
{
    struct version *v = must_zalloc(sizeof *v), *old;
    v->list = list;
    atomic_store(&v->holders, s->slot.readers + 1);
    pthread_mutex_lock(&service.lock); /* while it is held no worker ends */
    bool late = service.ending && !fresh;
    for (u32 i = 0; i < s->slot.readers && !late; i++)
        if (fresh || service.engine == NULL)
            set(s, i, v);
        else
            post(s, v, i);
    old = s->newest;
    if (!late)
        s->newest = v;
    pthread_mutex_unlock(&service.lock);
    if (late)
        free_version(&v->job);
    else
        drop_version(old);
    return !late;
}

/* ---- loading ---- */

static void say(enum log_level level, const char *text)
{
    if (service.reload)
        reload_log(service.reload, level, text);
    else
        fprintf(stderr, "proxyd: %s", text);
}

/* A sum over everything that lies there, whatever the order in which it is met. */
static u64 signature(const char *path, unsigned deep)
{
    struct stat st;
    struct dirent *e;
    if (deep > FOLDERS_DEEP || stat(path, &st) < 0)
        return 0;
    u64 facts[] = { st.st_dev, st.st_ino, (u64)st.st_size, (u64)st.st_mtim.tv_sec,
                    (u64)st.st_mtim.tv_nsec };
    u64 sum = hash64(hash_process_key(), (const char *)facts, sizeof facts);
    DIR *d = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    while (d && (e = readdir(d)) != NULL) {
        char next[PATH_MAX];
        if (e->d_name[0] != '.' &&
            snprintf(next, sizeof next, "%s/%s", path, e->d_name) < (int)sizeof next)
            sum += signature(next, deep + 1) | 1;
    }
    if (d)
        closedir(d);
    return sum;
}

static struct source_watch *add_watch(struct source *s, const char *path)
{
    for (struct source_watch *w = s->watches; w; w = w->next)
        if (strcmp(w->path, path) == 0)
            return NULL;
    if (s->nwatches == WATCHES)
        return NULL;
    size_t n = strlen(path) + 1;
    struct source_watch *w = must_zalloc(sizeof *w + n);
    w->source = s;
    memcpy(w->path, path, n);
    w->next = s->watches;
    s->watches = w;
    s->nwatches++;
    return w;
}

static bool look(void *arg);

static void forget(void *arg)
{
    struct source_watch *w = arg;
    struct source *s = w->source;
    pthread_mutex_lock(&service.lock);
    w->watch = NULL;
    pthread_mutex_unlock(&service.lock);
    unref(s);
}

/* Under the lock of loading. */
static void watch_all(struct source *s)
{
    pthread_mutex_lock(&service.lock);
    for (struct source_watch *w = s->watches; w && service.watcher; w = w->next) {
        struct watch_conf c = { w->path, JOB_list_load, look, forget, w };
        if (w->watch)
            continue;
        atomic_fetch_add(&s->users, 1);
        w->watch = watch_begin(service.watcher, &c);
    }
    pthread_mutex_unlock(&service.lock);
}

/* A file of a folder, or a folder in which others may appear. */
static void found(void *ctx, const char *path)
{
    (void)add_watch(ctx, path);
}

/* Against what is in force; false: not to be taken, and r->why says so. */
static bool enough(const struct source *s, struct list_report_all *r)
{
    u64 before = s->newest ? s->newest->list->entries : 0;
    if (r->entries >= before / 2)
        return true;
    snprintf(r->why, sizeof r->why,
             "%.200s: it has shrunk from %llu entries to %llu; proxyd reload does not help, a "
             "restart takes it",
             s->conf.path, (unsigned long long)before, (unsigned long long)r->entries);
    return false;
}

static void report(struct source *s, const struct list_report_all *r, bool taken)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    must(f != NULL);
    fprintf(f, "list %.*s: ", SLICE_FMT(s->slot.name));
    if (taken)
        list_report_line(r, f);
    else if (atomic_load(&s->loaded))
        fprintf(f, "not taken, the content before it stays: %s\n", r->why);
    else
        fprintf(f, "not loaded: %s\n", r->why);
    list_report_rejected(r, f);
    fclose(f);
    say(taken ? LEVEL_INFO : LEVEL_ERROR, text);
    free(text);
}

static void load(struct source *s, bool fresh)
{
    struct list_report_all r;
    u64 now = signature(s->conf.path, 0);
    if (!fresh && now == s->signature)
        return;
    struct list_content *list = list_load(&s->conf, s->slot.readers, &r, found, s);
    if (list && !enough(s, &r)) {
        list_content_free(list);
        list = NULL;
    }
    bool taken = list && publish(s, list, fresh);
    if (list && !taken)
        return; /* the process ends */
    s->signature = now;
    if (taken) {
        atomic_store(&s->entries, r.entries);
        atomic_store(&s->rejected, r.rejected);
        atomic_store(&s->bytes, r.bytes);
        atomic_store(&s->loaded_s, clock_us(CLOCK_REALTIME) / 1000000);
    } else {
        atomic_fetch_add(&s->refused, 1);
    }
    report(s, &r, taken);
    if (taken)
        atomic_store(&s->loaded, true);
}

static bool look(void *arg)
{
    struct source *s = ((struct source_watch *)arg)->source;
    pthread_mutex_lock(&s->loading);
    load(s, false);
    watch_all(s);
    pthread_mutex_unlock(&s->loading);
    return true;
}

/* ---- sources ---- */

static void end_source(void *entry)
{
    struct source *s = *(struct source **)entry;
    for (;;) {
        struct watch *one = NULL;
        pthread_mutex_lock(&service.lock);
        for (struct source_watch *w = s->watches; w && one == NULL; w = w->next) {
            one = w->watch;
            w->watch = NULL;
        }
        pthread_mutex_unlock(&service.lock);
        if (one == NULL)
            break;
        watch_end(one);
    }
    unref(s);
}

static const struct registry_kind sources = { .name = "list",
                                              .size = sizeof(struct source *),
                                              .end = end_source };

static struct source *new_source(const struct node *n, u32 readers)
{
    struct source *s = must_zalloc(sizeof *s);
    arena_init(&s->arena, 0);
    s->conf = list_conf_read(n, &s->arena);
    s->slot.name = s->conf.name;
    s->slot.optional = s->conf.optional;
    s->slot.readers = readers;
    atomic_store(&s->users, 1);
    pthread_mutex_init(&s->loading, NULL);
    pthread_mutex_lock(&service.lock);
    s->next = service.first;
    service.first = s;
    pthread_mutex_unlock(&service.lock);
    pthread_mutex_lock(&s->loading);
    (void)add_watch(s, s->conf.path);
    load(s, true);
    watch_all(s);
    pthread_mutex_unlock(&s->loading);
    return s;
}

void lists_compile(const struct tree *t, struct snapshot *s, struct registry *r)
{
    u32 n = 0;
    for (const struct node *l = node_child(&t->root, "list"); l; l = node_again(l))
        n++;
    s->lists = arena_zalloc(&s->arena, (n ? n : 1) * sizeof *s->lists);
    for (const struct node *l = node_child(&t->root, "list"); l; l = node_again(l)) {
        if (!l->used)
            continue;
        struct list_conf c = list_conf_read(l, &s->arena);
        struct source **entry = registry_get(r, s, &sources, list_conf_key(&c, &s->arena));
        if (*entry == NULL)
            *entry = new_source(l, s->nworkers);
        s->lists[s->nlists++] = &(*entry)->slot;
    }
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
        const struct source *s = (const struct source *)(const void *)next->lists[i];
        if (!s->slot.optional && !atomic_load(&s->loaded) && !has_slot(now, &s->slot))
            return s->slot.name;
    }
    return SLICE("");
}

/* ---- the service ---- */

void lists_start(struct engine *e, struct watcher *w, struct reload *r)
{
    pthread_mutex_lock(&service.lock);
    service.engine = e;
    service.watcher = w;
    service.reload = r;
    pthread_mutex_unlock(&service.lock);
    for (struct source *s = service.first; s; s = s->next) { /* no reload has run yet */
        pthread_mutex_lock(&s->loading);
        watch_all(s);
        pthread_mutex_unlock(&s->loading);
    }
}

void lists_end(void)
{
    pthread_mutex_lock(&service.lock);
    service.ending = true;
    service.watcher = NULL;
    pthread_mutex_unlock(&service.lock);
}

bool lists_loaded(void)
{
    bool all = true;
    pthread_mutex_lock(&service.lock);
    for (const struct source *s = service.first; s; s = s->next)
        all &= s->slot.optional || atomic_load(&s->loaded);
    pthread_mutex_unlock(&service.lock);
    return all;
}

static u64 entries_of(const struct source *s)
{
    return atomic_load(&s->entries);
}
static u64 rejected_of(const struct source *s)
{
    return atomic_load(&s->rejected);
}
static u64 bytes_of(const struct source *s)
{
    return atomic_load(&s->bytes);
}
static u64 refused_of(const struct source *s)
{
    return atomic_load(&s->refused);
}
static u64 age_of(const struct source *s)
{
    u64 now = clock_us(CLOCK_REALTIME) / 1000000, then = atomic_load(&s->loaded_s);
    return then && now > then ? now - then : 0;
}

void lists_metrics(struct text *out)
{
    static const struct {
        const char *name, *type, *help;
        u64 (*value)(const struct source *s);
    } metrics[] = {
        { "proxyd_list_entries", "gauge", "Entries of a list, in force now", entries_of },
        { "proxyd_list_rejected_lines", "gauge", "Lines of it that could not be read",
          rejected_of },
        { "proxyd_list_bytes", "gauge", "Memory that its entries take", bytes_of },
        { "proxyd_list_age_seconds", "gauge", "Time since its content was loaded", age_of },
        { "proxyd_list_refused_total", "counter", "Times a new content was not taken", refused_of },
    };
    pthread_mutex_lock(&service.lock);
    for (unsigned i = 0; i < countof(metrics) && service.first; i++) {
        text_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name, metrics[i].help,
                 metrics[i].name, metrics[i].type);
        for (const struct source *s = service.first; s; s = s->next)
            text_fmt(out, "%s{list=\"%.*s\"} %llu\n", metrics[i].name, SLICE_FMT(s->slot.name),
                     (unsigned long long)metrics[i].value(s));
    }
    pthread_mutex_unlock(&service.lock);
}
