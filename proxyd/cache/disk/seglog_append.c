#include "cache/disk/seglog.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cache/disk/log.h"

enum { SYNC_US = 1000000 }; /* between two syncs for the sake of purges */

/* Room for a frame in the buffer: where its payload goes, and its place. NULL: errno says why. */
static char *frame(struct seglog *l, u32 n, u16 vary, struct seglog_place *out)
{
    u32 bytes = frame_bytes(n);
    while (!l->passing && atomic_load(&l->bytes) > atomic_load(&l->quota) &&
           log_drop_oldest(l, true))
        ;
    if (l->open && !log_has_room(l, bytes / SEGLOG_UNIT, vary) && !log_close_open(l))
        return NULL;
    if (l->open == NULL && !log_make_open(l))
        return NULL;
    if (l->buffered + bytes > l->room && !log_write_buffer(l))
        return NULL;
    if (!log_has_room(l, bytes / SEGLOG_UNIT, vary) || bytes > l->room) {
        errno = EOVERFLOW;
        return NULL;
    }
    u32 at = (atomic_load(&l->open->end) + l->buffered) / SEGLOG_UNIT;
    *out = (struct seglog_place){ l->open->number, at, n };
    return l->buffer + l->buffered + FRAME_HEAD;
}

/* The payload has been written there. False: no memory for the entry, and it is not in the log. */
static bool frame_done(struct seglog *l, enum seglog_kind kind, const struct seglog_place *p,
                       const struct seg_entry *e)
{
    char *head = l->buffer + l->buffered;
    struct frame_head h;
    if (e && !segment_note(l->open, e, &l->names)) {
        errno = ENOMEM;
        return false;
    }
    frame_head_write(&h, layout_seed(l->salt, p->segment, p->at), kind, head + FRAME_HEAD, p->n);
    memcpy(head, &h, sizeof h);
    memset(head + FRAME_HEAD + p->n, 0, frame_bytes(p->n) - FRAME_HEAD - p->n);
    l->buffered += frame_bytes(p->n);
    return true;
}

bool seglog_append_bytes(struct seglog *l, const struct iovec *v, u32 nv, struct seglog_place *out)
{
    u64 n = 0;
    for (u32 i = 0; i < nv; i++)
        n += v[i].iov_len;
    if (n == 0 || n > SEGLOG_PART) {
        errno = EOVERFLOW;
        return false;
    }
    char *to = frame(l, (u32)n, 0, out);
    for (u32 i = 0; to && i < nv; i++) {
        memcpy(to, v[i].iov_base, v[i].iov_len);
        to += v[i].iov_len;
    }
    return to && frame_done(l, SEGLOG_BYTES, out, NULL);
}

/* In the log, or in the buffer? A part is not when a write has failed since, or it has left. */
static bool parts_are_there(const struct seglog *l, const struct seglog_record *r)
{
    for (u32 i = 0; i < r->nparts; i++) {
        const struct segment *s = log_segment(l, r->part[i].segment);
        u64 end = s ? atomic_load(&s->end) + (s == l->open ? l->buffered : 0) : 0;
        if ((u64)r->part[i].at * SEGLOG_UNIT + frame_bytes(r->part[i].n) > end)
            return false;
    }
    return true;
}

bool log_append_record(struct seglog *l, const struct seglog_record *r, u8 entry_is)
{
    struct seglog_place p;
    u32 n = record_bytes(r);
    int vary = n ? log_name_of(l, r->vary) : -1;
    if (vary < 0) {
        errno = EOVERFLOW;
        return false;
    }
    char *to = frame(l, n, (u16)vary, &p);
    if (to == NULL)
        return false;
    if (!parts_are_there(l, r)) {
        errno = ESTALE;
        return false;
    }
    record_write(r, to);
    struct seg_entry e = seg_entry_of(r, p.at, n, (u16)vary);
    e.uses = entry_is;
    return frame_done(l, SEGLOG_RECORD, &p, &e);
}

bool seglog_append_record(struct seglog *l, const struct seglog_record *r)
{
    return log_append_record(l, r, ENTRY_PUT);
}

/* What waits for the next flush under that key is not to be found by then. */
static void hide_pending(struct seglog *l, const struct cache_key *key)
{
    struct seg_list *list = &l->open->list;
    for (u32 i = l->visible; i < list->n; i++)
        if (list->entry[i].kind == SEGLOG_RECORD && cache_key_same(&list->entry[i].key, key))
            list->entry[i].uses = ENTRY_HIDDEN;
}

bool seglog_append_gone(struct seglog *l, const struct cache_key *key)
{
    struct seglog_place p;
    char *to = frame(l, sizeof *key, 0, &p);
    if (to == NULL)
        return false;
    memcpy(to, key, sizeof *key);
    struct seg_entry e = { .key = *key, .at = p.at, .n = p.n, .kind = SEGLOG_GONE };
    if (!frame_done(l, SEGLOG_GONE, &p, &e))
        return false;
    l->purged = true;
    hide_pending(l, key);
    seg_index_remove(&l->index, key);
    return true;
}

bool seglog_ban(struct seglog *l, enum seglog_ban_kind kind, struct slice text, bool soft, u64 *id)
{
    struct ban ban = { .before = UINT64_MAX, .kind = kind, .soft = soft, .text = text };
    return text.n <= BAN_TEXT_MOST && bans_add(&l->bans, &ban, id);
}

bool seglog_append_ban(struct seglog *l, u64 id)
{
    struct seglog_place p;
    struct ban ban;
    if (!bans_get(&l->bans, id, &ban))
        return true;
    char *to = frame(l, (u32)(BAN_FIXED + ban.text.n), 0, &p);
    struct seg_entry e = { .at = p.at, .n = p.n, .kind = SEGLOG_BAN };
    if (to)
        ban_write(to, ban.kind, ban.soft, ban.text);
    bool good = to && frame_done(l, SEGLOG_BAN, &p, &e);
    if (good) {
        l->purged = true;
        bans_set_place(&l->bans, id, ban_place(p.segment, p.at));
    }
    free((void *)(uintptr_t)ban.text.p);
    return good;
}

/* What was taken out has to stay out though the power fails. Not more often than that: where each
 * POST makes something untrue, a disk would do nothing else. */
static void sync_purges(struct seglog *l)
{
    u64 now = clock_us(CLOCK_MONOTONIC);
    if (!l->purged || l->open == NULL || now < l->synced_us + SYNC_US)
        return;
    while (!seglog_settle(l)) /* they may stand in a segment that was sealed since */
        ;
    if (l->lost == 0 && segment_calls.fdatasync(l->open->fd) != 0)
        l->lost = errno;
    if (l->lost)
        return;
    l->synced_us = now;
    l->purged = false;
}

bool seglog_flush(struct seglog *l)
{
    if (log_write_buffer(l))
        sync_purges(l);
    bool good = l->lost == 0;
    errno = l->lost;
    l->lost = 0;
    return good;
}
