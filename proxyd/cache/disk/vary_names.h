/* The different `vary` of records, each once, so that the index has two bytes for it. They are
 * added by one thread, read by any, and stay as long as the log is open: an origin that sends ever
 * new ones fills the table and is kept no more. */
#ifndef CACHE_DISK_VARY_NAMES_H
#define CACHE_DISK_VARY_NAMES_H

#include <stdatomic.h>

#include "cache/disk/seglog.h"

struct vary_name {
    u32 n;
    char text[];
};

struct vary_names { /* zeroed, it has "" as number 0 */
    _Atomic(struct vary_name *) name[SEGLOG_NAMES];
    u16 by_hash[2 * SEGLOG_NAMES]; /* of the number, 0: free */
    u32 n;                         /* but for "" */
};

void vary_names_end(struct vary_names *v);
/* Its number, or -1: there is no room. */
int vary_names_add(struct vary_names *v, struct slice text);
/* Any thread; of a number that was given out. */
struct slice vary_names_text(const struct vary_names *v, u16 number);

#endif
