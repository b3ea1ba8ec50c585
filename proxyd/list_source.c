/*
 * A list as it runs: its content, exchanged between two turns of every worker's loop, and its
 * files, looked at again when they change. The hard thing, when an old content may go, stands in
 * lists.h.
 */
#include "lists_inside.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/must.h"

_Static_assert((int)LIST_READERS > (int)MOST_WORKERS, "each worker reads, and who explains");

enum { FOLDERS_DEEP = 8, WATCHES = 2048 };

#define service lists_service

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

static void take_out(struct list_source *s)
{
    pthread_mutex_lock(&service.lock);
    struct list_source **at = &service.first;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    pthread_mutex_unlock(&service.lock);
}

void list_source_ref(struct list_source *s)
{
    atomic_fetch_add(&s->users, 1);
}

void list_source_unref(struct list_source *s)
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
    pthread_mutex_destroy(&s->plan.lock);
    pthread_cond_destroy(&s->plan.news);
    arena_free(&s->arena);
    free(s);
}

/* ---- exchanging the content ---- */

struct exchange {
    struct call call;
    struct list_source *source;
    struct version *version;
    u32 reader;
};

static void set(struct list_source *s, u32 reader, struct version *v)
{
    struct version *old = s->held[reader];
    s->held[reader] = v;
    s->slot.of[reader] = v->list;
    drop_version(old);
}

/* The last reader is no worker. */
static void set_for_asking(struct list_source *s, struct version *v)
{
    pthread_mutex_lock(&service.asking);
    set(s, s->slot.readers - 1, v);
    pthread_mutex_unlock(&service.asking);
}

static void run_exchange(struct call *call, void *receiver)
{
    struct exchange *x = container_of(call, struct exchange, call);
    (void)receiver;
    set(x->source, x->reader, x->version);
    list_source_unref(x->source);
    free(x);
}

static void post(struct list_source *s, struct version *v, u32 reader)
{
    struct exchange *x = must_zalloc(sizeof *x);
    *x = (struct exchange){ { NULL, run_exchange }, s, v, reader };
    list_source_ref(s);
    loop_post(&service.engine->workers[reader]->loop, &x->call);
}

/* `fresh`: no worker knows the source yet. False: it is too late. */
static bool publish(struct list_source *s, struct list_content *list, bool fresh)
{
    struct version *v = must_zalloc(sizeof *v), *old;
    v->list = list;
    atomic_store(&v->holders, s->slot.readers + 1);
    pthread_mutex_lock(&service.lock); /* while it is held no worker ends */
    bool late = service.ending && !fresh;
    for (u32 i = 0; i < s->slot.readers && !late; i++)
        if (fresh || service.engine == NULL)
            set(s, i, v);
        else if (i + 1 < s->slot.readers)
            post(s, v, i);
        else
            set_for_asking(s, v);
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

void list_source_say(struct list_source *s, enum log_level level, const char *text)
{
    char *line = NULL;
    must(asprintf(&line, "list %.*s: %s%s", SLICE_FMT(s->slot.name), text,
                  text[0] && text[strlen(text) - 1] == '\n' ? "" : "\n") > 0);
    if (service.reload)
        reload_log(service.reload, level, line);
    else if (level == LEVEL_ERROR || !service.only_complain)
        fprintf(stderr, "proxyd: %s", line);
    free(line);
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

static struct source_watch *add_watch(struct list_source *s, const char *path)
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
    struct list_source *s = w->source;
    pthread_mutex_lock(&service.lock);
    w->watch = NULL;
    pthread_mutex_unlock(&service.lock);
    list_source_unref(s);
}

/* Under the lock of loading. */
static void watch_all(struct list_source *s)
{
    pthread_mutex_lock(&service.lock);
    for (struct source_watch *w = s->watches; w && service.watcher; w = w->next) {
        struct watch_conf c = { w->path, JOB_list_load, look, forget, w };
        if (w->watch)
            continue;
        list_source_ref(s);
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
static bool enough(const struct list_source *s, struct list_report_all *r)
{
    u64 before = s->newest ? s->newest->list->entries : 0;
    if (r->entries * 100 >= before * (100 - s->conf.most_loss))
        return true;
    snprintf(r->why, sizeof r->why,
             "%.200s: it has shrunk from %llu entries to %llu, by more than %u%% (max-loss); "
             "proxyd ctl refresh %.*s anyway takes it",
             s->conf.path, (unsigned long long)before, (unsigned long long)r->entries,
             s->conf.most_loss, SLICE_FMT(s->slot.name));
    return false;
}

static void note_outcome(struct list_source *s, const char *line, bool taken)
{
    struct source_plan *p = &s->plan;
    pthread_mutex_lock(&p->lock);
    snprintf(p->said, sizeof p->said, "%.*s", (int)strcspn(line, "\n"), line);
    snprintf(p->error, sizeof p->error, "%s", taken ? "" : p->said);
    p->error_s = taken ? 0 : clock_us(CLOCK_REALTIME) / 1000000;
    pthread_mutex_unlock(&p->lock);
}

static void report(struct list_source *s, const struct list_report_all *r, bool taken)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    must(f != NULL);
    if (taken)
        list_report_line(r, f);
    else if (atomic_load(&s->loaded))
        fprintf(f, "not taken, the content before it stays: %s\n", r->why);
    else
        fprintf(f, "not loaded: %s\n", r->why);
    fflush(f);
    note_outcome(s, text, taken);
    list_report_rejected(r, f);
    fclose(f);
    list_source_say(s, taken ? LEVEL_INFO : LEVEL_ERROR, text);
    free(text);
}

static void note_numbers(struct list_source *s, const struct list_report_all *r)
{
    u64 now = clock_us(CLOCK_REALTIME) / 1000000;
    atomic_store(&s->entries, r->entries);
    atomic_store(&s->rejected, r->rejected);
    atomic_store(&s->bytes, r->bytes);
    atomic_store(&s->loaded_s, now);
    atomic_store(&s->format, list_report_format(r));
    atomic_store(&s->bare, list_report_bare(r));
}

bool list_source_take(struct list_source *s, const struct list_conf *c, bool fresh, bool anyway)
{
    struct list_report_all r;
    struct list_content *list = list_load(c, s->slot.readers, &r, found, s);
    if (list && !anyway && !enough(s, &r)) {
        list_content_free(list);
        list = NULL;
    }
    bool taken = list && publish(s, list, fresh);
    if (list && !taken)
        return false; /* the process ends */
    if (taken)
        note_numbers(s, &r);
    else
        atomic_fetch_add(&s->refused, 1);
    report(s, &r, taken);
    if (taken)
        atomic_store(&s->loaded, true);
    return taken;
}

static void load(struct list_source *s, bool fresh, bool anyway)
{
    u64 now = signature(s->conf.path, 0);
    if (!fresh && now == s->signature)
        return;
    s->signature = now;
    (void)list_source_take(s, &s->conf, fresh, anyway);
}

void list_source_again(struct list_source *s, bool anyway)
{
    pthread_mutex_lock(&s->loading);
    s->signature = 0;
    load(s, false, anyway);
    pthread_mutex_unlock(&s->loading);
}

static bool look(void *arg)
{
    struct list_source *s = ((struct source_watch *)arg)->source;
    pthread_mutex_lock(&s->loading);
    load(s, false, false);
    watch_all(s);
    pthread_mutex_unlock(&s->loading);
    return true;
}

void list_source_begin(struct list_source *s)
{
    pthread_mutex_lock(&s->loading);
    (void)add_watch(s, s->conf.path);
    load(s, true, true);
    watch_all(s);
    pthread_mutex_unlock(&s->loading);
}

void list_source_watch_all(struct list_source *s)
{
    pthread_mutex_lock(&s->loading);
    watch_all(s);
    pthread_mutex_unlock(&s->loading);
}

void list_source_unwatch(struct list_source *s)
{
    for (;;) {
        struct watch *one = NULL;
        pthread_mutex_lock(&service.lock);
        for (struct source_watch *w = s->watches; w && one == NULL; w = w->next) {
            one = w->watch;
            w->watch = NULL;
        }
        pthread_mutex_unlock(&service.lock);
        if (one == NULL)
            return;
        watch_end(one);
    }
}
