/*
 * Bans applied for real, when many are in force: each record that stands before the newest of them
 * is looked at, and what one is about is taken out of the index, or noted there as stale. Then they
 * are forgotten. In the log they stay: after a restart they are in force again, until what they are
 * about has left.
 *
 * The hard thing is who has found a record before it was taken out, and asks for its standing when
 * the ban is forgotten: so that looks at the bans first, and at the index then (seglog_standing).
 */
#include <stdlib.h>

#include "base/clock.h"
#include "cache/disk/log.h"

enum {
    STEP_US = 3000,
    FIRST = 2048 /* bytes of a record that are read at once: most have their names in there */
};

static bool begin(struct seglog *l)
{
    struct log_apply *a = &l->apply;
    u64 last = bans_last_place(&l->bans);
    if (atomic_load(&l->bans.n) < SEGLOG_BANS_APPLY || last == 0)
        return false;
    a->payload = malloc(FRAME_MOST);
    if (a->payload == NULL)
        return false;
    a->upto = last;
    a->segment = atomic_load(&l->oldest);
    return true;
}

static void end_segment(struct log_apply *a)
{
    seglog_let(&a->of);
    seg_list_end(&a->list);
    a->i = 0;
}

void log_apply_end(struct seglog *l)
{
    end_segment(&l->apply);
    free(l->apply.payload);
    l->apply = (struct log_apply){ 0 };
}

/* False: there is none before `upto` any more. */
static bool next_segment(struct seglog *l)
{
    struct log_apply *a = &l->apply;
    while (a->of == NULL && a->segment <= a->upto >> 32)
        a->of = seglog_hold(l, a->segment++);
    return a->of != NULL;
}

/* Its own while it is open; it may have been sealed since, with the same entries. What cannot be
 * known any more is taken out. */
static const struct seg_list *list_of(struct seglog *l)
{
    struct log_apply *a = &l->apply;
    if (!a->of->sealed)
        return &a->of->list;
    if (a->list.entry == NULL && !segment_footer_read(a->of, &a->list, NULL))
        atomic_fetch_add(&l->gone_bad, seg_index_clear(&l->index, a->of->number));
    return &a->list;
}

/* Its names as they stand there, not checked: what is damaged is not believed by who reads it. */
static bool read_names(const struct log_apply *a, const struct seglog_place *p, struct slice *url,
                       struct slice *tags)
{
    u32 have = p->n < FIRST ? p->n : FIRST, from, nurl, ntags;
    off_t at = (off_t)segment_offset(p);
    if (p->n < RECORD_FIXED || p->n > FRAME_MOST ||
        !segment_read_all(a->of->fd, a->payload, have, at) ||
        !record_names(a->payload, p->n, &from, &nurl, &ntags))
        return false;
    u32 end = from + nurl + ntags;
    if (end > have && !segment_read_all(a->of->fd, a->payload + have, end - have, at + have))
        return false;
    *url = (struct slice){ a->payload + from, nurl };
    *tags = (struct slice){ a->payload + from + nurl, ntags };
    return true;
}

static void apply(struct seglog *l, const struct seg_entry *e)
{
    struct seglog_place p = { l->apply.of->number, e->at, e->n };
    struct slice url, tags;
    struct seg_slot slot;
    u64 place = ban_place(p.segment, p.at);
    if (e->kind != SEGLOG_RECORD || place >= l->apply.upto ||
        !seg_index_get(&l->index, &e->key, &p, &slot))
        return;
    bool good = read_names(&l->apply, &p, &url, &tags);
    enum seglog_standing is = good ? bans_standing(&l->bans, place, url, tags) : SEGLOG_BANNED;
    if (is == SEGLOG_BANNED)
        (void)seg_index_forget(&l->index, &e->key, &p);
    else if (is == SEGLOG_STALE)
        seg_index_make_stale(&l->index, &e->key, &p);
    if (!good)
        atomic_fetch_add(&l->gone_bad, 1);
}

/* False: there was no time for all of it. */
static bool apply_to_segment(struct seglog *l, u64 end)
{
    struct log_apply *a = &l->apply;
    const struct seg_list *list = list_of(l);
    while (a->i < list->n && clock_us(CLOCK_MONOTONIC) < end)
        apply(l, &list->entry[a->i++]);
    if (a->i < list->n)
        return false;
    end_segment(a);
    return clock_us(CLOCK_MONOTONIC) < end;
}

bool seglog_apply_bans(struct seglog *l)
{
    if (l->apply.upto == 0 && !begin(l))
        return true;
    u64 end = clock_us(CLOCK_MONOTONIC) + STEP_US;
    while (l->apply.of || next_segment(l))
        if (!apply_to_segment(l, end))
            return false;
    atomic_store(&l->have_applied, true);
    bans_forget(&l->bans, l->apply.upto + 1);
    log_apply_end(l);
    return false;
}
