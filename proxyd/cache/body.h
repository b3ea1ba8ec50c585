/*
 * The body of a response: in memory, in chunks, or on disk, in parts (disk/seglog.h), or its begin
 * there and its end here. One exchange fills it while others in any worker read what is there. It
 * lives as long as somebody holds it: the objects that it belongs to, the filler, the readers, and
 * what is to be written of it.
 *
 * A body that spills goes to the disk as it comes, part by part, so that one of any size takes some
 * MB of memory; whoever reads what has left it reads it from there. The disk is never waited for:
 * when it is slower than what comes, or takes nothing, the body stays in memory as far as it may,
 * and is as any other.
 *
 * The hard thing is who may look at what. What never changes again (`fixed`) is read without the
 * lock: a body that is whole and has nothing left to write. Before that, all is under the lock,
 * and a reader holds the chunk that it is in, which leaves with the last of them once it is on
 * disk. Places are the writer's alone from write to done, and everybody's thereafter. A body on
 * disk holds the log open, and its segments, so no index keeps one.
 */
#ifndef CACHE_BODY_H
#define CACHE_BODY_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/slice.h"
#include "cache/budget.h"
#include "cache/chunk.h"
#include "cache/disk/disk.h"

enum { CHUNK_LEAST = 4096, CHUNK_MOST = 256 << 10, SPILL_MOST = 8 << 20 };

enum body_state { BODY_GROWING, BODY_WHOLE, BODY_CUT };

/* Bytes [from, to) on their way to the disk. */
struct body_write {
    struct disk_write write;
    struct body *body; /* held while it is posted */
    u64 from, to;
    bool posted;
    bool good; /* write has appended all of it */
};

/* Where parts lie, in order, each with its segment: held, so that it stays what it is. */
struct places {
    struct segment **segment;
    struct seglog_place *place;
    u32 n, room;
};

/* What a body has on disk. */
struct body_disk {
    u64 have;                     /* bytes from the first one on; whole parts but at the end */
    u64 posted;                   /* and those that are on their way or there */
    struct places places;         /* of all that has been appended; `have` says which count */
    struct body_write part, rest; /* full parts as they come; what is left at the end */
};

struct body {
    _Atomic u32 holders;
    _Atomic u32 readers; /* that have it open now */
    u32 size;            /* of this block */
    _Atomic u64 saved;   /* bytes that were sent of it instead of being asked for */
    struct budget *budget;
    _Atomic u64 length;    /* announced, or once it is whole; else UINT64_MAX */
    _Atomic u8 state;      /* enum body_state; set under the lock */
    _Atomic bool fixed;    /* what the lock guards never changes again; set under it */
    _Atomic bool bad;      /* a part cannot be read, or is not what was written */
    _Atomic u64 resumes;   /* of one that was given up: resume.h; 0: nobody goes on */
    u8 grows;              /* enum growing: what of the budget it may have; the filler's own */
    _Atomic bool passes;   /* it is a window (window.h); set under the lock */
    struct chunk *filling; /* the filler's own: the one with room */
    pthread_mutex_t lock;  /* guards what follows, and what is in *disk */
    u64 have;
    u64 gone;                   /* bytes before that are not to be had any more, but on disk */
    bool lost;                  /* some of its readers want such */
    struct disk *spills_to;     /* held; NULL: it stays in memory */
    struct body_disk *disk;     /* from its first full part on; NULL: nothing is or will be there */
    struct chunk *first, *last; /* what is in memory */
    struct list waiting;        /* readers that have come to the end */
    struct list room;           /* the filler, for the disk to take more */
};

/* A growing one, held once. NULL: no memory, or the budget has no room. */
struct body *body_new(struct budget *b, u64 length);
/* One that is whole, with these bytes, held once. NULL: as of body_new. */
struct body *body_whole(struct budget *b, struct slice bytes);
/* One that lies on disk, all of it; the caller holds the disk. The first n - 1 parts are full.
 * NULL: they do not make that length, some of them has gone, or there is no memory. */
struct body *body_on_disk(struct budget *b, struct disk *d, const struct seglog_place *parts, u32 n,
                          u64 length);
void body_hold(struct body *b);
void body_put(struct body *b);

/* Appends and wakes who waits; how much of it has been taken: less when there is no room or it
 * would exceed `most`. For the filler alone, as what follows up to body_end. */
size_t body_append(struct body *b, struct slice run, u64 most);
/* Before the first append: it goes to the disk, which the caller holds, as it comes. */
void body_spill(struct body *b, struct disk *d);
/* After body_end, of one with more than SEGLOG_INLINE bytes: what is not on its way yet is posted,
 * too. False: it is not taken, and the body will not be on disk as a whole. */
bool body_spill_rest(struct body *b);
void body_end(struct body *b, enum body_state how);
struct wake;
/* False: nothing of it is on its way to the disk now. Else the wake comes when that has ended. */
bool body_wait_for_disk(struct body *b, struct wake *w);
/* Of one that is cut, and that nobody reads: what is not on its way to the disk leaves memory. */
void body_shed(struct body *b);

/* On the writer's thread, by who holds it, from a write that was posted after body_spill_rest:
 * where all of it lies. They stay until that write's `done`. False: it does not lie there; that is
 * no failure of the log, and no `write` returns false for it. */
bool body_parts(const struct body *b, const struct seglog_place **parts, u32 *n);
/* Does some of it lie on disk, or is it on its way there? */
bool body_is_on_disk(struct body *b);
/* Bytes that there are by now. */
u64 body_have(struct body *b);
/* Bytes of it that are in memory. */
u64 body_in_memory(struct body *b);
/* These, and what they are kept in. */
u64 body_cost(struct body *b);

#endif
