#include "cache/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "cache/disk/checked.h"
#include "core/exchange/xchg.h"

enum { BYTES = 64 << 10, BELIEVED_US = 1000000 };

/* A part on its way from the disk; its own memory, for it cannot be called back. */
struct reading {
    struct offload_job job;
    struct reader *reader; /* on the loop's thread; NULL: it has gone, … */
    _Atomic bool unwanted; /* … which the other thread sees here */
    struct worker *worker;
    struct body *body; /* held */
    struct body_part part, next;
    bool has_next;
    bool good;
};

static struct seglog *log_of(const struct body *b)
{
    return disk_log(b->spills_to);
}

static u64 offset_of(const struct body_part *p, u64 pos)
{
    return segment_offset(&p->place) + (pos - p->at);
}

/* ---- on a thread that may wait ---- */

/* 0, or why it is not what was written: an errno, or EILSEQ. */
static int read_whole(const struct body_part *p, char *area)
{
    size_t have = 0;
    while (have < p->place.n) {
        ssize_t n = seglog_read(p->segment, &p->place, have, area + have, p->place.n - have, true);
        if (n <= 0)
            return n < 0 ? errno : EILSEQ;
        have += (size_t)n;
    }
    struct slice payload = { area, have };
    return seglog_check(p->segment, &p->place, SEGLOG_BYTES, payload) ? 0 : EILSEQ;
}

static bool is_there(const struct body *b, const struct body_part *p)
{
    return checked_is(seglog_secret(log_of(b)), &p->place) &&
           page_cached(segment_fd(p->segment), segment_offset(&p->place), p->place.n);
}

static bool read_part(struct body *b, const struct body_part *p)
{
    char *area = malloc(p->place.n);
    if (area == NULL)
        return false;
    int error = read_whole(p, area);
    free(area);
    if (error == 0) {
        checked_note(seglog_secret(log_of(b)), &p->place);
        return true;
    }
    checked_forget(seglog_secret(log_of(b)), &p->place);
    atomic_store(&b->bad, true);
    disk_read_failed(b->spills_to, error == EILSEQ ? 0 : error);
    return false;
}

/* It begins to come while this one is sent, so it will have to be checked as well. */
static void read_ahead(struct body *b, const struct body_part *p)
{
    int fd = segment_fd(p->segment);
    u64 at = segment_offset(&p->place);
    if (page_cached(fd, at, p->place.n))
        return;
    checked_forget(seglog_secret(log_of(b)), &p->place);
    (void)readahead(fd, (off_t)at, p->place.n);
}

/* Somebody else may have brought it while this waited in line. */
static void run(struct offload_job *job)
{
    struct reading *g = container_of(job, struct reading, job);
    if (atomic_load_explicit(&g->unwanted, memory_order_relaxed))
        return;
    g->good = is_there(g->body, &g->part) || read_part(g->body, &g->part);
    if (g->good && g->has_next)
        read_ahead(g->body, &g->next);
}

/* ---- on the reader's ---- */

static void believe(struct reader_disk *d, u64 from, u64 to, u64 now_us, bool was_read)
{
    d->from = from;
    d->to = to;
    d->until_us = now_us + BELIEVED_US;
    d->was_read = was_read;
    d->cold.segment = NULL;
}

/* Of what the reader wants, the byte behind the last one in that part. */
static u64 end_in(const struct body_part *p, u64 to)
{
    return p->at + p->place.n < to ? p->at + p->place.n : to;
}

static void done(struct offload_job *job)
{
    struct reading *g = container_of(job, struct reading, job);
    struct reader *r = g->reader;
    g->worker->jobs--;
    if (r) {
        r->disk.job = NULL;
        r->disk.failed = !g->good;
        if (g->good)
            believe(&r->disk, g->part.at, g->part.at + g->part.place.n, g->worker->loop.now.mono_us,
                    true);
    }
    body_put(g->body);
    free(g);
    if (r)
        xchg_wake(r->x);
}

static bool is_ready(struct reader *r, const struct body_part *p, u64 to)
{
    struct reader_disk *d = &r->disk;
    u64 now = r->x ? r->x->worker->loop.now.mono_us : 0, end = end_in(p, to);
    if (d->job || d->failed)
        return false;
    if (r->pos >= d->from && r->pos < d->to && now < d->until_us)
        return true;
    if (checked_is(seglog_secret(log_of(r->body)), &p->place) &&
        page_cached(segment_fd(p->segment), offset_of(p, r->pos), (size_t)(end - r->pos))) {
        believe(d, r->pos, end, now, false);
        return true;
    }
    d->cold = *p;
    return false;
}

bool reader_disk_extent(struct reader *r, const struct body_part *p, u64 to, struct extent *e)
{
    if (!is_ready(r, p, to))
        return false;
    *e = (struct extent){ segment_fd(p->segment), offset_of(p, r->pos),
                          (size_t)(end_in(p, to) - r->pos) };
    return true;
}

/* Those that a job has just read are read though it should take a moment: so that it goes on where
 * the system takes memory back at once, or cannot tell what is there. */
static enum flow read_bytes(struct reader *r, const struct body_part *p, u64 to)
{
    struct reader_disk *d = &r->disk;
    u64 left = end_in(p, to) - r->pos;
    size_t n = left < BYTES ? (size_t)left : BYTES;
    if (d->bytes == NULL && (d->bytes = budget_take(r->body->budget, BYTES)) == NULL)
        return FLOW_FAULT;
    ssize_t got = seglog_read(p->segment, &p->place, r->pos - p->at, d->bytes, n, d->was_read);
    if (got > 0) {
        d->bytes_from = r->pos;
        d->bytes_to = r->pos + (u64)got;
        return FLOW_OK;
    }
    if (got < 0 && !d->was_read && (errno == EAGAIN || errno == EOPNOTSUPP)) {
        d->to = 0;
        d->cold = *p;
        return FLOW_WAIT;
    }
    atomic_store(&r->body->bad, true);
    disk_read_failed(r->body->spills_to, got < 0 ? errno : 0);
    return FLOW_FAULT;
}

enum flow reader_disk_peek(struct reader *r, const struct body_part *p, u64 to, struct slice *run)
{
    struct reader_disk *d = &r->disk;
    if (d->failed)
        return FLOW_FAULT;
    if (d->bytes == NULL || r->pos < d->bytes_from || r->pos >= d->bytes_to) {
        enum flow f = is_ready(r, p, to) ? read_bytes(r, p, to) : FLOW_WAIT;
        if (f != FLOW_OK)
            return f;
    }
    *run = (struct slice){ d->bytes + (r->pos - d->bytes_from), (size_t)(d->bytes_to - r->pos) };
    return FLOW_OK;
}

static struct reading *new_reading(struct reader *r)
{
    struct reading *g = malloc(sizeof *g);
    struct body *b = r->body;
    if (g == NULL)
        return NULL;
    *g = (struct reading){
        .job = { .kind = JOB_cache_read, .run = run, .done = done, .loop = &r->x->worker->loop },
        .reader = r,
        .worker = r->x->worker,
        .body = b,
        .part = r->disk.cold
    };
    body_hold(b);
    pthread_mutex_lock(&b->lock);
    g->has_next = spill_find(b, g->part.at + g->part.place.n, &g->next);
    pthread_mutex_unlock(&b->lock);
    return g;
}

enum flow reader_disk_fill(struct reader *r)
{
    if (r->disk.job)
        return FLOW_WAIT;
    struct reading *g = r->x ? new_reading(r) : NULL;
    if (g == NULL)
        return FLOW_FAULT;
    if (!offload_post(r->x->worker->engine->offload, &g->job)) {
        body_put(g->body);
        free(g);
        return FLOW_OK; /* there is a long line: asked again in the next turn */
    }
    r->x->worker->jobs++;
    r->disk.job = g;
    return FLOW_WAIT;
}

void reader_disk_end(struct reader *r)
{
    struct reader_disk *d = &r->disk;
    if (d->job) {
        d->job->reader = NULL;
        atomic_store_explicit(&d->job->unwanted, true, memory_order_relaxed);
    }
    budget_give(r->body->budget, d->bytes, BYTES);
    d->bytes = NULL;
}
