/*
 * The oldest segment leaves, as a whole. Before that, what was asked for in it and is still fresh
 * is appended anew: most used first, a fifth of a segment's bytes at most.
 *
 * The hard thing is that a copy stands behind whatever was said of the record since: it must not
 * bring back what was replaced, removed or banned. So only what is in the index at that place is
 * copied, and not what a ban is about; the index moves to the copy only if it still has the record
 * when the copy is in its file; and the GONE of who has taken it out meanwhile comes behind it.
 */
#include <stdlib.h>
#include <time.h>

#include "cache/disk/log.h"

struct passing {
    struct seglog *l;
    const struct segment *s;
    char *payload; /* FRAME_MOST bytes */
    u64 units;     /* that may still be passed on */
};

static bool copy_part(struct passing *p, const struct seglog_place *from, struct seglog_place *to)
{
    struct segment *s = seglog_hold(p->l, from->segment);
    char *bytes = s ? malloc(from->n) : NULL;
    struct iovec v = { bytes, from->n };
    bool good = bytes && segment_payload(s, from->at, SEGLOG_BYTES, from->n, bytes) &&
                seglog_append_bytes(p->l, &v, 1, to);
    free(bytes);
    seglog_let(&s);
    return good;
}

static bool copy_with_parts(struct passing *p, struct seglog_record *r)
{
    struct seglog_place *part = malloc(r->nparts * sizeof *part);
    bool good = part != NULL;
    for (u32 i = 0; good && i < r->nparts; i++)
        good = copy_part(p, &r->part[i], &part[i]);
    r->part = part;
    good = good && log_append_record(p->l, r, ENTRY_MOVE);
    free(part);
    return good;
}

static bool copy_record(struct passing *p, const struct seg_entry *e)
{
    struct seglog_record r;
    struct iovec piece;
    u64 place = ban_place(p->s->number, e->at);
    if (!segment_payload(p->s, e->at, SEGLOG_RECORD, e->n, p->payload) ||
        !seglog_record_read((struct slice){ p->payload, e->n }, &r, &piece)) {
        atomic_fetch_add(&p->l->gone_bad, 1);
        return false;
    }
    if (bans_standing(&p->l->bans, place, r.url, r.tags) != SEGLOG_STANDS)
        return false;
    return r.nparts ? copy_with_parts(p, &r) : log_append_record(p->l, &r, ENTRY_MOVE);
}

/* What is found of it, and fresh: how often was it used? */
static void note_uses(const struct passing *p, const struct seg_list *list)
{
    u64 now = (u64)time(NULL);
    struct seg_slot slot;
    for (u32 i = 0; i < list->n; i++) {
        struct seg_entry *e = &list->entry[i];
        struct seglog_place place = { p->s->number, e->at, e->n };
        bool stays = e->kind == SEGLOG_RECORD && e->until > now &&
                     seg_index_get(&p->l->index, &e->key, &place, &slot) && !slot.stale;
        e->uses = stays ? slot.uses : 0;
        e->vary = stays ? slot.vary : 0;
    }
}

static bool may_pass(const struct passing *p, const struct seg_entry *e)
{
    bool parts = e->whole > frame_bytes(e->n) / SEGLOG_UNIT;
    return e->whole <= p->units && (!parts || (u64)e->whole * SEGLOG_UNIT <= LOG_PASS_WHOLE) &&
           p->l->open && log_has_room(p->l, e->whole, e->vary);
}

static void pass_on(struct seglog *l, const struct segment *s, const struct seg_list *list)
{
    struct passing p = { l, s, malloc(FRAME_MOST), atomic_load(&s->end) / SEGLOG_UNIT / 5 };
    l->passing = s->number;
    if (p.payload)
        note_uses(&p, list);
    for (u32 uses = 2; p.payload && uses > 0; uses--)
        for (u32 i = 0; i < list->n; i++) {
            const struct seg_entry *e = &list->entry[i];
            bool now = uses == 2 ? e->uses >= 2 : e->uses == 1;
            if (now && may_pass(&p, e) && copy_record(&p, e))
                p.units -= e->whole;
        }
    log_write_buffer(l);
    l->passing = 0;
    free(p.payload);
}

static u64 take_out(struct seglog *l, u32 segment, const struct seg_list *list)
{
    u64 n = 0;
    for (u32 i = 0; i < list->n; i++) {
        const struct seg_entry *e = &list->entry[i];
        struct seglog_place place = { segment, e->at, e->n };
        n += e->kind == SEGLOG_RECORD && seg_index_forget(&l->index, &e->key, &place);
    }
    return n;
}

bool log_drop_oldest(struct seglog *l, bool passing_on)
{
    struct segment *s = log_oldest(l);
    struct seg_list list = { 0 };
    if (s == NULL)
        return false;
    if (s->sealed && !segment_footer_read(s, &list, NULL)) {
        atomic_fetch_add(&l->dropped, seg_index_clear(&l->index, s->number));
    } else {
        const struct seg_list *all = s->sealed ? &list : &s->list;
        if (passing_on && l->open)
            pass_on(l, s, all);
        atomic_fetch_add(&l->dropped, take_out(l, s->number, all));
    }
    seg_list_end(&list);
    log_leave(l, s);
    bans_forget(&l->bans, ban_place(atomic_load(&l->oldest), 0));
    return true;
}
