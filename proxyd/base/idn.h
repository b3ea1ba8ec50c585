/*
 * Internationalised names (IDNA 2008 as browsers do it, UTS #46 without transition): the U-labels
 * that people write as the A-labels ("xn--…") that travel. One place, so that a name of the
 * configuration, of a list and of a request cannot become two.
 */
#ifndef BASE_IDN_H
#define BASE_IDN_H

#include "base/text.h"

/* Has it bytes from 0x80 on? */
bool idn_is_needed(struct slice name);
/* UTF-8 to lower-case ASCII. What comes out is no host yet: "１２７.1" becomes "127.1". False, and
 * nothing appended: it has no such form, or out no room. */
bool idn_to_ascii(struct text *out, struct slice name);

#endif
