/*
 * The URL of a list, and where a redirect leads from there. No network: whether an address may be
 * used is judged when it is dialled.
 */
#ifndef PROXYD_LIST_URL_H
#define PROXYD_LIST_URL_H

#include "base/text.h"

enum { LIST_URL = 2048 };

/* Does it begin like the URL of any scheme? */
bool list_url_is(struct slice text);
/* NULL: a list can be fetched there; else why not, as a clause. */
const char *list_url_wrong(struct slice url);
/* The reference `to` as it is meant at `from`, which is right (RFC 3986 section 5.2), without its
 * fragment, into out. False: it has no room or is no reference. What comes out may be wrong. */
bool list_url_resolve(struct text *out, struct slice from, struct slice to);

#endif
