/*
 * POST /cache/purge on the admin listener: what `proxyd cache purge` does, for scripts of other
 * machines, from networks that the configuration names (`admin { purge … }`).
 *
 *   ?url=URL | ?prefix=URL | ?tag=TAG | ?all=yes, and perhaps &soft=yes
 *
 * The hard thing is a browser of somebody who may: any page can have it POST here. So the request
 * has to have a field that no page can send to another host without asking it first
 * (X-Requested-With), and must not say that it comes from a page (Origin).
 */
#ifndef ADMIN_PURGE_H
#define ADMIN_PURGE_H

#include <microhttpd.h>

#include "admin/conf.h"
#include "core/common/registry.h"

/* The HTTP status; *text is one of its own, the caller's to free, in lines. On the admin thread. */
unsigned admin_purge(struct registry *r, const struct admin_conf *conf, struct MHD_Connection *c,
                     char **text);

#endif
