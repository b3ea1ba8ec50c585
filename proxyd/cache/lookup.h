/* The first two questions of the seam, core/exchange/store.h. */
#ifndef CACHE_LOOKUP_H
#define CACHE_LOOKUP_H

#include "cache/notes.h"

/* As store.lookup and store.resume, whose functions they are. */
enum lookup cache_lookup(struct xchg *x);
enum lookup cache_resume(struct xchg *x);

/* Of many who want what notes.key names one reads it from the disk, the others find it in memory
 * thereafter. True: x waits, and cache_resume will be asked. */
bool lookup_on_disk(struct xchg *x, struct object **o);

/* ---- for the answers from slices, blocks_lookup.c ---- */

/* To the origin; for that reason, and kept or not for that one. */
enum lookup lookup_miss(struct xchg *x, enum cached how, enum fwd fwd, enum kept why);
/* To the origin, to have that validated; takes it over. */
enum lookup lookup_go_for(struct xchg *x, struct object **stale);
/* It would be asked, and must not be. */
enum lookup lookup_only_if_cached(struct xchg *x);
/* True: somebody else is on the way for what notes.key names, and x waits. */
bool lookup_waits(struct xchg *x);
enum cached lookup_kind(const struct notes *n, const struct object *o);
/* May what came from there be used for this exchange? Then its rule is the one that says so. */
bool lookup_allowed(struct xchg *x, const struct object *o);

#endif
