/*
 * Which parts on disk are known to be what was written: those that this process has written or
 * checked, so that what is asked for often is not checked at every hit. Kept by a hash of where
 * they lie, in a table that forgets one when another one comes to its slot; then it is checked once
 * more.
 *
 * What it knows holds for bytes in the page cache. Whatever is read from the device again has to be
 * checked again: whoever finds that a part is not in memory forgets it here.
 */
#ifndef CACHE_DISK_CHECKED_H
#define CACHE_DISK_CHECKED_H

#include "cache/disk/seglog.h"

/* Any thread. `secret`: the log's. */
bool checked_is(const struct hash_key *secret, const struct seglog_place *p);
void checked_note(const struct hash_key *secret, const struct seglog_place *p);
void checked_forget(const struct hash_key *secret, const struct seglog_place *p);

/* Are these bytes of a file in memory, so that nobody who reads them waits for the disk? */
bool page_cached(int fd, u64 at, size_t n);

#endif
