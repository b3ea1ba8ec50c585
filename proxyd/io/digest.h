/*
 * SHA-256 of bytes that come in pieces: for files that are kept, and for what others publish of
 * theirs. Not for tables, which have base/hash.h.
 */
#ifndef IO_DIGEST_H
#define IO_DIGEST_H

#include "base/slice.h"

enum { DIGEST_BYTES = 32, DIGEST_TEXT = 2 * DIGEST_BYTES + 1 };

struct digest;

/* Never NULL; ended by digest_end alone. */
struct digest *digest_new(void);
void digest_add(struct digest *d, struct slice bytes);
/* In hexadecimal, lower case, NUL-terminated; d is gone. */
void digest_end(struct digest *d, char out[DIGEST_TEXT]);

#endif
