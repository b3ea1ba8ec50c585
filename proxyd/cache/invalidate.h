/*
 * Which stored responses a successful unsafe request makes untrue (RFC 9111 section 4.4): those of
 * its target, and of what Location and Content-Location name, if that is of the same origin: else
 * anybody could empty the cache of others.
 */
#ifndef CACHE_INVALIDATE_H
#define CACHE_INVALIDATE_H

#include "cache/key.h"
#include "http/msg.h"

/* An unsafe method, or one that is not known, and a 2xx or 3xx: the target goes. */
bool invalidates(enum method method, unsigned status);

/* The path and query of a reference (RFC 3986 section 4.1), resolved against the target, as a
 * client would ask for them. False: another origin, not a reference, or too long for *path; then
 * *path counts for nothing. Its room has to be the base's path and three times the reference. */
bool same_origin_path(const struct cache_url *target, struct slice reference, struct text *path);

/* Calls `forget` for each URL that goes, the target first; at most one for Location and one for
 * Content-Location. The path that it is given lives until it returns. */
void invalidate(const struct cache_url *target, enum method method, const struct msg *response,
                void (*forget)(void *who, const struct cache_url *url), void *who);

#endif
