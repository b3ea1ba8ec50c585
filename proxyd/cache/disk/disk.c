/* What any thread may ask of the disk tier; the thread that does it is disk_writer.c. */
#include "cache/disk/disk_inside.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/text.h"

enum { TOLD_S = 60 };

void disk_tell(struct disk *d, bool bad, const char *what, const char *why)
{
    char line[2 * DISK_LINE];
    struct text t = text_in(line, sizeof line - 1);
    text_cstr(&t, what);
    text_cstr(&t, why);
    line[t.n] = 0;
    d->say(d->arg, bad, line);
}

struct disk *disk_new(const char *dir, u64 quota, u64 queue, disk_say *say, void *arg)
{
    struct disk *d = must_zalloc(sizeof *d);
    pthread_condattr_t clock;
    d->dir = strdup(dir);
    must(d->dir != NULL);
    d->quota = quota;
    d->queue_most = queue < DISK_QUEUE ? queue : DISK_QUEUE;
    d->say = say;
    d->arg = arg;
    list_init(&d->queue);
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&d->changed, &clock);
    pthread_condattr_destroy(&clock);
    must(pthread_create(&d->thread, NULL, disk_serve, d) == 0);
    return d;
}

void disk_leave(struct disk *d)
{
    atomic_store(&d->stop, true);
    pthread_mutex_lock(&d->lock);
    d->leaving = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

void disk_hurry(struct disk *d)
{
    atomic_store(&d->hurry, true);
}

bool disk_left(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    bool left = d->left;
    pthread_mutex_unlock(&d->lock);
    return left;
}

void disk_free(struct disk *d)
{
    pthread_join(d->thread, NULL);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->changed);
    free(d->dir);
    free(d);
}

void disk_resize(struct disk *d, u64 quota, u64 queue)
{
    pthread_mutex_lock(&d->lock);
    d->resized |= d->quota != quota;
    d->quota = quota;
    d->queue_most = queue < DISK_QUEUE ? queue : DISK_QUEUE;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

bool disk_use(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    bool good = d->ready && !d->leaving;
    d->holders += good;
    pthread_mutex_unlock(&d->lock);
    return good;
}

void disk_hold(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    d->holders++;
    pthread_mutex_unlock(&d->lock);
}

void disk_let(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    if (--d->holders == 0)
        pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

struct seglog *disk_log(struct disk *d)
{
    return d->log;
}

bool disk_is_full(const struct disk *d)
{
    return atomic_load_explicit(&d->full, memory_order_relaxed);
}

static bool post(struct disk *d, struct disk_write *w, bool always)
{
    pthread_mutex_lock(&d->lock);
    u64 waiting = always ? d->always_bytes : d->counts.queued_bytes;
    bool takes = !d->leaving && (always || (d->ready && !d->failed));
    bool good = takes && waiting + w->bytes <= (always ? DISK_QUEUE : d->queue_most);
    w->always = always;
    if (good) {
        d->counts.queued_bytes += w->bytes;
        d->always_bytes += always ? w->bytes : 0;
        list_push_back(&d->queue, &w->link);
        pthread_cond_signal(&d->changed);
    } else {
        d->counts.refused++;
    }
    pthread_mutex_unlock(&d->lock);
    return good;
}

bool disk_post(struct disk *d, struct disk_write *w)
{
    return post(d, w, false);
}

bool disk_post_always(struct disk *d, struct disk_write *w)
{
    return post(d, w, true);
}

void disk_doubt(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    d->doubt = true;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

void disk_read_failed(struct disk *d, int error)
{
    char why[DISK_LINE];
    struct text t = text_in(why, sizeof why - 1);
    u64 now = clock_us(CLOCK_MONOTONIC);
    pthread_mutex_lock(&d->lock);
    d->counts.read_errors++;
    bool told = d->read_told_us && now - d->read_told_us < TOLD_S * DISK_SECOND;
    d->read_told_us = told ? d->read_told_us : now;
    pthread_mutex_unlock(&d->lock);
    if (told)
        return;
    text_fmt(&t, "cannot read from %s: %s", d->dir,
             error ? strerror(error) : "what was read is not what was written");
    why[t.n] = 0;
    disk_tell(d, true, why, "; it is fetched from the origin");
}

struct disk_counts disk_counts(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    struct disk_counts c = d->counts;
    c.in_service = d->ready && !d->failed && !d->leaving;
    pthread_mutex_unlock(&d->lock);
    return c;
}
