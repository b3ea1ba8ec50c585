/* A disk that is no more wanted is left to its thread, and freed when that has ended. */
#include "cache/tier.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/text.h"
#include "cache/cache.h"
#include "cache/own_folder.h"

enum { GHOSTS = 1 << 16, QUEUE_PART = 4 /* of the memory, what may wait to be written */ };

static struct {
    pthread_mutex_t lock; /* while it is held, `say` stays */
    disk_say *say;        /* NULL: not yet, or no more */
    void *arg;
} service = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void say(void *tier, bool bad, const char *line)
{
    const struct tier *t = tier;
    char area[1200];
    struct text text = text_in(area, sizeof area - 1);
    text_lit(&text, "cache ");
    text_cstr(&text, t->name);
    text_lit(&text, ": ");
    text_cstr(&text, line);
    area[text.n] = 0;
    pthread_mutex_lock(&service.lock);
    if (service.say)
        service.say(service.arg, bad, area);
    pthread_mutex_unlock(&service.lock);
}

void tier_init(struct tier *t)
{
    pthread_mutex_init(&t->lock, NULL);
    ghosts_init(&t->seen, GHOSTS);
}

/* ---- under the lock ---- */

static bool reap(struct tier *t)
{
    bool all = true;
    for (unsigned i = 0; i < countof(t->leaving); i++)
        if (t->leaving[i] && disk_left(t->leaving[i])) {
            disk_free(t->leaving[i]);
            t->leaving[i] = NULL;
        } else {
            all &= t->leaving[i] == NULL;
        }
    return all;
}

/* False: so many leave already. */
static bool leave(struct tier *t)
{
    struct disk *d = atomic_load(&t->disk);
    unsigned i = 0;
    (void)reap(t);
    while (i < countof(t->leaving) && t->leaving[i])
        i++;
    if (d == NULL || i == countof(t->leaving))
        return d == NULL;
    atomic_store(&t->disk, NULL);
    disk_leave(d);
    t->leaving[i] = d;
    free(t->dir);
    t->dir = NULL;
    return true;
}

static void follow(struct tier *t, const struct cache_conf *c)
{
    bool same = c->path && t->dir && strcmp(c->path, t->dir) == 0;
    if (same) {
        disk_resize(atomic_load(&t->disk), c->size, c->memory / QUEUE_PART);
        return;
    }
    if (!leave(t) || c->path == NULL)
        return;
    t->dir = strdup(c->path);
    if (t->name == NULL)
        t->name = strndup(c->name.p, c->name.n);
    must(t->dir != NULL && t->name != NULL);
    if (c->own_path)
        own_folder_make_parents(t->dir);
    atomic_store(&t->disk, disk_new(t->dir, c->size, c->memory / QUEUE_PART, say, t));
}

/* ---- for all ---- */

void tier_end(struct tier *t)
{
    struct disk *d = atomic_load(&t->disk);
    if (d) {
        disk_leave(d);
        disk_free(d);
    }
    for (unsigned i = 0; i < countof(t->leaving); i++)
        if (t->leaving[i])
            disk_free(t->leaving[i]);
    ghosts_end(&t->seen);
    free(t->dir);
    free(t->name);
    pthread_mutex_destroy(&t->lock);
}

struct disk *tier_use(struct tier *t)
{
    if (atomic_load_explicit(&t->disk, memory_order_relaxed) == NULL)
        return NULL;
    pthread_mutex_lock(&t->lock);
    struct disk *d = atomic_load(&t->disk);
    if (d && !disk_use(d))
        d = NULL;
    pthread_mutex_unlock(&t->lock);
    return d;
}

bool tier_post_always(struct tier *t, struct disk_write *w)
{
    pthread_mutex_lock(&t->lock);
    struct disk *d = atomic_load(&t->disk);
    bool good = d && disk_post_always(d, w);
    pthread_mutex_unlock(&t->lock);
    return good;
}

void tier_doubt(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    struct disk *d = atomic_load(&t->disk);
    if (d)
        disk_doubt(d);
    pthread_mutex_unlock(&t->lock);
}

bool tier_admits(struct tier *t, const struct disk *d, u64 key)
{
    if (!disk_is_full(d))
        return true;
    pthread_mutex_lock(&t->lock);
    bool known = ghosts_take(&t->seen, key);
    if (!known)
        ghosts_add(&t->seen, key, GHOSTS);
    pthread_mutex_unlock(&t->lock);
    return known;
}

struct disk_counts tier_counts(struct tier *t, bool *has_disk)
{
    pthread_mutex_lock(&t->lock);
    struct disk *d = atomic_load(&t->disk);
    struct disk_counts c = { 0 };
    if (d)
        c = disk_counts(d);
    *has_disk = d != NULL;
    pthread_mutex_unlock(&t->lock);
    return c;
}

/* ---- the caches of the process ---- */

/* By its descriptor: what stands there now is what was made, and no link. One that is there already
 * keeps its owner. */
void caches_give_folders(const struct snapshot *s, unsigned uid, unsigned gid)
{
    for (u32 i = 0; i < s->nstores && geteuid() == 0; i++) {
        const struct cache_conf *c = &cache_use_of(s->stores[i].store)->conf;
        const char *path = c->path;
        if (path && c->own_path)
            own_folder_make_parents(path);
        if (path == NULL || mkdir(path, 0700) != 0)
            continue;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue; /* it will not be had either, and that is told */
        (void)!fchown(fd, uid, gid);
        close(fd);
    }
}

static bool is_on(void)
{
    pthread_mutex_lock(&service.lock);
    bool on = service.say != NULL;
    pthread_mutex_unlock(&service.lock);
    return on;
}

void caches_follow(const struct snapshot *s)
{
    for (u32 i = 0; i < s->nstores && is_on(); i++) {
        const struct cache_use *use = cache_use_of(s->stores[i].store);
        struct tier *t = &use->cache->tier;
        pthread_mutex_lock(&t->lock);
        follow(t, &use->conf);
        pthread_mutex_unlock(&t->lock);
    }
}

void caches_start(const struct snapshot *s, disk_say *how, void *arg)
{
    pthread_mutex_lock(&service.lock);
    service.say = how;
    service.arg = arg;
    pthread_mutex_unlock(&service.lock);
    caches_follow(s);
}

static void leave_one(const char *name, const void *entry, void *ctx)
{
    struct tier *t = &((const struct cache_entry *)entry)->cache->tier;
    (void)name;
    (void)ctx;
    pthread_mutex_lock(&t->lock);
    (void)leave(t);
    pthread_mutex_unlock(&t->lock);
}

void caches_leave(struct registry *r)
{
    pthread_mutex_lock(&service.lock);
    service.say = NULL;
    pthread_mutex_unlock(&service.lock);
    registry_each(r, &caches, leave_one, NULL);
}

static void hurry_one(const char *name, const void *entry, void *ctx)
{
    struct tier *t = &((const struct cache_entry *)entry)->cache->tier;
    (void)name;
    (void)ctx;
    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < countof(t->leaving); i++)
        if (t->leaving[i])
            disk_hurry(t->leaving[i]);
    pthread_mutex_unlock(&t->lock);
}

void caches_hurry(struct registry *r)
{
    registry_each(r, &caches, hurry_one, NULL);
}

static void has_left(const char *name, const void *entry, void *all)
{
    struct tier *t = &((const struct cache_entry *)entry)->cache->tier;
    (void)name;
    pthread_mutex_lock(&t->lock);
    *(bool *)all &= atomic_load(&t->disk) == NULL && reap(t);
    pthread_mutex_unlock(&t->lock);
}

bool caches_left(struct registry *r)
{
    bool all = true;
    registry_each(r, &caches, has_left, &all);
    return all;
}
