/*
 * The header of the PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt, sections 2.1
 * and 2.2), from the bytes that a connection begins with. Nothing is consumed.
 *
 * The one hard thing is that there is no third reading: whoever takes half of a header for the
 * client's own words, or those for a header, believes an address that nobody has vouched for.
 */
#ifndef HTTP_PROXY_HEADER_H
#define HTTP_PROXY_HEADER_H

#include "base/addr.h"

enum proxy_header {
    PROXY_HEADER_MORE,  /* may become any of the others */
    PROXY_HEADER_WHOLE, /* one is there */
    PROXY_HEADER_NONE,  /* the connection begins with something else */
    PROXY_HEADER_BROKEN /* it begins as one, and is none */
};

/* Bytes: of a line of version 1 with its CR LF; of a header of version 2 with all that it adds. A
 * longer one is broken. */
enum { PROXY_HEADER_LINE_MOST = 107, PROXY_HEADER_MOST = 2048 };

struct proxy_header_facts {
    u32 len; /* of the header; what is behind it is the client's */
    /* Family 0: it names no client with an IP address (UNKNOWN, LOCAL, UNSPEC, a unix socket); then
     * who sends it is the client. A mapped IPv6 address is one of IPv4. */
    struct addr client;
    struct addr server; /* whom it has connected to; family 0 where the client's is */
};

/* `first`: all bytes since the connection began. What they are does not depend on how they were
 * split: once it is not MORE, more bytes change nothing. *out is set when it is WHOLE. A checksum
 * that is there has to be right. At most some 20 us, no allocation. */
enum proxy_header proxy_header_read(struct slice first, struct proxy_header_facts *out);

#endif
