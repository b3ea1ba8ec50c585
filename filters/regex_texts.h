/*
 * What is known to be in every match of a regular expression, so that the engine runs only where
 * that is. Only the plainest syntax is understood; whatever else stands in a pattern makes the
 * answer "nothing".
 */
#ifndef FILTERS_REGEX_TEXTS_H
#define FILTERS_REGEX_TEXTS_H

#include "base/slice.h"

/* The longest text that every match of the pattern contains, apart from case, written to out (room
 * for pattern.n bytes); its length, 0: none is known. Texts that tell too little can be passed over
 * for a shorter one; NULL: none is. */
typedef bool regex_tells_little(struct slice text);
size_t regex_required(struct slice pattern, regex_tells_little *passed_over, char *out);

/* Texts of which every match contains one, apart from case: the one above, or one for each branch
 * of an alternation. Calls take for each; false, and no call: none are known. `room` has pattern.n
 * bytes; a text stays during the call. */
typedef void regex_take_text(void *ctx, struct slice text);
bool regex_texts(struct slice pattern, regex_tells_little *passed_over, char *room,
                 regex_take_text *take, void *ctx);

/* The part of the pattern with the most plain characters that stand one behind the other with at
 * most a class or a dot between them: as a pattern of its own it is found in every match. Empty:
 * none is known. */
struct slice regex_core(struct slice pattern, unsigned *plain_characters);

#endif
