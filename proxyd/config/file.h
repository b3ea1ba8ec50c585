/* Reading a file that somebody else named, without being fooled or held up by what it is. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <sys/types.h>

#include "base/slice.h"

struct file_id {
    dev_t dev;
    ino_t ino;
};

/* The whole of a regular file of at most `most` bytes into malloc'd memory. Returns NULL and fills
 * *text (free its p) and *id, or what went wrong ("it is a directory"). */
const char *file_read(const char *path, size_t most, struct slice *text, struct file_id *id);
/* The same of standard input, which may be anything that ends. */
const char *file_read_input(size_t most, struct slice *text, struct file_id *id);

/* What a path in a file means: absolute as it is, relative behind the folder of `in`. The result is
 * NUL-terminated. */
struct arena;
struct slice file_path(struct arena *a, const char *in, struct slice path);

#endif
