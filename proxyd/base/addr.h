/*
 * IP addresses, ports and networks, without sockets and without DNS. The hard part is spelling:
 * libc, URLs and lists write one address in many ways (octal, hex, short, mapped); everything is
 * brought into one canonical struct here so that policy and dialling compare the same bits.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <sys/socket.h>

#include "base/slice.h"
#include "base/text.h"

enum { ADDR_TEXT = 64 }; /* room for "[v6%scope]:port" */

/* 24 bytes. An IPv4 address is never kept in mapped form: family AF_INET, first 4 bytes of ip. */
struct addr {
    u8 ip[16]; /* network order; bytes 4–15 are zero for AF_INET */
    u32 scope; /* IPv6 link-local interface index, else 0 */
    u16 port;  /* host order; 0 where there is none */
    u8 family; /* AF_INET, AF_INET6, or 0: no address */
    u8 pad;
};

struct cidr {
    struct addr base; /* host bits are zero, port 0 */
    u8 bits;          /* 0–32 or 0–128 */
};

/* Strict text form: dotted quad without leading zeros, or RFC 4291 IPv6 without brackets (no zone).
 * A mapped ::ffff:a.b.c.d becomes AF_INET. Port is 0. */
bool addr_parse(struct slice s, struct addr *out);

/* The dotted quad only: text that is its own canonical form. */
bool addr_parse4(struct slice s, struct addr *out);

/* What libc and browsers would also take for an IPv4 address: 1 to 4 parts, each decimal, octal
 * (leading 0) or hex (0x), last part filling the rest, optional final dot. Used to canonicalise the
 * host of a URL before any rule sees it. False: not a number-like host at all. *bad is set, and
 * false returned, when the host is number-like (its last label is numeric) but no valid address:
 * such a name must be refused, not resolved (WHATWG URL, "ends in a number"). */
bool addr_parse_loose4(struct slice s, struct addr *out, bool *bad);

/* "A.B.C.D:PORT" or "[V6]:PORT"; port 1–65535. */
bool addr_parse_port(struct slice s, struct addr *out);

/* Address or CIDR in strict form. A bare address is its /32 or /128. *host_bits tells that bits
 * below the prefix are set (an error in configurations; base has them cleared). */
bool cidr_parse(struct slice s, struct cidr *out, bool *host_bits);
bool cidr_has(const struct cidr *c, const struct addr *a);

/* Same family and address; scope and port are not compared. */
bool addr_same_ip(const struct addr *a, const struct addr *b);
bool addr_same(const struct addr *a, const struct addr *b); /* address, scope and port */

/* 0.0.0.0 or [::]: every address of this machine, and none that a client could ask for. */
bool addr_is_wildcard(const struct addr *a);
/* 127.0.0.1 or ::1, with that port. */
struct addr addr_loopback(int family, u16 port);

/* 4 bytes of AF_INET, 16 of AF_INET6, in network order; port and scope 0. A mapped address becomes
 * AF_INET. */
struct addr addr_of_bytes(int family, const u8 *ip);

/* To and from sockaddr. addr_to_sockaddr returns the length to pass to the kernel. From a sockaddr
 * a mapped IPv6 address becomes AF_INET; any other family gives family 0. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);
void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa);

/* "192.0.2.1", "2001:db8::1" (RFC 5952). */
void addr_text(struct text *t, const struct addr *a);
/* "192.0.2.1", "[2001:db8::1]", as a host in a URL. */
void addr_text_host(struct text *t, const struct addr *a);
/* "192.0.2.1:80", "[2001:db8::1]:80". */
void addr_text_port(struct text *t, const struct addr *a);

#endif
