#include "cache/disk/seglog.h"

#include <stdlib.h>

#include "cache/disk/log.h"

struct verifying {
    struct seglog *l;
    const struct segment *s;
    char *payload, *part; /* FRAME_MOST bytes each */
    struct seglog_verified sum;
};

/* LEFT: a part of it was in a segment that is gone, so it is of no use; that is nothing bad. */
enum is { GOOD, BAD, LEFT };

static enum is part_is(struct verifying *v, const struct seglog_place *p)
{
    struct segment *s = seglog_hold(v->l, p->segment);
    if (s == NULL)
        return LEFT;
    bool good = segment_payload(s, p->at, SEGLOG_BYTES, p->n, v->part);
    v->sum.bytes += p->n;
    seglog_let(&s);
    return good ? GOOD : BAD;
}

static enum is record_is(struct verifying *v, const struct seglog_place *p)
{
    struct seglog_record r;
    struct iovec piece;
    v->sum.records++;
    v->sum.bytes += p->n;
    if (p->n > FRAME_MOST || !segment_payload(v->s, p->at, SEGLOG_RECORD, p->n, v->payload) ||
        !seglog_record_read((struct slice){ v->payload, p->n }, &r, &piece))
        return BAD;
    enum is is = GOOD;
    for (u32 i = 0; is == GOOD && i < r.nparts; i++)
        is = part_is(v, &r.part[i]);
    return is;
}

/* One that has left meanwhile was not bad. */
static void verify(struct verifying *v, const struct seg_found *f)
{
    struct seg_slot slot;
    if (!seg_index_get(&v->l->index, &f->key, &f->place, &slot))
        return;
    enum is is = record_is(v, &f->place);
    if (is == GOOD || !seglog_forget(v->l, &f->key, &f->place) || is == LEFT)
        return;
    v->sum.bad++;
    atomic_fetch_add(&v->l->gone_bad, 1);
}

static int by_place(const void *a, const void *b)
{
    const struct seg_found *x = a, *y = b;
    return (x->place.at > y->place.at) - (x->place.at < y->place.at);
}

static void verify_segment(struct verifying *v, u32 number, const _Atomic bool *stop)
{
    struct segment *s = seglog_hold(v->l, number);
    u32 n = 0;
    if (s == NULL)
        return;
    v->s = s;
    struct seg_found *all = seg_index_of_segment(&v->l->index, number, &n);
    if (n)
        qsort(all, n, sizeof *all, by_place);
    for (u32 i = 0; i < n && !atomic_load(stop); i++)
        verify(v, &all[i]);
    free(all);
    seglog_let(&s);
}

struct seglog_verified seglog_verify(struct seglog *l, const _Atomic bool *stop)
{
    struct verifying v = { l, NULL, malloc(FRAME_MOST), malloc(FRAME_MOST), { 0 } };
    u32 newest = atomic_load(&l->newest);
    for (u32 i = atomic_load(&l->oldest); v.payload && v.part && i <= newest; i++)
        verify_segment(&v, i, stop);
    free(v.payload);
    free(v.part);
    return v.sum;
}
