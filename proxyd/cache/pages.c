#include "cache/pages.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"

enum { AREA_LEAST = 64, AREA_MOST = 1 << 28 }; /* in PAGES_LEAST: 2 MB and 8 TB of addresses */

/* ---- areas ---- */

static void close_area(struct pages_area *a)
{
    if (a->map)
        munmap(a->map, (u64)a->n * PAGES_LEAST);
    if (a->fd >= 0)
        close(a->fd);
    free(a->next);
}

static bool open_area(struct pages_area *a, u32 n)
{
    u64 size = (u64)n * PAGES_LEAST;
    *a = (struct pages_area){ .fd = memfd_create("cache", MFD_CLOEXEC), .n = n };
    for (unsigned i = 0; i < PAGES_SIZES; i++)
        a->last[i] = PAGES_NONE;
    a->next = malloc(n * sizeof *a->next);
    if (a->fd >= 0 && a->next && ftruncate(a->fd, (off_t)size) == 0) {
        void *map = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, a->fd, 0);
        if (map != MAP_FAILED) {
            a->map = map;
            return true;
        }
    }
    close_area(a);
    return false;
}

void pages_init(struct pages *p, u64 most)
{
    pthread_mutex_init(&p->lock, NULL);
    p->nareas = 0;
    pages_resize(p, most);
}

/* Of the areas to come. Twice: pieces of one size do not serve another. */
void pages_resize(struct pages *p, u64 most)
{
    u64 n = 2 * most / PAGES_LEAST;
    pthread_mutex_lock(&p->lock);
    p->room = n < AREA_LEAST ? AREA_LEAST : n > AREA_MOST ? AREA_MOST : (u32)n;
    pthread_mutex_unlock(&p->lock);
}

void pages_end(struct pages *p)
{
    for (u32 i = 0; i < p->nareas; i++)
        close_area(&p->area[i]);
    pthread_mutex_destroy(&p->lock);
}

/* ---- pieces ---- */

static unsigned size_of(size_t n)
{
    unsigned size = 0;
    while ((size_t)PAGES_LEAST << size < n)
        size++;
    return size;
}

/* PAGES_NONE: it has no room for another one of that size. */
static u32 take_from(struct pages_area *a, unsigned size)
{
    u32 at = a->last[size];
    if (at != PAGES_NONE) {
        a->last[size] = a->next[at];
    } else if (a->n - a->used >= 1u << size) {
        at = a->used;
        a->used += 1u << size;
    }
    return at;
}

static u32 take(struct pages *p, unsigned size, u32 *area)
{
    for (*area = 0; *area < p->nareas; ++*area) {
        u32 at = take_from(&p->area[*area], size);
        if (at != PAGES_NONE)
            return at;
    }
    if (p->nareas == PAGES_AREAS || !open_area(&p->area[p->nareas], p->room))
        return PAGES_NONE;
    p->nareas++;
    return take_from(&p->area[*area], size);
}

bool pages_take(struct pages *p, size_t n, struct pages_run *out)
{
    u32 area;
    if (n < PAGES_LEAST || n > PAGES_MOST)
        return false;
    pthread_mutex_lock(&p->lock);
    u32 at = take(p, size_of(n), &area);
    if (at != PAGES_NONE) {
        const struct pages_area *a = &p->area[area];
        u64 offset = (u64)at * PAGES_LEAST;
        *out = (struct pages_run){ a->map + offset, offset, a->fd, area, (u32)n };
    }
    pthread_mutex_unlock(&p->lock);
    return at != PAGES_NONE;
}

bool pages_write(const struct pages_run *r, size_t at, struct slice bytes)
{
    expect(at + bytes.n <= r->n);
    while (bytes.n) {
        ssize_t n = pwrite(r->fd, bytes.p, bytes.n, (off_t)(r->offset + at));
        if (n <= 0)
            return false;
        bytes = slice_skip(bytes, (size_t)n);
        at += (size_t)n;
    }
    return true;
}

void pages_give(struct pages *p, const struct pages_run *r)
{
    unsigned size = size_of(r->n);
    u32 at = (u32)(r->offset / PAGES_LEAST);
    int how = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (fallocate(r->fd, how, (off_t)r->offset, (off_t)PAGES_LEAST << size) < 0)
        return; /* its pages may be on their way: nobody else gets it */
    pthread_mutex_lock(&p->lock);
    struct pages_area *a = &p->area[r->area];
    a->next[at] = a->last[size];
    a->last[size] = at;
    pthread_mutex_unlock(&p->lock);
}
