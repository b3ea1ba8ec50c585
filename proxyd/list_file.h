/*
 * The bytes of a file, plain, packed with gzip, or the files within a tar. Nothing is written: an
 * archive is read where it lies, so that no name in it can lead anywhere. How much comes out is
 * bounded, because a megabyte can unpack to a terabyte.
 */
#ifndef PROXYD_LIST_FILE_H
#define PROXYD_LIST_FILE_H

#include "base/slice.h"
#include "base/types.h"

enum { LIST_FILE_WHY = 256 };

struct list_file_user {
    void *ctx;
    /* A file within a tar begins; `path` is relative and has no "..". False: it is passed over. */
    bool (*member)(void *ctx, struct slice path);
    void (*bytes)(void *ctx, struct slice bytes);
    void (*member_end)(void *ctx);
    u64 *left; /* bytes that may still come */
};

/* Is it, by its name, a tar? */
bool list_file_is_tar(const char *path);
/* And by its content? What was fetched has no name that says it. */
bool list_file_holds_tar(const char *path);
/* Without control bytes, which would write lines of their own into logs and reports. */
bool list_file_name_fits(struct slice name);
/* False: why is a clause. The file is read once, through one descriptor. */
bool list_file_read(const char *path, const struct list_file_user *u, char why[LIST_FILE_WHY]);
bool list_file_read_tar(const char *path, const struct list_file_user *u, char why[LIST_FILE_WHY]);

#endif
