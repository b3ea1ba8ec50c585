/* A piece of an open file, by its bytes. It owns nothing: the descriptor is somebody else's. */
#ifndef BASE_EXTENT_H
#define BASE_EXTENT_H

#include "base/types.h"

struct extent {
    int fd;
    u64 at;   /* of its first byte in the file */
    size_t n; /* bytes */
};

/* What is left behind its first n bytes. */
static inline struct extent extent_skip(struct extent e, size_t n)
{
    return (struct extent){ e.fd, e.at + n, e.n - n };
}

#endif
