#include "cache/disk/seglog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache/disk/log.h"

/* Of the same secret as the keys: when that is made anew, nothing of before is right any more. */
static u64 salt_of(const struct hash_key *secret)
{
    return hash64(secret, "segments", 8);
}

static struct seglog *new_log(u64 quota)
{
    struct seglog *l = calloc(1, sizeof *l);
    u32 room = 0;
    if (l == NULL)
        return NULL;
    atomic_init(&l->quota, quota);
    room = log_segment_bytes(l);
    l->room = room < LOG_BUFFER ? room : LOG_BUFFER;
    l->buffer = malloc(l->room);
    if (l->buffer == NULL || !seg_index_init(&l->index, quota)) {
        free(l->buffer);
        free(l);
        return NULL;
    }
    pthread_mutex_init(&l->ring_lock, NULL);
    pthread_mutex_init(&l->gone.lock, NULL);
    log_gone_begin(&l->gone);
    bans_init(&l->bans);
    vary_names_init(&l->names);
    return l;
}

static void free_log(struct seglog *l)
{
    log_gone_end(&l->gone);
    vary_names_end(&l->names);
    bans_end(&l->bans);
    seg_index_end(&l->index);
    pthread_mutex_destroy(&l->ring_lock);
    pthread_mutex_destroy(&l->gone.lock);
    free(l->buffer);
    free(l);
}

struct seglog *seglog_open(const char *dir, u64 quota, char *why, size_t room)
{
    struct seglog *l = new_log(quota);
    u32 n;
    if (l == NULL) {
        snprintf(why, room, "%s: no memory for it", dir);
        return NULL;
    }
    if (!folder_take(&l->folder, dir, why, room)) {
        free_log(l);
        return NULL;
    }
    l->salt = salt_of(&l->folder.secret);
    u32 *there = folder_segments(&l->folder, &n);
    atomic_init(&l->newest, n ? there[0] : 0);
    atomic_init(&l->oldest, n ? there[0] + 1 : 1);
    free(there);
    return l;
}

const struct hash_key *seglog_secret(const struct seglog *l)
{
    return &l->folder.secret;
}

void seglog_resize(struct seglog *l, u64 quota)
{
    atomic_store(&l->quota, quota);
}

void seglog_give_back(struct seglog *l)
{
    struct segment *last = l->open;
    if (last && log_write_buffer(l) && last->list.n == 0) {
        l->open = NULL;
        log_leave(l, last);
    } else if (l->open) {
        log_close_open(l);
    }
    while (l->purged && !seglog_settle(l)) /* a purge holds though the power fails */
        ;
    folder_give_back(&l->folder);
}

void seglog_close(struct seglog *l)
{
    seglog_give_back(l);
    log_apply_end(l);
    u32 newest = atomic_load(&l->newest);
    for (u32 i = atomic_load(&l->oldest); i <= newest; i++) {
        struct segment *s = log_segment(l, i);
        if (s)
            segment_let(s);
    }
    (void)seglog_tidy(l);
    free_log(l);
}
