/*
 * Byte ranges of a response that is kept whole (RFC 9110 section 14). What is not understood, or
 * names more than RANGES_MOST, is answered with the whole; of the rest no byte is sent twice
 * (CVE-2011-3192), for ranges that overlap or adjoin are made one.
 */
#ifndef CACHE_RANGE_H
#define CACHE_RANGE_H

#include "base/slice.h"
#include "base/text.h"

enum { RANGES_MOST = 16 };

struct byte_range {
    u64 from, to; /* the last one included */
};

enum ranges {
    RANGES_WHOLE, /* 200: there is none, or it is to be ignored */
    RANGES_SOME,  /* 206 */
    RANGES_NONE   /* 416: none of them lies within */
};

/* Of the value of the one Range field of a GET, for a body of `length` bytes. In the order in which
 * they were asked for, a merged one in place of its first; *n is 0 but for SOME. */
enum ranges ranges_read(struct slice value, u64 length, struct byte_range out[RANGES_MOST],
                        unsigned *n);
/* How many bytes they are. */
u64 ranges_sum(const struct byte_range r[], unsigned n);
/* "bytes 0-499/1234"; "bytes *" "/1234" where r is NULL, for 416. */
void range_write(struct text *t, const struct byte_range *r, u64 length);

enum { RANGE_BOUNDARY = 16 };
/* multipart/byteranges (section 14.6), for 206 with several: what comes before part `i` of them,
 * and with i == n what comes behind the last one. `type` is the Content-Type of the whole, or
 * empty. */
void ranges_part(struct text *t, const char boundary[RANGE_BOUNDARY], struct slice type,
                 const struct byte_range r[], unsigned n, unsigned i, u64 length);
/* Content-Length of all that; the boundary does not matter. */
u64 ranges_length(struct slice type, const struct byte_range r[], unsigned n, u64 length);

#endif
