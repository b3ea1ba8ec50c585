/* The first two questions of the seam, core/exchange/store.h. */
#ifndef CACHE_LOOKUP_H
#define CACHE_LOOKUP_H

#include "cache/notes.h"

enum lookup cache_lookup(struct xchg *x);
enum lookup cache_resume(struct xchg *x);

#endif
