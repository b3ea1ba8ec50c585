/*
 * Bytes of a memory tier: counted when they are taken, whoever holds what they are for, so that the
 * bound holds for all that grows, is kept, or is still being sent.
 *
 * What can be given up is counted apart. The rest is held by those who fetch it or still read what
 * is kept no more, and of them a few slow ones could hold everything for as long as they like: no
 * body grows beyond a half of the memory that way, so that the other half keeps what is asked for.
 * An eighth of it more have the slices by which those go on who have read a body that was given up
 * (resume.h): else it would itself be in their way.
 */
#ifndef CACHE_BUDGET_H
#define CACHE_BUDGET_H

#include <stdatomic.h>

#include "base/types.h"

struct pages;

struct budget {
    _Atomic u64 most, used;
    _Atomic u64
        kept; /* of `used`, what make_room can give up, about; whoever can do that says so */
    /* Makes room by giving up what is kept; called without any lock of a body held. NULL: nothing
     * can be given up. */
    void (*make_room)(struct budget *b);
    struct pages *pages; /* for large pieces of bodies; NULL: all are in the heap */
};

enum { MALLOC_HEAD = 16 }; /* what the allocator adds to each piece */

enum growing { GROW_HALF, GROW_MORE /* of a slice for those who go on */ };
/* May a body grow so far, as it stands now? */
bool budget_may_grow(const struct budget *b, u64 n, enum growing how);
/* Memory of n bytes that counts; NULL: no room, or the system refuses. */
void *budget_take(struct budget *b, size_t n);
/* The same for a body that grows. */
void *budget_take_growing(struct budget *b, size_t n, enum growing how);
/* The same for n bytes that are not the heap's: they are only counted. */
bool budget_count_growing(struct budget *b, size_t n, enum growing how);
void budget_uncount(struct budget *b, size_t n);
/* p may be NULL. */
void budget_give(struct budget *b, void *p, size_t n);

#endif
