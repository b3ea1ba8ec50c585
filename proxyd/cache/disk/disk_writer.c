/*
 * The writer's thread. All that it shares is under one lock, which is never held while it reads or
 * writes; the log itself changes only while nobody holds it.
 */
#include "cache/disk/disk_inside.h"

#include <errno.h>

#include "base/clock.h"
#include "base/text.h"

enum { BATCH = 4 << 20, TIDY_S = 1 };

static struct disk_write *write_at(struct list *n)
{
    return container_of(n, struct disk_write, link);
}

/* ---- its state; under the lock ---- */

static void wait_until(struct disk *d, u64 us)
{
    struct timespec t = { .tv_sec = (time_t)(us / DISK_SECOND),
                          .tv_nsec = (long)(us % DISK_SECOND) * 1000 };
    pthread_cond_timedwait(&d->changed, &d->lock, &t);
}

static void wait_for_holders(struct disk *d)
{
    while (d->holders)
        pthread_cond_wait(&d->changed, &d->lock);
}

/* Those that are given up are told so, without the lock. */
static void end_writes(struct disk *d, struct list *ended)
{
    struct list *n;
    pthread_mutex_unlock(&d->lock);
    while ((n = list_pop(ended)) != NULL)
        write_at(n)->done(write_at(n), write_at(n)->good);
    pthread_mutex_lock(&d->lock);
}

static void uncount(struct disk *d, const struct disk_write *w)
{
    d->counts.queued_bytes -= w->bytes;
    d->always_bytes -= w->always ? w->bytes : 0;
}

/* Of what is queued, all that may be lost; `purges` too: those as well. */
static void give_up(struct disk *d, bool purges)
{
    struct list ended, *next;
    list_init(&ended);
    for (struct list *n = d->queue.next; n != &d->queue; n = next) {
        struct disk_write *w = write_at(n);
        next = n->next;
        if (w->always && !purges)
            continue;
        list_remove(n);
        uncount(d, w);
        w->good = false;
        list_push_back(&ended, n);
    }
    end_writes(d, &ended);
}

static void set_failed(struct disk *d)
{
    d->failed = true;
    d->again_us = clock_us(CLOCK_MONOTONIC) + DISK_RETRY_S * DISK_SECOND;
    give_up(d, false);
}

static void note_counts(struct disk *d)
{
    struct seglog_counts c = seglog_counts(d->log);
    d->counts.log = c;
    atomic_store_explicit(&d->full, c.dropped > 0 || c.bytes + c.bytes / 8 >= c.quota,
                          memory_order_relaxed);
}

/* ---- opening and closing; under the lock, which is let go meanwhile ---- */

static void told_open(struct disk *d)
{
    if (d->told)
        disk_tell(d, false, d->dir, ": in service again");
    d->told = false;
    d->why[0] = 0;
}

static void tell_why(struct disk *d, const char *why)
{
    if (!d->told || strcmp(d->why, why) != 0)
        disk_tell(d, true, why, "; answers are kept in memory alone, and it is tried again");
    d->told = true;
    struct text t = text_in(d->why, sizeof d->why - 1);
    text_cstr(&t, why);
    d->why[t.n] = 0;
}

static void load(struct disk *d, struct seglog *log)
{
    (void)stat(d->dir, &d->folder);
    pthread_mutex_lock(&d->lock);
    d->log = log;
    d->counts.loading = true;
    pthread_mutex_unlock(&d->lock);
    seglog_load(log, &d->stop);
    pthread_mutex_lock(&d->lock);
    d->counts.loading = false;
    d->applies = true; /* perhaps: those that were in the log */
    note_counts(d);
}

static bool open_log(struct disk *d)
{
    char why[DISK_LINE];
    u64 quota = d->quota;
    d->resized = false;
    pthread_mutex_unlock(&d->lock);
    struct seglog *log = seglog_open(d->dir, quota, why, sizeof why);
    if (log) {
        load(d, log);
        told_open(d);
        return true;
    }
    tell_why(d, why);
    pthread_mutex_lock(&d->lock);
    return false;
}

static void close_log(struct disk *d)
{
    struct seglog *log = d->log;
    d->ready = false;
    wait_for_holders(d);
    d->log = NULL;
    d->counts.log = (struct seglog_counts){ 0 };
    pthread_mutex_unlock(&d->lock);
    seglog_close(log);
    pthread_mutex_lock(&d->lock);
}

/* The folder was deleted, or another file system was mounted: what is written goes nowhere. */
static bool is_elsewhere(struct disk *d)
{
    struct stat now;
    pthread_mutex_unlock(&d->lock);
    bool same =
        stat(d->dir, &now) == 0 && now.st_dev == d->folder.st_dev && now.st_ino == d->folder.st_ino;
    pthread_mutex_lock(&d->lock);
    return !same;
}

/* ---- writing ---- */

static void take_batch(struct disk *d, struct list *batch)
{
    u64 bytes = 0;
    list_init(batch);
    while (!list_empty(&d->queue) && bytes < BATCH) {
        struct list *n = list_pop(&d->queue);
        bytes += write_at(n)->bytes;
        list_push_back(batch, n);
    }
}

/* 0: it is written, or not worth a failure of the disk; else the disk's errno. */
static int write_one(struct disk_write *w, struct seglog *l)
{
    errno = 0;
    w->good = w->write(w, l);
    bool its_own = errno == EOVERFLOW || errno == ESTALE || errno == ENOMEM;
    if (w->good || (its_own && !w->always))
        return 0;
    return errno ? errno : EIO;
}

/* 0, or the errno of what failed: then nothing behind it is written, for it may build on it. */
static int write_batch(struct disk *d, struct list *batch)
{
    int error = 0;
    for (struct list *n = batch->next; n != batch; n = n->next) {
        struct disk_write *w = write_at(n);
        w->good = false;
        if (error == 0 && (w->always || !atomic_load(&d->hurry)))
            error = write_one(w, d->log);
    }
    if (!seglog_flush(d->log)) {
        error = error ? error : errno ? errno : EIO;
        for (struct list *n = batch->next; n != batch; n = n->next)
            write_at(n)->good = false;
    }
    d->untidy = !(seglog_tidy(d->log) && seglog_is_settled(d->log));
    if (seglog_was_made_again(d->log)) {
        (void)stat(d->dir, &d->folder);
        disk_tell(d, false, d->dir,
                  ": it was deleted, with all that was kept there, and is made anew");
    }
    return error;
}

static void end_batch(struct disk *d, struct list *batch)
{
    struct list again, ended, *n;
    list_init(&again);
    list_init(&ended);
    while ((n = list_pop(batch)) != NULL) {
        struct disk_write *w = write_at(n);
        bool retried = w->always && !w->good && !d->leaving;
        list_push_back(retried ? &again : &ended, n);
        if (!retried)
            uncount(d, w);
    }
    while (!list_empty(&again)) { /* as they were, before all that has come since */
        n = again.prev;
        list_remove(n);
        list_push_front(&d->queue, n);
    }
    end_writes(d, &ended);
}

static void write_some(struct disk *d)
{
    struct list batch;
    take_batch(d, &batch);
    pthread_mutex_unlock(&d->lock);
    int error = write_batch(d, &batch);
    pthread_mutex_lock(&d->lock);
    d->counts.write_errors += error != 0;
    note_counts(d);
    end_batch(d, &batch);
    if (error)
        set_failed(d);
    pthread_mutex_unlock(&d->lock);
    if (error) {
        char why[DISK_LINE];
        struct text t = text_in(why, sizeof why - 1);
        text_fmt(&t, "cannot write to %s: %s", d->dir, strerror(error));
        why[t.n] = 0;
        tell_why(d, why);
    } else {
        told_open(d);
    }
    pthread_mutex_lock(&d->lock);
}

/* A purge was lost: whatever lies there is asked about before it is used. */
static void settle_doubt(struct disk *d)
{
    u64 id;
    d->doubt = false;
    pthread_mutex_unlock(&d->lock);
    bool good = seglog_ban(d->log, SEGLOG_BAN_PREFIX, SLICE(""), true, &id) &&
                seglog_append_ban(d->log, id) && seglog_flush(d->log);
    pthread_mutex_lock(&d->lock);
    if (good)
        return;
    d->doubt = true;
    set_failed(d);
}

/* A few milliseconds of it, for neither an answer nor a purge is to wait for that. */
static void apply_bans(struct disk *d)
{
    pthread_mutex_unlock(&d->lock);
    bool done = seglog_apply_bans(d->log);
    pthread_mutex_lock(&d->lock);
    d->applies = !done;
    note_counts(d);
}

static void resize(struct disk *d)
{
    u64 quota = d->quota;
    d->resized = false;
    pthread_mutex_unlock(&d->lock);
    seglog_resize(d->log, quota);
    pthread_mutex_lock(&d->lock);
    note_counts(d);
}

static void wait_for_work(struct disk *d)
{
    if (!d->untidy) {
        pthread_cond_wait(&d->changed, &d->lock);
        return;
    }
    wait_until(d, clock_us(CLOCK_MONOTONIC) + TIDY_S * DISK_SECOND);
    if (d->leaving || !list_empty(&d->queue))
        return;
    pthread_mutex_unlock(&d->lock);
    bool settled = seglog_settle(d->log);
    d->untidy = !(seglog_tidy(d->log) && settled);
    pthread_mutex_lock(&d->lock);
}

/* One thing that there is to do, or a wait for the next. */
static void step(struct disk *d)
{
    u64 now = clock_us(CLOCK_MONOTONIC);
    if ((d->log == NULL || d->failed) && now < d->again_us) {
        wait_until(d, d->again_us);
    } else if (d->failed) {
        d->failed = false;
        if (d->log && is_elsewhere(d))
            close_log(d);
    } else if (d->log == NULL) {
        if (!open_log(d))
            d->again_us = clock_us(CLOCK_MONOTONIC) + DISK_OPEN_S * DISK_SECOND;
    } else if (d->doubt) {
        settle_doubt(d);
    } else if (d->resized) {
        resize(d);
    } else if (!list_empty(&d->queue)) {
        write_some(d);
        if (!d->failed)
            apply_bans(d);
    } else if (d->applies) {
        d->ready = true;
        apply_bans(d);
    } else {
        d->ready = true;
        wait_for_work(d);
    }
}

void *disk_serve(void *arg)
{
    struct disk *d = arg;
    pthread_setname_np(pthread_self(), "disk");
    pthread_mutex_lock(&d->lock);
    while (!d->leaving)
        step(d);
    d->ready = false;
    d->failed = false; /* once more */
    while (d->log && !d->failed && !list_empty(&d->queue))
        write_some(d);
    if (d->log && !d->failed && d->doubt)
        settle_doubt(d);
    give_up(d, true);
    if (d->log) {
        pthread_mutex_unlock(&d->lock);
        seglog_give_back(d->log); /* to the next process, though somebody may still read here */
        pthread_mutex_lock(&d->lock);
        close_log(d);
    }
    d->left = true;
    pthread_mutex_unlock(&d->lock);
    return NULL;
}
