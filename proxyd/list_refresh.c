/*
 * When a list is fetched, and what becomes of what was fetched: a thread for each such list, for
 * one that a slow server holds must not keep the others waiting. It sleeps nearly always.
 */
#include "lists_inside.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/must.h"
#include "list_fetch.h"

enum { FIRST_RETRY_MS = 10000, LAST_RETRY_MS = 3600000, DOUBLINGS = 10, NICE = 10 };

#define service lists_service

/* Those that were fetched at one time are built one after the other: that takes memory. */
static pthread_mutex_t building = PTHREAD_MUTEX_INITIALIZER;

static u64 now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

static u64 now_s(void)
{
    return clock_us(CLOCK_REALTIME) / 1000000;
}

static u64 dice(void)
{
    u64 now = clock_us(CLOCK_MONOTONIC);
    return hash64(hash_process_key(), &now, sizeof now);
}

/* A tenth more or less, so that not all who have the list come at one time. */
static u64 jittered(u64 ms)
{
    return ms - ms / 10 + (ms >= 10 ? dice() % (ms / 5 + 1) : 0);
}

static u64 retry_ms(const struct list_source *s)
{
    u32 n = s->plan.failures - 1;
    u64 ms = (u64)FIRST_RETRY_MS << (n < DOUBLINGS ? n : DOUBLINGS);
    ms = ms < LAST_RETRY_MS ? ms : LAST_RETRY_MS;
    return ms < s->conf.every ? ms : s->conf.every;
}

/* ---- one attempt ---- */

static void set_due(struct list_source *s, u64 ms)
{
    pthread_mutex_lock(&s->plan.lock);
    s->plan.due_ms = now_ms() + ms;
    pthread_mutex_unlock(&s->plan.lock);
}

static void note(struct list_source *s, const char *said, bool good)
{
    struct source_plan *p = &s->plan;
    pthread_mutex_lock(&p->lock);
    snprintf(p->said, sizeof p->said, "%s", said);
    snprintf(p->error, sizeof p->error, "%s", good ? "" : said);
    p->error_s = good ? 0 : now_s();
    pthread_mutex_unlock(&p->lock);
}

static void succeeded(struct list_source *s, const struct list_stamp *stamp)
{
    s->plan.failures = 0;
    s->plan.stamp = *stamp;
    atomic_store(&s->checked_s, stamp->checked_s);
    set_due(s, jittered(s->conf.every));
}

/* Not before the server wants it, if it has said when. */
static u64 failed(struct list_source *s, u64 wait_s)
{
    s->plan.failures++;
    atomic_fetch_add(&s->failed, 1);
    u64 ms = jittered(retry_ms(s)), least = wait_s * 1000;
    if (ms < least)
        ms = least + dice() % (least / 5 + 1);
    set_due(s, ms);
    return ms;
}

static void not_fetched(struct list_source *s, const char *why, u64 wait_s)
{
    char text[LIST_SAID];
    u64 ms = failed(s, wait_s);
    snprintf(text, sizeof text, "not fetched%s: %s",
             atomic_load(&s->loaded) ? ", the content before it stays" : "", why);
    note(s, text, false);
    size_t n = strlen(text);
    snprintf(text + n, sizeof text - n, "; tried again in %llu s",
             (unsigned long long)((ms + 999) / 1000));
    list_source_say(s, LEVEL_ERROR, text);
}

/* Once: a disk that is full now may have room later. */
static void warn_unkept(struct list_source *s, int why)
{
    char text[LIST_SAID];
    snprintf(text, sizeof text, "no copy of it is kept in %s: %s; a start needs the network",
             s->place.folder ? s->place.folder : "a folder",
             s->place.folder ? strerror(why) : "there is none (state)");
    if (!s->plan.warned)
        list_source_say(s, LEVEL_WARNING, text);
    s->plan.warned = true;
}

static void unchanged(struct list_source *s, const struct list_stamp *stamp)
{
    succeeded(s, stamp);
    note(s, "unchanged", true);
    (void)list_copy_confirm(&s->place, stamp);
    list_source_say(s, LEVEL_DEBUG, "unchanged");
}

static void fetched(struct list_source *s, int fd, bool kept, const struct list_stamp *stamp,
                    bool anyway)
{
    char path[64];
    if (atomic_load(&s->loaded) && strcmp(stamp->sum, s->plan.stamp.sum) == 0) {
        unchanged(s, stamp);
        return;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct list_conf c = s->conf;
    c.copy = path;
    pthread_mutex_lock(&building);
    pthread_mutex_lock(&s->loading);
    bool taken = list_source_take(s, &c, false, anyway);
    pthread_mutex_unlock(&s->loading);
    pthread_mutex_unlock(&building);
    if (!taken) {
        failed(s, 0);
        return;
    }
    succeeded(s, stamp);
    if (kept && !list_copy_keep(&s->place, fd, stamp))
        warn_unkept(s, errno);
}

static bool is_unwanted(void *source)
{
    struct list_source *s = source;
    pthread_mutex_lock(&s->plan.lock);
    bool ends = s->plan.ends;
    pthread_mutex_unlock(&s->plan.lock);
    return ends;
}

static void attempt(struct list_source *s, bool anyway)
{
    char why[LIST_FETCH_WHY];
    u64 wait_s;
    bool kept;
    struct list_stamp stamp;
    int fd = list_copy_begin(&s->place, &kept);
    if (fd < 0) {
        not_fetched(s, strerror(errno), 0);
        return;
    }
    if (!kept)
        warn_unkept(s, errno);
    struct list_fetch f = { .fetching = service.fetching,
                            .conf = &s->conf,
                            .errand = &s->errand,
                            .have = s->plan.stamp.sum[0] ? &s->plan.stamp : NULL,
                            .fd = fd,
                            .wait_s = &wait_s,
                            .unwanted = is_unwanted,
                            .ctx = s };
    switch (list_fetch(&f, &stamp, why)) {
    case LIST_FETCHED: fetched(s, fd, kept, &stamp, anyway); break;
    case LIST_UNCHANGED: unchanged(s, &stamp); break;
    case LIST_NOT_FETCHED: not_fetched(s, why, wait_s); break;
    case LIST_UNWANTED: break;
    }
    close(fd);
}

/* ---- the thread ---- */

static struct timespec at_ms(u64 ms)
{
    return (struct timespec){ .tv_sec = (time_t)(ms / 1000),
                              .tv_nsec = (long)(ms % 1000) * 1000000 };
}

/* False: the end. *ticket: whose wishes the attempt fulfils. */
static bool wait_due(struct list_source *s, u64 *ticket, bool *anyway)
{
    struct source_plan *p = &s->plan;
    pthread_mutex_lock(&p->lock);
    while (!p->ends && p->asked == p->done && now_ms() < p->due_ms) {
        struct timespec until = at_ms(p->due_ms);
        pthread_cond_timedwait(&p->news, &p->lock, &until);
    }
    *ticket = p->asked;
    *anyway = p->anyway;
    p->anyway = false;
    bool goes_on = !p->ends;
    pthread_mutex_unlock(&p->lock);
    return goes_on;
}

static void *refresh(void *source)
{
    struct list_source *s = source;
    struct source_plan *p = &s->plan;
    u64 ticket;
    bool anyway;
    pthread_setname_np(pthread_self(), "list");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* requests first */
    while (wait_due(s, &ticket, &anyway)) {
        attempt(s, anyway);
        pthread_mutex_lock(&p->lock);
        p->done = ticket;
        p->attempts++;
        pthread_cond_broadcast(&p->news);
        pthread_mutex_unlock(&p->lock);
    }
    list_source_unref(s);
    atomic_fetch_sub(&service.threads, 1);
    return NULL;
}

/* Signals are main's: the thread inherits a mask that lets none in. */
void refresh_start(struct list_source *s)
{
    pthread_t thread;
    pthread_attr_t detached;
    sigset_t all, before;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    list_source_ref(s);
    atomic_fetch_add(&service.threads, 1);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    must(pthread_create(&thread, &detached, refresh, s) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
}

void refresh_begin(struct list_source *s)
{
    char path[LIST_COPY_PATH];
    struct list_conf c = s->conf;
    struct source_plan *p = &s->plan;
    size_t n = sizeof "list " + s->slot.name.n;
    char *name = arena_zalloc(&s->arena, n);
    memcpy(name, "list ", 5);
    memcpy(name + 5, s->slot.name.p, s->slot.name.n);
    errand_init(&s->errand, (struct slice){ name, n - 1 }, s->conf.reach);
    s->place = (struct list_place){ service.folder, name + 5, s->conf.path };
    if (list_copy_find(&s->place, &p->stamp, path)) {
        c.copy = path;
        u64 now = now_s(),
            age_ms = (now > p->stamp.checked_s ? now - p->stamp.checked_s : 0) * 1000;
        pthread_mutex_lock(&s->loading);
        if (list_source_take(s, &c, true, true) && age_ms < s->conf.every)
            p->due_ms = now_ms() + jittered(s->conf.every - age_ms);
        pthread_mutex_unlock(&s->loading);
        atomic_store(&s->checked_s, p->stamp.checked_s);
    }
    if (!atomic_load(&s->loaded))
        p->stamp.sum[0] = 0;
    pthread_mutex_lock(&service.lock);
    if (service.ending)
        p->ends = true;
    else if (service.engine)
        refresh_start(s);
    pthread_mutex_unlock(&service.lock);
}

void refresh_end(struct list_source *s)
{
    pthread_mutex_lock(&s->plan.lock);
    s->plan.ends = true;
    pthread_cond_broadcast(&s->plan.news);
    pthread_mutex_unlock(&s->plan.lock);
}

void refresh_await(struct list_source *s, u64 ms)
{
    struct source_plan *p = &s->plan;
    struct timespec until = at_ms(now_ms() + ms);
    int late = 0;
    pthread_mutex_lock(&p->lock);
    while (!p->ends && p->attempts == 0 && late == 0)
        late = pthread_cond_timedwait(&p->news, &p->lock, &until);
    pthread_mutex_unlock(&p->lock);
}

void refresh_now(struct list_source *s, bool anyway)
{
    struct source_plan *p = &s->plan;
    pthread_mutex_lock(&p->lock);
    u64 ticket = ++p->asked;
    p->anyway |= anyway;
    pthread_cond_broadcast(&p->news);
    while (!p->ends && p->done < ticket)
        pthread_cond_wait(&p->news, &p->lock);
    pthread_mutex_unlock(&p->lock);
}
