/*
 * The tags of a response, by which an administrator takes out together what shows the same thing:
 * Surrogate-Key, with blanks between them, and Cache-Tag, with commas. They are noted as one text,
 * each tag between blanks, so that one search finds a whole one.
 */
#ifndef CACHE_TAGS_H
#define CACHE_TAGS_H

#include "base/text.h"
#include "http/msg.h"

enum { TAGS_MOST = 64, TAGS_TEXT = 1024 };

/* " one two " into *out, which is empty and has room for TAGS_TEXT; empty: it has none. False: they
 * are more than that, and who purges one of them would miss this response. */
bool tags_read(const struct msg *response, struct text *out);
/* Is it among them? Never for an empty one, or one with blanks. */
bool tags_have(struct slice tags, struct slice one);
/* Takes both fields out. */
void tags_strip(struct msg *response);

#endif
