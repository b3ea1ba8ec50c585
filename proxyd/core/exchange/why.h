/* `/why`: a client asks what it was refused lately. */
#ifndef CORE_WHY_H
#define CORE_WHY_H

#include "base/slice.h"
#include "core/exchange/stage.h"
#include "core/report/page.h"

/* The list of the client's own refusals, or with `?id=ID` the page of one, as Accept asks: a
 * browser hides what a CONNECT was answered. An id of somebody else's is as unknown as one that
 * never was: REFUSED with not_found, as is a list that was not asked for by the proxy's address.
 * contact: whom to ask, for the page of one. */
enum verdict reply_why(struct xchg *x, struct slice contact);

/* Was it asked for in a way that no other host's page can ask: by the proxy's address, or as
 * localhost? Only then the client's refusals may be told. */
bool why_may_list(const struct xchg *x);
/* The last `most` of them, newest first: items of a list in HTML, objects in JSON with commas
 * between them, lines in text. At most WHY_ROW bytes each. */
enum { WHY_ROW = 3 * 1024 };
void why_rows(const struct xchg *x, enum page_form form, unsigned most, struct text *t);

#endif
