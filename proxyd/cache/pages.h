/*
 * Memory whose bytes a socket can be given without a copy: pieces of files that lie in memory alone
 * (memfd). sendfile hands their pages to the network as they are; from other memory 64 kB cost a
 * copy of 3 us, and push as much out of the processor's caches.
 *
 * The hard thing is that a page may still be on its way when its piece is given back. So a piece is
 * cut out of the file (a hole), and what comes to that place later gets pages of its own.
 */
#ifndef CACHE_PAGES_H
#define CACHE_PAGES_H

#include <pthread.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    PAGES_LEAST = 32 << 10, /* below it a copy is as cheap as a second system call */
    PAGES_MOST = 256 << 10,
    PAGES_SIZES = 4, /* 32, 64, 128, 256 kB of addresses; memory is what has been written */
    PAGES_AREAS = 16
};
#define PAGES_NONE UINT32_MAX

struct pages_area {
    int fd;
    char *map;             /* of all of it, for reading */
    u32 n, used;           /* in LEAST: what it has room for, and what has ever been given out */
    u32 last[PAGES_SIZES]; /* given back last, of each size; PAGES_NONE: nothing is left of those */
    u32 *next;             /* the one given back before */
};

struct pages {
    pthread_mutex_t lock; /* guards what follows */
    u32 nareas, room;     /* room: of the next area, in LEAST */
    struct pages_area area[PAGES_AREAS];
};

/* Where a piece is: its file, and its bytes to be read. */
struct pages_run {
    const char *bytes;
    u64 offset;
    int fd;
    u32 area, n;
};

/* For about so many bytes in all; more is possible. */
void pages_init(struct pages *p, u64 most);
void pages_resize(struct pages *p, u64 most);
/* All pieces have been given back. */
void pages_end(struct pages *p);
/* A piece of n bytes, LEAST to MOST. False: the system has none, or n is out of range. */
bool pages_take(struct pages *p, size_t n, struct pages_run *out);
/* Bytes into it, where nothing has been written before. False: no memory. */
bool pages_write(const struct pages_run *r, size_t at, struct slice bytes);
void pages_give(struct pages *p, const struct pages_run *r);

#endif
