/* Dates in messages (RFC 9110 section 5.6.7): written in one form, read in three. */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <time.h>

#include "base/slice.h"

enum { DATE_TEXT = 29 };

/* "Sun, 06 Nov 1994 08:49:37 GMT", not NUL-terminated. Years 0–9999; others are clamped. */
void date_text(char out[DATE_TEXT], time_t t);

/* IMF-fixdate, or RFC 850's form, or asctime's. Without regard to case, as RFC 9111 section 4.2
 * wants of caches; the zone is GMT and nothing else, the day exists in its month and year, second
 * 60 is the one that follows. The name of the day has to be one, but need not be the right one.
 * `now`, in seconds since 1970, is for years of two digits: they are at most 50 years ahead. False,
 * and *t as it was: it is none of these. Years 0-9999, so *t may be negative. */
bool date_read(struct slice text, time_t now, time_t *t);

#endif
