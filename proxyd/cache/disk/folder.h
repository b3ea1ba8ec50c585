/* The folder of a log: taken for one process, with its secret, and its segments by number. */
#ifndef CACHE_DISK_FOLDER_H
#define CACHE_DISK_FOLDER_H

#include "base/hash.h"
#include "cache/disk/seglog.h"

struct folder {
    char *path;
    int lock; /* the file's descriptor: closed, the lock is gone */
    struct hash_key secret;
};

/* Made if it is not there. False, with why. */
bool folder_take(struct folder *f, const char *path, char *why, size_t room);
/* After it was deleted: made anew, taken again, with the same secret. */
bool folder_make_again(struct folder *f);
/* Twice does no harm. */
void folder_give_back(struct folder *f);
/* "PATH/seg-%08x", to be freed; NULL: no memory. */
char *folder_segment(const struct folder *f, u32 number);
/* The numbers that are there, largest first, to be freed; *n. NULL: none, or it cannot be read. */
u32 *folder_segments(const struct folder *f, u32 *n);

#endif
