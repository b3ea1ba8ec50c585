/*
 * What a record of the log (disk/seglog.h) says of an object that the log itself does not know, its
 * `meta`: when it came, how long it is fresh, from where, and its head as text. Pure.
 *
 * The hard thing is to believe nothing of it: a file may have been changed by whoever has the disk,
 * or be of another version, and be sound in the log's eyes all the same.
 */
#ifndef CACHE_STORED_H
#define CACHE_STORED_H

#include "base/addr.h"
#include "cache/freshness.h"

enum { STORED_META = 96, STORED_VERSION = 1 }; /* bytes of meta before rule and head */

/* What a record's meta says. */
struct stored_meta {
    struct freshness fresh;
    struct addr server;
    bool by_parent;
    u8 minor;
    u64 length;        /* of the body */
    struct slice rule; /* that has departed from the RFC to have it kept */
    struct slice head;
};
/* False: it is none of this version, or cannot be. *out points into it. */
bool stored_read(struct slice meta, struct stored_meta *out);
/* room: STORED_META bytes, and those of rule and head. */
void stored_write(const struct stored_meta *m, struct text *out);

#endif
