/*
 * A representation that is kept in slices (`range slice`): its manifest, an object of its URL with
 * status 206 and the head of the whole, and the slices, objects of their own under URLs that no
 * request can name. The manifest's body says how long the whole is, how long a slice, and which
 * slices are its own. In the code they are blocks, for a slice is a piece of text here.
 *
 * The hard thing is that blocks of two representations never mix: each manifest has a random
 * number, which is a part of its blocks' names. Whatever takes the manifest out has thereby taken
 * out all of them, for nobody can name them any more.
 */
#ifndef CACHE_MANIFEST_H
#define CACHE_MANIFEST_H

#include "base/text.h"
#include "cache/object.h"
#include "cache/range.h"

struct manifest {
    u64 id;
    u64 length; /* bytes of the whole; 0: there is none such */
    u64 size;   /* of every block but the last */
};

enum { MANIFEST_TEXT = 80, BLOCK_PATH = 48 }; /* bytes of a body, and of a name behind the path */

/* Room for MANIFEST_TEXT. */
void manifest_write(struct text *out, const struct manifest *m);
/* Whatever stands there: false when it is none. */
bool manifest_read(struct slice body, struct manifest *out);

/* Of an object that is a manifest; false: it is none. */
bool manifest_of(const struct object *o, struct manifest *out);

/* The bytes of one block of a representation of that length; at least one. `number` times `size`
 * lies within it. */
struct byte_range block_range(u64 length, u64 size, u64 number);
/* Its path: that of the URL and what no path can hold. Room for that and BLOCK_PATH. */
void block_path(struct text *out, struct slice path, const struct manifest *m, u64 number);
/* Of a URL (cache_url_write): the one of which it is a block, or itself. What tells them apart is a
 * blank, which no request target can hold. */
static inline struct slice block_whole(struct slice url)
{
    const char *blank = slice_find(url, ' ');
    return blank ? slice_range(url.p, blank) : url;
}
static inline bool url_is_block(struct slice url)
{
    return slice_find(url, ' ') != NULL;
}

/* One of that manifest? */
bool block_is_of(struct slice url, const struct manifest *m);

/* Content-Range of a 206: false when it is none, or does not say how long the whole is. Then
 * from <= to < *length. */
bool content_range_read(struct slice value, struct byte_range *r, u64 *length);

#endif
