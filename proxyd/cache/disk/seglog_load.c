/*
 * The index as it was, from what is on the disk. Newest first, so that nothing is found that has
 * been replaced since: what is in the index already is newer, and what a GONE, or somebody who
 * takes it out meanwhile, says of a key holds for all that comes later here.
 *
 * The hard thing is a segment of which a part is lost. It may have said of older records that they
 * count no more; so when there is one, all that is older than it goes. That it was the newest, cut
 * off by a crash, loses nothing: what is missing was never in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cache/disk/log.h"

static void add(struct seglog *l, u32 segment, const struct seg_entry *e)
{
    struct seg_slot slot = { e->key.bits[1], segment, e->at, e->n, e->until,
                             e->variant,     e->vary, 0,     0 };
    pthread_mutex_lock(&l->gone.lock);
    if (!log_gone_has(&l->gone, &e->key) && !seg_index_add(&l->index, &e->key, &slot))
        l->gone.lost = true;
    pthread_mutex_unlock(&l->gone.lock);
}

/* False: what it says cannot be known. */
static bool add_ban(struct seglog *l, const struct segment *s, const struct seg_entry *e)
{
    char payload[BAN_FIXED + BAN_TEXT_MOST];
    struct ban ban = { .before = ban_place(s->number, e->at) };
    u64 id;
    return e->n <= sizeof payload && segment_payload(s, e->at, SEGLOG_BAN, e->n, payload) &&
           ban_read((struct slice){ payload, e->n }, &ban.kind, &ban.soft, &ban.text) &&
           bans_add(&l->bans, &ban, &id);
}

static bool add_list(struct seglog *l, const struct segment *s, const struct seg_list *list)
{
    for (u32 i = list->n; i-- > 0;) {
        const struct seg_entry *e = &list->entry[i];
        if (e->kind == SEGLOG_RECORD)
            add(l, s->number, e);
        else if (e->kind == SEGLOG_GONE)
            log_gone_add(&l->gone, &e->key);
        else if (!add_ban(l, s, e))
            return false;
    }
    return true;
}

/* Its records are found from then on. False: something of it may be lost. */
static bool load_segment(struct seglog *l, struct segment *s, bool newest)
{
    struct seg_list list = { 0 };
    bool whole = true, cut = !segment_find_footer(s);
    if (cut || !segment_footer_read(s, &list, &l->names)) {
        whole = segment_scan(s, &l->names) || (newest && cut);
        list = s->list;
        s->list = (struct seg_list){ 0 };
    }
    log_enter(l, s);
    whole = add_list(l, s, &list) && whole;
    if (s->sealed) {
        seg_list_end(&list);
    } else {
        u32 before = s->file;
        s->list = list;
        segment_seal(s, &l->names);
        atomic_fetch_add(&l->bytes, (u64)s->file - before);
    }
    return whole;
}

static void delete_file(const struct seglog *l, u32 number)
{
    char *path = folder_segment(&l->folder, number);
    if (path)
        unlink(path);
    free(path);
}

/* False: it is not there as it was left. */
static bool load_number(struct seglog *l, u32 number, bool newest)
{
    char *path = folder_segment(&l->folder, number);
    struct segment *s = path ? segment_open(path, number, l->salt) : NULL;
    bool begun = s || errno != ENODATA;
    free(path);
    if (s)
        return load_segment(l, s, newest);
    delete_file(l, number);
    if (newest) /* so that none is missing, the next time */
        atomic_store(&l->newest, number - 1);
    return newest && !begun;
}

void seglog_load(struct seglog *l, const _Atomic bool *stop)
{
    u32 n, i = 0;
    u32 *there = folder_segments(&l->folder, &n);
    bool whole = true;
    for (; i < n && whole && !atomic_load(stop); i++) {
        bool follows = i == 0 || there[i] == there[i - 1] - 1;
        whole = follows && there[0] - there[i] < LOG_SEGMENTS - 2;
        if (!whole)
            break;
        whole = load_number(l, there[i], i == 0);
    }
    for (; i < n && !whole; i++)
        delete_file(l, there[i]);
    atomic_store(&l->hides, vary_names_full(&l->names));
    log_gone_end(&l->gone);
    bans_forget(&l->bans, ban_place(atomic_load(&l->oldest), 0));
    free(there);
}
