/*
 * Texts that are looked for anywhere in a URL, thousands at once. Of each text the four bytes that
 * are rarest among all texts are hashed; one pass over the URL asks the table at every byte and
 * compares what it names. A URL of 120 bytes that has none of 10,000 texts takes about 200 ns.
 *
 * Built off the workers, immutable then: any thread may ask.
 */
#ifndef FILTERS_LITERALSET_H
#define FILTERS_LITERALSET_H

#include "filters/source.h"

struct literal;
struct literalset {
    struct literal *literal;
    char *text;   /* of all, one behind the other */
    u32 *first;   /* table: literal + 1, then along its chain; 0: none */
    u32 n, shift; /* 2^(32 - shift) places in the table */
    size_t nchars, literal_room, text_room;
    u8 sizes; /* bit i: a text has i + 1 hashed bytes */
};

struct literalset_hit {
    u32 place;
    u16 length; /* of the text */
    size_t at;  /* where in the subject */
};

enum { LITERAL_LONGEST = 4096 };

/* A zeroed set is an empty one, to be filled and then built. text has 1 to LITERAL_LONGEST bytes.
 * False when the system refuses memory. `removes` takes that text away instead. */
bool literalset_add(struct literalset *l, struct slice text, bool caseless, u32 place,
                    bool removes);
/* False when the system refuses memory; the set is then empty. */
bool literalset_build(struct literalset *l);
void literalset_free(struct literalset *l);
size_t literalset_bytes(const struct literalset *l);

/* Calls take for each text at each place of the subject until it says true; was that so? */
typedef bool literal_take(void *ctx, struct literalset_hit hit);
bool literalset_scan(const struct literalset *l, struct slice subject, literal_take *take,
                     void *ctx);
/* The text that is found first, among those in the places (NULL: any). */
bool literalset_find(const struct literalset *l, struct slice subject, const struct places *in,
                     struct literalset_hit *hit);

#endif
