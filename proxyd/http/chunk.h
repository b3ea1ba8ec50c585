/*
 * The chunked transfer coding (RFC 9112 section 7.1). The decoder walks the framing and hands the
 * data back as runs of the caller's own buffer, so bodies are never copied here.
 */
#ifndef HTTP_CHUNK_H
#define HTTP_CHUNK_H

#include "base/slice.h"

enum {
    CHUNK_LINE_MAX = 256,       /* bytes of one chunk line without CRLF */
    CHUNK_EXTENSION_MAX = 16384 /* bytes of extensions ahead of the data */
};

/* Zeroed: at the start of a body. */
struct chunk_in {
    u64 left;      /* data bytes of this chunk not yet taken; while a line is read: its size */
    u32 extension; /* bytes of extensions, less those of data: never below 0 */
    u16 line;      /* bytes of this line so far */
    u8 digits : 5; /* at most 17 */
    u8 answer : 1; /* set by the caller before the first byte: repair chunk_blanks */
    u8 blanks : 1; /* that was done */
    u8 state;
};

enum chunk_result {
    CHUNK_MORE, /* all of p was framing; give the bytes that follow */
    CHUNK_DATA, /* data in *run */
    CHUNK_LAST, /* the line of the last chunk is consumed: the trailer section follows */
    CHUNK_BAD   /* for good */
};

/* Consumes framing from p[0..n). *used: the bytes consumed before *run. On CHUNK_DATA *run is never
 * empty and lies at p + *used; the caller takes k of its bytes, says so with chunk_took and goes on
 * at p + *used + k (calling again with less taken yields the rest again). On CHUNK_LAST what
 * follows is for head_scan and trailer_parse; an immediate CRLF is the empty section.
 * Strict: 1 to 16 hex digits, the size below 2^63, extensions by grammar only and bounded (they
 * are dropped), lines end in CRLF only. Blanks before it are let pass in an answer alone. RFC 9112
 * section 2.2 lets LF alone end lines of a head, but not of chunks, so here it never does. */
enum chunk_result chunk_decode(struct chunk_in *c, const char *p, size_t n, size_t *used,
                               struct slice *run);
/* k is at most c->left. */
void chunk_took(struct chunk_in *c, size_t k);

/* "1f\r\n" into out; its length. After the data the caller writes CRLF; a body ends with
 * chunk_header(out, 0), the trailer fields and CRLF. */
unsigned chunk_header(char out[20], u64 len);

#endif
