/*
 * How a reader gets at the part of a body that lies on disk, without ever waiting for it: a part
 * is sent from the page cache when all that is wanted of it is there and has been checked
 * (disk/checked.h); else it is read and checked by the threads for what may block, and the reader
 * waits.
 *
 * That a part is there is believed for a second: the system may have taken its memory meanwhile.
 */
#ifndef CACHE_READER_DISK_H
#define CACHE_READER_DISK_H

#include "base/extent.h"
#include "cache/spill.h"
#include "core/common/flow.h"

struct reader;

struct reader_disk {
    struct reading *job;   /* under way; NULL: none */
    struct body_part cold; /* what it is for, or is to be */
    u64 from, to;          /* of the body: checked, and in the page cache … */
    u64 until_us;          /* … until then, as far as one can tell */
    bool was_read;         /* … because they have just been read */
    bool failed;
    char *bytes; /* for those who want to see them */
    u64 bytes_from, bytes_to;
};

/* What lies in that part from r->pos on, up to the byte before `to`. As a source's. */
enum flow reader_disk_peek(struct reader *r, const struct body_part *p, u64 to, struct slice *run);
bool reader_disk_extent(struct reader *r, const struct body_part *p, u64 to, struct extent *e);
/* After a peek that said WAIT. */
enum flow reader_disk_fill(struct reader *r);
/* Does the reader wait for what lies on disk? */
static inline bool reader_disk_waits(const struct reader_disk *d)
{
    return d->cold.segment != NULL;
}
void reader_disk_end(struct reader *r);

#endif
