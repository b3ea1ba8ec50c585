/* The segment that is being written: made, filled by way of the buffer, sealed. Whatever fails here
 * closes it, and the next append begins another. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cache/disk/log.h"

bool log_has_room(const struct seglog *l, u64 units, u16 vary)
{
    const struct segment *s = l->open;
    size_t name = vary_names_text(&l->names, vary).n;
    return atomic_load(&s->end) + l->buffered + units * SEGLOG_UNIT +
               segment_footer_bytes(s, vary, name) <=
           s->size;
}

static bool seal(struct seglog *l, struct segment *s)
{
    u32 before = s->file;
    bool good = segment_seal(s, &l->names);
    atomic_fetch_add(&l->bytes, (u64)s->file - before);
    return good;
}

/* What was in the buffer is lost, and no more in the list. Its number is not used again, though
 * nothing be in it: somebody may still have places of what is lost. */
static bool give_up(struct seglog *l, int why)
{
    struct segment *s = l->open;
    l->lost = why;
    l->buffered = 0;
    l->open = NULL;
    s->list.n = l->visible;
    l->visible = 0;
    seal(l, s);
    errno = why;
    return false;
}

bool log_close_open(struct seglog *l)
{
    struct segment *s = l->open;
    if (!log_write_buffer(l))
        return false;
    l->open = NULL;
    l->visible = 0;
    bool good = seal(l, s);
    if (!good)
        l->lost = errno;
    else if (l->unsettled == 0)
        l->unsettled = s->number;
    return good;
}

static bool make_again(struct seglog *l)
{
    l->made_again = folder_make_again(&l->folder);
    return l->made_again;
}

static struct segment *make_segment(struct seglog *l, u32 number, u32 size)
{
    char *path = folder_segment(&l->folder, number);
    struct segment *s = path ? segment_make(path, number, l->salt, size) : NULL;
    if (s == NULL && path &&
        ((errno == ENOSPC && log_drop_oldest(l, false)) || (errno == ENOENT && make_again(l)) ||
         (errno == EEXIST && unlink(path) == 0)))
        s = segment_make(path, number, l->salt, size);
    free(path);
    return s;
}

static bool too_many(const struct seglog *l, u32 size)
{
    return atomic_load(&l->bytes) + size > atomic_load(&l->quota) ||
           atomic_load(&l->newest) - atomic_load(&l->oldest) + 2 >= LOG_SEGMENTS;
}

/* There is always room for one more segment when the last one is full: so what is worth it in the
 * oldest can be passed on to the new one, and the quota is never exceeded by what is kept. For what
 * has left and is still read one more goes than is made, and no more at once: most are read to
 * their end before the next is made, and those that leave now are perhaps read as well. */
bool log_make_open(struct seglog *l)
{
    u32 size = log_segment_bytes(l);
    while (too_many(l, size) && log_drop_oldest(l, false))
        ;
    struct segment *s = make_segment(l, atomic_load(&l->newest) + 1, size);
    if (s == NULL) {
        l->lost = errno;
        return false;
    }
    log_enter(l, s);
    l->open = s;
    l->visible = 0;
    while (too_many(l, size) && log_drop_oldest(l, true))
        ;
    for (unsigned i = 0; i < 2 && atomic_load(&l->held_bytes); i++)
        if (log_bytes_used(l) + size > atomic_load(&l->quota))
            (void)log_drop_oldest(l, true);
    errno = l->lost;
    return l->open != NULL;
}

static void let_be_found(struct seglog *l, const struct seg_entry *e)
{
    struct seg_slot slot = { e->key.bits[1], l->open->number, e->at, e->n, e->until,
                             e->variant,     e->vary,         0,     0 };
    if (e->kind != SEGLOG_RECORD || e->uses == ENTRY_HIDDEN)
        return;
    if (e->uses == ENTRY_PUT)
        seg_index_put(&l->index, &e->key, &slot);
    else if (seg_index_move(&l->index, &e->key, &slot, l->passing))
        atomic_fetch_add(&l->passed_on, 1);
}

bool log_write_buffer(struct seglog *l)
{
    struct segment *s = l->open;
    if (s == NULL || l->buffered == 0)
        return true;
    bool good = segment_write(s, l->buffer, l->buffered);
    if (!good && errno == ENOSPC && !l->passing && log_drop_oldest(l, false))
        good = segment_write(s, l->buffer, l->buffered);
    if (!good)
        return give_up(l, errno);
    atomic_fetch_add(&l->appended, l->buffered);
    l->buffered = 0;
    for (; l->visible < s->list.n; l->visible++)
        let_be_found(l, &s->list.entry[l->visible]);
    return true;
}
