/*
 * Proxy auto-configuration: the small script a browser fetches from the listener to learn that it
 * should come back. Every name goes through the proxy; plain host names and loopback stay direct,
 * because they mean another machine on the other side of a proxy.
 */
#ifndef PAC_PAC_H
#define PAC_PAC_H

#include "base/text.h"

#define PAC_CONTENT_TYPE "application/x-ns-proxy-autoconfig"

enum { PAC_MAX = 1024 }; /* room for any script pac_write makes */

/* Appends FindProxyForURL naming `proxy` ("127.0.0.1:3128", "[::1]:3128"): the address under which
 * the client reached the listener, never a wildcard. A byte that cannot stand in HOST:PORT is
 * escaped, so the value cannot end the string it stands in. */
void pac_write(struct text *out, struct slice proxy);

#endif
