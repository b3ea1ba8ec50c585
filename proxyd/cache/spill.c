#include "cache/spill.h"

#include "cache/disk/checked.h"
#include "cache/wake.h"

enum { PARTS_AT_ONCE = 4, PIECES = 32, FIRST_ROOM = 8 };

static struct body_write *write_of(struct disk_write *w)
{
    return container_of(w, struct body_write, write);
}

static u32 parts_of(u64 bytes)
{
    return (u32)((bytes + SEGLOG_PART - 1) / SEGLOG_PART);
}

/* ---- chunks; under the lock ---- */

void chunk_let(struct body *b, struct chunk *c)
{
    if (--c->holders == 0 && c->left)
        chunk_free(b->budget, c);
}

/* What is on disk leaves memory, but for what somebody reads from just now. No chunk is in two
 * parts; one that begins where the parts on disk end may have no bytes yet. */
static void give_up_chunks(struct body *b)
{
    for (struct chunk *c; (c = b->first) != NULL && c->at < b->disk->have;) {
        b->first = c->next;
        c->left = true;
        c->holders++;
        chunk_let(b, c);
    }
    if (b->first == NULL)
        b->last = NULL;
}

void body_shed(struct body *b)
{
    pthread_mutex_lock(&b->lock);
    u64 keep = b->disk ? b->disk->posted : 0;
    struct chunk **from = &b->first;
    b->last = b->filling = NULL;
    while (*from && (*from)->at < keep) {
        b->last = *from;
        from = &(*from)->next;
    }
    struct chunk *next = *from;
    *from = NULL;
    for (struct chunk *c; (c = next) != NULL;) {
        next = c->next;
        c->left = true;
        c->holders++;
        chunk_let(b, c);
    }
    pthread_mutex_unlock(&b->lock);
}

/* ---- places: n segments and then n places in one piece of memory ---- */

static size_t places_size(u32 n)
{
    return n * (sizeof(struct segment *) + sizeof(struct seglog_place));
}

static bool places_new(struct budget *b, u32 n, struct places *out)
{
    struct segment **segment = budget_take(b, places_size(n));
    if (segment == NULL)
        return false;
    *out = (struct places){ segment, (struct seglog_place *)(void *)(segment + n), 0, n };
    return true;
}

static void places_free(struct budget *b, struct places *p)
{
    if (p->room)
        budget_give(b, p->segment, places_size(p->room));
}

/* Those behind the first `keep`. */
static void places_cut(struct places *p, u32 keep)
{
    while (p->n > keep)
        seglog_let(&p->segment[--p->n]);
}

/* False: what is there has left. */
static bool places_add(struct places *p, struct seglog *l, const struct seglog_place *place)
{
    struct segment *s = seglog_hold(l, place->segment);
    if (s == NULL)
        return false;
    p->segment[p->n] = s;
    p->place[p->n++] = *place;
    return true;
}

/* Room for one more; readers look at those that there are. */
static bool room_for_place(struct body *b)
{
    struct places *p = &b->disk->places, wider, old = *p;
    if (p->n < p->room)
        return true;
    if (p->n == SEGLOG_PARTS_MOST || !places_new(b->budget, p->n ? 2 * p->n : FIRST_ROOM, &wider))
        return false;
    if (p->n) {
        memcpy(wider.segment, p->segment, p->n * sizeof *p->segment);
        memcpy(wider.place, p->place, p->n * sizeof *p->place);
    }
    wider.n = p->n;
    pthread_mutex_lock(&b->lock);
    *p = wider;
    pthread_mutex_unlock(&b->lock);
    places_free(b->budget, &old);
    return true;
}

bool spill_find(const struct body *b, u64 pos, struct body_part *out)
{
    const struct body_disk *d = b->disk;
    u32 i = (u32)(pos / SEGLOG_PART);
    if (d == NULL || pos >= d->have)
        return false;
    *out = (struct body_part){ d->places.place[i], d->places.segment[i], (u64)i * SEGLOG_PART };
    return true;
}

/* ---- the writer's thread; chunks with bytes that are posted stay as they are ---- */

/* The next n bytes of *c, the chunk that they begin in, and those behind it; those from `to` on
 * are not looked at. False: the log has failed. No place has been added: it was in vain. */
static bool append_part(struct body_disk *d, const struct chunk **c, u64 n, u64 to,
                        struct seglog *l)
{
    struct iovec v[PIECES];
    struct seglog_place place;
    u32 nv = 0;
    for (u64 have = 0; have < n && nv < PIECES; have += v[nv++].iov_len) {
        v[nv] = (struct iovec){ (void *)(*c)->bytes, (*c)->n };
        if ((*c)->at + (*c)->n < to)
            *c = (*c)->next;
    }
    if (!seglog_append_bytes(l, v, nv, &place))
        return false;
    (void)(place.n == n && places_add(&d->places, l, &place));
    return true;
}

static bool write_parts(struct disk_write *write, struct seglog *l)
{
    struct body_write *w = write_of(write);
    struct body *b = w->body;
    struct body_disk *d = b->disk;
    const struct chunk *c = b->first;
    u64 at = w->from;
    while (c->at < at)
        c = c->next;
    /* What stands before it may not have been written. */
    for (; at < w->to && d->places.n == at / SEGLOG_PART && room_for_place(b); at += SEGLOG_PART)
        if (!append_part(d, &c, w->to - at < SEGLOG_PART ? w->to - at : SEGLOG_PART, w->to, l))
            return false;
    w->good = d->places.n == parts_of(w->to);
    return true;
}

/* They need no check as long as they are not read from the disk anew. */
static void note_checked(struct body *b, u32 from, u32 to)
{
    for (u32 i = from; i < to; i++)
        checked_note(seglog_secret(disk_log(b->spills_to)), &b->disk->places.place[i]);
}

/* Under the lock. What has nothing on disk, nor on its way, will have nothing there. */
static void settle(struct body *b)
{
    struct body_disk *d = b->disk;
    if (b->state != BODY_WHOLE || b->passes || (d && (d->part.posted || d->rest.posted)))
        return;
    if (d && d->have == 0) {
        b->disk = NULL;
        places_free(b->budget, &d->places);
        budget_give(b->budget, d, sizeof *d);
    }
    if (b->disk == NULL)
        spill_leave(b);
    if (b->disk == NULL || d->have == b->have)
        atomic_store_explicit(&b->fixed, true, memory_order_release);
}

static void written(struct disk_write *write, bool good)
{
    struct body_write *w = write_of(write);
    struct body *b = w->body;
    struct body_disk *d = b->disk;
    good = good && w->good && d->have == w->from;
    if (good)
        note_checked(b, (u32)(w->from / SEGLOG_PART), parts_of(w->to));
    pthread_mutex_lock(&b->lock);
    w->posted = false;
    if (good) {
        d->have = w->to;
        give_up_chunks(b);
    } else {
        places_cut(&d->places, parts_of(d->have));
        d->posted = d->have; /* tried again with the next part */
    }
    settle(b);
    wake_all(&b->room, WAKE_AGAIN);
    pthread_mutex_unlock(&b->lock);
    body_put(b);
}

bool body_parts(const struct body *b, const struct seglog_place **parts, u32 *n)
{
    const struct body_disk *d = b->disk;
    *parts = d ? d->places.place : NULL;
    *n = d ? d->places.n : 0;
    return *n && b->state == BODY_WHOLE && *n == parts_of(b->have);
}

/* ---- the filler ---- */

void spill_leave(struct body *b)
{
    if (b->spills_to)
        disk_let(b->spills_to);
    b->spills_to = NULL;
}

/* Under the lock. The disk's own queue does not count its bytes: a body may have no more of them
 * in memory than spill_may_wait says, nor all together than may grow (budget.h). */
static bool post(struct body *b, struct body_write *w, u64 to)
{
    struct body_disk *d = b->disk;
    *w = (struct body_write){
        .write = { .write = write_parts, .done = written, .bytes = SEGLOG_UNIT },
        .body = b,
        .from = d->posted,
        .to = to
    };
    body_hold(b);
    w->posted = disk_post(b->spills_to, &w->write);
    if (w->posted)
        d->posted = to;
    else
        atomic_fetch_sub(&b->holders, 1); /* the filler's is left */
    return w->posted;
}

/* From here on something of it may be on disk, unless nothing is to be any more. */
static void begin(struct body *b)
{
    struct body_disk *d = budget_take(b->budget, sizeof *d);
    if (d == NULL)
        return;
    *d = (struct body_disk){ .have = 0 };
    pthread_mutex_lock(&b->lock);
    if (b->disk == NULL && b->spills_to) {
        b->disk = d;
        d = NULL;
    }
    pthread_mutex_unlock(&b->lock);
    budget_give(b->budget, d, sizeof *d);
}

void spill_more(struct body *b)
{
    if (b->disk == NULL)
        begin(b);
    pthread_mutex_lock(&b->lock);
    struct body_disk *d = b->disk;
    u64 to = b->have - b->have % SEGLOG_PART;
    if (d && !d->part.posted && to > d->posted) {
        u64 most = d->posted + PARTS_AT_ONCE * SEGLOG_PART;
        (void)post(b, &d->part, to < most ? to : most);
    }
    pthread_mutex_unlock(&b->lock);
}

bool body_wait_for_disk(struct body *b, struct wake *w)
{
    pthread_mutex_lock(&b->lock);
    bool posted = b->disk && b->disk->part.posted;
    if (posted)
        wake_wait(w, &b->room);
    pthread_mutex_unlock(&b->lock);
    return posted;
}

bool body_spill_rest(struct body *b)
{
    begin(b);
    pthread_mutex_lock(&b->lock);
    bool good = b->disk && (b->have == b->disk->posted || post(b, &b->disk->rest, b->have));
    settle(b);
    pthread_mutex_unlock(&b->lock);
    return good;
}

/* What the disk has not taken yet: a quarter of the memory, as of what is kept there alone; of a
 * small memory more, for bytes come in bursts. */
bool spill_may_wait(struct body *b, u64 n)
{
    u64 whole = atomic_load_explicit(&b->budget->most, memory_order_relaxed);
    u64 most = whole / 4 > SPILL_MOST ? whole / 4 : whole / 2 < SPILL_MOST ? whole / 2 : SPILL_MOST;
    return body_in_memory(b) + n <= most;
}

void body_spill(struct body *b, struct disk *d)
{
    disk_hold(d);
    b->spills_to = d;
}

/* ---- what was there before ---- */

static bool find_all(struct body *b, const struct seglog_place *parts, u32 n)
{
    struct body_disk *d = b->disk;
    if (n == 0 || n > SEGLOG_PARTS_MOST || parts_of(b->have) != n ||
        !places_new(b->budget, n, &d->places))
        return false;
    for (u32 i = 0; i < n; i++) {
        u64 left = b->have - (u64)i * SEGLOG_PART;
        if (parts[i].n != (left < SEGLOG_PART ? left : SEGLOG_PART) ||
            !places_add(&d->places, disk_log(b->spills_to), &parts[i]))
            return false;
    }
    return true;
}

struct body *body_on_disk(struct budget *budget, struct disk *d, const struct seglog_place *parts,
                          u32 n, u64 length)
{
    struct body *b = body_new(budget, length);
    if (b == NULL)
        return NULL;
    b->have = length;
    body_spill(b, d);
    begin(b);
    if (b->disk == NULL || !find_all(b, parts, n)) {
        body_put(b);
        return NULL;
    }
    b->disk->have = b->disk->posted = length;
    b->state = BODY_WHOLE;
    b->fixed = true;
    return b;
}

void spill_end(struct body *b)
{
    struct body_disk *d = b->disk;
    if (d) {
        places_cut(&d->places, 0);
        places_free(b->budget, &d->places);
        budget_give(b->budget, d, sizeof *d);
    }
}
