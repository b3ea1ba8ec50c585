/* Dates in messages (RFC 9110 section 5.6.7). */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <time.h>

enum { DATE_TEXT = 29 };

/* "Sun, 06 Nov 1994 08:49:37 GMT", not NUL-terminated. Years 0–9999; others are clamped. */
void date_text(char out[DATE_TEXT], time_t t);

#endif
