/* `/why`: a client asks what it was refused lately. */
#ifndef CORE_WHY_H
#define CORE_WHY_H

#include "base/slice.h"
#include "core/exchange/stage.h"

/* The list of the client's own refusals, or with `?id=ID` the page of one, as Accept asks: a browser
 * hides what a CONNECT was answered. An id of somebody else's is as unknown as one that never was:
 * REFUSED with not_found, as is a list that was not asked for by the proxy's address. contact: whom to
 * ask, for the page of one. */
enum verdict reply_why(struct xchg *x, struct slice contact);

#endif
