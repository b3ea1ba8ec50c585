/*
 * Locks: `lock` guards the list, the state of each watch and `stale`; an offload queue's lock is
 * taken inside of it. Paths are touched in jobs alone, without the lock.
 *
 * One folder has one inotify watch, however many files pass through it, so one is removed only when
 * no file has a place there (watch_path.h); and not while any job adds some, because it may just be
 * adding the same one.
 */
#include "io/watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/must.h"
#include "io/watch_path.h"

enum { QUIET_MS = 200, MOST_MS = 2000, POLL_MS = 2000 };
enum { HEARD = 256 };

struct watch {
    struct offload_job job;
    struct list link;
    struct watcher *watcher;
    struct watch_conf conf;
    struct places places;
    u64 first_ms, last_ms; /* of changes that have not been looked at; first_ms 0: there are none */
    u64 again_ms;          /* look then in any case; 0: only after a change */
    bool posted;           /* the job is the offload threads' */
    bool ended, reported;
};

struct watcher {
    struct watcher_conf conf;
    int inotify, wake; /* inotify -1: none */
    int why_none;      /* errno */
    pthread_t thread;
    pthread_mutex_t lock;
    struct list watches;
    u32 adding;                /* jobs that add places */
    struct place heard[HEARD]; /* the last events: a place that is just being added may be meant */
    u64 nheard;
    int *stale; /* inotify watches that may have no place any more */
    u32 nstale, room;
    bool stopped, reported_none;
};

static u64 now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

/* Why the file has to be polled, or NULL. On an offload thread. */
static const char *find_places(const struct watch *w, struct places *out)
{
    out->n = 0;
    if (w->watcher->inotify < 0)
        return strerror(w->watcher->why_none);
    return watch_path(w->watcher->inotify, w->conf.path, out);
}

/* ---- places; under the lock ---- */

static bool has_place(const struct places *p, int wd)
{
    for (u32 i = 0; i < p->n; i++)
        if (p->at[i].wd == wd)
            return true;
    return false;
}

static bool is_used(const struct watcher *w, int wd)
{
    for (struct list *l = w->watches.next; l != &w->watches; l = l->next)
        if (has_place(&container_of(l, struct watch, link)->places, wd))
            return true;
    return false;
}

static bool concerns(const struct places *p, const struct place *event)
{
    for (u32 i = 0; i < p->n; i++)
        if (p->at[i].wd == event->wd &&
            (event->name == 0 || p->at[i].name == 0 || p->at[i].name == event->name))
            return true;
    return false;
}

static void note_change(struct watch *w)
{
    w->last_ms = now_ms();
    if (w->first_ms == 0)
        w->first_ms = w->last_ms;
}

/* Events that came between the adding of places and now, when they are known. */
static void look_back(struct watch *w, u64 from)
{
    struct watcher *all = w->watcher;
    bool met = all->nheard - from > HEARD;
    for (; from < all->nheard && !met; from++)
        met = concerns(&w->places, &all->heard[from % HEARD]);
    if (met)
        note_change(w);
}

/* Those whose file or folder has gone the kernel has removed already. */
static void remove_stale(struct watcher *w)
{
    if (w->adding)
        return;
    for (u32 i = 0; i < w->nstale; i++)
        if (!is_used(w, w->stale[i]))
            (void)inotify_rm_watch(w->inotify, w->stale[i]);
    w->nstale = 0;
}

static void give_up(struct watcher *w, const struct places *p)
{
    while (w->nstale + p->n > w->room) {
        w->room = w->room ? 2 * w->room : PLACES;
        w->stale = must_realloc(w->stale, w->room * sizeof *w->stale);
    }
    for (u32 i = 0; i < p->n; i++)
        w->stale[w->nstale++] = p->at[i].wd;
}

/* ---- one look; a job ---- */

static void wake(struct watcher *w)
{
    u64 one = 1;
    (void)!write(w->wake, &one, sizeof one);
}

/* That there is no inotify is reported with the first file, for all. */
static void say_polled(struct watch *w, const char *why)
{
    char line[PATH_MAX + 256];
    struct watcher *all = w->watcher;
    pthread_mutex_lock(&all->lock);
    bool none = all->inotify < 0, reported = none ? all->reported_none : w->reported;
    w->reported = true;
    all->reported_none |= none;
    pthread_mutex_unlock(&all->lock);
    if (reported)
        return;
    snprintf(line, sizeof line, "%s%s looked at every %u s: %s%s", none ? "files" : w->conf.path,
             none ? " are" : " is", all->conf.times.poll_ms / 1000, none ? "no inotify: " : "",
             why);
    all->conf.say(all->conf.arg, line);
}

/* Places first, then the look: what changes in between is reported. */
static void run(struct offload_job *job)
{
    struct watch *w = container_of(job, struct watch, job);
    struct watcher *all = w->watcher;
    struct places fresh;
    pthread_mutex_lock(&all->lock);
    w->first_ms = w->again_ms = 0;
    u64 from = all->nheard;
    all->adding++;
    pthread_mutex_unlock(&all->lock);
    const char *why = find_places(w, &fresh);
    pthread_mutex_lock(&all->lock);
    struct places old = w->places;
    w->places = fresh;
    look_back(w, from);
    all->adding--;
    give_up(all, &old);
    remove_stale(all);
    pthread_mutex_unlock(&all->lock);
    if (why)
        say_polled(w, why);
    bool again = !offload_cancelled(job) && !w->conf.look(w->conf.arg);
    pthread_mutex_lock(&all->lock);
    if (again || why)
        w->again_ms = now_ms() + all->conf.times.poll_ms;
    pthread_mutex_unlock(&all->lock);
}

/* It is in no list, and no job has it. The owner is told without the lock: it may hold one of its
 * own when it begins a watch. */
static void free_watch(struct watch *w)
{
    struct watcher *all = w->watcher;
    pthread_mutex_lock(&all->lock);
    give_up(all, &w->places);
    remove_stale(all);
    pthread_mutex_unlock(&all->lock);
    if (w->conf.forget)
        w->conf.forget(w->conf.arg);
    free((void *)(uintptr_t)w->conf.path);
    free(w);
}

/* Also when it was cancelled: it may be that only after the job had made up its mind. */
static void done(struct offload_job *job)
{
    struct watch *w = container_of(job, struct watch, job);
    struct watcher *all = w->watcher;
    pthread_mutex_lock(&all->lock);
    w->posted = false;
    bool ended = w->ended;
    if (!ended)
        wake(all);
    pthread_mutex_unlock(&all->lock);
    if (ended)
        free_watch(w);
}

/* ---- the thread ---- */

static u64 least(u64 a, u64 b)
{
    return a < b ? a : b;
}

/* UINT64_MAX: not before something happens. */
static u64 due(const struct watch *w)
{
    const struct watch_times *t = &w->watcher->conf.times;
    u64 at = w->again_ms ? w->again_ms : UINT64_MAX;
    if (w->posted)
        return UINT64_MAX;
    if (w->first_ms)
        at = least(at, least(w->last_ms + t->quiet_ms, w->first_ms + t->most_ms));
    return at;
}

/* Posts what is due; the time until the next one, for poll(2). */
static int post_due(struct watcher *w)
{
    u64 now = now_ms(), next = UINT64_MAX;
    for (struct list *l = w->watches.next; l != &w->watches; l = l->next) {
        struct watch *one = container_of(l, struct watch, link);
        if (due(one) <= now) {
            one->posted = offload_post(w->conf.offload, &one->job);
            if (!one->posted) { /* full */
                one->first_ms = 0;
                one->again_ms = now + w->conf.times.poll_ms;
            }
        }
        next = least(next, due(one));
    }
    return next == UINT64_MAX ? -1 : next <= now ? 0 : (int)(next - now);
}

/* One that the kernel has removed was reported before, unless we have removed it. */
static void hear(struct watcher *w, const struct inotify_event *e)
{
    struct place event = { e->wd, e->len ? watch_name(e->name) : 0 };
    if (e->mask & IN_IGNORED)
        return;
    w->heard[w->nheard++ % HEARD] = event;
    for (struct list *l = w->watches.next; l != &w->watches; l = l->next) {
        struct watch *one = container_of(l, struct watch, link);
        if ((e->mask & IN_Q_OVERFLOW) || concerns(&one->places, &event))
            note_change(one);
    }
}

static void read_events(struct watcher *w)
{
    _Alignas(struct inotify_event) char area[16 * 1024];
    ssize_t n;
    while ((n = read(w->inotify, area, sizeof area)) > 0)
        for (char *p = area; p < area + n;) {
            const struct inotify_event *e = (const void *)p;
            hear(w, e);
            p += sizeof *e + e->len;
        }
}

static void *serve(void *arg)
{
    struct watcher *w = arg;
    u64 n;
    pthread_setname_np(pthread_self(), "watch");
    pthread_mutex_lock(&w->lock);
    while (!w->stopped) {
        int ms = post_due(w);
        struct pollfd p[2] = { { .fd = w->wake, .events = POLLIN },
                               { .fd = w->inotify, .events = POLLIN } };
        pthread_mutex_unlock(&w->lock);
        (void)poll(p, 2, ms);
        (void)!read(w->wake, &n, sizeof n);
        pthread_mutex_lock(&w->lock);
        if (w->inotify >= 0)
            read_events(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- the service ---- */

struct watcher *watcher_new(const struct watcher_conf *conf)
{
    struct watcher *w = must_zalloc(sizeof *w);
    w->conf = *conf;
    if (w->conf.times.quiet_ms == 0)
        w->conf.times = (struct watch_times){ QUIET_MS, MOST_MS, POLL_MS };
    list_init(&w->watches);
    pthread_mutex_init(&w->lock, NULL);
    w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    w->why_none = errno;
    must((w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) >= 0);
    must(pthread_create(&w->thread, NULL, serve, w) == 0);
    return w;
}

void watcher_stop(struct watcher *w)
{
    pthread_mutex_lock(&w->lock);
    bool before = w->stopped;
    w->stopped = true;
    wake(w);
    pthread_mutex_unlock(&w->lock);
    if (!before)
        pthread_join(w->thread, NULL);
}

void watcher_free(struct watcher *w)
{
    watcher_stop(w);
    while (!list_empty(&w->watches))
        watch_end(container_of(w->watches.next, struct watch, link));
    if (w->inotify >= 0)
        close(w->inotify);
    close(w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w->stale);
    free(w);
}

struct watch *watch_begin(struct watcher *w, const struct watch_conf *conf)
{
    struct watch *one = must_zalloc(sizeof *one);
    one->job = (struct offload_job){ .kind = conf->kind, .run = run, .done = done, .drop = done };
    one->watcher = w;
    one->conf = *conf;
    must((one->conf.path = strdup(conf->path)) != NULL);
    one->again_ms = 1;
    pthread_mutex_lock(&w->lock);
    list_push_back(&w->watches, &one->link);
    wake(w);
    pthread_mutex_unlock(&w->lock);
    return one;
}

void watch_end(struct watch *w)
{
    struct watcher *all = w->watcher;
    pthread_mutex_lock(&all->lock);
    w->ended = true;
    list_remove(&w->link);
    bool free_now = !w->posted || offload_cancel(all->conf.offload, &w->job);
    pthread_mutex_unlock(&all->lock);
    if (free_now)
        free_watch(w);
}
