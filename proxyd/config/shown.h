/*
 * Text of others on somebody's terminal: no byte of it may move the cursor, ring, or turn the line
 * around, and a caret has to know how many columns it takes.
 */
#ifndef CONFIG_SHOWN_H
#define CONFIG_SHOWN_H

#include <stdio.h>

#include "base/slice.h"
#include "base/text.h"

/* Every control, every mark that changes the direction of writing and every byte that is no UTF-8
 * becomes a ?. Tabs stay. */
void shown_put(FILE *to, struct slice s);
/* As many `fill` as s takes columns less `less`, tabs as tabs: what stands under s. */
void shown_fill(FILE *to, struct slice s, char fill, unsigned less);
/* For one word in a message: the same bytes as \xHH, and tabs too. */
void shown_escape(struct text *t, struct slice s);

#endif
