/* The method PURGE, as other caches have it, from whom a rule or a route lets use it. */
#ifndef CACHE_PURGE_REQUEST_H
#define CACHE_PURGE_REQUEST_H

#include "cache/notes.h"

/* Once its key is known. */
bool purge_is_asked_for(const struct xchg *x);
/* Takes out what is kept under it, and answers. */
enum lookup purge_answer(struct xchg *x);

#endif
